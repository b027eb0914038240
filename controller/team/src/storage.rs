//! Object storages that containers' volumes are filled from. Source: `team-api.md` §4.11.

use secrecy::SecretString;

use crate::{Stamp, StorageId, TeamId};

/// An S3-compatible storage.
#[derive(Debug, Clone)]
pub struct Storage {
    /// Its identity.
    pub id: StorageId,
    /// Whose it is.
    pub team: TeamId,
    /// Its name, unique in the team.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// For people.
    pub icon: Option<String>,
    /// Where it is.
    pub url: String,
    /// The public half of the key, if it takes one.
    pub access_key: Option<String>,
    /// The secret half.
    pub secret_key: Option<SecretString>,
    /// When and by whom it was made and changed.
    pub stamp: Stamp,
}
