//! Log-ins of browsers at an OpenID Connect provider.
//!
//! Who is who is decided by issuer and subject. A subject that nobody knows gets into an account that is there only if
//! the provider says that the e-mail address is verified, exactly one account has the address, that account was *made* for
//! the owner of the address (by an invitation sent there, or by such a log-in), and it is no administrator's. An address
//! that somebody merely claimed when registering proves nothing: the registrant would keep their password and be in
//! somebody else's account with them. Such accounts are linked by their owner, logged in ([`Service::oidc_link`]).

mod provider;

use openssl::sha::sha256;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use slipway_core::UserId;
use slipway_core::user::User;
use slipway_store as store;
use slipway_store::OidcLogin;
use slipway_team::{Error, Refusal, Refused, Result};
use subtle::ConstantTimeEq;

use super::invitation::{email_check, username_free};
use super::session::{BrowserSession, random_text};
use crate::audit::{event, user_subject};
use crate::stored::{Fail, Stored, write};
use crate::token::Tokens;
use crate::{Cx, Service};
use provider::{Identity, refused};

pub use provider::{Oidc, OidcError, OidcSettings};

/// Time for which somebody may be at the provider.
const LIFETIME: chrono::TimeDelta = chrono::TimeDelta::minutes(10);
/// Most log-ins under way; beyond it the oldest are forgotten, since anybody may begin one.
const UNDER_WAY_MAX: i64 = 10_000;
/// Longest path to go to afterwards, in bytes.
const RETURN_MAX: usize = 1024;
/// Longest code, and longest state, in bytes.
const ANSWER_MAX: usize = 4096;

/// What a browser brings back from the provider.
#[derive(Debug)]
pub struct OidcReturn {
    /// The cookie of [`OidcBegun`].
    pub cookie: Option<SecretString>,
    /// The state that it was sent away with.
    pub state: SecretString,
    /// The code, or why there is none.
    pub code: std::result::Result<SecretString, String>,
}

/// A log-in that begins.
#[derive(Debug)]
pub struct OidcBegun {
    /// Where the browser goes.
    pub url: SecretString,
    /// What the browser must bring back as a cookie, so that nobody is logged in by somebody else's link.
    pub cookie: SecretString,
    /// For how many seconds it is good.
    pub seconds: i64,
}

impl Service {
    fn oidc(&self) -> Result<&Oidc> {
        self.config().teams.oidc.as_deref().ok_or_else(|| Error::not_found("oidc"))
    }

    /// Begins a log-in. `return_to` is a path of this host to go to afterwards.
    ///
    /// # Errors
    /// 404 `oidc` where there is no provider; 400 `return`; `Unavailable` while the provider is away.
    pub async fn oidc_begin(&self, cx: &Cx, return_to: Option<&str>) -> Result<OidcBegun> {
        self.oidc_begin_for(cx, return_to, None).await
    }

    /// Begins a log-in whose identity becomes the caller's.
    ///
    /// # Errors
    /// As [`Service::oidc_begin`]; `Unauthenticated`.
    pub async fn oidc_link(&self, cx: &Cx, return_to: Option<&str>) -> Result<OidcBegun> {
        let (user, _, _) = cx.user()?;
        self.oidc_begin_for(cx, return_to, Some(user)).await
    }

    async fn oidc_begin_for(&self, cx: &Cx, return_to: Option<&str>, link: Option<UserId>) -> Result<OidcBegun> {
        let oidc = self.oidc()?;
        let return_to = return_to.unwrap_or("/");
        if !is_own_path(return_to) {
            return Err(Error::invalid("return", "return must be a path of this host"));
        }
        let asked = oidc.ask(cx.now).await?;
        let cookie = random_text()?;
        let hash = sha256(asked.state.expose_secret().as_bytes());
        let login = OidcLogin {
            browser: sha256(cookie.expose_secret().as_bytes()),
            nonce: asked.nonce,
            verifier: asked.verifier,
            return_to: return_to.to_owned(),
            link,
        };
        write!(self, |db| {
            store::oidc_login_insert(db, &hash, &login, (cx.now, cx.now + LIFETIME), UNDER_WAY_MAX).await?;
            Ok::<_, Fail>(())
        })?;
        Ok(OidcBegun { url: asked.url, cookie, seconds: LIFETIME.num_seconds() })
    }

