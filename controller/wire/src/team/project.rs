//! Projects, which the older generation calls products, and their versions.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Audit, Basic};

/// A project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    /// Its identity.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `versionless` or `versioned`; `simple` or `complex` in the older generation.
    pub r#type: String,
    /// For people.
    pub description: Option<String>,
    /// Who made and changed it.
    pub audit: Audit,
}

/// A project as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProjectItem {
    /// The project.
    #[serde(flatten)]
    pub project: Project,
    /// How many versions it has.
    #[serde(default)]
    pub version_count: u64,
}

/// A project with its versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectDetails {
    /// The project.
    #[serde(flatten)]
    pub project: Project,
    /// Whether it may be deleted.
    pub deletable: bool,
    /// Its versions.
    pub versions: Vec<Version>,
}

/// A version of a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Its identity.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `incremental` or `rolling`.
    pub r#type: String,
    /// What changed.
    pub changelog: Option<String>,
    /// Whether new versions begin as copies of it.
    pub default: bool,
    /// Whether the next version may be made from it.
    pub increasable: bool,
    /// Who made and changed it.
    pub audit: Audit,
}

/// A version with what is in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VersionDetails {
    /// The version.
    #[serde(flatten)]
    pub version: Version,
    /// Whether its images may be changed.
    pub mutable: bool,
    /// Whether it may be deleted.
    pub deletable: bool,
    /// Its images, in their order.
    pub images: Vec<Image>,
    /// Its deployments, newest first.
    pub deployments: Vec<DeploymentWithNode>,
}

/// An image of a version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    /// Its identity.
    pub id: String,
    /// Its name in the registry.
    pub name: String,
    /// Its tag.
    pub tag: Option<String>,
    /// Its place among the version's images, from 0.
    pub order: u32,
    /// How its container is set up. Every member is there.
    pub config: Value,
    /// When it was added.
    pub created_at: String,
    /// The registry that it is in.
    pub registry: Basic,
}

/// A deployment of a version, with its node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentWithNode {
    /// Its identity.
    pub id: String,
    /// The namespace, or what containers' names begin with.
    pub prefix: String,
    /// Where it stands.
    pub status: String,
    /// What people wrote about it.
    pub note: Option<String>,
    /// When it was last changed.
    pub updated_at: String,
    /// Where it is.
    pub node: NodeOfDeployment,
}

/// The node of a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeOfDeployment {
    /// Its identity.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `docker` or `k8s`.
    pub r#type: String,
    /// `connected`, `unreachable` or `outdated`.
    pub status: String,
}
