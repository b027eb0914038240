//! What the cluster says of a container, in our words. Pure. Source: `team-api.md` §4.7.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, Service};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;
use slipway_engine::workload::{Container, ContainerState};
use slipway_team::container::reference::ImageName;

use super::objects::ANNOTATION_RESTARTED_AT;
use crate::status::FAILING_REASONS;

/// Why else a container waits that will not come up by itself: whatever it needs was written before it.
/// Source: kubelet, `images/types.go`, `container/sync_result.go`.
const STUCK: [&str; 2] = ["CrashLoopBackOff", "CreateContainerConfigError"];

/// How far a Deployment is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stand {
    /// Not yet.
    Coming(ContainerState, String),
    /// It runs as it was written.
    Up,
    /// It will not come up; the pod whose output tells more, if there is one.
    Stuck { reason: String, pod: Option<String> },
}

/// How far `deployment` is, of which `pods` are.
pub(super) fn stand(deployment: &Deployment, pods: &[Pod]) -> Stand {
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let stamp = deployment
        .spec
        .as_ref()
        .and_then(|spec| spec.template.metadata.as_ref())
        .and_then(|metadata| metadata.annotations.as_ref())
        .and_then(|annotations| annotations.get(ANNOTATION_RESTARTED_AT));
    // Only pods of what was written last: an older one may be stuck, too, and about to go.
    let current: Vec<&Pod> = pods
        .iter()
        .filter(|pod| pod.metadata.deletion_timestamp.is_none())
        .filter(|pod| stamp.is_none() || pod.annotations().get(ANNOTATION_RESTARTED_AT) == stamp)
        .collect();
    for pod in &current {
        if let Some(reason) = stuck(pod) {
            return Stand::Stuck { reason, pod: Some(pod.name_any()) };
        }
    }
    let status = deployment.status.clone().unwrap_or_default();
    let failure = status.conditions.iter().flatten().find(|condition| {
        (condition.type_ == "Progressing" && condition.reason.as_deref() == Some("ProgressDeadlineExceeded"))
            || (condition.type_ == "ReplicaFailure" && condition.status == "True")
    });
    let is_seen = status.observed_generation >= deployment.metadata.generation;
    if let Some(condition) = failure.filter(|_| is_seen) {
        let message = condition.message.clone().unwrap_or_else(|| "the cluster made no progress".to_owned());
        return Stand::Stuck { reason: message, pod: current.first().map(|pod| pod.name_any()) };
    }
    let count = |number: Option<i32>| number.unwrap_or(0);
    let is_up = is_seen
        && count(status.updated_replicas) >= wanted
        && count(status.available_replicas) >= wanted
        && count(status.replicas) == count(status.updated_replicas);
    if is_up {
        return Stand::Up;
    }
    let (state, reason) = newest_state(&current);
    // Without pods yet it has not begun, which is not the same as having ended.
    if current.is_empty() { Stand::Coming(ContainerState::Waiting, reason) } else { Stand::Coming(state, reason) }
}

/// Why the pod will not come up by itself.
fn stuck(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let unschedulable = status.conditions.iter().flatten().find(|condition| {
        condition.type_ == "PodScheduled"
            && condition.status == "False"
            && condition.reason.as_deref() == Some("Unschedulable")
    });
    if let Some(condition) = unschedulable {
        return Some(format!("Unschedulable: {}", condition.message.clone().unwrap_or_default()));
    }
    let waiting = status.init_container_statuses.iter().chain(&status.container_statuses).flatten().find_map(|one| {
        let waiting = one.state.as_ref()?.waiting.as_ref()?;
        let reason = waiting.reason.clone().filter(|reason| is_stuck(reason))?;
        let message = waiting.message.clone().unwrap_or_default();
        Some(if message.is_empty() { reason } else { format!("{reason}: {message}") })
    });
    waiting.or_else(|| {
        (status.phase.as_deref() == Some("Failed"))
            .then(|| status.reason.clone().unwrap_or_else(|| "Failed".to_owned()))
    })
}

