//! Writes to the cluster: server-side apply, deletions, Events.

use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{ObjectReference, Service};
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, Preconditions};
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource};
use serde_json::json;

use crate::health::Health;
use crate::observe::reason;
use crate::plan::Action;
use crate::render::{ANNOTATION_PROBLEM, FIELD_MANAGER, LABEL_INSTANCE, Object};

/// Most writes a second over time, and at once. Source: the platform's promise to stay under 20 a second.
const WRITES_PER_SECOND: u32 = 18;

/// Longest note of an Event, in bytes. Source: validation of events.k8s.io.
const NOTE_MAX: usize = 1000;

/// Why something was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Somebody else's object has the name.
    #[error("{kind} {namespace}/{name} is there already and is not Slipway's: rename or delete it.")]
    Foreign {
        /// Its kind.
        kind: &'static str,
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// The API server refused or did not answer.
    #[error("{kind} {namespace}/{name} cannot be written: {}", reason(source))]
    Api {
        /// The object's kind.
        kind: &'static str,
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// What the API server says.
        source: Box<kube::Error>,
    },
}

impl WriteError {
    /// Whether the API server did not answer at all, rather than refuse.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Api { source, .. } if !matches!(**source, kube::Error::Api(_)))
    }
}

/// Writes, at a bearable pace.
pub struct Writer {
    client: Client,
    instance: String,
    health: Arc<Health>,
    pace: Pace,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("instance", &self.instance).finish_non_exhaustive()
    }
}

impl Writer {
    /// Writes as `instance`.
    #[must_use]
    pub fn new(client: Client, instance: String, health: Arc<Health>) -> Self {
        Self { client, instance, health, pace: Pace::new(Instant::now()) }
    }

    /// Does one action. What is already as it should be counts as done.
    ///
    /// # Errors
    /// [`WriteError`].
    pub async fn perform(&mut self, action: &Action) -> Result<(), WriteError> {
        let (kind, namespace, name) = match action {
            Action::Create(object) | Action::Update(object) => (object.kind, &object.namespace, &object.name),
            Action::Delete { key: (kind, namespace, name), .. } => (*kind, namespace, name),
        };
        let failed = |source| WriteError::Api {
            kind: kind.name(),
            namespace: namespace.clone(),
            name: name.clone(),
            source: Box::new(source),
        };
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), namespace, &kind.resource());
        if let Action::Create(_) = action
            && let Some(present) = api.get_metadata_opt(name).await.map_err(failed)?
        {
            let owner = present.metadata.labels.as_ref().and_then(|labels| labels.get(LABEL_INSTANCE));
            if owner != Some(&self.instance) {
                return Err(WriteError::Foreign {
                    kind: kind.name(),
                    namespace: namespace.clone(),
                    name: name.clone(),
                });
            }
        }
        self.pace.wait().await;
        let outcome = match action {
            Action::Create(object) | Action::Update(object) => write(&api, object).await,
            Action::Delete { uid, .. } => delete(&api, name, uid.clone()).await,
        };
        self.health.wrote(outcome.is_ok());
        outcome.map_err(failed)
    }

    /// Writes down what stands in the way of an app's route, or that nothing does, on its Service and as an Event.
    ///
    /// # Errors
    /// When the API server refuses or does not answer.
    pub async fn tell(&mut self, service: &Service, problem: Option<&str>) -> Result<(), kube::Error> {
        let (Some(namespace), Some(name)) = (&service.metadata.namespace, &service.metadata.name) else {
            return Ok(());
        };
        self.pace.wait().await;
        let api: Api<Service> = Api::namespaced(self.client.clone(), namespace);
        // With the UID, so that the note never goes to a successor of the same name.
        let patch = json!({
            "metadata": {"uid": service.metadata.uid, "annotations": {ANNOTATION_PROBLEM: problem}},
        });
        let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let outcome = api.patch_metadata(name, &parameters, &Patch::Merge(&patch)).await;
        self.health.wrote(outcome.is_ok());
        outcome?;
        let (type_, reason, note) = match problem {
            Some(problem) => (EventType::Warning, "RouteProblem", problem),
            None => (EventType::Normal, "RouteInOrder", "Nothing stands in the way of the route any more."),
        };
        self.publish(type_, reason, note, &service.object_ref(&())).await
    }

    /// Publishes an Event about `regarding`.
    ///
    /// # Errors
    /// When the API server refuses or does not answer.
    pub async fn publish(
        &self,
        type_: EventType,
        reason: &str,
        note: &str,
        regarding: &ObjectReference,
    ) -> Result<(), kube::Error> {
        let reporter = Reporter { controller: "slipway.io/router-sync".to_owned(), instance: None };
        let event = Event {
            type_,
            reason: reason.to_owned(),
            note: Some(cut(note, NOTE_MAX).to_owned()),
            action: "Route".to_owned(),
            secondary: None,
        };
        // A recorder of its own: one that remembers would give a new note out as another occurrence of the old one.
        Recorder::new(self.client.clone(), reporter).publish(&event, regarding).await
    }
}

async fn write(api: &Api<DynamicObject>, object: &Object) -> Result<(), kube::Error> {
    // By force: it is ours, whatever others changed in it.
    let parameters = PatchParams::apply(FIELD_MANAGER).force();
    api.patch_metadata(&object.name, &parameters, &Patch::Apply(&object.body)).await.map(drop)
}

async fn delete(api: &Api<DynamicObject>, name: &str, uid: Option<String>) -> Result<(), kube::Error> {
    let preconditions = Preconditions { uid, resource_version: None };
    let parameters = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
    match api.delete(name, &parameters).await {
        Ok(_) => Ok(()),
        // Gone, or another of the same name by now.
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
        Err(error) => Err(error),
    }
}

/// At most `max` bytes of `text`, whole characters.
pub(crate) fn cut(text: &str, max: usize) -> &str {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Lets a burst through, then a steady pace.
#[derive(Debug)]
struct Pace {
    /// When the writes so far would be done at the steady pace.
    paid_until: Instant,
}

impl Pace {
    const STEP: Duration = Duration::from_millis(1000 / WRITES_PER_SECOND as u64);

    fn new(now: Instant) -> Self {
        Self { paid_until: now }
    }

    /// How long to wait before the next write.
    fn delay(&mut self, now: Instant) -> Duration {
        self.paid_until = self.paid_until.max(now) + Self::STEP;
        self.paid_until.saturating_duration_since(now).saturating_sub(Self::STEP * WRITES_PER_SECOND)
    }

    async fn wait(&mut self) {
        let delay = self.delay(Instant::now());
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_writes_are_paced() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        let mut now = start;
        for _ in 0..1000 {
            now += pace.delay(now);
        }
        let rest = 1000 - WRITES_PER_SECOND;
        assert_eq!(now - start, Pace::STEP * rest);
        assert_eq!(pace.delay(now + Duration::from_secs(10)), Duration::ZERO, "a pause gives the burst back");
    }

    #[test]
    fn notes_are_cut_between_characters() {
        assert_eq!(cut("äöü", 3), "ä");
        assert_eq!(cut("abc", 3), "abc");
    }
}
