//! `limits`, `tags`, `registry`, `healthchecks`: the parts of a configuration beside variables.

use clap::{Args, Subcommand, ValueEnum};

/// Commands about limits.
#[derive(Debug, Subcommand)]
pub enum LimitCommand {
    /// List limits
    List,
    /// Set limits, which makes a release
    Set {
        /// TYPE=LIMIT, several at once: web=512M, or with --cpu web=500m
        #[arg(required = true, value_name = "TYPE=LIMIT", add = crate::completions::types_to_set())]
        limits: Vec<String>,
        /// Limits of the processor
        #[arg(long, conflicts_with = "memory")]
        cpu: bool,
        /// Limits of memory, as without a flag
        #[arg(short, long)]
        memory: bool,
    },
    /// Remove limits, which makes a release
    Unset {
        /// The process types
        #[arg(required = true, value_name = "TYPE", add = crate::completions::types())]
        types: Vec<String>,
        /// Limits of the processor
        #[arg(long, conflicts_with = "memory")]
        cpu: bool,
        /// Limits of memory, as without a flag
        #[arg(short, long)]
        memory: bool,
    },
}

/// Commands about tags.
#[derive(Debug, Subcommand)]
pub enum TagCommand {
    /// List the tags that machines must have to run an app's processes
    List,
    /// Let only machines with some tags run an app's processes, which makes a release
    Set {
        /// KEY=VALUE, several at once
        #[arg(required = true, value_name = "KEY=VALUE")]
        tags: Vec<String>,
    },
    /// Let machines without some tags run an app's processes again, which makes a release
    Unset {
        /// The keys
        #[arg(required = true, value_name = "KEY")]
        keys: Vec<String>,
    },
}

/// Commands about credentials of a registry.
#[derive(Debug, Subcommand)]
pub enum RegistryCommand {
    /// List the credentials that an app's images are fetched with
    List,
    /// Set the credentials that an app's images are fetched with, which makes a release
    Set {
        /// username=NAME, password=PASSWORD
        #[arg(required = true, value_name = "KEY=VALUE")]
        credentials: Vec<String>,
    },
    /// Remove credentials, which makes a release
    Unset {
        /// The keys: username, password
        #[arg(required = true, value_name = "KEY")]
        keys: Vec<String>,
    },
}

/// Commands about how long processes may take to stop.
#[derive(Debug, Subcommand)]
pub enum TimeoutCommand {
    /// List how long processes may take to stop
    List,
    /// Set how long processes may take to stop, which makes a release
    Set {
        /// TYPE=SECONDS, several at once
        #[arg(required = true, value_name = "TYPE=SECONDS", add = crate::completions::types_to_set())]
        timeouts: Vec<String>,
    },
    /// Let processes take the usual time to stop again, which makes a release
    Unset {
        /// The process types
        #[arg(required = true, value_name = "TYPE", add = crate::completions::types())]
        types: Vec<String>,
    },
}

/// Which probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProbeName {
    /// Decides when a process is restarted
    Liveness,
    /// Decides when a process gets requests
    Readiness,
}

/// How a probe asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "camelCase")]
pub enum ProbeKind {
    /// With an HTTP request to a port
    HttpGet,
    /// With a command
    Exec,
    /// By connecting to a port
    TcpSocket,
}

/// A probe.
#[derive(Debug, Args)]
pub struct ProbeArgs {
    /// Which probe
    pub probe: ProbeName,
    /// How it asks
    pub kind: ProbeKind,
    /// The port, or the command with its arguments
    #[arg(required = true)]
    pub args: Vec<String>,
    /// The process type
    #[arg(long = "type", default_value = "web/cmd", value_name = "TYPE", add = crate::completions::types())]
    pub process_type: String,
    /// The path of httpGet
    #[arg(short, long, default_value = "/")]
    pub path: String,
    /// Headers of httpGet: NAME:VALUE, with commas between
    #[arg(long)]
    pub headers: Option<String>,
    /// Seconds before the first look
    #[arg(long, default_value_t = 50, value_name = "SECONDS")]
    pub initial_delay_timeout: u32,
    /// Seconds that an answer may take
    #[arg(long, default_value_t = 50, value_name = "SECONDS")]
    pub timeout_seconds: u32,
    /// Seconds between two looks
    #[arg(long, default_value_t = 10, value_name = "SECONDS")]
    pub period_seconds: u32,
    /// Looks in a row that must go well
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub success_threshold: u32,
    /// Looks in a row that may fail
    #[arg(long, default_value_t = 3, value_name = "N")]
    pub failure_threshold: u32,
}

/// Commands about health checks.
#[derive(Debug, Subcommand)]
pub enum HealthcheckCommand {
    /// List health checks
    List {
        /// Only those of one process type
        #[arg(long = "type", value_name = "TYPE", add = crate::completions::types())]
        process_type: Option<String>,
    },
    /// Set a health check, which makes a release; `--` comes before a command with options of its own
    Set(ProbeArgs),
    /// Remove health checks, which makes a release
    Unset {
        /// Which probes
        #[arg(required = true)]
        probes: Vec<ProbeName>,
        /// The process type
        #[arg(long = "type", default_value = "web/cmd", value_name = "TYPE", add = crate::completions::types())]
        process_type: String,
    },
}
