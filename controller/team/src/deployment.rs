//! Deployments: their states, where they lead, and what they are called on a node.
//!
//! Source: `team-api.md` §4.5.

use chrono::{DateTime, Utc};

use crate::container::InstanceConfig;
use crate::container::check::is_label;
use crate::container::part::KeyValue;
use crate::node::NodeKind;
use crate::version::{ProjectKind, VersionKind};
use crate::{
    DeploymentId, DeploymentTokenId, Error, ImageId, InstanceId, NodeId, ProjectId, Refusal, Stamp, TeamId, VersionId,
};

pub mod start;

/// Where a deployment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Made, never started.
    Preparing,
    /// On its way.
    InProgress,
    /// It runs, as far as is known.
    Successful,
    /// It did not come up.
    Failed,
    /// Another one took its place.
    Obsolete,
}

impl Status {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Preparing, Self::InProgress, Self::Successful, Self::Failed, Self::Obsolete];

    /// The state as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Preparing => "preparing",
            Self::InProgress => "in-progress",
            Self::Successful => "successful",
            Self::Failed => "failed",
            Self::Obsolete => "obsolete",
        }
    }

    /// Reads what [`Self::as_str`] writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Whether a deployment of a version of `kind` may be changed in this state.
    #[must_use]
    pub const fn is_mutable(self, kind: VersionKind) -> bool {
        match self {
            Self::Preparing | Self::Failed => true,
            Self::Successful => matches!(kind, VersionKind::Rolling),
            Self::InProgress | Self::Obsolete => false,
        }
    }

    /// Whether a deployment of a version of `kind` may be started in this state.
    #[must_use]
    pub const fn is_startable(self, kind: VersionKind) -> bool {
        match self {
            Self::Preparing | Self::Failed | Self::Obsolete => true,
            Self::Successful => matches!(kind, VersionKind::Rolling),
            Self::InProgress => false,
        }
    }

    /// The state after `event`, or none when a deployment of a version of `kind` cannot meet it in this state.
    #[must_use]
    pub const fn after(self, event: Event, kind: VersionKind) -> Option<Self> {
        match (self, event) {
            (status, Event::Start) if status.is_startable(kind) => Some(Self::InProgress),
            (Self::InProgress, Event::Succeed) => Some(Self::Successful),
            (Self::InProgress, Event::Fail) => Some(Self::Failed),
            (Self::Successful | Self::Failed | Self::Obsolete, Event::Replace) => Some(Self::Obsolete),
            (_, Event::Start | Event::Succeed | Event::Fail | Event::Replace) => None,
        }
    }
}

/// What happens to a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// A start was taken.
    Start,
    /// Everything runs.
    Succeed,
    /// Something did not come up, the node was lost, or the platform ended meanwhile.
    Fail,
    /// Another deployment in its place succeeded.
    Replace,
}

/// A version on its way to a node, or there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// Its identity.
    pub id: DeploymentId,
    /// The team that it is of.
    pub team: TeamId,
    /// What is deployed.
    pub version: VersionId,
    /// Where.
    pub node: NodeId,
    /// Under which name.
    pub prefix: String,
    /// What people wrote about it.
    pub note: Option<String>,
    /// Where it stands.
    pub status: Status,
    /// How many times it was started; the number of the last try.
    pub tries: u32,
    /// Variables for all of its containers.
    pub environment: Vec<KeyValue>,
    /// When and by whom it was made and changed.
    pub stamp: Stamp,
}

/// A thing by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named<I, K> {
    /// Its identity.
    pub id: I,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: K,
}

/// A deployment as lists have it: without its environment, with the names of what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its identity.
    pub id: DeploymentId,
    /// Under which name it is on its node.
    pub prefix: String,
    /// What people wrote about it.
    pub note: Option<String>,
    /// Where it stands.
    pub status: Status,
    /// When and by whom it was made and changed.
    pub stamp: Stamp,
    /// The project.
    pub project: Named<ProjectId, ProjectKind>,
    /// What is deployed of it.
    pub version: Named<VersionId, VersionKind>,
    /// Where.
    pub node: Named<NodeId, NodeKind>,
}

/// An image in a deployment.
#[derive(Debug, Clone, PartialEq)]
pub struct Instance {
    /// Its identity.
    pub id: InstanceId,
    /// The deployment.
    pub deployment: DeploymentId,
    /// The image.
    pub image: ImageId,
    /// What is otherwise than the image has it.
    pub config: Option<InstanceConfig>,
    /// When it was last changed.
    pub updated: DateTime<Utc>,
}

