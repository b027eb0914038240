//! Services that run and do not answer as they should.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use slipway_core::{AppId, ProcessType};

use crate::db::on;
use crate::schema::unhealthy_services as unhealthy;
use crate::types::{Row, UtcMicros, text};
use crate::{Db, StoreError};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

/// Notes that a service does not answer, and why; false if that was noted already.
pub async fn unhealthy_insert(
    db: &mut Db,
    app: AppId,
    process_type: &ProcessType,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let n = on!(db, |conn| diesel::insert_into(unhealthy::table)
        .values((
            unhealthy::app.eq(app.to_string()),
            unhealthy::process_type.eq(process_type.as_str()),
            unhealthy::reason.eq(text(reason)),
            unhealthy::created.eq(UtcMicros::from(now)),
        ))
        .on_conflict_do_nothing()
        .execute(conn)
        .await)?;
    Ok(n > 0)
}

/// Notes that a service answers, or that nobody asks it any more; false if nothing else was noted.
pub async fn unhealthy_delete(db: &mut Db, app: AppId, process_type: &ProcessType) -> Result<bool, StoreError> {
    let n = on!(db, |conn| diesel::delete(unhealthy::table.find((app.to_string(), process_type.as_str())))
        .execute(conn)
        .await)?;
    Ok(n > 0)
}

/// Which services of these apps do not answer.
pub async fn unhealthy_by_apps(db: &mut Db, apps: &[AppId]) -> Result<BTreeSet<(AppId, ProcessType)>, StoreError> {
    let ids: Vec<String> = apps.iter().map(ToString::to_string).collect();
    let rows: Vec<(String, String)> = on!(db, |conn| unhealthy::table
        .filter(unhealthy::app.eq_any(&ids))
        .select((unhealthy::app, unhealthy::process_type))
        .load(conn)
        .await)?;
    rows.into_iter().map(service).collect()
}

/// All services that do not answer.
pub async fn unhealthy_all(db: &mut Db) -> Result<BTreeSet<(AppId, ProcessType)>, StoreError> {
    let rows: Vec<(String, String)> =
        on!(db, |conn| unhealthy::table.select((unhealthy::app, unhealthy::process_type)).load(conn).await)?;
    rows.into_iter().map(service).collect()
}

fn service((app, process_type): (String, String)) -> Result<(AppId, ProcessType), StoreError> {
    let row = Row { table: "unhealthy_services", id: &app };
    Ok((row.parse("app", &app)?, row.parse("process_type", &process_type)?))
}