fn is_stuck(reason: &str) -> bool {
    FAILING_REASONS.contains(&reason) || STUCK.contains(&reason)
}

/// The state of the newest pod's first container.
fn newest_state(pods: &[&Pod]) -> (ContainerState, String) {
    let newest = pods.iter().max_by_key(|pod| pod.metadata.creation_timestamp.as_ref().map(|time| time.0));
    let Some(pod) = newest else { return (ContainerState::Exited, String::new()) };
    let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
    let status: Option<&ContainerStatus> = statuses.and_then(|statuses| statuses.first());
    let Some(state) = status.and_then(|status| status.state.as_ref()) else {
        return (ContainerState::Waiting, "Pending".to_owned());
    };
    if state.running.is_some() {
        (ContainerState::Running, "Started".to_owned())
    } else if let Some(terminated) = &state.terminated {
        (ContainerState::Exited, terminated.reason.clone().unwrap_or_default())
    } else {
        let reason = state.waiting.as_ref().and_then(|waiting| waiting.reason.clone());
        (ContainerState::Waiting, reason.unwrap_or_default())
    }
}

/// A Deployment as one of the node's containers.
pub(super) fn container(deployment: &Deployment, pods: &[Pod], service: Option<&Service>) -> Container {
    let name = deployment.name_any();
    let template = deployment.spec.as_ref().and_then(|spec| spec.template.spec.as_ref());
    let main = template.and_then(|pod| pod.containers.iter().find(|container| container.name == name));
    let image = main.and_then(|container| container.image.clone()).unwrap_or_default();
    let ImageName { name: image_name, tag } = ImageName::split(&image);
    let image_tag = tag.unwrap_or_else(|| if image.contains('@') { String::new() } else { "latest".to_owned() });
    let command = main.and_then(|container| container.command.clone()).unwrap_or_default().join(" ");
    let is_stopped = deployment.spec.as_ref().and_then(|spec| spec.replicas) == Some(0);
    let alive: Vec<&Pod> = pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).collect();
    let (state, reason) = match (is_stopped, alive.is_empty()) {
        (true, _) => (ContainerState::Exited, "Stopped".to_owned()),
        (false, true) => (ContainerState::Exited, String::new()),
        (false, false) => newest_state(&alive),
    };
    Container {
        prefix: deployment.namespace().unwrap_or_default(),
        name,
        command,
        created_at: created(deployment),
        state,
        reason,
        image_name,
        image_tag,
        ports: ports(service),
    }
}

fn created(deployment: &Deployment) -> DateTime<Utc> {
    let stamp = deployment.metadata.creation_timestamp.as_ref().map(|time| time.0.to_string());
    stamp.and_then(|text| text.parse().ok()).unwrap_or_default()
}

fn ports(service: Option<&Service>) -> Vec<(u16, Option<u16>)> {
    let ports = service.and_then(|service| service.spec.as_ref()).and_then(|spec| spec.ports.as_ref());
    let one = |port: &k8s_openapi::api::core::v1::ServicePort| {
        let outer = u16::try_from(port.port).ok()?;
        let inner = match &port.target_port {
            Some(IntOrString::Int(inner)) => u16::try_from(*inner).ok()?,
            Some(IntOrString::String(_)) | None => outer,
        };
        Some((inner, Some(outer)))
    };
    ports.into_iter().flatten().filter_map(one).collect()
}

/// Pods by the Deployment that they are of, told by the label that both have.
pub(super) fn by_name(pods: Vec<Pod>, label: &str) -> BTreeMap<(String, String), Vec<Pod>> {
    let mut all: BTreeMap<(String, String), Vec<Pod>> = BTreeMap::new();
    for pod in pods {
        if let (Some(namespace), Some(name)) = (pod.namespace(), pod.labels().get(label).cloned()) {
            all.entry((namespace, name)).or_default().push(pod);
        }
    }
    all
}
