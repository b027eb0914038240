//! Process types that somebody stopped.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use slipway_core::{AppId, ProcessType};

use crate::db::on;
use crate::schema::stops;
use crate::types::{Row, UtcMicros};
use crate::{Db, StoreError};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

/// The process types of an app that are stopped.
pub async fn stops_by_app(db: &mut Db, app: AppId) -> Result<BTreeSet<ProcessType>, StoreError> {
    let id = app.to_string();
    let names: Vec<String> =
        on!(db, |conn| stops::table.filter(stops::app.eq(&id)).select(stops::process_type).load(conn).await)?;
    let row = Row { table: "stops", id: &id };
    names.iter().map(|name| row.parse("process_type", name)).collect()
}

/// Notes that a process type, which is not, is stopped.
pub async fn stop_insert(
    db: &mut Db,
    app: AppId,
    process_type: &ProcessType,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    on!(db, |conn| diesel::insert_into(stops::table)
        .values((
            stops::app.eq(app.to_string()),
            stops::process_type.eq(process_type.as_str()),
            stops::created.eq(UtcMicros::from(now)),
        ))
        .execute(conn)
        .await)?;
    Ok(())
}

/// Notes that a process type is no longer stopped; false if it was not.
pub async fn stop_delete(db: &mut Db, app: AppId, process_type: &ProcessType) -> Result<bool, StoreError> {
    let n = on!(db, |conn| diesel::delete(stops::table.find((app.to_string(), process_type.as_str())))
        .execute(conn)
        .await)?;
    Ok(n > 0)
}

/// The stopped process types of these apps.
pub async fn stops_by_apps(db: &mut Db, apps: &[AppId]) -> Result<BTreeSet<(AppId, ProcessType)>, StoreError> {
    let ids: Vec<String> = apps.iter().map(ToString::to_string).collect();
    let rows: Vec<(String, String)> = on!(db, |conn| stops::table
        .filter(stops::app.eq_any(&ids))
        .select((stops::app, stops::process_type))
        .load(conn)
        .await)?;
    rows.into_iter()
        .map(|(app, process_type)| {
            let row = Row { table: "stops", id: &app };
            Ok((row.parse("app", &app)?, row.parse("process_type", &process_type)?))
        })
        .collect()
}
