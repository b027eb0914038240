//! What the dashboard of a team shows.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use slipway_team::deployment::Status;
use slipway_team::{DeploymentId, ImageId, NodeId, ProjectId, TeamId, VersionId};

use crate::db::on;
use crate::schema::{deployments, nodes, projects, team_members, version_images, versions};
use crate::types::{Row, count};
use crate::{Db, StoreError};

/// The things by which a team is seen to make progress, as far as there are any.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// The node of the deployment, else the oldest.
    pub node: Option<NodeId>,
    /// The project.
    pub project: Option<ProjectId>,
    /// The version.
    pub version: Option<VersionId>,
    /// The version's oldest image.
    pub image: Option<ImageId>,
    /// The team's oldest deployment, and whether it was ever started.
    pub deployment: Option<(DeploymentId, bool)>,
}

/// How many members a team has, and how many of its deployments failed.
pub async fn team_member_and_failure_counts(db: &mut Db, team: TeamId) -> Result<(u64, u64), StoreError> {
    let team = team.to_string();
    let members: i64 =
        on!(db, |conn| team_members::table.filter(team_members::team.eq(&team)).count().get_result(conn).await)?;
    let failed: i64 = on!(db, |conn| deployments::table
        .filter(deployments::team.eq(&team))
        .filter(deployments::status.eq(Status::Failed.as_str()))
        .count()
        .get_result(conn)
        .await)?;
    Ok((count(members), count(failed)))
}

/// The things by which a team is seen to make progress: those of the oldest deployment, else those of the version with
/// the most images, else the oldest project. Source: `team-api.md` §4.10.
pub async fn team_progress(db: &mut Db, team: TeamId) -> Result<Progress, StoreError> {
    let own = team.to_string();
    let row = Row { table: "teams", id: &own };
    let oldest_node: Option<String> = on!(db, |conn| nodes::table
        .filter(nodes::team.eq(&own))
        .order((nodes::created, nodes::id))
        .select(nodes::id)
        .first(conn)
        .await
        .optional())?;
    let deployment: Option<(String, String, String, String)> = on!(db, |conn| deployments::table
        .filter(deployments::team.eq(&own))
        .order((deployments::created, deployments::id))
        .select((deployments::id, deployments::version, deployments::node, deployments::status))
        .first(conn)
        .await
        .optional())?;
    let version = match &deployment {
        Some((_, version, _, _)) => Some(version.clone()),
        None => on!(db, |conn| version_images::table
            .inner_join(versions::table.on(versions::id.eq(version_images::version)))
            .inner_join(projects::table.on(projects::id.eq(versions::project)))
            .filter(projects::team.eq(&own))
            .group_by((versions::id, versions::created))
            .order((diesel::dsl::count_star().desc(), versions::created, versions::id))
            .select(versions::id)
            .first::<String>(conn)
            .await
            .optional())?,
    };
    let (mut image, mut project) = (None, None);
    if let Some(version) = &version {
        image = on!(db, |conn| version_images::table
            .filter(version_images::version.eq(version))
            .order((version_images::created, version_images::id))
            .select(version_images::id)
            .first::<String>(conn)
            .await
            .optional())?;
        project = on!(db, |conn| versions::table
            .filter(versions::id.eq(version))
            .select(versions::project)
            .first::<String>(conn)
            .await
            .optional())?;
    } else {
        project = on!(db, |conn| projects::table
            .filter(projects::team.eq(&own))
            .order((projects::created, projects::id))
            .select(projects::id)
            .first::<String>(conn)
            .await
            .optional())?
        .or(project);
    }
    let node = deployment.as_ref().map(|(_, _, node, _)| node.clone()).or(oldest_node);
    Ok(Progress {
        node: node.map(|id| row.parse("node", &id)).transpose()?,
        project: project.map(|id| row.parse("project", &id)).transpose()?,
        version: version.map(|id| row.parse("version", &id)).transpose()?,
        image: image.map(|id: String| row.parse("image", &id)).transpose()?,
        deployment: deployment
            .map(|(id, _, _, status)| {
                Ok::<_, StoreError>((row.parse("deployment", &id)?, status != Status::Preparing.as_str()))
            })
            .transpose()?,
    })
}
