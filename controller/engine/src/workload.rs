//! The port between the service layer and a node of a team: whatever runs the containers of its deployments.
//!
//! Unlike an app, a container of a team is not kept in a desired state for ever: a deployment brings it up once, and
//! people start, stop and delete it afterwards. A [`WorkloadNode`] therefore does one thing at a time and tells how it
//! went. What is applied twice is applied once. Names are the team's own: a container `name` of the deployment with
//! `prefix` is `name` in the namespace `prefix` on a cluster, and `prefix-name` on a container engine.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures::stream::BoxStream;
use slipway_core::config::SecretText;
use slipway_core::log::LogLine;
use slipway_team::container::Effective;
use slipway_team::{DeploymentId, InstanceId, ProjectId, TeamId, VersionId};

use crate::{EngineError, RegistryLogin};

/// Where a container belongs. It is written on everything that is made for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ownership {
    /// The team.
    pub team: TeamId,
    /// The project.
    pub project: ProjectId,
    /// The version.
    pub version: VersionId,
    /// The deployment.
    pub deployment: DeploymentId,
    /// The instance of the image.
    pub instance: InstanceId,
}

/// An object store that files are fetched from.
#[derive(Clone, PartialEq, Eq)]
pub struct StorageAccess {
    /// Its address, with a scheme.
    pub endpoint: String,
    /// The name of the key, and the key.
    pub credentials: Option<(String, SecretText)>,
}

impl fmt::Debug for StorageAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StorageAccess").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// A container as a deployment wants it.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkloadSpec {
    /// Where it belongs.
    pub ownership: Ownership,
    /// The deployment's prefix, a DNS label.
    pub prefix: String,
    /// The configuration. It was checked: names are names, and what refers to something finds it.
    pub config: Effective,
    /// What is pulled, with host, tag or digest.
    pub image: String,
    /// What it is pulled with.
    pub registry: Option<RegistryLogin>,
    /// The deployment's environment; the container's own goes before it.
    pub environment: BTreeMap<String, String>,
    /// The secrets' values; they go before everything.
    pub secrets: BTreeMap<String, SecretText>,
    /// The object store of [`Effective::storage`].
    pub storage: Option<StorageAccess>,
    /// When the deployment was started: what runs already is replaced for it, even if nothing else changed.
    pub started_at: DateTime<Utc>,
}

impl WorkloadSpec {
    /// The container's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.config.name
    }
}

/// What a container does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContainerState {
    /// It runs.
    Running,
    /// It is about to.
    Waiting,
    /// It does not.
    Exited,
}

impl ContainerState {
    /// The state as it is written. Source: `team-api.md` §1.11.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Exited => "exited",
        }
    }
}

/// How far a container is that was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkloadProgress {
    /// Not yet; what it does now, and why.
    Coming(ContainerState, String),
    /// It runs as it was applied, and nothing older does.
    Up,
    /// It will not come up by itself. The reason and the last lines of its output are for the user.
    Stuck {
        /// In one line.
        reason: String,
        /// What it wrote, oldest first.
        output: Vec<String>,
    },
}

/// A container that is on a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// The prefix that it was deployed with.
    pub prefix: String,
    /// Its name.
    pub name: String,
    /// Its entry point as one line; empty for the image's own.
    pub command: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// What it does.
    pub state: ContainerState,
    /// Why, in the node's words; may be empty.
    pub reason: String,
    /// The image without its tag.
    pub image_name: String,
    /// The tag; empty with a digest.
    pub image_tag: String,
    /// Its ports: the one inside, and the one outside where there is one.
    pub ports: Vec<(u16, Option<u16>)>,
}

/// What is done with a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContainerCommand {
    /// Start it again.
    Start,
    /// Stop it.
    Stop,
    /// Replace it by a new one of the same.
    Restart,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeFacts {
    /// What runs there, with its version, for example `Kubernetes v1.33.2`.
    pub version: String,
    /// Where it is, as people know it.
    pub address: Option<String>,
}

/// Something that runs the containers of a team's deployments.
#[async_trait]
pub trait WorkloadNode: Send + Sync + 'static {
    /// Asks the node what it is. Works only while it can be reached.
    async fn facts(&self) -> Result<NodeFacts, EngineError>;

    /// Makes what the container needs, and the container. Returns once the node took it; [`Self::progress`] tells
    /// whether it comes up. What an earlier version of it had and this one has not is removed, volumes excepted.
    ///
    /// # Errors
    /// [`EngineError::Rejected`] when the node refuses it, or when something of that name is there and is not ours.
    async fn apply(&self, spec: &WorkloadSpec) -> Result<(), EngineError>;

    /// How far the container is.
    async fn progress(&self, prefix: &str, name: &str) -> Result<WorkloadProgress, EngineError>;

    /// Waits until something changed about a container of `prefix`, or `limit` is over.
    async fn changed(&self, prefix: &str, limit: Duration);

    /// The containers of deployments with `prefix`, or of all: those that are ours, by prefix and name.
    async fn containers(&self, prefix: Option<&str>) -> Result<Vec<Container>, EngineError>;

    /// Starts, stops or restarts a container. Returns once the node took it.
    ///
    /// # Errors
    /// [`EngineError::Missing`] when it is not there or not ours.
    async fn command(&self, prefix: &str, name: &str, command: ContainerCommand) -> Result<(), EngineError>;

    /// Removes a container and what was made for it, volumes excepted.
    ///
    /// # Errors
    /// [`EngineError::Missing`] when it is not there or not ours.
    async fn delete(&self, prefix: &str, name: &str) -> Result<(), EngineError>;

    /// Removes everything with `prefix`, volumes included.
    ///
    /// # Errors
    /// [`EngineError::Missing`] when nothing of ours has it.
    async fn delete_all(&self, prefix: &str) -> Result<(), EngineError>;

    /// The names of the secrets that the container has; none when it is not there.
    async fn secret_keys(&self, prefix: &str, name: &str) -> Result<Option<Vec<String>>, EngineError>;

    /// The last `tail` lines of the container's output, oldest first, then, if `is_following`, each new one.
    async fn log(
        &self,
        prefix: &str,
        name: &str,
        tail: u32,
        is_following: bool,
    ) -> Result<BoxStream<'static, LogLine>, EngineError>;
}
