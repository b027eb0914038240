//! Apps.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use slipway_core::app::{App, Structure};
use slipway_core::{AppId, AppName, UserId};

use crate::{Db, Page, Paged, StoreError};

/// What is needed to add an app.
#[derive(Debug, Clone)]
pub struct NewApp {
    /// Its name; unique, also among apps that are being removed.
    pub name: AppName,
    /// Who owns it.
    pub owner: UserId,
    /// Wanted replicas by process type.
    pub structure: Structure,
    /// When it is created.
    pub created: DateTime<Utc>,
}

/// Adds an app.
pub async fn app_insert(db: &mut Db<'_>, new: &NewApp) -> Result<App, StoreError> {
    todo!()
}

/// The app of this name, unless it is being removed.
pub async fn app_by_name(db: &mut Db<'_>, name: &AppName) -> Result<Option<App>, StoreError> {
    todo!()
}

/// The app of this identity, also one that is being removed.
pub async fn app_by_id(db: &mut Db<'_>, id: AppId) -> Result<Option<App>, StoreError> {
    todo!()
}

/// All apps but those being removed, by name.
pub async fn apps_list(db: &mut Db<'_>, page: Page) -> Result<Paged<App>, StoreError> {
    todo!()
}

/// The apps that a user owns or was granted, but those being removed, by name.
pub async fn apps_list_visible(db: &mut Db<'_>, user: UserId, page: Page) -> Result<Paged<App>, StoreError> {
    todo!()
}

/// The names of the apps that a user owns or was granted.
pub async fn apps_names_visible(db: &mut Db<'_>, user: UserId) -> Result<Vec<AppName>, StoreError> {
    todo!()
}

/// Sets the wanted replicas.
pub async fn app_update_structure(
    db: &mut Db<'_>,
    id: AppId,
    structure: &Structure,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    todo!()
}

/// Goes to the next desired generation and gives it; `None` if there is no such app.
pub async fn app_bump_desired(db: &mut Db<'_>, id: AppId, now: DateTime<Utc>) -> Result<Option<i64>, StoreError> {
    todo!()
}

/// Notes that a generation was brought about; never goes back.
pub async fn app_set_observed(db: &mut Db<'_>, id: AppId, generation: i64) -> Result<(), StoreError> {
    todo!()
}

/// Sets the restart counters by process type (an empty key for all types).
pub async fn app_set_restarts(
    db: &mut Db<'_>,
    id: AppId,
    restarts: &BTreeMap<String, i64>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    todo!()
}

/// Marks the app as to be removed and goes to the next desired generation; false if it was marked before or is not there. The name stays taken until `app_delete`.
pub async fn app_mark_deleting(db: &mut Db<'_>, id: AppId, now: DateTime<Utc>) -> Result<bool, StoreError> {
    todo!()
}

/// The apps that are being removed.
pub async fn apps_deleting(db: &mut Db<'_>) -> Result<Vec<App>, StoreError> {
    todo!()
}

/// Removes the app and all that belongs to it; false if there is no such app.
pub async fn app_delete(db: &mut Db<'_>, id: AppId) -> Result<bool, StoreError> {
    todo!()
}

/// Gives the app, and what its owner owns in it, to another user.
pub async fn app_transfer(db: &mut Db<'_>, id: AppId, to: UserId, now: DateTime<Utc>) -> Result<(), StoreError> {
    todo!()
}

/// Identity and name of every app, those being removed too.
pub async fn apps_all_names(db: &mut Db<'_>) -> Result<Vec<(AppId, AppName)>, StoreError> {
    todo!()
}

/// The apps whose desired generation is not yet observed, those being removed too. Index: `apps_unsettled`.
pub async fn apps_unsettled(db: &mut Db<'_>) -> Result<Vec<App>, StoreError> {
    todo!()
}

/// The apps that have a build, but those being removed: what must run after a start.
pub async fn apps_with_builds(db: &mut Db<'_>) -> Result<Vec<App>, StoreError> {
    todo!()
}

/// How many apps a user owns, those being removed too.
pub async fn apps_count_by_owner(db: &mut Db<'_>, owner: UserId) -> Result<u64, StoreError> {
    todo!()
}
