//! The Service that leads to an app, with its route, and those of process types that paths lead to. The contract is in
//! [`crate::route`].

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use slipway_core::ProcessType;
use slipway_engine::AppSpec;

use super::{Object, RenderError, routed_type};
use crate::index::Kind;
use crate::labels::{path_service_name, process_labels, process_selector};
use crate::route::{
    ANNOTATION_GENERATION, ANNOTATION_PATHS, PORT, PORT_NAME, PathEntry, port_name, route_annotations, route_labels,
};

/// The Service of an app. It leads to the port named `http` of each pod, whatever its number: a release with another
/// port comes up beside the old one without a moment in which requests go to the wrong one.
pub(super) fn service(spec: &AppSpec) -> Result<Object, RenderError> {
    let mut metadata = super::metadata(&spec.name, spec.name.to_string());
    metadata.labels.get_or_insert_default().extend(route_labels(&spec.route));
    let mut annotations = route_annotations(&spec.route);
    let paths = path_entries(spec);
    if !paths.is_empty() {
        let paths = serde_json::to_string(&paths).map_err(|source| RenderError::Json { source })?;
        annotations.insert(ANNOTATION_PATHS.to_owned(), paths);
    }
    metadata.annotations = Some(annotations);
    let service = leading(metadata, process_selector(&spec.name, &routed_type(spec)), other_ports(spec));
    Ok(Object::new(Kind::Service, &service)?.annotated(ANNOTATION_GENERATION, &spec.generation.to_string()))
}

/// A Service for each process type that paths lead to, but for the one that the app's own leads to. Written before that
/// one, which names them. Source: `drycc-v2.md` §4.5.
pub(super) fn path_services(spec: &AppSpec) -> Result<Vec<Object>, RenderError> {
    let routed = routed_type(spec);
    let mut services: BTreeMap<String, Object> = BTreeMap::new();
    for rule in &spec.route.paths {
        let name = path_service_name(&spec.name, &rule.process_type);
        if rule.process_type == routed || services.contains_key(&name) {
            continue;
        }
        let mut metadata = super::metadata(&spec.name, name.clone());
        metadata.labels = Some(process_labels(&spec.name, &rule.process_type));
        let service = leading(metadata, process_selector(&spec.name, &rule.process_type), Vec::new());
        services.insert(name, Object::new(Kind::Service, &service)?);
    }
    Ok(services.into_values().collect())
}

fn path_entries(spec: &AppSpec) -> Vec<PathEntry> {
    let routed = routed_type(spec);
    let service = |process_type: &ProcessType| match process_type {
        own if *own == routed => spec.name.to_string(),
        other => path_service_name(&spec.name, other),
    };
    let entry = |rule: &slipway_engine::spec::PathRule| PathEntry {
        pattern: rule.pattern.text().to_owned(),
        service: service(&rule.process_type),
    };
    spec.route.paths.iter().map(entry).collect()
}

/// The ports of hosts that lead to another one than the container port named `http`: by number, since no container port
/// needs to be declared.
fn other_ports(spec: &AppSpec) -> Vec<ServicePort> {
    let route = &spec.route;
    let wanted = route.ports.iter().filter(|(host, _)| route.hosts.contains(host)).map(|(_, port)| *port);
    let wanted: BTreeSet<u16> = wanted.collect();
    let number = |port: u16| match port {
        // The Service's own port has it.
        PORT => (8080..=u16::MAX).find(|free| !wanted.contains(free)).unwrap_or(port),
        other => other,
    };
    let leading = |port: &u16| service_port(port_name(*port), number(*port), IntOrString::Int(i32::from(*port)));
    wanted.iter().map(leading).collect()
}

fn service_port(name: String, number: u16, target: IntOrString) -> ServicePort {
    ServicePort {
        name: Some(name),
        port: i32::from(number),
        target_port: Some(target),
        protocol: Some("TCP".to_owned()),
        ..ServicePort::default()
    }
}

fn leading(metadata: ObjectMeta, selector: BTreeMap<String, String>, other_ports: Vec<ServicePort>) -> Service {
    let main = service_port(PORT_NAME.to_owned(), PORT, IntOrString::String(PORT_NAME.to_owned()));
    Service {
        metadata,
        spec: Some(ServiceSpec {
            type_: Some("ClusterIP".to_owned()),
            selector: Some(selector),
            ports: Some(std::iter::once(main).chain(other_ports).collect()),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}
