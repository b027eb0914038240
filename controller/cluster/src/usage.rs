//! What pods and machines use, as the cluster's metrics API tells it, and what machines there are.
//!
//! The API is an extension that an operator may install at any time (metrics-server brings it), so it is asked for each
//! time.

use k8s_openapi::api::core::v1::{Container, Node, Pod};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::api::{Api, ListParams};
use kube::{Client, ResourceExt};
use serde::Deserialize;
use slipway_engine::{EngineError, NodeState, NodeStatus, PodUsage};
use slipway_team::container::quantity;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::capability::METRICS_GROUP;
use crate::pod::time;
use crate::summary;

/// What the API tells of a pod, or of a machine.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metrics {
    /// Of each container of a pod.
    containers: Vec<ContainerMetrics>,
    /// Of a machine.
    usage: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ContainerMetrics {
    usage: BTreeMap<String, String>,
}

/// How long the metrics API may take. Who serves it may be away, and what asks the API server tries again without end then.
const TIME_MAX: Duration = Duration::from_secs(10);

/// Who is said to have measured.
const SOURCE: &str = "metrics-server";

/// What the pod `name` uses, with the limits that it was given.
///
/// # Errors
/// `Missing` when there is no such pod; `Unavailable` with the reason when the cluster does not tell.
pub async fn pod_usage(client: &Client, namespace: &str, name: &str) -> Result<PodUsage, EngineError> {
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let only = ListParams::default().fields(&format!("metadata.name={name}"));
    let found = api.list(&only).await.map_err(|error| unread("the pod", &error))?;
    let pod = found.items.into_iter().next().ok_or_else(|| EngineError::Missing(format!("process {name}")))?;
    let containers = pod.spec.map(|spec| spec.containers).unwrap_or_default();
    let measured = measured(client, &format!("namespaces/{namespace}/pods/{name}")).await?;
    let sum = |resource: &str| {
        let of: Vec<f64> =
            measured.containers.iter().filter_map(|one| Some(quantity(one.usage.get(resource)?))).collect();
        (!of.is_empty()).then(|| of.iter().sum::<f64>())
    };
    Ok(PodUsage {
        source: SOURCE,
        cpu_millis: sum("cpu").map(|cores| whole_u32(cores * 1000.0)),
        cpu_limit_millis: limit(&containers, "cpu").map(|cores| whole_u32(cores * 1000.0)),
        memory_bytes: sum("memory").map(whole),
        memory_limit_bytes: limit(&containers, "memory").map(whole),
        ..PodUsage::default()
    })
}

/// What the machine `name` uses; of its disks and its network where its kubelet may be asked.
///
/// # Errors
/// As [`pod_usage`].
pub async fn node_usage(client: &Client, name: &str) -> Result<PodUsage, EngineError> {
    let found = nodes(client).await?.into_iter().find(|node| node.name == name);
    let node = found.ok_or_else(|| EngineError::Missing(format!("machine {name}")))?;
    let measured = measured(client, &format!("nodes/{name}")).await?;
    let memory = measured.usage.get("memory").map(|text| whole(quantity(text)));
    let mut usage = PodUsage {
        source: SOURCE,
        cpu_millis: measured.usage.get("cpu").map(|text| whole_u32(quantity(text) * 1000.0)),
        cpu_count: node.cpu_count,
        memory_bytes: memory,
        memory_total_bytes: node.memory_total_bytes,
        memory_available_bytes: node.memory_total_bytes.zip(memory).map(|(total, used)| total.saturating_sub(used)),
        ..PodUsage::default()
    };
    if let Some(summary) = summary::read(client, &node.name).await {
        summary.add_to(&mut usage);
    }
    Ok(usage)
}

/// The machines of the cluster, by name.
///
/// # Errors
/// `Unavailable` when the cluster does not tell.
pub async fn nodes(client: &Client) -> Result<Vec<NodeStatus>, EngineError> {
    let api: Api<Node> = Api::all(client.clone());
    let found = api.list(&ListParams::default()).await.map_err(|error| unread("the cluster's nodes", &error))?;
    let mut nodes: Vec<NodeStatus> = found.items.iter().map(node).collect();
    nodes.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(nodes)
}

