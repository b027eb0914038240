//! An engine in memory that does as it is told, and a clock that tests turn.

mod certificate;
mod clock;
mod hooks;
mod log;
mod outside;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, SubsecRound, Utc};
use futures::StreamExt;
use futures::stream::BoxStream;
use slipway_core::log::{LogLine, LogQuery};
use slipway_core::volume::MountPath;
use slipway_core::{AppId, AppName, ProcessType, ReleaseVersion};
use slipway_engine::status::Rollout;
use slipway_engine::{
    AppSpec, AppStatus, Artifact, Attach, Engine, EngineError, ExecSpec, LogSink, PodState, PodStatus, PodUsage,
    RolloutState, RunOutcome, RunSpec, Session,
};
use tokio::sync::broadcast;

use log::FakeLog;

pub use certificate::{TestCertificate, TestKey};
pub use clock::FakeClock;
pub use hooks::FakeHooks;
pub use outside::{FakeMailer, FakeWeb, SeenCall};

/// What becomes of what is applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Behaviour {
    /// Ready when its status was asked for that often.
    ReadyAfter(u32),
    /// Never ready, for this reason.
    Failing(String),
    /// Never ready and never failing.
    Hang,
    /// The engine cannot be reached.
    Unavailable,
    /// The engine cannot run such a thing at all, for this reason.
    Rejected(String),
}

/// An engine in memory. Everything applied is ready at once unless a script says otherwise.
pub struct FakeEngine {
    state: Mutex<State>,
    changes: broadcast::Sender<AppId>,
    log: Arc<FakeLog>,
}

#[derive(Default)]
struct State {
    apps: HashMap<AppId, FakeApp>,
    default: Option<Behaviour>,
    by_artifact: HashMap<String, Behaviour>,
    by_version: HashMap<ReleaseVersion, Behaviour>,
    runs: HashMap<String, Result<(i32, String), String>>,
    run_specs: Vec<RunSpec>,
    effects: Vec<AppSpec>,
    removed: Vec<AppName>,
    kept: Vec<Artifact>,
    is_removal_stuck: bool,
    names_taken: Vec<String>,
    is_autoscaling: bool,
    autoscale_obstacle: Option<String>,
    is_choosing_ports: bool,
    /// By path; with an empty one there are no volumes at all.
    mount_refusals: HashMap<String, String>,
    cpu_millis: HashMap<ProcessType, u32>,
    node_labels: Vec<BTreeMap<String, String>>,
    pods_made: u64,
}

struct FakeApp {
    spec: AppSpec,
    polls: u32,
    serving: Option<ReleaseVersion>,
    pods: Vec<(PodStatus, i64)>,
}

impl Default for FakeEngine {
    fn default() -> Self {
        Self { state: Mutex::default(), changes: broadcast::channel(1024).0, log: Arc::default() }
    }
}

