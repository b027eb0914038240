//! The processes of one type. Source: `drycc-v2.md` §4.2, §4.3 and §4.6.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::json;
use slipway_core::limit::Limit;
use slipway_engine::{ProcessSpec, ReleaseSpec};

use super::command::{hook_command, process_command, start_program};
use super::probe::{port_probe, probe};
use super::{Input, Object, RenderError, Running, volume};
use crate::index::Kind;
use crate::labels::{
    ANNOTATION_CHANGE_CAUSE, ANNOTATION_RESTART, PULL_SECRET, container_name, env_secret_name, pod_labels,
    process_labels, process_name, process_selector,
};
use crate::route::PORT_NAME;

/// Time between a pod's leaving the endpoints and its SIGTERM: routers and kube-proxies learn of it meanwhile, and
/// send nothing more. Never more than half the grace period.
const DRAIN: Duration = Duration::from_secs(5);
/// How long a process without readiness check must run before it counts as ready.
const SETTLE_SECS: i32 = 3;
/// CPU set aside for processes that are scaled by load and say nothing: the autoscaler measures against it.
const AUTOSCALE_CPU_MILLIS: u64 = 100;
/// Ports below need a capability.
const PORT_UNPRIVILEGED: u16 = 1024;

/// The Deployment of a process type.
pub(super) fn deployment(
    input: &Input<'_>,
    running: &Running<'_>,
    process: &ProcessSpec,
) -> Result<Object, RenderError> {
    let (app, release) = (&input.spec.name, running.release);
    let name = process_name(app, &process.process_type);
    let mut metadata = super::metadata(app, name.clone());
    metadata.labels = Some(process_labels(app, &process.process_type));
    metadata.annotations = Some([(ANNOTATION_CHANGE_CAUSE.to_owned(), release.summary.clone())].into());
    let has_check = input.spec.takes_requests(process) && running.port.is_some() || process.readiness.is_some();
    let mut labels = pod_labels(app, &process.process_type, release.version);
    labels.extend(process.mounts.iter().map(volume::label));
    let count = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    let deployment = Deployment {
        metadata,
        spec: Some(DeploymentSpec {
            replicas: process.autoscale.is_none().then(|| count(process.replicas)),
            revision_history_limit: Some(count(input.settings.revision_history)),
            progress_deadline_seconds: Some(
                i32::try_from(input.settings.progress_deadline.as_secs()).unwrap_or(i32::MAX),
            ),
            min_ready_seconds: (!has_check).then_some(SETTLE_SECS),
            selector: LabelSelector {
                match_labels: Some(process_selector(app, &process.process_type)),
                ..LabelSelector::default()
            },
            strategy: Some(strategy(input, release, process)),
            template: core::PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(labels),
                    annotations: Some([(ANNOTATION_RESTART.to_owned(), process.restart_token.to_string())].into()),
                    ..ObjectMeta::default()
                }),
                spec: Some(pod(input, running, process)),
            },
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    };
    let mut object = Object::new(Kind::Deployment, &deployment)?;
    if let Some(autoscale) = process.autoscale {
        // Not part of the digest. Left out altogether, the API server would go back to one pod when this manager was
        // the only one that ever said a number; with the number that there is now, nothing changes.
        let now = (input.replicas)(&name).unwrap_or(process.replicas);
        let (min, max) = (autoscale.min.max(1), autoscale.max.max(autoscale.min).max(1));
        object.is_autoscaled = true;
        object.body["spec"]["replicas"] = json!(now.clamp(min, max));
    }
    Ok(object)
}

/// New processes beside the old ones; but where one node at a time has a volume the old ones go first: on that node there
/// may be no room for both, and elsewhere the new ones would wait for a volume that the old ones do not give up.
fn strategy(input: &Input<'_>, release: &ReleaseSpec, process: &ProcessSpec) -> DeploymentStrategy {
    if !process.mounts.is_empty() && volume::is_on_one_node(input.settings) {
        return DeploymentStrategy { type_: Some("Recreate".to_owned()), rolling_update: None };
    }
    DeploymentStrategy {
        type_: Some("RollingUpdate".to_owned()),
        rolling_update: Some(RollingUpdateDeployment {
            max_unavailable: Some(IntOrString::Int(0)),
            max_surge: Some(surge(release, process)),
        }),
    }
}

