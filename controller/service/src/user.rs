//! Accounts. Source: `drycc-v2.md` §2.1 and §2.11.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use slipway_core::authz::Actor;
use slipway_core::error::{FieldError, Kind};
use slipway_core::user::User;
use slipway_core::{Error, Result, Username};
use slipway_store as store;
use slipway_store::{StoreError, UniqueOn};

use crate::audit::{event, user_subject};
use crate::password::{PASSWORD_MAX_BYTES, Passwords};
use crate::settings::Registration;
use crate::stored::{Fail, Stored, write};
use crate::token::Tokens;
use crate::{Cx, Page, PageQuery, Service};

const BLANK: &str = "This field may not be blank.";
const BAD_LOGIN: &str = "Unable to log in with provided credentials.";
/// The message for a user name that somebody has.
pub const USERNAME_TAKEN: &str = "A user with that username already exists.";
const REGISTRATION_CLOSED: &str = "Registration is disabled";

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

/// What becomes of taking away a right that was never given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NeverGranted {
    /// Nothing.
    Ignore,
    /// It is told as missing. Source: `deis-v1.md` §11.
    Missing,
}

/// What came of letting somebody in or out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserSwitched {
    /// It is so now.
    Done,
    /// Nothing: nobody does that to themselves.
    Oneself,
}

impl Service {
    /// Registers a user. The first one becomes administrator. Source: `drycc-v2.md` §2.1.
    ///
    /// # Errors
    /// `Forbidden` when registration is closed to the caller; `Invalid` by field.
    pub async fn user_register(&self, cx: &Cx, new: UserRegister) -> Result<User> {
        let is_admin = matches!(cx.actor, Actor::User { is_superuser: true, .. });
        let admins = store::admin_count(&mut self.read().await?).await.stored()?;
        registration_allow(self.config().registration, admins, is_admin)?;
        let username = register_check(&new)?;
        let mut db = self.read().await?;
        if store::user_by_name(&mut db, &username).await.stored()?.is_some() {
            return Err(username_taken());
        }
        drop(db);
        let password_hash = SecretString::from(self.passwords().hash(new.password).await?);
        let mut row = store::NewUser {
            username,
            email: new.email.trim().to_owned(),
            first_name: new.first_name.trim().to_owned(),
            last_name: new.last_name.trim().to_owned(),
            password_hash,
            is_superuser: false,
            date_joined: cx.now,
        };
        let registration = self.config().registration;
        let tokens = self.tokens();
        let user = write!(self, |db| {
            // Transactions that write run one after the other, so of two first users one sees the other.
            let admins = store::admin_count(db).await?;
            registration_allow(registration, admins, is_admin)?;
            row.is_superuser = admins == 0;
            let mut user = match store::user_insert(db, &row).await {
                Err(StoreError::Conflict { what: UniqueOn::Username }) => return Err(username_taken().into()),
                other => other?,
            };
            let token = tokens.derive(user.id, user.key_generation)?;
            store::user_set_key_hash(db, user.id, &Tokens::hash(&token)).await?;
            // Who registers has been here: the documents show a time. Source: `drycc-v2.md` §2.1.
            store::user_touch_login(db, user.id, cx.now).await?;
            user.last_login = Some(cx.now);
            let after = json!({"username": user.username.as_str(), "is_superuser": user.is_superuser});
            store::event_insert(db, &event(cx, "create", user_subject(&user), Value::Null, after)).await?;
            Ok::<_, Fail>(user)
        })?;
        Ok(user)
    }

