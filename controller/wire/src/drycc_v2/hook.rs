//! Bodies of the builder's hooks (`/v2/hooks/…`). Source: `drycc-v2.md` §5.3; where noted they are Slipway's own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Answer of `GET hooks/key/<fingerprint>`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KeyUser {
    /// Whose key it is.
    pub username: String,
    /// Names of the apps that user may push to.
    pub apps: Vec<String>,
}

/// A key of somebody with access: answer of `GET hooks/keys/<app>`, a map from user names to lists of these.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Key {
    /// The key: type, base64, comment.
    pub key: String,
    /// MD5 fingerprint.
    pub fingerprint: String,
}

/// Body of `POST hooks/config/` and `POST hooks/access/`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Receive {
    /// Who pushes.
    pub receive_user: String,
    /// Name of the app.
    pub receive_repo: String,
}

/// An app's identity: answer of `POST hooks/access/` (Slipway's own).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AppRef {
    /// Identity; names the repository's directory.
    pub uuid: String,
    /// The name.
    pub id: String,
}

/// Answer of `GET hooks/apps/` (Slipway's own): every app there is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Apps {
    /// The apps.
    pub apps: Vec<AppRef>,
}

/// Body of `POST hooks/build/`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BuildHook {
    /// Who pushed.
    pub receive_user: String,
    /// Name of the app.
    pub receive_repo: String,
    /// What runs.
    pub image: String,
    /// Short commit hash (8 characters).
    pub sha: String,
    /// Commands by process type.
    pub procfile: BTreeMap<String, String>,
    /// `true` for builds from a Dockerfile, else empty.
    pub dockerfile: String,
    /// The stack.
    #[serde(default)]
    pub stack: String,
    /// Whether to answer after the rollout (the default, as upstream) or at once (Slipway's own).
    #[serde(default = "wait_default")]
    pub wait: bool,
}

const fn wait_default() -> bool {
    true
}

/// Answer of `POST hooks/build/`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BuildHookResult {
    /// The new release.
    pub release: super::ReleaseVersion,
}

/// Answer of `GET hooks/releases/<app>/v<N>/?wait=SECONDS&seen=TOKEN` (Slipway's own): answers when something differs
/// from what `seen` stands for, or after `wait` seconds (at most 30).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReleaseProgress {
    /// As in [`super::Release::state`].
    pub state: String,
    /// What is going on, for the person who waits.
    pub progress: Vec<String>,
    /// Give this back in the next call.
    pub seen: String,
    /// Why it failed, with the last lines of the failing process's log; else empty.
    pub reason: String,
    /// Where the app answers.
    pub urls: Vec<String>,
}

/// Body of `POST hooks/buildlog/` (Slipway's own).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BuildLog {
    /// Who pushed.
    pub receive_user: String,
    /// Name of the app.
    pub receive_repo: String,
    /// The full commit hash.
    pub sha: String,
    /// `succeeded`, `failed` or `canceled`.
    pub state: String,
    /// The whole log, at most 4 MiB.
    pub log: String,
    /// The name that the build was given when it began; empty if that was not told.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub build: String,
}

/// Body of `POST hooks/builds/` (Slipway's own): a build begins.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BuildBegin {
    /// Who pushed.
    pub receive_user: String,
    /// Name of the app.
    pub receive_repo: String,
    /// The full commit hash.
    pub sha: String,
}

/// Answer of `POST hooks/builds/`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BuildBegun {
    /// The name by which the build is known from then on.
    pub uuid: String,
}

/// Answer of `GET hooks/builds/<app>/<build>/` (Slipway's own).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BuildWatched {
    /// `running`, `canceling` when it is to be ended, or how it came out.
    pub state: String,
    /// What is said of it when it is to be ended.
    pub log: String,
}

/// Body of `POST hooks/orders/claim/` (Slipway's own): the builder asks for a deployment to be fetched and built.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OrderClaim {
    /// Seconds that the answer may be waited for (at most 25).
    pub wait: u64,
}

/// Answer of `POST hooks/orders/claim/`; 204 when there is nothing to do.
#[derive(Clone, Serialize, Deserialize)]
pub struct Order {
    /// The app's identity.
    pub app: String,
    /// The app's name.
    pub name: String,
    /// In whose name it is built.
    pub user: String,
    /// What the builder is known by until it is done.
    pub claim: String,
    /// The repository, without credentials.
    pub remote: String,
    /// `user:password` for the repository, if it wants one.
    pub credentials: Option<String>,
    /// The branch; empty for the repository's own.
    pub branch: String,
    /// The commit that is wanted; empty for the branch's newest.
    pub commit_hash: String,
    /// The runtime.
    pub runtime: String,
    /// Its version, possibly empty.
    pub version: String,
    /// Command of the build, possibly empty.
    pub build_cmd: String,
    /// Command of the process, possibly empty.
    pub run_cmd: String,
    /// The process type that it is of.
    pub process_type: String,
    /// Directory that is built, possibly empty.
    pub working_dir: String,
    /// Directory of files that are served, possibly empty.
    pub static_dir: String,
    /// The environment of the build.
    pub env: BTreeMap<String, String>,
    /// Stands for what the last good build was made of; empty when it is not to be used again.
    pub fingerprint: String,
}

/// Body of `POST hooks/orders/renew/` (Slipway's own): the builder is still at it. 409 when it is to stop.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OrderRenew {
    /// The app's identity.
    pub app: String,
    /// The builder's claim.
    pub claim: String,
}

/// Body of `POST hooks/orders/finish/` (Slipway's own).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OrderFinish {
    /// The app's identity.
    pub app: String,
    /// The builder's claim.
    pub claim: String,
    /// `built`, `same` (the last good build is of the same) or `failed`.
    pub outcome: String,
    /// Why it failed.
    #[serde(default)]
    pub error: String,
    /// The whole hash of the commit.
    #[serde(default)]
    pub commit_hash: String,
    /// Stands for what it was made of.
    #[serde(default)]
    pub fingerprint: String,
    /// What runs.
    #[serde(default)]
    pub image: String,
    /// Commands by process type.
    #[serde(default)]
    pub procfile: BTreeMap<String, String>,
    /// `true` for builds from a Dockerfile, else empty.
    #[serde(default)]
    pub dockerfile: String,
    /// The stack.
    #[serde(default)]
    pub stack: String,
}

/// Answer of `POST hooks/orders/finish/`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OrderFinished {
    /// The number of the release that was made, if one was.
    pub release: Option<u32>,
}
