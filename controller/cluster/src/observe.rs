//! Statuses with what must be asked of the API server: events, and the last output of what failed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::Utc;
use k8s_openapi::api::core::v1 as core;
use kube::Client;
use kube::api::{Api, ListParams, LogParams};
use slipway_core::AppName;
use slipway_core::log::LogLine;
use slipway_engine::{AppStatus, RolloutState};
use tokio::time::{Instant, timeout};

use crate::index::Index;
use crate::log::parse;
use crate::pod::{Container, Pod, cut, time};
use crate::status::{Assessment, Event, Wish, assess};

/// Age up to which events are not asked for again.
const EVENTS_AGE_MAX: Duration = Duration::from_secs(2);
/// Most events that are read of an app.
const EVENTS_MAX: u32 = 500;
/// Longest that events or output are waited for: a status without them is better than none.
const ASK_MAX: Duration = Duration::from_secs(5);
/// Lines of output that explain a failure.
const OUTPUT_LINES: i64 = 20;
/// Most bytes of them.
const OUTPUT_BYTES: i64 = 16 * 1024;

/// Events of apps, and when they were asked for.
type EventsByApp = HashMap<AppName, (Instant, Arc<Vec<Event>>)>;

/// Tells statuses of apps. Cheap to clone.
#[derive(Clone)]
pub struct Observer {
    client: Client,
    index: Index,
    events: Arc<Mutex<EventsByApp>>,
}

impl Observer {
    /// An observer over what `index` knows.
    #[must_use]
    pub fn new(client: Client, index: Index) -> Self {
        Self { client, index, events: Arc::default() }
    }

    /// What is known of an app. Events and output are asked for only when something is not as it should be.
    pub async fn app_status(&self, name: &AppName, wish: Wish<'_>) -> AppStatus {
        let mut assessment = self.assess(name, wish).await;
        if let Some(pod) = assessment.crashed.take()
            && let Some(rollout) = &mut assessment.status.rollout
            && let RolloutState::Failing(reason) = &mut rollout.state
        {
            for line in self.output(name, &pod, true).await {
                reason.push('\n');
                reason.push_str(&line);
            }
        }
        assessment.status
    }

    /// The last lines of the process that the rollout waits for.
    pub async fn rollout_output(&self, name: &AppName, wish: Wish<'_>) -> Vec<String> {
        match self.assess(name, wish).await.awaited {
            Some(pod) => self.output(name, &pod, false).await,
            None => Vec::new(),
        }
    }

    async fn assess(&self, name: &AppName, wish: Wish<'_>) -> Assessment {
        let objects = self.index.app(name);
        let first = assess(&objects, wish, &[], Utc::now());
        let is_ready = first.status.rollout.as_ref().is_none_or(|rollout| rollout.state == RolloutState::Ready);
        let is_quiet = is_ready && !objects.pods.iter().any(|pod| pod.is_alive() && !pod.is_ready && !pod.is_one_off());
        if is_quiet {
            self.events.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
            return first;
        }
        let events = self.events(name).await;
        assess(&objects, wish, &events, Utc::now())
    }

    async fn events(&self, name: &AppName) -> Arc<Vec<Event>> {
        let known = self.events.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        if let Some((at, events)) = &known
            && at.elapsed() < EVENTS_AGE_MAX
        {
            return Arc::clone(events);
        }
        let api: Api<core::Event> = Api::namespaced(self.client.clone(), name.as_str());
        let params = ListParams::default().limit(EVENTS_MAX);
        let events = match timeout(ASK_MAX, api.list(&params)).await {
            Ok(Ok(list)) => Arc::new(list.items.iter().filter_map(event).collect()),
            Ok(Err(_)) | Err(_) => known.map(|(_, events)| events).unwrap_or_default(),
        };
        let mut all = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, (at, _)| at.elapsed() < Duration::from_mins(1));
        all.insert(name.clone(), (Instant::now(), Arc::clone(&events)));
        events
    }

    /// The last output of a pod's container: of the one that ended before the one that runs, if `is_previous`.
    async fn output(&self, name: &AppName, pod: &Pod, is_previous: bool) -> Vec<String> {
        let api: Api<core::Pod> = Api::namespaced(self.client.clone(), name.as_str());
        for previous in [is_previous, !is_previous] {
            let params = LogParams {
                container: Some(pod.container.to_string()),
                previous,
                tail_lines: Some(OUTPUT_LINES),
                limit_bytes: Some(OUTPUT_BYTES),
                // Its own troubles the kubelet tells as if they were output, but without a time: that the container was
                // removed just now, or its log.
                timestamps: true,
                ..LogParams::default()
            };
            let Ok(Ok(text)) = timeout(ASK_MAX, api.logs(&pod.name, &params)).await else { continue };
            let lines: Vec<LogLine> = text.lines().filter_map(|line| parse("", line)).collect();
            if lines.iter().any(|line| !line.text.trim().is_empty()) {
                return lines.iter().map(|line| cut(&line.text).into()).collect();
            }
        }
        // The end of it is in the pod's status for longer than the container is there.
        let last = match &pod.state {
            Container::Ended(ended) => Some(ended),
            _ => pod.ended.as_ref(),
        };
        last.into_iter().flat_map(|ended| ended.message.lines()).map(str::to_owned).collect()
    }
}

fn event(event: &core::Event) -> Option<Event> {
    let micro = |time: &k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime| {
        chrono::DateTime::from_timestamp(time.0.as_second(), 0)
    };
    Some(Event {
        object: event.involved_object.name.as_deref()?.into(),
        reason: cut(event.reason.as_deref()?),
        message: cut(event.message.as_deref().unwrap_or_default()),
        time: event
            .last_timestamp
            .as_ref()
            .map(time)
            .or_else(|| event.event_time.as_ref().and_then(micro))
            .unwrap_or_default(),
    })
}
