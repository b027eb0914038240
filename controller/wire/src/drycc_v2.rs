//! Bodies of the Drycc/Deis API 2.0 – 2.3 (`/v2`), and of Slipway's additions to it.
//!
//! Source: `drycc-v2.md` §1.4 – 1.6 and §2. Times are `YYYY-MM-DDTHH:MM:SSZ` texts (§1.9).

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

pub mod hook;
#[cfg(test)]
mod tests;

/// Reads a field that servers of upstream's leave out or send as null. Source: §2 names per object what which of them
/// sends.
fn null_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

const fn always() -> bool {
    true
}

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

/// A user. Source: §2.1.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct User {
    /// A number.
    #[serde(default, deserialize_with = "null_default")]
    pub id: i64,
    /// Last log-in.
    pub last_login: Option<String>,
    /// Whether an administrator.
    pub is_superuser: bool,
    /// The name.
    pub username: String,
    /// First name.
    #[serde(default, deserialize_with = "null_default")]
    pub first_name: String,
    /// Last name.
    #[serde(default, deserialize_with = "null_default")]
    pub last_name: String,
    /// E-mail address.
    #[serde(default, deserialize_with = "null_default")]
    pub email: String,
    /// Always as `is_superuser`.
    #[serde(default, deserialize_with = "null_default")]
    pub is_staff: bool,
    /// Whether the user may log in.
    pub is_active: bool,
    /// When registered.
    #[serde(default, deserialize_with = "null_default")]
    pub date_joined: String,
    /// Always empty.
    #[serde(default, deserialize_with = "null_default")]
    pub groups: Vec<String>,
    /// Always empty.
    #[serde(default, deserialize_with = "null_default")]
    pub user_permissions: Vec<String>,
}

/// Body of `auth/register/`.
#[derive(Clone, Serialize, Deserialize)]
pub struct Register {
    /// The name.
    pub username: String,
    /// The password.
    pub password: String,
    /// E-mail address.
    pub email: String,
}

/// Body of `auth/login/`.
#[derive(Clone, Serialize, Deserialize)]
pub struct Login {
    /// The name.
    pub username: String,
    /// The password.
    pub password: String,
}

/// Answer of `auth/login/` and `auth/tokens/`.
#[derive(Clone, Serialize, Deserialize)]
pub struct Token {
    /// The user's key, 40 hexadecimal digits.
    pub token: String,
}

/// An app. Source: §2.2.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct App {
    /// Identity.
    pub uuid: String,
    /// The name.
    pub id: String,
    /// The owner's name.
    pub owner: String,
    /// Wanted replicas by process type.
    #[serde(default, deserialize_with = "null_default")]
    pub structure: BTreeMap<String, u32>,
    /// Its own host name, `<id>.<platform domain>`, without a scheme.
    #[serde(default, deserialize_with = "null_default")]
    pub url: String,
    /// When created.
    pub created: String,
    /// When last changed.
    pub updated: String,
}

/// A build. Source: §2.5.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Build {
    /// Identity.
    pub uuid: String,
    /// The app's name.
    pub app: String,
    /// Who pushed it.
    pub owner: String,
    /// What runs.
    pub image: String,
    /// Short commit hash.
    #[serde(default, deserialize_with = "null_default")]
    pub sha: String,
    /// Commands by process type.
    #[serde(default, deserialize_with = "null_default")]
    pub procfile: BTreeMap<String, String>,
    /// Non-empty for builds from a Dockerfile.
    #[serde(default, deserialize_with = "null_default")]
    pub dockerfile: String,
    /// The stack, possibly empty.
    #[serde(default, deserialize_with = "null_default")]
    pub stack: String,
    /// When made.
    pub created: String,
    /// The same.
    pub updated: String,
}

/// The log of a build from source, without its text (Slipway's own): an item of `builds/logs/`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BuildLog {
    /// Identity.
    pub uuid: String,
    /// The app's name.
    pub app: String,
    /// Who pushed.
    pub owner: String,
    /// The full commit hash.
    pub sha: String,
    /// `running`, `canceling`, `succeeded`, `failed` or `canceled`.
    pub state: String,
    /// When it ended, or began while it is under way.
    pub created: String,
}

