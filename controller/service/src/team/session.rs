//! Log-ins of browsers, by cookie. Source: `team-api.md` §1.2.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use chrono::{DateTime, TimeDelta, Utc};
use openssl::sha::sha256;
use secrecy::{ExposeSecret, SecretString};
use slipway_core::authz::Actor;
use slipway_core::user::User;
use slipway_core::{Error, Result};
use slipway_store as store;

use crate::stored::{Fail, Stored, write};
use crate::{Cx, Service};

/// How long a browser stays logged in.
pub const SESSION_LIFETIME: TimeDelta = TimeDelta::days(7);
/// Random bytes of a cookie.
const COOKIE_BYTES: usize = 32;

/// A browser's log-in, as it is told once.
#[derive(Debug)]
pub struct BrowserSession {
    /// What the cookie holds.
    pub cookie: SecretString,
    /// When it is over.
    pub expires: DateTime<Utc>,
}

impl Service {
    /// Whose cookie this is.
    ///
    /// # Errors
    /// `Unauthenticated`.
    pub async fn cookie_authenticate(&self, cookie: &str) -> Result<Actor> {
        let hash = sha256(cookie.as_bytes());
        let found = store::user_by_browser_session(&mut self.read().await?, &hash, self.now()).await.stored()?;
        let user = found.filter(|user| user.is_active);
        let over = || Error::Unauthenticated("The session is over.".to_owned());
        Ok(Self::actor(&user.ok_or_else(over)?))
    }

    /// Logs a browser in by password. `name` is the name to log in with, or the e-mail address.
    ///
    /// # Errors
    /// `Unauthenticated`; `Throttled` after too many failures.
    pub async fn browser_login(&self, cx: &Cx, name: &str, password: SecretString) -> Result<BrowserSession> {
        let mut account = name.trim().to_owned();
        if account.contains('@') {
            let mut db = self.read().await?;
            if let Some(user) = store::user_by_email(&mut db, &account).await.stored()? {
                account = user.username.to_string();
            }
        }
        let token = match self.user_login(cx, &account, password).await {
            Err(Error::Invalid(_)) => {
                return Err(Error::Unauthenticated("The name or the password is wrong.".to_owned()));
            }
            other => other?,
        };
        let actor = self.token_authenticate(token.expose_secret()).await?;
        let Actor::User { id, .. } = actor else { return Err(Error::internal("a token without a user")) };
        let user = store::user_by_id(&mut self.read().await?, id).await.stored()?;
        let user = user.ok_or_else(|| Error::Unauthenticated("User inactive or deleted.".to_owned()))?;
        self.browser_session_create(cx, &user).await
    }

    /// Begins a log-in of a browser for a user who proved to be that.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn browser_session_create(&self, cx: &Cx, user: &User) -> Result<BrowserSession> {
        let cookie = random_text()?;
        let hash = sha256(cookie.expose_secret().as_bytes());
        let expires = cx.now.checked_add_signed(SESSION_LIFETIME).unwrap_or(cx.now);
        write!(self, |db| {
            store::browser_session_insert(db, &hash, user.id, (cx.now, expires)).await?;
            store::user_touch_login(db, user.id, cx.now).await?;
            Ok::<_, Fail>(())
        })?;
        Ok(BrowserSession { cookie, expires })
    }

    /// Ends a log-in of a browser; nothing when it is over already.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn browser_logout(&self, cookie: &str) -> Result<()> {
        let hash = sha256(cookie.as_bytes());
        write!(self, |db| {
            store::browser_session_delete(db, &hash).await?;
            Ok::<_, Fail>(())
        })?;
        Ok(())
    }
}

/// A text that nobody can guess.
pub(crate) fn random_text() -> Result<SecretString> {
    let mut bytes = [0; COOKIE_BYTES];
    openssl::rand::rand_bytes(&mut bytes).map_err(|error| Error::internal(format!("no random bytes: {error}")))?;
    Ok(SecretString::from(BASE64.encode(bytes)))
}
