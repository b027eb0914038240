//! Log-ins by e-mail address. Each is a family of refresh tokens, of which one is good at a time.

use chrono::{DateTime, Utc};
use slipway_core::{LoginId, UserId};

use crate::db::on;
use crate::schema::logins;
use crate::types::{Row, UtcMicros};
use crate::{Db, StoreError};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

/// A log-in that was not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Its identity.
    pub id: LoginId,
    /// Whose it is.
    pub owner: UserId,
    /// SHA-256 of the refresh token that is good now.
    pub token_hash: Vec<u8>,
    /// When the password was given.
    pub created: DateTime<Utc>,
    /// When the refresh token ends.
    pub expires: DateTime<Utc>,
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = logins)]
struct LoginRow {
    id: String,
    owner: String,
    token_hash: Vec<u8>,
    created: UtcMicros,
    expires: UtcMicros,
}

impl LoginRow {
    fn login(self) -> Result<Login, StoreError> {
        let row = Row { table: "logins", id: &self.id };
        Ok(Login {
            id: row.parse("id", &self.id)?,
            owner: row.parse("owner", &self.owner)?,
            token_hash: self.token_hash,
            created: self.created.utc(),
            expires: self.expires.utc(),
        })
    }
}

/// Adds a log-in.
pub async fn login_insert(db: &mut Db, new: &Login) -> Result<(), StoreError> {
    let row = LoginRow {
        id: new.id.to_string(),
        owner: new.owner.to_string(),
        token_hash: new.token_hash.clone(),
        created: new.created.into(),
        expires: new.expires.into(),
    };
    on!(db, |conn| diesel::insert_into(logins::table).values(&row).execute(conn).await)?;
    Ok(())
}

/// The log-in of this identity.
pub async fn login_by_id(db: &mut Db, id: LoginId) -> Result<Option<Login>, StoreError> {
    let row: Option<LoginRow> = on!(db, |conn| logins::table.find(id.to_string()).first(conn).await.optional())?;
    row.map(LoginRow::login).transpose()
}

/// Replaces the refresh token that is good.
pub async fn login_rotate(
    db: &mut Db,
    id: LoginId,
    token_hash: &[u8; 32],
    expires: DateTime<Utc>,
) -> Result<(), StoreError> {
    on!(db, |conn| diesel::update(logins::table.find(id.to_string()))
        .set((logins::token_hash.eq(&token_hash[..]), logins::expires.eq(UtcMicros::from(expires))))
        .execute(conn)
        .await)?;
    Ok(())
}

/// Ends a log-in; whether there was one.
pub async fn login_delete(db: &mut Db, id: LoginId) -> Result<bool, StoreError> {
    let n = on!(db, |conn| diesel::delete(logins::table.find(id.to_string())).execute(conn).await)?;
    Ok(n > 0)
}

/// Ends every log-in of a user. Index: `logins_owner`.
pub async fn logins_delete_by_owner(db: &mut Db, owner: UserId) -> Result<(), StoreError> {
    let these = || logins::table.filter(logins::owner.eq(owner.to_string()));
    on!(db, |conn| diesel::delete(these()).execute(conn).await)?;
    Ok(())
}

/// Forgets log-ins whose refresh token has ended. Index: `logins_expires`.
pub async fn logins_delete_expired(db: &mut Db, now: DateTime<Utc>) -> Result<(), StoreError> {
    let these = || logins::table.filter(logins::expires.lt(UtcMicros::from(now)));
    on!(db, |conn| diesel::delete(these()).execute(conn).await)?;
    Ok(())
}
