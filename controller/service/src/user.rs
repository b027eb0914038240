//! Accounts.

use secrecy::SecretString;
use slipway_core::Result;
use slipway_core::user::User;

use crate::{Cx, Page, PageQuery, Service};

/// Who wants to register.
pub struct UserRegister {
    /// The name, not yet checked.
    pub username: String,
    /// The password; not empty.
    pub password: SecretString,
    /// E-mail address, possibly empty.
    pub email: String,
    /// First name, possibly empty.
    pub first_name: String,
    /// Last name, possibly empty.
    pub last_name: String,
}

/// A change of password. What the request lacks is `None`.
#[derive(Default)]
pub struct PasswordChange {
    /// The new password.
    pub new_password: Option<SecretString>,
    /// The present password.
    pub password: Option<SecretString>,
    /// Whose; the caller's own without it.
    pub username: Option<String>,
}

impl Service {
    /// Registers a user. The first one becomes administrator. Source: `drycc-v2.md` §2.1.
    ///
    /// # Errors
    /// `Forbidden` when registration is closed to the caller; `Invalid` by field.
    pub async fn user_register(&self, cx: &Cx, new: UserRegister) -> Result<User> {
        let _ = (cx, new);
        todo!()
    }

    /// Checks a password and tells the user's token, the same at each log-in.
    ///
    /// # Errors
    /// `Invalid` under `non_field_errors`; `Throttled` after too many failures.
    pub async fn user_login(&self, cx: &Cx, username: &str, password: SecretString) -> Result<SecretString> {
        let _ = (cx, username, password);
        todo!()
    }

    /// Removes an account: the caller's own, or any for administrators.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`; `Conflict` when the user still owns apps.
    pub async fn user_cancel(&self, cx: &Cx, username: Option<&str>) -> Result<()> {
        let _ = (cx, username);
        todo!()
    }

    /// Changes a password. Tokens survive.
    ///
    /// # Errors
    /// `Rejected` when a field is missing, `Forbidden`, `NotFound`, `Unauthenticated` for a wrong password.
    pub async fn user_password_change(&self, cx: &Cx, change: PasswordChange) -> Result<()> {
        let _ = (cx, change);
        todo!()
    }

    /// The caller.
    ///
    /// # Errors
    /// `Unauthenticated`.
    pub async fn user_whoami(&self, cx: &Cx) -> Result<User> {
        let _ = cx;
        todo!()
    }

    /// All users, oldest first; for administrators.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn users_list(&self, cx: &Cx, page: PageQuery) -> Result<Page<User>> {
        let _ = (cx, page);
        todo!()
    }

    /// All administrators; for administrators.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn admins_list(&self, cx: &Cx, page: PageQuery) -> Result<Page<User>> {
        let _ = (cx, page);
        todo!()
    }

    /// Makes a user an administrator.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`.
    pub async fn admin_grant(&self, cx: &Cx, username: &str) -> Result<()> {
        let _ = (cx, username);
        todo!()
    }

    /// Makes an administrator a user.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`.
    pub async fn admin_revoke(&self, cx: &Cx, username: &str) -> Result<()> {
        let _ = (cx, username);
        todo!()
    }
}
