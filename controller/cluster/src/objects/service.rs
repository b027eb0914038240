//! The Service that leads to an app, with its route. The contract is in [`crate::route`].

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use slipway_engine::AppSpec;

use super::{Object, RenderError, routed_type};
use crate::index::Kind;
use crate::labels::process_selector;
use crate::route::{ANNOTATION_GENERATION, PORT, PORT_NAME, route_annotations, route_labels};

/// The Service of an app. It leads to the port named `http` of each pod, whatever its number: a release with another
/// port comes up beside the old one without a moment in which requests go to the wrong one.
pub(super) fn service(spec: &AppSpec) -> Result<Object, RenderError> {
    let mut metadata = super::metadata(&spec.name, spec.name.to_string());
    metadata.labels.get_or_insert_default().extend(route_labels(&spec.route));
    metadata.annotations = Some(route_annotations(&spec.route));
    let service = Service {
        metadata,
        spec: Some(ServiceSpec {
            type_: Some("ClusterIP".to_owned()),
            selector: Some(process_selector(&spec.name, &routed_type(spec))),
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
    };
    Ok(Object::new(Kind::Service, &service)?.annotated(ANNOTATION_GENERATION, &spec.generation.to_string()))
}
