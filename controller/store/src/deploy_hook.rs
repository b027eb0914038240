//! What is still to be told to the operator's deploy hooks.

use chrono::{DateTime, Utc};
use slipway_core::{AppId, AppName, ReleaseId, ReleaseVersion, Username};

use crate::db::on;
use crate::schema::deploy_hooks;
use crate::types::{Row, UtcMicros, text};
use crate::{Db, StoreError};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

/// Something to be told to one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeployHook {
    /// The release that it is about.
    pub release: ReleaseId,
    /// Which address: a digest, since the address may hold a secret.
    pub target: String,
    /// The app, which may be gone by now.
    pub app: AppId,
    /// Its name then.
    pub app_name: AppName,
    /// The release's number.
    pub version: ReleaseVersion,
    /// What it changed, in a sentence.
    pub summary: String,
    /// The commit of its build, possibly empty.
    pub sha: String,
    /// Who made it.
    pub username: Username,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is to be tried next.
    pub due: DateTime<Utc>,
    /// When the release was made.
    pub created: DateTime<Utc>,
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = deploy_hooks)]
struct HookRow {
    release: String,
    target: String,
    app: String,
    app_name: String,
    version: i64,
    summary: String,
    sha: String,
    username: String,
    attempts: i64,
    due: UtcMicros,
    created: UtcMicros,
}

impl HookRow {
    fn hook(self) -> Result<DeployHook, StoreError> {
        let row = Row { table: "deploy_hooks", id: &self.release };
        let number = |column: &str, value: i64| {
            u32::try_from(value).map_err(|_| row.corrupt(format_args!("{column} is out of range")))
        };
        Ok(DeployHook {
            release: row.parse("release", &self.release)?,
            target: self.target,
            app: row.parse("app", &self.app)?,
            app_name: row.parse("app_name", &self.app_name)?,
            version: ReleaseVersion(number("version", self.version)?),
            summary: self.summary,
            sha: self.sha,
            username: row.parse("username", &self.username)?,
            attempts: number("attempts", self.attempts)?,
            due: self.due.utc(),
            created: self.created.utc(),
        })
    }
}

/// Adds something to be told.
pub async fn deploy_hook_insert(db: &mut Db, new: &DeployHook) -> Result<(), StoreError> {
    let row = HookRow {
        release: new.release.to_string(),
        target: text(&new.target),
        app: new.app.to_string(),
        app_name: new.app_name.to_string(),
        version: i64::from(new.version.0),
        summary: text(&new.summary),
        sha: text(&new.sha),
        username: new.username.to_string(),
        attempts: i64::from(new.attempts),
        due: new.due.into(),
        created: new.created.into(),
    };
    on!(db, |conn| diesel::insert_into(deploy_hooks::table).values(&row).execute(conn).await)?;
    Ok(())
}

/// What is due, longest due first, at most `limit`. Index: `deploy_hooks_due`.
pub async fn deploy_hooks_due(db: &mut Db, now: DateTime<Utc>, limit: u32) -> Result<Vec<DeployHook>, StoreError> {
    let rows: Vec<HookRow> = on!(db, |conn| deploy_hooks::table
        .filter(deploy_hooks::due.le(UtcMicros::from(now)))
        .order((deploy_hooks::due, deploy_hooks::release, deploy_hooks::target))
        .limit(i64::from(limit))
        .load(conn)
        .await)?;
    rows.into_iter().map(HookRow::hook).collect()
}

/// When the next of them is due. Index: `deploy_hooks_due`.
pub async fn deploy_hooks_next(db: &mut Db) -> Result<Option<DateTime<Utc>>, StoreError> {
    let due: Option<UtcMicros> =
        on!(db, |conn| deploy_hooks::table.select(diesel::dsl::min(deploy_hooks::due)).first(conn).await)?;
    Ok(due.map(UtcMicros::utc))
}

/// Notes that it was tried in vain, and when it is to be tried next.
pub async fn deploy_hook_postpone(db: &mut Db, hook: &DeployHook, due: DateTime<Utc>) -> Result<(), StoreError> {
    on!(db, |conn| diesel::update(deploy_hooks::table.find((hook.release.to_string(), hook.target.as_str())))
        .set((
            deploy_hooks::attempts.eq(i64::from(hook.attempts.saturating_add(1))),
            deploy_hooks::due.eq(UtcMicros::from(due)),
        ))
        .execute(conn)
        .await)?;
    Ok(())
}

/// Forgets it: it was told, or never will be.
pub async fn deploy_hook_delete(db: &mut Db, release: ReleaseId, target: &str) -> Result<(), StoreError> {
    on!(db, |conn| diesel::delete(deploy_hooks::table.find((release.to_string(), target))).execute(conn).await)?;
    Ok(())
}
