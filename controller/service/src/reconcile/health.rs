//! Telling webhooks how processes and services are: what appears, changes its state, goes; what stops answering, and what
//! answers again. Source: `dployr-v1.md` §9.3.
//!
//! What was seen last is in memory of the controller that leads. What changed while none did is not told; how things are
//! when it begins is what it starts from.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;
use slipway_core::app::App;
use slipway_core::webhook::WebhookEvent;
use slipway_core::{AppId, ProcessType, Result};
use slipway_engine::{AppStatus, EngineError, PodState};
use slipway_store as store;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Reconciler;
use crate::dployr::{Health, instance_id, instance_state, service_data, service_id, status_of};
use crate::stored::{Fail, Stored, write};
use crate::webhook::event_tell;

/// How long it is believed that nobody wants to hear of anything.
const DEAF_INTERVAL: Duration = Duration::from_secs(5);

/// How an app was when it was last looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Seen {
    /// States of processes, by their names.
    pods: BTreeMap<String, (ProcessType, String, &'static str)>,
    /// Whether services answer. Those of which nothing can be told yet are missing.
    services: BTreeMap<ProcessType, bool>,
}

/// Something that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Change {
    Instance { event: WebhookEvent, name: String, id: String, process_type: ProcessType, state: &'static str },
    Service { event: WebhookEvent, process_type: ProcessType },
}

impl Reconciler {
    /// Tells of changes until `shutdown`.
    pub(super) async fn health_run(self: Arc<Self>, shutdown: CancellationToken) {
        let mut changes = self.service.engine().changes();
        let mut seen: HashMap<AppId, Seen> = HashMap::new();
        let mut deaf_until = Instant::now();
        let begun = self.service.now();
        loop {
            let app = tokio::select! {
                () = shutdown.cancelled() => return,
                change = changes.recv() => match change {
                    Ok(app) => app,
                    // What was missed is seen with the next change of the app.
                    Err(RecvError::Lagged(_)) => continue,
                    Err(RecvError::Closed) => return,
                },
            };
            if Instant::now() < deaf_until {
                continue;
            }
            match self.is_anybody_listening().await {
                Ok(true) => {}
                Ok(false) => {
                    seen.clear();
                    deaf_until = Instant::now() + DEAF_INTERVAL;
                    continue;
                }
                Err(error) => {
                    tracing::warn!("could not look for webhooks: {error}");
                    continue;
                }
            }
            if let Err(error) = self.health_look(app, &mut seen, begun).await {
                tracing::warn!(app.id = %app, "could not tell how an app is: {error}");
            }
        }
    }

    async fn is_anybody_listening(&self) -> Result<bool> {
        store::webhooks_exist(&mut self.service.read().await?).await.stored()
    }

    /// Looks at an app, and tells what changed. Of one that is younger than `begun` everything is new.
    async fn health_look(&self, id: AppId, seen: &mut HashMap<AppId, Seen>, begun: DateTime<Utc>) -> Result<()> {
        let service = &self.service;
        let status = match service.engine().app_status(id).await {
            Ok(status) => status,
            Err(EngineError::Missing(_)) => AppStatus::default(),
            // Nothing is known; nothing changed, then.
            Err(_) => return Ok(()),
        };
        let Some(app) = service.app_by_id(id).await? else {
            seen.remove(&id);
            return Ok(());
        };
        let mut db = service.read().await?;
        let stopped = store::stops_by_app(&mut db, id).await.stored()?;
        let unhealthy = store::unhealthy_by_apps(&mut db, &[id]).await.stored()?;
        drop(db);
        if app.created >= begun {
            seen.entry(id).or_default();
        }
        let before = seen.get(&id);
        let now = look(&app, &status, &stopped, before);
        let mut changes = before.map(|before| changes(before, &now)).unwrap_or_default();
        // Of those that do not answer it was told; whoever asks them tells when they do.
        changes.retain(|change| match change {
            Change::Service { process_type, .. } => !unhealthy.contains(&(id, process_type.clone())),
            Change::Instance { .. } => true,
        });
        if !changes.is_empty() {
            let cx = service.system_cx();
            write!(service, |db| {
                for change in &changes {
                    let (event, data) = told(&app, change);
                    event_tell(db, &cx, id, event, data).await?;
                }
                Ok::<_, Fail>(())
            })?;
            service.signals().told();
        }
        seen.insert(id, now);
        Ok(())
    }
}

