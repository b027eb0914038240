//! Who may use whose app.

use chrono::{DateTime, Utc};
use slipway_core::user::User;
use slipway_core::{AppId, UserId};

use crate::{Db, StoreError};

/// Grants use of an app; false if it was granted before.
pub async fn perm_grant(db: &mut Db<'_>, app: AppId, user: UserId, now: DateTime<Utc>) -> Result<bool, StoreError> {
    todo!()
}

/// Takes a grant back; false if there was none.
pub async fn perm_revoke(db: &mut Db<'_>, app: AppId, user: UserId) -> Result<bool, StoreError> {
    todo!()
}

/// Those who were granted use of the app, by name.
pub async fn perms_list(db: &mut Db<'_>, app: AppId) -> Result<Vec<User>, StoreError> {
    todo!()
}

/// Whether the user was granted use of the app.
pub async fn perm_is_collaborator(db: &mut Db<'_>, app: AppId, user: UserId) -> Result<bool, StoreError> {
    todo!()
}
