//! SSH public keys.

use chrono::{DateTime, Utc};
use slipway_core::key::Key;
use slipway_core::{AppId, KeyId, UserId};

use crate::db::{on, paged};
use crate::schema::{app_users, keys, users};
use crate::types::{Row, UtcMicros, can_be_stored, text};
use crate::{Db, Page, Paged, StoreError};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

type KeyRow = (String, String, String, String, String, String, UtcMicros, UtcMicros);

macro_rules! columns {
    () => {
        (
            keys::uuid,
            keys::id,
            keys::owner,
            users::username,
            keys::public,
            keys::fingerprint,
            keys::created,
            keys::updated,
        )
    };
}

fn key((uuid, id, owner, owner_name, public, fingerprint, created, updated): KeyRow) -> Result<Key, StoreError> {
    let row = Row { table: "keys", id: &uuid };
    Ok(Key {
        uuid: row.parse("uuid", &uuid)?,
        id,
        owner: row.parse("owner", &owner)?,
        owner_name: row.parse("owner_name", &owner_name)?,
        public,
        fingerprint,
        created: created.utc(),
        updated: updated.utc(),
    })
}

/// What is needed to add a key.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// The label; unique on the platform.
    pub id: String,
    /// Whose key it is.
    pub owner: UserId,
    /// The key as given.
    pub public: String,
    /// MD5 fingerprint, lower-case hex with colons; unique on the platform.
    pub fingerprint: String,
    /// When it is added.
    pub created: DateTime<Utc>,
}

/// Adds a key.
pub async fn key_insert(db: &mut Db, new: &NewKey) -> Result<Key, StoreError> {
    let uuid = KeyId::generate().to_string();
    let created = UtcMicros::from(new.created);
    on!(db, |conn| diesel::insert_into(keys::table)
        .values((
            keys::uuid.eq(&uuid),
            keys::id.eq(text(&new.id)),
            keys::owner.eq(new.owner.to_string()),
            keys::public.eq(text(&new.public)),
            keys::fingerprint.eq(text(&new.fingerprint)),
            keys::created.eq(created),
            keys::updated.eq(created),
        ))
        .execute(conn)
        .await)?;
    let row = on!(db, |conn| keys::table
        .inner_join(users::table)
        .filter(keys::uuid.eq(&uuid))
        .select(columns!())
        .first(conn)
        .await)?;
    key(row)
}

/// The keys of a user by their text.
pub async fn keys_list(db: &mut Db, owner: UserId, page: Page) -> Result<Paged<Key>, StoreError> {
    paged!(
        db,
        page,
        keys::table.inner_join(users::table).filter(keys::owner.eq(owner.to_string())),
        keys::public,
        columns!(),
        KeyRow,
        key
    )
}

/// The key of this label, if it is the user's.
pub async fn key_by_id(db: &mut Db, owner: UserId, id: &str) -> Result<Option<Key>, StoreError> {
    if !can_be_stored(id) {
        return Ok(None);
    }
    let row: Option<KeyRow> = on!(db, |conn| keys::table
        .inner_join(users::table)
        .filter(keys::owner.eq(owner.to_string()))
        .filter(keys::id.eq(id))
        .select(columns!())
        .first(conn)
        .await
        .optional())?;
    row.map(key).transpose()
}

/// Whether anybody has a key of this label. Index: `keys_id_key`.
pub async fn key_id_exists(db: &mut Db, id: &str) -> Result<bool, StoreError> {
    if !can_be_stored(id) {
        return Ok(false);
    }
    let found: Option<String> =
        on!(db, |conn| keys::table.filter(keys::id.eq(id)).select(keys::id).first(conn).await.optional())?;
    Ok(found.is_some())
}

/// The key of this fingerprint. Index: `keys_fingerprint_key`.
pub async fn key_by_fingerprint(db: &mut Db, fingerprint: &str) -> Result<Option<Key>, StoreError> {
    if !can_be_stored(fingerprint) {
        return Ok(None);
    }
    let row: Option<KeyRow> = on!(db, |conn| keys::table
        .inner_join(users::table)
        .filter(keys::fingerprint.eq(fingerprint))
        .select(columns!())
        .first(conn)
        .await
        .optional())?;
    row.map(key).transpose()
}

/// Removes a key; false if the user has none of this label.
pub async fn key_delete(db: &mut Db, owner: UserId, id: &str) -> Result<bool, StoreError> {
    if !can_be_stored(id) {
        return Ok(false);
    }
    let n =
        on!(db, |conn| diesel::delete(keys::table.filter(keys::owner.eq(owner.to_string())).filter(keys::id.eq(id)))
            .execute(conn)
            .await)?;
    Ok(n > 0)
}

/// The keys of those who may use the app by a grant or in its team, by owner's name; not the owner's, unless granted.
pub async fn keys_by_app(db: &mut Db, app: AppId) -> Result<Vec<Key>, StoreError> {
    let rows: Vec<KeyRow> = on!(db, |conn| keys::table
        .inner_join(users::table)
        .filter(
            keys::owner.eq_any(app_users::table.filter(app_users::app.eq(app.to_string())).select(app_users::user_id))
        )
        .order((users::username, keys::public))
        .select(columns!())
        .load(conn)
        .await)?;
    rows.into_iter().map(key).collect()
}

/// All keys of a user.
pub async fn keys_by_user(db: &mut Db, owner: UserId) -> Result<Vec<Key>, StoreError> {
    let rows: Vec<KeyRow> = on!(db, |conn| keys::table
        .inner_join(users::table)
        .filter(keys::owner.eq(owner.to_string()))
        .order(keys::public)
        .select(columns!())
        .load(conn)
        .await)?;
    rows.into_iter().map(key).collect()
}
