//! Bodies of the team API, `/api/{teamSlug}` and `/api`. Source: `team-api.md`.
//!
//! Times are RFC 3339 in UTC with milliseconds. Members that have no value are `null`.

mod node;

pub use node::*;

use serde::{Deserialize, Serialize};
use serde_json::Value;

mod deployment;
mod project;

pub use deployment::*;
pub use project::*;

/// A refusal. Source: `team-api.md` §1.6.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    /// For a person.
    pub message: String,
    /// The field or resource at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub property: Option<String>,
    /// What it is, or what is in the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// A word for machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A part of a list, and how long the whole is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Paged<T> {
    /// The part.
    pub items: Vec<T>,
    /// How many there are in all.
    pub total: u64,
}

/// Who made and changed something, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Audit {
    /// When it was made.
    pub created_at: String,
    /// The user who made it.
    pub created_by: String,
    /// When it was last changed.
    pub updated_at: String,
    /// The user who last changed it.
    pub updated_by: String,
}

/// A thing by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Basic {
    /// Its identity.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What kind of it.
    pub r#type: String,
}

/// How many things a team has. The older generation calls projects products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statistics {
    /// Members and invitations.
    pub users: u64,
    /// Projects.
    pub projects: u64,
    /// The same, by their old name.
    pub products: u64,
    /// Nodes.
    pub nodes: u64,
    /// Versions.
    pub versions: u64,
    /// Deployments.
    pub deployments: u64,
}

/// A team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Team {
    /// Its identity.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What names it in paths.
    pub slug: String,
    /// How many things it has.
    pub statistics: Statistics,
}

/// A team with those who belong to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TeamDetails {
    /// Its identity.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What names it in paths.
    pub slug: String,
    /// How many things it has.
    pub statistics: Statistics,
    /// Members, then those invited.
    pub users: Vec<User>,
}

/// Somebody of a team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// The user's identity.
    pub id: String,
    /// What the user is called.
    pub name: String,
    /// E-mail address.
    pub email: String,
    /// `owner`, `admin` or `user`.
    pub role: String,
    /// `verified` for members, else what became of the invitation.
    pub status: String,
    /// When the user last logged in.
    pub last_login: Option<String>,
}

/// A user, as the record has one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditUser {
    /// The user's identity.
    pub id: String,
    /// E-mail address.
    pub email: String,
}

/// An entry of a team's record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// When.
    pub created_at: String,
    /// `user` or `deployment-token`.
    pub actor_type: String,
    /// `http`, `ws` or `rpc`.
    pub context: String,
    /// The request's method in lower case, or nothing for messages.
    pub method: Option<String>,
    /// The request's path, or the message's type.
    pub event: String,
    /// What the actor is called.
    pub name: String,
    /// The user; nothing for tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<AuditUser>,
    /// The request's body, without secrets.
    pub data: Option<Value>,
}

/// The same in the older generation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceCall {
    /// When.
    pub created_at: String,
    /// Who.
    pub user_id: String,
    /// Their e-mail address.
    pub email: String,
    /// The request's path, or the message's type.
    pub service_call: String,
    /// The request's body, without secrets.
    pub data: Option<Value>,
}

/// A team by its names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BasicTeam {
    /// Its identity.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What names it in paths.
    pub slug: String,
}

/// The caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeUser {
    /// Identity.
    pub id: String,
    /// What the user is called.
    pub name: String,
}

/// One of the caller's teams.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeTeam {
    /// Its identity.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What names it in paths.
    pub slug: String,
    /// The caller's role.
    pub role: String,
}

/// The caller, with teams and invitations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Me {
    /// The account.
    pub user: MeUser,
    /// The team that calls of the older generation are about.
    pub active_team_id: Option<String>,
    /// The teams.
    pub teams: Vec<MeTeam>,
    /// Teams whose invitation can be accepted.
    pub invitations: Vec<BasicTeam>,
}

/// A token of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Token {
    /// Its identity.
    pub id: String,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: String,
    /// When it ends.
    pub expires_at: Option<String>,
}

/// A token of a user, with what is signed, which is told once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GeneratedToken {
    /// Its identity.
    pub id: String,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: String,
    /// When it ends.
    pub expires_at: Option<String>,
    /// What a program sends.
    pub token: String,
}

