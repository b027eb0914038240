//! What the objects of all targets have in common.

use openssl::sha::sha256;
use serde_json::{Map, Value, json};
use slipway_engine::route_annotation::{PORT, PORT_NAME};

use super::{ANNOTATION_HASH, FIELD_MANAGER, Kind, LABEL_INSTANCE, LABEL_MANAGED_BY, Object, Rendered};
use crate::desired::DesiredRoute;

/// Name of the Service without endpoints.
const NOWHERE: &str = "slipway-nowhere";

/// Longest name of an object.
const NAME_MAX: usize = 253;

/// The name of the Service without endpoints in the namespace of `route`: never that of a Service of the app's.
pub(super) fn nowhere_name(route: &DesiredRoute) -> String {
    let is_free = |name: &String| route.app.as_str() != name && route.path_services().all(|other| other != name);
    let others = (2_u32..).map(|number| format!("{NOWHERE}-{number}"));
    std::iter::once(NOWHERE.to_owned()).chain(others).find(is_free).unwrap_or_default()
}

/// A Service without endpoints: every proxy answers 503 for it.
pub(super) fn nowhere(route: &DesiredRoute, instance: &str) -> Object {
    // No selector, so that nothing ever stands behind it.
    let spec = json!({
        "type": "ClusterIP",
        "ports": [{"name": PORT_NAME, "port": PORT, "protocol": "TCP", "targetPort": PORT}],
    });
    object(Kind::Service, route, nowhere_name(route), instance, Map::new(), &spec)
}

/// An object that belongs to `route` and goes with its Service.
pub(super) fn object(
    kind: Kind,
    route: &DesiredRoute,
    name: String,
    instance: &str,
    mut annotations: Map<String, Value>,
    spec: &Value,
) -> Object {
    let labels = json!({
        "app": route.app.as_str(),
        LABEL_MANAGED_BY: FIELD_MANAGER,
        LABEL_INSTANCE: instance,
    });
    let owners = json!([{
        "apiVersion": "v1",
        "kind": "Service",
        "name": route.app.as_str(),
        "uid": route.service_uid,
        "controller": true,
    }]);
    let mut body = json!({
        "apiVersion": kind.api_version(),
        "kind": kind.name(),
        "metadata": {
            "name": name,
            "namespace": route.namespace,
            "labels": labels,
            "ownerReferences": owners,
            "annotations": annotations,
        },
        "spec": spec,
    });
    // Built in one way, so that the same object always has the same text.
    let hash = hex::encode(&sha256(body.to_string().as_bytes())[..16]);
    annotations.insert(ANNOTATION_HASH.to_owned(), Value::String(hash));
    body["metadata"]["annotations"] = Value::Object(annotations);
    Object { kind, namespace: route.namespace.clone(), name, body }
}

/// The issuer of certificates for hosts that have none: the operator's, unless the app wants none by themselves.
pub(super) fn issuer<'a>(
    route: &DesiredRoute,
    cluster_issuer: Option<&'a str>,
    rendered: &mut Rendered,
) -> Option<&'a str> {
    if route.automatic_certificates == Some(true) && cluster_issuer.is_none() {
        let lacks = "there is no issuer (SLIPWAY_CLUSTER_ISSUER)";
        rendered.problems.push(format!("The app wants automatic certificates, but {lacks}."));
    }
    cluster_issuer.filter(|_| route.automatic_certificates != Some(false))
}

/// Name of the Secret that cert-manager puts the certificate for `host` into. One for each host, so that a name which
/// fails its challenge does not keep the others from being renewed.
pub(super) fn automatic_secret_name(host: &str) -> String {
    let plain = host.replace('*', "wildcard");
    let name = format!("{plain}-auto-tls");
    if name.len() <= NAME_MAX {
        return name;
    }
    let digest = hex::encode(&sha256(host.as_bytes())[..8]);
    let end = NAME_MAX - digest.len() - "--auto-tls".len();
    format!("{}-{digest}-auto-tls", plain[..end].trim_end_matches(['-', '.']))
}

