//! Versions of projects.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use slipway_core::UserId;
use slipway_team::version::{Version, VersionKind};
use slipway_team::{ProjectId, TeamId, VersionId};

use super::stamp;
use crate::db::on;
use crate::schema::{projects, versions};
use crate::types::{Row, UtcMicros, can_be_stored, text};
use crate::{Db, StoreError};

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = versions, treat_none_as_null = true)]
struct VersionRow {
    id: String,
    project: String,
    name: String,
    kind: String,
    changelog: Option<String>,
    is_default: bool,
    parent: Option<String>,
    created: UtcMicros,
    created_by: String,
    updated: UtcMicros,
    updated_by: String,
}

impl VersionRow {
    fn new(version: &Version) -> Self {
        let Version { id, project, name, kind, changelog, is_default, parent, stamp } = version;
        Self {
            id: id.to_string(),
            project: project.to_string(),
            name: text(name),
            kind: kind.as_str().to_owned(),
            changelog: changelog.as_deref().map(text),
            is_default: *is_default,
            parent: parent.map(|parent| parent.to_string()),
            created: stamp.created.into(),
            created_by: stamp.created_by.to_string(),
            updated: stamp.updated.into(),
            updated_by: stamp.updated_by.to_string(),
        }
    }

    fn version(self) -> Result<Version, StoreError> {
        let row = Row { table: "versions", id: &self.id };
        Ok(Version {
            id: row.parse("id", &self.id)?,
            project: row.parse("project", &self.project)?,
            kind: VersionKind::parse(&self.kind).ok_or_else(|| row.corrupt("kind does not parse"))?,
            is_default: self.is_default,
            parent: self.parent.map(|parent| row.parse("parent", &parent)).transpose()?,
            stamp: stamp(row, (self.created, &self.created_by), (self.updated, &self.updated_by))?,
            name: self.name,
            changelog: self.changelog,
        })
    }
}

/// Adds a version; `Conflict` on its name, on its parent, which may have one child, and on being the default.
pub async fn version_insert(db: &mut Db, version: &Version) -> Result<(), StoreError> {
    let row = VersionRow::new(version);
    on!(db, |conn| diesel::insert_into(versions::table).values(&row).execute(conn).await)?;
    Ok(())
}

/// Replaces all of a version but its identity and its project; `Conflict` as when it is added. False if its project has
/// it no more.
pub async fn version_update(db: &mut Db, version: &Version) -> Result<bool, StoreError> {
    let row = VersionRow::new(version);
    let n = on!(db, |conn| diesel::update(
        versions::table
            .filter(versions::id.eq(version.id.to_string()))
            .filter(versions::project.eq(version.project.to_string()))
    )
    .set(&row)
    .execute(conn)
    .await)?;
    Ok(n > 0)
}

/// Makes one version the default of its project, in place of what was. False if the project has none of this identity,
/// and then the one before is still the default. Belongs in a transaction.
pub async fn version_set_default(
    db: &mut Db,
    project: ProjectId,
    id: VersionId,
    by: (UserId, DateTime<Utc>),
) -> Result<bool, StoreError> {
    let Some(version) = version_by_id(db, project, id).await? else { return Ok(false) };
    let of_project = versions::project.eq(project.to_string());
    on!(db, |conn| diesel::update(versions::table.filter(of_project.clone()).filter(versions::is_default.eq(true)))
        .set(versions::is_default.eq(false))
        .execute(conn)
        .await)?;
    let (user, now) = by;
    on!(db, |conn| diesel::update(versions::table.filter(versions::id.eq(version.id.to_string())))
        .set((
            versions::is_default.eq(true),
            versions::updated.eq(UtcMicros::from(now)),
            versions::updated_by.eq(user.to_string()),
        ))
        .execute(conn)
        .await)?;
    Ok(true)
}

/// Removes a version with its deployments; false if the project has none of this identity.
pub async fn version_delete(db: &mut Db, project: ProjectId, id: VersionId) -> Result<bool, StoreError> {
    let n = on!(db, |conn| diesel::delete(
        versions::table.filter(versions::id.eq(id.to_string())).filter(versions::project.eq(project.to_string()))
    )
    .execute(conn)
    .await)?;
    Ok(n > 0)
}

