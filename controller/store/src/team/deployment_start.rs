//! Starts of deployments that are under way.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize};
use slipway_team::DeploymentId;
use slipway_team::container::InstanceConfig;
use slipway_team::container::part::KeyValue;
use slipway_team::deployment::start::{Start, Starter, Unit};

use crate::db::on;
use crate::schema::deployment_starts;
use crate::types::{Row, UtcMicros, text, to_json};
use crate::{Db, StoreError};

const TABLE: &str = "deployment_starts";
const COLUMN: &str = "sealed_content";

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = deployment_starts)]
struct StartRow {
    deployment: String,
    attempt: i32,
    actor_kind: String,
    actor_id: String,
    actor_name: String,
    claim: Option<String>,
    sealed_content: Vec<u8>,
    created: UtcMicros,
}

#[derive(Serialize, Deserialize)]
struct Content {
    environment: Vec<KeyValue>,
    units: Vec<UnitValue>,
}

#[derive(Serialize, Deserialize)]
struct UnitValue {
    instance: String,
    registry: String,
    image: String,
    tag: Option<String>,
    config: InstanceConfig,
}

impl StartRow {
    fn new(db: &Db, start: &Start) -> Result<Self, StoreError> {
        let Start { deployment, attempt, starter, created, environment, units } = start;
        let id = deployment.to_string();
        let (kind, actor, name) = match starter {
            Starter::User { id, name } => ("user", id, name),
            Starter::Token { id, name } => ("deployment-token", id, name),
        };
        let value = |unit: &Unit| UnitValue {
            instance: unit.instance.to_string(),
            registry: unit.registry.to_string(),
            image: unit.image.clone(),
            tag: unit.tag.clone(),
            config: unit.config.clone(),
        };
        let content = Content { environment: environment.clone(), units: units.iter().map(value).collect() };
        Ok(Self {
            attempt: i32::try_from(*attempt)
                .map_err(|_| StoreError::Internal("too many tries of a deployment".to_owned()))?,
            actor_kind: kind.to_owned(),
            actor_id: text(actor),
            actor_name: text(name),
            claim: None,
            sealed_content: db.key.seal(Row { table: TABLE, id: &id }, COLUMN, to_json(&content)?.as_bytes())?,
            created: (*created).into(),
            deployment: id,
        })
    }

    fn start(self, db: &Db) -> Result<Start, StoreError> {
        let row = Row { table: TABLE, id: &self.deployment };
        let plain = db.key.open(row, COLUMN, &self.sealed_content)?;
        let content: Content =
            serde_json::from_slice(&plain).map_err(|_| row.corrupt("sealed_content does not parse"))?;
        let unit = |value: UnitValue| {
            Ok(Unit {
                instance: row.parse("instance", &value.instance)?,
                registry: row.parse("registry", &value.registry)?,
                image: value.image,
                tag: value.tag,
                config: value.config,
            })
        };
        let (id, name) = (self.actor_id, self.actor_name);
        Ok(Start {
            deployment: row.parse("deployment", &self.deployment)?,
            attempt: u32::try_from(self.attempt).map_err(|_| row.corrupt("attempt is negative"))?,
            starter: match self.actor_kind.as_str() {
                "user" => Starter::User { id, name },
                "deployment-token" => Starter::Token { id, name },
                _ => return Err(row.corrupt("actor_kind does not parse")),
            },
            created: self.created.utc(),
            environment: content.environment,
            units: content.units.into_iter().map(unit).collect::<Result<_, StoreError>>()?,
        })
    }
}

/// Writes down a start, in place of one before it. Nobody carries it out yet.
pub async fn deployment_start_insert(db: &mut Db, start: &Start) -> Result<(), StoreError> {
    deployment_start_delete(db, start.deployment).await?;
    let row = StartRow::new(db, start)?;
    on!(db, |conn| diesel::insert_into(deployment_starts::table).values(&row).execute(conn).await)?;
    Ok(())
}

/// Takes up a start that nobody carries out; false if somebody does, or if it is not there any more.
pub async fn deployment_start_claim(db: &mut Db, id: DeploymentId, claim: &str) -> Result<bool, StoreError> {
    let n = on!(db, |conn| diesel::update(
        deployment_starts::table
            .filter(deployment_starts::deployment.eq(id.to_string()))
            .filter(deployment_starts::claim.is_null())
    )
    .set(deployment_starts::claim.eq(claim))
    .execute(conn)
    .await)?;
    Ok(n > 0)
}

/// Forgets a start that came to its end; false if it was forgotten already.
pub async fn deployment_start_delete(db: &mut Db, id: DeploymentId) -> Result<bool, StoreError> {
    let n = on!(db, |conn| diesel::delete(
        deployment_starts::table.filter(deployment_starts::deployment.eq(id.to_string()))
    )
    .execute(conn)
    .await)?;
    Ok(n > 0)
}

/// The start of a deployment that is under way.
pub async fn deployment_start_by_id(db: &mut Db, id: DeploymentId) -> Result<Option<Start>, StoreError> {
    let row: Option<StartRow> = on!(db, |conn| deployment_starts::table
        .filter(deployment_starts::deployment.eq(id.to_string()))
        .select(StartRow::as_select())
        .first(conn)
        .await
        .optional())?;
    row.map(|row| row.start(db)).transpose()
}

/// Who carries out the starts that are under way, by deployment; `None` for those that wait.
pub async fn deployment_start_claims(db: &mut Db) -> Result<BTreeMap<DeploymentId, Option<String>>, StoreError> {
    let rows: Vec<(String, Option<String>)> = on!(db, |conn| deployment_starts::table
        .select((deployment_starts::deployment, deployment_starts::claim))
        .load(conn)
        .await)?;
    let read = |(id, claim): (String, Option<String>)| {
        Row { table: TABLE, id: &id }.parse("deployment", &id).map(|id| (id, claim))
    };
    rows.into_iter().map(read).collect()
}