impl FakeEngine {
    /// An engine without scripts.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn announce(&self) {
        let apps: Vec<AppId> = self.state().apps.keys().copied().collect();
        for app in apps {
            drop(self.changes.send(app));
        }
    }

    /// What becomes of everything that no other script is about.
    pub fn script_default(&self, behaviour: Behaviour) {
        self.state().default = Some(behaviour);
        self.announce();
    }

    /// What becomes of releases that run this artifact (`Artifact`'s text).
    pub fn script_artifact(&self, artifact: impl Into<String>, behaviour: Behaviour) {
        self.state().by_artifact.insert(artifact.into(), behaviour);
        self.announce();
    }

    /// What becomes of releases with this number, of any app. Wins over the artifact's script.
    pub fn script_version(&self, version: u32, behaviour: Behaviour) {
        self.state().by_version.insert(ReleaseVersion(version), behaviour);
        self.announce();
    }

    /// How one-off processes with this command end: exit code and output, or the reason why they cannot be run.
    /// Others end with 0 and print their command.
    pub fn script_run(&self, command: impl Into<String>, outcome: Result<(i32, String), String>) {
        self.state().runs.insert(command.into(), outcome);
    }

    /// Whether apps cannot be removed.
    pub fn script_removal_stuck(&self, is_stuck: bool) {
        self.state().is_removal_stuck = is_stuck;
        self.announce();
    }

    /// A name that something else has already.
    pub fn script_name_taken(&self, name: impl Into<String>) {
        self.state().names_taken.push(name.into());
    }

    /// Whether it scales by itself.
    pub fn script_autoscaling(&self, is_autoscaling: bool) {
        self.state().is_autoscaling = is_autoscaling;
    }

    /// Why scaling by itself would have no effect.
    pub fn script_autoscale_obstacle(&self, reason: &str) {
        self.state().autoscale_obstacle = Some(reason.to_owned());
    }

    /// Whether it chooses the ports of processes.
    pub fn script_choosing_ports(&self, is_choosing_ports: bool) {
        self.state().is_choosing_ports = is_choosing_ports;
    }

    /// That apps cannot have volumes.
    pub fn script_no_volumes(&self) {
        self.state().mount_refusals.insert(String::new(), String::new());
    }

    /// Why no process can have a volume at a path.
    pub fn script_mount_refusal(&self, path: &str, reason: &str) {
        self.state().mount_refusals.insert(path.to_owned(), reason.to_owned());
    }

    /// What each process of a type uses, in thousandths of a core.
    pub fn script_cpu(&self, process_type: ProcessType, millis: u32) {
        self.state().cpu_millis.insert(process_type, millis);
    }

    /// The labels of each machine that there is.
    pub fn script_node_labels(&self, labels: Vec<BTreeMap<String, String>>) {
        self.state().node_labels = labels;
    }

    /// Every spec whose application changed something, in order.
    #[must_use]
    pub fn effects(&self) -> Vec<AppSpec> {
        self.state().effects.clone()
    }

    /// The spec last applied for an app.
    #[must_use]
    pub fn applied(&self, app: AppId) -> Option<AppSpec> {
        self.state().apps.get(&app).map(|app| app.spec.clone())
    }

    /// Names of apps that were removed, in order.
    #[must_use]
    pub fn removed(&self) -> Vec<AppName> {
        self.state().removed.clone()
    }

    /// The artifacts that were last asked to be kept.
    #[must_use]
    pub fn kept(&self) -> Vec<Artifact> {
        self.state().kept.clone()
    }

    /// Every one-off process that was run.
    #[must_use]
    pub fn run_specs(&self) -> Vec<RunSpec> {
        self.state().run_specs.clone()
    }

    /// The lines of an app's log, each as `source: text`.
    #[must_use]
    pub fn log_texts(&self, app: AppId) -> Vec<String> {
        self.log.lines(app).iter().map(|line| format!("{}: {}", line.source, line.text)).collect()
    }
}

impl State {
    fn behaviour(&self, spec: &AppSpec) -> Behaviour {
        let scripted = spec.release.as_ref().and_then(|release| {
            self.by_version.get(&release.version).or_else(|| self.by_artifact.get(&release.artifact.to_string()))
        });
        scripted.or(self.default.as_ref()).cloned().unwrap_or(Behaviour::ReadyAfter(0))
    }

    /// Brings an app's processes to what its spec wants.
    fn settle(&mut self, id: AppId, now: DateTime<Utc>) {
        let Some(app) = self.apps.get_mut(&id) else { return };
        let mut wanted = Vec::new();
        if let Some(release) = &app.spec.release {
            for process in &release.processes {
                let mut old: Vec<_> = app
                    .pods
                    .iter()
                    .filter(|(pod, token)| {
                        pod.version == release.version
                            && pod.process_type == process.process_type
                            && *token == process.restart_token
                    })
                    .cloned()
                    .collect();
                old.truncate(process.replicas as usize);
                while old.len() < process.replicas as usize {
                    self.pods_made += 1;
                    let pod = pod_make(&app.spec.name, &process.process_type, release.version, self.pods_made, now);
                    old.push((pod, process.restart_token));
                }
                wanted.append(&mut old);
            }
        }
        app.pods = wanted;
        app.serving = app.spec.release.as_ref().map(|release| release.version);
    }
}

fn pod_make(
    name: &AppName,
    process_type: &ProcessType,
    version: ReleaseVersion,
    number: u64,
    now: DateTime<Utc>,
) -> PodStatus {
    PodStatus {
        name: format!("{name}-{process_type}-{version}-{number:05}"),
        process_type: process_type.clone(),
        version,
        state: PodState::Up,
        started: now,
        restarts: 0,
        uid: None,
        cpu_millis: None,
        pid: None,
    }
}

fn unavailable() -> EngineError {
    EngineError::Unavailable { public: "the fake engine is away".to_owned(), context: "scripted".to_owned() }
}

