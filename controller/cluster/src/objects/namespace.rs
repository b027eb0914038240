//! The namespace of an app.

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use slipway_engine::AppSpec;

use super::{Object, RenderError};
use crate::index::Kind;
use crate::labels::namespace_labels;
use crate::settings::ClusterSettings;

/// The namespace of an app, named like it.
pub(super) fn namespace(spec: &AppSpec, settings: &ClusterSettings) -> Result<Object, RenderError> {
    let metadata = ObjectMeta {
        name: Some(spec.name.to_string()),
        labels: Some(namespace_labels(spec.app, &spec.name, &settings.namespace)),
        ..ObjectMeta::default()
    };
    Object::new(Kind::Namespace, &Namespace { metadata, ..Namespace::default() })
}
