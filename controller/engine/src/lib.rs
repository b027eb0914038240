//! The port between the service layer and whatever runs apps.
//!
//! The service layer says what should be, in domain terms ([`AppSpec`]); an [`Engine`] brings it about and reports
//! what is ([`AppStatus`]). No rule about apps or releases lives in an engine, and nothing about processes,
//! containers or Kubernetes lives in the service layer. The port is a crate of its own, rather than a module of the
//! service layer, so that an engine builds without the database under it.
//!
//! Engines are level-triggered: [`Engine::app_apply`] is given the whole desired state of one app, may be called
//! any number of times with the same value, and returns before the work is done.

pub mod command;
pub mod keep;
pub mod path;
pub mod route;
pub mod route_annotation;
pub mod session;
pub mod spec;
pub mod status;
#[cfg(feature = "testing")]
pub mod testing;
pub mod workload;
pub mod workload_label;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use slipway_core::log::{LogLine, LogQuery};
use slipway_core::volume::MountPath;
use slipway_core::{AppId, AppName};
use tokio::sync::broadcast;

pub use keep::LogKeep;
pub use session::{Attach, ExecSpec, Session};
pub use spec::{AppSpec, Artifact, HttpCheck, MountSpec, ProcessSpec, RegistryLogin, ReleaseSpec, RunSpec, VolumeSpec};
pub use status::{
    AppStatus, DiskUsage, HttpCheckOutcome, LastExit, NetworkUsage, NodeState, NodeStatus, PodState, PodStatus,
    PodUsage, ProcessCounts, ProcessStates, RolloutState,
};

/// Why an engine could not do or tell something.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The request can never work as it stands (an image that this engine cannot run, an unknown slug). The text is
    /// for the user.
    #[error("{0}")]
    Rejected(String),
    /// The thing named is not there.
    #[error("{0} does not exist")]
    Missing(String),
    /// What the engine stands on is away (disk full, API server unreachable); a later try may work.
    #[error("{public}")]
    Unavailable {
        /// For the user.
        public: String,
        /// For the log.
        context: String,
    },
    /// A one-off process ran out of its time.
    #[error("Timed out ({0} s) while running")]
    TimedOut(u64),
}

/// Takes lines for an app's log from other parts of the platform: the router's access lines, the controller's.
pub trait LogSink: Send + Sync + 'static {
    /// Appends `line` to the log of `app`. Never blocks and never fails: under pressure lines are dropped and counted.
    fn append(&self, app: AppId, line: LogLine);
}

/// How a one-off process ended, and what it printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunOutcome {
    /// Its exit code; 128 + n when signal n ended it.
    pub exit_code: i32,
    /// What it wrote to stdout and stderr, in order of arrival, cut at [`RUN_OUTPUT_MAX_BYTES`] with a note.
    pub output: Bytes,
}

/// Most bytes of a one-off process' output that are kept.
pub const RUN_OUTPUT_MAX_BYTES: usize = 4 * 1024 * 1024;

