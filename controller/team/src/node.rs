//! Nodes: where a team's deployments run.

use secrecy::SecretString;

use crate::{NodeId, Stamp, TeamId};

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
        /// `unix:` or `https:` address.
        address: String,
        /// Certificate authority, certificate and key.
        tls: Option<SecretString>,
    },
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
