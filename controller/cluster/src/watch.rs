//! Watches that feed the index.
//!
//! A watch lists, then follows. It survives whatever the API server does: a version that is too old and a connection
//! that breaks lead to a new list or a new watch after a pause that grows to [`PAUSE_MAX`].

use std::collections::HashSet;
use std::time::Duration;

use futures::{Stream, StreamExt};
use k8s_openapi::api::apps::v1::ReplicaSet as ApiReplicaSet;
use k8s_openapi::api::core::v1::{Pod as ApiPod, Secret};
use kube::api::{Api, ApiResource, DynamicObject, ObjectMeta};
use kube::core::PartialObjectMeta;
use kube::runtime::watcher as object_watcher;
use kube::runtime::watcher::{self, Event};
use kube::{Client, ResourceExt};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::index::{Deployment, Index, Item, Kept, Kind, ReplicaSet, Source};
use crate::labels;
use crate::pod::{Pod, time, version};

/// Selects everything of ours.
const SELECTOR: &str = "heritage=slipway";
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
    watcher::Config::default().labels(SELECTOR)
}

async fn watch(index: &Index, client: &Client, source: Source) {
    match source {
        Source::Pods => {
            let make = || object_watcher(Api::<ApiPod>::all(client.clone()), config());
            follow(index, source, make, |pod| Pod::new(pod).map(Item::Pod)).await;
        }
        Source::ReplicaSets => {
            let make = || object_watcher(Api::<ApiReplicaSet>::all(client.clone()), config());
            follow(index, source, make, |set| Some(Item::ReplicaSet(replica_set(set)))).await;
        }
        Source::Kind(Kind::Secret) => {
            let resource = ApiResource::erase::<Secret>(&());
            let make = || object_watcher(Api::<PartialObjectMeta<Secret>>::all(client.clone()), config());
            follow(index, source, make, |secret: &PartialObjectMeta<Secret>| {
                Some(Item::Kept(kept(Kind::Secret, &resource, &secret.metadata, &Value::Null)?, None))
            })
            .await;
        }
        Source::Kind(kind) => {
            let Some(resource) = resource(client, kind).await else {
                tracing::info!("the cluster has no {kind:?}");
                index.listed(source, &HashSet::new());
                return;
            };
            let make = || object_watcher(Api::<DynamicObject>::all_with(client.clone(), &resource), config());
            follow(index, source, make, |object: &DynamicObject| {
                let deployment = (kind == Kind::Deployment).then(|| {
                    let mut value = object.data.clone();
                    value["metadata"] = serde_json::to_value(&object.metadata).unwrap_or_default();
                    Deployment::new(&value)
                });
                Some(Item::Kept(kept(kind, &resource, &object.metadata, &object.data)?, deployment))
            })
            .await;
        }
    }
}

/// Feeds the index from streams that `make` makes, for ever.
async fn follow<K, S>(index: &Index, source: Source, make: impl Fn() -> S, item: impl Fn(&K) -> Option<Item>)
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
                    put(index, &object, &item);
                }
                Event::InitDone => index.listed(source, &std::mem::take(&mut seen)),
                Event::Apply(object) => put(index, &object, &item),
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

fn put<K: kube::Resource>(index: &Index, object: &K, item: impl Fn(&K) -> Option<Item>) {
    if let Some(item) = item(object) {
        index.put(&key(object).0, item);
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

/// What is kept of an object; `None` for one without name.
fn kept(kind: Kind, resource: &ApiResource, metadata: &ObjectMeta, data: &Value) -> Option<Kept> {
    let name = metadata.name.as_deref()?;
    let mut object = Map::new();
    object.insert("apiVersion".to_owned(), resource.api_version.as_str().into());
    object.insert("kind".to_owned(), resource.kind.as_str().into());
    let mut meta = serde_json::to_value(metadata).ok()?;
    if let Some(meta) = meta.as_object_mut() {
        for field in ["managedFields", "resourceVersion", "selfLink", "uid", "creationTimestamp"] {
            meta.remove(field);
        }
    }
    object.insert("metadata".to_owned(), meta);
    for (name, value) in data.as_object().into_iter().flatten() {
        if name != "status" && name != "metadata" {
            object.insert(name.clone(), value.clone());
        }
    }
    Some(Kept {
        kind,
        name: name.into(),
        uid: metadata.uid.as_deref().unwrap_or_default().into(),
        resource_version: metadata.resource_version.as_deref().unwrap_or_default().into(),
        is_deleting: metadata.deletion_timestamp.is_some(),
        json: Value::Object(object).to_string().into(),
    })
}

fn replica_set(set: &ApiReplicaSet) -> ReplicaSet {
    let label = |name: &str| set.labels().get(name).map(String::as_str);
    let count = |number: Option<i32>| number.and_then(|number| u32::try_from(number).ok());
    ReplicaSet {
        name: set.name_any().into(),
        process_type: label(labels::LABEL_TYPE).and_then(|text| text.parse().ok()),
        version: label(labels::LABEL_VERSION).and_then(version),
        owner: set.owner_references().first().map(|owner| owner.name.as_str().into()),
        wanted: count(set.spec.as_ref().and_then(|spec| spec.replicas)).unwrap_or(0),
        replicas: count(set.status.as_ref().map(|status| status.replicas)).unwrap_or(0),
        created: set.metadata.creation_timestamp.as_ref().map(time).unwrap_or_default(),
    }
}