/// Runs apps.
#[async_trait]
pub trait Engine: Send + Sync + 'static {
    /// Makes `spec` the desired state of its app.
    ///
    /// Returns as soon as the wish is taken, which may be after the turn of others; progress is in
    /// [`Engine::app_status`]. Applying what is already desired
    /// does nothing. A release other than the serving one is brought up beside it: only when every process of
    /// the new one is ready do routes move, and only then are the old processes drained and stopped. While the new one
    /// is not ready the old one serves, whatever happens to the new one. The engine never gives up by itself: it
    /// reports [`RolloutState::Failing`], and the caller decides by applying another spec.
    async fn app_apply(&self, spec: AppSpec) -> Result<(), EngineError>;

    /// Removes everything of the app: processes, routes, files, log. Returns when it is gone. Removing what is not
    /// there succeeds.
    async fn app_remove(&self, app: AppId, name: &AppName) -> Result<(), EngineError>;

    /// Waits until the engine knows what there is; before, it can take no wish and tell no status.
    async fn ready(&self) {}

    /// Forgets every wish without undoing it: another controller brings them about from now on. What runs goes on.
    async fn wishes_forget(&self) {}

    /// What is known of the app now. An app that was never applied has an empty status.
    async fn app_status(&self, app: AppId) -> Result<AppStatus, EngineError>;

    /// The last lines, oldest first, of a process that the rollout of what was applied waits for: what a user wants to
    /// see when it takes too long. Empty when there is no such process, or nothing is known of its output.
    async fn rollout_output(&self, _app: AppId) -> Result<Vec<String>, EngineError> {
        Ok(Vec::new())
    }

    /// Every app of which the engine has something, so that what nobody wants any more can be removed.
    async fn apps_known(&self) -> Result<Vec<(AppId, AppName)>, EngineError>;

    /// Announces apps whose status changed. A receiver that lags has lost nothing: it reads the status anew.
    fn changes(&self) -> broadcast::Receiver<AppId>;

    /// What one process (pod) uses now. `Rejected` or `Unavailable`, with the reason, when nobody measures it.
    async fn pod_usage(&self, _app: AppId, _pod: &str) -> Result<PodUsage, EngineError> {
        Err(EngineError::Rejected("this engine does not measure what processes use".to_owned()))
    }

    /// The machines that processes run on.
    async fn nodes(&self) -> Result<Vec<NodeStatus>, EngineError> {
        Err(EngineError::Rejected("this engine does not tell of its machines".to_owned()))
    }

    /// What a machine uses now, by its name. As `pod_usage` otherwise.
    async fn node_usage(&self, _node: &str) -> Result<PodUsage, EngineError> {
        Err(EngineError::Rejected("this engine does not measure what machines use".to_owned()))
    }

    /// Asks the processes of an app that take its requests how they are: one GET, to any of those that are ready. It ends
    /// within [`HttpCheck::timeout`].
    async fn http_check(&self, _check: &HttpCheck) -> HttpCheckOutcome {
        HttpCheckOutcome::Untold
    }

    /// Ends one process (pod) by name; a replacement is started as after a crash, without back-off.
    async fn pod_restart(&self, app: AppId, pod: &str) -> Result<(), EngineError>;

    /// Runs a one-off process to its end. Dropping the future ends the process (SIGTERM, then SIGKILL).
    async fn run(&self, spec: RunSpec) -> Result<RunOutcome, EngineError>;

    /// Runs a one-off process that somebody talks to. Dropping the session ends the process.
    async fn run_session(&self, _spec: RunSpec, _attach: Attach) -> Result<Session, EngineError> {
        Err(EngineError::Rejected("interactive processes are not supported by this engine".to_owned()))
    }

    /// Runs a command inside of a process (pod) that is there.
    async fn exec_session(&self, _spec: ExecSpec) -> Result<Session, EngineError> {
        Err(EngineError::Rejected("commands inside of processes are not supported by this engine".to_owned()))
    }

    /// The newest lines of the app's log, oldest first.
    async fn log_read(&self, app: AppId, query: LogQuery) -> Result<Vec<LogLine>, EngineError>;

    /// The lines of `log_read`, then each new one as it is written, until dropped.
    async fn log_follow(&self, app: AppId, query: LogQuery) -> Result<BoxStream<'static, LogLine>, EngineError>;

    /// Where other parts of the platform write an app's log lines.
    fn log_sink(&self) -> Arc<dyn LogSink>;

    /// Checks that this engine can run `artifact` at all (the slug is in the store, an image can be pulled).
    async fn artifact_check(&self, artifact: &Artifact) -> Result<(), EngineError>;

    /// The same artifact under a name that stands for the same thing for ever: an image by digest. `registry` is what its
    /// registry is asked with. An engine that cannot tell gives back `artifact`.
    async fn artifact_pin(
        &self,
        artifact: &Artifact,
        _registry: Option<&RegistryLogin>,
    ) -> Result<Artifact, EngineError> {
        Ok(artifact.clone())
    }

    /// The labels of each machine that apps may be placed on. None when the engine knows no placement.
    async fn node_labels(&self) -> Result<Vec<BTreeMap<String, String>>, EngineError> {
        Ok(Vec::new())
    }

    /// Looks whether a new app may have this name.
    ///
    /// # Errors
    /// `Rejected` when what the name would stand for is there already and is not this platform's.
    async fn name_check(&self, name: &AppName) -> Result<(), EngineError> {
        let _ = name;
        Ok(())
    }

    /// Whether requests follow [`spec::RouteSpec::paths`].
    fn is_routing_paths(&self) -> bool {
        false
    }

    /// Whether requests reach processes on other ports than the one that they are told to listen on:
    /// [`spec::RouteSpec::ports`].
    fn is_routing_ports(&self) -> bool {
        false
    }

    /// Whether the engine chooses the port that each process listens on, whatever `PORT` a release's environment says.
    fn is_choosing_ports(&self) -> bool {
        false
    }

    /// Whether apps can have volumes: [`AppSpec::volumes`], and the mounts of processes.
    fn is_keeping_volumes(&self) -> bool {
        false
    }

    /// Why processes of `artifact` cannot have a volume at `path`, for the user, with what to do instead; `None` when
    /// they can. What is refused here is refused by [`Engine::app_apply`] and [`Engine::run`], too.
    fn mount_refusal(&self, _artifact: &Artifact, _path: &MountPath) -> Option<String> {
        None
    }

    /// Whether the engine itself keeps to [`ProcessSpec::autoscale`]. One that does not tells the use of each process
    /// ([`PodStatus::cpu_millis`]), and is given the replicas that come of it.
    fn is_autoscaling(&self) -> bool {
        false
    }

    /// Why [`ProcessSpec::autoscale`] would have no effect just now, for the user; `None` when nothing is known to be in
    /// the way. Only engines that scale by themselves have such reasons.
    async fn autoscale_obstacle(&self) -> Option<String> {
        None
    }

    /// Frees artifacts that none of `keep` names. Those made in the last hour stay: a push may not have told yet.
    async fn artifacts_retain(&self, keep: &[Artifact]) -> Result<(), EngineError>;
}
