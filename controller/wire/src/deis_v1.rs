//! Bodies of the Deis controller API 1.0 (`/v1`), fields in the order of its document.
//!
//! Source: `deis-v1.md` §3 – 11 and §14. Times are `YYYY-MM-DDTHH:MM:SSUTC` texts, those of users
//! `YYYY-MM-DDTHH:MM:SS.mmmZ`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

/// A page of a list.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Page<T> {
    /// How many there are in all.
    pub count: u64,
    /// Absolute URL of the next page.
    pub next: Option<String>,
    /// Absolute URL of the page before.
    pub previous: Option<String>,
    /// The items of this page.
    pub results: Vec<T>,
}

/// A user. Source: §3.1.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct User {
    /// A number.
    pub id: i64,
    /// Last log-in, or the registration when there was none yet.
    pub last_login: String,
    /// Whether an administrator.
    pub is_superuser: bool,
    /// The name.
    pub username: String,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// E-mail address.
    pub email: String,
    /// Always as `is_superuser`.
    pub is_staff: bool,
    /// Whether the user may log in.
    pub is_active: bool,
    /// When registered.
    pub date_joined: String,
    /// Always empty.
    pub groups: Vec<String>,
    /// Always empty.
    pub user_permissions: Vec<String>,
}

/// Answer of `auth/login/` and `auth/tokens/`.
#[derive(Clone, Serialize, Deserialize)]
pub struct Token {
    /// The user's key, 40 hexadecimal digits.
    pub token: String,
}

/// An app. Source: §4.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct App {
    /// When created.
    pub created: String,
    /// The name.
    pub id: String,
    /// The owner's name.
    pub owner: String,
    /// Wanted containers by type.
    pub structure: BTreeMap<String, u32>,
    /// When last changed.
    pub updated: String,
    /// Its own host name, `<id>.<platform domain>`, without a scheme.
    pub url: String,
    /// Identity.
    pub uuid: String,
}

/// Answer of `run/` to clients that are not known to want [`RunPair`]. Source: §4.2.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunResult {
    /// The exit code.
    pub rc: i32,
    /// What was printed.
    pub output: String,
}

/// Answer of `run/` as the real servers gave it: exit code, output.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunPair(pub i32, pub String);

/// A container. Source: §5.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Container {
    /// The owner of the app.
    pub owner: String,
    /// The app's name.
    pub app: String,
    /// The release it runs, `v2`.
    pub release: String,
    /// When it was started.
    pub created: String,
    /// The same.
    pub updated: String,
    /// Identity.
    pub uuid: String,
    /// Its process type.
    #[serde(rename = "type")]
    pub process_type: String,
    /// Its number among those of its type, from 1.
    pub num: u32,
    /// What it does now: `initialized`, `created`, `up`, `down`, `destroyed`, `crashed`, `error`.
    pub state: String,
}

/// A configuration. Source: §6.
#[derive(Clone, Serialize, Deserialize)]
pub struct Config {
    /// The owner of the app.
    pub owner: String,
    /// The app's name.
    pub app: String,
    /// Environment variables.
    pub values: BTreeMap<String, String>,
    /// Memory limits by process type.
    pub memory: BTreeMap<String, String>,
    /// CPU shares by process type; 1024 stand for a core.
    pub cpu: BTreeMap<String, u64>,
    /// Node labels.
    pub tags: BTreeMap<String, String>,
    /// When made.
    pub created: String,
    /// The same.
    pub updated: String,
    /// Identity.
    pub uuid: String,
}

/// A domain. Source: §7.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Domain {
    /// The app's name.
    pub app: String,
    /// When added.
    pub created: String,
    /// The domain.
    pub domain: String,
    /// Who added it.
    pub owner: String,
    /// When last changed.
    pub updated: String,
}

/// A build. Source: §8.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Build {
    /// The app's name.
    pub app: String,
    /// When made.
    pub created: String,
    /// Non-empty for builds from a Dockerfile.
    pub dockerfile: String,
    /// What runs.
    pub image: String,
    /// Who made it.
    pub owner: String,
    /// Commands by process type.
    pub procfile: BTreeMap<String, String>,
    /// Commit hash, possibly empty.
    pub sha: String,
    /// As `created`.
    pub updated: String,
    /// Identity.
    pub uuid: String,
}

/// A release. Source: §9.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Release {
    /// The app's name.
    pub app: String,
    /// Identity of its build.
    pub build: Option<String>,
    /// Identity of its configuration.
    pub config: String,
    /// When made.
    pub created: String,
    /// Who made it.
    pub owner: String,
    /// What it changed.
    pub summary: String,
    /// When last changed.
    pub updated: String,
    /// Identity.
    pub uuid: String,
    /// Its number.
    pub version: u32,
}

/// Answer of `releases/rollback/`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReleaseVersion {
    /// The new release's number.
    pub version: u32,
}

/// A key. Source: §10.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Key {
    /// When added.
    pub created: String,
    /// The label.
    pub id: String,
    /// Whose it is.
    pub owner: String,
    /// The public key.
    pub public: String,
    /// When last changed.
    pub updated: String,
    /// Identity.
    pub uuid: String,
}

/// Answer of `perms/`. Source: §11.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Perms {
    /// Names of those with access beside the owner.
    pub users: Vec<String>,
}

/// An item of `admin/perms/`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Admin {
    /// The name.
    pub username: String,
    /// Always true.
    pub is_superuser: bool,
}

/// Body of `hooks/push/`, which is its answer too. Source: §14.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PushHook {
    /// Who pushed.
    pub receive_user: String,
    /// Name of the app.
    pub receive_repo: String,
    /// The commit hash.
    pub sha: String,
    /// Fingerprint of the pusher's key.
    pub fingerprint: String,
    /// Where the pusher connected from, as SSH tells it.
    pub ssh_connection: String,
    /// What the pusher's git asked for.
    pub ssh_original_command: String,
}

/// Answer of `hooks/build/`. Source: §14.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BuildHookResult {
    /// The new release.
    pub release: ReleaseVersion,
    /// Where the app answers.
    pub domains: Vec<String>,
}
