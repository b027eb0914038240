//! `deployments`.

use clap::{Args, Subcommand};

use super::node::LogLines;
use crate::args::secret::SecretSource;

/// Whether a start is followed.
#[derive(Debug, Args)]
pub struct Followed {
    /// Do not wait for the end
    #[arg(short, long)]
    pub detach: bool,
}

/// Commands about deployments. A deployment is named by its id, the beginning of that, or by its prefix where one alone has
/// it.
#[derive(Debug, Subcommand)]
pub enum DeploymentCommand {
    /// List a team's deployments, the newest first
    List {
        /// Of this project only: name or id
        #[arg(long, value_name = "PROJECT")]
        project: Option<String>,
    },
    /// Prepare the deployment of a version on a node
    Create {
        /// The project: name or id
        project: String,
        /// The version: name or id; without it, the default version
        #[arg(long, value_name = "VERSION")]
        version: Option<String>,
        /// The node: name or id
        #[arg(long, value_name = "NODE")]
        node: String,
        /// What precedes the names of its containers; on Kubernetes, the namespace
        #[arg(long, value_name = "PREFIX")]
        prefix: String,
        /// A note
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
    /// Show a deployment, its containers and its environment
    Info {
        /// Id or prefix
        deployment: String,
    },
    /// Change a deployment's note, prefix or environment
    #[command(group = super::change(&["note", "prefix", "env", "unset"]))]
    Update {
        /// Id or prefix
        deployment: String,
        /// A note
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
        /// Another prefix
        #[arg(long, value_name = "PREFIX")]
        prefix: Option<String>,
        /// NAME=VALUE for the environment of all containers, once for each
        #[arg(short, long, value_name = "NAME=VALUE")]
        env: Vec<String>,
        /// A name to take from that environment, once for each
        #[arg(long, value_name = "NAME")]
        unset: Vec<String>,
    },
    /// Deploy, and follow that to its end
    Start {
        /// Id or prefix
        deployment: String,
        /// Of these images only: name, once for each
        #[arg(long, value_name = "IMAGE")]
        image: Vec<String>,
        /// Whether it is followed
        #[command(flatten)]
        followed: Followed,
    },
    /// Deploy once more what was deployed before and another took the place of
    Rollback {
        /// Id of an obsolete deployment
        deployment: String,
        /// Whether it is followed
        #[command(flatten)]
        followed: Followed,
    },
    /// Show what happened when it was deployed
    Log {
        /// Id or prefix
        deployment: String,
        /// Go on until it has ended
        #[arg(short, long)]
        follow: bool,
        /// Of this try, counted from 1; without it, the newest
        #[arg(long = "try", value_name = "N")]
        attempt: Option<u32>,
    },
    /// Show what its containers wrote last
    Logs {
        /// Id or prefix
        deployment: String,
        /// The images whose containers they are; without one, all
        images: Vec<String>,
        /// Which lines
        #[command(flatten)]
        lines: LogLines,
    },
    /// Prepare the same once more, elsewhere
    Copy {
        /// Id or prefix
        deployment: String,
        /// The node: name or id; without it, the same
        #[arg(long, value_name = "NODE")]
        node: Option<String>,
        /// The prefix
        #[arg(long, value_name = "PREFIX")]
        prefix: String,
        /// A note
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
    /// Secrets of containers
    #[command(subcommand)]
    Secrets(DeploymentSecretCommand),
    /// The token by which programs start a deployment
    #[command(subcommand)]
    Token(DeploymentTokenCommand),
    /// Remove a deployment; what runs goes on
    #[command(alias = "delete")]
    Remove {
        /// Id or prefix
        deployment: String,
    },
}

/// Commands about secrets of containers.
#[derive(Debug, Subcommand)]
pub enum DeploymentSecretCommand {
    /// List names of secrets, and whether they have a value
    List {
        /// Id or prefix
        deployment: String,
    },
    /// Give a secret a value, which is kept encrypted with the key of the node
    Set {
        /// Id or prefix
        deployment: String,
        /// The image whose container has it
        image: String,
        /// Its name
        name: String,
        /// Where the value is read from: `-` (stdin), `env:NAME`, `file:PATH`, or `ask`
        #[arg(long, value_name = "SOURCE", default_value = "ask")]
        from: SecretSource,
    },
    /// Take a secret's value
    Unset {
        /// Id or prefix
        deployment: String,
        /// The image whose container has it
        image: String,
        /// Its name
        name: String,
    },
}

/// Commands about the token by which programs start a deployment.
#[derive(Debug, Subcommand)]
pub enum DeploymentTokenCommand {
    /// Make a token, which is shown once
    Create {
        /// Id or prefix
        deployment: String,
        /// What it is called
        name: String,
        /// It ends after so many days; without this, never
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..))]
        days: Option<u32>,
    },
    /// Make the token worthless
    Revoke {
        /// Id or prefix
        deployment: String,
    },
}
