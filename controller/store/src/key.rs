//! SSH public keys.

use chrono::{DateTime, Utc};
use slipway_core::key::Key;
use slipway_core::{AppId, KeyId, UserId};

use crate::{Db, Page, Paged, StoreError};

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
pub async fn key_insert(db: &mut Db<'_>, new: &NewKey) -> Result<Key, StoreError> {
    todo!()
}

/// The keys of a user by their text.
pub async fn keys_list(db: &mut Db<'_>, owner: UserId, page: Page) -> Result<Paged<Key>, StoreError> {
    todo!()
}

/// The key of this label, if it is the user's.
pub async fn key_by_id(db: &mut Db<'_>, owner: UserId, id: &str) -> Result<Option<Key>, StoreError> {
    todo!()
}

/// The key of this fingerprint. Index: `keys_fingerprint_key`.
pub async fn key_by_fingerprint(db: &mut Db<'_>, fingerprint: &str) -> Result<Option<Key>, StoreError> {
    todo!()
}

/// Removes a key; false if the user has none of this label.
pub async fn key_delete(db: &mut Db<'_>, owner: UserId, id: &str) -> Result<bool, StoreError> {
    todo!()
}

/// The keys of those who were granted use of the app, by owner's name; not the owner's, unless granted.
pub async fn keys_by_app(db: &mut Db<'_>, app: AppId) -> Result<Vec<Key>, StoreError> {
    todo!()
}

/// All keys of a user.
pub async fn keys_by_user(db: &mut Db<'_>, owner: UserId) -> Result<Vec<Key>, StoreError> {
    todo!()
}