    /// Checks a password and tells the user's token, the same at each log-in.
    ///
    /// # Errors
    /// `Invalid` under `non_field_errors`; `Throttled` after too many failures.
    pub async fn user_login(&self, cx: &Cx, username: &str, password: SecretString) -> Result<SecretString> {
        let account = username.trim();
        let refused = || Error::invalid("non_field_errors", BAD_LOGIN);
        self.throttle().check(account, cx.remote, cx.now)?;
        let found = match Username::new(account) {
            Ok(name) => store::user_credentials(&mut self.read().await?, &name).await.stored()?,
            Err(_) => None,
        };
        let (user, hash) = found.unzip();
        let is_short = password.expose_secret().len() <= PASSWORD_MAX_BYTES;
        let hash = hash.map(|hash| hash.expose_secret().to_owned()).filter(|_| is_short);
        let password = if is_short { password } else { SecretString::from("") };
        let is_right = self.passwords().verify(password.clone(), hash.clone()).await?;
        let Some(user) = user.filter(|user| is_right && user.is_active) else {
            self.throttle().failed(account, cx.remote, cx.now);
            return Err(refused());
        };
        self.throttle().succeeded(account, cx.remote);
        if let Some(hash) = hash.filter(|hash| Passwords::is_outdated(hash)) {
            self.password_upgrade(&user, password, &hash).await?;
        }
        let tokens = self.tokens();
        write!(self, |db| {
            // Read again: the generation may have changed while the password was checked.
            let user = store::user_by_id(db, user.id).await?.ok_or_else(refused)?;
            let token = tokens.current(db, &user).await?;
            store::user_touch_login(db, user.id, cx.now).await?;
            Ok::<_, Fail>(token)
        })
        .map_err(Error::from)
    }

    /// Replaces the hash of a password that was just found right, and is kept in an old form.
    pub(crate) async fn password_upgrade(&self, user: &User, password: SecretString, old: &str) -> Result<()> {
        let hash = SecretString::from(self.passwords().hash(password).await?);
        write!(self, |db| {
            let stored = store::user_password_hash(db, user.id).await?;
            // Somebody may have changed the password since.
            if stored.is_some_and(|stored| stored.expose_secret() == old) {
                store::user_update_password(db, user.id, &hash).await?;
            }
            Ok::<_, Fail>(())
        })
        .map_err(Error::from)
    }

    /// Removes an account: the caller's own, or any for administrators.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`; `Conflict` when the user still owns apps or certificates, or is the only owner of a team.
    pub async fn user_cancel(&self, cx: &Cx, username: Option<&str>) -> Result<()> {
        let user = self.user_target(cx, username).await?;
        let still_owns = || {
            Error::Conflict(format!("{} still has applications assigned. Delete or transfer ownership", user.username))
        };
        write!(self, |db| {
            if store::apps_count_by_owner(db, user.id).await? > 0 {
                return Err(still_owns().into());
            }
            if store::certificates_count_by_owner(db, user.id).await? > 0 {
                let text = format!("{} still has certificates. Remove them first", user.username);
                return Err(Error::Conflict(text).into());
            }
            // As nobody can leave such a team either: nobody could ever do anything about it again.
            if let Some(own) = store::teams_owned_alone(db, user.id).await?.first() {
                let (name, slug) = (&user.username, &own.team.slug);
                let text =
                    format!("{name} is the only owner of the team {slug}. Make somebody else its owner, or remove it");
                return Err(Error::Conflict(text).into());
            }
            match store::user_delete(db, user.id).await {
                Err(StoreError::Reference) => {
                    let text = format!("{} is still named by releases of others' applications", user.username);
                    return Err(Error::Conflict(text).into());
                }
                other => other?,
            };
            let before = json!({"username": user.username.as_str()});
            store::event_insert(db, &event(cx, "delete", user_subject(&user), before, Value::Null)).await?;
            Ok::<_, Fail>(())
        })?;
        Ok(())
    }

    /// Changes a password. Tokens survive, log-ins by e-mail address do not.
    ///
    /// # Errors
    /// `Rejected` when a field is missing, `Forbidden`, `NotFound`, `Unauthenticated` for a wrong password.
    pub async fn user_password_change(&self, cx: &Cx, change: PasswordChange) -> Result<()> {
        let (_, caller, is_superuser) = cx.user()?;
        let missing = |field: &str| Error::Rejected(format!("{field} is a required field"));
        let new = change
            .new_password
            .filter(|password| !password.expose_secret().is_empty())
            .ok_or_else(|| missing("new_password"))?;
        if new.expose_secret().len() > PASSWORD_MAX_BYTES {
            return Err(Error::invalid("new_password", too_long(PASSWORD_MAX_BYTES)));
        }
        let user = self.user_target(cx, change.username.as_deref()).await?;
        if !is_superuser {
            let password = change.password.ok_or_else(|| missing("password"))?;
            self.throttle().check(caller.as_str(), cx.remote, cx.now)?;
            let hash = store::user_password_hash(&mut self.read().await?, user.id).await.stored()?;
            let hash = hash.map(|hash| hash.expose_secret().to_owned());
            if !self.passwords().verify(password, hash).await? {
                self.throttle().failed(caller.as_str(), cx.remote, cx.now);
                return Err(Error::Unauthenticated("Current password does not match".to_owned()));
            }
        }
        let hash = SecretString::from(self.passwords().hash(new).await?);
        write!(self, |db| {
            if !store::user_update_password(db, user.id, &hash).await? {
                return Err(Error::not_found(Kind::User).into());
            }
            store::logins_delete_by_owner(db, user.id).await?;
            let entry = event(cx, "password", user_subject(&user), Value::Null, Value::Null);
            store::event_insert(db, &entry).await?;
            Ok::<_, Fail>(())
        })?;
        Ok(())
    }

