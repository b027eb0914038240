//! Nodes in memory that do as they are told.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{SubsecRound, Utc};
use futures::StreamExt;
use futures::stream::BoxStream;
use secrecy::ExposeSecret;
use slipway_core::log::LogLine;
use slipway_engine::EngineError;
use slipway_engine::workload::{
    Container, ContainerCommand, ContainerState, NodeFacts, WorkloadNode, WorkloadProgress, WorkloadSpec,
};
use slipway_team::node::{Access, NodeKind};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, broadcast};

use crate::NodeConnector;

/// Nodes in memory: the platform's own, which is a cluster, and one for each kubeconfig or address that was given.
pub struct FakeNodes {
    platform: Option<Arc<FakeNode>>,
    joined: Mutex<HashMap<String, Arc<FakeNode>>>,
}

impl Default for FakeNodes {
    fn default() -> Self {
        Self { platform: Some(Arc::default()), joined: Mutex::default() }
    }
}

impl FakeNodes {
    /// Without a node of the platform's.
    #[must_use]
    pub fn without_platform() -> Self {
        Self { platform: None, ..Self::default() }
    }

    /// The platform's own node.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    #[expect(clippy::expect_used, reason = "only tests ask, and they made it")]
    pub fn own(&self) -> Arc<FakeNode> {
        Arc::clone(self.platform.as_ref().expect("the platform has a node"))
    }

    /// The node that joined, or will join, with this kubeconfig or address.
    #[must_use]
    pub fn joined(&self, by: &str) -> Arc<FakeNode> {
        let mut joined = self.joined.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(joined.entry(by.to_owned()).or_default())
    }
}

#[async_trait]
impl NodeConnector for FakeNodes {
    fn platform(&self) -> Option<(NodeKind, Arc<dyn WorkloadNode>)> {
        let node = self.platform.as_ref()?;
        Some((NodeKind::Kubernetes, Arc::clone(node) as Arc<dyn WorkloadNode>))
    }

    async fn connect(&self, access: &Access) -> Result<Arc<dyn WorkloadNode>, EngineError> {
        let by = match access {
            Access::Kubeconfig(config) => config.expose_secret(),
            Access::Engine { address, .. } => address,
            Access::None | Access::Platform => return Err(EngineError::Rejected("there is no way".to_owned())),
        };
        if by.contains("refused") {
            return Err(EngineError::Rejected("it is refused".to_owned()));
        }
        Ok(self.joined(by))
    }
}

/// A node in memory. What is applied runs at once unless a script says otherwise.
pub struct FakeNode {
    state: Mutex<State>,
    changed: Notify,
    written: broadcast::Sender<Written>,
}

/// What those who follow a log are told.
#[derive(Clone)]
enum Written {
    Line(LogLine),
    /// The container of this prefix and name does not run any more.
    End(String, String),
}

impl Default for FakeNode {
    fn default() -> Self {
        Self { state: Mutex::default(), changed: Notify::new(), written: broadcast::channel(256).0 }
    }
}

#[derive(Default)]
struct State {
    is_away: bool,
    is_hanging: bool,
    version: Option<String>,
    applied: Vec<WorkloadSpec>,
    running: BTreeMap<(String, String), (WorkloadSpec, ContainerState)>,
    progress: HashMap<String, WorkloadProgress>,
    refusals: HashMap<String, String>,
    commands: Vec<(String, String, ContainerCommand)>,
    is_chatty: bool,
}

impl FakeNode {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on nobody can reach it, or everybody can again.
    pub fn away(&self, is_away: bool) {
        self.state().is_away = is_away;
    }

    /// From now on it never answers what it is, or does so again.
    pub fn hang(&self, is_hanging: bool) {
        self.state().is_hanging = is_hanging;
    }

    /// What it says that runs there; by default `Kubernetes v1.33.2`.
    pub fn version(&self, version: &str) {
        self.state().version = Some(version.to_owned());
    }

