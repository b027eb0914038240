//! What is.

use std::fmt;

use chrono::{DateTime, Utc};
use slipway_core::{ProcessType, ReleaseVersion};

/// What an engine knows of one app.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AppStatus {
    /// Generation of the spec last applied; `None` when none was since the engine started.
    pub applied_generation: Option<i64>,
    /// The release last applied and how far it is.
    pub rollout: Option<Rollout>,
    /// The release that gets the requests now, if any.
    pub serving: Option<ReleaseVersion>,
    /// Whether exactly what is wanted runs: all wanted processes are ready and none is left over.
    pub is_settled: bool,
    /// Every process there is, those that are starting or ending included.
    pub pods: Vec<PodStatus>,
}

/// How far the desired release is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    /// Its number.
    pub version: ReleaseVersion,
    /// How far it is.
    pub state: RolloutState,
}

/// How far a release is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RolloutState {
    /// Processes are coming up. The text says which, for the person who waits: `web: 1 of 2 ready`.
    Progressing(String),
    /// All wanted processes are ready and the routes point to them.
    Ready,
    /// It will not become ready as things are: the reason, with the last lines of the failing process's log.
    Failing(String),
}

/// One process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodStatus {
    /// Its name, unique within the app: `blog-web-v3-x7k2q`.
    pub name: String,
    /// Its type.
    pub process_type: ProcessType,
    /// The release that it runs.
    pub version: ReleaseVersion,
    /// What it does now.
    pub state: PodState,
    /// When it was started.
    pub started: DateTime<Utc>,
    /// How often it was restarted after it ended by itself.
    pub restarts: u32,
    /// Identity given by the engine, where it gives one (the UID of a pod); else one derived from the name.
    pub uid: Option<String>,
    /// Processor use over the last measured seconds, in thousandths of a core; `None` when it is not known.
    pub cpu_millis: Option<u32>,
    /// Its process id, where that means something.
    pub pid: Option<u32>,
}

/// State of a process. Source: `drycc-v2.md` §4.9.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PodState {
    /// Not begun.
    Initializing,
    /// Being made.
    Creating,
    /// Started, not ready.
    Starting,
    /// Ready.
    Up,
    /// Being stopped.
    Terminating,
    /// Ended well.
    Down,
    /// Gone.
    Destroyed,
    /// Ended by itself too often; restarted with growing pauses.
    Crashed,
    /// Unknown.
    Error,
    /// A reason the engine passes through (`ImagePullBackOff`).
    Other(String),
}

impl fmt::Display for PodState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Initializing => "initializing",
            Self::Creating => "creating",
            Self::Starting => "starting",
            Self::Up => "up",
            Self::Terminating => "terminating",
            Self::Down => "down",
            Self::Destroyed => "destroyed",
            Self::Crashed => "crashed",
            Self::Error => "error",
            Self::Other(reason) => reason,
        })
    }
}
