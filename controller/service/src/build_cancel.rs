//! Builds that are under way: the builder tells of them, users cancel them.
//!
//! All that is known is in the row of the build's log, so that any controller may be asked: `running` while it is
//! built, `canceling` once somebody wants it ended, and how it came out when the builder says so.

use std::time::Duration;

use serde_json::{Value, json};
use slipway_core::authz::AppAction;
use slipway_core::build::BuildOutcome;
use slipway_core::error::Kind;
use slipway_core::{BuildLogId, Error, Result};
use slipway_store as store;
use tokio::time::Instant;

use crate::audit::{app_subject, event};
use crate::build::{log_pack, log_unpack};
use crate::hook::{builder_only, commit_hash};
use crate::stored::{Fail, Stored, write};
use crate::{BuildLog, Cx, Service};

/// How long a builder may take to end a build. One that does not answer is not there any more.
const CANCEL_WAIT: Duration = Duration::from_secs(10);
/// Longest that the builder's question may stay open.
const WATCH_WAIT_MAX: Duration = Duration::from_secs(30);

impl Service {
    /// A build begins; tells the name by which it may be asked after and its log be given.
    ///
    /// # Errors
    /// As `hook_access`; `Invalid` for what is no hash.
    pub async fn hook_build_begin(&self, cx: &Cx, username: &str, app: &str, sha: &str) -> Result<BuildLogId> {
        let (user, app) = self.hook_user(cx, username, app).await?;
        let (owner, _, _) = user.user()?;
        let new = store::NewBuildLog {
            app: app.id,
            owner,
            sha: commit_hash(sha)?,
            outcome: BuildOutcome::Running,
            log: log_pack("")?,
            created: cx.now,
        };
        let log = write!(self, |db| {
            let log = store::build_log_insert(db, &new).await?;
            Ok::<_, Fail>(log)
        })?;
        Ok(log.id)
    }

    /// Waits until somebody wants a build ended, or it is over: tells its state, and what was said when it was canceled.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`.
    pub async fn hook_build_watch(&self, cx: &Cx, app: &str, build: &str, wait: Duration) -> Result<BuildLog> {
        builder_only(cx)?;
        let missing = || Error::not_found(Kind::Build);
        let app = self.app_find(app).await?;
        let id: BuildLogId = build.parse().map_err(|_| missing())?;
        let mut watch = self.signals().watch(app.id, Instant::now() + wait.min(WATCH_WAIT_MAX));
        loop {
            let found = store::build_log_by_id(&mut self.read().await?, app.id, id).await.stored()?;
            let (log, packed) = found.ok_or_else(missing)?;
            if log.outcome != BuildOutcome::Running || !watch.next().await {
                let text = log_unpack(&packed).map_err(|error| Error::internal(format!("build log {id}: {error}")))?;
                return Ok(BuildLog::new(log, text));
            }
        }
    }

    /// Ends the build of an app that is under way, that of a commit if one is named, and waits for its end. Tells how it
    /// came out: it may have been over just before.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`; `Conflict` when none is under way.
    pub async fn build_cancel(&self, cx: &Cx, app: &str, sha: Option<&str>) -> Result<BuildLog> {
        let app = self.app_for(cx, app, AppAction::Use).await?;
        let (_, caller, _) = cx.user()?;
        let sha = sha.map(commit_hash).transpose()?;
        let until = Instant::now() + CANCEL_WAIT;
        let mut watch = self.signals().watch(app.id, until);
        let none = || Error::Conflict(format!("No build of {} is under way", app.name));
        let running = store::build_log_running(&mut self.read().await?, app.id, sha.as_deref()).await.stored()?;
        let id = running.ok_or_else(none)?.id;
        let said = log_pack(&format!("Build canceled by {caller}"))?;
        write!(self, |db| {
            // Who comes second waits with the first.
            if store::build_log_cancel(db, app.id, id, &said).await? {
                let after = json!({"build": id.to_string()});
                store::event_insert(db, &event(cx, "build-cancel", app_subject(&app), Value::Null, after)).await?;
            }
            Ok::<_, Fail>(())
        })?;
        self.signals().recorded(app.id);
        loop {
            let found = store::build_log_by_id(&mut self.read().await?, app.id, id).await.stored()?;
            let (log, _) = found.ok_or_else(none)?;
            if log.outcome.is_final() {
                return Ok(BuildLog::new(log, String::new()));
            }
            if !watch.next().await {
                break;
            }
        }
        // Its builder was killed, or cannot reach a controller: no build comes of it, whatever it does.
        let text = log_pack(&format!(" !     Build canceled by {caller}; the builder did not answer\n"))?;
        let log = write!(self, |db| {
            store::build_log_end(db, app.id, id, BuildOutcome::Canceled, &text, cx.now).await?;
            let log = store::build_log_by_id(db, app.id, id).await?;
            Ok::<_, Fail>(log)
        })?;
        log.map(|(log, _)| BuildLog::new(log, String::new())).ok_or_else(none)
    }
}
