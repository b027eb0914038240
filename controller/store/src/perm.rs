//! Who may use whose app.

use chrono::{DateTime, Utc};
use slipway_core::user::User;
use slipway_core::{AppId, UserId};

use crate::db::on;
use crate::schema::{app_users, perms, users};
use crate::types::UtcMicros;
use crate::user::UserRow;
use crate::{Db, StoreError};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

/// Grants use of an app; false if it was granted before.
pub async fn perm_grant(db: &mut Db, app: AppId, user: UserId, now: DateTime<Utc>) -> Result<bool, StoreError> {
    let n = on!(db, |conn| diesel::insert_into(perms::table)
        .values((
            perms::app.eq(app.to_string()),
            perms::user_id.eq(user.to_string()),
            perms::created.eq(UtcMicros::from(now)),
        ))
        .on_conflict_do_nothing()
        .execute(conn)
        .await)?;
    Ok(n > 0)
}

/// Takes a grant back; false if there was none.
pub async fn perm_revoke(db: &mut Db, app: AppId, user: UserId) -> Result<bool, StoreError> {
    let n = on!(db, |conn| diesel::delete(perms::table.find((app.to_string(), user.to_string()))).execute(conn).await)?;
    Ok(n > 0)
}

/// Those who were granted use of the app, by name.
pub async fn perms_list(db: &mut Db, app: AppId) -> Result<Vec<User>, StoreError> {
    let rows: Vec<UserRow> = on!(db, |conn| users::table
        .filter(users::id.eq_any(perms::table.filter(perms::app.eq(app.to_string())).select(perms::user_id)))
        .order(users::username)
        .select(UserRow::as_select())
        .load(conn)
        .await)?;
    rows.into_iter().map(UserRow::user).collect()
}

/// Whether the user was granted use of the app, or is a member of its team.
pub async fn perm_is_collaborator(db: &mut Db, app: AppId, user: UserId) -> Result<bool, StoreError> {
    let total: i64 =
        on!(db, |conn| app_users::table.find((app.to_string(), user.to_string())).count().get_result(conn).await)?;
    Ok(total > 0)
}
