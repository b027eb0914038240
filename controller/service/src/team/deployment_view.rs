//! Deployments with all that belongs to them. Source: `team-api.md` §2, `DeploymentDetails`.

use std::collections::BTreeMap;
use std::time::Duration;

use slipway_engine::workload::ContainerState;
use slipway_store as store;
use slipway_team::container::part::KeyValue;
use slipway_team::deployment::{DeploymentToken, Instance, Listed};
use slipway_team::{DeploymentId, Error, InstanceId, Member, Result};

use super::deployment::{deployment_of, instances_of, node_of};
use super::image::{ImageView, image_views};
use crate::Service;
use crate::stored::Stored;

/// Time that a node has to tell what its containers do, where that is told by the way.
const STATES_TIMEOUT: Duration = Duration::from_secs(1);

/// A deployment with all that belongs to it.
#[derive(Debug, Clone)]
pub struct DeploymentDetails {
    /// What lists have of it.
    pub listed: Listed,
    /// Variables for all of its containers.
    pub environment: Vec<KeyValue>,
    /// What secrets are encrypted with, while its node is connected.
    pub public_key: Option<String>,
    /// Its images, in their order.
    pub instances: Vec<DeployedInstance>,
    /// The number of the last try; 0 before the first.
    pub last_try: u32,
    /// The token that starts it.
    pub token: Option<DeploymentToken>,
}

/// An instance with its image.
#[derive(Debug, Clone)]
pub struct DeployedInstance {
    /// The instance.
    pub instance: Instance,
    /// Its image, with the registry that it is in.
    pub image: ImageView,
}

impl DeployedInstance {
    /// What its container is called.
    #[must_use]
    pub fn container_name(&self) -> &str {
        let own = self.instance.config.as_ref().and_then(|config| config.name.as_deref());
        own.unwrap_or(&self.image.image.config.name)
    }
}

/// Puts instances and images together; an instance that lacks its image is being removed.
fn instance_views(instances: Vec<Instance>, images: &[ImageView]) -> Vec<DeployedInstance> {
    let view = |instance: Instance| {
        let image = images.iter().find(|view| view.image.id == instance.image)?.clone();
        Some(DeployedInstance { instance, image })
    };
    instances.into_iter().filter_map(view).collect()
}

impl Service {
    /// A deployment with all that belongs to it.
    ///
    /// # Errors
    /// 404 `deployment`.
    pub async fn team_deployment_get(&self, member: &Member, id: DeploymentId) -> Result<DeploymentDetails> {
        let team = member.team.id;
        let listed = self.team_deployment_listed(team, id).await?;
        let mut db = self.read().await?;
        let deployment = deployment_of(&mut db, team, id).await?;
        let node = node_of(&mut db, team, deployment.node).await?;
        let images = image_views(&mut db, member, deployment.version).await?;
        let instances = instances_of(&mut db, id).await?;
        let token = store::deployment_token_by_deployment(&mut db, id).await.stored()?;
        Ok(DeploymentDetails {
            listed,
            environment: deployment.environment,
            public_key: self.node_public_key(&node),
            instances: instance_views(instances, &images),
            last_try: deployment.tries,
            token,
        })
    }

    /// What the containers of a deployment do, as far as its node tells at once. The older generation shows it.
    ///
    /// # Errors
    /// `Unavailable` when the database is.
    pub async fn team_deployment_states(
        &self,
        member: &Member,
        details: &DeploymentDetails,
    ) -> Result<BTreeMap<InstanceId, ContainerState>> {
        let node = node_of(&mut self.read().await?, member.team.id, details.listed.node.id).await?;
        let Some(driver) = self.node_driver(&node) else { return Ok(BTreeMap::new()) };
        let asked = tokio::time::timeout(STATES_TIMEOUT, driver.containers(Some(&details.listed.prefix))).await;
        let Ok(Ok(containers)) = asked else { return Ok(BTreeMap::new()) };
        let state = |view: &DeployedInstance| {
            let own = containers.iter().find(|container| container.name == view.container_name())?;
            Some((view.instance.id, own.state))
        };
        Ok(details.instances.iter().filter_map(state).collect())
    }

    /// An instance of a deployment.
    ///
    /// # Errors
    /// 404 `deployment`, `instance`.
    pub async fn team_instance_get(
        &self,
        member: &Member,
        deployment: DeploymentId,
        id: InstanceId,
    ) -> Result<DeployedInstance> {
        let team = member.team.id;
        let mut db = self.read().await?;
        let deployment = deployment_of(&mut db, team, deployment).await?;
        let instance = store::instance_by_id(&mut db, deployment.id, id).await.stored()?;
        let instance = instance.ok_or_else(|| Error::not_found("instance"))?;
        let images = image_views(&mut db, member, deployment.version).await?;
        let view = instance_views(vec![instance], &images).pop();
        view.ok_or_else(|| Error::not_found("instance"))
    }
}
