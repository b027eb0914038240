//! How many things teams have.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use slipway_team::TeamId;

use crate::db::on;
use crate::schema::{deployments, nodes, projects, versions};
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
