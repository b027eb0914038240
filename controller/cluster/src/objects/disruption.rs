//! How many processes of a type may be away at once while nodes are emptied.

use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::json;
use slipway_engine::ProcessSpec;

use super::{Input, Object, RenderError, replicas_min, volume};
use crate::index::Kind;
use crate::labels::{process_labels, process_name, process_selector};

/// One at a time, for types with more than one process. A single process must not keep a node from being emptied.
pub(super) fn disruption(input: &Input<'_>, process: &ProcessSpec) -> Result<Option<Object>, RenderError> {
    let Some(api_version) = input.capabilities.disruption_api_version() else { return Ok(None) };
    // Processes that one node must have all of can only leave it together.
    let is_on_one_node = !process.mounts.is_empty() && volume::is_on_one_node(input.settings);
    if replicas_min(process) < 2 || is_on_one_node {
        return Ok(None);
    }
    let app = &input.spec.name;
    let mut metadata = super::metadata(app, process_name(app, &process.process_type));
    metadata.labels = Some(process_labels(app, &process.process_type));
    let budget = PodDisruptionBudget {
        metadata,
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(LabelSelector {
                match_labels: Some(process_selector(app, &process.process_type)),
                ..LabelSelector::default()
            }),
            ..PodDisruptionBudgetSpec::default()
        }),
        ..PodDisruptionBudget::default()
    };
    let mut body = serde_json::to_value(&budget).map_err(|source| RenderError::Json { source })?;
    body["apiVersion"] = json!(api_version);
    Ok(Some(Object::of(Kind::PodDisruptionBudget, body)))
}