impl std::fmt::Debug for GeneratedToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GeneratedToken").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}

/// Whether the platform works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// `operational` or `disrupted`.
    pub status: String,
    /// The platform's version.
    pub version: String,
    /// The newest step of the database, if it can be read.
    pub last_migration: Option<String>,
}

/// A registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registry {
    /// Its identity.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `v2`, `hub`, `gitlab`, `github`, `google` or `unchecked`.
    pub r#type: String,
    /// Its host.
    pub url: String,
    /// For people.
    pub description: Option<String>,
    /// For people.
    pub icon: Option<String>,
}

/// Where a registry's images are. Only what its kind has is there; the password never is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RegistryPlace {
    /// Its host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What precedes the names of images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_name_prefix: Option<String>,
    /// Whose images those are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Where the API is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_url: Option<String>,
    /// The name to log in with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Whether nobody logs in.
    #[serde(default)]
    pub public: bool,
}

/// A registry in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RegistryDetails {
    /// Its identity.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `v2`, `hub`, `gitlab`, `github`, `google` or `unchecked`.
    pub r#type: String,
    /// For people.
    pub description: Option<String>,
    /// For people.
    pub icon: Option<String>,
    /// Whether an image names it.
    pub in_use: bool,
    /// When it was made.
    pub created_at: String,
    /// When it was last changed.
    pub updated_at: String,
    /// Where its images are.
    pub details: RegistryPlace,
}

/// A storage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Storage {
    /// Its identity.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// For people.
    pub description: Option<String>,
    /// For people.
    pub icon: Option<String>,
}

/// A storage by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageOption {
    /// Its identity.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// A storage in full, but for its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StorageDetails {
    /// Its identity.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// For people.
    pub description: Option<String>,
    /// For people.
    pub icon: Option<String>,
    /// The public half of the key.
    pub access_key: Option<String>,
    /// What stands for the secret half, if there is one.
    pub secret_key: Option<String>,
    /// Whether it takes no key.
    pub public: bool,
    /// Whether a configuration names it.
    pub in_use: bool,
}

/// A notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    /// Its identity.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `discord`, `slack` or `teams`.
    pub r#type: String,
    /// Where messages go.
    pub url: String,
    /// Whether anything is told.
    pub active: bool,
    /// Who made it.
    pub creator_name: String,
}

/// A notification with what it tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NotificationDetails {
    /// Its identity.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `discord`, `slack` or `teams`.
    pub r#type: String,
    /// Where messages go.
    pub url: String,
    /// Whether anything is told.
    pub active: bool,
    /// Who made it.
    pub creator_name: String,
    /// What is told.
    pub enabled_events: Vec<String>,
}

/// A step of a team's progress.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Whether it is taken.
    pub done: bool,
    /// What shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_id: Option<String>,
}

/// The steps of a team's progress.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Onboarding {
    /// Always taken.
    pub sign_up: Step,
    /// Always taken.
    pub create_team: Step,
    /// There is a node.
    pub create_node: Step,
    /// There is a project.
    pub create_project: Step,
    /// There is a version with something in it.
    pub create_version: Step,
    /// The version has an image.
    pub add_images: Step,
    /// There is a deployment.
    pub add_deployment: Step,
    /// The deployment was started.
    pub deploy: Step,
}

/// How far a team has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dashboard {
    /// Members.
    pub users: u64,
    /// Entries of the record.
    pub audit_log: u64,
    /// Projects.
    pub projects: u64,
    /// Versions.
    pub versions: u64,
    /// Deployments.
    pub deployments: u64,
    /// Deployments that failed.
    pub failed_deployments: u64,
    /// The steps.
    pub onboarding: Onboarding,
}

/// The same in the older generation, without its lists of nodes and deployments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OldDashboard {
    /// Members.
    pub users: u64,
    /// Entries of the record.
    pub audit_log_entries: u64,
    /// Projects.
    pub products: u64,
    /// Versions.
    pub versions: u64,
    /// Deployments.
    pub deployments: u64,
    /// Deployments that failed.
    pub failed_deployments: u64,
    /// The newest entries of the record.
    pub audit_log: Vec<ServiceCall>,
}

/// A template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// Its file's stem.
    pub id: String,
    /// Its name.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// What it is made with.
    pub technologies: Vec<String>,
}
