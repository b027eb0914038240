//! Log-in by e-mail address, with tokens that end. Source: `dployr-v1.md` §3.
//!
//! A log-in is a family of refresh tokens. Each is good once; whoever uses a spent one ends the whole family, access
//! tokens included, because either the user or somebody else has it from a thief.

use chrono::TimeDelta;
use openssl::sha::sha256;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use slipway_core::authz::Actor;
use slipway_core::user::User;
use slipway_core::{Error, LoginId, Result};
use slipway_store as store;
use slipway_store::Login;
use subtle::ConstantTimeEq;

use crate::audit::{event, user_subject};
use crate::jwt::{Claims, Purpose};
use crate::password::{PASSWORD_MAX_BYTES, Passwords};
use crate::stored::{Fail, Stored, write};
use crate::{Cx, Service};

/// Life of an access token, in seconds.
pub const ACCESS_SECS: i64 = 3600;
/// Life of a refresh token.
const REFRESH_LIFE: TimeDelta = TimeDelta::hours(24);
/// Longest e-mail address.
const EMAIL_MAX: usize = 254;
/// Most accounts with one address whose passwords are tried, oldest first, so that nobody makes log-ins slow by
/// registering with another's address.
const ACCOUNTS_MAX: u32 = 8;
/// One text for whatever is wrong, so that it does not tell what.
const BAD_LOGIN: &str = "The e-mail address or the password is wrong.";
/// The same for tokens.
const BAD_TOKEN: &str = "The token is not valid, or not any more.";

/// A pair of tokens.
#[derive(Debug)]
pub struct TokenPair {
    /// For requests, for [`ACCESS_SECS`].
    pub access: SecretString,
    /// For another pair, once.
    pub refresh: SecretString,
}

impl Service {
    /// Checks an address and a password, and begins a log-in.
    ///
    /// # Errors
    /// `Invalid` for what is no address; `Unauthenticated`; `Throttled` after too many failures.
    pub async fn login_begin(&self, cx: &Cx, email: &str, password: SecretString) -> Result<TokenPair> {
        let email = email.trim();
        email_check(email)?;
        // Log-ins by name are counted apart: no name has an `@` where an address has one, and it may be another's.
        let account = format!("mail {}", email.to_lowercase());
        self.throttle().check(&account, cx.remote, cx.now)?;
        let found = store::users_credentials_by_email(&mut self.read().await?, email, ACCOUNTS_MAX).await.stored()?;
        let is_short = password.expose_secret().len() <= PASSWORD_MAX_BYTES;
        let password = if is_short { password } else { SecretString::from("") };
        let is_nobody = found.is_empty();
        let mut fitting = Vec::new();
        for (user, hash) in found {
            let hash = hash.expose_secret().to_owned();
            let given = Some(hash.clone()).filter(|_| is_short);
            if self.passwords().verify(password.clone(), given).await? {
                fitting.push((user, hash));
            }
        }
        if is_nobody {
            // It takes as long as for somebody.
            self.passwords().verify(password.clone(), None).await?;
        }
        let refused = || Error::Unauthenticated(BAD_LOGIN.to_owned());
        let [(user, hash)] = fitting.as_slice() else {
            self.throttle().failed(&account, cx.remote, cx.now);
            return Err(refused());
        };
        self.throttle().succeeded(&account, cx.remote);
        if Passwords::is_outdated(hash) {
            self.password_upgrade(user, password, hash).await?;
        }
        let id = LoginId::generate();
        let pair = self.token_pair(user, id, cx)?;
        let login = Login {
            id,
            owner: user.id,
            token_hash: hash_of(&pair.refresh).to_vec(),
            created: cx.now,
            expires: cx.now + REFRESH_LIFE,
        };
        let user = user.id;
        write!(self, |db| {
            store::user_by_id(db, user).await?.filter(|user| user.is_active).ok_or_else(refused)?;
            store::login_insert(db, &login).await?;
            store::user_touch_login(db, user, cx.now).await?;
            Ok::<_, Fail>(())
        })?;
        Ok(pair)
    }

