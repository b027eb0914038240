//! SSH public keys.

use chrono::{DateTime, Utc};

use crate::{KeyId, UserId, Username};

/// A public key with which its owner may push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its identity.
    pub uuid: KeyId,
    /// The label its owner gave it; unique on the platform.
    pub id: String,
    /// Whose key it is.
    pub owner: UserId,
    /// That user's name.
    pub owner_name: Username,
    /// The key as given: type, base64, comment.
    pub public: String,
    /// MD5 fingerprint, lower-case hex with colons; what the builder looks keys up by.
    pub fingerprint: String,
    /// When it was added.
    pub created: DateTime<Utc>,
    /// When it was last changed.
    pub updated: DateTime<Utc>,
}
