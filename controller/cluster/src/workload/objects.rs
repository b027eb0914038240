//! What is written for one container of a deployment.
//!
//! Source: `team-api.md` §7.2 to §7.6 and §7.9. The names are the contract's, so that what people wrote against the
//! system before finds its objects here.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, PersistentVolumeClaim, Secret, Service};
use k8s_openapi::api::networking::v1::Ingress;
use kube::core::{ApiResource, Resource};
use serde_json::{Map, Value, json};
use slipway_engine::RegistryLogin;
use slipway_engine::workload::WorkloadSpec;
pub use slipway_engine::workload_label::{
    LABEL_DEPLOYMENT, LABEL_INSTANCE, LABEL_MANAGED_BY, LABEL_PREFIX, LABEL_PROJECT, LABEL_TEAM, LABEL_TEAM_VERSION,
    labels_of,
};
use slipway_team::container::VolumeType;
use slipway_team::container::part::{KeyValue, Volume};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::pod::deployment;
use super::route::ingress;
use crate::objects::pull_secret::{DOCKER_CONFIG_KEY, DOCKER_CONFIG_TYPE, docker_config};
use crate::settings::HERITAGE;

/// Label that a Service and a Deployment find their pods by. It never changes; a Deployment's selector cannot.
pub const LABEL_SELECTOR: &str = "app";
/// Annotation of pods: when they were last asked to be new.
pub const ANNOTATION_RESTARTED_AT: &str = "slipway.io/restarted-at";
/// Size of a volume that names none. Source: `team-api.md` §7.4.
const VOLUME_SIZE: &str = "1G";

/// What an operator decides about the containers of teams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkloadSettings {
    /// The domain that containers without one of their own get a name under. Default: none.
    pub root_domain: Option<String>,
    /// The class of their Ingresses. Default: `nginx`.
    pub ingress_class: String,
    /// The issuer of their certificates, a `ClusterIssuer` of cert-manager. Default: `letsencrypt-prod`.
    pub cluster_issuer: String,
    /// The image with `rclone` that fetches files from object stores. Default: `docker.io/rclone/rclone:1.57.0`.
    pub import_image: String,
    /// Seconds before a new container is first probed. Default: 30, as before.
    pub probe_delay_secs: u32,
    /// Failures in a row that count as one. Default: 3; before, one failure ended a container, which is harsh.
    pub probe_failures: u32,
    /// What a container may use that does not say: processors and memory. Default: `100m`, `128Mi`.
    pub limits: (String, String),
    /// What is kept free for a container that does not say. Default: `50m`, `64Mi`.
    pub requests: (String, String),
}

impl Default for WorkloadSettings {
    fn default() -> Self {
        Self {
            root_domain: None,
            ingress_class: "nginx".to_owned(),
            cluster_issuer: "letsencrypt-prod".to_owned(),
            import_image: "docker.io/rclone/rclone:1.57.0".to_owned(),
            probe_delay_secs: 30,
            probe_failures: 3,
            limits: ("100m".to_owned(), "128Mi".to_owned()),
            requests: ("50m".to_owned(), "64Mi".to_owned()),
        }
    }
}

/// Why nothing can be written: the configuration cannot run on this cluster. The text is for the user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unfit(pub String);

/// An object of a container.
#[derive(Clone, PartialEq)]
pub struct Item {
    /// Where objects of its kind are.
    pub resource: ApiResource,
    /// Its name.
    pub name: String,
    /// The object.
    pub body: Value,
}

impl std::fmt::Debug for Item {
    /// Without the body: it may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Item").field("kind", &self.resource.kind).field("name", &self.name).finish_non_exhaustive()
    }
}

