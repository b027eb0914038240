//! Bodies of the team API, `/api/{teamSlug}` and `/api`. Source: `team-api.md`.
//!
//! Times are RFC 3339 in UTC with milliseconds. Members that have no value are `null`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

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