/// What the metrics API tells of something; nothing of what it has not measured yet.
async fn measured(client: &Client, path: &str) -> Result<Metrics, EngineError> {
    measured_within(client, path, TIME_MAX).await
}

async fn measured_within(client: &Client, path: &str, limit: Duration) -> Result<Metrics, EngineError> {
    let groups = client.list_api_groups().await.map_err(|error| unread("what the cluster serves", &error))?;
    let Some(group) = groups.groups.into_iter().find(|group| group.name == METRICS_GROUP) else {
        return Err(EngineError::Unavailable {
            public: format!("the cluster serves no metrics (the API {METRICS_GROUP}, which metrics-server brings)"),
            context: format!("no group {METRICS_GROUP}"),
        });
    };
    let version = group.preferred_version.or_else(|| group.versions.into_iter().next());
    let version = version.map_or_else(|| "v1beta1".to_owned(), |version| version.version);
    let request = http::Request::get(format!("/apis/{METRICS_GROUP}/{version}/{path}")).body(Vec::new());
    let request = request.map_err(|error| EngineError::Unavailable {
        public: "the cluster's metrics could not be asked for".to_owned(),
        context: error.to_string(),
    })?;
    let asked = tokio::time::timeout(limit, client.request::<Metrics>(request)).await;
    let Ok(asked) = asked else {
        return Err(EngineError::Unavailable {
            public: format!("the cluster's metrics did not come within {limit:?}"),
            context: format!("{METRICS_GROUP} does not answer"),
        });
    };
    match asked {
        Ok(metrics) => Ok(metrics),
        // What was started a moment ago was not looked at yet.
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(Metrics::default()),
        Err(error) => Err(unread("the cluster's metrics", &error)),
    }
}

fn unread(what: &str, error: &kube::Error) -> EngineError {
    EngineError::Unavailable { public: format!("{what} could not be read"), context: error.to_string() }
}

