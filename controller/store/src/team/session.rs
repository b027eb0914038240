//! Log-ins of browsers, sign-up codes, and what users chose to see.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use slipway_core::UserId;
use slipway_core::user::User;

use crate::db::on;
use crate::schema::{browser_sessions, sign_up_codes, user_preferences, users};
use crate::types::{Row, UtcMicros};
use crate::user::UserRow;
use crate::{Db, StoreError};

/// Keeps a log-in until `expires`, by the SHA-256 of its cookie; forgets those that are over.
pub async fn browser_session_insert(
    db: &mut Db,
    hash: &[u8; 32],
    user: UserId,
    (now, expires): (DateTime<Utc>, DateTime<Utc>),
) -> Result<(), StoreError> {
    on!(db, |conn| diesel::delete(browser_sessions::table.filter(browser_sessions::expires.le(UtcMicros::from(now))))
        .execute(conn)
        .await)?;
    on!(db, |conn| diesel::insert_into(browser_sessions::table)
        .values((
            browser_sessions::hash.eq(&hash[..]),
            browser_sessions::user_id.eq(user.to_string()),
            browser_sessions::created.eq(UtcMicros::from(now)),
            browser_sessions::expires.eq(UtcMicros::from(expires)),
        ))
        .execute(conn)
        .await)?;
    Ok(())
}

/// The user whose log-in this is, if it is not over.
pub async fn user_by_browser_session(
    db: &mut Db,
    hash: &[u8; 32],
    now: DateTime<Utc>,
) -> Result<Option<User>, StoreError> {
    let row: Option<UserRow> = on!(db, |conn| browser_sessions::table
        .inner_join(users::table)
        .filter(browser_sessions::hash.eq(&hash[..]))
        .filter(browser_sessions::expires.gt(UtcMicros::from(now)))
        .select(UserRow::as_select())
        .first(conn)
        .await
        .optional())?;
    row.map(UserRow::user).transpose()
}

/// Ends a log-in; false if there is none.
pub async fn browser_session_delete(db: &mut Db, hash: &[u8; 32]) -> Result<bool, StoreError> {
    let n = on!(db, |conn| diesel::delete(browser_sessions::table.filter(browser_sessions::hash.eq(&hash[..])))
        .execute(conn)
        .await)?;
    Ok(n > 0)
}

/// Ends all log-ins of a user.
pub async fn browser_sessions_delete(db: &mut Db, user: UserId) -> Result<(), StoreError> {
    on!(db, |conn| diesel::delete(browser_sessions::table.filter(browser_sessions::user_id.eq(user.to_string())))
        .execute(conn)
        .await)?;
    Ok(())
}

/// Keeps the SHA-256 of a code with which the user may make the account their own; older ones are worthless.
pub async fn sign_up_code_insert(
    db: &mut Db,
    hash: &[u8; 32],
    user: UserId,
    expires: DateTime<Utc>,
) -> Result<(), StoreError> {
    on!(db, |conn| diesel::delete(sign_up_codes::table.filter(sign_up_codes::user_id.eq(user.to_string())))
        .execute(conn)
        .await)?;
    on!(db, |conn| diesel::insert_into(sign_up_codes::table)
        .values((
            sign_up_codes::hash.eq(&hash[..]),
            sign_up_codes::user_id.eq(user.to_string()),
            sign_up_codes::expires.eq(UtcMicros::from(expires)),
        ))
        .execute(conn)
        .await)?;
    Ok(())
}

/// Takes a code: whose it is, if it is good. It is good once.
pub async fn sign_up_code_take(db: &mut Db, hash: &[u8; 32], now: DateTime<Utc>) -> Result<Option<UserId>, StoreError> {
    let user: Option<String> = on!(db, |conn| sign_up_codes::table
        .filter(sign_up_codes::hash.eq(&hash[..]))
        .filter(sign_up_codes::expires.gt(UtcMicros::from(now)))
        .select(sign_up_codes::user_id)
        .first(conn)
        .await
        .optional())?;
    on!(db, |conn| diesel::delete(sign_up_codes::table.filter(sign_up_codes::hash.eq(&hash[..]))).execute(conn).await)?;
    user.map(|id| Row { table: "sign_up_codes", id: &id }.parse("user_id", &id)).transpose()
}

/// Hides the tips for beginners from a user, or shows them.
pub async fn onboarding_set(db: &mut Db, user: UserId, is_hidden: bool) -> Result<(), StoreError> {
    let id = user.to_string();
    let n = on!(db, |conn| diesel::update(user_preferences::table.filter(user_preferences::user_id.eq(&id)))
        .set(user_preferences::is_onboarding_hidden.eq(is_hidden))
        .execute(conn)
        .await)?;
    if n == 0 {
        on!(db, |conn| diesel::insert_into(user_preferences::table)
            .values((user_preferences::user_id.eq(&id), user_preferences::is_onboarding_hidden.eq(is_hidden)))
            .execute(conn)
            .await)?;
    }
    Ok(())
}

/// Whether the user hid the tips for beginners.
pub async fn onboarding_is_hidden(db: &mut Db, user: UserId) -> Result<bool, StoreError> {
    let hidden: Option<bool> = on!(db, |conn| user_preferences::table
        .filter(user_preferences::user_id.eq(user.to_string()))
        .select(user_preferences::is_onboarding_hidden)
        .first(conn)
        .await
        .optional())?;
    Ok(hidden.unwrap_or(false))
}
