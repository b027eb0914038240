//! Settings and TLS of apps.

use chrono::{DateTime, Utc};
use slipway_core::settings::{AppSettings, Tls};
use slipway_core::{AppId, UserId};

use crate::{Db, StoreError};

/// Adds the default settings and the TLS row of a new app.
pub async fn settings_insert(db: &mut Db<'_>, app: AppId, owner: UserId, now: DateTime<Utc>) -> Result<(), StoreError> {
    todo!()
}

/// The settings of an app.
pub async fn settings_by_app(db: &mut Db<'_>, app: AppId) -> Result<Option<AppSettings>, StoreError> {
    todo!()
}

/// The settings of all apps.
pub async fn settings_all(db: &mut Db<'_>) -> Result<Vec<AppSettings>, StoreError> {
    todo!()
}

/// Stores the settings of `settings.app`; `created` is left alone. False if the app has none.
pub async fn settings_update(db: &mut Db<'_>, settings: &AppSettings) -> Result<bool, StoreError> {
    todo!()
}

/// The TLS row of an app.
pub async fn tls_by_app(db: &mut Db<'_>, app: AppId) -> Result<Option<Tls>, StoreError> {
    todo!()
}

/// The TLS rows of all apps.
pub async fn tls_all(db: &mut Db<'_>) -> Result<Vec<Tls>, StoreError> {
    todo!()
}

/// Says whether plain requests are sent to HTTPS; false if the app has no such row.
pub async fn tls_update(
    db: &mut Db<'_>,
    app: AppId,
    https_enforced: bool,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    todo!()
}
