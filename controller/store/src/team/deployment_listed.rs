//! Deployments as lists have them: one query, with the names of what they are about and without what is sealed.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use slipway_core::Page;
use slipway_team::deployment::{Listed, Named};
use slipway_team::node::NodeKind;
use slipway_team::version::{ProjectKind, VersionKind};
use slipway_team::{DeploymentId, TeamId};

use super::deployment::status;
use super::stamp;
use crate::db::on;
use crate::schema::{deployments, nodes, projects, versions};
use crate::types::{Row, UtcMicros, bounds};
use crate::{Db, StoreError};

/// Identity, name and kind of something.
type NamedRow = (String, String, String);

#[derive(Queryable, Selectable)]
#[diesel(table_name = deployments)]
struct ListedRow {
    id: String,
    prefix: String,
    note: Option<String>,
    status: String,
    created: UtcMicros,
    created_by: String,
    updated: UtcMicros,
    updated_by: String,
}

fn read((row, project, version, node): (ListedRow, NamedRow, NamedRow, NamedRow)) -> Result<Listed, StoreError> {
    let at = Row { table: "deployments", id: &row.id };
    let kind = |what: &str| at.corrupt(format_args!("the kind of its {what} does not parse"));
    Ok(Listed {
        id: at.parse("id", &row.id)?,
        status: status(at, &row.status)?,
        stamp: stamp(at, (row.created, &row.created_by), (row.updated, &row.updated_by))?,
        project: Named {
            id: at.parse("project", &project.0)?,
            name: project.1,
            kind: ProjectKind::parse(&project.2).ok_or_else(|| kind("project"))?,
        },
        version: Named {
            id: at.parse("version", &version.0)?,
            name: version.1,
            kind: VersionKind::parse(&version.2).ok_or_else(|| kind("version"))?,
        },
        node: Named {
            id: at.parse("node", &node.0)?,
            name: node.1,
            kind: NodeKind::parse(&node.2).ok_or_else(|| kind("node"))?,
        },
        prefix: row.prefix,
        note: row.note,
    })
}

/// What a query of deployments gives of each.
macro_rules! listed {
    () => {
        deployments::table.inner_join(versions::table.inner_join(projects::table)).inner_join(nodes::table).select((
            ListedRow::as_select(),
            (projects::id, projects::name, projects::kind),
            (versions::id, versions::name, versions::kind),
            (nodes::id, nodes::name, nodes::kind),
        ))
    };
}

/// A page of the team's deployments, newest first. Index: `deployments_team`.
pub async fn deployments_listed(db: &mut Db, team: TeamId, page: Page) -> Result<Vec<Listed>, StoreError> {
    let (limit, offset) = bounds(page);
    let rows: Vec<(ListedRow, NamedRow, NamedRow, NamedRow)> = on!(db, |conn| listed!()
        .filter(deployments::team.eq(team.to_string()))
        .order((deployments::created.desc(), deployments::id.desc()))
        .limit(limit)
        .offset(offset)
        .load(conn)
        .await)?;
    rows.into_iter().map(read).collect()
}

/// A deployment of the team.
pub async fn deployment_listed(db: &mut Db, team: TeamId, id: DeploymentId) -> Result<Option<Listed>, StoreError> {
    let row: Option<(ListedRow, NamedRow, NamedRow, NamedRow)> = on!(db, |conn| listed!()
        .filter(deployments::id.eq(id.to_string()))
        .filter(deployments::team.eq(team.to_string()))
        .first(conn)
        .await
        .optional())?;
    row.map(read).transpose()
}
