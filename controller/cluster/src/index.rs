//! What is on the cluster of ours, kept in memory by watches.
//!
//! Objects are kept by namespace, so that an app's are found without a search. Of a pod, a ReplicaSet and a Deployment
//! only what statuses need is kept as values; of every object that we write what is compared with what is wanted
//! ([`Kept`]). Data of Secrets is never fetched.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

use kube::Client;
use serde_json::Value;
use slipway_core::{AppId, AppName, ProcessType, ReleaseVersion};
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

pub use crate::kept::Kept;
use crate::labels;
use crate::pod::{Pod, version};
use crate::watch as watching;

/// Changes that a slow listener may be behind.
const CHANGES: usize = 4096;

/// Kinds of objects that we write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `v1` Namespace.
    Namespace,
    /// `v1` ResourceQuota.
    ResourceQuota,
    /// `v1` LimitRange.
    LimitRange,
    /// `v1` `PersistentVolumeClaim`.
    PersistentVolumeClaim,
    /// `v1` ServiceAccount.
    ServiceAccount,
    /// `v1` Secret; kept without its data.
    Secret,
    /// `v1` Service.
    Service,
    /// `apps/v1` Deployment.
    Deployment,
    /// `networking.k8s.io/v1` NetworkPolicy.
    NetworkPolicy,
    /// `autoscaling/v2` HorizontalPodAutoscaler, or the newest version that the cluster has.
    HorizontalPodAutoscaler,
    /// `policy/v1` PodDisruptionBudget, or the newest version that the cluster has.
    PodDisruptionBudget,
    /// `batch/v1` Job.
    Job,
}

/// How far a Deployment is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Deployment {
    /// Its name.
    pub name: Box<str>,
    /// Label `type` of its pods.
    pub process_type: Option<ProcessType>,
    /// Label `version` of its pods.
    pub version: Option<ReleaseVersion>,
    /// `metadata.generation`.
    pub generation: i64,
    /// `status.observedGeneration`.
    pub observed_generation: i64,
    /// Pods wanted.
    pub wanted: u32,
    /// Pods there are, old ones included.
    pub replicas: u32,
    /// Pods of the newest template.
    pub updated: u32,
    /// Pods that are ready.
    pub ready: u32,
    /// Pods that have been ready long enough.
    pub available: u32,
    /// Pods that are wanted and not available.
    pub unavailable: u32,
    /// Whether it is being removed.
    pub is_deleting: bool,
    /// Why pods cannot be made (condition `ReplicaFailure`): a quota, mostly.
    pub replica_failure: Option<Box<str>>,
    /// Why it does not go on (condition `Progressing` is false).
    pub stalled: Option<Box<str>>,
}

impl Deployment {
    /// Reads what is needed out of a Deployment.
    #[must_use]
    pub fn new(value: &Value) -> Self {
        let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
        let number = |pointer: &str| value.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
        let count = |pointer: &str| u32::try_from(number(pointer)).unwrap_or(0);
        let conditions = value.pointer("/status/conditions").and_then(Value::as_array);
        let condition = |kind: &str, status: &str| {
            let found = conditions.into_iter().flatten().find(|condition| {
                condition.get("type").and_then(Value::as_str) == Some(kind)
                    && condition.get("status").and_then(Value::as_str) == Some(status)
            })?;
            let field = |name: &str| found.get(name).and_then(Value::as_str).unwrap_or_default();
            Some(crate::pod::cut(&format!("{}: {}", field("reason"), field("message"))))
        };
        Self {
            name: text("/metadata/name").unwrap_or_default().into(),
            process_type: text("/spec/template/metadata/labels/type").and_then(|text| ProcessType::new(text).ok()),
            version: text("/spec/template/metadata/labels/version").and_then(version),
            generation: number("/metadata/generation"),
            observed_generation: number("/status/observedGeneration"),
            // The API server fills in 1 where nothing is said.
            wanted: value.pointer("/spec/replicas").map_or(1, |_| count("/spec/replicas")),
            replicas: count("/status/replicas"),
            updated: count("/status/updatedReplicas"),
            ready: count("/status/readyReplicas"),
            available: count("/status/availableReplicas"),
            unavailable: count("/status/unavailableReplicas"),
            is_deleting: value.pointer("/metadata/deletionTimestamp").is_some_and(|stamp| !stamp.is_null()),
            replica_failure: condition("ReplicaFailure", "True"),
            stalled: condition("Progressing", "False"),
        }
    }

