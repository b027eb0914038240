//! Releases.

use chrono::{DateTime, Utc};
use slipway_core::release::{Release, ReleaseState};
use slipway_core::{AppId, BuildId, ConfigId, ReleaseId, ReleaseVersion, UserId};

use crate::{Db, Page, Paged, StoreError};

/// What is needed to add a release; its number is given by the store.
#[derive(Debug, Clone)]
pub struct NewRelease {
    /// The app.
    pub app: AppId,
    /// Who made it.
    pub owner: UserId,
    /// What it changed, in a sentence.
    pub summary: String,
    /// The configuration it runs with.
    pub config: ConfigId,
    /// The build it runs, if there is one yet.
    pub build: Option<BuildId>,
    /// `Created`, or `Succeeded` without a build.
    pub state: ReleaseState,
    /// When it is made.
    pub created: DateTime<Utc>,
}

/// A change of a release's state.
#[derive(Debug, Clone)]
pub struct ReleaseChange<'a> {
    /// The new state.
    pub to: ReleaseState,
    /// Why it failed; empty otherwise.
    pub exception: &'a str,
    /// When its deploy must be over; `None` leaves what is stored.
    pub deadline: Option<DateTime<Utc>>,
    /// When it changes.
    pub now: DateTime<Utc>,
}

/// Adds a release under the next number of its app. Numbers are never used twice, failed releases keep theirs.
pub async fn release_insert(db: &mut Db<'_>, new: &NewRelease) -> Result<Release, StoreError> {
    todo!()
}

/// The release of this identity.
pub async fn release_by_id(db: &mut Db<'_>, id: ReleaseId) -> Result<Option<Release>, StoreError> {
    todo!()
}

/// The release of this number.
pub async fn release_by_version(
    db: &mut Db<'_>,
    app: AppId,
    version: ReleaseVersion,
) -> Result<Option<Release>, StoreError> {
    todo!()
}

/// The releases of an app, newest first. Index: `releases_app_version_key`.
pub async fn releases_list(db: &mut Db<'_>, app: AppId, page: Page) -> Result<Paged<Release>, StoreError> {
    todo!()
}

/// The newest release of an app, whatever its state.
pub async fn release_latest(db: &mut Db<'_>, app: AppId) -> Result<Option<Release>, StoreError> {
    todo!()
}

/// The newest release that is not `Failed`, `Canceled` or `Superseded`: what is or should be running.
pub async fn release_latest_good(db: &mut Db<'_>, app: AppId) -> Result<Option<Release>, StoreError> {
    todo!()
}

/// The newest release that is `Succeeded`.
pub async fn release_latest_succeeded(db: &mut Db<'_>, app: AppId) -> Result<Option<Release>, StoreError> {
    todo!()
}

/// The newest `Succeeded` release before this number.
pub async fn release_succeeded_before(
    db: &mut Db<'_>,
    app: AppId,
    version: ReleaseVersion,
) -> Result<Option<Release>, StoreError> {
    todo!()
}

/// All releases that are `Created` or `Deploying`, by app and number. Index: `releases_pending`.
pub async fn releases_pending(db: &mut Db<'_>) -> Result<Vec<Release>, StoreError> {
    todo!()
}

/// The releases of one app that are `Created` or `Deploying`, by number.
pub async fn releases_pending_by_app(db: &mut Db<'_>, app: AppId) -> Result<Vec<Release>, StoreError> {
    todo!()
}

/// Changes the state if it is one of `from`; whether it did.
pub async fn release_set_state(
    db: &mut Db<'_>,
    id: ReleaseId,
    from: &[ReleaseState],
    change: &ReleaseChange<'_>,
) -> Result<bool, StoreError> {
    todo!()
}

/// Marks pending releases before this number as `Superseded`; how many there were.
pub async fn releases_supersede_before(
    db: &mut Db<'_>,
    app: AppId,
    version: ReleaseVersion,
    now: DateTime<Utc>,
) -> Result<u64, StoreError> {
    todo!()
}

/// The images of the builds of the last `per_app` releases of every app, of what is pending, and of the last that succeeded: what the store of slugs must keep.
pub async fn release_images_in_use(db: &mut Db<'_>, per_app: u32) -> Result<Vec<String>, StoreError> {
    todo!()
}
