//! Tokens that users make for their programs.

use chrono::{DateTime, Utc};
use slipway_core::UserId;
use uuid::Uuid;

use crate::UserTokenId;

/// A user's token. What is handed out once is signed and names the nonce; it is good while this is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserToken {
    /// Its identity.
    pub id: UserTokenId,
    /// Whose it is.
    pub user: UserId,
    /// Its name, unique among the user's.
    pub name: String,
    /// What ties the handed out token to this one.
    pub nonce: Uuid,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When it ends; never without.
    pub expires: Option<DateTime<Utc>>,
}