#[async_trait]
impl Engine for FakeEngine {
    async fn app_apply(&self, spec: AppSpec) -> Result<(), EngineError> {
        let id = spec.app;
        {
            let mut state = self.state();
            match state.behaviour(&spec) {
                Behaviour::Unavailable => return Err(unavailable()),
                Behaviour::Rejected(reason) => return Err(EngineError::Rejected(reason)),
                Behaviour::ReadyAfter(_) | Behaviour::Failing(_) | Behaviour::Hang => {}
            }
            let is_same = state.apps.get(&id).is_some_and(|app| {
                let without = |spec: &AppSpec| AppSpec { generation: 0, ..spec.clone() };
                without(&app.spec) == without(&spec)
            });
            if is_same {
                if let Some(app) = state.apps.get_mut(&id) {
                    app.spec.generation = spec.generation;
                }
                return Ok(());
            }
            state.effects.push(spec.clone());
            match state.apps.get_mut(&id) {
                Some(app) => {
                    app.spec = spec;
                    app.polls = 0;
                }
                None => {
                    state.apps.insert(id, FakeApp { spec, polls: 0, serving: None, pods: Vec::new() });
                }
            }
        }
        drop(self.changes.send(id));
        Ok(())
    }

    async fn app_remove(&self, app: AppId, name: &AppName) -> Result<(), EngineError> {
        let mut state = self.state();
        if state.is_removal_stuck {
            return Err(unavailable());
        }
        if state.apps.remove(&app).is_some() {
            state.removed.push(name.clone());
        }
        Ok(())
    }

    async fn app_status(&self, id: AppId) -> Result<AppStatus, EngineError> {
        let mut state = self.state();
        let Some(app) = state.apps.get(&id) else { return Ok(AppStatus::default()) };
        let behaviour = state.behaviour(&app.spec);
        let polls = app.polls + 1;
        let will_be_ready = matches!(behaviour, Behaviour::ReadyAfter(_));
        let rollout_state = match behaviour {
            Behaviour::Unavailable => return Err(unavailable()),
            Behaviour::ReadyAfter(wanted) if polls > wanted => RolloutState::Ready,
            Behaviour::ReadyAfter(wanted) => RolloutState::Progressing(format!("{polls} of {wanted} polls")),
            Behaviour::Failing(reason) | Behaviour::Rejected(reason) => RolloutState::Failing(reason),
            Behaviour::Hang => RolloutState::Progressing("hanging".to_owned()),
        };
        let is_ready = rollout_state == RolloutState::Ready;
        if is_ready {
            state.settle(id, Utc::now().trunc_subsecs(6));
        } else if will_be_ready {
            drop(self.changes.send(id));
        }
        let cpu_millis = state.cpu_millis.clone();
        let Some(app) = state.apps.get_mut(&id) else { return Ok(AppStatus::default()) };
        app.polls = polls;
        let pods = app
            .pods
            .iter()
            .map(|(pod, _)| PodStatus { cpu_millis: cpu_millis.get(&pod.process_type).copied(), ..pod.clone() });
        let pods = pods.collect();
        Ok(AppStatus {
            applied_generation: Some(app.spec.generation),
            rollout: app
                .spec
                .release
                .as_ref()
                .map(|release| Rollout { version: release.version, state: rollout_state }),
            serving: app.serving,
            is_settled: is_ready,
            pods,
        })
    }

    async fn name_check(&self, name: &AppName) -> Result<(), EngineError> {
        if self.state().names_taken.iter().any(|taken| taken == name.as_str()) {
            return Err(EngineError::Rejected(format!("there is another {name}")));
        }
        Ok(())
    }

    fn is_routing_paths(&self) -> bool {
        true
    }

    fn is_keeping_volumes(&self) -> bool {
        !self.state().mount_refusals.contains_key("")
    }

    fn mount_refusal(&self, _artifact: &Artifact, path: &MountPath) -> Option<String> {
        self.state().mount_refusals.get(path.as_str()).cloned()
    }

    fn is_autoscaling(&self) -> bool {
        self.state().is_autoscaling
    }

    async fn autoscale_obstacle(&self) -> Option<String> {
        self.state().autoscale_obstacle.clone()
    }

    fn is_choosing_ports(&self) -> bool {
        self.state().is_choosing_ports
    }

    async fn node_labels(&self) -> Result<Vec<BTreeMap<String, String>>, EngineError> {
        Ok(self.state().node_labels.clone())
    }

    async fn rollout_output(&self, _app: AppId) -> Result<Vec<String>, EngineError> {
        Ok(vec!["listening on port 1".to_owned()])
    }

    async fn apps_known(&self) -> Result<Vec<(AppId, AppName)>, EngineError> {
        Ok(self.state().apps.iter().map(|(id, app)| (*id, app.spec.name.clone())).collect())
    }

    fn changes(&self) -> broadcast::Receiver<AppId> {
        self.changes.subscribe()
    }