    /// Ends a log-in with what the browser brought back: the session, and the path to go to.
    ///
    /// # Errors
    /// 400 `state` for a log-in that is not under way (any more) in this browser, or `code`; 403 when the provider refuses,
    /// its identity token is not acceptable, or nobody here is to be let in by it; `Unavailable` while it is away.
    pub async fn oidc_finish(&self, cx: &Cx, given: OidcReturn) -> Result<(BrowserSession, String)> {
        let oidc = self.oidc()?;
        let OidcReturn { cookie, state, code } = given;
        let over = || Error::invalid("state", "This log-in is not under way in this browser, or not any more.");
        if state.expose_secret().is_empty() || state.expose_secret().len() > ANSWER_MAX {
            return Err(over());
        }
        let hash = sha256(state.expose_secret().as_bytes());
        // It is good once, whatever comes of it.
        let login = write!(self, |db| { Ok::<_, Fail>(store::oidc_login_take(db, &hash, cx.now).await?) })?;
        let login = login.ok_or_else(over)?;
        let browser = sha256(cookie.as_ref().map(ExposeSecret::expose_secret).unwrap_or_default().as_bytes());
        if !bool::from(browser.ct_eq(&login.browser)) {
            return Err(over());
        }
        let code = match code {
            Ok(code) => code,
            Err(reason) => {
                let reason: String = reason.chars().filter(|c| c.is_ascii_lowercase() || *c == '_').take(40).collect();
                return Err(refused(&format!("The log-in provider refuses: {reason}.")));
            }
        };
        if code.expose_secret().is_empty() || code.expose_secret().len() > ANSWER_MAX {
            return Err(Error::invalid("code", "code is missing, or overly long"));
        }
        let identity = oidc.identify(&code, &login.nonce, &login.verifier, cx.now).await?;
        domain_check(oidc.settings(), identity.email.as_deref())?;
        let user = match login.link {
            Some(user) => self.identity_link(cx, oidc, &identity, user).await?,
            None => self.identity_user(cx, oidc, &identity).await?,
        };
        if !user.is_active {
            return Err(refused("The account is switched off."));
        }
        Ok((self.browser_session_create(cx, &user).await?, login.return_to))
    }

    /// Makes an identity a user's who is logged in.
    async fn identity_link(&self, cx: &Cx, oidc: &Oidc, identity: &Identity, user: UserId) -> Result<User> {
        let issuer = oidc.settings().issuer.as_str();
        let user = write!(self, |db| {
            let gone = || refused("The account that began this is gone.");
            let user = store::user_by_id(db, user).await?.ok_or_else(gone)?;
            match store::user_by_oidc_identity(db, issuer, &identity.subject).await? {
                Some(other) if other.id == user.id => {}
                Some(_) => return Err(Error::conflict("oidc", "The identity is another account's.").into()),
                None => identity_insert(db, cx, (issuer, &identity.subject), &user).await?,
            }
            Ok::<_, Fail>(user)
        })?;
        Ok(user)
    }

