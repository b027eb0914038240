//! Projects: groups of deployments that one user makes for sight alone. Source: `dployr-v1.md` §9.1.

use chrono::{DateTime, Utc};

use crate::{ProjectId, UserId, Username};

/// A group of deployments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Its identity.
    pub id: ProjectId,
    /// Whose it is.
    pub owner: UserId,
    /// That user's name.
    pub owner_name: Username,
    /// Its name, unique among the owner's: 1 to 63 characters.
    pub name: String,
    /// What it is for; at most 255 characters, possibly empty.
    pub description: String,
    /// How many deployments are in it.
    pub deployment_count: u64,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When it was last changed.
    pub updated: DateTime<Utc>,
}
