//! Objects as watches read them: without what nobody looks at.
//!
//! Much of an object of Kubernetes is who set which of its fields (`managedFields`), what the API server filled in, and
//! parts that only kubelets need. What is left out here is passed over while reading, without taking memory: a list of
//! thousands of objects comes in pages of hundreds.

use std::borrow::Cow;
use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, Pod, PodSpec, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference, Time};
use kube::Resource;
use kube::core::{ApiResource, DynamicResourceScope};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// An object with as much of `spec` and `status` as `S` and `T` take in. With `METADATA_ONLY` the API server is asked for
/// the metadata alone.
#[derive(Debug, Clone, Deserialize)]
#[serde(bound = "S: Deserialize<'de>, T: Deserialize<'de>")]
pub(crate) struct Lean<S, T, const METADATA_ONLY: bool = false> {
    #[serde(deserialize_with = "metadata")]
    pub(crate) metadata: ObjectMeta,
    pub(crate) spec: Option<S>,
    pub(crate) status: Option<T>,
}

/// An object of which only the metadata is looked at, and which holds nothing else that is secret or large.
pub(crate) type Bare = Lean<IgnoredAny, IgnoredAny>;
/// An object of which nothing but the metadata is fetched.
pub(crate) type Sealed = Lean<IgnoredAny, IgnoredAny, true>;
/// An object that is looked into.
pub(crate) type Open = Lean<Value, Value>;
/// A pod.
pub(crate) type LeanPod = Lean<LeanPodSpec, PodStatus>;
/// A ReplicaSet.
pub(crate) type LeanReplicaSet = Lean<Replicas, Replicas>;

/// What is read of a pod's specification.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct LeanPodSpec {
    #[serde(default)]
    containers: Vec<Named>,
    #[serde(default, rename = "nodeName")]
    node_name: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Named {
    name: String,
}

/// How many pods are wanted, or there.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub(crate) struct Replicas {
    #[serde(default)]
    pub(crate) replicas: Option<i32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LeanMeta {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    generation: Option<i64>,
    creation_timestamp: Option<Time>,
    deletion_timestamp: Option<Time>,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
    owner_references: Option<Vec<OwnerReference>>,
}

fn metadata<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ObjectMeta, D::Error> {
    let meta = LeanMeta::deserialize(deserializer)?;
    Ok(ObjectMeta {
        name: meta.name,
        namespace: meta.namespace,
        uid: meta.uid,
        resource_version: meta.resource_version,
        generation: meta.generation,
        creation_timestamp: meta.creation_timestamp,
        deletion_timestamp: meta.deletion_timestamp,
        labels: meta.labels,
        annotations: meta.annotations,
        owner_references: meta.owner_references,
        ..ObjectMeta::default()
    })
}

impl<S, T, const METADATA_ONLY: bool> Resource for Lean<S, T, METADATA_ONLY> {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn group(resource: &ApiResource) -> Cow<'_, str> {
        resource.group.as_str().into()
    }

    fn version(resource: &ApiResource) -> Cow<'_, str> {
        resource.version.as_str().into()
    }

    fn kind(resource: &ApiResource) -> Cow<'_, str> {
        resource.kind.as_str().into()
    }

    fn api_version(resource: &ApiResource) -> Cow<'_, str> {
        resource.api_version.as_str().into()
    }

    fn plural(resource: &ApiResource) -> Cow<'_, str> {
        resource.plural.as_str().into()
    }

    fn metadata_api() -> bool {
        METADATA_ONLY
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

impl From<LeanPod> for Pod {
    fn from(pod: LeanPod) -> Self {
        let container = |named: Named| Container { name: named.name, ..Container::default() };
        let LeanPodSpec { containers, node_name } = pod.spec.unwrap_or_default();
        let containers = containers.into_iter().map(container).collect();
        let spec = Some(PodSpec { containers, node_name, ..PodSpec::default() });
        Self { metadata: pod.metadata, spec, status: pod.status }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::pod;

    #[test]
    fn a_pod_is_read_as_if_it_were_whole() {
        let value = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": "blog-web-a-b", "namespace": "blog", "uid": "u", "resourceVersion": "7",
                "creationTimestamp": "2026-08-01T11:00:00Z", "deletionTimestamp": "2026-08-01T12:00:00Z",
                "labels": {"app": "blog", "type": "web", "version": "v3"}, "annotations": {"a": "b"},
                "ownerReferences": [
                    {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "blog-web-a", "uid": "v", "controller": true},
                ],
                "managedFields": [{"manager": "slipway", "operation": "Apply", "fieldsV1": {"f:metadata": {"f:labels": {}}}}],
            },
            "spec": {"nodeName": "n", "containers": [{"name": "proxy", "image": "a"}, {"name": "blog-web", "image": "b"}]},
            "status": {"phase": "Running", "startTime": "2026-08-01T11:00:01Z", "podIP": "10.1.2.3", "containerStatuses": [
                {"name": "blog-web", "ready": true, "restartCount": 2, "image": "", "imageID": "", "state": {"running": {}}},
            ]},
        });
        let whole: Pod = serde_json::from_value(value.clone()).unwrap();
        let lean: LeanPod = serde_json::from_value(value).unwrap();
        assert!(lean.metadata.managed_fields.is_none());
        let kept = pod::Pod::new(&lean.into()).unwrap();
        assert_eq!(&*kept.container, "blog-web");
        assert_eq!(Some(kept), pod::Pod::new(&whole));
    }

    #[test]
    fn what_is_missing_is_no_error() {
        let value = json!({"metadata": {"name": "a", "creationTimestamp": null}});
        let pod: LeanPod = serde_json::from_value(value.clone()).unwrap();
        assert_eq!(&*pod::Pod::new(&pod.into()).unwrap().container, "");
        let set: LeanReplicaSet = serde_json::from_value(value.clone()).unwrap();
        assert!(set.spec.is_none() && set.status.is_none());
        assert!(serde_json::from_value::<Sealed>(value).is_ok());
    }
}
