//! Builds.

use chrono::{DateTime, Utc};
use slipway_core::build::{Build, Procfile};
use slipway_core::{AppId, BuildId, UserId};

use crate::{Db, Page, Paged, StoreError};

/// What is needed to add a build. The fields mean what they mean in `Build`.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each field is that of `Build`")]
pub struct NewBuild {
    pub app: AppId,
    pub owner: UserId,
    pub image: String,
    pub sha: String,
    pub procfile: Procfile,
    pub dockerfile: String,
    pub stack: String,
    pub created: DateTime<Utc>,
}

/// Adds a build.
pub async fn build_insert(db: &mut Db<'_>, new: &NewBuild) -> Result<Build, StoreError> {
    todo!()
}

/// The build of this identity.
pub async fn build_by_id(db: &mut Db<'_>, id: BuildId) -> Result<Option<Build>, StoreError> {
    todo!()
}

/// The builds of an app, newest first. Index: `builds_app_created`.
pub async fn builds_list(db: &mut Db<'_>, app: AppId, page: Page) -> Result<Paged<Build>, StoreError> {
    todo!()
}

/// The newest build of an app.
pub async fn build_latest(db: &mut Db<'_>, app: AppId) -> Result<Option<Build>, StoreError> {
    todo!()
}
