//! Bodies of the dployr API (`/v1`). Source: `dployr-v1.md`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What every refusal looks like.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ErrorEnvelope {
    /// What is wrong.
    pub error: ErrorBody,
}

/// What is wrong with a request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ErrorBody {
    /// A word for programs, for example `not_found`.
    pub code: String,
    /// A sentence for people.
    pub message: String,
    /// Which field it is about; left out when it is about none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<ErrorDetails>,
}

/// The fields that are wrong: one in `field` and `issue`, several in `errors`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ErrorDetails {
    /// The only wrong field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What is wrong with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issue: Option<String>,
    /// Several wrong fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldIssue>,
}

/// One of several wrong fields.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FieldIssue {
    /// The field.
    pub field: String,
    /// What is wrong with it.
    pub issue: String,
}

/// Answer of `POST auth/login` and `POST auth/refresh`. Source: `dployr-v1.md` §3.1.
#[derive(Clone, Serialize, Deserialize)]
pub struct TokenPair {
    /// For requests.
    pub access_token: String,
    /// For another pair, once.
    pub refresh_token: String,
    /// `Bearer`.
    pub token_type: String,
    /// Life of the access token, in seconds.
    pub expires_in: i64,
}

/// A runtime. Source: `dployr-v1.md` §4.2.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Runtime {
    /// Which.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its version; `null` for the platform's choice.
    pub version: Option<String>,
}

/// A repository elsewhere.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Remote {
    /// Its address, without credentials.
    pub url: String,
    /// The branch; `null` for the repository's own.
    pub branch: Option<String>,
    /// The commit that was built last, or is asked for.
    pub commit_hash: Option<String>,
    /// The public key to be let in at a repository that is reached by SSH; `null` for others.
    pub deploy_key: Option<String>,
}

/// A secret, by name only.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SecretName {
    /// The name.
    pub key: String,
}

/// A deployment. Source: `dployr-v1.md` §4.2.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the contract says what each field is")]
pub struct Deployment {
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    pub user_id: String,
    pub project_id: Option<String>,
    #[serde(rename = "type")]
    pub kind: String,
    pub source: String,
    pub runtime: Option<Runtime>,
    pub remote: Option<Remote>,
    pub build_cmd: Option<String>,
    pub run_cmd: Option<String>,
    pub port: u16,
    pub working_dir: Option<String>,
    pub static_dir: Option<String>,
    pub image: Option<String>,
    pub domain: Option<String>,
    pub health_check: Option<String>,
    pub env_vars: BTreeMap<String, String>,
    pub secrets: Vec<SecretName>,
    pub status: String,
    pub error: Option<String>,
    pub service_id: Option<String>,
    pub app: String,
    pub build_id: Option<String>,
    pub release: Option<u32>,
    pub created_at: String,
    pub updated_at: String,
    pub finished_at: Option<String>,
    /// For old clients, in the answer to a request for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success: Option<bool>,
}

/// A service. Source: `dployr-v1.md` §5.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the contract says what each field is")]
pub struct Service {
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    #[serde(rename = "type")]
    pub kind: String,
    pub source: String,
    pub runtime: Option<String>,
    pub runtime_version: Option<String>,
    pub run_cmd: Option<String>,
    pub build_cmd: Option<String>,
    pub port: u16,
    pub working_dir: Option<String>,
    pub static_dir: Option<String>,
    pub image: Option<String>,
    pub env_vars: BTreeMap<String, String>,
    pub secrets: Vec<SecretName>,
    pub remote: Option<String>,
    pub branch: Option<String>,
    pub commit_hash: Option<String>,
    pub deployment_id: String,
    pub status: String,
    pub health: String,
    pub health_check: Option<String>,
    pub replicas: u32,
    pub created_at: String,
    pub updated_at: String,
}

/// How many processes there are.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Replicas {
    /// Wanted.
    pub desired: u32,
    /// Ready.
    pub ready: u32,
}

