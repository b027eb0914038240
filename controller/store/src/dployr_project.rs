//! Projects.

use chrono::{DateTime, Utc};
use slipway_core::project::Project;
use slipway_core::{ProjectId, UserId};

use crate::db::on;
use crate::schema::{dployr_deployments as deployments, dployr_projects as projects, users};
use crate::types::{Row, UtcMicros, bounds, can_be_stored, count, text};
use crate::{Db, Page, Paged, StoreError};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

type ProjectRow = (String, String, String, String, String, UtcMicros, UtcMicros);

macro_rules! columns {
    () => {
        (
            projects::id,
            projects::owner,
            users::username,
            projects::name,
            projects::description,
            projects::created,
            projects::updated,
        )
    };
}

fn project(columns: ProjectRow, deployment_count: u64) -> Result<Project, StoreError> {
    let (id, owner, owner_name, name, description, created, updated) = columns;
    let row = Row { table: "dployr_projects", id: &id };
    Ok(Project {
        id: row.parse("id", &id)?,
        owner: row.parse("owner", &owner)?,
        owner_name: row.parse("owner_name", &owner_name)?,
        name,
        description,
        deployment_count,
        created: created.utc(),
        updated: updated.utc(),
    })
}

/// Adds a project; `Conflict` on `ProjectName` when the owner has one of that name.
pub async fn dployr_project_insert(
    db: &mut Db,
    owner: UserId,
    name: &str,
    description: &str,
    now: DateTime<Utc>,
) -> Result<ProjectId, StoreError> {
    let id = ProjectId::generate();
    on!(db, |conn| diesel::insert_into(projects::table)
        .values((
            projects::id.eq(id.to_string()),
            projects::owner.eq(owner.to_string()),
            projects::name.eq(text(name)),
            projects::description.eq(text(description)),
            projects::created.eq(UtcMicros::from(now)),
            projects::updated.eq(UtcMicros::from(now)),
        ))
        .execute(conn)
        .await)?;
    Ok(id)
}

/// The project of this identity.
pub async fn dployr_project_by_id(db: &mut Db, id: ProjectId) -> Result<Option<Project>, StoreError> {
    let row: Option<ProjectRow> = on!(db, |conn| projects::table
        .inner_join(users::table)
        .filter(projects::id.eq(id.to_string()))
        .select(columns!())
        .first(conn)
        .await
        .optional())?;
    let Some(row) = row else { return Ok(None) };
    let total = counts(db, std::slice::from_ref(&row.0)).await?;
    project(row, total.into_iter().next().map_or(0, |(_, count)| count)).map(Some)
}

/// A user's project of this name. Index: `dployr_projects_owner_name_key`.
pub async fn dployr_project_by_name(db: &mut Db, owner: UserId, name: &str) -> Result<Option<ProjectId>, StoreError> {
    if !can_be_stored(name) {
        return Ok(None);
    }
    let row: Option<String> = on!(db, |conn| projects::table
        .filter(projects::owner.eq(owner.to_string()))
        .filter(projects::name.eq(name))
        .select(projects::id)
        .first(conn)
        .await
        .optional())?;
    row.map(|id| Row { table: "dployr_projects", id: &id }.parse("id", &id)).transpose()
}

/// A user's projects, newest first.
pub async fn dployr_projects_list(db: &mut Db, owner: UserId, page: Page) -> Result<Paged<Project>, StoreError> {
    let these = || projects::table.filter(projects::owner.eq(owner.to_string()));
    let total: i64 = on!(db, |conn| these().count().get_result(conn).await)?;
    let (limit, offset) = bounds(page);
    let rows: Vec<ProjectRow> = on!(db, |conn| projects::table
        .inner_join(users::table)
        .filter(projects::owner.eq(owner.to_string()))
        .order((projects::created.desc(), projects::id.desc()))
        .limit(limit)
        .offset(offset)
        .select(columns!())
        .load(conn)
        .await)?;
    let ids: Vec<String> = rows.iter().map(|row| row.0.clone()).collect();
    let counts = counts(db, &ids).await?;
    let count_of = |id: &str| counts.iter().find(|(other, _)| other == id).map_or(0, |(_, count)| *count);
    let items = rows
        .into_iter()
        .map(|row| {
            let found = count_of(&row.0);
            project(row, found)
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Paged { total: count(total), items })
}

/// How many deployments are in each of these projects. Index: `dployr_deployments_project`.
async fn counts(db: &mut Db, ids: &[String]) -> Result<Vec<(String, u64)>, StoreError> {
    let rows: Vec<(Option<String>, i64)> = on!(db, |conn| deployments::table
        .filter(deployments::project.eq_any(ids))
        .group_by(deployments::project)
        .select((deployments::project, diesel::dsl::count_star()))
        .load(conn)
        .await)?;
    Ok(rows.into_iter().filter_map(|(id, total)| Some((id?, count(total)))).collect())
}

/// Removes a project; its deployments stay and are in none. False if there is none.
pub async fn dployr_project_delete(db: &mut Db, id: ProjectId) -> Result<bool, StoreError> {
    let id = id.to_string();
    on!(db, |conn| diesel::update(deployments::table.filter(deployments::project.eq(&id)))
        .set(deployments::project.eq(None::<String>))
        .execute(conn)
        .await)?;
    let n = on!(db, |conn| diesel::delete(projects::table.find(&id)).execute(conn).await)?;
    Ok(n > 0)
}
