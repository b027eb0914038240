//! Deployments of versions.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use slipway_core::UserId;
use slipway_team::container::part::KeyValue;
use slipway_team::deployment::{Deployment, Placed, Status};
use slipway_team::{DeploymentId, NodeId, ProjectId, TeamId, VersionId};

use super::stamp;
use crate::db::on;
use crate::schema::{deployments, versions};
use crate::types::{Row, UtcMicros, can_be_stored, text, to_json};
use crate::{Db, StoreError};

const TABLE: &str = "deployments";
const COLUMN: &str = "sealed_environment";

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = deployments, treat_none_as_null = true)]
struct DeploymentRow {
    id: String,
    team: String,
    version: String,
    node: String,
    prefix: String,
    note: Option<String>,
    status: String,
    tries: i32,
    sealed_environment: Vec<u8>,
    created: UtcMicros,
    created_by: String,
    updated: UtcMicros,
    updated_by: String,
}

fn number(tries: u32) -> Result<i32, StoreError> {
    i32::try_from(tries).map_err(|_| StoreError::Internal("too many tries of a deployment".to_owned()))
}

impl DeploymentRow {
    fn new(db: &Db, deployment: &Deployment) -> Result<Self, StoreError> {
        let Deployment { id, team, version, node, prefix, note, status, tries, environment, stamp } = deployment;
        let id = id.to_string();
        let environment = to_json(environment)?;
        Ok(Self {
            sealed_environment: db.key.seal(Row { table: TABLE, id: &id }, COLUMN, environment.as_bytes())?,
            id,
            team: team.to_string(),
            version: version.to_string(),
            node: node.to_string(),
            prefix: text(prefix),
            note: note.as_deref().map(text),
            status: status.as_str().to_owned(),
            tries: number(*tries)?,
            created: stamp.created.into(),
            created_by: stamp.created_by.to_string(),
            updated: stamp.updated.into(),
            updated_by: stamp.updated_by.to_string(),
        })
    }

    fn deployment(self, db: &Db) -> Result<Deployment, StoreError> {
        let row = Row { table: TABLE, id: &self.id };
        let plain = db.key.open(row, COLUMN, &self.sealed_environment)?;
        let environment: Vec<KeyValue> =
            serde_json::from_slice(&plain).map_err(|_| row.corrupt("sealed_environment does not parse"))?;
        Ok(Deployment {
            id: row.parse("id", &self.id)?,
            team: row.parse("team", &self.team)?,
            version: row.parse("version", &self.version)?,
            node: row.parse("node", &self.node)?,
            status: status(row, &self.status)?,
            tries: u32::try_from(self.tries).map_err(|_| row.corrupt("tries is negative"))?,
            stamp: stamp(row, (self.created, &self.created_by), (self.updated, &self.updated_by))?,
            prefix: self.prefix,
            note: self.note,
            environment,
        })
    }
}

pub(super) fn status(row: Row<'_>, status: &str) -> Result<Status, StoreError> {
    Status::parse(status).ok_or_else(|| row.corrupt("status does not parse"))
}

/// Adds a deployment; `Reference` if its version or its node is not there.
pub async fn deployment_insert(db: &mut Db, deployment: &Deployment) -> Result<(), StoreError> {
    let row = DeploymentRow::new(db, deployment)?;
    on!(db, |conn| diesel::insert_into(deployments::table).values(&row).execute(conn).await)?;
    Ok(())
}

/// Replaces what people write of a deployment: its prefix, note and environment, and who did it. Where it stands is
/// [`deployment_move`]'s. False if its team has it no more.
pub async fn deployment_update(db: &mut Db, deployment: &Deployment) -> Result<bool, StoreError> {
    let row = DeploymentRow::new(db, deployment)?;
    let n = on!(db, |conn| diesel::update(
        deployments::table.filter(deployments::id.eq(&row.id)).filter(deployments::team.eq(&row.team))
    )
    .set((
        deployments::prefix.eq(&row.prefix),
        deployments::note.eq(&row.note),
        deployments::sealed_environment.eq(&row.sealed_environment),
        deployments::updated.eq(row.updated),
        deployments::updated_by.eq(&row.updated_by),
    ))
    .execute(conn)
    .await)?;
    Ok(n > 0)
}

/// Notes who changed something of a deployment, and when. False if its team has it no more.
pub async fn deployment_touch(
    db: &mut Db,
    team: TeamId,
    id: DeploymentId,
    by: (UserId, DateTime<Utc>),
) -> Result<bool, StoreError> {
    let (user, now) = by;
    let n = on!(db, |conn| diesel::update(
        deployments::table.filter(deployments::id.eq(id.to_string())).filter(deployments::team.eq(team.to_string()))
    )
    .set((deployments::updated.eq(UtcMicros::from(now)), deployments::updated_by.eq(user.to_string())))
    .execute(conn)
    .await)?;
    Ok(n > 0)
}

/// Moves a deployment from one state to another, with the number of its try. False, and nothing is changed, if it stands
/// elsewhere by now: of two who start it, one is told so.
pub async fn deployment_move(
    db: &mut Db,
    id: DeploymentId,
    from: (Status, u32),
    to: (Status, u32),
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let (before, after) = (number(from.1)?, number(to.1)?);
    let n = on!(db, |conn| diesel::update(
        deployments::table
            .filter(deployments::id.eq(id.to_string()))
            .filter(deployments::status.eq(from.0.as_str()))
            .filter(deployments::tries.eq(before))
    )
    .set((
        deployments::status.eq(to.0.as_str()),
        deployments::tries.eq(after),
        deployments::updated.eq(UtcMicros::from(now)),
    ))
    .execute(conn)
    .await)?;
    Ok(n > 0)
}