impl Item {
    /// An object of `K` in `namespace`, with our labels under those that `rest` has.
    fn new<K: Resource<DynamicType = ()>>(spec: &WorkloadSpec, name: String, mut rest: Value) -> Self {
        let own = match rest.pointer_mut("/metadata/labels").map(Value::take) {
            Some(Value::Object(own)) => own,
            _ => Map::new(),
        };
        let mut labels = own;
        for (key, value) in labels_of(&spec.ownership, &spec.prefix) {
            labels.insert(key.to_owned(), json!(value));
        }
        rest["apiVersion"] = json!(K::api_version(&()));
        rest["kind"] = json!(K::kind(&()));
        rest["metadata"]["name"] = json!(name);
        rest["metadata"]["namespace"] = json!(spec.prefix);
        rest["metadata"]["labels"] = Value::Object(labels);
        Self { resource: ApiResource::erase::<K>(&()), name, body: rest }
    }
}

/// Names of what a container has, beside itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Names {
    /// The environment of the deployment, shared by all with its prefix.
    pub common: String,
    /// The registry's credentials.
    pub registry: String,
    /// The object store's credentials.
    pub import: String,
}

impl Names {
    pub fn of(prefix: &str, name: &str) -> Self {
        Self { common: format!("{prefix}-common"), registry: format!("{name}-reg"), import: format!("{name}-import") }
    }
}

/// The name of a container's volume, on the cluster and in the pod.
pub(super) fn volume_name(container: &str, volume: &str) -> String {
    format!("{container}-{volume}")
}

/// Everything that is written for a container, in the order in which it is written.
///
/// # Errors
/// [`Unfit`] when it is exposed without a host.
pub fn objects(spec: &WorkloadSpec, settings: &WorkloadSettings) -> Result<Vec<Item>, Unfit> {
    let config = &spec.config;
    let name = spec.name().to_owned();
    let names = Names::of(&spec.prefix, &name);
    let mut items = vec![namespace(spec)];
    if !spec.environment.is_empty() {
        let mut common = Item::new::<ConfigMap>(spec, names.common, json!({"data": spec.environment}));
        // It belongs to every container with the prefix.
        if let Some(labels) = common.body["metadata"]["labels"].as_object_mut() {
            for one in [LABEL_INSTANCE, LABEL_DEPLOYMENT, LABEL_TEAM_VERSION, LABEL_PROJECT] {
                labels.remove(one);
            }
        }
        items.push(common);
    }
    let environment = pairs(config.environment.as_deref());
    if !environment.is_empty() {
        items.push(Item::new::<ConfigMap>(spec, name.clone(), json!({"data": environment})));
    }
    items.extend(config.volumes.iter().flatten().filter_map(|volume| claim(spec, volume)));
    let secrets: BTreeMap<&str, String> =
        spec.secrets.iter().map(|(key, value)| (key.as_str(), STANDARD.encode(value.expose()))).collect();
    items.push(Item::new::<Secret>(spec, name.clone(), json!({"type": "Opaque", "data": secrets})));
    if config.ports.as_ref().is_some_and(|ports| !ports.is_empty()) {
        items.push(service(spec));
    }
    if let Some(login) = &spec.registry {
        items.push(registry_secret(spec, names.registry, login));
    }
    if let Some((key, secret)) = spec.storage.as_ref().and_then(|storage| storage.credentials.as_ref()) {
        let data = json!({"key": STANDARD.encode(key), "secret": STANDARD.encode(secret.expose())});
        items.push(Item::new::<Secret>(spec, names.import, json!({"type": "Opaque", "data": data})));
    }
    items.push(Item::new::<Deployment>(spec, name.clone(), deployment(spec, settings)));
    if let Some(body) = ingress(spec, settings)? {
        items.push(Item::new::<Ingress>(spec, name, body));
    }
    Ok(items)
}

/// What a container may have had and does not have any more, given what is written for it now. Volumes stay: what is
/// in them is nobody's to throw away but the user's.
pub(super) fn leftovers(spec: &WorkloadSpec, items: &[Item]) -> Vec<(ApiResource, String)> {
    let name = spec.name().to_owned();
    let names = Names::of(&spec.prefix, &name);
    let possible = [
        (ApiResource::erase::<ConfigMap>(&()), name.clone()),
        (ApiResource::erase::<Service>(&()), name.clone()),
        (ApiResource::erase::<Secret>(&()), names.registry),
        (ApiResource::erase::<Secret>(&()), names.import),
        (ApiResource::erase::<Ingress>(&()), name),
    ];
    let is_wanted = |(resource, name): &(ApiResource, String)| {
        items.iter().any(|item| item.resource == *resource && item.name == *name)
    };
    possible.into_iter().filter(|one| !is_wanted(one)).collect()
}