    /// Whose an identity is: somebody's already, somebody's by their address, or somebody new.
    async fn identity_user(&self, cx: &Cx, oidc: &Oidc, identity: &Identity) -> Result<User> {
        let settings = oidc.settings();
        let issuer = settings.issuer.as_str();
        let known = store::user_by_oidc_identity(&mut self.read().await?, issuer, &identity.subject).await.stored()?;
        if let Some(user) = known {
            return Ok(user);
        }
        let unknown = || refused("Nobody here is known by this identity, and its provider gives no verified address.");
        let email = identity.email.as_deref().ok_or_else(unknown)?;
        email_check("email", email)?;
        // Nobody knows it.
        let password_hash = SecretString::from(self.passwords().hash(random_text()?).await?);
        let tokens = self.tokens();
        let user = write!(self, |db| {
            // Another request of the same person may have come first.
            if let Some(user) = store::user_by_oidc_identity(db, issuer, &identity.subject).await? {
                return Ok(user);
            }
            let found = store::users_credentials_by_email(db, email, 2).await?;
            let user = match found.as_slice() {
                [] if !settings.is_registering => {
                    return Err(refused("Nobody here has this address, and log-ins there make no accounts.").into());
                }
                [] => {
                    let new = store::NewUser {
                        username: username_free(db, email).await?,
                        email: email.to_owned(),
                        first_name: identity.first_name.clone(),
                        last_name: identity.last_name.clone(),
                        password_hash: password_hash.clone(),
                        is_superuser: false,
                        date_joined: cx.now,
                    };
                    let user = store::user_insert(db, &new).await?;
                    let token = tokens.derive(user.id, user.key_generation)?;
                    store::user_set_key_hash(db, user.id, &Tokens::hash(&token)).await?;
                    store::proven_email_set(db, user.id, email).await?;
                    let after = json!({"username": user.username.as_str(), "is_superuser": false});
                    store::event_insert(db, &event(cx, "create", user_subject(&user), Value::Null, after)).await?;
                    user
                }
                [(user, _), others @ ..] => {
                    let proven = store::proven_email(db, user.id).await?;
                    if !others.is_empty() || !is_linkable(user, proven.as_deref(), email) {
                        let text = "An account has this address already. Log in with its password, then link them.";
                        return Err(Refusal::new(Refused::Conflict, "email", text).into());
                    }
                    user.clone()
                }
            };
            identity_insert(db, cx, (issuer, &identity.subject), &user).await?;
            Ok::<_, Fail>(user)
        })?;
        Ok(user)
    }
}

async fn identity_insert(
    db: &mut store::Db,
    cx: &Cx,
    (issuer, subject): (&str, &str),
    user: &User,
) -> std::result::Result<(), Fail> {
    store::oidc_identity_insert(db, (issuer, subject), user.id, cx.now).await?;
    let after = json!({"issuer": issuer, "subject": subject});
    store::event_insert(db, &event(cx, "link", user_subject(user), Value::Null, after)).await?;
    Ok(())
}

/// Whether an account may be given to whoever proved to have its address: only one that was made for them.
fn is_linkable(user: &User, proven: Option<&str>, email: &str) -> bool {
    !user.is_superuser && proven.is_some_and(|proven| proven == user.email && proven.eq_ignore_ascii_case(email))
}

fn domain_check(settings: &OidcSettings, email: Option<&str>) -> Result<()> {
    if settings.email_domains.is_empty() {
        return Ok(());
    }
    let domain = email.and_then(|email| email.rsplit_once('@')).map(|(_, domain)| domain.to_ascii_lowercase());
    if domain.is_some_and(|domain| settings.email_domains.contains(&domain)) {
        return Ok(());
    }
    Err(refused("Only addresses of certain domains may log in here."))
}

/// Whether a text is a path of this host and of no other, however a browser reads it.
fn is_own_path(path: &str) -> bool {
    path.len() <= RETURN_MAX
        && path.starts_with('/')
        && !path.starts_with("//")
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_host_are_gone_to() {
        for good in ["/", "/teams/a?b=c#d", "/a//b"] {
            assert!(is_own_path(good), "{good}");
        }
        for bad in ["", "a", "//evil.example", "/\\evil.example", "https://evil.example", "/a b", "/a\r\nb", "/ä"] {
            assert!(!is_own_path(bad), "{bad:?}");
        }
    }
}
