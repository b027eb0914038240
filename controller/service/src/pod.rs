//! Running processes. Source: `drycc-v2.md` §2.3.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use slipway_core::app::App;
use slipway_core::authz::AppAction;
use slipway_core::webhook::WebhookEvent;
use slipway_core::{Error, ProcessType, Result};
use slipway_engine::{EngineError, PodState, PodStatus};
use slipway_store as store;
use tokio::time::Instant;

use crate::audit::{app_subject, event};
use crate::deploy::Settled;
use crate::dployr::service_data;
use crate::engine_error::engine_error;
use crate::stored::{Fail, Stored, write};
use crate::webhook::event_tell;
use crate::{Cx, Service};

/// What is restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodTarget<'a> {
    /// Every process.
    All,
    /// All of one type.
    Type(&'a str),
    /// `pods/<segment>/restart/`: all of that type if the app knows the type, else the process of that name.
    Segment(&'a str),
    /// `pods/<type>/<name>/restart/`: one process.
    Pod {
        /// Its type.
        process_type: &'a str,
        /// Its name; one with exactly two hyphens is completed with the app's name.
        name: &'a str,
    },
}

impl Service {
    /// The processes of the current release, newest first; of one type, or one of them, if said.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`, `Unavailable`.
    pub async fn pods_list(
        &self,
        cx: &Cx,
        app: &str,
        process_type: Option<&str>,
        name: Option<&str>,
    ) -> Result<Vec<PodStatus>> {
        let app = self.app_for(cx, app, AppAction::Use).await?;
        let mut pods = self.pods_current(&app).await?;
        let name = name.map(|name| name_complete(&app, name));
        pods.retain(|pod| {
            process_type.is_none_or(|wanted| pod.process_type.as_str() == wanted)
                && name.as_ref().is_none_or(|wanted| pod.name == *wanted)
        });
        Ok(pods)
    }

    /// Restarts processes and tells their replacements; nothing matched gives nothing.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`, `Unavailable`.
    pub async fn pods_restart(&self, cx: &Cx, app: &str, target: PodTarget<'_>) -> Result<Vec<PodStatus>> {
        let app = self.app_for(cx, app, AppAction::Use).await?;
        let pods = self.pods_current(&app).await?;
        let pod_of = |process_type: Option<&str>, name: &str| {
            let name = name_complete(&app, name);
            let is_wanted = |pod: &&PodStatus| {
                pod.name == name && process_type.is_none_or(|wanted| pod.process_type.as_str() == wanted)
            };
            pods.iter().find(is_wanted).cloned()
        };
        match target {
            PodTarget::All => self.types_restart(cx, &app, None, &pods).await,
            PodTarget::Type(name) => match ProcessType::new(name) {
                Ok(process_type) => self.types_restart(cx, &app, Some(&process_type), &pods).await,
                Err(_) => Ok(Vec::new()),
            },
            PodTarget::Segment(segment) => {
                let is_type =
                    app.structure.contains_key(segment) || pods.iter().any(|pod| pod.process_type.as_str() == segment);
                match (is_type, ProcessType::new(segment)) {
                    (true, Ok(process_type)) => self.types_restart(cx, &app, Some(&process_type), &pods).await,
                    _ => self.pod_restart(cx, &app, pod_of(None, segment), &pods).await,
                }
            }
            PodTarget::Pod { process_type, name } => {
                self.pod_restart(cx, &app, pod_of(Some(process_type), name), &pods).await
            }
        }
    }

    /// Replaces all processes of one type, or of all, as a rollout does: the new ones are ready before the old stop.
    async fn types_restart(
        &self,
        cx: &Cx,
        app: &App,
        process_type: Option<&ProcessType>,
        pods: &[PodStatus],
    ) -> Result<Vec<PodStatus>> {
        let is_wanted = |pod: &PodStatus| process_type.is_none_or(|wanted| pod.process_type == *wanted);
        if !pods.iter().any(is_wanted) {
            return Ok(Vec::new());
        }
        let Some(generation) = self.types_restart_record(cx, app, process_type).await? else { return Ok(Vec::new()) };
        match self.settled_wait(app, generation).await? {
            Settled::Done => {}
            // As upstream: trouble is told in the log, and the answer is what there is.
            Settled::Failed(reason) => {
                self.app_log(app.id, format!("WARNING warning, some pods failed to start: {reason}"));
            }
            Settled::TimedOut => {
                self.app_log(app.id, "WARNING warning, some pods failed to start: out of time".to_owned());
            }
        }
        let mut pods = self.pods_current(app).await?;
        pods.retain(is_wanted);
        Ok(pods)
    }

    /// Records that all processes of one type, or of all, are to be replaced; the generation in which they are.
    pub(crate) async fn types_restart_record(
        &self,
        cx: &Cx,
        app: &App,
        process_type: Option<&ProcessType>,
    ) -> Result<Option<i64>> {
        let key = process_type.map(ToString::to_string).unwrap_or_default();
        let generation = write!(self, |db| {
            let Some(current) = store::app_by_id(db, app.id).await? else { return Ok(None) };
            let mut restarts: BTreeMap<String, i64> = current.restarts;
            *restarts.entry(key.clone()).or_insert(0) += 1;
            store::app_set_restarts(db, app.id, &restarts, cx.now).await?;
            let generation = store::app_bump_desired(db, app.id, cx.now).await?;
            let after = json!({"type": key});
            store::event_insert(db, &event(cx, "restart", app_subject(app), Value::Null, after)).await?;
            let types: Vec<&ProcessType> = match process_type {
                Some(process_type) => vec![process_type],
                None => app.structure.keys().collect(),
            };
            for process_type in types {
                event_tell(db, cx, app.id, WebhookEvent::ServiceRestarted, service_data(app, process_type)).await?;
            }
            Ok::<_, Fail>(generation)
        })?;
        self.signals().desired(app.id);
        Ok(generation)
    }

    /// Replaces one process.
    async fn pod_restart(
        &self,
        cx: &Cx,
        app: &App,
        pod: Option<PodStatus>,
        pods: &[PodStatus],
    ) -> Result<Vec<PodStatus>> {
        let Some(pod) = pod else { return Ok(Vec::new()) };
        write!(self, |db| {
            let after = json!({"pod": pod.name});
            store::event_insert(db, &event(cx, "restart", app_subject(app), Value::Null, after)).await?;
            Ok::<_, Fail>(())
        })?;
        match self.engine().pod_restart(app.id, &pod.name).await {
            // It ended by itself just now, so that its replacement is coming.
            Ok(()) | Err(EngineError::Missing(_)) => {}
            Err(error) => return Err(engine_error(error)),
        }
        let before: BTreeSet<&str> = pods.iter().map(|pod| pod.name.as_str()).collect();
        let started = pod.started;
        let until = Instant::now() + self.deploy_timeout_of(app).await?;
        let mut watch = self.signals().watch(app.id, until);
        loop {
            let mut pods = self.pods_current(app).await?;
            pods.retain(|other| other.process_type == pod.process_type);
            let is_new = |other: &PodStatus| {
                !before.contains(other.name.as_str()) || (other.name == pod.name && other.started > started)
            };
            if let Some(replacement) = pods.iter().find(|other| other.state == PodState::Up && is_new(other)) {
                return Ok(vec![replacement.clone()]);
            }
            if !watch.next().await {
                let text = format!("WARNING warning, some pods failed to start: {} was not replaced in time", pod.name);
                self.app_log(app.id, text);
                pods.truncate(1);
                return Ok(pods);
            }
        }
    }

    /// The processes of the current release, newest first.
    pub(crate) async fn pods_current(&self, app: &App) -> Result<Vec<PodStatus>> {
        let current = store::release_latest_good(&mut self.read().await?, app.id).await.stored()?;
        let Some(current) = current else { return Ok(Vec::new()) };
        let status = match self.engine().app_status(app.id).await {
            Ok(status) => status,
            Err(EngineError::Missing(_)) => return Ok(Vec::new()),
            Err(EngineError::Unavailable { public, context }) => {
                return Err(Error::Unavailable { public: format!("(list pods): {public}"), context });
            }
            Err(error) => return Err(engine_error(error)),
        };
        let mut pods = status.pods;
        pods.retain(|pod| {
            pod.version == current.version
                && pod.process_type.as_str() != "run"
                && !matches!(pod.state, PodState::Down | PodState::Destroyed)
        });
        pods.sort_by(|a, b| b.started.cmp(&a.started).then_with(|| a.name.cmp(&b.name)));
        Ok(pods)
    }
}

/// Completes a name with exactly two hyphens, as old clients cut it.
pub(crate) fn name_complete(app: &App, name: &str) -> String {
    let is_whole = name.starts_with(&format!("{}-", app.name)) && name.matches('-').count() > 2;
    if !is_whole && name.matches('-').count() == 2 { format!("{}-{name}", app.name) } else { name.to_owned() }
}