/// Makes those of the deployments obsolete that came to an end, well or badly; how many.
pub async fn deployments_replace(db: &mut Db, ids: &[DeploymentId]) -> Result<usize, StoreError> {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    on!(db, |conn| diesel::update(
        deployments::table
            .filter(deployments::id.eq_any(&ids))
            .filter(deployments::status.eq_any([Status::Successful.as_str(), Status::Failed.as_str()]))
    )
    .set(deployments::status.eq(Status::Obsolete.as_str()))
    .execute(conn)
    .await)
}

/// Removes a deployment; false if the team has none of this identity.
pub async fn deployment_delete(db: &mut Db, team: TeamId, id: DeploymentId) -> Result<bool, StoreError> {
    let n = on!(db, |conn| diesel::delete(
        deployments::table.filter(deployments::id.eq(id.to_string())).filter(deployments::team.eq(team.to_string()))
    )
    .execute(conn)
    .await)?;
    Ok(n > 0)
}

/// A deployment of the team.
pub async fn deployment_by_id(db: &mut Db, team: TeamId, id: DeploymentId) -> Result<Option<Deployment>, StoreError> {
    let row: Option<DeploymentRow> = on!(db, |conn| deployments::table
        .filter(deployments::id.eq(id.to_string()))
        .filter(deployments::team.eq(team.to_string()))
        .select(DeploymentRow::as_select())
        .first(conn)
        .await
        .optional())?;
    row.map(|row| row.deployment(db)).transpose()
}

/// The team's deployments, newest first. Index: `deployments_team`.
pub async fn deployments_list(db: &mut Db, team: TeamId) -> Result<Vec<Deployment>, StoreError> {
    let rows: Vec<DeploymentRow> = on!(db, |conn| deployments::table
        .filter(deployments::team.eq(team.to_string()))
        .order((deployments::created.desc(), deployments::id.desc()))
        .select(DeploymentRow::as_select())
        .load(conn)
        .await)?;
    rows.into_iter().map(|row| row.deployment(db)).collect()
}

/// The deployments of versions, each version's newest first. Index: `deployments_version`.
pub async fn deployments_by_versions(
    db: &mut Db,
    versions: &[VersionId],
) -> Result<BTreeMap<VersionId, Vec<Deployment>>, StoreError> {
    let ids: Vec<String> = versions.iter().map(ToString::to_string).collect();
    let rows: Vec<DeploymentRow> = on!(db, |conn| deployments::table
        .filter(deployments::version.eq_any(&ids))
        .order((deployments::created.desc(), deployments::id.desc()))
        .select(DeploymentRow::as_select())
        .load(conn)
        .await)?;
    let mut all: BTreeMap<VersionId, Vec<Deployment>> = BTreeMap::new();
    for row in rows {
        let deployment = row.deployment(db)?;
        all.entry(deployment.version).or_default().push(deployment);
    }
    Ok(all)
}

/// Where the deployments of a project's versions stand: each state of each version once. Indexes:
/// `versions_project_name_key`, `deployments_version`.
pub async fn deployment_statuses(
    db: &mut Db,
    project: ProjectId,
) -> Result<BTreeMap<VersionId, Vec<Status>>, StoreError> {
    let rows: Vec<(String, String)> = on!(db, |conn| deployments::table
        .inner_join(versions::table)
        .filter(versions::project.eq(project.to_string()))
        .select((deployments::version, deployments::status))
        .distinct()
        .load(conn)
        .await)?;
    let mut all: BTreeMap<VersionId, Vec<Status>> = BTreeMap::new();
    for (version, state) in rows {
        let row = Row { table: TABLE, id: &version };
        all.entry(row.parse("version", &version)?).or_default().push(status(row, &state)?);
    }
    Ok(all)
}

/// Who is on the node with the prefix, and where they stand. Index: `deployments_node`.
pub async fn deployments_placed(db: &mut Db, node: NodeId, prefix: &str) -> Result<Vec<Placed>, StoreError> {
    if !can_be_stored(prefix) {
        return Ok(Vec::new());
    }
    let rows: Vec<(String, String, String)> = on!(db, |conn| deployments::table
        .filter(deployments::node.eq(node.to_string()))
        .filter(deployments::prefix.eq(prefix))
        .order((deployments::created, deployments::id))
        .select((deployments::id, deployments::version, deployments::status))
        .load(conn)
        .await)?;
    let read = |(id, version, state): (String, String, String)| {
        let row = Row { table: TABLE, id: &id };
        let (id, version, status) = (row.parse("id", &id)?, row.parse("version", &version)?, status(row, &state)?);
        Ok(Placed { id, version, node, prefix: prefix.to_owned(), status })
    };
    rows.into_iter().map(read).collect()
}

/// The deployments of all teams that are on their way, with the number of their try. Index: `deployments_status`.
pub async fn deployments_in_progress(db: &mut Db) -> Result<Vec<(TeamId, DeploymentId, u32)>, StoreError> {
    let rows: Vec<(String, String, i32)> = on!(db, |conn| deployments::table
        .filter(deployments::status.eq(Status::InProgress.as_str()))
        .order((deployments::updated, deployments::id))
        .select((deployments::team, deployments::id, deployments::tries))
        .load(conn)
        .await)?;
    let read = |(team, id, tries): (String, String, i32)| {
        let row = Row { table: TABLE, id: &id };
        let tries = u32::try_from(tries).map_err(|_| row.corrupt("tries is negative"))?;
        Ok((row.parse("team", &team)?, row.parse("id", &id)?, tries))
    };
    rows.into_iter().map(read).collect()
}
