//! Scaling by use of the processor, for engines that do not do it themselves. Source: `drycc-v2.md` §4.8.
//!
//! What is decided is written to the app's structure, as if somebody had scaled it: so it is what `ps:scale` changes and
//! shows, what runs again after a restart, and what the reconciler brings about. Nothing else is kept but what was lately
//! wanted, in memory: after a start nothing is taken away before the window has passed anew.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use slipway_core::autoscale::{Decisions, replicas_wanted, request_millis};
use slipway_core::limit::cpu_parse;
use slipway_core::settings::{AppSettings, Autoscale};
use slipway_core::{AppId, Error, ProcessType, Result};
use slipway_engine::{PodState, PodStatus};
use slipway_store as store;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::Reconciler;
use crate::audit::{app_subject, event};
use crate::engine_error::engine_error;
use crate::scale::shape;
use crate::stored::{Fail, Stored, write};

/// What was lately wanted of each process type that is scaled by the platform.
pub(crate) type Memory = HashMap<(AppId, ProcessType), Decisions>;

/// A change of how many processes of a type run.
struct Step {
    from: u32,
    to: u32,
    reason: String,
}

impl Reconciler {
    /// Looks at every app that is scaled by the platform, again and again until `shutdown`.
    pub(crate) async fn autoscale_run(self: Arc<Self>, shutdown: CancellationToken) {
        if self.service.engine().is_autoscaling() {
            return;
        }
        let mut memory = Memory::new();
        let mut timer = tokio::time::interval(self.service.config().autoscale_interval);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = timer.tick() => self.autoscale(&mut memory).await,
            }
        }
    }

    /// One look.
    pub(crate) async fn autoscale(&self, memory: &mut Memory) {
        let settings = match self.autoscaled().await {
            Ok(settings) => settings,
            Err(error) => {
                tracing::warn!("could not list the apps that are scaled by use: {error}");
                return;
            }
        };
        memory.retain(|(app, process_type), _| {
            settings.iter().any(|settings| settings.app == *app && settings.autoscale.contains_key(process_type))
        });
        for settings in settings {
            if let Err(error) = self.app_autoscale(&settings, memory).await {
                tracing::warn!(app.id = %settings.app, "could not scale an app by use: {error}");
            }
        }
    }

    async fn autoscaled(&self) -> Result<Vec<AppSettings>> {
        store::settings_autoscaled(&mut self.service.read().await?).await.stored()
    }

    async fn app_autoscale(&self, settings: &AppSettings, memory: &mut Memory) -> Result<()> {
        let service = &self.service;
        let mut db = service.read().await?;
        let Some(app) = store::app_by_id(&mut db, settings.app).await.stored()? else { return Ok(()) };
        // What a release on its way will need is not known yet.
        let is_deploying = !store::releases_pending_by_app(&mut db, app.id).await.stored()?.is_empty();
        let Some(release) = store::release_latest_succeeded(&mut db, app.id).await.stored()? else { return Ok(()) };
        let config = store::config_by_id(&mut db, release.config).await.stored()?;
        drop(db);
        let config = config.ok_or_else(|| Error::internal(format!("release {} has no config", release.id)))?;
        if is_deploying {
            return Ok(());
        }
        let status = service.engine().app_status(app.id).await.map_err(engine_error)?;
        let now = service.now();
        let mut steps = BTreeMap::new();
        for (process_type, rule) in &settings.autoscale {
            let current = app.structure.get(process_type).copied().unwrap_or(0);
            let pods = status.pods.iter().filter(|pod| pod.version == release.version);
            let used: Vec<Option<u32>> =
                pods.filter(|pod| pod.process_type == *process_type && is_counted(pod)).map(use_of).collect();
            let request = request_millis(config.cpu.get(process_type).and_then(|text| cpu_parse(text)));
            let wanted = replicas_wanted(*rule, current, request, &used);
            let decisions = memory
                .entry((app.id, process_type.clone()))
                .or_insert_with(|| Decisions::new(now, current.min(rule.max)));
            let to = decisions.settle(now, service.config().autoscale_down_window, current, wanted);
            // More than the most that is allowed is never waited for.
            let to = to.min(rule.max);
            if to != current {
                let reason = reason(*rule, request, &used);
                steps.insert(process_type.clone(), Step { from: current, to, reason });
            }
        }
        if steps.is_empty() { Ok(()) } else { self.autoscale_record(app.id, &steps).await }
    }

    /// Writes what was decided, unless somebody scaled or deployed meanwhile.
    async fn autoscale_record(&self, app: AppId, steps: &BTreeMap<ProcessType, Step>) -> Result<()> {
        let service = &self.service;
        let cx = service.system_cx();
        let is_written = write!(service, |db| {
            let Some(current) = store::app_by_id(db, app).await?.filter(|app| !app.is_deleting) else {
                return Ok(false);
            };
            let is_same = steps
                .iter()
                .all(|(process_type, step)| current.structure.get(process_type).copied().unwrap_or(0) == step.from);
            if !is_same || !store::releases_pending_by_app(db, app).await?.is_empty() {
                return Ok(false);
            }
            let mut after = current.structure.clone();
            after.extend(steps.iter().map(|(process_type, step)| (process_type.clone(), step.to)));
            store::app_update_structure(db, app, &after, cx.now).await?;
            store::app_bump_desired(db, app, cx.now).await?;
            let entry = event(&cx, "scale", app_subject(&current), shape(&current.structure), shape(&after));
            store::event_insert(db, &entry).await?;
            Ok::<_, Fail>(true)
        })?;
        if is_written {
            for (process_type, step) in steps {
                let text = format!("INFO autoscale scaled pods {process_type}={}: {}", step.to, step.reason);
                service.app_log(app, text);
            }
            service.signals().desired(app);
        }
        Ok(())
    }
}

/// Whether a process will be there for longer.
fn is_counted(pod: &PodStatus) -> bool {
    !matches!(pod.state, PodState::Terminating | PodState::Down | PodState::Destroyed)
}

/// What a process uses, once that says something about the load.
fn use_of(pod: &PodStatus) -> Option<u32> {
    pod.cpu_millis.filter(|_| pod.state == PodState::Up)
}

/// Why, for people.
fn reason(rule: Autoscale, request: u32, used: &[Option<u32>]) -> String {
    let known: Vec<u64> = used.iter().copied().flatten().map(u64::from).collect();
    let Autoscale { min, max, cpu_percent } = rule;
    match (known.iter().sum::<u64>() * 100).checked_div(known.len() as u64 * u64::from(request)) {
        Some(percent) => format!("{percent} % of the processor asked for is used, {cpu_percent} % is aimed at"),
        None => format!("there must be {min} to {max}"),
    }
}
