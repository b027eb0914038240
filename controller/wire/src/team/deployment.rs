//! Deployments, their instances, tokens and log.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Audit, Basic, ContainerId, Image};

/// A deployment. The older generation calls the project a product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// Its identity.
    pub id: String,
    /// Its name on its node.
    pub prefix: String,
    /// `preparing`, `in-progress`, `successful`, `failed` or `obsolete`.
    pub status: String,
    /// For people.
    pub note: Option<String>,
    /// Who made and changed it.
    pub audit: Audit,
    /// The project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<Basic>,
    /// The same in the older generation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<Basic>,
    /// What is deployed of it.
    pub version: Basic,
    /// Where.
    pub node: Basic,
}

/// A deployment with all that belongs to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentDetails {
    /// What lists have of it.
    #[serde(flatten)]
    pub deployment: Deployment,
    /// Variables for all of its containers.
    pub environment: Vec<KeyValue>,
    /// What secrets are encrypted with, while the node is connected.
    pub public_key: Option<String>,
    /// Its images.
    pub instances: Vec<Instance>,
    /// The number of the last try; 0 before the first.
    pub last_try: u32,
    /// The token that starts it.
    pub token: Option<DeploymentToken>,
}

/// A name with a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyValue {
    /// The client's identity of the item.
    pub id: String,
    /// The name.
    pub key: String,
    /// The value.
    pub value: String,
}

/// An image in a deployment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Instance {
    /// Its identity.
    pub id: String,
    /// When it was last changed.
    pub updated_at: String,
    /// What its container does; the older generation alone has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The image.
    pub image: Image,
    /// What is otherwise than the image has it.
    pub config: Option<Value>,
}

/// A token that starts a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentToken {
    /// Its identity.
    pub id: String,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: String,
    /// When it ends, unless never.
    pub expires_at: Option<String>,
}

/// The same as it is told once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GeneratedDeploymentToken {
    /// What is kept of it.
    #[serde(flatten)]
    pub made: DeploymentToken,
    /// What is signed.
    pub token: String,
    /// A command that uses it.
    pub curl: String,
}

/// The secrets that a container has, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceSecrets {
    /// Which container.
    pub container: ContainerId,
    /// What secrets are encrypted with.
    pub public_key: Option<String>,
    /// The names; nothing while there is no such container.
    pub keys: Option<Vec<String>>,
}

/// What the container of an instance does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceState {
    /// The instance.
    pub instance_id: String,
    /// `running`, `waiting`, `exited` or `removed`.
    pub state: Option<String>,
}

/// Something that a deployment told of itself. The member that belongs to `type` is there, and no other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentEvent {
    /// `log`, `deployment-status` or `container-state`; the older generation says `container-status`.
    pub r#type: String,
    /// When it happened.
    pub created_at: String,
    /// Lines for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<Vec<String>>,
    /// Where the deployment stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment_status: Option<String>,
    /// What a container does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_state: Option<InstanceState>,
    /// The same in the older generation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_status: Option<InstanceState>,
}
