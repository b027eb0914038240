//! What is.

use std::fmt;
use std::net::IpAddr;

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
    /// How it ended last, of itself; `None` when it never did, or nobody knows.
    pub last_exit: Option<LastExit>,
    /// The address that it is reached at, where it has one.
    pub address: Option<IpAddr>,
    /// Name of the machine that it runs on ([`NodeStatus::name`]).
    pub node: Option<String>,
}

/// How a process ended by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastExit {
    /// Its exit code; 128 + n when signal n ended it.
    pub code: i32,
    /// When, where that is known.
    pub time: Option<DateTime<Utc>>,
}

/// What one process uses. What is not known is `None`, never 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PodUsage {
    /// Who measured: `cgroup`, `process` or `metrics-server`.
    pub source: &'static str,
    /// Processor use, in thousandths of a core.
    pub cpu_millis: Option<u32>,
    /// Most that it may use, in thousandths of a core.
    pub cpu_limit_millis: Option<u32>,
    /// Share of the processor time in which it ran its own code, in percent of one core.
    pub cpu_user_percent: Option<f64>,
    /// As `cpu_user_percent`, for the system's.
    pub cpu_system_percent: Option<f64>,
    /// As `cpu_user_percent`, for waiting on disks.
    pub cpu_iowait_percent: Option<f64>,
    /// Cores of the machine.
    pub cpu_count: Option<u32>,
    /// Load of the machine over one, five and fifteen minutes.
    pub load_average: Option<[f64; 3]>,
    /// Memory that it uses, in bytes.
    pub memory_bytes: Option<u64>,
    /// Most that it may use, in bytes.
    pub memory_limit_bytes: Option<u64>,
    /// Memory of the machine, in bytes.
    pub memory_total_bytes: Option<u64>,
    /// Memory of the machine that could be had, in bytes.
    pub memory_available_bytes: Option<u64>,
    /// Memory that holds what was read from files and could be given up, in bytes.
    pub memory_cache_bytes: Option<u64>,
    /// Swap space of the machine, in bytes.
    pub swap_total_bytes: Option<u64>,
    /// What is left of it, in bytes.
    pub swap_free_bytes: Option<u64>,
    /// How many system processes it is: all, running, sleeping, stopped, ended but not yet waited for.
    pub processes: Option<ProcessCounts>,
    /// The file systems that it has, or that its files are in; empty when they are not known.
    pub disks: Vec<DiskUsage>,
    /// What went over the network since it started; `None` when it shares its network with others, or nobody counts.
    pub network: Option<NetworkUsage>,
}

/// A file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskUsage {
    /// What it is on: a device, or a name.
    pub filesystem: String,
    /// Where it is mounted, if that is known.
    pub mount_point: Option<String>,
    /// All of it, in bytes.
    pub total_bytes: u64,
    /// What is taken, in bytes.
    pub used_bytes: u64,
    /// What programs without privileges may take, in bytes.
    pub available_bytes: u64,
}

/// Bytes over all network interfaces but the one that leads back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NetworkUsage {
    /// Received.
    pub rx_bytes: u64,
    /// Sent.
    pub tx_bytes: u64,
}

/// A machine that processes run on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeStatus {
    /// Its name.
    pub name: String,
    /// Its identity.
    pub uid: String,
    /// Where it is reached inside the cluster.
    pub address: Option<String>,
    /// Where it stands.
    pub region: Option<String>,
    /// How it is.
    pub state: NodeState,
    /// Version of what runs processes there.
    pub version: Option<String>,
    /// Its operating system.
    pub os: Option<String>,
    /// Its processor's architecture.
    pub arch: Option<String>,
    /// Its cores.
    pub cpu_count: Option<u32>,
    /// Its memory, in bytes.
    pub memory_total_bytes: Option<u64>,
    /// Whether it is kept for builds.
    pub is_for_builds: bool,
    /// Since when it is known.
    pub created: DateTime<Utc>,
}

/// How a machine is. Source: `dployr-v1.md` §6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeState {
    /// It was never ready.
    Provisioning,
    /// It is ready.
    Healthy,
    /// It is ready, and short of something.
    Degraded,
    /// It is not ready.
    Offline,
    /// It does not answer.
    Unreachable,
    /// It takes nothing new.
    Maintenance,
}

/// System processes by what they do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProcessCounts {
    /// All.
    pub total: u32,
    /// What they do, where that is known.
    pub states: Option<ProcessStates>,
}

/// How many processes do what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProcessStates {
    /// On a processor, or ready for one.
    pub running: u32,
    /// Waiting.
    pub sleeping: u32,
    /// Stopped.
    pub stopped: u32,
    /// Ended, and nobody took note.
    pub zombie: u32,
}

/// What came of one HTTP request to a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpCheckOutcome {
    /// Nobody could be asked: no process is ready, or there is no way to it from here. It says nothing about the service.
    Untold,
    /// It answered, with this status.
    Answered(u16),
    /// It was reached and did not answer: the reason, for people.
    Silent(String),
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