/// How an app is.
fn look(app: &App, status: &AppStatus, stopped: &BTreeSet<ProcessType>, before: Option<&Seen>) -> Seen {
    let is_kept = |process_type: &ProcessType| *process_type != ProcessType::run();
    let pods =
        status.pods.iter().filter(|pod| is_kept(&pod.process_type)).filter(|pod| pod.state != PodState::Destroyed);
    let pods = pods.map(|pod| {
        let id = instance_id(app.id, pod);
        (pod.name.clone(), (pod.process_type.clone(), id, instance_state(&pod.state)))
    });
    let wanted = app.structure.iter().filter(|(name, replicas)| **replicas > 0 && !stopped.contains(*name));
    let services = wanted.filter_map(|(name, replicas)| {
        let is_well = match status_of(Some(status), name, *replicas).health {
            Health::Running => true,
            Health::Failed => false,
            // Coming up it is as it was.
            Health::Starting | Health::Stopped | Health::Unknown => *before?.services.get(name)?,
        };
        Some((name.clone(), is_well))
    });
    Seen { pods: pods.collect(), services: services.collect() }
}

fn changes(before: &Seen, now: &Seen) -> Vec<Change> {
    let instance = |event, name: &String, (process_type, id, state): &(ProcessType, String, &'static str)| {
        let (name, id, process_type) = (name.clone(), id.clone(), process_type.clone());
        Change::Instance { event, name, id, process_type, state }
    };
    let mut changes = Vec::new();
    for (name, pod) in &now.pods {
        match before.pods.get(name) {
            None => changes.push(instance(WebhookEvent::InstanceCreated, name, pod)),
            Some(was) if was.2 != pod.2 => changes.push(instance(WebhookEvent::InstanceUpdated, name, pod)),
            Some(_) => {}
        }
    }
    let gone = before.pods.iter().filter(|(name, _)| !now.pods.contains_key(*name));
    for (name, (process_type, id, _)) in gone {
        let pod = (process_type.clone(), id.clone(), "offline");
        changes.push(instance(WebhookEvent::InstanceDeleted, name, &pod));
    }
    for (process_type, is_well) in &now.services {
        let event = match (before.services.get(process_type), is_well) {
            (Some(true) | None, false) => WebhookEvent::ServiceUnhealthy,
            (Some(false), true) => WebhookEvent::ServiceRecovered,
            _ => continue,
        };
        changes.push(Change::Service { event, process_type: process_type.clone() });
    }
    changes
}

fn told(app: &App, change: &Change) -> (WebhookEvent, serde_json::Value) {
    match change {
        Change::Instance { event, name, id, process_type, state } => (
            *event,
            json!({
                "id": id,
                "tag": name,
                "kind": "pod",
                "status": state,
                "type": process_type.as_str(),
                "service_id": service_id(app.id, process_type),
                "service_name": app.name.as_str(),
            }),
        ),
        Change::Service { event, process_type } => {
            let status = if *event == WebhookEvent::ServiceRecovered { "running" } else { "failed" };
            (*event, health_told(app, process_type, status, *event))
        }
    }
}

/// What is told of a service that answers no more, or again.
pub(super) fn health_told(
    app: &App,
    process_type: &ProcessType,
    status: &str,
    event: WebhookEvent,
) -> serde_json::Value {
    let mut data = service_data(app, process_type);
    data["status"] = status.into();
    data["health"] = if event == WebhookEvent::ServiceRecovered { "healthy" } else { "degraded" }.into();
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(pods: &[(&str, &'static str)], is_well: Option<bool>) -> Seen {
        let web = ProcessType::web();
        let pod =
            |(name, state): &(&str, &'static str)| ((*name).to_owned(), (web.clone(), format!("id-{name}"), *state));
        Seen {
            pods: pods.iter().map(pod).collect(),
            services: is_well.map(|is_well| (web.clone(), is_well)).into_iter().collect(),
        }
    }

    #[test]
    fn what_differs_is_told_once() {
        let events = |before: &Seen, now: &Seen| {
            let event = |change: &Change| match change {
                Change::Instance { event, name, .. } => format!("{event} {name}"),
                Change::Service { event, .. } => event.to_string(),
            };
            changes(before, now).iter().map(event).collect::<Vec<_>>()
        };
        let first = seen(&[("a", "provisioning")], None);
        let up = seen(&[("a", "healthy")], Some(true));
        let down = seen(&[("a", "degraded"), ("b", "provisioning")], Some(false));
        assert_eq!(events(&first, &first), [""; 0]);
        assert_eq!(events(&first, &up), ["instance.updated a"], "coming up is no recovery");
        assert_eq!(events(&up, &down), ["instance.updated a", "instance.created b", "service.unhealthy"]);
        assert_eq!(events(&down, &up), ["instance.updated a", "instance.deleted b", "service.recovered"]);
        assert_eq!(events(&Seen::default(), &down).last().unwrap(), "service.unhealthy");
    }
}
