//! What a one-off process runs as. Source: `drycc-v2.md` §4.12.

use k8s_openapi::api::core::v1 as core;
use slipway_core::ProcessType;
use slipway_engine::RunSpec;

use super::command::{line_command, start_program};
use super::deployment::{container_security, limits, pod_security};
use super::volume;
use crate::image::ImageFacts;
use crate::labels::{PULL_SECRET, container_name};
use crate::settings::ClusterSettings;

/// The pod of a one-off process, but for its environment. It has no probes and is never routed.
#[must_use]
pub fn oneoff_pod(spec: &RunSpec, image: &ImageFacts, settings: &ClusterSettings) -> core::PodSpec {
    let command = line_command(spec.kind, start_program(image), &spec.command);
    let pull = core::LocalObjectReference { name: PULL_SECRET.to_owned() };
    let mut pod = core::PodSpec {
        containers: vec![core::Container {
            name: container_name(&spec.name, &ProcessType::run()),
            image: Some(image.reference.clone()),
            image_pull_policy: Some(settings.image_pull_policy.clone()),
            command: command.command,
            args: command.args,
            resources: Some(limits(spec.memory, spec.cpu)),
            security_context: Some(container_security(None)),
            ..core::Container::default()
        }],
        node_selector: (!spec.placement.is_empty()).then(|| spec.placement.clone()),
        service_account_name: Some(spec.name.to_string()),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        image_pull_secrets: spec.registry.is_some().then(|| vec![pull]),
        security_context: Some(pod_security(image.is_non_root)),
        ..core::PodSpec::default()
    };
    volume::mount(&mut pod, &spec.name, &spec.mounts, settings);
    pod
}
