//! Deployments of teams. Source: `team-api.md` §3.7 and §4.5.

use slipway_core::{Page, Paged};
use slipway_store as store;
use slipway_team::container::InstanceConfig;
use slipway_team::container::part::KeyValue;
use slipway_team::deployment::{Deployment, DeploymentEvent, Instance, Listed, Status, place_check};
use slipway_team::image::Image;
use slipway_team::node::Node;
use slipway_team::version::Version;
use slipway_team::{DeploymentId, Error, InstanceId, Member, NodeId, Result, Stamp, TeamId, VersionId};

use crate::stored::{Fail, Stored, write};
use crate::{Cx, Service};

/// A deployment as a request has it.
#[derive(Debug, Clone)]
pub struct DeploymentGiven {
    /// What is deployed.
    pub version: VersionId,
    /// Where.
    pub node: NodeId,
    /// Under which name.
    pub prefix: String,
    /// For people.
    pub note: Option<String>,
}

/// What is to be otherwise about a deployment; nothing leaves a member as it is.
#[derive(Debug, Clone, Default)]
pub struct DeploymentChange {
    /// Its name on the node.
    pub prefix: Option<String>,
    /// What people write about it.
    pub note: Option<String>,
    /// Variables for all of its containers.
    pub environment: Option<Vec<KeyValue>>,
}

/// A deployment of the team, inside a transaction or not.
pub(super) async fn deployment_of(
    db: &mut store::Db,
    team: TeamId,
    id: DeploymentId,
) -> std::result::Result<Deployment, Fail> {
    let found = store::deployment_by_id(db, team, id).await?;
    found.ok_or_else(|| Error::not_found("deployment").into())
}

/// The version of a deployment, which goes with it.
pub(super) async fn version_of(db: &mut store::Db, deployment: &Deployment) -> std::result::Result<Version, Fail> {
    let found = store::version_by_team(db, deployment.team, deployment.version).await?;
    found.ok_or_else(|| Error::not_found("version").into())
}

/// A node of the team.
pub(super) async fn node_of(db: &mut store::Db, team: TeamId, id: NodeId) -> std::result::Result<Node, Fail> {
    store::node_by_id(db, team, id).await?.ok_or_else(|| Error::not_found("node").into())
}

/// The images of a version, in their order.
pub(super) async fn images_of(db: &mut store::Db, id: VersionId) -> std::result::Result<Vec<Image>, Fail> {
    Ok(store::images_by_versions(db, &[id]).await?.remove(&id).unwrap_or_default())
}

/// The instances of a deployment, in the order of their images.
pub(super) async fn instances_of(db: &mut store::Db, id: DeploymentId) -> std::result::Result<Vec<Instance>, Fail> {
    Ok(store::instances_by_deployments(db, &[id]).await?.remove(&id).unwrap_or_default())
}

/// Refuses what must not be changed in the state that it is in.
pub(super) fn mutable_check(deployment: &Deployment, version: &Version) -> Result<()> {
    if deployment.status.is_mutable(version.kind) {
        return Ok(());
    }
    let status = deployment.status.as_str();
    let refusal = Error::precondition("status", format!("A deployment that is {status} cannot be changed."));
    Err(refusal.value(status).into())
}

/// The secrets of an instance whose image is used again.
fn secrets_of(instances: &[Instance], image: &Image) -> Option<InstanceConfig> {
    let own = instances.iter().find(|instance| instance.image == image.id)?;
    let secrets = own.config.as_ref()?.secrets.clone()?;
    Some(InstanceConfig { secrets: Some(secrets), ..InstanceConfig::default() })
}

