//! Stopping process types, and starting them again. Source: `drycc-v2.md` §2.13.
//!
//! A stopped type keeps its number in the structure, so that starting it brings back what there was. It stays stopped
//! over restarts and new releases, until it is started or scaled to one or more.

use std::collections::BTreeSet;

use serde_json::json;
use slipway_core::app::Structure;
use slipway_core::authz::AppAction;
use slipway_core::release::rollback::NO_BUILD;
use slipway_core::structure::is_known;
use slipway_core::{Error, ProcessType, Result};
use slipway_store as store;

use crate::audit::{app_subject, event};
use crate::deploy::Settled;
use crate::stored::{Fail, Stored, write};
use crate::{Cx, Service};

impl Service {
    /// Stops all processes of some types, and waits until they are gone.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`; `Rejected` without types or build, `Missing` for an unknown type; `Unavailable` when it is
    /// not so in time.
    pub async fn types_stop(&self, cx: &Cx, app: &str, types: &[String]) -> Result<()> {
        self.types_switch(cx, app, types, true).await
    }

    /// Starts as many processes of some types as there were when they were stopped, and waits until they are ready.
    ///
    /// # Errors
    /// As [`Service::types_stop`].
    pub async fn types_start(&self, cx: &Cx, app: &str, types: &[String]) -> Result<()> {
        self.types_switch(cx, app, types, false).await
    }

    async fn types_switch(&self, cx: &Cx, app: &str, types: &[String], is_stopping: bool) -> Result<()> {
        let app = self.app_for(cx, app, AppAction::Use).await?;
        let (_, user, _) = cx.user()?;
        if types.is_empty() {
            return Err(Error::Rejected("types is a required field".to_owned()));
        }
        let mut db = self.read().await?;
        let release = store::release_latest_good(&mut db, app.id).await.stored()?;
        let build = match release.and_then(|release| release.build) {
            Some(id) => store::build_by_id(&mut db, id).await.stored()?,
            None => None,
        };
        drop(db);
        let build = build.ok_or_else(|| Error::Rejected(NO_BUILD.to_owned()))?;
        let types: BTreeSet<ProcessType> = types
            .iter()
            .map(|name| {
                let shown: String = name.chars().take(100).collect();
                let missing = || Error::Missing(format!("Container type {shown} does not exist in application"));
                let process_type = ProcessType::new(name.trim()).map_err(|_| missing())?;
                if is_known(&build, &process_type) { Ok(process_type) } else { Err(missing()) }
            })
            .collect::<Result<_>>()?;
        let (action, verb) = if is_stopping { ("stop", "stopped") } else { ("start", "started") };
        let generation = write!(self, |db| {
            let before = store::stops_by_app(db, app.id).await?;
            let mut after = before.clone();
            for process_type in &types {
                if is_stopping && after.insert(process_type.clone()) {
                    store::stop_insert(db, app.id, process_type, cx.now).await?;
                } else if !is_stopping && after.remove(process_type) {
                    store::stop_delete(db, app.id, process_type).await?;
                }
            }
            if before == after {
                return Ok(None);
            }
            let generation = store::app_bump_desired(db, app.id, cx.now).await?;
            let shape = |stopped: &BTreeSet<ProcessType>| json!({"stopped": stopped.iter().map(ProcessType::as_str).collect::<Vec<_>>()});
            store::event_insert(db, &event(cx, action, app_subject(&app), shape(&before), shape(&after))).await?;
            Ok::<_, Fail>(generation)
        })?;
        let Some(generation) = generation else { return Ok(()) };
        let names: Vec<&str> = types.iter().map(ProcessType::as_str).collect();
        self.app_log(app.id, format!("INFO {user} {verb} pods {}", names.join(" ")));
        self.signals().desired(app.id);
        let reason = match self.settled_wait(&app, generation).await? {
            Settled::Done => return Ok(()),
            Settled::Failed(reason) => reason,
            Settled::TimedOut => "it is recorded, but not in effect in time".to_owned(),
        };
        Err(Error::Unavailable { public: format!("({action}): {reason}"), context: reason })
    }
}

/// What runs of a structure when some types are stopped.
pub(crate) fn running(structure: &Structure, stopped: &BTreeSet<ProcessType>) -> Structure {
    let count = |(process_type, replicas): (&ProcessType, &u32)| {
        (process_type.clone(), if stopped.contains(process_type) { 0 } else { *replicas })
    };
    structure.iter().map(count).collect()
}
