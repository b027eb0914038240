//! `nodes`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};

use crate::args::Limit;

/// How the platform reaches a node.
#[derive(Debug, Args)]
pub struct NodeWay {
    /// The cluster's kubeconfig with all that it names, as `kubectl config view --minify --flatten` prints it; - is stdin
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The container engine's address: `tcp://HOST:PORT`, or a socket of the platform's machine that its operator allows
    #[arg(long, value_name = "ADDRESS")]
    pub docker: Option<String>,
    /// Certificates of the authority that signed the engine's, PEM
    #[arg(long, value_name = "FILE", requires_all = ["docker", "tls_cert", "tls_key"])]
    pub tls_ca: Option<PathBuf>,
    /// The certificate that the platform shows the engine, PEM
    #[arg(long, value_name = "FILE", requires_all = ["docker", "tls_ca", "tls_key"])]
    pub tls_cert: Option<PathBuf>,
    /// Its key, PEM
    #[arg(long, value_name = "FILE", requires_all = ["docker", "tls_ca", "tls_cert"])]
    pub tls_key: Option<PathBuf>,
}

/// Commands about a team's nodes.
#[derive(Debug, Subcommand)]
pub enum NodeCommand {
    /// List what a team's containers can run on
    List,
    /// Add a node, which is then installed with `nodes:script`
    #[command(alias = "create")]
    Add {
        /// What it is called
        name: String,
        /// What it is for
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
    },
    /// Show a node
    Info {
        /// Name or id
        node: String,
    },
    /// Change a node
    #[command(group = super::change(&["name", "description"]))]
    Update {
        /// Name or id
        node: String,
        /// Its new name
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// What it is for
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
    },
    /// Print the command that installs a node, and works for ten minutes
    Script {
        /// Name or id
        node: String,
        /// docker or k8s
        #[arg(long = "type", value_name = "TYPE")]
        kind: String,
        /// For PowerShell instead of a shell
        #[arg(long)]
        powershell: bool,
        /// Folder for its data
        #[arg(long, value_name = "DIR")]
        root_path: Option<String>,
        /// Print the whole script instead
        #[arg(long)]
        print: bool,
        /// Take back the one that was asked for
        #[arg(long, conflicts_with_all = ["powershell", "root_path", "print"])]
        discard: bool,
    },
    /// Join a node that the platform reaches by itself: a cluster, or a container engine at an address
    #[command(group = ArgGroup::new("way").args(["kubeconfig", "docker"]).required(true))]
    Join {
        /// Name or id
        node: String,
        /// How it is reached
        #[command(flatten)]
        way: NodeWay,
    },
    /// Forget how a node is reached, which ends the connection
    Disconnect {
        /// Name or id
        node: String,
    },
    /// List what happened to a node
    Audit {
        /// Name or id
        node: String,
        /// Not before: how long ago (30s, 10m, 2h, 1d), or a time; without it, 30 days ago
        #[arg(long, value_name = "TIME", value_parser = crate::commands::log::since)]
        since: Option<chrono::DateTime<chrono::Utc>>,
        /// How many
        #[command(flatten)]
        limit: Limit,
    },
    /// Show what a container wrote last
    Logs {
        /// Which
        #[command(flatten)]
        of: OfContainer,
        /// Which lines
        #[command(flatten)]
        lines: LogLines,
    },
    /// What runs on a node
    #[command(subcommand)]
    Containers(ContainerCommand),
    /// Remove a node that no deployment is on
    #[command(alias = "delete")]
    Remove {
        /// Name or id
        node: String,
    },
}

/// Which lines of containers' logs are shown.
#[derive(Debug, Args)]
pub struct LogLines {
    /// Show this many lines of each container
    #[arg(short = 'n', long, visible_alias = "tail", value_name = "LINES", value_parser = clap::value_parser!(u32).range(1..))]
    pub lines: Option<u32>,
    /// Go on showing new lines until the containers end, or Ctrl-C
    #[arg(short, long)]
    pub follow: bool,
    /// Show lines later than this: how long ago (30s, 10m, 2h, 1d), or a time
    #[arg(long, value_name = "TIME", value_parser = crate::commands::log::since)]
    pub since: Option<chrono::DateTime<chrono::Utc>>,
}

/// A container on a node.
#[derive(Debug, Args)]
pub struct OfContainer {
    /// The node: name or id
    pub node: String,
    /// The container's name
    pub container: String,
    /// Its prefix; on Kubernetes, its namespace
    #[arg(long, value_name = "PREFIX")]
    pub prefix: Option<String>,
}

/// Commands about what runs on a node.
#[derive(Debug, Subcommand)]
pub enum ContainerCommand {
    /// List containers
    List {
        /// The node: name or id
        node: String,
        /// With this prefix only; on Kubernetes, of this namespace
        #[arg(long, value_name = "PREFIX")]
        prefix: Option<String>,
    },
    /// Start a container
    Start(#[command(flatten)] OfContainer),
    /// Stop a container
    Stop(#[command(flatten)] OfContainer),
    /// Restart a container
    Restart(#[command(flatten)] OfContainer),
    /// Remove a container
    #[command(alias = "rm")]
    Remove(#[command(flatten)] OfContainer),
    /// Remove all containers with a prefix
    Clear {
        /// The node: name or id
        node: String,
        /// The prefix; on Kubernetes, the namespace
        prefix: String,
        /// The prefix again, instead of being asked
        #[arg(long, value_name = "PREFIX")]
        confirm: Option<String>,
    },
}