    /// The caller.
    ///
    /// # Errors
    /// `Unauthenticated`.
    pub async fn user_whoami(&self, cx: &Cx) -> Result<User> {
        let (id, _, _) = cx.user()?;
        let user = store::user_by_id(&mut self.read().await?, id).await.stored()?;
        user.ok_or_else(|| Error::Unauthenticated("User inactive or deleted.".to_owned()))
    }

    /// All users, oldest first; for administrators.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn users_list(&self, cx: &Cx, page: PageQuery) -> Result<Page<User>> {
        cx.admin()?;
        store::users_list(&mut self.read().await?, page.into()).await.stored().map(Page::from)
    }

    /// All administrators; for administrators.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn admins_list(&self, cx: &Cx, page: PageQuery) -> Result<Page<User>> {
        cx.admin()?;
        store::admins_list(&mut self.read().await?, page.into()).await.stored().map(Page::from)
    }

    /// Lets a user in, or no longer: neither with a password, nor with a token or a key that was handed out before. For
    /// administrators, and never for oneself, so that somebody is left who can take it back.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`.
    pub async fn user_switch(&self, cx: &Cx, username: &str, is_active: bool) -> Result<UserSwitched> {
        cx.admin()?;
        let (caller, _, _) = cx.user()?;
        let user = self.user_find(username).await?;
        if user.id == caller {
            return Ok(UserSwitched::Oneself);
        }
        write!(self, |db| {
            if !store::user_set_active(db, user.id, is_active).await? {
                return Err(Error::not_found(Kind::User).into());
            }
            let before = json!({"is_active": user.is_active});
            let after = json!({"is_active": is_active});
            store::event_insert(db, &event(cx, "update", user_subject(&user), before, after)).await?;
            Ok::<_, Fail>(())
        })?;
        Ok(UserSwitched::Done)
    }

    /// Makes a user an administrator.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`.
    pub async fn admin_grant(&self, cx: &Cx, username: &str) -> Result<()> {
        self.admin_set(cx, username, true).await
    }

    /// Makes an administrator a user; `never` says what becomes of one who is none.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`.
    pub async fn admin_revoke(&self, cx: &Cx, username: &str, never: NeverGranted) -> Result<()> {
        cx.admin()?;
        if never == NeverGranted::Missing && !self.user_find(username).await?.is_superuser {
            return Err(Error::not_found(Kind::User));
        }
        self.admin_set(cx, username, false).await
    }

    async fn admin_set(&self, cx: &Cx, username: &str, is_superuser: bool) -> Result<()> {
        cx.admin()?;
        let user = self.user_find(username).await?;
        write!(self, |db| {
            if !store::user_set_superuser(db, user.id, is_superuser).await? {
                return Err(Error::not_found(Kind::User).into());
            }
            let before = json!({"is_superuser": user.is_superuser});
            let after = json!({"is_superuser": is_superuser});
            store::event_insert(db, &event(cx, "update", user_subject(&user), before, after)).await?;
            Ok::<_, Fail>(())
        })?;
        Ok(())
    }

    /// The user of this name.
    pub(crate) async fn user_find(&self, username: &str) -> Result<User> {
        let missing = || Error::not_found(Kind::User);
        let name = Username::new(username.trim()).map_err(|_| missing())?;
        store::user_by_name(&mut self.read().await?, &name).await.stored()?.ok_or_else(missing)
    }

    /// The caller, or for administrators whom the request names.
    pub(crate) async fn user_target(&self, cx: &Cx, username: Option<&str>) -> Result<User> {
        let (_, caller, is_superuser) = cx.user()?;
        match username.map(str::trim) {
            Some(name) if name != caller.as_str() => {
                if !is_superuser {
                    return Err(Error::forbidden());
                }
                self.user_find(name).await
            }
            Some(_) | None => self.user_whoami(cx).await,
        }
    }
}