    async fn pod_usage(&self, id: AppId, name: &str) -> Result<PodUsage, EngineError> {
        let state = self.state();
        let pods = state.apps.get(&id).into_iter().flat_map(|app| &app.pods);
        let (pod, _) = pods
            .into_iter()
            .find(|(pod, _)| pod.name == name)
            .ok_or_else(|| EngineError::Missing(format!("pod {name}")))?;
        let cpu_millis = state.cpu_millis.get(&pod.process_type).copied();
        let cpu_millis = cpu_millis.ok_or_else(|| EngineError::Rejected("nothing is scripted".to_owned()))?;
        Ok(PodUsage {
            source: "process",
            cpu_millis: Some(cpu_millis),
            memory_bytes: Some(4096),
            ..PodUsage::default()
        })
    }

    async fn pod_restart(&self, id: AppId, name: &str) -> Result<(), EngineError> {
        let mut state = self.state();
        state.pods_made += 1;
        let number = state.pods_made;
        let missing = || EngineError::Missing(format!("pod {name}"));
        let app = state.apps.get_mut(&id).ok_or_else(missing)?;
        let app_name = app.spec.name.clone();
        let (pod, _) = app.pods.iter_mut().find(|(pod, _)| pod.name == name).ok_or_else(missing)?;
        *pod = pod_make(&app_name, &pod.process_type, pod.version, number, Utc::now().trunc_subsecs(6));
        Ok(())
    }

    async fn run(&self, spec: RunSpec) -> Result<RunOutcome, EngineError> {
        let mut state = self.state();
        let scripted = state.runs.get(&spec.command).cloned();
        let command = spec.command.clone();
        state.run_specs.push(spec);
        match scripted {
            Some(Ok((exit_code, output))) => Ok(RunOutcome { exit_code, output: Bytes::from(output) }),
            Some(Err(reason)) => Err(EngineError::Rejected(reason)),
            None => Ok(RunOutcome { exit_code: 0, output: Bytes::from(format!("{command}\n")) }),
        }
    }

    async fn run_session(&self, spec: RunSpec, attach: Attach) -> Result<Session, EngineError> {
        let command = spec.command.clone();
        self.state().run_specs.push(spec);
        Ok(echo(command, attach))
    }

    async fn exec_session(&self, spec: ExecSpec) -> Result<Session, EngineError> {
        let status = self.app_status(spec.app).await?;
        if !status.pods.iter().any(|pod| pod.name == spec.pod) {
            return Err(EngineError::Missing(format!("process {}", spec.pod)));
        }
        Ok(echo(spec.command.join(" "), spec.attach))
    }

    async fn log_read(&self, app: AppId, query: LogQuery) -> Result<Vec<LogLine>, EngineError> {
        Ok(self.log.follow(app, &query).0)
    }

    async fn log_follow(&self, app: AppId, query: LogQuery) -> Result<BoxStream<'static, LogLine>, EngineError> {
        let (known, written) = self.log.follow(app, &query);
        let new = futures::stream::unfold(written, move |mut written| async move {
            loop {
                match written.recv().await {
                    Ok((of, line)) if of == app => return Some((line, written)),
                    Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return None,
                }
            }
        });
        Ok(futures::stream::iter(known).chain(new).boxed())
    }

    fn log_sink(&self) -> Arc<dyn LogSink> {
        Arc::clone(&self.log) as Arc<dyn LogSink>
    }

    async fn artifact_check(&self, artifact: &Artifact) -> Result<(), EngineError> {
        match self.state().by_artifact.get(&artifact.to_string()) {
            Some(Behaviour::Unavailable) => Err(unavailable()),
            Some(Behaviour::Rejected(reason)) => Err(EngineError::Rejected(reason.clone())),
            _ => Ok(()),
        }
    }

    async fn artifacts_retain(&self, keep: &[Artifact]) -> Result<(), EngineError> {
        self.state().kept = keep.to_vec();
        Ok(())
    }
}

/// A process that tells its command and its terminal, repeats what it is given, and ends at the end of input with code 7.
fn echo(command: String, attach: Attach) -> Session {
    use slipway_engine::session::{Input, Output};

    let (input, mut commands) = tokio::sync::mpsc::channel(4);
    let (sender, output) = tokio::sync::mpsc::channel(4);
    tokio::spawn(async move {
        let size = |size: slipway_engine::session::TerminalSize| format!("{}x{}", size.columns, size.rows);
        let terminal = attach.terminal.map_or("none".to_owned(), size);
        let mut piece = Output::Stderr(Bytes::from(format!("{command} on {terminal}")));
        while sender.send(piece).await.is_ok() {
            piece = match commands.recv().await {
                Some(Input::Bytes(bytes)) => Output::Stdout(bytes),
                Some(Input::Resize(new)) => Output::Stdout(Bytes::from(size(new))),
                Some(Input::End) | None => Output::Exit(7),
            };
        }
    });
    let output =
        futures::stream::unfold(output, |mut output| async { output.recv().await.map(|piece| (piece, output)) });
    Session { input, output: output.boxed() }
}