    /// How far a container of this name gets; by default it runs at once.
    pub fn progress_set(&self, name: &str, progress: WorkloadProgress) {
        self.state().progress.insert(name.to_owned(), progress);
        self.changed.notify_waiters();
    }

    /// A container of this name is refused for this reason.
    pub fn refuse(&self, name: &str, reason: &str) {
        self.state().refusals.insert(name.to_owned(), reason.to_owned());
    }

    /// A container of this name is not refused any more.
    pub fn accept(&self, name: &str) {
        self.state().refusals.remove(name);
    }

    /// Everything that was applied, oldest first.
    #[must_use]
    pub fn applied(&self) -> Vec<WorkloadSpec> {
        self.state().applied.clone()
    }

    /// The containers that are there now, with what they do.
    #[must_use]
    pub fn running(&self) -> Vec<(String, String, ContainerState)> {
        let state = self.state();
        state.running.iter().map(|((prefix, name), (_, what))| (prefix.clone(), name.clone(), *what)).collect()
    }

    /// Lets containers of this name write a line, for those who follow.
    pub fn write(&self, name: &str, text: &str) {
        // Nobody may follow.
        let line = LogLine { time: Utc::now(), source: name.to_owned(), text: text.to_owned() };
        drop(self.written.send(Written::Line(line)));
    }

    fn ended(&self, prefix: &str, name: &str) {
        // Nobody may follow.
        drop(self.written.send(Written::End(prefix.to_owned(), name.to_owned())));
    }

    /// How many follow what is written.
    #[must_use]
    pub fn followers(&self) -> usize {
        self.written.receiver_count()
    }

    /// From now on its containers write numbers without an end, as fast as they are read, in lines of 8 KiB.
    pub fn chatter(&self) {
        self.state().is_chatty = true;
    }

    /// The commands that were given, oldest first.
    #[must_use]
    pub fn commands(&self) -> Vec<(String, String, ContainerCommand)> {
        self.state().commands.clone()
    }

    fn reach(&self) -> Result<MutexGuard<'_, State>, EngineError> {
        let state = self.state();
        if state.is_away {
            let public = "the fake node is away".to_owned();
            return Err(EngineError::Unavailable { public, context: "scripted".to_owned() });
        }
        Ok(state)
    }
}

fn missing(prefix: &str, name: &str) -> EngineError {
    EngineError::Missing(format!("the container {name} of {prefix}"))
}

#[async_trait]
impl WorkloadNode for FakeNode {
    async fn facts(&self) -> Result<NodeFacts, EngineError> {
        if self.state().is_hanging {
            std::future::pending::<()>().await;
        }
        let state = self.reach()?;
        let version = state.version.clone().unwrap_or_else(|| "Kubernetes v1.33.2".to_owned());
        Ok(NodeFacts { version, address: Some("https://node.example:6443".to_owned()) })
    }

    async fn apply(&self, spec: &WorkloadSpec) -> Result<(), EngineError> {
        let mut state = self.reach()?;
        if let Some(reason) = state.refusals.get(spec.name()) {
            return Err(EngineError::Rejected(reason.clone()));
        }
        state.applied.push(spec.clone());
        let key = (spec.prefix.clone(), spec.name().to_owned());
        state.running.insert(key, (spec.clone(), ContainerState::Running));
        drop(state);
        self.changed.notify_waiters();
        Ok(())
    }

    async fn progress(&self, prefix: &str, name: &str) -> Result<WorkloadProgress, EngineError> {
        let state = self.reach()?;
        if !state.running.contains_key(&(prefix.to_owned(), name.to_owned())) {
            return Err(missing(prefix, name));
        }
        Ok(state.progress.get(name).cloned().unwrap_or(WorkloadProgress::Up))
    }

    async fn changed(&self, _prefix: &str, limit: Duration) {
        drop(tokio::time::timeout(limit, self.changed.notified()).await);
    }

