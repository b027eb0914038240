//! Starting a deployment: whether it may, and that it is to be. The reconciler carries it out.
//! Source: `team-api.md` §4.5.

use std::collections::BTreeSet;

use slipway_store as store;
use slipway_store::Db;
use slipway_team::container::check::Faults;
use slipway_team::deployment::start::{
    Start, Starter, Unit, foreign_secrets, plan, required_check, secrets_clear, secrets_refusal,
};
use slipway_team::deployment::{Deployment, DeploymentEvent, DeploymentToken, Instance, News, Status};
use slipway_team::image::Image;
use slipway_team::node::{Node, NodeStatus};
use slipway_team::team::person_name;
use slipway_team::{DeploymentId, Error, InstanceId, Member, Result, StorageId, TeamId};

use super::deployment::{deployment_of, images_of, instances_of, node_of, version_of};
use crate::stored::{Fail, Stored, write};
use crate::{Cx, Service};

/// What came of an attempt to start, inside its transaction.
enum Attempt {
    /// It is under way.
    Started,
    /// It was refused, and something was written all the same.
    Refused(Error),
}

impl Service {
    /// Starts a deployment, or those of its instances that are named. It is on its way when this returns.
    ///
    /// # Errors
    /// 404 `deployment`; 400 with the path of what is wrong in a configuration; 409 `id` when it is on its way; 412
    /// `instances`, `status`, `nodeId`, `instanceIds`, `publicKey`, `secrets`, `id`.
    pub async fn team_deployment_start(
        &self,
        cx: &Cx,
        member: &Member,
        id: DeploymentId,
        instances: Option<BTreeSet<InstanceId>>,
    ) -> Result<()> {
        let user = self.caller(cx).await?;
        let starter = Starter::User { id: user.id.to_string(), name: person_name(&user) };
        self.deployment_start_by(member.team.id, id, starter, instances).await
    }

    /// The same by the deployment's token.
    ///
    /// # Errors
    /// As [`Service::team_deployment_start`].
    pub async fn team_deployment_start_by_token(
        &self,
        token: &DeploymentToken,
        instances: Option<BTreeSet<InstanceId>>,
    ) -> Result<()> {
        let starter = Starter::Token { id: token.id.to_string(), name: token.name.clone() };
        self.deployment_start_by(token.team, token.deployment, starter, instances).await
    }

    async fn deployment_start_by(
        &self,
        team: TeamId,
        id: DeploymentId,
        starter: Starter,
        instances: Option<BTreeSet<InstanceId>>,
    ) -> Result<()> {
        let now = self.now();
        // The node of a deployment never changes; what is known of it is known without asking.
        let mut db = self.read().await?;
        let node = deployment_of(&mut db, team, id).await.map_err(Error::from)?.node;
        let node = node_of(&mut db, team, node).await.map_err(Error::from)?;
        drop(db);
        let (live, public_key) = (self.node_live(&node).status, self.node_public_key(&node));
        let attempt = write!(self, |db| {
            let deployment = deployment_of(db, team, id).await?;
            let version = version_of(db, &deployment).await?;
            if deployment.status == Status::InProgress {
                let refusal = Error::conflict("id", "The deployment is in progress.");
                return Err(refusal.value(id.to_string()).into());
            }
            let chosen = chosen(db, &deployment, instances.as_ref()).await?;
            let units = plan(version.kind, &deployment, &chosen)?;
            storages_check(db, team, &units).await?;
            connected_check(&node, live)?;
            required_check(&chosen, &units)?;
            let Some(public_key) = &public_key else {
                return Err(Error::precondition("publicKey", "The key of the node is not known.").into());
            };
            let invalid = foreign_secrets(&units, |key| slipway_openpgp::is_same_key(key, public_key));
            if !invalid.is_empty() {
                for (instance, _) in chosen {
                    let Some(invalid) = invalid.get(&instance.id) else { continue };
                    let mut config = instance.config.clone().unwrap_or_default();
                    secrets_clear(&mut config, invalid, public_key);
                    store::instance_update(db, &Instance { config: Some(config), updated: now, ..instance }).await?;
                }
                return Ok(Attempt::Refused(secrets_refusal(&invalid)));
            }
            let attempt = deployment.tries.saturating_add(1);
            let from = (deployment.status, deployment.tries);
            if !store::deployment_move(db, id, from, (Status::InProgress, attempt), now).await? {
                return Err(Error::conflict("id", "The deployment is in progress.").value(id.to_string()).into());
            }
            let told = [
                News::Log(vec![format!("Deployment started by {}.", starter.name())]),
                News::Status(Status::InProgress),
            ];
            for news in told {
                let event = DeploymentEvent { deployment: id, attempt, created: now, news };
                store::deployment_event_insert(db, &event).await?;
            }
            let environment = deployment.environment.clone();
            let start = Start { deployment: id, attempt, starter: starter.clone(), created: now, environment, units };
            store::deployment_start_insert(db, &start).await?;
            Ok::<_, Fail>(Attempt::Started)
        })?;
        match attempt {
            Attempt::Refused(error) => Err(error),
            Attempt::Started => {
                self.signals().deployment_started(id);
                Ok(())
            }
        }
    }

