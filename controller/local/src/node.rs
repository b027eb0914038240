//! This machine as a node of teams: containers of deployments, run as image releases are.
//!
//! A container is an app of the engine that no database knows. What it takes to start it is kept here, so that it runs
//! again after a restart of the platform. As for apps, containers share the machine's network, listen on `$PORT` and are
//! started again whenever they end.
//!
//! Source: `team-api.md` §8, §9.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::Utc;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use slipway_core::ReleaseVersion;
use slipway_core::build::BuildKind;
use slipway_core::log::{LogLine, LogQuery};
use slipway_engine::status::RolloutState;
use slipway_engine::workload::{
    Container, ContainerCommand, ContainerState, NodeFacts, WorkloadNode, WorkloadProgress, WorkloadSpec,
};
use slipway_engine::{AppStatus, Artifact, Engine, EngineError, PodState, RunSpec};
use slipway_team::container::check::is_label;

use crate::app::release::unavailable;
use crate::engine::LocalEngine;

pub(crate) mod record;
mod wish;

use record::{Record, Shelf, stamp};
use wish::Before;

/// How long something that runs before a container may run.
const BEFORE_LIMIT: Duration = Duration::from_mins(15);
/// Lines of what fails before a container that are told.
const LAST_LINES: usize = 40;

/// This machine as a node.
#[derive(Debug)]
pub struct LocalNode {
    engine: Arc<LocalEngine>,
    shelf: Shelf,
    /// The domain that exposed containers without one of their own get a name under.
    root_domain: Option<String>,
    /// One change at a time: records are read, changed and written.
    changing: tokio::sync::Mutex<()>,
}

fn missing(prefix: &str, name: &str) -> EngineError {
    EngineError::Missing(format!("the container {name} of {prefix}"))
}

