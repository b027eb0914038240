//! The Service that leads to an app, with its route, and those of process types that paths lead to. The contract is in
//! [`crate::route`].

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use slipway_core::ProcessType;
use slipway_engine::AppSpec;

use super::{Object, RenderError, routed_type};
use crate::index::Kind;
use crate::labels::{path_service_name, process_labels, process_selector};
use crate::route::{
    ANNOTATION_GENERATION, ANNOTATION_PATHS, PORT, PORT_NAME, PathEntry, route_annotations, route_labels,
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
    let service = leading(metadata, process_selector(&spec.name, &routed_type(spec)));
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
        let service = leading(metadata, process_selector(&spec.name, &rule.process_type));
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

fn leading(metadata: ObjectMeta, selector: BTreeMap<String, String>) -> Service {
    Service {
        metadata,
        spec: Some(ServiceSpec {
            type_: Some("ClusterIP".to_owned()),
            selector: Some(selector),
            ports: Some(vec![ServicePort {
                name: Some(PORT_NAME.to_owned()),
                port: i32::from(PORT),
                target_port: Some(IntOrString::String(PORT_NAME.to_owned())),
                protocol: Some("TCP".to_owned()),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}
