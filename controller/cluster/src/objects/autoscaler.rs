//! Scaling by load. Source: `drycc-v2.md` §4.8.

use k8s_openapi::api::autoscaling::v2::{
    CrossVersionObjectReference, HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec, MetricSpec, MetricTarget,
    ResourceMetricSource,
};
use serde_json::json;
use slipway_engine::ProcessSpec;

use super::{Input, Object, RenderError};
use crate::index::Kind;
use crate::labels::{process_labels, process_name};

/// The autoscaler of a process type, when it has one and the cluster can.
pub(super) fn autoscaler(input: &Input<'_>, process: &ProcessSpec) -> Result<Option<Object>, RenderError> {
    let Some(autoscale) = process.autoscale else { return Ok(None) };
    let Some(api_version) = input.capabilities.autoscaler_api_version() else {
        return Err(RenderError::Refused("the cluster cannot scale by itself".to_owned()));
    };
    let app = &input.spec.name;
    let name = process_name(app, &process.process_type);
    let mut metadata = super::metadata(app, name.clone());
    metadata.labels = Some(process_labels(app, &process.process_type));
    let count = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    let scaler = HorizontalPodAutoscaler {
        metadata,
        spec: Some(HorizontalPodAutoscalerSpec {
            min_replicas: Some(count(autoscale.min.max(1))),
            max_replicas: count(autoscale.max.max(autoscale.min).max(1)),
            scale_target_ref: CrossVersionObjectReference {
                api_version: Some("apps/v1".to_owned()),
                kind: "Deployment".to_owned(),
                name,
            },
            metrics: Some(vec![MetricSpec {
                type_: "Resource".to_owned(),
                resource: Some(ResourceMetricSource {
                    name: "cpu".to_owned(),
                    target: MetricTarget {
                        type_: "Utilization".to_owned(),
                        average_utilization: Some(count(autoscale.cpu_percent)),
                        ..MetricTarget::default()
                    },
                }),
                ..MetricSpec::default()
            }]),
            ..HorizontalPodAutoscalerSpec::default()
        }),
        ..HorizontalPodAutoscaler::default()
    };
    let mut body = serde_json::to_value(&scaler).map_err(|source| RenderError::Json { source })?;
    // The older version has the same fields.
    body["apiVersion"] = json!(api_version);
    Ok(Some(Object::of(Kind::HorizontalPodAutoscaler, body)))
}