    /// Spends a refresh token for another pair. One that was spent before ends its log-in.
    ///
    /// # Errors
    /// `Unauthenticated`.
    pub async fn login_refresh(&self, cx: &Cx, token: &SecretString) -> Result<TokenPair> {
        let refused = || Error::Unauthenticated(BAD_TOKEN.to_owned());
        let claims = self.jwts().check(token.expose_secret(), Purpose::Refresh, cx.now).ok_or_else(refused)?;
        let (user, id) = claims.ids().ok_or_else(refused)?;
        let user = store::user_by_id(&mut self.read().await?, user).await.stored()?;
        let user = user.filter(|user| user.is_active).ok_or_else(refused)?;
        let pair = self.token_pair(&user, id, cx)?;
        let (old, new) = (hash_of(token), hash_of(&pair.refresh));
        let is_good = write!(self, |db| {
            let login = store::login_by_id(db, id).await?.filter(|login| login.owner == user.id).ok_or_else(refused)?;
            if bool::from(login.token_hash.as_slice().ct_eq(&old)) {
                store::login_rotate(db, id, &new, cx.now + REFRESH_LIFE).await?;
                return Ok(true);
            }
            store::login_delete(db, id).await?;
            store::event_insert(db, &event(cx, "token reuse", user_subject(&user), Value::Null, Value::Null)).await?;
            Ok::<_, Fail>(false)
        })?;
        if !is_good {
            tracing::warn!(user = %user.username, "a spent refresh token was used again: its log-in is ended");
            return Err(refused());
        }
        Ok(pair)
    }

    /// Ends the log-in that an access token is of. What is no such token ends nothing.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn login_end(&self, cx: &Cx, access: &str) -> Result<()> {
        let claims = self.jwts().check(access, Purpose::Access, cx.now);
        let Some((_, id)) = claims.and_then(|claims| claims.ids()) else { return Ok(()) };
        write!(self, |db| {
            store::login_delete(db, id).await?;
            Ok::<_, Fail>(())
        })?;
        Ok(())
    }

    /// Who holds this access token.
    ///
    /// # Errors
    /// `Unauthenticated`.
    pub async fn access_authenticate(&self, token: &str) -> Result<Actor> {
        let refused = || Error::Unauthenticated(BAD_TOKEN.to_owned());
        let claims = self.jwts().check(token, Purpose::Access, self.now()).ok_or_else(refused)?;
        let (user, login) = claims.ids().ok_or_else(refused)?;
        let mut db = self.read().await?;
        let login = store::login_by_id(&mut db, login).await.stored()?;
        login.filter(|login| login.owner == user).ok_or_else(refused)?;
        let user = store::user_by_id(&mut db, user).await.stored()?;
        let user = user.filter(|user| user.is_active).ok_or_else(refused)?;
        Ok(Actor::User { id: user.id, name: user.username, is_superuser: user.is_superuser })
    }

    fn token_pair(&self, user: &User, login: LoginId, cx: &Cx) -> Result<TokenPair> {
        let mut access = Claims::new(user.id, login, Purpose::Access, cx.now, TimeDelta::seconds(ACCESS_SECS));
        access.email = Some(user.email.clone());
        access.perm = Some(if user.is_superuser { "admin" } else { "developer" }.to_owned());
        let refresh = Claims::new(user.id, login, Purpose::Refresh, cx.now, REFRESH_LIFE);
        Ok(TokenPair { access: self.jwts().sign(&access)?, refresh: self.jwts().sign(&refresh)? })
    }
}

fn hash_of(token: &SecretString) -> [u8; 32] {
    sha256(token.expose_secret().as_bytes())
}

/// Whether a text has the form of an e-mail address. Source: `dployr-v1.md` §3.1.
fn email_check(email: &str) -> Result<()> {
    let fail = |issue: &str| Err(Error::invalid("email", issue));
    if email.is_empty() {
        return fail("This field may not be blank.");
    }
    if email.len() > EMAIL_MAX {
        return fail("Ensure this field has no more than 254 characters.");
    }
    let is_plain = |c: char| !c.is_control() && !c.is_whitespace();
    let is_good = email.chars().all(is_plain)
        && email.rsplit_once('@').is_some_and(|(local, domain)| {
            !local.is_empty() && domain.split('.').count() >= 2 && domain.split('.').all(|label| !label.is_empty())
        });
    if is_good { Ok(()) } else { fail("Enter a valid e-mail address.") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_form() {
        for good in ["a@b.cc", "a.b+c@d.e.f", "ä@ö.de"] {
            assert!(email_check(good).is_ok(), "{good}");
        }
        for bad in
            ["", "a", "@b.c", "a@", "a@b", "a@b.", "a@.b", "a b@c.d", "a\0@b.c", &format!("{}@b.cc", "a".repeat(250))]
        {
            assert!(email_check(bad).is_err(), "{bad}");
        }
    }
}