    async fn containers(&self, prefix: Option<&str>) -> Result<Vec<Container>, EngineError> {
        let state = self.reach()?;
        let wanted = state.running.iter().filter(|((own, _), _)| prefix.is_none_or(|prefix| prefix == own));
        let container = |((prefix, name), (spec, what)): (&(String, String), &(WorkloadSpec, ContainerState))| {
            let (image, tag) = spec.image.rsplit_once(':').unwrap_or((&spec.image, ""));
            Container {
                prefix: prefix.clone(),
                name: name.clone(),
                command: String::new(),
                created_at: spec.started_at.trunc_subsecs(3),
                state: *what,
                reason: "Started".to_owned(),
                image_name: image.to_owned(),
                image_tag: tag.to_owned(),
                ports: vec![(80, None)],
            }
        };
        Ok(wanted.map(container).collect())
    }

    async fn command(&self, prefix: &str, name: &str, command: ContainerCommand) -> Result<(), EngineError> {
        let mut state = self.reach()?;
        let (_, what) =
            state.running.get_mut(&(prefix.to_owned(), name.to_owned())).ok_or_else(|| missing(prefix, name))?;
        *what = match command {
            ContainerCommand::Start | ContainerCommand::Restart => ContainerState::Running,
            ContainerCommand::Stop => ContainerState::Exited,
        };
        state.commands.push((prefix.to_owned(), name.to_owned(), command));
        drop(state);
        if command != ContainerCommand::Start {
            self.ended(prefix, name);
        }
        self.changed.notify_waiters();
        Ok(())
    }

    async fn delete(&self, prefix: &str, name: &str) -> Result<(), EngineError> {
        let mut state = self.reach()?;
        let gone = state.running.remove(&(prefix.to_owned(), name.to_owned()));
        drop(state);
        self.ended(prefix, name);
        self.changed.notify_waiters();
        gone.map(|_| ()).ok_or_else(|| missing(prefix, name))
    }

    async fn delete_all(&self, prefix: &str) -> Result<(), EngineError> {
        let mut state = self.reach()?;
        let before = state.running.len();
        state.running.retain(|(own, _), _| own != prefix);
        if state.running.len() == before {
            return Err(EngineError::Missing(format!("the prefix {prefix}")));
        }
        Ok(())
    }

    async fn secret_keys(&self, prefix: &str, name: &str) -> Result<Option<Vec<String>>, EngineError> {
        let state = self.reach()?;
        let found = state.running.get(&(prefix.to_owned(), name.to_owned()));
        Ok(found.map(|(spec, _)| spec.secrets.keys().cloned().collect()))
    }

    async fn log(
        &self,
        prefix: &str,
        name: &str,
        _tail: u32,
        is_following: bool,
    ) -> Result<BoxStream<'static, LogLine>, EngineError> {
        let state = self.reach()?;
        let key = (prefix.to_owned(), name.to_owned());
        let Some((spec, what)) = state.running.get(&key) else { return Err(missing(prefix, name)) };
        let (started, is_running) = (spec.started_at, *what == ContainerState::Running);
        let line = LogLine { time: started, source: name.to_owned(), text: format!("{name} says hello") };
        if state.is_chatty {
            let numbered = move |number: u64| LogLine { text: format!("{number:>8192}"), ..line.clone() };
            return Ok(futures::stream::iter((0..).map(numbered)).boxed());
        }
        let known = futures::stream::iter([line]);
        if !is_following || !is_running {
            return Ok(known.boxed());
        }
        let new = futures::stream::unfold((self.written.subscribe(), key), |(mut written, key)| async move {
            loop {
                match written.recv().await {
                    Ok(Written::Line(line)) if line.source == key.1 => return Some((line, (written, key))),
                    Ok(Written::End(prefix, name)) if (&prefix, &name) == (&key.0, &key.1) => return None,
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                }
            }
        });
        Ok(known.chain(new).boxed())
    }
}