    /// Whether every wanted pod is of the newest template and available, and none is left over.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.observed_generation >= self.generation
            && self.replicas == self.wanted
            && self.updated == self.wanted
            && self.available == self.wanted
            && self.unavailable == 0
    }
}

/// A ReplicaSet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaSet {
    /// Its name.
    pub name: Box<str>,
    /// Label `type` of its pods.
    pub process_type: Option<ProcessType>,
    /// Label `version` of its pods.
    pub version: Option<ReleaseVersion>,
    /// The Deployment that owns it.
    pub owner: Option<Box<str>>,
    /// Pods wanted.
    pub wanted: u32,
    /// Pods there are.
    pub replicas: u32,
    /// When it was made.
    pub created: chrono::DateTime<chrono::Utc>,
}

/// Everything of ours in one namespace.
#[derive(Debug, Clone, Default)]
pub struct AppObjects {
    /// The app's id, as its namespace says.
    pub app: Option<AppId>,
    /// The namespace.
    pub namespace: Option<Arc<Kept>>,
    /// Every other object that we write, Deployments included.
    pub objects: Vec<Arc<Kept>>,
    /// How far the Deployments are.
    pub deployments: Vec<Arc<Deployment>>,
    /// The ReplicaSets of the Deployments.
    pub replica_sets: Vec<Arc<ReplicaSet>>,
    /// The pods, those of one-off Jobs included.
    pub pods: Vec<Arc<Pod>>,
}

impl AppObjects {
    /// The object of a kind and name.
    #[must_use]
    pub fn object(&self, kind: Kind, name: &str) -> Option<&Arc<Kept>> {
        self.objects.iter().find(|kept| kept.kind == kind && &*kept.name == name)
    }

    /// The objects of a kind.
    pub fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Arc<Kept>> {
        self.objects.iter().filter(move |kept| kept.kind == kind)
    }

    fn is_empty(&self) -> bool {
        self.namespace.is_none()
            && self.objects.is_empty()
            && self.deployments.is_empty()
            && self.replica_sets.is_empty()
            && self.pods.is_empty()
    }
}

/// What a watch brings.
#[derive(Debug)]
pub(crate) enum Item {
    Kept(Kept, Option<Deployment>),
    ReplicaSet(ReplicaSet),
    Pod(Pod),
}

/// Which watch brought something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    Kind(Kind),
    ReplicaSets,
    Pods,
}

/// Sources that must have been listed before the index can be trusted.
const SOURCES: [Source; 14] = [
    Source::Kind(Kind::Namespace),
    Source::Kind(Kind::ResourceQuota),
    Source::Kind(Kind::LimitRange),
    Source::Kind(Kind::PersistentVolumeClaim),
    Source::Kind(Kind::ServiceAccount),
    Source::Kind(Kind::Secret),
    Source::Kind(Kind::Service),
    Source::Kind(Kind::Deployment),
    Source::Kind(Kind::NetworkPolicy),
    Source::Kind(Kind::HorizontalPodAutoscaler),
    Source::Kind(Kind::PodDisruptionBudget),
    Source::Kind(Kind::Job),
    Source::ReplicaSets,
    Source::Pods,
];

/// What watches have told so far. Cheap to clone.
#[derive(Clone)]
pub struct Index {
    inner: Arc<Inner>,
}

struct Inner {
    namespaces: RwLock<HashMap<String, Arc<AppObjects>>>,
    changes: broadcast::Sender<AppName>,
    pods_gone: broadcast::Sender<(AppName, Arc<Pod>)>,
    missing: watch::Sender<HashSet<Source>>,
}

impl Index {
    /// Begins to watch everything of ours until `shutdown`.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "it keeps watching for as long as both live")]
    pub fn start(client: Client, shutdown: CancellationToken) -> Self {
        let index = Self::empty();
        for source in SOURCES {
            watching::spawn(index.clone(), client.clone(), source, shutdown.clone());
        }
        index
    }

