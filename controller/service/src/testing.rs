//! An engine in memory that does as it is told, and a clock that tests turn.

mod certificate;
mod clock;
mod hooks;
mod log;
mod nodes;
mod outside;
mod script;
mod shop;

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
    AppSpec, AppStatus, Artifact, Attach, DiskUsage, Engine, EngineError, ExecSpec, HttpCheck, HttpCheckOutcome,
    LastExit, LogSink, NetworkUsage, NodeState, NodeStatus, PodState, PodStatus, PodUsage, RolloutState, RunOutcome,
    RunSpec, Session,
};
use tokio::sync::broadcast;

use log::FakeLog;

pub use certificate::{TestCertificate, TestKey};
pub use clock::FakeClock;
pub use hooks::FakeHooks;
pub use nodes::{FakeNode, FakeNodes};
pub use outside::{FakeMailer, FakeWeb, SeenCall};
pub use shop::{Shop, shop};

/// The machine that everything runs on.
const MACHINE: &str = "machine-1";

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
    last_exits: HashMap<ProcessType, LastExit>,
    /// By the name of the app.
    answers: HashMap<String, HttpCheckOutcome>,
    checks: Vec<HttpCheck>,
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
        last_exit: None,
        address: Some([10, 1, 0, 7].into()),
        node: Some(MACHINE.to_owned()),
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
        let (cpu_millis, last_exits) = (state.cpu_millis.clone(), state.last_exits.clone());
        let Some(app) = state.apps.get_mut(&id) else { return Ok(AppStatus::default()) };
        app.polls = polls;
        let pods = app.pods.iter().map(|(pod, _)| PodStatus {
            cpu_millis: cpu_millis.get(&pod.process_type).copied(),
            last_exit: last_exits.get(&pod.process_type).copied(),
            ..pod.clone()
        });
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

    fn is_routing_ports(&self) -> bool {
        !self.state().is_choosing_ports
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

    async fn nodes(&self) -> Result<Vec<NodeStatus>, EngineError> {
        Ok(vec![NodeStatus {
            name: MACHINE.to_owned(),
            uid: "2b1f3c1e-7f7a-4c55-9d3e-000000000001".to_owned(),
            address: Some("10.0.0.1".to_owned()),
            region: Some("eu-1".to_owned()),
            state: NodeState::Healthy,
            version: Some("1.0".to_owned()),
            os: Some("linux".to_owned()),
            arch: Some("x86_64".to_owned()),
            cpu_count: Some(4),
            memory_total_bytes: Some(8 << 30),
            is_for_builds: false,
            created: DateTime::UNIX_EPOCH,
        }])
    }

    async fn node_usage(&self, node: &str) -> Result<PodUsage, EngineError> {
        if node != MACHINE {
            return Err(EngineError::Missing(format!("machine {node}")));
        }
        Ok(PodUsage {
            source: "process",
            cpu_millis: Some(1500),
            cpu_count: Some(4),
            disks: vec![DiskUsage {
                filesystem: "/dev/sda1".to_owned(),
                mount_point: Some("/".to_owned()),
                total_bytes: 100,
                used_bytes: 60,
                available_bytes: 30,
            }],
            network: Some(NetworkUsage { rx_bytes: 5, tx_bytes: 7 }),
            ..PodUsage::default()
        })
    }

    async fn http_check(&self, check: &HttpCheck) -> HttpCheckOutcome {
        let mut state = self.state();
        state.checks.push(check.clone());
        let is_ready = state.apps.get(&check.app).is_some_and(|app| !app.pods.is_empty());
        let scripted = state.answers.get(check.name.as_str()).cloned();
        if is_ready { scripted.unwrap_or(HttpCheckOutcome::Answered(200)) } else { HttpCheckOutcome::Untold }
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
        drop(state);
        drop(self.changes.send(id));
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
