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