    /// An index without watches.
    pub(crate) fn empty() -> Self {
        let inner = Inner {
            namespaces: RwLock::default(),
            changes: broadcast::channel(CHANGES).0,
            pods_gone: broadcast::channel(CHANGES).0,
            missing: watch::channel(SOURCES.into_iter().collect()).0,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Waits until every watch has told once what there is.
    pub async fn synced(&self) {
        let mut missing = self.inner.missing.subscribe();
        // The sender lives as long as this value.
        let _ = missing.wait_for(HashSet::is_empty).await;
    }

    /// Whether every watch has told once what there is.
    #[must_use]
    pub fn is_synced(&self) -> bool {
        self.inner.missing.borrow().is_empty()
    }

    /// What is in the namespace of an app; empty when there is none.
    #[must_use]
    pub fn app(&self, name: &AppName) -> Arc<AppObjects> {
        let namespaces = self.inner.namespaces.read().unwrap_or_else(PoisonError::into_inner);
        namespaces.get(name.as_str()).cloned().unwrap_or_default()
    }

    /// Every namespace of an app: those of ours that carry an app's id.
    #[must_use]
    pub fn namespaces(&self) -> Vec<(AppId, AppName)> {
        self.namespaces_where(|_| true)
    }

    /// Those of [`Self::namespaces`] that belong to the platform in the namespace `platform`.
    #[must_use]
    pub fn namespaces_of(&self, platform: &str) -> Vec<(AppId, AppName)> {
        self.namespaces_where(|objects| {
            let label = objects.namespace.as_ref().and_then(|namespace| namespace.label(labels::LABEL_PLATFORM));
            label.is_some_and(|label| label == platform)
        })
    }

    fn namespaces_where(&self, is_wanted: impl Fn(&AppObjects) -> bool) -> Vec<(AppId, AppName)> {
        let namespaces = self.inner.namespaces.read().unwrap_or_else(PoisonError::into_inner);
        let app =
            |(name, objects): (&String, &Arc<AppObjects>)| Some((objects.app?, AppName::new(name.as_str()).ok()?));
        namespaces.iter().filter(|(_, objects)| is_wanted(objects)).filter_map(app).collect()
    }

    /// The app of an id, as its namespace says.
    #[must_use]
    pub fn name_of(&self, app: AppId) -> Option<AppName> {
        let namespaces = self.inner.namespaces.read().unwrap_or_else(PoisonError::into_inner);
        let found = namespaces.iter().find(|(_, objects)| objects.app == Some(app));
        found.and_then(|(name, _)| AppName::new(name.as_str()).ok())
    }

    /// Announces namespaces in which something changed.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<AppName> {
        self.inner.changes.subscribe()
    }

    /// Announces pods that begin to end, once each, while their log can still be read.
    #[must_use]
    pub fn pods_gone(&self) -> broadcast::Receiver<(AppName, Arc<Pod>)> {
        self.inner.pods_gone.subscribe()
    }

    fn edit(&self, namespace: &str, change: impl FnOnce(&mut AppObjects)) {
        {
            let mut namespaces = self.inner.namespaces.write().unwrap_or_else(PoisonError::into_inner);
            let objects = namespaces.entry(namespace.to_owned()).or_default();
            change(Arc::make_mut(objects));
            if objects.is_empty() {
                namespaces.remove(namespace);
            }
        }
        if let Ok(name) = AppName::new(namespace) {
            // Nobody may be listening.
            let _ = self.inner.changes.send(name);
        }
    }

    /// Whether nothing that is kept of an object would change: lists tell everything again, and much of what the API server
    /// tells of an object is of no interest here.
    fn holds(&self, namespace: &str, item: &Item) -> bool {
        let namespaces = self.inner.namespaces.read().unwrap_or_else(PoisonError::into_inner);
        let Some(objects) = namespaces.get(namespace) else { return false };
        match item {
            Item::Kept(kept, _) if kept.kind == Kind::Namespace => objects.namespace.as_deref() == Some(kept),
            Item::Kept(kept, deployment) => {
                let is_same = |one: &Deployment| objects.deployments.iter().any(|kept| **kept == *one);
                objects.object(kept.kind, &kept.name).is_some_and(|one| **one == *kept)
                    && deployment.as_ref().is_none_or(is_same)
            }
            Item::ReplicaSet(set) => objects.replica_sets.iter().any(|one| **one == *set),
            Item::Pod(pod) => objects.pods.iter().any(|one| **one == *pod),
        }
    }

    /// Takes what there is now of an object.
    pub(crate) fn put(&self, namespace: &str, item: Item) {
        // Each object is told of by one watch, so nothing comes between this look and the change.
        if self.holds(namespace, &item) {
            return;
        }
        let mut gone = None;
        self.edit(namespace, |objects| match item {
            Item::Kept(kept, _) if kept.kind == Kind::Namespace => {
                objects.app = kept.label(labels::LABEL_APP_ID).and_then(|id| id.parse().ok());
                objects.namespace = Some(Arc::new(kept));
            }
            Item::Kept(kept, deployment) => {
                if let Some(deployment) = deployment {
                    replace(&mut objects.deployments, deployment, |one| &one.name);
                }
                let is_same = |one: &Arc<Kept>| one.kind == kept.kind && one.name == kept.name;
                match objects.objects.iter_mut().find(|one| is_same(one)) {
                    Some(one) => *one = Arc::new(kept),
                    None => objects.objects.push(Arc::new(kept)),
                }
            }
            Item::ReplicaSet(set) => replace(&mut objects.replica_sets, set, |one| &one.name),
            Item::Pod(pod) => {
                let was_alive = objects.pods.iter().find(|one| one.uid == pod.uid).is_some_and(|one| one.is_alive());
                if was_alive && !pod.is_alive() {
                    gone = Some(Arc::new(pod.clone()));
                }
                replace(&mut objects.pods, pod, |one| &one.name);
            }
        });
        if let (Some(pod), Ok(name)) = (gone, AppName::new(namespace)) {
            let _ = self.inner.pods_gone.send((name, pod));
        }
    }

    /// Forgets an object that is gone.
    pub(crate) fn remove(&self, source: Source, namespace: &str, name: &str) {
        self.edit(namespace, |objects| match source {
            Source::Kind(Kind::Namespace) => (objects.app, objects.namespace) = (None, None),
            Source::Kind(kind) => {
                objects.objects.retain(|one| one.kind != kind || &*one.name != name);
                if kind == Kind::Deployment {
                    objects.deployments.retain(|one| &*one.name != name);
                }
            }
            Source::ReplicaSets => objects.replica_sets.retain(|one| &*one.name != name),
            Source::Pods => objects.pods.retain(|one| &*one.name != name),
        });
    }

    /// A source has told everything there is: what it did not name is gone.
    pub(crate) fn listed(&self, source: Source, seen: &HashSet<(String, String)>) {
        for (namespace, name) in self.names(source) {
            let key = (namespace, name);
            if !seen.contains(&key) {
                self.remove(source, &key.0, &key.1);
            }
        }
        self.inner.missing.send_if_modified(|missing| missing.remove(&source));
    }

    /// As if every watch had told that there is nothing.
    #[cfg(test)]
    pub(crate) fn all_listed(&self) {
        for source in SOURCES {
            self.listed(source, &HashSet::new());
        }
    }

    fn names(&self, source: Source) -> Vec<(String, String)> {
        let namespaces = self.inner.namespaces.read().unwrap_or_else(PoisonError::into_inner);
        let mut names = Vec::new();
        for (namespace, objects) in namespaces.iter() {
            let mut add = |name: &str| names.push((namespace.clone(), name.to_owned()));
            match source {
                Source::Kind(Kind::Namespace) => objects.namespace.iter().for_each(|one| add(&one.name)),
                Source::Kind(kind) => objects.of_kind(kind).for_each(|one| add(&one.name)),
                Source::ReplicaSets => objects.replica_sets.iter().for_each(|one| add(&one.name)),
                Source::Pods => objects.pods.iter().for_each(|one| add(&one.name)),
            }
        }
        names
    }
}

fn replace<T>(all: &mut Vec<Arc<T>>, new: T, name: impl Fn(&T) -> &str) {
    match all.iter_mut().find(|one| name(one) == name(&new)) {
        Some(one) => *one = Arc::new(new),
        None => all.push(Arc::new(new)),
    }
}

#[cfg(test)]
mod tests;
