//! Tokens of users, and the builder's key.

use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sha::sha256;
use openssl::sign::Signer;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use slipway_core::authz::Actor;
use slipway_core::user::User;
use slipway_core::{Error, Result, UserId};
use slipway_store as store;
use subtle::ConstantTimeEq;

use crate::audit::{Subject, event, user_subject};
use crate::stored::{Fail, Stored, write};
use crate::{Cx, Service};

/// Digits of a token: what old clients expect.
const TOKEN_DIGITS: usize = 40;

/// Whose token is made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenScope {
    /// The caller's.
    Own,
    /// That user's; for administrators.
    User(String),
    /// Everybody's; for administrators.
    All,
}

/// Derives users' tokens. A token is the same at every log-in, so it is derived rather than kept.
#[derive(Clone)]
pub(crate) struct Tokens {
    server_key: SecretString,
}

impl Tokens {
    pub(crate) fn new(server_key: SecretString) -> Self {
        Self { server_key }
    }

    /// The token of a user's key generation: 40 hex digits of an HMAC-SHA-256 under the server's key.
    pub(crate) fn derive(&self, user: UserId, generation: i64) -> Result<SecretString> {
        let failed = |error: openssl::error::ErrorStack| Error::internal(format!("could not derive a token: {error}"));
        let key = PKey::hmac(self.server_key.expose_secret().as_bytes()).map_err(failed)?;
        let mut signer = Signer::new(MessageDigest::sha256(), &key).map_err(failed)?;
        signer.update(b"slipway user key v1\0").map_err(failed)?;
        signer.update(user.uuid().as_bytes()).map_err(failed)?;
        signer.update(&generation.to_be_bytes()).map_err(failed)?;
        let mut digits = hex::encode(signer.sign_to_vec().map_err(failed)?);
        digits.truncate(TOKEN_DIGITS);
        Ok(SecretString::from(digits))
    }

    /// A user's token, made good if it is not.
    pub(crate) async fn current(&self, db: &mut store::Db, user: &User) -> Result<SecretString, Fail> {
        let token = self.derive(user.id, user.key_generation)?;
        let hash = Self::hash(&token);
        if store::user_by_token_hash(db, &hash).await?.is_none() {
            // The server's key changed since: what was handed out is worthless, this is the new one.
            store::user_set_key_hash(db, user.id, &hash).await?;
        }
        Ok(token)
    }

    /// What is stored of a token.
    pub(crate) fn hash(token: &SecretString) -> [u8; 32] {
        sha256(token.expose_secret().as_bytes())
    }
}

impl Service {
    /// Who holds this token.
    ///
    /// # Errors
    /// `Unauthenticated`: `Invalid token.` or `User inactive or deleted.`
    pub async fn token_authenticate(&self, key: &str) -> Result<Actor> {
        let invalid = || Error::Unauthenticated("Invalid token.".to_owned());
        let is_token = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if key.len() != TOKEN_DIGITS || !key.bytes().all(is_token) {
            return Err(invalid());
        }
        let hash = sha256(key.as_bytes());
        let user = store::user_by_token_hash(&mut self.read().await?, &hash).await.stored()?.ok_or_else(invalid)?;
        if !user.is_active {
            return Err(Error::Unauthenticated("User inactive or deleted.".to_owned()));
        }
        Ok(Actor::User { id: user.id, name: user.username, is_superuser: user.is_superuser })
    }

    /// Whether this is the builder's key.
    ///
    /// # Errors
    /// `Unauthenticated` when it is not.
    pub fn builder_authenticate(&self, key: &str) -> Result<Actor> {
        let expected = self.config().builder_key.expose_secret();
        let is_right = !expected.is_empty() && bool::from(expected.as_bytes().ct_eq(key.as_bytes()));
        if is_right {
            Ok(Actor::Builder)
        } else {
            Err(Error::Unauthenticated("Authentication credentials were not provided.".to_owned()))
        }
    }

    /// A user's token: the caller's own, or for administrators anybody's. Source: `drycc-v2.md` §2.1.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`.
    pub async fn token_get(&self, cx: &Cx, username: &str) -> Result<SecretString> {
        let user = self.user_target(cx, Some(username)).await?;
        let (caller, _, _) = cx.user()?;
        let tokens = self.tokens();
        write!(self, |db| {
            let missing = || Error::not_found(slipway_core::error::Kind::User);
            let user = store::user_by_id(db, user.id).await?.ok_or_else(missing)?;
            let token = tokens.current(db, &user).await?;
            if user.id != caller {
                let entry = event(cx, "token_read", user_subject(&user), Value::Null, Value::Null);
                store::event_insert(db, &entry).await?;
            }
            Ok::<_, Fail>(token)
        })
        .map_err(Error::from)
    }

    /// Makes a token anew; the old one is worthless from then on. `None` for [`TokenScope::All`].
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`.
    pub async fn token_regenerate(&self, cx: &Cx, scope: TokenScope) -> Result<Option<SecretString>> {
        let (caller, _, _) = cx.user()?;
        let user: User = match scope {
            TokenScope::Own => {
                let user = store::user_by_id(&mut self.read().await?, caller).await.stored()?;
                user.ok_or_else(|| Error::Unauthenticated("User inactive or deleted.".to_owned()))?
            }
            TokenScope::User(name) => {
                cx.admin()?;
                self.user_find(&name).await?
            }
            TokenScope::All => {
                cx.admin()?;
                return self.tokens_regenerate_all(cx).await.map(|()| None);
            }
        };
        let tokens = self.tokens();
        let token = write!(self, |db| {
            let missing = || Error::not_found(slipway_core::error::Kind::User);
            let user = store::user_by_id(db, user.id).await?.ok_or_else(missing)?;
            let generation = user.key_generation + 1;
            let token = tokens.derive(user.id, generation)?;
            store::user_key_rotate(db, user.id, generation, &Tokens::hash(&token)).await?.ok_or_else(missing)?;
            let entry = event(cx, "token", user_subject(&user), Value::Null, Value::Null);
            store::event_insert(db, &entry).await?;
            Ok::<_, Fail>(token)
        })?;
        Ok(Some(token))
    }

    async fn tokens_regenerate_all(&self, cx: &Cx) -> Result<()> {
        let tokens = self.tokens();
        write!(self, |db| {
            for (id, generation) in store::users_all_ids(db).await? {
                let token = tokens.derive(id, generation + 1)?;
                store::user_key_rotate(db, id, generation + 1, &Tokens::hash(&token)).await?;
            }
            let everybody = Subject { kind: "user", id: String::new(), name: "*".to_owned() };
            store::event_insert(db, &event(cx, "token", everybody, Value::Null, Value::Null)).await?;
            Ok::<_, Fail>(())
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_of_the_old_form_and_differ() {
        let tokens = Tokens::new(SecretString::from("key"));
        let (user, other) = (UserId::generate(), UserId::generate());
        let token = |user: UserId, generation: i64| tokens.derive(user, generation).unwrap().expose_secret().to_owned();
        let first = token(user, 1);
        assert_eq!(first.len(), 40);
        assert!(first.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase()));
        assert_eq!(first, token(user, 1));
        assert_ne!(first, token(user, 2));
        assert_ne!(first, token(other, 1));
        let elsewhere = Tokens::new(SecretString::from("another key"));
        assert_ne!(first, elsewhere.derive(user, 1).unwrap().expose_secret());
    }
}
