//! Tokens that users make for their programs.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use slipway_core::UserId;
use slipway_core::user::User;
use slipway_team::UserTokenId;
use slipway_team::user_token::UserToken;
use uuid::Uuid;

use crate::db::on;
use crate::schema::{user_tokens, users};
use crate::types::{Row, UtcMicros, text};
use crate::user::UserRow;
use crate::{Db, StoreError};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = user_tokens)]
struct UserTokenRow {
    id: String,
    user_id: String,
    name: String,
    nonce: String,
    created: UtcMicros,
    expires: Option<UtcMicros>,
}

impl UserTokenRow {
    fn token(self) -> Result<UserToken, StoreError> {
        let row = Row { table: "user_tokens", id: &self.id };
        Ok(UserToken {
            id: row.parse("id", &self.id)?,
            user: row.parse("user_id", &self.user_id)?,
            nonce: row.parse("nonce", &self.nonce)?,
            name: self.name,
            created: self.created.utc(),
            expires: self.expires.map(UtcMicros::utc),
        })
    }
}

/// Adds a token; `Conflict` on its name.
pub async fn user_token_insert(db: &mut Db, new: &UserToken) -> Result<(), StoreError> {
    let row = UserTokenRow {
        id: new.id.to_string(),
        user_id: new.user.to_string(),
        name: text(&new.name),
        nonce: new.nonce.to_string(),
        created: new.created.into(),
        expires: new.expires.map(UtcMicros::from),
    };
    on!(db, |conn| diesel::insert_into(user_tokens::table).values(&row).execute(conn).await)?;
    Ok(())
}

/// The user's tokens, oldest first.
pub async fn user_tokens_list(db: &mut Db, user: UserId) -> Result<Vec<UserToken>, StoreError> {
    let rows: Vec<UserTokenRow> = on!(db, |conn| user_tokens::table
        .filter(user_tokens::user_id.eq(user.to_string()))
        .order((user_tokens::created, user_tokens::id))
        .select(UserTokenRow::as_select())
        .load(conn)
        .await)?;
    rows.into_iter().map(UserTokenRow::token).collect()
}

/// A token of the user.
pub async fn user_token_by_id(db: &mut Db, user: UserId, id: UserTokenId) -> Result<Option<UserToken>, StoreError> {
    let row: Option<UserTokenRow> = on!(db, |conn| user_tokens::table
        .filter(user_tokens::user_id.eq(user.to_string()))
        .filter(user_tokens::id.eq(id.to_string()))
        .select(UserTokenRow::as_select())
        .first(conn)
        .await
        .optional())?;
    row.map(UserTokenRow::token).transpose()
}

/// Removes a token of the user; false if there is none.
pub async fn user_token_delete(db: &mut Db, user: UserId, id: UserTokenId) -> Result<bool, StoreError> {
    let n = on!(db, |conn| diesel::delete(
        user_tokens::table.filter(user_tokens::user_id.eq(user.to_string())).filter(user_tokens::id.eq(id.to_string()))
    )
    .execute(conn)
    .await)?;
    Ok(n > 0)
}

/// The user whose token of this nonce is good at `now`. Index: `user_tokens_nonce_key`.
pub async fn user_by_token_nonce(
    db: &mut Db,
    user: UserId,
    nonce: Uuid,
    now: DateTime<Utc>,
) -> Result<Option<User>, StoreError> {
    let row: Option<UserRow> = on!(db, |conn| user_tokens::table
        .inner_join(users::table)
        .filter(user_tokens::nonce.eq(nonce.to_string()))
        .filter(user_tokens::user_id.eq(user.to_string()))
        .filter(user_tokens::expires.is_null().or(user_tokens::expires.gt(UtcMicros::from(now))))
        .select(UserRow::as_select())
        .first(conn)
        .await
        .optional())?;
    row.map(UserRow::user).transpose()
}