/// How many pods may be there beyond the wanted ones during a rollout: the app's batch size, else a quarter, rounded up.
///
/// Source: `drycc-v2.md` §4.2, where the default is the number of nodes; that would rewrite every Deployment when a node
/// comes or goes.
fn surge(release: &ReleaseSpec, process: &ProcessSpec) -> IntOrString {
    let said = ["SLIPWAY_DEPLOY_BATCHES", "DRYCC_DEPLOY_BATCHES", "DEIS_DEPLOY_BATCHES"]
        .iter()
        .find_map(|name| release.env.get(*name)?.expose().trim().parse::<u32>().ok())
        .filter(|batch| *batch > 0);
    match said {
        Some(batch) => IntOrString::Int(i32::try_from(batch.min(process.replicas.max(1))).unwrap_or(i32::MAX)),
        None => IntOrString::String("25%".to_owned()),
    }
}

fn pod(input: &Input<'_>, running: &Running<'_>, process: &ProcessSpec) -> core::PodSpec {
    let (app, release) = (&input.spec.name, running.release);
    let pull = release.registry.iter().map(|_| core::LocalObjectReference { name: PULL_SECRET.to_owned() }).collect();
    let mut pod = core::PodSpec {
        containers: vec![container(input, running, process)],
        restart_policy: Some("Always".to_owned()),
        node_selector: (!release.placement.is_empty()).then(|| release.placement.clone()),
        termination_grace_period_seconds: Some(i64::try_from(process.grace.as_secs()).unwrap_or(i64::MAX)),
        service_account_name: Some(app.to_string()),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        image_pull_secrets: Some(pull).filter(|pull: &Vec<_>| !pull.is_empty()),
        security_context: Some(pod_security(running.image.is_non_root)),
        ..core::PodSpec::default()
    };
    volume::mount(&mut pod, app, &process.mounts, input.settings);
    pod
}

/// What a pod of an app may do: nothing of the kernel beyond the runtime's usual calls, and no root where the image has a
/// user of its own (by number; the kubelet cannot tell what a name stands for).
#[must_use]
pub fn pod_security(is_non_root: bool) -> core::PodSecurityContext {
    core::PodSecurityContext {
        run_as_non_root: is_non_root.then_some(true),
        seccomp_profile: Some(core::SeccompProfile {
            type_: "RuntimeDefault".to_owned(),
            ..core::SeccompProfile::default()
        }),
        ..core::PodSecurityContext::default()
    }
}

/// What a container of an app may do: no further privileges, no capabilities but that to listen on a low port when the
/// lowest of its ports is one.
#[must_use]
pub fn container_security(lowest_port: Option<u16>) -> core::SecurityContext {
    let is_low = lowest_port.is_some_and(|port| port < PORT_UNPRIVILEGED);
    core::SecurityContext {
        allow_privilege_escalation: Some(false),
        capabilities: Some(core::Capabilities {
            add: is_low.then(|| vec!["NET_BIND_SERVICE".to_owned()]),
            drop: Some(vec!["ALL".to_owned()]),
        }),
        ..core::SecurityContext::default()
    }
}

