//! Nodes: where a team's deployments run.

use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use serde_json::Value;
use uuid::Uuid;

use crate::{NodeId, Stamp, TeamId};

/// How long a script by which a node joins is good. Source: `team-api.md` §3.9.
pub const INSTALLER_LIFETIME: TimeDelta = TimeDelta::minutes(10);

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NodeKind {
    /// A container engine on one machine.
    Docker,
    /// A Kubernetes cluster.
    Kubernetes,
}

impl NodeKind {
    /// The kind as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Kubernetes => "k8s",
        }
    }

    /// Reads what [`Self::as_str`] writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Docker, Self::Kubernetes].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// How a node is reached.
#[derive(Debug, Clone)]
pub enum Access {
    /// Not at all yet.
    None,
    /// It is what the platform itself runs on.
    Platform,
    /// By a kubeconfig, which holds credentials.
    Kubeconfig(SecretString),
    /// By the address of a container engine's API, and a client's certificate where it wants one (PEM).
    Engine {
        /// `unix:///path` or `tcp://host:port`.
        address: String,
        /// What both sides show each other; `tcp` always has it.
        tls: Option<EngineTls>,
    },
}

impl Access {
    /// Whether the node is what the platform itself runs on.
    #[must_use]
    pub const fn is_platform(&self) -> bool {
        matches!(self, Self::Platform)
    }

    /// Whether there is a way to the node at all.
    #[must_use]
    pub const fn is_some(&self) -> bool {
        !matches!(self, Self::None)
    }
}

/// Certificates between the platform and a container engine, as PEM.
#[derive(Debug, Clone)]
pub struct EngineTls {
    /// Who signed the engine's certificate.
    pub authority: String,
    /// The client's certificate.
    pub certificate: String,
    /// The client's key.
    pub key: SecretString,
}

/// Whether a node can be used. It is looked up, not kept. Source: `team-api.md` §1.11.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum NodeStatus {
    /// It does not answer, or nobody has said how it is reached.
    #[default]
    Unreachable,
    /// It answers.
    Connected,
    /// It answers, and is too old.
    Outdated,
}

impl NodeStatus {
    /// The status as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Connected => "connected",
            Self::Outdated => "outdated",
        }
    }
}

/// What is known of a node at the moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeLive {
    /// Whether it can be used.
    pub status: NodeStatus,
    /// Where it is, while it answers.
    pub address: Option<String>,
    /// What runs there, while it answers.
    pub version: Option<String>,
    /// Since when it has answered.
    pub connected_at: Option<DateTime<Utc>>,
}

/// A pair of keys that secrets of a node's deployments are encrypted with.
#[derive(Debug, Clone)]
pub struct NodeKeys {
    /// The public key, armored.
    pub public: String,
    /// The secret key, armored.
    pub secret: SecretString,
}

/// A node of a team.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its identity.
    pub id: NodeId,
    /// Whose it is.
    pub team: TeamId,
    /// Its name, of its own in the team.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Its picture's name.
    pub icon: Option<String>,
    /// What it is.
    pub kind: NodeKind,
    /// How it is reached.
    pub access: Access,
    /// Its keys, once it has some.
    pub keys: Option<NodeKeys>,
    /// When and by whom it was made and changed.
    pub stamp: Stamp,
}

/// The word is not one of those that are known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not one of the known words")]
pub struct WordError;

impl FromStr for NodeKind {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        Self::parse(text).ok_or(WordError)
    }
}

/// What a script is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScriptKind {
    /// The shell of Unix.
    Shell,
    /// `PowerShell`.
    PowerShell,
}

impl ScriptKind {
    /// The kind as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Shell => "shell",
            Self::PowerShell => "powershell",
        }
    }
}

impl FromStr for ScriptKind {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        [Self::Shell, Self::PowerShell].into_iter().find(|kind| kind.as_str() == text).ok_or(WordError)
    }
}

/// A script by which a node joins, for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installer {
    /// The node.
    pub node: NodeId,
    /// Its own identity; whoever runs the script is known by what follows from it.
    pub id: Uuid,
    /// What joins.
    pub kind: NodeKind,
    /// What the script is written for.
    pub script: ScriptKind,
    /// Where a container engine keeps files, as old clients give it.
    pub root_path: Option<String>,
    /// Whom certificates are asked for by, as old clients give it.
    pub acme_email: Option<String>,
    /// Until when it is good.
    pub expires: DateTime<Utc>,
}

/// What happened at a node. Source: `team-api.md` §4.6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NodeEventKind {
    /// It answers.
    Connected,
    /// It answers no more.
    Left,
    /// Somebody took its credentials away, or it itself.
    Kicked,
    /// Something about it was brought up to date.
    Update,
    /// Somebody did something with a container.
    ContainerCommand,
}

impl NodeEventKind {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::Connected, Self::Left, Self::Kicked, Self::Update, Self::ContainerCommand];

    /// The kind as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Left => "left",
            Self::Kicked => "kicked",
            Self::Update => "update",
            Self::ContainerCommand => "containerCommand",
        }
    }

    /// Reads what [`Self::as_str`] writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl FromStr for NodeEventKind {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        Self::parse(text).ok_or(WordError)
    }
}

/// Something that happened at a node.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeEvent {
    /// When.
    pub created: DateTime<Utc>,
    /// What.
    pub kind: NodeEventKind,
    /// More about it.
    pub data: Option<Value>,
}
