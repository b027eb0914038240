//! Watches that feed the index.
//!
//! A watch lists, then follows. It survives whatever the API server does: a version that is too old and a connection
//! that breaks lead to a new list or a new watch after a pause that grows to [`PAUSE_MAX`].

use std::collections::HashSet;
use std::time::Duration;

use futures::{Stream, StreamExt};
use k8s_openapi::api::apps::v1::ReplicaSet as ApiReplicaSet;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ApiResource};
use kube::runtime::watcher as object_watcher;
use kube::runtime::watcher::{self, Event};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::index::{Deployment, Index, Item, Kept, Kind, ReplicaSet, Source};
use crate::labels;
use crate::lean::{Bare, LeanPod, LeanReplicaSet, Open, Sealed};
use crate::pod::{time, version};

/// Selects everything of ours.
const SELECTOR: &str = "heritage=slipway";
/// Most objects that are listed at once: all watches list when they start, and a page is in memory as text and as objects.
const PAGE: u32 = 100;
/// First pause after a failure.
const PAUSE_MIN: Duration = Duration::from_millis(200);
/// Longest pause after failures: an API server that is back is noticed within this time.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// Failures in a row after which everything is listed anew.
const FAILURES_MAX: u32 = 6;

/// Starts the watch of `source`; it ends with `shutdown`.
pub(crate) fn spawn(index: Index, client: Client, source: Source, shutdown: CancellationToken) {
    tokio::spawn(async move {
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = watch(&index, &client, source) => {}
        }
    });
}

fn config() -> watcher::Config {
    watcher::Config::default().labels(SELECTOR).page_size(PAGE)
}

async fn watch(index: &Index, client: &Client, source: Source) {
    match source {
        Source::Pods => {
            let resource = ApiResource::erase::<Pod>(&());
            let make = || object_watcher(Api::<LeanPod>::all_with(client.clone(), &resource), config());
            follow(index, source, make, |pod| crate::pod::Pod::new(&pod.into()).map(Item::Pod)).await;
        }
        Source::ReplicaSets => {
            let resource = ApiResource::erase::<ApiReplicaSet>(&());
            let make = || object_watcher(Api::<LeanReplicaSet>::all_with(client.clone(), &resource), config());
            follow(index, source, make, |set| Some(Item::ReplicaSet(replica_set(&set)))).await;
        }
        Source::Kind(kind) => {
            let Some(resource) = resource(client, kind).await else {
                tracing::info!("the cluster has no {kind:?}");
                index.listed(source, &HashSet::new());
                return;
            };
            watch_kind(index, client, kind, &resource).await;
        }
    }
}

async fn watch_kind(index: &Index, client: &Client, kind: Kind, resource: &ApiResource) {
    let source = Source::Kind(kind);
    match kind {
        Kind::Secret => {
            let make = || object_watcher(Api::<Sealed>::all_with(client.clone(), resource), config());
            let item = |secret: Sealed| Some(Item::Kept(Kept::new(kind, &secret.metadata, &Value::Null)?, None));
            follow(index, source, make, item).await;
        }
        Kind::Deployment | Kind::Service | Kind::Job | Kind::PersistentVolumeClaim => {
            let make = || object_watcher(Api::<Open>::all_with(client.clone(), resource), config());
            let item = |object: Open| {
                let Open { metadata, spec, status } = object;
                let whole = json!({"metadata": {
                    "name": metadata.name, "generation": metadata.generation,
                    "deletionTimestamp": metadata.deletion_timestamp,
                }, "spec": spec, "status": status});
                let deployment = (kind == Kind::Deployment).then(|| Deployment::new(&whole));
                Some(Item::Kept(Kept::new(kind, &metadata, &whole)?, deployment))
            };
            follow(index, source, make, item).await;
        }
        Kind::Namespace
        | Kind::ResourceQuota
        | Kind::LimitRange
        | Kind::ServiceAccount
        | Kind::NetworkPolicy
        | Kind::HorizontalPodAutoscaler
        | Kind::PodDisruptionBudget => {
            let make = || object_watcher(Api::<Bare>::all_with(client.clone(), resource), config());
            let item = |object: Bare| Some(Item::Kept(Kept::new(kind, &object.metadata, &Value::Null)?, None));
            follow(index, source, make, item).await;
        }
    }
}

