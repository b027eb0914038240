//! Who may talk to an app's processes.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicySpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use slipway_core::AppName;

use super::{Object, RenderError};
use crate::index::Kind;
use crate::labels::LABEL_HERITAGE;
use crate::settings::{ClusterSettings, HERITAGE};

/// Label that Kubernetes puts on every namespace (since 1.21), and the chart on its own.
const LABEL_NAMESPACE: &str = "kubernetes.io/metadata.name";
/// Label with the value `true` by which an operator lets another namespace in, an ingress controller's for instance.
pub const LABEL_ROUTER: &str = "router.slipway.io/allow";

/// Lets in the app itself, the platform's namespace, and namespaces with [`LABEL_ROUTER`]; keeps every other app out.
/// What goes out is not restricted.
pub(super) fn network_policy(name: &AppName, settings: &ClusterSettings) -> Result<Object, RenderError> {
    let labels = |key: &str, value: &str| LabelSelector {
        match_labels: Some(BTreeMap::from([(key.to_owned(), value.to_owned())])),
        ..LabelSelector::default()
    };
    let namespace = |key: &str, value: &str| NetworkPolicyPeer {
        namespace_selector: Some(labels(key, value)),
        ..NetworkPolicyPeer::default()
    };
    let own = NetworkPolicyPeer { pod_selector: Some(LabelSelector::default()), ..NetworkPolicyPeer::default() };
    let from = vec![own, namespace(LABEL_NAMESPACE, &settings.namespace), namespace(LABEL_ROUTER, "true")];
    let policy = NetworkPolicy {
        metadata: super::metadata(name, name.to_string()),
        spec: Some(NetworkPolicySpec {
            // Only our own pods: others in this namespace are not ours to cut off.
            pod_selector: Some(labels(LABEL_HERITAGE, HERITAGE)),
            policy_types: Some(vec!["Ingress".to_owned()]),
            ingress: Some(vec![NetworkPolicyIngressRule { from: Some(from), ports: None }]),
            egress: None,
        }),
    };
    Object::new(Kind::NetworkPolicy, &policy)
}
