//! Carrying out a deployment that was started: its containers go out one after the other, until all run or one does not.
//! Source: `team-api.md` §4.5.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;
use slipway_core::config::SecretText;
use slipway_core::{Error, Result};
use slipway_engine::workload::{Ownership, StorageAccess, WorkloadNode, WorkloadProgress, WorkloadSpec};
use slipway_engine::{EngineError, RegistryLogin};
use slipway_store as store;
use slipway_store::{Db, StoreError};
use slipway_team::container::Effective;
use slipway_team::deployment::start::{Start, Unit};
use slipway_team::deployment::{DeploymentEvent, Instance, Listed, News, Placed, Status, replaced_by};
use slipway_team::node::Node;
use slipway_team::notification::Happening;
use slipway_team::registry::Registry;
use slipway_team::storage::Storage;
use slipway_team::version::VersionKind;
use slipway_team::{DeploymentId, RegistryId, StorageId, TeamId};
use tokio::time::Instant;

use super::happening::happening_record;
use crate::Service;
use crate::stored::{Fail, Stored, write};

/// Longest wait for a change of a container before it is looked at again.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);
/// How long a node may be away while a container of it is waited for.
const LOST_AFTER: Duration = Duration::from_secs(30);
/// Pause before the end of a deployment is written once more, when the database was away.
const RETRY: Duration = Duration::from_secs(1);
/// What is said of a deployment whose controller went away in the middle of it.
pub(crate) const INTERRUPTED: &str = "The platform was restarted while the deployment was in progress.";

/// All that a start needs beside itself.
struct Run {
    start: Start,
    listed: Listed,
    team: TeamId,
    node: Node,
    registries: BTreeMap<RegistryId, Registry>,
    storages: BTreeMap<StorageId, Storage>,
}

