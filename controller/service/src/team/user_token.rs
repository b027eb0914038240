//! Tokens that users make for their programs. Source: `team-api.md` §3.8.

use chrono::{DateTime, Days, Utc};
use secrecy::SecretString;
use serde_json::{Map, json};
use slipway_core::UserId;
use slipway_core::authz::Actor;
use slipway_store as store;
use slipway_store::{StoreError, UniqueOn};
use slipway_team::name::name_check;
use slipway_team::user_token::UserToken;
use slipway_team::{Error, Result, UserTokenId};
use uuid::Uuid;

use crate::stored::{Fail, Stored, write};
use crate::{Cx, Service};

/// Most days until a token ends.
const DAYS_MAX: u64 = 36_500;

impl Service {
    /// Whose bearer token this is: one that a user made, or the token of the log-in.
    ///
    /// # Errors
    /// `Unauthenticated`.
    pub async fn bearer_authenticate(&self, token: &str) -> slipway_core::Result<Actor> {
        if !token.contains('.') {
            return self.token_authenticate(token).await;
        }
        let invalid = || slipway_core::Error::Unauthenticated("Invalid token.".to_owned());
        let now = self.now();
        let claims = self.jwt().verify(token, now)?.ok_or_else(invalid)?;
        let text = |name: &str| claims.get(name).and_then(|value| value.as_str());
        // A token for a deployment opens nothing else.
        if claims.contains_key("deploymentId") {
            return Err(invalid());
        }
        let user: UserId = text("sub").and_then(|sub| sub.parse().ok()).ok_or_else(invalid)?;
        let nonce: Uuid = text("nonce").and_then(|nonce| nonce.parse().ok()).ok_or_else(invalid)?;
        let found = store::user_by_token_nonce(&mut self.read().await?, user, nonce, now).await.stored()?;
        let user = found.filter(|user| user.is_active).ok_or_else(invalid)?;
        Ok(Self::actor(&user))
    }

    /// The caller's tokens, oldest first.
    ///
    /// # Errors
    /// `Unauthenticated`.
    pub async fn user_tokens_list(&self, cx: &Cx) -> Result<Vec<UserToken>> {
        let (user, _, _) = cx.user()?;
        Ok(store::user_tokens_list(&mut self.read().await?, user).await.stored()?)
    }

    /// One of the caller's tokens.
    ///
    /// # Errors
    /// 404 `token`.
    pub async fn user_token_get(&self, cx: &Cx, id: UserTokenId) -> Result<UserToken> {
        let (user, _, _) = cx.user()?;
        let token = store::user_token_by_id(&mut self.read().await?, user, id).await.stored()?;
        token.ok_or_else(|| Error::not_found("token"))
    }

    /// Makes a token that ends after so many days, or never for 0; what is signed is told this once.
    ///
    /// # Errors
    /// 400 for the name or the days; 409 when the caller has a token of this name.
    pub async fn user_token_create(&self, cx: &Cx, name: &str, days: u64) -> Result<(UserToken, SecretString)> {
        let (user, _, _) = cx.user()?;
        name_check("name", name)?;
        let expires = expiry(cx.now, days)?;
        let new = UserToken {
            id: UserTokenId::generate(),
            user,
            name: name.to_owned(),
            nonce: Uuid::new_v4(),
            created: cx.now,
            expires,
        };
        let claims = Map::from_iter([
            ("sub".to_owned(), json!(user.to_string())),
            ("nonce".to_owned(), json!(new.nonce.to_string())),
        ]);
        let signed = self.jwt().sign(claims, cx.now, expires)?;
        write!(self, |db| {
            let own = store::user_tokens_list(db, user).await?;
            if own.iter().any(|token| token.name == new.name) {
                return Err(Error::taken("name").into());
            }
            match store::user_token_insert(db, &new).await {
                Err(StoreError::Conflict { what: UniqueOn::UserTokenName }) => return Err(Error::taken("name").into()),
                other => other?,
            }
            Ok::<_, Fail>(())
        })?;
        Ok((new, signed))
    }

    /// Makes one of the caller's tokens worthless.
    ///
    /// # Errors
    /// 404 `token`.
    pub async fn user_token_delete(&self, cx: &Cx, id: UserTokenId) -> Result<()> {
        let (user, _, _) = cx.user()?;
        write!(self, |db| {
            if !store::user_token_delete(db, user, id).await? {
                return Err(Error::not_found("token").into());
            }
            Ok::<_, Fail>(())
        })?;
        Ok(())
    }
}

/// When something ends that is good for so many calendar days from now; never for 0.
pub(crate) fn expiry(now: DateTime<Utc>, days: u64) -> Result<Option<DateTime<Utc>>> {
    if days == 0 {
        return Ok(None);
    }
    let end = (days <= DAYS_MAX).then(|| now.checked_add_days(Days::new(days))).flatten();
    match end {
        Some(end) => Ok(Some(end)),
        None => Err(Error::invalid("expirationInDays", "expirationInDays is too large")),
    }
}