/// A configuration. Source: §2.4.
#[derive(Clone, Serialize, Deserialize)]
pub struct Config {
    /// Identity.
    pub uuid: String,
    /// Who made it.
    pub owner: String,
    /// The app's name.
    pub app: String,
    /// Environment variables.
    #[serde(default, deserialize_with = "null_default")]
    pub values: BTreeMap<String, String>,
    /// Memory limits by process type.
    #[serde(default, deserialize_with = "null_default")]
    pub memory: BTreeMap<String, String>,
    /// CPU limits by process type.
    #[serde(default, deserialize_with = "null_default")]
    pub cpu: BTreeMap<String, String>,
    /// Node labels.
    #[serde(default, deserialize_with = "null_default")]
    pub tags: BTreeMap<String, String>,
    /// Registry credentials.
    #[serde(default, deserialize_with = "null_default")]
    pub registry: BTreeMap<String, String>,
    /// Probes by process type.
    #[serde(default, deserialize_with = "null_default")]
    pub healthcheck: BTreeMap<String, serde_json::Value>,
    /// Seconds that processes may take to end, by process type; since 2020.
    #[serde(default, deserialize_with = "null_default")]
    pub termination_grace_period: BTreeMap<String, String>,
    /// Commands that run once a process was started, by process type; since 2020.
    #[serde(default, deserialize_with = "null_default")]
    pub lifecycle_post_start: BTreeMap<String, String>,
    /// Commands that run before a process is told to stop, by process type; since 2020.
    #[serde(default, deserialize_with = "null_default")]
    pub lifecycle_pre_stop: BTreeMap<String, String>,
    /// When made.
    pub created: String,
    /// The same.
    pub updated: String,
}

/// A release. Source: §2.6; `exception` as in 2020, `state` is Slipway's.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Release {
    /// Identity.
    pub uuid: String,
    /// The app's name.
    pub app: String,
    /// Who made it.
    pub owner: String,
    /// Its number.
    pub version: u32,
    /// What it changed.
    #[serde(default, deserialize_with = "null_default")]
    pub summary: String,
    /// Whether it failed.
    #[serde(default, deserialize_with = "null_default")]
    pub failed: bool,
    /// Identity of its configuration.
    pub config: String,
    /// Identity of its build.
    pub build: Option<String>,
    /// Why it failed, else null.
    pub exception: Option<String>,
    /// How far it is: `created`, `deploying`, `succeeded`, `failed`, `superseded`, `canceled`.
    #[serde(default, deserialize_with = "null_default")]
    pub state: String,
    /// When made.
    pub created: String,
    /// When last changed.
    pub updated: String,
}

/// Answer of `releases/rollback/`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReleaseVersion {
    /// The new release's number.
    pub version: u32,
}

/// A process. Source: §2.3.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// The release it runs, `v2`.
    pub release: String,
    /// When it was started.
    pub started: String,
    /// What it does now.
    pub state: String,
    /// Its process type.
    #[serde(rename = "type")]
    pub process_type: String,
}

/// Answer of the pod lists.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Pods {
    /// The processes.
    pub results: Vec<Pod>,
    /// How many.
    pub count: u64,
}

/// Body of `run/`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Run {
    /// A line for the app's shell.
    pub command: String,
}

/// Answer of `run/`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunResult {
    /// The exit code.
    pub exit_code: i32,
    /// What was printed.
    pub output: String,
}

/// A key. Source: §2.12.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Key {
    /// Identity.
    pub uuid: String,
    /// The label.
    pub id: String,
    /// Whose it is.
    pub owner: String,
    /// The public key.
    pub public: String,
    /// MD5 fingerprint.
    #[serde(default, deserialize_with = "null_default")]
    pub fingerprint: String,
    /// When added.
    pub created: String,
    /// When last changed.
    pub updated: String,
}

/// A domain. Source: §2.7.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Domain {
    /// Whose app it is of.
    pub owner: String,
    /// When added.
    pub created: String,
    /// When last changed.
    pub updated: String,
    /// The app's name.
    pub app: String,
    /// The domain in ASCII.
    pub domain: String,
}

