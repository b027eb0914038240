//! Users.

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use slipway_core::user::User;
use slipway_core::{UserId, Username};

use crate::{Db, Page, Paged, StoreError};

/// What is needed to add a user.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// The name to log in with; unique.
    pub username: Username,
    /// E-mail address, possibly empty.
    pub email: String,
    /// First name, possibly empty.
    pub first_name: String,
    /// Last name, possibly empty.
    pub last_name: String,
    /// The hash of the password, as a PHC string.
    pub password_hash: SecretString,
    /// Whether the user is an administrator.
    pub is_superuser: bool,
    /// When the user registered.
    pub date_joined: DateTime<Utc>,
}

/// Adds a user.
pub async fn user_insert(db: &mut Db<'_>, new: &NewUser) -> Result<User, StoreError> {
    todo!()
}

/// Adds a user, as an administrator if there is no user yet, whatever `new` says.
pub async fn user_insert_first_admin(db: &mut Db<'_>, new: &NewUser) -> Result<User, StoreError> {
    todo!()
}

/// The user of this name.
pub async fn user_by_name(db: &mut Db<'_>, name: &Username) -> Result<Option<User>, StoreError> {
    todo!()
}

/// The user of this name and the hash of the password.
pub async fn user_credentials(db: &mut Db<'_>, name: &Username) -> Result<Option<(User, SecretString)>, StoreError> {
    todo!()
}

/// The hash of the password of this user.
pub async fn user_password_hash(db: &mut Db<'_>, id: UserId) -> Result<Option<SecretString>, StoreError> {
    todo!()
}

/// The user of this identity.
pub async fn user_by_id(db: &mut Db<'_>, id: UserId) -> Result<Option<User>, StoreError> {
    todo!()
}

/// The user whose token has this SHA-256. Index: `users_key_hash_key`.
pub async fn user_by_token_hash(db: &mut Db<'_>, hash: &[u8; 32]) -> Result<Option<User>, StoreError> {
    todo!()
}

/// All users by name.
pub async fn users_list(db: &mut Db<'_>, page: Page) -> Result<Paged<User>, StoreError> {
    todo!()
}

/// How many users there are.
pub async fn user_count(db: &mut Db<'_>) -> Result<u64, StoreError> {
    todo!()
}

/// Sets the hash of the password; false if there is no such user.
pub async fn user_update_password(
    db: &mut Db<'_>,
    id: UserId,
    password_hash: &SecretString,
) -> Result<bool, StoreError> {
    todo!()
}

/// Makes the user an administrator or takes that away; false if there is no such user.
pub async fn user_set_superuser(db: &mut Db<'_>, id: UserId, is_superuser: bool) -> Result<bool, StoreError> {
    todo!()
}

/// Lets the user log in or not; false if there is no such user.
pub async fn user_set_active(db: &mut Db<'_>, id: UserId, is_active: bool) -> Result<bool, StoreError> {
    todo!()
}

/// Notes a login.
pub async fn user_touch_login(db: &mut Db<'_>, id: UserId, now: DateTime<Utc>) -> Result<(), StoreError> {
    todo!()
}

/// Goes to the next generation of the key and stores the SHA-256 of the new one; gives the new generation. The caller derives the key from the generation it expects, which must be that of the row plus one: else nothing is changed and the answer is `None`.
pub async fn user_key_rotate(
    db: &mut Db<'_>,
    id: UserId,
    generation: i64,
    hash: &[u8; 32],
) -> Result<Option<i64>, StoreError> {
    todo!()
}

/// Stores the SHA-256 of the key without a new generation; false if there is no such user.
pub async fn user_set_key_hash(db: &mut Db<'_>, id: UserId, hash: &[u8; 32]) -> Result<bool, StoreError> {
    todo!()
}

/// The identities and key generations of all users.
pub async fn users_all_ids(db: &mut Db<'_>) -> Result<Vec<(UserId, i64)>, StoreError> {
    todo!()
}

/// Removes the user with keys and grants; `StoreError::Reference` while apps are owned. False if there is no such user.
pub async fn user_delete(db: &mut Db<'_>, id: UserId) -> Result<bool, StoreError> {
    todo!()
}

/// The administrators by name.
pub async fn admins_list(db: &mut Db<'_>, page: Page) -> Result<Paged<User>, StoreError> {
    todo!()
}

/// How many administrators there are.
pub async fn admin_count(db: &mut Db<'_>) -> Result<u64, StoreError> {
    todo!()
}
