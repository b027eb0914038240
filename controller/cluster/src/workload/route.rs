//! The way from outside to a container. Source: `team-api.md` §7.6.

use serde_json::{Map, Value, json};
use slipway_engine::workload::WorkloadSpec;
use slipway_team::container::Expose;

use super::objects::{Unfit, WorkloadSettings, pairs};

/// Before the names of what the nginx controller reads.
const NGINX: &str = "nginx.ingress.kubernetes.io";
/// What a proxy in front may send on.
const PROXY_HEADERS: [&str; 5] =
    ["X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Server", "X-Real-IP", "X-Requested-With"];

/// The Ingress, but for its name and its labels of ours; none for a container that is not exposed.
pub(super) fn ingress(spec: &WorkloadSpec, settings: &WorkloadSettings) -> Result<Option<Value>, Unfit> {
    let config = &spec.config;
    if config.expose == Expose::None {
        return Ok(None);
    }
    let name = spec.name();
    let routing = config.routing.clone().unwrap_or_default();
    let host = host(spec, settings, routing.domain.as_deref())?;
    let Some(port) = config.ports.iter().flatten().next() else {
        return Err(Unfit(format!("{name} is exposed and has no port")));
    };
    let service_port = if config.use_load_balancer { port.external.unwrap_or(port.internal) } else { port.internal };
    let given = routing.path.as_deref().filter(|path| !path.is_empty()).unwrap_or("/");
    let mut annotations = Map::new();
    let mut set = |name: &str, value: String| annotations.insert(format!("{NGINX}/{name}"), json!(value));
    let path = if routing.strip_path == Some(true) {
        set("rewrite-target", "/$1".to_owned());
        set("use-regex", "true".to_owned());
        format!("{}/?(.*)", given.trim_end_matches('/'))
    } else {
        given.to_owned()
    };
    if let Some(limit) = routing.upload_limit.filter(|limit| !limit.is_empty()) {
        set("proxy-body-size", limit);
    }
    let custom: Vec<&str> = config.custom_headers.iter().flatten().map(|header| header.key.as_str()).collect();
    if config.proxy_headers || !custom.is_empty() {
        set("enable-cors", "true".to_owned());
    }
    let mut headers = custom;
    if config.proxy_headers {
        set("proxy-buffering", "on".to_owned());
        set("proxy-buffer-size", "256k".to_owned());
        headers.extend(PROXY_HEADERS);
    }
    if !headers.is_empty() {
        set("cors-allow-headers", headers.join(", "));
    }
    let backend = json!({"service": {"name": name, "port": {"number": service_port}}});
    let paths = json!([{"path": path, "pathType": "ImplementationSpecific", "backend": backend}]);
    let mut body = json!({
        "spec": {
            "ingressClassName": settings.ingress_class,
            "rules": [{"host": host, "http": {"paths": paths}}],
        },
    });
    if config.expose == Expose::Https {
        annotations.insert("kubernetes.io/tls-acme".to_owned(), json!("true"));
        annotations.insert("cert-manager.io/cluster-issuer".to_owned(), json!(settings.cluster_issuer));
        body["spec"]["tls"] = json!([{"hosts": [host], "secretName": format!("{name}-tls")}]);
    }
    // What the user says goes before what we say.
    for (key, value) in pairs(config.annotations.ingress.as_deref()) {
        annotations.insert(key.to_owned(), json!(value));
    }
    body["metadata"] = json!({"annotations": annotations, "labels": pairs(config.labels.ingress.as_deref())});
    Ok(Some(body))
}

/// A domain with a dot is the host, one without is a suffix, and none is the node's own.
fn host(spec: &WorkloadSpec, settings: &WorkloadSettings, domain: Option<&str>) -> Result<String, Unfit> {
    let suffix = match domain.filter(|domain| !domain.is_empty()) {
        Some(domain) if domain.contains('.') => return Ok(domain.to_owned()),
        Some(domain) => domain,
        None => settings
            .root_domain
            .as_deref()
            .ok_or_else(|| Unfit(format!("{} is exposed, and neither it nor the node has a domain", spec.name())))?,
    };
    Ok(format!("{}.{}.{suffix}", spec.name(), spec.prefix))
}