impl LocalNode {
    /// The node that `engine` is, with what ran on it before.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`] when the records cannot be read.
    pub async fn start(engine: Arc<LocalEngine>, root_domain: Option<String>) -> Result<Arc<Self>, EngineError> {
        let shelf = engine.shelf();
        let node = Arc::new(Self { engine, shelf, root_domain, changing: tokio::sync::Mutex::new(()) });
        for record in node.all().await? {
            if let Err(error) = node.bring_about(&record, None).await {
                tracing::warn!(prefix = record.prefix, name = record.name, %error, "a container cannot be started again");
            }
        }
        Ok(node)
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(Shelf) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, EngineError> {
        let (shelf, public) = (self.shelf.clone(), "the node's records cannot be used");
        let done =
            tokio::task::spawn_blocking(move || work(shelf)).await.map_err(|error| unavailable(public, &error))?;
        done.map_err(|error| unavailable(public, &error))
    }

    async fn all(&self) -> Result<Vec<Record>, EngineError> {
        self.blocking(|shelf| shelf.all()).await
    }

    /// The record of a container, also of one of which only volumes are left.
    async fn find(&self, prefix: &str, name: &str) -> Result<Option<Record>, EngineError> {
        let all = self.all().await?;
        Ok(all.into_iter().find(|record| record.prefix == prefix && record.name == name))
    }

    /// The record of a container that is there.
    async fn there(&self, prefix: &str, name: &str) -> Result<Record, EngineError> {
        let found = self.find(prefix, name).await?.filter(|record| !record.is_deleted);
        found.ok_or_else(|| missing(prefix, name))
    }

    async fn keep(&self, record: &Record) -> Result<(), EngineError> {
        let record = record.clone();
        self.blocking(move |shelf| shelf.write(&record)).await
    }

    async fn bring_about(
        &self,
        record: &Record,
        login: Option<&slipway_engine::RegistryLogin>,
    ) -> Result<(), EngineError> {
        self.engine.app_apply(wish::app(record, login)?).await
    }

    async fn forget(&self, record: &Record) -> Result<(), EngineError> {
        let name = wish::app_name(record)?;
        if let Some(app) = record.app() {
            self.engine.app_remove(app, &name).await?;
        }
        let record = record.clone();
        self.blocking(move |shelf| shelf.remove(&record)).await
    }

    async fn pinned(&self, image: &str, login: Option<&slipway_engine::RegistryLogin>) -> Result<String, EngineError> {
        let artifact = Artifact::Image { reference: image.to_owned() };
        self.engine.artifact_check(&artifact).await?;
        match self.engine.artifact_pin(&artifact, login).await? {
            Artifact::Image { reference } => Ok(reference),
            Artifact::Slug { .. } => Ok(image.to_owned()),
        }
    }

    /// Runs something to its end.
    async fn run_before(&self, spec: &WorkloadSpec, record: &Record, before: Before) -> Result<(), EngineError> {
        let app = record.app().ok_or_else(|| missing(&record.prefix, &record.name))?;
        let links = before.links.iter().map(|(name, path)| wish::mount(record, name, path));
        let outcome = self
            .engine
            .run(RunSpec {
                app,
                name: wish::app_name(record)?,
                version: ReleaseVersion(record.version),
                artifact: Artifact::Image { reference: before.image.clone() },
                kind: BuildKind::Image,
                registry: spec.registry.clone(),
                placement: BTreeMap::new(),
                env: before.env,
                command: before.line,
                process_name: format!("run.{}", before.name),
                memory: None,
                cpu: None,
                timeout: BEFORE_LIMIT,
                mounts: links.collect::<Result<_, _>>()?,
            })
            .await?;
        if outcome.exit_code == 0 {
            return Ok(());
        }
        let mut text =
            format!("{}, which runs before the container, ended with exit code {}", before.name, outcome.exit_code);
        let output = String::from_utf8_lossy(&outcome.output).into_owned();
        let lines: Vec<&str> = output.lines().collect();
        for line in &lines[lines.len().saturating_sub(LAST_LINES)..] {
            text = format!("{text}\n{line}");
        }
        Err(EngineError::Rejected(text))
    }

    async fn status(&self, record: &Record) -> Result<AppStatus, EngineError> {
        match record.app() {
            Some(app) => self.engine.app_status(app).await,
            None => Ok(AppStatus::default()),
        }
    }

    async fn container(&self, record: &Record) -> Result<Container, EngineError> {
        let status = self.status(record).await?;
        let (state, reason) = state(record, &status);
        let image = record.image.as_str();
        let path = image.rfind('/').map_or(0, |at| at + 1);
        let (image_name, image_tag) = match image[path..].rfind(':') {
            _ if image.contains('@') => (image, ""),
            Some(at) => (&image[..path + at], &image[path + at + 1..]),
            None => (image, "latest"),
        };
        Ok(Container {
            prefix: record.prefix.clone(),
            name: record.name.clone(),
            command: record.command.clone(),
            created_at: record.created_at(),
            state,
            reason,
            image_name: image_name.to_owned(),
            image_tag: image_tag.to_owned(),
            ports: Vec::new(),
        })
    }

    fn query(record: &Record, lines: usize) -> LogQuery {
        LogQuery { lines, process_type: Some(record.process_type.clone()) }
    }
}

/// What the newest process of a container does.
fn state(record: &Record, status: &AppStatus) -> (ContainerState, String) {
    let newest = status.pods.iter().max_by_key(|pod| pod.started);
    match newest.map(|pod| &pod.state) {
        Some(PodState::Up) => (ContainerState::Running, "Started".to_owned()),
        None if !record.is_running => (ContainerState::Exited, "Stopped".to_owned()),
        Some(state @ (PodState::Down | PodState::Destroyed)) => (ContainerState::Exited, state.to_string()),
        Some(state) => (ContainerState::Waiting, state.to_string()),
        None => (ContainerState::Waiting, String::new()),
    }
}

#[async_trait]
impl WorkloadNode for LocalNode {
    async fn facts(&self) -> Result<NodeFacts, EngineError> {
        if !self.engine.has_runtime() {
            return Err(EngineError::Unavailable {
                public: "no container runtime is installed on this machine: install runc, crun or podman".to_owned(),
                context: "no container runtime is installed".to_owned(),
            });
        }
        let version = format!("Slipway {}", env!("CARGO_PKG_VERSION"));
        Ok(NodeFacts { version, address: Some("this machine".to_owned()) })
    }

    async fn apply(&self, spec: &WorkloadSpec) -> Result<(), EngineError> {
        if !is_label(&spec.prefix) || !is_label(spec.name()) {
            return Err(EngineError::Rejected("prefix and name must be DNS labels".to_owned()));
        }
        let _one = self.changing.lock().await;
        let known = self.find(&spec.prefix, spec.name()).await?;
        if let Some(known) = &known {
            if known.team != spec.ownership.team.to_string() {
                let text =
                    format!("the node has a container {} of {} that is another team's", known.name, known.prefix);
                return Err(EngineError::Rejected(text));
            }
            if known.started_at == stamp(spec.started_at) && !known.is_deleted {
                // Written before it was handed over: it may have been killed between the two.
                return self.bring_about(known, spec.registry.as_ref()).await;
            }
        }
        // Before anything is fetched.
        let root = self.root_domain.as_deref();
        wish::record(spec, known.as_ref(), &spec.image, root)?;
        let pinned = self.pinned(&spec.image, spec.registry.as_ref()).await?;
        let record = wish::record(spec, known.as_ref(), &pinned, root)?;
        let wanted = wish::app(&record, spec.registry.as_ref())?;
        let before = wish::before(spec, &record)?;
        if !before.is_empty() && known.is_none() {
            // The engine's apps that nobody knows are removed, also while something runs for them.
            self.keep(&Record { is_deleted: true, env: BTreeMap::new(), ..record.clone() }).await?;
        }
        for one in before {
            if let Err(error) = self.run_before(spec, &record, one).await {
                if known.is_none() {
                    self.forget(&record).await?;
                }
                return Err(error);
            }
        }
        self.keep(&record).await?;
        self.engine.app_apply(wanted).await
    }

