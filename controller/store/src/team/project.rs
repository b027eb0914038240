//! Projects of teams.

use std::collections::BTreeMap;

use diesel::dsl::count_star;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use slipway_team::project::Project;
use slipway_team::version::ProjectKind;
use slipway_team::{ProjectId, TeamId};

use super::stamp;
use crate::db::on;
use crate::schema::{projects, versions};
use crate::types::{Row, UtcMicros, count, text};
use crate::{Db, StoreError};

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = projects, treat_none_as_null = true)]
struct ProjectRow {
    id: String,
    team: String,
    name: String,
    kind: String,
    description: Option<String>,
    created: UtcMicros,
    created_by: String,
    updated: UtcMicros,
    updated_by: String,
}

impl ProjectRow {
    fn new(project: &Project) -> Self {
        let Project { id, team, name, kind, description, stamp } = project;
        Self {
            id: id.to_string(),
            team: team.to_string(),
            name: text(name),
            kind: kind.as_str().to_owned(),
            description: description.as_deref().map(text),
            created: stamp.created.into(),
            created_by: stamp.created_by.to_string(),
            updated: stamp.updated.into(),
            updated_by: stamp.updated_by.to_string(),
        }
    }

    fn project(self) -> Result<Project, StoreError> {
        let row = Row { table: "projects", id: &self.id };
        Ok(Project {
            id: row.parse("id", &self.id)?,
            team: row.parse("team", &self.team)?,
            kind: ProjectKind::parse(&self.kind).ok_or_else(|| row.corrupt("kind does not parse"))?,
            stamp: stamp(row, (self.created, &self.created_by), (self.updated, &self.updated_by))?,
            name: self.name,
            description: self.description,
        })
    }
}

/// Adds a project; `Conflict` on its name.
pub async fn project_insert(db: &mut Db, project: &Project) -> Result<(), StoreError> {
    let row = ProjectRow::new(project);
    on!(db, |conn| diesel::insert_into(projects::table).values(&row).execute(conn).await)?;
    Ok(())
}

/// Replaces all of a project but its identity and its team; `Conflict` on its name. False if its team has it no more.
pub async fn project_update(db: &mut Db, project: &Project) -> Result<bool, StoreError> {
    let row = ProjectRow::new(project);
    let n = on!(db, |conn| diesel::update(
        projects::table
            .filter(projects::id.eq(project.id.to_string()))
            .filter(projects::team.eq(project.team.to_string()))
    )
    .set(&row)
    .execute(conn)
    .await)?;
    Ok(n > 0)
}

/// Removes a project with its versions and their deployments; false if the team has none of this identity.
pub async fn project_delete(db: &mut Db, team: TeamId, id: ProjectId) -> Result<bool, StoreError> {
    let n = on!(db, |conn| diesel::delete(
        projects::table.filter(projects::id.eq(id.to_string())).filter(projects::team.eq(team.to_string()))
    )
    .execute(conn)
    .await)?;
    Ok(n > 0)
}

/// A project of the team.
pub async fn project_by_id(db: &mut Db, team: TeamId, id: ProjectId) -> Result<Option<Project>, StoreError> {
    let row: Option<ProjectRow> = on!(db, |conn| projects::table
        .filter(projects::id.eq(id.to_string()))
        .filter(projects::team.eq(team.to_string()))
        .select(ProjectRow::as_select())
        .first(conn)
        .await
        .optional())?;
    row.map(ProjectRow::project).transpose()
}

/// The team's projects, oldest first. Index: `projects_team_name_key`.
pub async fn projects_list(db: &mut Db, team: TeamId) -> Result<Vec<Project>, StoreError> {
    let rows: Vec<ProjectRow> = on!(db, |conn| projects::table
        .filter(projects::team.eq(team.to_string()))
        .order((projects::created, projects::id))
        .select(ProjectRow::as_select())
        .load(conn)
        .await)?;
    rows.into_iter().map(ProjectRow::project).collect()
}

/// How many versions each of the team's projects has; one that has none is left out.
pub async fn project_version_counts(db: &mut Db, team: TeamId) -> Result<BTreeMap<ProjectId, u64>, StoreError> {
    let rows: Vec<(String, i64)> = on!(db, |conn| versions::table
        .inner_join(projects::table)
        .filter(projects::team.eq(team.to_string()))
        .group_by(versions::project)
        .select((versions::project, count_star()))
        .load(conn)
        .await)?;
    let read = |(id, n): (String, i64)| {
        Row { table: "versions", id: &id }.parse("project", &id).map(|project| (project, count(n)))
    };
    rows.into_iter().map(read).collect()
}