/// Something that a deployment tells of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentEvent {
    /// The deployment.
    pub deployment: DeploymentId,
    /// The number of the try.
    pub attempt: u32,
    /// When it happened.
    pub created: DateTime<Utc>,
    /// What happened.
    pub news: News,
}

/// What happened to a deployment. Source: `team-api.md` §3.7, `DeploymentEvent`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Lines for people.
    Log(Vec<String>),
    /// It stands elsewhere.
    Status(Status),
    /// A container does something else: one of `running`, `waiting`, `exited`, `removed`.
    Container {
        /// Whose.
        instance: InstanceId,
        /// What it does.
        state: String,
    },
}

/// A token that starts one deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentToken {
    /// Its identity.
    pub id: DeploymentTokenId,
    /// The deployment that it starts.
    pub deployment: DeploymentId,
    /// The deployment's team.
    pub team: TeamId,
    /// Its name, of its own in the team.
    pub name: String,
    /// What the signed token must tell; not a secret alone.
    pub nonce: uuid::Uuid,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When it ends, unless never.
    pub expires: Option<DateTime<Utc>>,
}

/// Namespaces that belong to a cluster itself.
const CLUSTERS_OWN: [&str; 4] = ["default", "kube-system", "kube-public", "kube-node-lease"];

/// Checks a prefix: the namespace on a cluster, the beginning of containers' names elsewhere. `platform` are the
/// platform's own namespaces.
///
/// # Errors
/// 400 `prefix`.
pub fn prefix_check(prefix: &str, platform: &[&str]) -> Result<(), Error> {
    if !is_label(prefix) {
        return Err(Error::invalid("prefix", "prefix must be 1 to 63 of a-z, 0-9 and inner -"));
    }
    if prefix.starts_with("kube-") || CLUSTERS_OWN.contains(&prefix) || platform.contains(&prefix) {
        let message = format!("the prefix {prefix} belongs to the cluster or to the platform");
        return Err(Refusal::new(crate::Refused::Invalid, "prefix", message).value(prefix).into());
    }
    Ok(())
}

/// A deployment among others, as far as it matters for who takes whose place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The deployment.
    pub id: DeploymentId,
    /// Its version.
    pub version: VersionId,
    /// Its node.
    pub node: NodeId,
    /// Its prefix.
    pub prefix: String,
    /// Where it stands.
    pub status: Status,
}

impl Placed {
    fn is_at(&self, other: &Self) -> bool {
        self.node == other.node && self.prefix == other.prefix
    }
}

/// Whether a deployment of a version of `kind` may be made beside `others`, or moved to where `wanted` says.
/// `itself` is the one that moves.
///
/// # Errors
/// 409 `deploymentId` with the one that is in the way.
pub fn place_check(
    kind: VersionKind,
    wanted: (VersionId, NodeId, &str),
    itself: Option<DeploymentId>,
    others: &[Placed],
) -> Result<(), Error> {
    let (version, node, prefix) = wanted;
    let blocks = |other: &&Placed| {
        Some(other.id) != itself
            && other.version == version
            && other.node == node
            && other.prefix == prefix
            && (kind == VersionKind::Rolling || other.status == Status::Preparing)
    };
    let Some(other) = others.iter().find(blocks) else { return Ok(()) };
    let (code, message) = match kind {
        VersionKind::Rolling => {
            ("rollingVersionDeployment", "a rolling version has one deployment for a node and prefix")
        }
        VersionKind::Incremental => ("alreadyHavePreparing", "a deployment for this node and prefix is in preparation"),
    };
    Err(Error::conflict("deploymentId", message).value(other.id.to_string()).code(code).into())
}

/// The deployments that become obsolete when `done` succeeds: those on the same node and prefix in the same version
/// or in one of `kin`, its ancestors and descendants. One in preparation or on its way is left alone.
#[must_use]
pub fn replaced_by(done: &Placed, kin: &[VersionId], others: &[Placed]) -> Vec<DeploymentId> {
    others
        .iter()
        .filter(|other| other.id != done.id && other.is_at(done))
        .filter(|other| other.version == done.version || kin.contains(&other.version))
        .filter(|other| matches!(other.status, Status::Successful | Status::Failed))
        .map(|other| other.id)
        .collect()
}

#[cfg(test)]
mod tests;