/// How a service is. Source: `dployr-v1.md` §5.1.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the contract says what each field is")]
pub struct ServiceStatus {
    pub id: String,
    pub name: String,
    pub status: String,
    pub health: String,
    pub replicas: Replicas,
    pub uptime_seconds: Option<i64>,
    pub restarts: u32,
    pub exit_code: Option<i32>,
    pub url: Option<String>,
    pub deployment_id: String,
    pub release: Option<u32>,
    pub updated_at: String,
}

/// Answer to starting, stopping and restarting a service.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the contract says what each field is")]
pub struct ServiceAction {
    pub id: String,
    pub name: String,
    pub status: String,
    pub task_id: String,
}

/// An instance. Source: `dployr-v1.md` §6.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the contract says what each field is")]
pub struct Instance {
    pub id: String,
    pub tag: String,
    pub kind: String,
    pub role: String,
    pub service_id: Option<String>,
    pub deployment_id: Option<String>,
    pub release: Option<u32>,
    #[serde(rename = "type")]
    pub process_type: Option<String>,
    pub address: Option<String>,
    pub region: Option<String>,
    pub status: String,
    pub version: Option<String>,
    pub os: Option<String>,
    pub arch: Option<String>,
    pub cpu_count: Option<u32>,
    pub memory_total_bytes: Option<u64>,
    pub started_at: String,
    pub created_at: String,
    pub updated_at: String,
}

/// A line of a log. Source: `dployr-v1.md` §7.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LogEntry {
    /// When.
    pub timestamp: String,
    /// `build` or `runtime`.
    pub source: String,
    /// `debug`, `info`, `warn` or `error`.
    pub level: String,
    /// The text.
    pub message: String,
    /// Who wrote it.
    pub instance: Option<String>,
}

/// A route. Source: `dployr-v1.md` §8.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the contract says what each field is")]
pub struct Route {
    pub id: String,
    pub domain: String,
    pub service_id: Option<String>,
    pub port: u16,
    pub upstream: String,
    pub template: String,
    pub status: String,
    pub created_at: String,
    pub updated_at: String,
}

/// A project. Source: `dployr-v1.md` §9.1.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the contract says what each field is")]
pub struct Project {
    pub id: String,
    pub name: String,
    pub description: String,
    pub owner: String,
    pub deployment_count: u64,
    pub created_at: String,
    pub updated_at: String,
}

/// A variable. Source: `dployr-v1.md` §9.2.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Variable {
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: String,
    /// When the environment was last changed.
    pub updated_at: String,
}

/// The environment of a service.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Environment {
    /// As a map.
    pub env: BTreeMap<String, String>,
    /// As a list, by name.
    pub variables: Vec<Variable>,
}

/// A variable that was set.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct VariableSet {
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: String,
    /// The release that has it.
    pub release: u32,
}

/// How the newest delivery of a webhook went.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LastDelivery {
    /// `pending`, `delivered` or `failed`.
    pub status: String,
    /// When it last changed.
    pub at: String,
    /// How often it was tried.
    pub attempts: u32,
}

/// A webhook. Source: `dployr-v1.md` §9.3.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the contract says what each field is")]
pub struct Webhook {
    pub id: String,
    pub url: String,
    pub events: Vec<String>,
    pub active: bool,
    pub has_secret: bool,
    pub last_delivery: Option<LastDelivery>,
    pub created_at: String,
    pub updated_at: String,
}

/// One attempt of a delivery (Slipway's own).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeliveryAttempt {
    /// Its number, from 1.
    pub number: u32,
    /// When it ended.
    pub at: String,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// Why it was not taken.
    pub error: Option<String>,
}

/// Something that a webhook is told (Slipway's own).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each field is that of the delivery")]
pub struct Delivery {
    pub id: String,
    pub webhook_id: String,
    pub event: String,
    pub status: String,
    pub attempts: u32,
    pub log: Vec<DeliveryAttempt>,
    pub next_attempt_at: Option<String>,
    pub payload: Value,
    pub created_at: String,
    pub finished_at: Option<String>,
}