impl Service {
    /// Carries out a deployment that this controller took up, and writes down how it ended.
    pub(crate) async fn deployment_run(&self, team: TeamId, id: DeploymentId, attempt: u32) {
        let failure = match self.deployment_load(team, id).await {
            Ok(Some(run)) if run.start.attempt == attempt => self.deployment_carry(&run).await.err(),
            Ok(_) => Some("It was changed while it was in progress.".to_owned()),
            Err(error) => {
                tracing::error!(deployment.id = %id, "could not read a deployment that was started: {error}");
                Some("The platform failed to read it.".to_owned())
            }
        };
        // However long the database is away: it must be known how the deployment ended.
        while let Err(error) = self.deployment_end(team, (id, attempt), failure.as_deref()).await {
            tracing::warn!(deployment.id = %id, "could not write down how a deployment ended: {error}");
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn deployment_load(&self, team: TeamId, id: DeploymentId) -> Result<Option<Run>> {
        let mut db = self.read().await?;
        let Some(start) = store::deployment_start_by_id(&mut db, id).await.stored()? else { return Ok(None) };
        let Some(listed) = store::deployment_listed(&mut db, team, id).await.stored()? else { return Ok(None) };
        let Some(node) = store::node_by_id(&mut db, team, listed.node.id).await.stored()? else { return Ok(None) };
        let ids: Vec<RegistryId> = start.units.iter().map(|unit| unit.registry).collect();
        let registries = store::registries_by_ids(&mut db, team, &ids).await.stored()?;
        let storages = store::storages_list(&mut db, team).await.stored()?;
        let storages = storages.into_iter().map(|storage| (storage.id, storage)).collect();
        Ok(Some(Run { start, listed, team, node, registries, storages }))
    }

    /// Hands the containers to the node in their order, then waits for all of them at once: how long one takes to come up
    /// delays no other. The reason when one is refused or does not come up. Source: `team-api.md` §4.5.
    async fn deployment_carry(&self, run: &Run) -> std::result::Result<(), String> {
        let driver = self.node_driver(&run.node).ok_or_else(|| "The node is not connected any more.".to_owned())?;
        let mut applied = Vec::with_capacity(run.start.units.len());
        for unit in &run.start.units {
            let spec = self.spec(run, unit)?;
            self.deployment_tell(run, News::Log(vec![format!("Deploying {} ({}).", spec.name(), spec.image)])).await;
            driver.apply(&spec).await.map_err(|error| failed(spec.name(), &error))?;
            applied.push((unit, spec));
        }
        let Some(limit) = self.config().teams.rollout_timeout else { return Ok(()) };
        let waits = applied.iter().map(|(unit, spec)| self.rollout_wait(run, unit, (&driver, spec), limit));
        futures::future::try_join_all(waits).await.map(drop)
    }

    /// A container as its node is to have it. Secrets are read here and nowhere else.
    fn spec(&self, run: &Run, unit: &Unit) -> std::result::Result<WorkloadSpec, String> {
        let config = unit.effective();
        let name = &config.name;
        let registry = run.registries.get(&unit.registry);
        let registry = registry.ok_or_else(|| format!("{name}: the registry of its image is gone."))?;
        let mut secrets = BTreeMap::new();
        for secret in config.secrets.iter().filter(|secret| secret.is_set()) {
            let text = self.node_decrypt(&run.node, &secret.value);
            let text = text.map_err(|error| format!("{name}: the secret {} cannot be used: {error}.", secret.key))?;
            secrets.insert(secret.key.clone(), text);
        }
        // An empty secret is a secret all the same.
        for secret in config.secrets.iter().filter(|secret| secret.value.is_empty()) {
            secrets.entry(secret.key.clone()).or_insert_with(|| SecretText::new(""));
        }
        let login = registry.details.credentials.as_ref().map(|credentials| RegistryLogin {
            hostname: Some(registry.details.credentials_host().to_owned()).filter(|host| !host.is_empty()),
            username: credentials.user.clone(),
            password: SecretText::new(credentials.token.expose_secret()),
        });
        Ok(WorkloadSpec {
            ownership: Ownership {
                team: run.team,
                project: run.listed.project.id,
                version: run.listed.version.id,
                deployment: run.listed.id,
                instance: unit.instance,
            },
            prefix: run.listed.prefix.clone(),
            image: unit.reference(&registry.details.pull_name(&unit.image)),
            registry: login,
            environment: run.start.environment.iter().map(|pair| (pair.key.clone(), pair.value.clone())).collect(),
            secrets,
            storage: storage(run, &config)?,
            started_at: run.start.created,
            config,
        })
    }

    /// Waits until a container runs, telling what it does meanwhile.
    async fn rollout_wait(
        &self,
        run: &Run,
        unit: &Unit,
        (driver, spec): (&Arc<dyn WorkloadNode>, &WorkloadSpec),
        limit: Duration,
    ) -> std::result::Result<(), String> {
        let name = spec.name();
        let deadline = Instant::now() + limit;
        let (mut told, mut lost) = (None, None);
        loop {
            match driver.progress(&spec.prefix, name).await {
                Ok(WorkloadProgress::Up) => {
                    let state = "running".to_owned();
                    self.deployment_tell(run, News::Container { instance: unit.instance, state }).await;
                    self.deployment_tell(run, News::Log(vec![format!("{name} is running.")])).await;
                    return Ok(());
                }
                Ok(WorkloadProgress::Coming(state, reason)) => {
                    lost = None;
                    if told.as_ref() != Some(&(state, reason.clone())) {
                        let word = state.as_str().to_owned();
                        let news = News::Container { instance: unit.instance, state: word };
                        self.deployment_tell(run, news).await;
                        if !reason.is_empty() {
                            let line = format!("{name} is {}: {reason}.", state.as_str());
                            self.deployment_tell(run, News::Log(vec![line])).await;
                        }
                        told = Some((state, reason));
                    }
                }
                Ok(WorkloadProgress::Stuck { reason, output }) => {
                    if !output.is_empty() {
                        let lines = output.iter().map(|line| format!("{name}: {line}")).collect();
                        self.deployment_tell(run, News::Log(lines)).await;
                    }
                    return Err(format!("{name} does not come up: {reason}"));
                }
                Err(error @ EngineError::Unavailable { .. }) => {
                    let since = *lost.get_or_insert_with(Instant::now);
                    if since.elapsed() >= LOST_AFTER.min(limit) {
                        return Err(failed(name, &error));
                    }
                }
                Err(error) => return Err(failed(name, &error)),
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(format!("{name} did not come up within {} s.", limit.as_secs()));
            }
            driver.changed(&spec.prefix, LOOK_INTERVAL.min(left)).await;
            // A node that cannot be asked may not be able to tell of changes either.
            if lost.is_some() {
                tokio::time::sleep(RETRY.min(left)).await;
            }
        }
    }

    /// Writes down what a deployment tells. That it cannot be written ends nothing.
    async fn deployment_tell(&self, run: &Run, news: News) {
        let event =
            DeploymentEvent { deployment: run.start.deployment, attempt: run.start.attempt, created: self.now(), news };
        let written = write!(self, |db| {
            store::deployment_event_insert(db, &event).await?;
            Ok::<_, Fail>(())
        });
        if let Err(error) = written.map_err(Error::from) {
            tracing::warn!(deployment.id = %event.deployment, "could not write down what a deployment told: {error}");
        }
        self.signals().deployment_told(event.deployment);
    }

    /// Writes down how a try of a deployment ended; nothing if it was written down already.
    pub(crate) async fn deployment_end(
        &self,
        team: TeamId,
        (id, attempt): (DeploymentId, u32),
        failure: Option<&str>,
    ) -> Result<()> {
        let now = self.now();
        let status = if failure.is_some() { Status::Failed } else { Status::Successful };
        let is_done = write!(self, |db| {
            let from = (Status::InProgress, attempt);
            let listed = store::deployment_listed(db, team, id).await?;
            let Some(listed) = listed else { return Ok(false) };
            if !store::deployment_move(db, id, from, (status, attempt), now).await? {
                return Ok(false);
            }
            let start = store::deployment_start_by_id(db, id).await?;
            store::deployment_start_delete(db, id).await?;
            if let Some(reason) = failure {
                let news = News::Log(vec![reason.to_owned()]);
                event_write(db, DeploymentEvent { deployment: id, attempt, created: now, news }).await?;
            } else {
                let taken = places_take(db, &listed).await?;
                tracing::debug!(deployment.id = %id, "took the place of {taken} deployments");
                if let Some(start) = start.as_ref().filter(|_| listed.version.kind == VersionKind::Incremental) {
                    freeze(db, start, now).await?;
                }
            }
            let news = News::Status(status);
            event_write(db, DeploymentEvent { deployment: id, attempt, created: now, news }).await?;
            let who = start.map_or_else(|| "Unknown".to_owned(), |start| start.starter.name().to_owned());
            let (project, version, node) = (listed.project.name, listed.version.name, listed.node.name);
            let happening = match failure {
                None => Happening::DeploymentSucceeded { who, project, version, node },
                Some(_) => Happening::DeploymentFailed { who, project, version, node },
            };
            happening_record(db, team, &happening, now).await?;
            Ok::<_, Fail>(true)
        })
        .map_err(Error::from)?;
        if is_done {
            self.happening_told();
        }
        self.signals().deployment_told(id);
        Ok(())
    }
}

/// Why a container failed, for the log of the deployment.
fn failed(name: &str, error: &EngineError) -> String {
    if let EngineError::Unavailable { context, .. } = error {
        tracing::warn!(context, "a node could not be asked for {name}");
    }
    format!("{name}: {error}")
}

/// The object store that files come from.
fn storage(run: &Run, config: &Effective) -> std::result::Result<Option<StorageAccess>, String> {
    let Some(id) = config.storage.as_ref().and_then(|storage| storage.storage_id.as_deref()) else { return Ok(None) };
    let gone = || format!("{}: its storage is gone.", config.name);
    let id: StorageId = id.parse().map_err(|_| gone())?;
    let storage = run.storages.get(&id).ok_or_else(gone)?;
    let endpoint = if storage.url.contains("://") { storage.url.clone() } else { format!("https://{}", storage.url) };
    let secret = storage.secret_key.as_ref().map(|key| SecretText::new(key.expose_secret()));
    Ok(Some(StorageAccess { endpoint, credentials: storage.access_key.clone().zip(secret) }))
}

async fn event_write(db: &mut Db, event: DeploymentEvent) -> std::result::Result<(), StoreError> {
    store::deployment_event_insert(db, &event).await
}

/// Makes those obsolete whose place `done` took; how many.
async fn places_take(db: &mut Db, done: &Listed) -> std::result::Result<usize, StoreError> {
    let others = store::deployments_placed(db, done.node.id, &done.prefix).await?;
    let kin = store::version_kin(db, done.project.id, done.version.id).await?;
    let place = Placed {
        id: done.id,
        version: done.version.id,
        node: done.node.id,
        prefix: done.prefix.clone(),
        status: Status::Successful,
    };
    store::deployments_replace(db, &replaced_by(&place, &kin, &others)).await
}

/// Keeps what went out as the instances' own, so that one can go back to it whatever becomes of the images.
async fn freeze(db: &mut Db, start: &Start, now: chrono::DateTime<chrono::Utc>) -> std::result::Result<(), StoreError> {
    for unit in &start.units {
        if let Some(old) = store::instance_by_id(db, start.deployment, unit.instance).await? {
            let new = Instance { config: Some(unit.config.clone()), updated: now, ..old };
            store::instance_update(db, &new).await?;
        }
    }
    Ok(())
}
