//! Paths that lead to other process types.

use chrono::{DateTime, Utc};
use slipway_core::path_service::PathService;
use slipway_core::{AppId, ProcessType};

use crate::db::on;
use crate::schema::services;
use crate::types::{Row, UtcMicros, text};
use crate::{Db, StoreError};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

/// The paths of an app's process types, by type.
pub async fn services_by_app(db: &mut Db, app: AppId) -> Result<Vec<PathService>, StoreError> {
    let id = app.to_string();
    let rows: Vec<(String, String)> = on!(db, |conn| services::table
        .filter(services::app.eq(&id))
        .order(services::process_type)
        .select((services::process_type, services::path_pattern))
        .load(conn)
        .await)?;
    let row = Row { table: "services", id: &id };
    rows.into_iter()
        .map(|(process_type, path_pattern)| {
            Ok(PathService { process_type: row.parse("process_type", &process_type)?, path_pattern })
        })
        .collect()
}

/// Sets the paths of a process type.
pub async fn service_set(db: &mut Db, app: AppId, service: &PathService, now: DateTime<Utc>) -> Result<(), StoreError> {
    let (app, now) = (app.to_string(), UtcMicros::from(now));
    let (process_type, path_pattern) = (service.process_type.as_str(), text(&service.path_pattern));
    let changed = on!(db, |conn| diesel::update(services::table.find((&app, process_type)))
        .set((services::path_pattern.eq(&path_pattern), services::updated.eq(now)))
        .execute(conn)
        .await)?;
    if changed == 0 {
        on!(db, |conn| diesel::insert_into(services::table)
            .values((
                services::app.eq(&app),
                services::process_type.eq(process_type),
                services::path_pattern.eq(&path_pattern),
                services::created.eq(now),
                services::updated.eq(now),
            ))
            .execute(conn)
            .await)?;
    }
    Ok(())
}

/// Takes the paths of a process type away; false if it has none.
pub async fn service_delete(db: &mut Db, app: AppId, process_type: &ProcessType) -> Result<bool, StoreError> {
    let n = on!(db, |conn| diesel::delete(services::table.find((app.to_string(), process_type.as_str())))
        .execute(conn)
        .await)?;
    Ok(n > 0)
}