/// A version of the project.
pub async fn version_by_id(db: &mut Db, project: ProjectId, id: VersionId) -> Result<Option<Version>, StoreError> {
    let row: Option<VersionRow> = on!(db, |conn| versions::table
        .filter(versions::id.eq(id.to_string()))
        .filter(versions::project.eq(project.to_string()))
        .select(VersionRow::as_select())
        .first(conn)
        .await
        .optional())?;
    row.map(VersionRow::version).transpose()
}

/// A version of one of the team's projects, whichever.
pub async fn version_by_team(db: &mut Db, team: TeamId, id: VersionId) -> Result<Option<Version>, StoreError> {
    let row: Option<VersionRow> = on!(db, |conn| versions::table
        .inner_join(projects::table)
        .filter(versions::id.eq(id.to_string()))
        .filter(projects::team.eq(team.to_string()))
        .select(VersionRow::as_select())
        .first(conn)
        .await
        .optional())?;
    row.map(VersionRow::version).transpose()
}

/// The version that new ones of the project begin as.
pub async fn version_default(db: &mut Db, project: ProjectId) -> Result<Option<Version>, StoreError> {
    let row: Option<VersionRow> = on!(db, |conn| versions::table
        .filter(versions::project.eq(project.to_string()))
        .filter(versions::is_default.eq(true))
        .select(VersionRow::as_select())
        .first(conn)
        .await
        .optional())?;
    row.map(VersionRow::version).transpose()
}

/// The project's versions whose name holds `name_contains`, letter case and all; all of them without. Oldest first.
/// Index: `versions_project_name_key`.
pub async fn versions_list(
    db: &mut Db,
    project: ProjectId,
    name_contains: Option<&str>,
) -> Result<Vec<Version>, StoreError> {
    if name_contains.is_some_and(|part| !can_be_stored(part)) {
        return Ok(Vec::new());
    }
    let rows: Vec<VersionRow> = on!(db, |conn| versions::table
        .filter(versions::project.eq(project.to_string()))
        .order((versions::created, versions::id))
        .select(VersionRow::as_select())
        .load(conn)
        .await)?;
    // Told apart here: the two databases do not agree on letter case in a search.
    rows.into_iter()
        .filter(|row| name_contains.is_none_or(|part| row.name.contains(part)))
        .map(VersionRow::version)
        .collect()
}

/// The versions that have a child, of all that the project has.
pub async fn version_parents(db: &mut Db, project: ProjectId) -> Result<BTreeSet<VersionId>, StoreError> {
    Ok(version_links(db, project).await?.into_values().collect())
}

/// Who was made from whom: parents by their child, of all versions of the project.
async fn version_links(db: &mut Db, project: ProjectId) -> Result<BTreeMap<VersionId, VersionId>, StoreError> {
    let rows: Vec<(String, Option<String>)> = on!(db, |conn| versions::table
        .filter(versions::project.eq(project.to_string()))
        .filter(versions::parent.is_not_null())
        .select((versions::id, versions::parent))
        .load(conn)
        .await)?;
    let read = |(id, parent): (String, Option<String>)| {
        let row = Row { table: "versions", id: &id };
        Ok((row.parse("id", &id)?, row.parse("parent", &parent.unwrap_or_default())?))
    };
    rows.into_iter().map(read).collect()
}

/// The ancestors and the descendants of a version: what it was made from, and what was made from it, step by step.
pub async fn version_kin(db: &mut Db, project: ProjectId, id: VersionId) -> Result<Vec<VersionId>, StoreError> {
    let parents = version_links(db, project).await?;
    let children: BTreeMap<VersionId, VersionId> = parents.iter().map(|(child, parent)| (*parent, *child)).collect();
    let mut kin = Vec::new();
    for links in [&parents, &children] {
        let mut at = id;
        while let Some(next) = links.get(&at).copied().filter(|next| *next != id && !kin.contains(next)) {
            kin.push(next);
            at = next;
        }
    }
    Ok(kin)
}