    async fn progress(&self, prefix: &str, name: &str) -> Result<WorkloadProgress, EngineError> {
        let record = self.there(prefix, name).await?;
        let status = self.status(&record).await?;
        let is_current = status.applied_generation == Some(record.generation);
        let (state, reason) = state(&record, &status);
        Ok(match status.rollout.filter(|_| is_current).map(|rollout| rollout.state) {
            Some(RolloutState::Ready) if record.is_running => WorkloadProgress::Up,
            Some(RolloutState::Failing(text)) => {
                let mut lines = text.lines().map(str::to_owned);
                let reason = lines.next().unwrap_or_default();
                WorkloadProgress::Stuck { reason, output: lines.collect() }
            }
            Some(RolloutState::Progressing(text)) => WorkloadProgress::Coming(ContainerState::Waiting, text),
            Some(RolloutState::Ready) | None => WorkloadProgress::Coming(state, reason),
        })
    }

    async fn changed(&self, prefix: &str, limit: Duration) {
        let mut changes = self.engine.changes();
        let wait = async {
            let Ok(all) = self.all().await else { return };
            let apps: Vec<_> = all.iter().filter(|one| one.prefix == prefix).filter_map(Record::app).collect();
            // A listener that is behind has missed something; one whose engine is gone waits no more.
            while let Ok(app) = changes.recv().await {
                if apps.contains(&app) {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(limit, wait).await;
    }

    async fn containers(&self, prefix: Option<&str>) -> Result<Vec<Container>, EngineError> {
        let mut all = Vec::new();
        for record in self.all().await? {
            if !record.is_deleted && prefix.is_none_or(|prefix| record.prefix == prefix) {
                all.push(self.container(&record).await?);
            }
        }
        Ok(all)
    }

    async fn command(&self, prefix: &str, name: &str, command: ContainerCommand) -> Result<(), EngineError> {
        let _one = self.changing.lock().await;
        let mut record = self.there(prefix, name).await?;
        match command {
            ContainerCommand::Start => record.is_running = true,
            ContainerCommand::Stop => record.is_running = false,
            ContainerCommand::Restart => record.restarts += 1,
        }
        record.generation += 1;
        self.keep(&record).await?;
        self.bring_about(&record, None).await
    }

    async fn delete(&self, prefix: &str, name: &str) -> Result<(), EngineError> {
        let _one = self.changing.lock().await;
        let mut record = self.there(prefix, name).await?;
        if record.volumes.is_empty() {
            return self.forget(&record).await;
        }
        // The files stay for the next container of that name.
        record.is_deleted = true;
        record.env.clear();
        record.secret_keys.clear();
        record.created_at = stamp(Utc::now());
        record.generation += 1;
        self.keep(&record).await?;
        self.bring_about(&record, None).await
    }

    async fn delete_all(&self, prefix: &str) -> Result<(), EngineError> {
        let _one = self.changing.lock().await;
        let all: Vec<Record> = self.all().await?.into_iter().filter(|record| record.prefix == prefix).collect();
        if all.is_empty() {
            return Err(EngineError::Missing(format!("the prefix {prefix}")));
        }
        for record in &all {
            self.forget(record).await?;
        }
        Ok(())
    }

    async fn secret_keys(&self, prefix: &str, name: &str) -> Result<Option<Vec<String>>, EngineError> {
        let found = self.find(prefix, name).await?.filter(|record| !record.is_deleted);
        Ok(found.map(|record| record.secret_keys))
    }

    async fn log(
        &self,
        prefix: &str,
        name: &str,
        tail: u32,
        is_following: bool,
    ) -> Result<BoxStream<'static, LogLine>, EngineError> {
        let record = self.there(prefix, name).await?;
        let Some(app) = record.app() else { return Ok(stream::empty().boxed()) };
        let query = Self::query(&record, usize::try_from(tail).unwrap_or(usize::MAX));
        if is_following {
            return self.engine.log_follow(app, query).await;
        }
        Ok(stream::iter(self.engine.log_read(app, query).await?).boxed())
    }
}
