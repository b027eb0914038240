//! Nodes and their containers. Source: `team-api.md` §2.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    /// Its identity.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `docker` or `k8s`.
    pub r#type: String,
    /// `unreachable`, `connected` or `outdated`.
    pub status: String,
    /// For people.
    pub description: Option<String>,
    /// For people.
    pub icon: Option<String>,
    /// Where it is, while it answers.
    pub address: Option<String>,
    /// Since when it has answered.
    pub connected_at: Option<String>,
    /// What runs there, while it answers.
    pub version: Option<String>,
    /// Whether it is brought up to date at the moment.
    pub updating: bool,
}

/// A script by which a node joins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Install {
    /// What people run to run it.
    pub command: String,
    /// The script.
    pub script: String,
    /// Until when it is good.
    pub expire_at: String,
}

/// A node with all that is told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeDetails {
    /// What lists have, too.
    #[serde(flatten)]
    pub node: Node,
    /// Whether it has joined.
    pub has_token: bool,
    /// The script by which it joins, while there is one.
    pub install: Option<Install>,
    /// Whether a deployment is on it; absent in the older generation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_use: Option<bool>,
    /// What secrets for it are encrypted with, while it is connected.
    pub public_key: Option<String>,
}

/// Something that happened at a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeEvent {
    /// When.
    pub created_at: String,
    /// What.
    pub event: String,
    /// More about it.
    pub data: Option<Value>,
}

/// What a container is known by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerId {
    /// The prefix of its deployment.
    pub prefix: String,
    /// Its name.
    pub name: String,
}

/// A port of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerPort {
    /// Inside.
    pub internal: u16,
    /// Outside, where there is one.
    pub external: Option<u16>,
}

/// A container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Container {
    /// What it is known by.
    pub id: ContainerId,
    /// Its entry point; empty for the image's own.
    pub command: String,
    /// When it was made.
    pub created_at: String,
    /// `running`, `waiting` or `exited`.
    pub state: String,
    /// Why, in the node's words; absent in the older generation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The same in the older generation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The image without its tag.
    pub image_name: String,
    /// The tag.
    pub image_tag: String,
    /// Its ports.
    pub ports: Vec<ContainerPort>,
}