fn container(input: &Input<'_>, running: &Running<'_>, process: &ProcessSpec) -> core::Container {
    let (app, release) = (&input.spec.name, running.release);
    let command =
        process_command(release.kind, start_program(running.image), &process.process_type, process.command.as_deref());
    let routed_port = running.port.filter(|_| input.spec.takes_requests(process));
    let readiness = match &process.readiness {
        Some(own) => Some(probe(own)),
        None => routed_port.map(|_| port_probe()),
    };
    // Hosts may lead to others than the main one.
    let others = input.spec.route.ports.values().copied().filter(|_| process.is_routed);
    let lowest_port = running.port.into_iter().chain(others).min();
    core::Container {
        name: container_name(app, &process.process_type),
        image: Some(running.image.reference.clone()),
        image_pull_policy: Some(input.settings.image_pull_policy.clone()),
        command: command.command,
        args: command.args,
        env_from: Some(vec![core::EnvFromSource {
            secret_ref: Some(core::SecretEnvSource { name: env_secret_name(app, release.version), optional: None }),
            ..core::EnvFromSource::default()
        }]),
        ports: routed_port.map(|port| {
            vec![core::ContainerPort {
                name: Some(PORT_NAME.to_owned()),
                container_port: i32::from(port),
                protocol: Some("TCP".to_owned()),
                ..core::ContainerPort::default()
            }]
        }),
        resources: Some(resources(process)),
        readiness_probe: readiness,
        liveness_probe: process.liveness.as_ref().map(probe),
        lifecycle: lifecycle(input, running, process, routed_port.is_some()),
        security_context: Some(container_security(lowest_port)),
        // The end of the output says why a process ended, when it wrote no message of its own.
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        ..core::Container::default()
    }
}

/// What runs beside a process after its start and before its stop.
///
/// Before SIGTERM of a process that gets requests is a pause. Clusters before 1.30 have no action for it; there the
/// image's `sleep` is run, and an image without it is stopped at once, as it would be without the pause.
fn lifecycle(
    input: &Input<'_>,
    running: &Running<'_>,
    process: &ProcessSpec,
    takes_requests: bool,
) -> Option<core::Lifecycle> {
    let exec = |command: Vec<String>| core::LifecycleHandler {
        exec: Some(core::ExecAction { command: Some(command) }),
        ..core::LifecycleHandler::default()
    };
    let line = |line: &str| exec(hook_command(running.release.kind, start_program(running.image), line));
    let seconds = if takes_requests { DRAIN.min(process.grace / 2).as_secs() } else { 0 };
    let pre_stop = match &process.pre_stop {
        // A container has one handler: the pause goes before the user's own line.
        Some(own) if seconds > 0 => Some(line(&format!("sleep {seconds}\n{own}"))),
        Some(own) => Some(line(own)),
        None if seconds == 0 => None,
        None if input.capabilities.has_sleep_action => Some(core::LifecycleHandler {
            sleep: Some(core::SleepAction { seconds: i64::try_from(seconds).unwrap_or(i64::MAX) }),
            ..core::LifecycleHandler::default()
        }),
        None => Some(exec(vec!["sleep".to_owned(), seconds.to_string()])),
    };
    let post_start = process.post_start.as_deref().map(line);
    (pre_stop.is_some() || post_start.is_some()).then(|| core::Lifecycle {
        post_start,
        pre_stop,
        ..core::Lifecycle::default()
    })
}

fn resources(process: &ProcessSpec) -> core::ResourceRequirements {
    let mut resources = limits(process.memory, process.cpu);
    let has_cpu = [&resources.limits, &resources.requests].into_iter().flatten().any(|map| map.contains_key("cpu"));
    if process.autoscale.is_some() && !has_cpu {
        let request = Quantity(format!("{AUTOSCALE_CPU_MILLIS}m"));
        resources.requests.get_or_insert_default().insert("cpu".to_owned(), request);
    }
    resources
}

/// Requests and limits; a limit of 0 is none.
#[must_use]
pub fn limits(memory: Option<Limit>, cpu: Option<Limit>) -> core::ResourceRequirements {
    let mut limits = BTreeMap::new();
    let mut requests = BTreeMap::new();
    for (name, limit, unit) in [("memory", memory, ""), ("cpu", cpu, "m")] {
        let Some(limit) = limit else { continue };
        let quantity = |number: u64| Quantity(format!("{number}{unit}"));
        if limit.limit > 0 {
            limits.insert(name.to_owned(), quantity(limit.limit));
        }
        if let Some(request) = limit.request {
            // The API server refuses to set aside more than is ever given.
            let request = if limit.limit > 0 { request.min(limit.limit) } else { request };
            requests.insert(name.to_owned(), quantity(request));
        }
    }
    core::ResourceRequirements {
        limits: (!limits.is_empty()).then_some(limits),
        requests: (!requests.is_empty()).then_some(requests),
        ..core::ResourceRequirements::default()
    }
}