    /// Hears of every deployment, of whichever team, that tells something in this controller. What others tell is to be
    /// looked for.
    #[must_use]
    pub fn team_deployment_news(&self) -> tokio::sync::broadcast::Receiver<DeploymentId> {
        self.signals().deployment_news()
    }

    /// The newest events of a deployment behind those that were seen, oldest first, and how far one has seen then. For
    /// those who follow.
    ///
    /// # Errors
    /// 404 `deployment`.
    pub async fn team_deployment_events_after(
        &self,
        member: &Member,
        id: DeploymentId,
        seen: EventsSeen,
    ) -> Result<(Vec<DeploymentEvent>, EventsSeen)> {
        self.events_after(member, id, seen, EVENTS_MAX).await
    }

    /// How far one has seen who has seen all that a deployment told so far.
    ///
    /// # Errors
    /// 404 `deployment`.
    pub async fn team_deployment_events_seen(&self, member: &Member, id: DeploymentId) -> Result<EventsSeen> {
        Ok(self.events_after(member, id, EventsSeen::default(), 1).await?.1)
    }

    async fn events_after(
        &self,
        member: &Member,
        id: DeploymentId,
        EventsSeen(after): EventsSeen,
        limit: u32,
    ) -> Result<(Vec<DeploymentEvent>, EventsSeen)> {
        let mut db = self.read().await?;
        deployment_of(&mut db, member.team.id, id).await?;
        let (events, last) = store::deployment_events_after(&mut db, id, after, limit).await.stored()?;
        Ok((events, EventsSeen(last)))
    }
}

/// How far somebody has seen what a deployment tells; by default nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EventsSeen(i64);

/// Most events that are told at once to those who follow.
const EVENTS_MAX: u32 = 1000;

/// The instances that a start is about, with their images, in the order of these.
async fn chosen(
    db: &mut Db,
    deployment: &Deployment,
    wanted: Option<&BTreeSet<InstanceId>>,
) -> std::result::Result<Vec<(Instance, Image)>, Fail> {
    let images = images_of(db, deployment.version).await?;
    let is_wanted = |instance: &Instance| wanted.is_none_or(|wanted| wanted.contains(&instance.id));
    let with_image = |instance: Instance| {
        let image = images.iter().find(|image| image.id == instance.image)?.clone();
        Some((instance, image))
    };
    Ok(instances_of(db, deployment.id).await?.into_iter().filter(is_wanted).filter_map(with_image).collect())
}

/// Checks that the storages that files come from are the team's.
async fn storages_check(db: &mut Db, team: TeamId, units: &[Unit]) -> std::result::Result<(), Fail> {
    let mut faults = Faults::default();
    for (index, unit) in units.iter().enumerate() {
        let Some(id) = unit.config.storage.as_ref().and_then(|storage| storage.storage_id.as_deref()) else { continue };
        let known = match id.parse::<StorageId>() {
            Ok(id) => store::storage_by_id(db, team, id).await?.is_some(),
            Err(_) => false,
        };
        if !known {
            faults.add(format!("instances[{index}].config.storage.storageId"), "is no storage of the team");
        }
    }
    Ok(faults.into_result()?)
}

/// Step 4 and 8: the node answers, and is not too old.
fn connected_check(node: &Node, live: NodeStatus) -> Result<()> {
    let refusal = match live {
        NodeStatus::Connected => return Ok(()),
        NodeStatus::Unreachable => Error::precondition("nodeId", "The node is not connected."),
        NodeStatus::Outdated => Error::precondition("id", "What runs on the node is too old."),
    };
    Err(refusal.value(node.id.to_string()).into())
}