/// Feeds the index from streams that `make` makes, for ever.
async fn follow<K, S>(index: &Index, source: Source, make: impl Fn() -> S, item: impl Fn(K) -> Option<Item>)
where
    K: kube::Resource,
    S: Stream<Item = watcher::Result<Event<K>>>,
{
    let mut failures = 0_u32;
    loop {
        let mut stream = Box::pin(make());
        let mut seen = HashSet::new();
        while let Some(event) = stream.next().await {
            let event = match event {
                Ok(event) => event,
                Err(error) => {
                    tracing::debug!("a watch of {source:?} failed: {error}");
                    let pause = PAUSE_MIN.saturating_mul(1 << failures.min(10)).min(PAUSE_MAX);
                    failures = failures.saturating_add(1);
                    tokio::time::sleep(pause).await;
                    // The stream itself would ask for a version that is gone again and again.
                    if is_gone(&error) || failures.is_multiple_of(FAILURES_MAX) {
                        break;
                    }
                    continue;
                }
            };
            match event {
                // Not a success yet: the list follows.
                Event::Init => {
                    seen.clear();
                    continue;
                }
                Event::InitApply(object) => {
                    seen.insert(key(&object));
                    put(index, object, &item);
                }
                Event::InitDone => index.listed(source, &std::mem::take(&mut seen)),
                Event::Apply(object) => put(index, object, &item),
                Event::Delete(object) => {
                    let (namespace, name) = key(&object);
                    index.remove(source, &namespace, &name);
                }
            }
            failures = 0;
        }
    }
}

/// Whether the version that the watch goes on from is too old, or newer than what the API server has.
fn is_gone(error: &watcher::Error) -> bool {
    let status = match error {
        watcher::Error::WatchError(status) => &**status,
        watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status)) => status,
        _ => return false,
    };
    matches!(status.code, 410 | 504)
}

/// Namespace and name; a Namespace is in itself.
fn key<K: kube::Resource>(object: &K) -> (String, String) {
    let name = object.name_any();
    (object.namespace().unwrap_or_else(|| name.clone()), name)
}

fn put<K: kube::Resource>(index: &Index, object: K, item: impl Fn(K) -> Option<Item>) {
    let (namespace, _) = key(&object);
    if let Some(item) = item(object) {
        index.put(&namespace, item);
    }
}

/// The newest version of a kind that the cluster has.
async fn resource(client: &Client, kind: Kind) -> Option<ApiResource> {
    let resource = |group: &str, version: &str, kind: &str, plural: &str| {
        let api_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
        ApiResource {
            group: group.into(),
            version: version.into(),
            api_version,
            kind: kind.into(),
            plural: plural.into(),
        }
    };
    let (group, name, plural, versions): (_, _, _, &[&str]) = match kind {
        Kind::Namespace => return Some(resource("", "v1", "Namespace", "namespaces")),
        Kind::ResourceQuota => return Some(resource("", "v1", "ResourceQuota", "resourcequotas")),
        Kind::LimitRange => return Some(resource("", "v1", "LimitRange", "limitranges")),
        Kind::PersistentVolumeClaim => {
            return Some(resource("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims"));
        }
        Kind::ServiceAccount => return Some(resource("", "v1", "ServiceAccount", "serviceaccounts")),
        Kind::Secret => return Some(resource("", "v1", "Secret", "secrets")),
        Kind::Service => return Some(resource("", "v1", "Service", "services")),
        Kind::Deployment => return Some(resource("apps", "v1", "Deployment", "deployments")),
        Kind::NetworkPolicy => return Some(resource("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies")),
        Kind::Job => return Some(resource("batch", "v1", "Job", "jobs")),
        Kind::HorizontalPodAutoscaler => {
            ("autoscaling", "HorizontalPodAutoscaler", "horizontalpodautoscalers", &["v2", "v2beta2"])
        }
        Kind::PodDisruptionBudget => ("policy", "PodDisruptionBudget", "poddisruptionbudgets", &["v1", "v1beta1"]),
    };
    let mut pause = PAUSE_MIN;
    loop {
        let mut is_sure = true;
        for version in versions {
            match client.list_api_group_resources(&format!("{group}/{version}")).await {
                Ok(list) if list.resources.iter().any(|one| one.name == plural) => {
                    return Some(resource(group, version, name, plural));
                }
                Ok(_) => {}
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                Err(_) => is_sure = false,
            }
        }
        if is_sure {
            return None;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

fn replica_set(set: &LeanReplicaSet) -> ReplicaSet {
    let label = |name: &str| set.labels().get(name).map(String::as_str);
    let count = |number: Option<i32>| number.and_then(|number| u32::try_from(number).ok());
    ReplicaSet {
        name: set.name_any().into(),
        process_type: label(labels::LABEL_TYPE).and_then(|text| text.parse().ok()),
        version: label(labels::LABEL_VERSION).and_then(version),
        owner: set.owner_references().first().map(|owner| owner.name.as_str().into()),
        wanted: count(set.spec.and_then(|spec| spec.replicas)).unwrap_or(0),
        replicas: count(set.status.and_then(|status| status.replicas)).unwrap_or(0),
        created: set.metadata.creation_timestamp.as_ref().map(time).unwrap_or_default(),
    }
}
