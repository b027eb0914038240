//! Instances: images in deployments. Source: `team-api.md` §3.7 and §4.4.

use std::time::Duration;

use serde_json::{Map, Value};
use slipway_store as store;
use slipway_team::container::InstanceConfig;
use slipway_team::deployment::Instance;
use slipway_team::{DeploymentId, Error, InstanceId, Member, Result};

use super::deployment::{deployment_of, images_of, mutable_check, node_of, version_of};
use super::image::storage_named_check;
use crate::stored::{Fail, Stored, write};
use crate::{Cx, Service};

/// Time that a node has to say which secrets a container has. Source: `team-api.md` §3.7.
const SECRETS_TIMEOUT: Duration = Duration::from_secs(5);

/// The secrets that a container has on its node, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceSecrets {
    /// The deployment's prefix.
    pub prefix: String,
    /// The container's name.
    pub name: String,
    /// What secrets for the node are encrypted with.
    pub public_key: Option<String>,
    /// The names; nothing while there is no such container.
    pub keys: Option<Vec<String>>,
}

/// Encrypts what came in clear, so that nothing else is ever kept.
///
/// # Errors
/// 412 `publicKey` when there is no key to do it with.
fn secrets_encrypt(config: &mut InstanceConfig, public_key: Option<&str>) -> Result<()> {
    let is_clear =
        |secret: &&mut slipway_team::container::part::SecretKeyValue| !secret.encrypted && !secret.value.is_empty();
    for secret in config.secrets.iter_mut().flatten().filter(is_clear) {
        let Some(key) = public_key else {
            let message = "The node is not connected, so that nothing can be encrypted for it.";
            return Err(Error::precondition("publicKey", message).into());
        };
        secret.value = slipway_openpgp::encrypt(key, &secret.value).map_err(slipway_core::Error::internal)?;
        secret.encrypted = true;
        secret.public_key = Some(key.to_owned());
    }
    Ok(())
}

impl Service {
    /// Changes what an instance has otherwise than its image. Values that came in clear are encrypted for the node.
    ///
    /// # Errors
    /// 404 `deployment`, `instance`; 412 `status`, `publicKey`; 400 with the path of the member at fault.
    pub async fn team_instance_update(
        &self,
        cx: &Cx,
        member: &Member,
        deployment: DeploymentId,
        id: InstanceId,
        patch: &Map<String, Value>,
    ) -> Result<()> {
        let team = member.team.id;
        let mut db = self.read().await?;
        let node = deployment_of(&mut db, team, deployment).await?.node;
        let public_key = self.node_public_key(&node_of(&mut db, team, node).await?);
        drop(db);
        write!(self, |db| {
            let deployment = deployment_of(db, team, deployment).await?;
            let old = store::instance_by_id(db, deployment.id, id).await?;
            let old = old.ok_or_else(|| Error::not_found("instance"))?;
            mutable_check(&deployment, &version_of(db, &deployment).await?)?;
            let images = images_of(db, deployment.version).await?;
            let image = images.into_iter().find(|image| image.id == old.image);
            let image = image.ok_or_else(|| Error::not_found("instance"))?;
            let mut config = old.config.clone().unwrap_or_default().patch(&image.config, patch)?;
            secrets_encrypt(&mut config, public_key.as_deref())?;
            if patch.contains_key("storage") {
                storage_named_check(db, team, config.storage.as_ref()).await?;
            }
            let new = Instance { config: Some(config), updated: cx.now, ..old };
            store::instance_update(db, &new).await?;
            store::deployment_touch(db, team, deployment.id, (member.user, cx.now)).await?;
            Ok::<_, Fail>(())
        })?;
        Ok(())
    }

    /// Which secrets the container of an instance has on its node. Their values are never told.
    ///
    /// # Errors
    /// 404 `deployment`, `instance`; 412 `nodeId` when the node does not answer.
    pub async fn team_instance_secrets(
        &self,
        member: &Member,
        deployment: DeploymentId,
        id: InstanceId,
    ) -> Result<InstanceSecrets> {
        let view = self.team_instance_get(member, deployment, id).await?;
        let listed = self.team_deployment_listed(member.team.id, deployment).await?;
        let node = store::node_by_id(&mut self.read().await?, member.team.id, listed.node.id).await.stored()?;
        let node = node.ok_or_else(|| Error::not_found("node"))?;
        let unreachable =
            |message: &str| Error::from(Error::precondition("nodeId", message).value(node.id.to_string()));
        let driver = self.node_driver(&node).ok_or_else(|| unreachable("The node is not connected."))?;
        let name = view.container_name().to_owned();
        let asked = tokio::time::timeout(SECRETS_TIMEOUT, driver.secret_keys(&listed.prefix, &name)).await;
        let keys = asked
            .map_err(|_| unreachable("The node does not answer."))?
            .map_err(|error| unreachable(&format!("The node does not tell: {error}.")))?;
        Ok(InstanceSecrets { prefix: listed.prefix, name, public_key: self.node_public_key(&node), keys })
    }
}
