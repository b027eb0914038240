//! Users.

use chrono::{DateTime, Utc};

use crate::{UserId, Username};

/// A user's account. The password's hash never leaves the store and the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its identity.
    pub id: UserId,
    /// A small number that old clients show, unique, growing.
    pub number: i64,
    /// The name to log in with.
    pub username: Username,
    /// E-mail address, possibly empty.
    pub email: String,
    /// First name, possibly empty.
    pub first_name: String,
    /// Last name, possibly empty.
    pub last_name: String,
    /// Whether the user is an administrator.
    pub is_superuser: bool,
    /// Whether the user may log in.
    pub is_active: bool,
    /// Generation of the user's key: regenerating it makes every earlier key worthless.
    pub key_generation: i64,
    /// When the user last logged in.
    pub last_login: Option<DateTime<Utc>>,
    /// When the user registered.
    pub date_joined: DateTime<Utc>,
}