/// A certificate. Source: §2.8. Neither it nor its key is ever in an answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Cert {
    /// A number.
    pub id: i64,
    /// Whose it is.
    pub owner: String,
    /// Its name.
    pub name: String,
    /// The subject's common name, possibly null.
    pub common_name: Option<String>,
    /// Alternative names.
    #[serde(default, deserialize_with = "null_default")]
    pub san: Vec<String>,
    /// The domains it is attached to.
    #[serde(default, deserialize_with = "null_default")]
    pub domains: Vec<String>,
    /// SHA-256, upper-case hex with colons.
    pub fingerprint: String,
    /// When it becomes valid.
    #[serde(default, deserialize_with = "null_default")]
    pub starts: String,
    /// When it ends to be valid.
    #[serde(default, deserialize_with = "null_default")]
    pub expires: String,
    /// Who issued it, `/C=US/O=…/CN=…`.
    #[serde(default, deserialize_with = "null_default")]
    pub issuer: String,
    /// Whom it is for, in the same form.
    #[serde(default, deserialize_with = "null_default")]
    pub subject: String,
    /// When added.
    pub created: String,
    /// When last changed.
    pub updated: String,
}

/// The paths of an app's process types. Source: §2.13.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Services {
    /// One a type.
    pub services: Vec<Service>,
}

/// The paths of a process type.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Service {
    /// The type.
    pub procfile_type: String,
    /// Regular expressions with commas between them.
    pub path_pattern: String,
}

/// A volume. Source: §2.13.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Volume {
    /// Identity.
    pub uuid: String,
    /// Who made it.
    pub owner: String,
    /// The app's name.
    pub app: String,
    /// Its name.
    pub name: String,
    /// How much fits into it, `10G`.
    pub size: String,
    /// Where it is mounted, by process type.
    #[serde(default, deserialize_with = "null_default")]
    pub path: BTreeMap<String, String>,
    /// When made.
    pub created: String,
    /// When last changed.
    pub updated: String,
}

/// The settings of an app. Source: §2.10.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Settings {
    /// Identity.
    pub uuid: String,
    /// The app's name.
    pub app: String,
    /// Who changed them last.
    pub owner: String,
    /// Whether requests get a maintenance page.
    #[serde(default, deserialize_with = "null_default")]
    pub maintenance: bool,
    /// Whether requests reach the app at all.
    #[serde(default = "always")]
    pub routable: bool,
    /// Addresses and networks that may call; empty allows all.
    #[serde(default, deserialize_with = "null_default")]
    pub whitelist: Vec<String>,
    /// The same, under its name since 2020.
    #[serde(default)]
    pub allowlist: Vec<String>,
    /// Automatic scaling by process type.
    #[serde(default, deserialize_with = "null_default")]
    pub autoscale: BTreeMap<String, Autoscale>,
    /// Labels of the user's own.
    #[serde(default, deserialize_with = "null_default")]
    pub label: BTreeMap<String, String>,
    /// When made.
    pub created: String,
    /// When last changed.
    pub updated: String,
}

/// When and how far a process type is scaled by itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Autoscale {
    /// Fewest replicas.
    pub min: u32,
    /// Most replicas.
    pub max: u32,
    /// Processor use in per cent above which replicas are added.
    pub cpu_percent: u32,
}

/// How an app treats plain HTTP, and where its certificates come from. Source: §2.9.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Tls {
    /// Identity.
    pub uuid: String,
    /// The app's name.
    pub app: String,
    /// Who changed it last.
    pub owner: String,
    /// Whether plain requests are sent to HTTPS; null until somebody has said so.
    pub https_enforced: Option<bool>,
    /// Whether the platform gets certificates for the app's own domains; null as its operator has set. Since 2020.
    #[serde(default)]
    pub certs_auto_enabled: Option<bool>,
    /// When made.
    pub created: String,
    /// When last changed.
    pub updated: String,
}

/// Body and answer of `whitelist/` and `allowlist/`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Addresses {
    /// Addresses and networks.
    pub addresses: Vec<String>,
}

/// Answer of `perms/`.
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

/// A body that names a user.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UserName {
    /// The name.
    pub username: String,
}

/// Answer of `GET slipway/` (Slipway's own): where the platform's parts are, for people's git and browsers.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Platform {
    /// Where git pushes arrive, `host:port`, or `:port` on the controller's own host; null when it is not known.
    pub ssh: Option<String>,
    /// Domain of the apps: they answer at `<id>.<domain>`.
    pub domain: String,
    /// Where apps answer over HTTP, as `ssh`; null when it is the ordinary port.
    pub router: Option<String>,
}
