//! Builds and their logs.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use slipway_core::build::Build;
use slipway_core::release::Release;
use slipway_core::{BuildId, Result, Username};

use crate::{Cx, Page, PageQuery, Service};

/// A build to be made, not yet checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewBuild {
    /// What runs; required.
    pub image: String,
    /// Commit hash, at most 40 characters, possibly empty.
    pub sha: String,
    /// Commands by process type; a `null` is `None`.
    pub procfile: BTreeMap<String, Option<String>>,
    /// Non-empty for builds from a Dockerfile.
    pub dockerfile: String,
    /// The stack, possibly empty.
    pub stack: String,
}

/// A build and the release that was made with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployed {
    /// The build.
    pub build: Build,
    /// The release, as it was when the answer was made.
    pub release: Release,
}

/// How a build from source ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuildLogState {
    /// With a build.
    Succeeded,
    /// With an error.
    Failed,
    /// The pusher went away, or somebody stopped it.
    Canceled,
}

/// The log of a build from source (Slipway's own).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildLog {
    /// Its identity.
    pub id: BuildId,
    /// Who pushed.
    pub owner_name: Username,
    /// The full commit hash.
    pub sha: String,
    /// How it ended.
    pub state: BuildLogState,
    /// The text; empty in lists.
    pub log: String,
    /// When it ended.
    pub created: DateTime<Utc>,
}

impl Service {
    /// Makes a build and a release of it, and waits for the rollout. Source: `drycc-v2.md` §2.5.
    ///
    /// # Errors
    /// `Invalid` by field; `Rejected` when the deploy failed (the release is kept as failed) or another is in progress.
    pub async fn build_create(&self, cx: &Cx, app: &str, new: NewBuild) -> Result<Deployed> {
        let _ = (cx, app, new);
        todo!()
    }

    /// An app's builds, newest first.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn builds_list(&self, cx: &Cx, app: &str, page: PageQuery) -> Result<Page<Build>> {
        let _ = (cx, app, page);
        todo!()
    }

    /// One build.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn build_get(&self, cx: &Cx, app: &str, build: &str) -> Result<Build> {
        let _ = (cx, app, build);
        todo!()
    }

    /// The build of the latest good release.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn build_current(&self, cx: &Cx, app: &str) -> Result<Build> {
        let _ = (cx, app);
        todo!()
    }

    /// Logs of an app's builds from source, newest first, without their text.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn build_logs_list(&self, cx: &Cx, app: &str, page: PageQuery) -> Result<Page<BuildLog>> {
        let _ = (cx, app, page);
        todo!()
    }

    /// The log of one build from source, by its id or by a (shortened, at least 7 digits) commit hash: the newest.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn build_log_get(&self, cx: &Cx, app: &str, id_or_sha: &str) -> Result<BuildLog> {
        let _ = (cx, app, id_or_sha);
        todo!()
    }
}
