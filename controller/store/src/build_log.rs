//! Logs of attempts to build.

use chrono::{DateTime, Utc};
use slipway_core::build::{BuildLog, BuildOutcome};
use slipway_core::{AppId, BuildLogId, UserId};

use crate::{Db, Page, Paged, StoreError};

/// How many logs are kept of each app.
pub const BUILD_LOGS_KEPT: i64 = 20;

/// What is needed to keep a log.
#[derive(Debug, Clone)]
pub struct NewBuildLog {
    /// The app.
    pub app: AppId,
    /// Who pushed.
    pub owner: UserId,
    /// Hash of the commit.
    pub sha: String,
    /// How the attempt came out.
    pub outcome: BuildOutcome,
    /// The log, compressed by the caller.
    pub log: Vec<u8>,
    /// When it was made.
    pub created: DateTime<Utc>,
}

/// Keeps a log and drops the oldest of the app beyond [`BUILD_LOGS_KEPT`].
pub async fn build_log_insert(db: &mut Db<'_>, new: &NewBuildLog) -> Result<BuildLog, StoreError> {
    todo!()
}

/// The logs of an app, newest first, without their text.
pub async fn build_logs_list(db: &mut Db<'_>, app: AppId, page: Page) -> Result<Paged<BuildLog>, StoreError> {
    todo!()
}

/// A log of an app with its text as it was given.
pub async fn build_log_by_id(
    db: &mut Db<'_>,
    app: AppId,
    id: BuildLogId,
) -> Result<Option<(BuildLog, Vec<u8>)>, StoreError> {
    todo!()
}

/// The newest log of a commit; `sha` may be the first characters of its hash.
pub async fn build_log_by_sha(
    db: &mut Db<'_>,
    app: AppId,
    sha: &str,
) -> Result<Option<(BuildLog, Vec<u8>)>, StoreError> {
    todo!()
}

/// The newest log of an app.
pub async fn build_log_latest(db: &mut Db<'_>, app: AppId) -> Result<Option<(BuildLog, Vec<u8>)>, StoreError> {
    todo!()
}
