//! Lines of the platform in apps' logs, the newest of each app.

use std::collections::BTreeSet;

use slipway_core::AppId;
use slipway_core::log::{LogLine, LogQuery};

use crate::db::on;
use crate::schema::{apps, log_lines};
use crate::types::{UtcMicros, text};
use crate::{Db, StoreError};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

/// How many lines are kept of each app.
pub const LOG_LINES_KEPT: i64 = 500;

/// Adds lines, oldest first, and drops the oldest of their apps beyond [`LOG_LINES_KEPT`]. Lines of apps that are not
/// there are passed over.
pub async fn log_lines_append(db: &mut Db, lines: &[(AppId, LogLine)]) -> Result<(), StoreError> {
    let wanted: BTreeSet<String> = lines.iter().map(|(app, _)| app.to_string()).collect();
    let there: Vec<String> =
        on!(db, |conn| apps::table.filter(apps::id.eq_any(&wanted)).select(apps::id).load(conn).await)?;
    // One by one: SQLite takes no batches.
    for (app, line) in lines {
        let app = app.to_string();
        if !there.contains(&app) {
            continue;
        }
        on!(db, |conn| diesel::insert_into(log_lines::table)
            .values((
                log_lines::app.eq(&app),
                log_lines::time.eq(UtcMicros::from(line.time)),
                log_lines::source.eq(text(&line.source)),
                log_lines::text.eq(text(&line.text)),
            ))
            .execute(conn)
            .await)?;
    }
    for app in &there {
        let oldest: Option<i64> = on!(db, |conn| log_lines::table
            .filter(log_lines::app.eq(app))
            .order(log_lines::number.desc())
            .offset(LOG_LINES_KEPT)
            .select(log_lines::number)
            .first(conn)
            .await
            .optional())?;
        if let Some(oldest) = oldest {
            on!(db, |conn| diesel::delete(
                log_lines::table.filter(log_lines::app.eq(app)).filter(log_lines::number.le(oldest))
            )
            .execute(conn)
            .await)?;
        }
    }
    Ok(())
}

/// The newest lines of an app that `query` asks for, oldest first. Index: `log_lines_app`.
pub async fn log_lines_read(db: &mut Db, app: AppId, query: &LogQuery) -> Result<Vec<LogLine>, StoreError> {
    let rows: Vec<(UtcMicros, String, String)> = on!(db, |conn| log_lines::table
        .filter(log_lines::app.eq(app.to_string()))
        .order(log_lines::number.desc())
        .limit(LOG_LINES_KEPT)
        .select((log_lines::time, log_lines::source, log_lines::text))
        .load(conn)
        .await)?;
    let is_wanted = |source: &str| {
        query.process_type.as_ref().is_none_or(|wanted| source.split('.').next() == Some(wanted.as_str()))
    };
    let mut lines: Vec<LogLine> = rows
        .into_iter()
        .filter(|(_, source, _)| is_wanted(source))
        .take(query.lines)
        .map(|(time, source, text)| LogLine { time: time.utc(), source, text })
        .collect();
    lines.reverse();
    Ok(lines)
}