/// Pairs as a map.
pub(super) fn pairs(list: Option<&[KeyValue]>) -> BTreeMap<&str, &str> {
    list.into_iter().flatten().map(|pair| (pair.key.as_str(), pair.value.as_str())).collect()
}

fn namespace(spec: &WorkloadSpec) -> Item {
    let mut item = Item::new::<Namespace>(spec, spec.prefix.clone(), json!({}));
    let team = spec.ownership.team.to_string();
    item.body["metadata"] = json!({
        "name": spec.prefix,
        "labels": {LABEL_MANAGED_BY: HERITAGE, LABEL_TEAM: team, LABEL_PREFIX: spec.prefix},
    });
    item
}

fn claim(spec: &WorkloadSpec, volume: &Volume) -> Option<Item> {
    let mode = match volume.kind.unwrap_or_default() {
        VolumeType::ReadOnly => "ReadOnlyMany",
        VolumeType::ReadWriteOnce => "ReadWriteOnce",
        VolumeType::ReadWriteMany => "ReadWriteMany",
        VolumeType::Memory | VolumeType::Temporary => return None,
    };
    let mut body = json!({
        "spec": {"accessModes": [mode], "resources": {"requests": {"storage": volume_size(volume)}}},
    });
    if let Some(class) = volume.class.as_deref().filter(|class| !class.is_empty()) {
        body["spec"]["storageClassName"] = json!(class);
    }
    Some(Item::new::<PersistentVolumeClaim>(spec, volume_name(spec.name(), &volume.name), body))
}

/// The size that a volume has.
pub(super) fn volume_size(volume: &Volume) -> &str {
    volume.size.as_deref().filter(|size| !size.is_empty()).unwrap_or(VOLUME_SIZE)
}

fn service(spec: &WorkloadSpec) -> Item {
    let config = &spec.config;
    let is_balancer = config.use_load_balancer;
    let mut ports: Vec<Value> = Vec::new();
    let mut taken = std::collections::BTreeSet::new();
    let mut add = |port: u16, target: u16| {
        // Two names for one port would be refused; the first stays.
        if taken.insert(port) {
            ports.push(json!({"name": format!("tcp-{port}"), "port": port, "targetPort": target, "protocol": "TCP"}));
        }
    };
    for port in config.ports.iter().flatten() {
        // Inside the cluster, others use the container's own port; a load balancer has the one outside.
        let outer = if is_balancer { port.external.unwrap_or(port.internal) } else { port.internal };
        add(outer, port.internal);
    }
    for range in config.port_ranges.iter().flatten() {
        for (outer, inner) in (range.external.from..=range.external.to).zip(range.internal.from..=range.internal.to) {
            add(outer, inner);
        }
    }
    let mut annotations = pairs(config.annotations.service.as_deref());
    let mut body = json!({
        "spec": {"type": "ClusterIP", "selector": {LABEL_SELECTOR: spec.name()}, "ports": ports},
    });
    if is_balancer {
        for (key, value) in pairs(config.extra_lb_annotations.as_deref()) {
            annotations.entry(key).or_insert(value);
        }
        body["spec"]["type"] = json!("LoadBalancer");
        body["spec"]["externalTrafficPolicy"] = json!("Local");
    }
    let mut labels = pairs(config.labels.service.as_deref());
    labels.insert(LABEL_SELECTOR, spec.name());
    body["metadata"] = json!({"labels": labels, "annotations": annotations});
    Item::new::<Service>(spec, spec.name().to_owned(), body)
}

fn registry_secret(spec: &WorkloadSpec, name: String, login: &RegistryLogin) -> Item {
    let data = json!({DOCKER_CONFIG_KEY: STANDARD.encode(docker_config(login, &spec.image))});
    Item::new::<Secret>(spec, name, json!({"type": DOCKER_CONFIG_TYPE, "data": data}))
}
