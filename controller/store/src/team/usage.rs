//! Which of a team's things others name, and how many there are.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::Value;
use slipway_team::{StorageId, TeamId};

use crate::db::on;
use crate::schema::{deployments, instances, nodes, projects, version_images, versions};
use crate::types::{Row, count};
use crate::{Db, StoreError};

/// How many projects, nodes, versions and deployments a team has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TeamCounts {
    /// Projects.
    pub projects: u64,
    /// Nodes.
    pub nodes: u64,
    /// Versions of all projects.
    pub versions: u64,
    /// Deployments.
    pub deployments: u64,
}

/// How many things each of these teams has; four statements, however many teams.
pub async fn team_counts(db: &mut Db, teams: &[TeamId]) -> Result<BTreeMap<TeamId, TeamCounts>, StoreError> {
    let ids: Vec<String> = teams.iter().map(ToString::to_string).collect();
    let of_projects: Vec<(String, i64)> = on!(db, |conn| projects::table
        .filter(projects::team.eq_any(&ids))
        .group_by(projects::team)
        .select((projects::team, diesel::dsl::count_star()))
        .load(conn)
        .await)?;
    let of_nodes: Vec<(String, i64)> = on!(db, |conn| nodes::table
        .filter(nodes::team.eq_any(&ids))
        .group_by(nodes::team)
        .select((nodes::team, diesel::dsl::count_star()))
        .load(conn)
        .await)?;
    let of_versions: Vec<(String, i64)> = on!(db, |conn| versions::table
        .inner_join(projects::table.on(projects::id.eq(versions::project)))
        .filter(projects::team.eq_any(&ids))
        .group_by(projects::team)
        .select((projects::team, diesel::dsl::count_star()))
        .load(conn)
        .await)?;
    let of_deployments: Vec<(String, i64)> = on!(db, |conn| deployments::table
        .filter(deployments::team.eq_any(&ids))
        .group_by(deployments::team)
        .select((deployments::team, diesel::dsl::count_star()))
        .load(conn)
        .await)?;
    let mut all: BTreeMap<TeamId, TeamCounts> = teams.iter().map(|team| (*team, TeamCounts::default())).collect();
    let mut add = |rows: Vec<(String, i64)>, set: fn(&mut TeamCounts, u64)| -> Result<(), StoreError> {
        for (team, n) in rows {
            let team: TeamId = Row { table: "teams", id: &team }.parse("id", &team)?;
            set(all.entry(team).or_default(), count(n));
        }
        Ok(())
    };
    add(of_projects, |counts, n| counts.projects = n)?;
    add(of_nodes, |counts, n| counts.nodes = n)?;
    add(of_versions, |counts, n| counts.versions = n)?;
    add(of_deployments, |counts, n| counts.deployments = n)?;
    Ok(all)
}

/// Whether the configuration of an image or of an instance of the team names the storage. Configurations are sealed, so
/// that each is opened: for one storage at a time.
pub async fn storage_is_used(db: &mut Db, team: TeamId, storage: StorageId) -> Result<bool, StoreError> {
    let team = team.to_string();
    let images: Vec<(String, Vec<u8>)> = on!(db, |conn| version_images::table
        .inner_join(versions::table.on(versions::id.eq(version_images::version)))
        .inner_join(projects::table.on(projects::id.eq(versions::project)))
        .filter(projects::team.eq(&team))
        .select((version_images::id, version_images::sealed_config))
        .load(conn)
        .await)?;
    let of_instances: Vec<(String, Option<Vec<u8>>)> = on!(db, |conn| instances::table
        .inner_join(deployments::table.on(deployments::id.eq(instances::deployment)))
        .filter(deployments::team.eq(&team))
        .filter(instances::sealed_config.is_not_null())
        .select((instances::id, instances::sealed_config))
        .load(conn)
        .await)?;
    let images = images.iter().map(|(id, sealed)| ("version_images", id, sealed));
    let of_instances =
        of_instances.iter().filter_map(|(id, sealed)| sealed.as_ref().map(|sealed| ("instances", id, sealed)));
    for (table, id, sealed) in images.chain(of_instances) {
        let row = Row { table, id };
        let plain = db.key.open(row, "sealed_config", sealed)?;
        let config: Value = serde_json::from_slice(&plain).map_err(|_| row.corrupt("sealed_config does not parse"))?;
        let named = config.pointer("/storage/storageId").and_then(Value::as_str);
        if named.is_some_and(|named| named.parse() == Ok(storage)) {
            return Ok(true);
        }
    }
    Ok(false)
}
