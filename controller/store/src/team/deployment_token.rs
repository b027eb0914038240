//! Tokens that start one deployment.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use slipway_team::deployment::DeploymentToken;
use slipway_team::{DeploymentId, TeamId};
use uuid::Uuid;

use crate::db::on;
use crate::schema::deployment_tokens;
use crate::types::{Row, UtcMicros, can_be_stored, text};
use crate::{Db, StoreError};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = deployment_tokens)]
struct TokenRow {
    id: String,
    deployment: String,
    team: String,
    name: String,
    nonce: String,
    created: UtcMicros,
    expires: Option<UtcMicros>,
}

impl TokenRow {
    fn token(self) -> Result<DeploymentToken, StoreError> {
        let row = Row { table: "deployment_tokens", id: &self.id };
        Ok(DeploymentToken {
            id: row.parse("id", &self.id)?,
            deployment: row.parse("deployment", &self.deployment)?,
            team: row.parse("team", &self.team)?,
            nonce: row.parse("nonce", &self.nonce)?,
            created: self.created.utc(),
            expires: self.expires.map(UtcMicros::utc),
            name: self.name,
        })
    }
}

/// Adds a token; `Conflict` if the deployment has one, and on its name.
pub async fn deployment_token_insert(db: &mut Db, token: &DeploymentToken) -> Result<(), StoreError> {
    let DeploymentToken { id, deployment, team, name, nonce, created, expires } = token;
    let row = TokenRow {
        id: id.to_string(),
        deployment: deployment.to_string(),
        team: team.to_string(),
        name: text(name),
        nonce: nonce.to_string(),
        created: (*created).into(),
        expires: expires.map(Into::into),
    };
    on!(db, |conn| diesel::insert_into(deployment_tokens::table).values(&row).execute(conn).await)?;
    Ok(())
}

/// Removes the deployment's token; false if it has none.
pub async fn deployment_token_delete(db: &mut Db, deployment: DeploymentId) -> Result<bool, StoreError> {
    let n = on!(db, |conn| diesel::delete(
        deployment_tokens::table.filter(deployment_tokens::deployment.eq(deployment.to_string()))
    )
    .execute(conn)
    .await)?;
    Ok(n > 0)
}

/// The deployment's token.
pub async fn deployment_token_by_deployment(
    db: &mut Db,
    deployment: DeploymentId,
) -> Result<Option<DeploymentToken>, StoreError> {
    let row: Option<TokenRow> = on!(db, |conn| deployment_tokens::table
        .filter(deployment_tokens::deployment.eq(deployment.to_string()))
        .select(TokenRow::as_select())
        .first(conn)
        .await
        .optional())?;
    row.map(TokenRow::token).transpose()
}

/// The team's token of this name.
pub async fn deployment_token_by_name(
    db: &mut Db,
    team: TeamId,
    name: &str,
) -> Result<Option<DeploymentToken>, StoreError> {
    if !can_be_stored(name) {
        return Ok(None);
    }
    let row: Option<TokenRow> = on!(db, |conn| deployment_tokens::table
        .filter(deployment_tokens::team.eq(team.to_string()))
        .filter(deployment_tokens::name.eq(name))
        .select(TokenRow::as_select())
        .first(conn)
        .await
        .optional())?;
    row.map(TokenRow::token).transpose()
}

/// The token with a nonce.
pub async fn deployment_token_by_nonce(db: &mut Db, nonce: Uuid) -> Result<Option<DeploymentToken>, StoreError> {
    let row: Option<TokenRow> = on!(db, |conn| deployment_tokens::table
        .filter(deployment_tokens::nonce.eq(nonce.to_string()))
        .select(TokenRow::as_select())
        .first(conn)
        .await
        .optional())?;
    row.map(TokenRow::token).transpose()
}