#[cfg(test)]
pub(super) mod tests_support {
    use std::fmt::Write as _;

    use kube::api::DynamicObject;
    use slipway_core::AppName;

    use slipway_engine::path::PathPattern;

    use crate::desired::{AllowList, DesiredPath, DesiredPort, DesiredRoute};
    use crate::plan::{Action, plan};
    use crate::render::Rendered;

    /// Paths, each with the Service that it leads to.
    pub(in crate::render) fn paths(paths: &[(&str, &str)]) -> Vec<DesiredPath> {
        let path = |(pattern, service): &(&str, &str)| DesiredPath {
            pattern: PathPattern::new(pattern).unwrap(),
            service: (*service).to_owned(),
        };
        paths.iter().map(path).collect()
    }

    /// An app `blog` of whose hosts two lead to a port of their own each.
    pub(in crate::render) fn route_with_ports() -> DesiredRoute {
        let port = |name: &str, number| DesiredPort { name: name.to_owned(), number };
        DesiredRoute {
            hosts: ["admin.example.com", "blog.apps.test", "low.example.com"].map(str::to_owned).into(),
            paths: paths(&[("/jobs", "blog-worker")]),
            ports: [("admin.example.com", port("port-9090", 9090)), ("low.example.com", port("port-80", 8080))]
                .map(|(host, port)| (host.to_owned(), port))
                .into(),
            ..route()
        }
    }

    /// An app `blog` at the platform's domain.
    pub(in crate::render) fn route() -> DesiredRoute {
        DesiredRoute {
            app: AppName::new("blog").unwrap(),
            namespace: "blog".to_owned(),
            service_uid: "5c0f2b9e-0000-4000-8000-000000000001".to_owned(),
            created_nanos: 0,
            cluster_ip: None,
            hosts: vec!["blog.apps.test".to_owned()],
            certificates: std::collections::BTreeMap::new(),
            automatic_certificates: None,
            is_https_enforced: false,
            is_in_maintenance: false,
            allow_list: AllowList::Everyone,
            paths: Vec::new(),
            ports: std::collections::BTreeMap::new(),
        }
    }

    /// What is written when the objects of one rendering are there and those of another should be.
    pub(in crate::render) fn writes(there: &Rendered, wanted: &Rendered) -> Vec<String> {
        let present: Vec<_> = there
            .objects
            .iter()
            .map(|object| (object.kind, serde_json::from_value::<DynamicObject>(object.body.clone()).unwrap()))
            .collect();
        let actions = plan(&wanted.objects, present.iter().map(|(kind, object)| (*kind, object)));
        let told = |action: &Action| {
            let verb = match action {
                Action::Create(_) => "create",
                Action::Update(_) => "update",
                Action::Delete { .. } => "delete",
            };
            let (kind, _, name) = action.key();
            format!("{verb} {} {name}", kind.name())
        };
        actions.iter().map(told).collect()
    }

    /// The objects as a stream of documents, which `tests/support/kubernetes-validate` reads too, then the problems.
    pub(in crate::render) fn documents(rendered: &Rendered) -> String {
        let mut text = String::new();
        for object in &rendered.objects {
            assert_eq!(object.body["metadata"]["name"], object.name);
            assert_eq!(object.body["metadata"]["namespace"], object.namespace);
            let _ = writeln!(text, "---\n{}", serde_json::to_string_pretty(&object.body).unwrap());
        }
        for problem in &rendered.problems {
            let _ = writeln!(text, "# {problem}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_automatic_certificates_have_names_that_objects_may_have() {
        assert_eq!(automatic_secret_name("www.example.com"), "www.example.com-auto-tls");
        assert_eq!(automatic_secret_name("*.example.com"), "wildcard.example.com-auto-tls");
        let long = |end: &str| format!("{}.{end}", vec!["a".repeat(60); 4].join("."));
        let (one, other) = (automatic_secret_name(&long("test")), automatic_secret_name(&long("tess")));
        assert!(one.len() <= NAME_MAX && one != other, "{one}");
    }
}