/// The sum of the containers' limits; `None` when one of them has none.
fn limit(containers: &[Container], resource: &str) -> Option<f64> {
    let of = |container: &Container| {
        let limits = container.resources.as_ref()?.limits.as_ref()?;
        limits.get(resource).map(|Quantity(text)| quantity(text))
    };
    let limits: Option<Vec<f64>> = containers.iter().map(of).collect();
    limits.filter(|limits| !limits.is_empty()).map(|limits| limits.iter().sum())
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts of floats saturate")]
fn whole(number: f64) -> u64 {
    number.round() as u64
}

fn whole_u32(number: f64) -> u32 {
    u32::try_from(whole(number)).unwrap_or(u32::MAX)
}

/// Reads a machine. Source: `dployr-v1.md` §6.
fn node(node: &Node) -> NodeStatus {
    let labels = node.labels();
    let status = node.status.as_ref();
    let info = status.and_then(|status| status.node_info.as_ref());
    let capacity = |resource: &str| {
        status.and_then(|status| status.capacity.as_ref()?.get(resource)).map(|Quantity(text)| quantity(text))
    };
    let addresses = status.and_then(|status| status.addresses.as_deref()).unwrap_or_default();
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    NodeStatus {
        name: node.name_any(),
        uid: node.uid().unwrap_or_default(),
        address: addresses.iter().find(|one| one.type_ == "InternalIP").map(|one| one.address.clone()),
        region: labels.get("topology.kubernetes.io/region").cloned(),
        state: node_state(node),
        version: info.and_then(|info| text(&info.kubelet_version)),
        os: info.and_then(|info| text(&info.operating_system)),
        arch: info.and_then(|info| text(&info.architecture)),
        cpu_count: capacity("cpu").map(whole_u32),
        memory_total_bytes: capacity("memory").map(whole),
        is_for_builds: labels.contains_key("node-role.kubernetes.io/build"),
        created: node.creation_timestamp().as_ref().map(time).unwrap_or_default(),
    }
}

fn node_state(node: &Node) -> NodeState {
    if node.spec.as_ref().is_some_and(|spec| spec.unschedulable == Some(true)) {
        return NodeState::Maintenance;
    }
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    let is = |name: &str, value: &str| conditions.iter().any(|one| one.type_ == name && one.status == value);
    let ready = conditions.iter().find(|one| one.type_ == "Ready");
    match ready.map(|ready| ready.status.as_str()) {
        None => NodeState::Provisioning,
        Some("True") if ["MemoryPressure", "DiskPressure", "PIDPressure"].iter().any(|name| is(name, "True")) => {
            NodeState::Degraded
        }
        Some("True") => NodeState::Healthy,
        Some("Unknown") => NodeState::Unreachable,
        Some(_) => NodeState::Offline,
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::{Request, Response};
    use kube::client::Body;
    use serde_json::{Value, json};

    use super::*;

    /// An API server with one pod and one machine, whose metrics are as told.
    fn client(has_group: bool, metrics: (u16, Value)) -> Client {
        client_with_kubelet(has_group, metrics, failure(403))
    }

    fn client_with_kubelet(has_group: bool, metrics: (u16, Value), kubelet: (u16, Value)) -> Client {
        let service = tower::service_fn(move |request: Request<Body>| {
            let (metrics, kubelet) = (metrics.clone(), kubelet.clone());
            async move {
                let is_named = request.uri().query().is_some_and(|query| query.contains("blog-web-1"));
                let (status, body) = match request.uri().path() {
                    "/apis" => {
                        let version = json!({"groupVersion": "metrics.k8s.io/v1beta1", "version": "v1beta1"});
                        let group =
                            json!({"name": "metrics.k8s.io", "versions": [version], "preferredVersion": version});
                        let groups = if has_group { json!([group]) } else { json!([]) };
                        (200, json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}))
                    }
                    "/api/v1/namespaces/blog/pods" if is_named => (
                        200,
                        json!({
                            "kind": "PodList", "apiVersion": "v1", "metadata": {},
                            "items": [{"metadata": {"name": "blog-web-1"}, "spec": {"containers": [
                                {"name": "blog-web", "resources": {"limits": {"cpu": "500m", "memory": "256Mi"}}},
                            ]}}],
                        }),
                    ),
                    "/api/v1/namespaces/blog/pods" => {
                        (200, json!({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": []}))
                    }
                    "/api/v1/nodes" => (
                        200,
                        json!({
                            "kind": "NodeList", "apiVersion": "v1", "metadata": {},
                            "items": [{
                                "metadata": {"name": "one", "uid": "u1", "labels": {"topology.kubernetes.io/region": "eu"}},
                                "status": {
                                    "capacity": {"cpu": "4", "memory": "8Gi"},
                                    "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}],
                                    "conditions": [
                                        {"type": "DiskPressure", "status": "True"}, {"type": "Ready", "status": "True"},
                                    ],
                                },
                            }],
                        }),
                    ),
                    "/api/v1/nodes/one/proxy/stats/summary" => kubelet,
                    path if path.starts_with("/apis/metrics.k8s.io/v1beta1/") => metrics,
                    path => panic!("asked for {path}"),
                };
                let body = Body::from(body.to_string().into_bytes());
                Ok::<_, Infallible>(Response::builder().status(status).body(body).unwrap())
            }
        });
        Client::new(service, "default")
    }

    fn failure(code: u16) -> (u16, Value) {
        (code, json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": "no"}))
    }

    #[tokio::test]
    async fn the_use_of_a_pod_is_the_sum_over_its_containers() {
        let metrics = json!({"kind": "PodMetrics", "containers": [
            {"name": "a", "usage": {"cpu": "12345678n", "memory": "10Mi"}},
            {"name": "b", "usage": {"cpu": "100m", "memory": "2Mi"}},
        ]});
        let usage = pod_usage(&client(true, (200, metrics)), "blog", "blog-web-1").await.unwrap();
        assert_eq!(usage.source, "metrics-server");
        assert_eq!((usage.cpu_millis, usage.cpu_limit_millis), (Some(112), Some(500)));
        assert_eq!((usage.memory_bytes, usage.memory_limit_bytes), (Some(12 << 20), Some(256 << 20)));
        assert_eq!(usage.memory_total_bytes, None, "what the cluster does not tell is not made up");
    }

    #[tokio::test]
    async fn what_nobody_measures_is_said_to_be_unknown() {
        let usage = pod_usage(&client(true, failure(404)), "blog", "blog-web-1").await.unwrap();
        assert_eq!((usage.cpu_millis, usage.memory_bytes, usage.cpu_limit_millis), (None, None, Some(500)));
        let error = pod_usage(&client(false, failure(500)), "blog", "blog-web-1").await.unwrap_err();
        assert!(
            matches!(&error, EngineError::Unavailable { public, .. } if public.contains("metrics-server")),
            "{error:?}"
        );
        let error = pod_usage(&client(true, failure(503)), "blog", "blog-web-1").await.unwrap_err();
        assert!(matches!(error, EngineError::Unavailable { .. }), "{error:?}");
        let error = pod_usage(&client(true, failure(500)), "blog", "other").await.unwrap_err();
        assert!(matches!(error, EngineError::Missing(_)), "{error:?}");
    }

    #[tokio::test]
    async fn metrics_that_do_not_come_are_not_waited_for_without_end() {
        let service = tower::service_fn(|request: Request<Body>| async move {
            let group = match request.uri().path() {
                "/apis" => json!({"name": "metrics.k8s.io", "versions": []}),
                _ => std::future::pending().await,
            };
            let body = json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": [group]}).to_string();
            Ok::<_, Infallible>(Response::new(Body::from(body.into_bytes())))
        });
        let client = Client::new(service, "default");
        let error = measured_within(&client, "nodes/one", Duration::from_millis(20)).await.unwrap_err();
        assert!(
            matches!(&error, EngineError::Unavailable { public, .. } if public.contains("within 20ms")),
            "{error:?}"
        );
    }

    #[tokio::test]
    async fn machines_have_a_state_and_a_use() {
        let metrics = json!({"kind": "NodeMetrics", "usage": {"cpu": "1500m", "memory": "2Gi"}});
        let client = client(true, (200, metrics.clone()));
        let found = nodes(&client).await.unwrap();
        let [one] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((one.name.as_str(), one.state, one.cpu_count), ("one", NodeState::Degraded, Some(4)));
        assert_eq!((one.region.as_deref(), one.address.as_deref()), (Some("eu"), Some("10.0.0.1")));
        let usage = node_usage(&client, "one").await.unwrap();
        assert_eq!((usage.cpu_millis, usage.cpu_count), (Some(1500), Some(4)));
        assert_eq!(usage.memory_available_bytes, Some(6 << 30));
        assert!(matches!(node_usage(&client, "two").await, Err(EngineError::Missing(_))));
        assert_eq!((usage.disks, usage.network), (Vec::new(), None), "its kubelet may not be asked");
        let disk = json!({"availableBytes": 1, "capacityBytes": 3, "usedBytes": 2});
        let kubelet = json!({"node": {"fs": disk, "memory": {"availableBytes": 5}}});
        let client = client_with_kubelet(true, (200, metrics), (200, kubelet));
        let usage = node_usage(&client, "one").await.unwrap();
        assert_eq!((usage.disks.len(), usage.memory_available_bytes), (1, Some(5)));
        assert_eq!((usage.cpu_millis, usage.source), (Some(1500), "metrics-server"));
    }

    #[test]
    fn conditions_decide_how_a_machine_is() {
        let of = |value: Value| node_state(&serde_json::from_value(value).unwrap());
        let ready = |status: &str| json!({"status": {"conditions": [{"type": "Ready", "status": status}]}});
        assert_eq!(of(json!({})), NodeState::Provisioning);
        assert_eq!(of(ready("True")), NodeState::Healthy);
        assert_eq!(of(ready("False")), NodeState::Offline);
        assert_eq!(of(ready("Unknown")), NodeState::Unreachable);
        assert_eq!(of(json!({"spec": {"unschedulable": true}})), NodeState::Maintenance);
    }
}
