//! What the builder asks and tells. Source: `drycc-v2.md` §5.3.

use std::collections::BTreeMap;
use std::time::Duration;

use slipway_core::config::Config;
use slipway_core::release::ReleaseState;
use slipway_core::{AppId, AppName, Result, Username};

use crate::{BuildLogState, Cx, Deployed, NewBuild, Service};

/// Whose key it is, and where that user may push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookKeyUser {
    /// The user.
    pub username: Username,
    /// Names of the apps that the user may push to.
    pub apps: Vec<AppName>,
}

/// A public key of somebody with access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookKey {
    /// The key: type, base64, comment.
    pub key: String,
    /// MD5 fingerprint.
    pub fingerprint: String,
}

/// An app's identity and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookAppRef {
    /// Identity; names the repository's directory.
    pub id: AppId,
    /// The name.
    pub name: AppName,
}

/// The log of a build from source, to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookBuildLog {
    /// The full commit hash.
    pub sha: String,
    /// How it ended.
    pub state: BuildLogState,
    /// The text; cut at 4 MiB.
    pub log: String,
}

/// How far a release is, for the pusher who waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseProgress {
    /// Its state.
    pub state: ReleaseState,
    /// What is going on.
    pub progress: Vec<String>,
    /// Stands for all this; given back it asks for something else.
    pub seen: String,
    /// Why it failed, with the last lines of the failing process's log; else empty.
    pub reason: String,
    /// Where the app answers.
    pub urls: Vec<String>,
}

impl Service {
    /// Whose key has this MD5 fingerprint.
    ///
    /// # Errors
    /// `Forbidden` for all but the builder; `NotFound`.
    pub async fn hook_key(&self, cx: &Cx, fingerprint: &str) -> Result<HookKeyUser> {
        let _ = (cx, fingerprint);
        todo!()
    }

    /// The keys of users with an explicit grant on an app, or of one user with access to it.
    ///
    /// # Errors
    /// `NotFound` (app, then user), `Forbidden` without access, `Missing` without keys.
    pub async fn hook_keys(
        &self,
        cx: &Cx,
        app: &str,
        username: Option<&str>,
    ) -> Result<BTreeMap<Username, Vec<HookKey>>> {
        let _ = (cx, app, username);
        todo!()
    }

    /// Whether a user may push to an app, and the app's identity.
    ///
    /// # Errors
    /// `NotFound` (app, then user), `Forbidden`.
    pub async fn hook_access(&self, cx: &Cx, username: &str, app: &str) -> Result<HookAppRef> {
        let _ = (cx, username, app);
        todo!()
    }

    /// The configuration of an app for one who may push to it.
    ///
    /// # Errors
    /// As `hook_access`.
    pub async fn hook_config(&self, cx: &Cx, username: &str, app: &str) -> Result<Config> {
        let _ = (cx, username, app);
        todo!()
    }

    /// Records a build made by a push, with a release of it; waits for the rollout if `is_waiting`.
    ///
    /// # Errors
    /// As `hook_access`, and as `build_create`.
    pub async fn hook_build(
        &self,
        cx: &Cx,
        username: &str,
        app: &str,
        new: NewBuild,
        is_waiting: bool,
    ) -> Result<Deployed> {
        let _ = (cx, username, app, new, is_waiting);
        todo!()
    }

    /// How far a release is; answers when that differs from what `seen` stands for, or after `wait` (at most 30 s).
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn hook_release_progress(
        &self,
        cx: &Cx,
        app: &str,
        version: &str,
        wait: Duration,
        seen: &str,
    ) -> Result<ReleaseProgress> {
        let _ = (cx, app, version, wait, seen);
        todo!()
    }

    /// Keeps the log of a build from source.
    ///
    /// # Errors
    /// As `hook_access`.
    pub async fn hook_build_log(&self, cx: &Cx, username: &str, app: &str, log: HookBuildLog) -> Result<()> {
        let _ = (cx, username, app, log);
        todo!()
    }

    /// Every app there is, so that repositories of none can be removed.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn hook_apps(&self, cx: &Cx) -> Result<Vec<HookAppRef>> {
        let _ = cx;
        todo!()
    }
}
