//! When and by whom something was made and changed.

use chrono::{DateTime, Utc};
use slipway_core::UserId;

/// When and by whom something was made and last changed. Users may be gone since. Source: `team-api.md` §1.12.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// When it was made.
    pub created: DateTime<Utc>,
    /// Who made it.
    pub created_by: UserId,
    /// When it was last changed, or made.
    pub updated: DateTime<Utc>,
    /// Who last changed it, or made it.
    pub updated_by: UserId,
}

impl Stamp {
    /// Of something that `user` makes now.
    #[must_use]
    pub const fn new(user: UserId, now: DateTime<Utc>) -> Self {
        Self { created: now, created_by: user, updated: now, updated_by: user }
    }
}
