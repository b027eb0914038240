//! Stopping process types, and starting them again. Source: `drycc-v2.md` §2.13.
//!
//! A stopped type keeps its number in the structure, so that starting it brings back what there was. It stays stopped
//! over restarts and new releases, until it is started or scaled to one or more.

use std::collections::BTreeSet;

use serde_json::json;
use slipway_core::app::{App, Structure};
use slipway_core::authz::AppAction;
use slipway_core::release::rollback::NO_BUILD;
use slipway_core::structure::is_known;
use slipway_core::webhook::WebhookEvent;
use slipway_core::{Error, ProcessType, Result};
use slipway_store as store;

use crate::audit::{app_subject, event};
use crate::deploy::Settled;
use crate::dployr::service_data;
use crate::stored::{Fail, Stored, write};
use crate::webhook::event_tell;
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
        let switch = if is_stopping { Switch::Stop } else { Switch::Start };
        let Some(generation) = self.types_switch_record(cx, &app, &types, switch).await? else { return Ok(()) };
        let reason = match self.settled_wait(&app, generation).await? {
            Settled::Done => return Ok(()),
            Settled::Failed(reason) => reason,
            Settled::TimedOut => "it is recorded, but not in effect in time".to_owned(),
        };
        let action = if is_stopping { "stop" } else { "start" };
        Err(Error::Unavailable { public: format!("({action}): {reason}"), context: reason })
    }

    /// Records that types are to stop or to run; the generation in which that is so, if it was not so before.
    pub(crate) async fn types_switch_record(
        &self,
        cx: &Cx,
        app: &App,
        types: &BTreeSet<ProcessType>,
        switch: Switch,
    ) -> Result<Option<i64>> {
        let (_, user, _) = cx.user()?;
        let is_stopping = switch == Switch::Stop;
        let (action, verb) = if is_stopping { ("stop", "stopped") } else { ("start", "started") };
        let told = if is_stopping { WebhookEvent::ServiceStopped } else { WebhookEvent::ServiceStarted };
        let generation = write!(self, |db| {
            let before = store::stops_by_app(db, app.id).await?;
            let mut after = before.clone();
            for process_type in types {
                if is_stopping && after.insert(process_type.clone()) {
                    store::stop_insert(db, app.id, process_type, cx.now).await?;
                } else if !is_stopping && after.remove(process_type) {
                    store::stop_delete(db, app.id, process_type).await?;
                }
            }
            let mut is_raised = false;
            if switch == Switch::StartAny
                && let Some(current) = store::app_by_id(db, app.id).await?
            {
                let mut structure = current.structure.clone();
                for process_type in types {
                    let replicas = structure.entry(process_type.clone()).or_insert(0);
                    *replicas = (*replicas).max(1);
                }
                is_raised = structure != current.structure;
                if is_raised {
                    store::app_update_structure(db, app.id, &structure, cx.now).await?;
                }
            }
            if before == after && !is_raised {
                return Ok(None);
            }
            let generation = store::app_bump_desired(db, app.id, cx.now).await?;
            let shape = |stopped: &BTreeSet<ProcessType>| json!({"stopped": stopped.iter().map(ProcessType::as_str).collect::<Vec<_>>()});
            store::event_insert(db, &event(cx, action, app_subject(app), shape(&before), shape(&after))).await?;
            for process_type in types {
                event_tell(db, cx, app.id, told, service_data(app, process_type)).await?;
            }
            Ok::<_, Fail>(generation)
        })?;
        if generation.is_some() {
            let names: Vec<&str> = types.iter().map(ProcessType::as_str).collect();
            self.app_log(app.id, format!("INFO {user} {verb} pods {}", names.join(" ")));
            self.signals().desired(app.id);
        }
        Ok(generation)
    }
}

/// What is to become of types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Switch {
    /// None runs.
    Stop,
    /// As many run as before they were stopped.
    Start,
    /// As `Start`, and one at least.
    StartAny,
}

/// What runs of a structure when some types are stopped.
pub(crate) fn running(structure: &Structure, stopped: &BTreeSet<ProcessType>) -> Structure {
    let count = |(process_type, replicas): (&ProcessType, &u32)| {
        (process_type.clone(), if stopped.contains(process_type) { 0 } else { *replicas })
    };
    structure.iter().map(count).collect()
}
