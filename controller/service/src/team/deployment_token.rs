//! Tokens that start one deployment, for programs. Source: `team-api.md` §1.2 and §3.7.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, json};
use slipway_store as store;
use slipway_store::{StoreError, UniqueOn};
use slipway_team::deployment::DeploymentToken;
use slipway_team::name::name_check;
use slipway_team::version::VersionKind;
use slipway_team::{DeploymentId, DeploymentTokenId, Error, Member, Result};
use uuid::Uuid;

use super::deployment::{deployment_of, version_of};
use super::user_token::expiry;
use crate::stored::{Fail, Stored, write};
use crate::{Cx, Service};

/// Fewest characters of a name.
const NAME_MIN: usize = 3;

/// A token as it is told once.
#[derive(Debug)]
pub struct DeploymentTokenMade {
    /// What is kept of it.
    pub token: DeploymentToken,
    /// What is signed.
    pub signed: SecretString,
    /// A command that uses it, on one line.
    pub curl: SecretString,
}

fn taken(error: StoreError) -> Fail {
    match error {
        StoreError::Conflict { what: UniqueOn::DeploymentTokenName } => Error::taken("name").into(),
        StoreError::Conflict { what: UniqueOn::DeploymentTokenDeployment } => Error::taken("deploymentId").into(),
        other => other.into(),
    }
}

impl Service {
    /// Makes the token of a deployment, which ends after so many days, or never.
    ///
    /// # Errors
    /// 400 `name`, `expirationInDays`; 404 `deployment`; 409 `deploymentId` when it has one, `name` when another of the
    /// team has that; 412 `versionType` unless its version is rolling.
    pub async fn team_deployment_token_create(
        &self,
        cx: &Cx,
        member: &Member,
        id: DeploymentId,
        (name, days): (&str, Option<u64>),
    ) -> Result<DeploymentTokenMade> {
        let team = &member.team;
        name_check("name", name)?;
        if name.chars().count() < NAME_MIN {
            return Err(Error::invalid("name", format!("name must have at least {NAME_MIN} characters")));
        }
        let expires = match days {
            Some(0) => return Err(Error::invalid("expirationInDays", "expirationInDays must be at least 1")),
            Some(days) => expiry(cx.now, days)?,
            None => None,
        };
        let token = DeploymentToken {
            id: DeploymentTokenId::generate(),
            deployment: id,
            team: team.id,
            name: name.to_owned(),
            nonce: Uuid::new_v4(),
            created: cx.now,
            expires,
        };
        let claims = Map::from_iter([
            ("sub".to_owned(), json!(member.user.to_string())),
            ("nonce".to_owned(), json!(token.nonce.to_string())),
            ("deploymentId".to_owned(), json!(id.to_string())),
        ]);
        let signed = self.jwt().sign(claims, cx.now, expires)?;
        write!(self, |db| {
            let deployment = deployment_of(db, team.id, id).await?;
            let version = version_of(db, &deployment).await?;
            if version.kind != VersionKind::Rolling {
                let refusal = Error::precondition("versionType", "Only deployments of rolling versions have tokens.");
                return Err(refusal.value(version.kind.as_str()).into());
            }
            if store::deployment_token_by_deployment(db, id).await?.is_some() {
                return Err(Error::taken("deploymentId").into());
            }
            if store::deployment_token_by_name(db, team.id, name).await?.is_some() {
                return Err(Error::taken("name").into());
            }
            store::deployment_token_insert(db, &token).await.map_err(taken)?;
            Ok::<_, Fail>(())
        })?;
        let url = &self.config().teams.public_url;
        let curl = format!(
            "curl -X POST -H 'Authorization: Bearer {}' '{url}/api/{}/deployments/{id}/start'",
            signed.expose_secret(),
            team.slug,
        );
        Ok(DeploymentTokenMade { token, signed, curl: SecretString::from(curl) })
    }

    /// Makes the token of a deployment worthless.
    ///
    /// # Errors
    /// 404 `deployment`, `deploymentToken`.
    pub async fn team_deployment_token_delete(&self, member: &Member, id: DeploymentId) -> Result<()> {
        write!(self, |db| {
            let deployment = deployment_of(db, member.team.id, id).await?;
            if !store::deployment_token_delete(db, deployment.id).await? {
                return Err(Error::not_found("deploymentToken").into());
            }
            Ok::<_, Fail>(())
        })?;
        Ok(())
    }

    /// The token that this bearer token is, if it starts the deployment of this identity in the team of this slug.
    ///
    /// # Errors
    /// `Unavailable`; nothing about the token, which is good or is not.
    pub async fn team_deployment_token_of(
        &self,
        bearer: &str,
        slug: &str,
        id: DeploymentId,
    ) -> Result<Option<DeploymentToken>> {
        let now: DateTime<Utc> = self.now();
        let Some(claims) = self.jwt().verify(bearer, now)? else { return Ok(None) };
        let text = |name: &str| claims.get(name).and_then(|value| value.as_str());
        let nonce: Option<Uuid> = text("nonce").and_then(|nonce| nonce.parse().ok());
        let (Some(nonce), Some(claimed)) = (nonce, text("deploymentId")) else { return Ok(None) };
        if claimed != id.to_string() {
            return Ok(None);
        }
        let mut db = self.read().await?;
        let found = store::deployment_token_by_nonce(&mut db, nonce).await.stored()?;
        let is_good =
            |token: &DeploymentToken| token.deployment == id && token.expires.is_none_or(|expires| expires > now);
        let Some(token) = found.filter(is_good) else { return Ok(None) };
        let team = store::team_by_id(&mut db, token.team).await.stored()?;
        Ok(team.filter(|team| team.slug.as_str() == slug).map(|_| token))
    }
}
