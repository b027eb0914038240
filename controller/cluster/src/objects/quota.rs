//! What an app may use of the cluster. Source: `drycc-v2.md` §4.1.

use serde_json::{Value, json};
use slipway_core::AppName;

use super::Object;
use crate::index::Kind;
use crate::labels::app_labels;
use crate::settings::ClusterSettings;

/// The `ResourceQuota` that the operator wrote, if any.
pub(super) fn quota(name: &AppName, settings: &ClusterSettings) -> Option<Object> {
    let spec = settings.quota.as_ref()?;
    Some(object(Kind::ResourceQuota, "ResourceQuota", name, &format!("{name}-quota"), spec))
}

/// The `LimitRange` that the operator wrote, if any.
pub(super) fn limit_range(name: &AppName, settings: &ClusterSettings) -> Option<Object> {
    let spec = settings.limit_ranges.as_ref()?;
    Some(object(Kind::LimitRange, "LimitRange", name, name.as_str(), spec))
}

fn object(kind: Kind, kind_name: &str, app: &AppName, name: &str, spec: &Value) -> Object {
    let body = json!({
        "apiVersion": "v1",
        "kind": kind_name,
        "metadata": {"name": name, "namespace": app.as_str(), "labels": app_labels(app)},
        "spec": spec,
    });
    Object::of(kind, body)
}