/// Whether somebody may register now.
fn registration_allow(registration: Registration, admins: u64, is_admin: bool) -> Result<()> {
    let is_open = match registration {
        Registration::Open => true,
        Registration::FirstUser => admins == 0 || is_admin,
        Registration::Off => false,
    };
    if is_open { Ok(()) } else { Err(Error::Forbidden(REGISTRATION_CLOSED.to_owned())) }
}

fn username_taken() -> Error {
    Error::invalid("username", USERNAME_TAKEN)
}

fn too_long(length: usize) -> String {
    format!("Ensure this field has no more than {length} characters.")
}

fn register_check(new: &UserRegister) -> Result<Username> {
    let mut fields = Vec::new();
    let mut add = |field: &str, message: String| {
        fields.push(FieldError { field: field.to_owned(), messages: vec![message] });
    };
    let name = new.username.trim();
    let username = if name.is_empty() {
        add("username", BLANK.to_owned());
        None
    } else {
        Username::new(name).map_err(|error| add("username", error.0.to_owned())).ok()
    };
    let password = new.password.expose_secret();
    if password.is_empty() {
        add("password", BLANK.to_owned());
    } else if password.len() > PASSWORD_MAX_BYTES {
        add("password", too_long(PASSWORD_MAX_BYTES));
    } else if password.contains('\0') {
        add("password", "Null characters are not allowed.".to_owned());
    }
    let email = new.email.trim();
    if email.len() > 254 {
        add("email", too_long(254));
    } else if !email.is_empty() && !is_email(email) {
        add("email", "Enter a valid email address.".to_owned());
    }
    for (field, text) in [("first_name", &new.first_name), ("last_name", &new.last_name)] {
        if text.chars().count() > 150 {
            add(field, too_long(150));
        } else if text.chars().any(char::is_control) {
            add(field, "Control characters are not allowed.".to_owned());
        }
    }
    username.filter(|_| fields.is_empty()).ok_or(Error::Invalid(fields))
}

/// Whether a text has the form of an e-mail address: something, `@`, and a host.
fn is_email(text: &str) -> bool {
    let Some((local, host)) = text.rsplit_once('@') else { return false };
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|letter| letter.is_alphanumeric() || letter == '-')
    };
    let is_local = local.chars().all(|letter| {
        !letter.is_control()
            && !letter.is_whitespace()
            && !matches!(letter, '@' | '<' | '>' | '(' | ')' | ',' | ';' | ':' | '\\' | '"' | '[' | ']')
    });
    let is_host = host == "localhost" || (host.contains('.') && host.split('.').all(is_label));
    !local.is_empty() && is_local && !local.starts_with('.') && !local.ends_with('.') && is_host
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn email_addresses() {
        for good in ["a@b.c", "bob+x@example.com", "bob@localhost", "jürgen@exämple.de"] {
            assert!(is_email(good), "{good}");
        }
        for bad in ["", "a", "a@", "@b.c", "a b@c.d", "a@b", "a@b..c", "a@-b.c", "a\n@b.c", ".a@b.c"] {
            assert!(!is_email(bad), "{bad:?}");
        }
    }

    #[test]
    fn who_may_register() {
        for (registration, admins, is_admin, expect) in [
            (Registration::Open, 0, false, true),
            (Registration::Open, 1, false, true),
            (Registration::FirstUser, 0, false, true),
            (Registration::FirstUser, 1, false, false),
            (Registration::FirstUser, 1, true, true),
            (Registration::Off, 0, false, false),
            (Registration::Off, 1, true, false),
        ] {
            assert_eq!(registration_allow(registration, admins, is_admin).is_ok(), expect, "{registration:?} {admins}");
        }
    }

    #[test]
    fn every_bad_field_is_named() {
        let new = UserRegister {
            username: "b b".to_owned(),
            password: SecretString::from(""),
            email: "x".to_owned(),
            first_name: "x".repeat(151),
            last_name: String::new(),
        };
        let Err(Error::Invalid(fields)) = register_check(&new) else { panic!("accepted") };
        let names: Vec<&str> = fields.iter().map(|field| field.field.as_str()).collect();
        assert_eq!(names, ["username", "password", "email", "first_name"]);
    }
}