impl Service {
    /// A part of the deployments of the member's team, newest first.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn team_deployments_list(&self, member: &Member, page: Page) -> Result<Vec<Listed>> {
        Ok(store::deployments_listed(&mut self.read().await?, member.team.id, page).await.stored()?)
    }

    /// Makes a deployment of a version, with an instance of each of its images. The secrets of the latest one in its
    /// place are taken over.
    ///
    /// # Errors
    /// 400 `prefix`; 404 `version`, `node`; 409 `deploymentId` when another is in the place; 412 `versionId` without
    /// images.
    pub async fn team_deployment_create(&self, cx: &Cx, member: &Member, given: DeploymentGiven) -> Result<Listed> {
        let team = member.team.id;
        let DeploymentGiven { version, node, prefix, note } = given;
        let deployment = Deployment {
            id: DeploymentId::generate(),
            team,
            version,
            node,
            prefix,
            note,
            status: Status::Preparing,
            tries: 0,
            environment: Vec::new(),
            stamp: Stamp::new(member.user, cx.now),
        };
        let made = write!(self, |db| {
            let version = version_of(db, &deployment).await?;
            let node = node_of(db, team, node).await?;
            let images = images_of(db, version.id).await?;
            if images.is_empty() {
                let refusal = Error::precondition("versionId", "The version has no images.");
                return Err(refusal.value(version.id.to_string()).into());
            }
            let others = store::deployments_placed(db, node.id, &deployment.prefix).await?;
            place_check(version.kind, (version.id, node.id, &deployment.prefix), None, &others)?;
            self.prefix_take(db, &node, &deployment.prefix, cx.now).await?;
            let before = match others.iter().rev().find(|other| other.version == version.id) {
                Some(latest) => instances_of(db, latest.id).await?,
                None => Vec::new(),
            };
            store::deployment_insert(db, &deployment).await?;
            for image in &images {
                let instance = Instance {
                    id: InstanceId::generate(),
                    deployment: deployment.id,
                    image: image.id,
                    config: secrets_of(&before, image),
                    updated: cx.now,
                };
                store::instance_insert(db, &instance).await?;
            }
            Ok::<_, Fail>(store::deployment_listed(db, team, deployment.id).await?)
        })?;
        made.ok_or_else(|| Error::not_found("deployment"))
    }

    /// Changes what people write of a deployment.
    ///
    /// # Errors
    /// 400 `prefix`; 404 `deployment`; 409 `deploymentId` when another is in the place; 412 `status`.
    pub async fn team_deployment_update(
        &self,
        cx: &Cx,
        member: &Member,
        id: DeploymentId,
        change: DeploymentChange,
    ) -> Result<()> {
        write!(self, |db| {
            let old = deployment_of(db, member.team.id, id).await?;
            let version = version_of(db, &old).await?;
            mutable_check(&old, &version)?;
            let stamp = Stamp { updated: cx.now, updated_by: member.user, ..old.stamp };
            let new = Deployment {
                prefix: change.prefix.clone().unwrap_or_else(|| old.prefix.clone()),
                note: change.note.clone().or_else(|| old.note.clone()),
                environment: change.environment.clone().unwrap_or_else(|| old.environment.clone()),
                stamp,
                ..old.clone()
            };
            if new.prefix != old.prefix {
                let others = store::deployments_placed(db, new.node, &new.prefix).await?;
                place_check(version.kind, (version.id, new.node, &new.prefix), Some(id), &others)?;
                let node = node_of(db, new.team, new.node).await?;
                self.prefix_take(db, &node, &new.prefix, cx.now).await?;
            }
            store::deployment_update(db, &new).await?;
            Ok::<_, Fail>(())
        })?;
        Ok(())
    }

    /// Removes a deployment. What runs is left alone: others may share its prefix.
    ///
    /// # Errors
    /// 404 `deployment`; 412 `status` while it is on its way.
    pub async fn team_deployment_delete(&self, member: &Member, id: DeploymentId) -> Result<()> {
        let team = member.team.id;
        write!(self, |db| {
            let deployment = deployment_of(db, team, id).await?;
            in_progress_check(&deployment)?;
            store::deployment_delete(db, team, id).await?;
            Ok::<_, Fail>(())
        })?;
        Ok(())
    }

    /// A part of what a deployment told of itself, of one try or of all: cut newest first, oldest first within.
    ///
    /// # Errors
    /// 404 `deployment`.
    pub async fn team_deployment_log(
        &self,
        member: &Member,
        id: DeploymentId,
        attempt: Option<u32>,
        page: Page,
    ) -> Result<Paged<DeploymentEvent>> {
        let mut db = self.read().await?;
        let found = store::deployment_listed(&mut db, member.team.id, id).await.stored()?;
        let found: Listed = found.ok_or_else(|| Error::not_found("deployment"))?;
        Ok(store::deployment_events_list(&mut db, found.id, attempt, page).await.stored()?)
    }

    /// Which version, project and node a deployment is about, by name.
    pub(super) async fn team_deployment_listed(&self, team: TeamId, id: DeploymentId) -> Result<Listed> {
        let found = store::deployment_listed(&mut self.read().await?, team, id).await.stored()?;
        found.ok_or_else(|| Error::not_found("deployment"))
    }
}

/// Refuses what must wait until a deployment came to its end.
pub(super) fn in_progress_check(deployment: &Deployment) -> Result<()> {
    if deployment.status != Status::InProgress {
        return Ok(());
    }
    let refusal = Error::precondition("status", "The deployment is in progress.");
    Err(refusal.value(Status::InProgress.as_str()).into())
}
