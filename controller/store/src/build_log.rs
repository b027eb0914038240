//! Logs of attempts to build.

use chrono::{DateTime, Utc};
use slipway_core::build::{BuildLog, BuildOutcome};
use slipway_core::{AppId, BuildLogId, UserId};

use crate::db::{on, paged};
use crate::schema::build_logs;
use crate::types::{Row, UtcMicros, text};
use crate::user::user_name;
use crate::{Db, Page, Paged, StoreError};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

/// A row of `build_logs` but for the text.
#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = build_logs)]
struct LogRow {
    id: String,
    app: String,
    owner: String,
    owner_name: String,
    sha: String,
    outcome: String,
    created: UtcMicros,
}

impl LogRow {
    fn log(self) -> Result<BuildLog, StoreError> {
        let row = Row { table: "build_logs", id: &self.id };
        Ok(BuildLog {
            id: row.parse("id", &self.id)?,
            app: row.parse("app", &self.app)?,
            owner: row.parse("owner", &self.owner)?,
            owner_name: row.parse("owner_name", &self.owner_name)?,
            outcome: row.parse("outcome", &self.outcome)?,
            created: self.created.utc(),
            sha: self.sha,
        })
    }
}

/// How many logs are kept of each app.
pub const BUILD_LOGS_KEPT: i64 = 20;

/// Outcomes that are none yet.
const UNDER_WAY: [&str; 2] = [BuildOutcome::Running.as_str(), BuildOutcome::Canceling.as_str()];

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
pub async fn build_log_insert(db: &mut Db, new: &NewBuildLog) -> Result<BuildLog, StoreError> {
    let app = new.app;
    let row = LogRow {
        id: BuildLogId::generate().to_string(),
        app: app.to_string(),
        owner: new.owner.to_string(),
        owner_name: user_name(db, new.owner).await?,
        sha: text(&new.sha),
        outcome: new.outcome.as_str().to_owned(),
        created: new.created.into(),
    };
    on!(db, |conn| diesel::insert_into(build_logs::table)
        .values((&row, build_logs::log.eq(&new.log)))
        .execute(conn)
        .await)?;
    let kept: Vec<String> = on!(db, |conn| build_logs::table
        .filter(build_logs::app.eq(app.to_string()))
        .order((build_logs::created.desc(), build_logs::id.desc()))
        .limit(BUILD_LOGS_KEPT)
        .select(build_logs::id)
        .load(conn)
        .await)?;
    on!(db, |conn| diesel::delete(
        build_logs::table.filter(build_logs::app.eq(app.to_string())).filter(build_logs::id.ne_all(kept))
    )
    .execute(conn)
    .await)?;
    row.log()
}

/// Gives a log that was begun its end; false when it is not there, or has its end.
pub async fn build_log_end(
    db: &mut Db,
    app: AppId,
    id: BuildLogId,
    outcome: BuildOutcome,
    log: &[u8],
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let n = on!(db, |conn| diesel::update(
        build_logs::table
            .filter(build_logs::app.eq(app.to_string()))
            .filter(build_logs::id.eq(id.to_string()))
            .filter(build_logs::outcome.eq_any(UNDER_WAY))
    )
    .set((
        build_logs::outcome.eq(outcome.as_str()),
        build_logs::log.eq(log),
        build_logs::created.eq(UtcMicros::from(now))
    ))
    .execute(conn)
    .await)?;
    Ok(n > 0)
}

/// Notes that a build which runs is to be ended, and what is said of it; false when it does not run, or that was noted.
pub async fn build_log_cancel(db: &mut Db, app: AppId, id: BuildLogId, log: &[u8]) -> Result<bool, StoreError> {
    let n = on!(db, |conn| diesel::update(
        build_logs::table
            .filter(build_logs::app.eq(app.to_string()))
            .filter(build_logs::id.eq(id.to_string()))
            .filter(build_logs::outcome.eq(BuildOutcome::Running.as_str()))
    )
    .set((build_logs::outcome.eq(BuildOutcome::Canceling.as_str()), build_logs::log.eq(log)))
    .execute(conn)
    .await)?;
    Ok(n > 0)
}

/// The newest build of an app that is under way; `sha` may be the first characters of a hash.
pub async fn build_log_running(db: &mut Db, app: AppId, sha: Option<&str>) -> Result<Option<BuildLog>, StoreError> {
    // Only a hash is looked for; anything else could be a pattern.
    if sha.is_some_and(|sha| !sha.bytes().all(|byte| byte.is_ascii_hexdigit())) {
        return Ok(None);
    }
    let pattern = format!("{}%", sha.unwrap_or_default().to_ascii_lowercase());
    let row: Option<LogRow> = on!(db, |conn| build_logs::table
        .filter(build_logs::app.eq(app.to_string()))
        .filter(build_logs::outcome.eq_any(UNDER_WAY))
        .filter(build_logs::sha.like(&pattern))
        .order((build_logs::created.desc(), build_logs::id.desc()))
        .select(LogRow::as_select())
        .first(conn)
        .await
        .optional())?;
    row.map(LogRow::log).transpose()
}

/// The logs of an app, newest first, without their text.
pub async fn build_logs_list(db: &mut Db, app: AppId, page: Page) -> Result<Paged<BuildLog>, StoreError> {
    paged!(
        db,
        page,
        build_logs::table.filter(build_logs::app.eq(app.to_string())),
        (build_logs::created.desc(), build_logs::id.desc()),
        LogRow::as_select(),
        LogRow,
        LogRow::log
    )
}

/// A log of an app with its text as it was given.
pub async fn build_log_by_id(
    db: &mut Db,
    app: AppId,
    id: BuildLogId,
) -> Result<Option<(BuildLog, Vec<u8>)>, StoreError> {
    let row: Option<(LogRow, Vec<u8>)> = on!(db, |conn| build_logs::table
        .filter(build_logs::app.eq(app.to_string()))
        .filter(build_logs::id.eq(id.to_string()))
        .select((LogRow::as_select(), build_logs::log))
        .first(conn)
        .await
        .optional())?;
    row.map(|(row, log)| Ok((row.log()?, log))).transpose()
}

/// The newest log of a commit; `sha` may be the first characters of its hash.
pub async fn build_log_by_sha(db: &mut Db, app: AppId, sha: &str) -> Result<Option<(BuildLog, Vec<u8>)>, StoreError> {
    // Only a hash is looked for; anything else could be a pattern.
    if sha.is_empty() || !sha.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(None);
    }
    let pattern = format!("{}%", sha.to_ascii_lowercase());
    let row: Option<(LogRow, Vec<u8>)> = on!(db, |conn| build_logs::table
        .filter(build_logs::app.eq(app.to_string()))
        .filter(build_logs::sha.like(&pattern))
        .order((build_logs::created.desc(), build_logs::id.desc()))
        .select((LogRow::as_select(), build_logs::log))
        .first(conn)
        .await
        .optional())?;
    row.map(|(row, log)| Ok((row.log()?, log))).transpose()
}

/// The newest log of an app.
pub async fn build_log_latest(db: &mut Db, app: AppId) -> Result<Option<(BuildLog, Vec<u8>)>, StoreError> {
    let row: Option<(LogRow, Vec<u8>)> = on!(db, |conn| build_logs::table
        .filter(build_logs::app.eq(app.to_string()))
        .order((build_logs::created.desc(), build_logs::id.desc()))
        .select((LogRow::as_select(), build_logs::log))
        .first(conn)
        .await
        .optional())?;
    row.map(|(row, log)| Ok((row.log()?, log))).transpose()
}
