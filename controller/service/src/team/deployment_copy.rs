//! Copies of deployments, to another place. Source: `team-api.md` §4.5.

use slipway_store as store;
use slipway_team::deployment::{Deployment, Instance, Listed, Status};
use slipway_team::version::VersionKind;
use slipway_team::{DeploymentId, Error, InstanceId, Member, NodeId, Result, Stamp};

use super::deployment::{deployment_of, in_progress_check, instances_of, node_of, version_of};
use crate::stored::{Fail, write};
use crate::{Cx, Service};

/// Where a copy goes, and what is written about it.
#[derive(Debug, Clone)]
pub struct CopyGiven {
    /// The node.
    pub node: NodeId,
    /// Under which name.
    pub prefix: String,
    /// For people.
    pub note: Option<String>,
}

/// An instance for a copy. Values that were encrypted for another node stay behind, their names do not.
fn instance_copy(old: Instance, to: &Deployment, is_same_node: bool) -> Instance {
    let mut config = old.config;
    if !is_same_node {
        for secret in config.iter_mut().filter_map(|config| config.secrets.as_mut()).flatten() {
            secret.value.clear();
            secret.encrypted = false;
            secret.public_key = None;
        }
    }
    Instance { id: InstanceId::generate(), deployment: to.id, image: old.image, config, updated: to.stamp.created }
}

impl Service {
    /// Makes a copy of a deployment for a place.
    ///
    /// # Errors
    /// 400 `prefix`; 404 `deployment`, `node`; 409 `deploymentId` when the place is taken; 412 `status` while it is on
    /// its way.
    pub async fn team_deployment_copy(
        &self,
        cx: &Cx,
        member: &Member,
        id: DeploymentId,
        given: CopyGiven,
    ) -> Result<Listed> {
        let team = member.team.id;
        let made = write!(self, |db| {
            let old = deployment_of(db, team, id).await?;
            let version = version_of(db, &old).await?;
            in_progress_check(&old)?;
            let node = node_of(db, team, given.node).await?;
            let others = store::deployments_placed(db, given.node, &given.prefix).await?;
            let is_taken = |status: Status| {
                version.kind == VersionKind::Rolling || matches!(status, Status::Preparing | Status::InProgress)
            };
            if let Some(other) = others.iter().find(|one| one.version == version.id && is_taken(one.status)) {
                let refusal = Error::conflict("deploymentId", "The prefix is taken on this node.");
                return Err(refusal.value(other.id.to_string()).into());
            }
            self.prefix_take(db, &node, &given.prefix, cx.now).await?;
            let new = Deployment {
                id: DeploymentId::generate(),
                node: given.node,
                prefix: given.prefix.clone(),
                note: given.note.clone(),
                status: Status::Preparing,
                tries: 0,
                stamp: Stamp::new(member.user, cx.now),
                ..old.clone()
            };
            store::deployment_insert(db, &new).await?;
            for instance in instances_of(db, old.id).await? {
                store::instance_insert(db, &instance_copy(instance, &new, old.node == new.node)).await?;
            }
            Ok::<_, Fail>(store::deployment_listed(db, team, new.id).await?)
        })?;
        made.ok_or_else(|| Error::not_found("deployment"))
    }
}
