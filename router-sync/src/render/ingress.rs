//! Ingresses (`networking.k8s.io/v1`).
//!
//! An Ingress says hosts, backends and certificates; all else is the annotations (nginx) or Middlewares (Traefik) of the
//! controller that serves the class. Hosts whose certificates cert-manager shall make stand in an Ingress of their own:
//! it takes every `tls` entry of an Ingress that names an issuer for its own, and would write over certificates that
//! users brought.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::{Map, Value, json};
use slipway_core::domain::is_of_platform;

use super::shared::{automatic_secret_name, issuer, nowhere, nowhere_name, object};
use super::{Kind, Rendered};
use crate::desired::{AllowList, DesiredPath, DesiredPort, DesiredRoute, shown};

/// How long nginx waits between two bytes of a WebSocket, in seconds: what the built-in router does.
const TUNNEL_IDLE_SECS: u32 = 3600;

/// Which controller serves the class, and so which annotations it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum IngressController {
    /// ingress-nginx, and those that read its annotations.
    Nginx,
    /// Traefik, version 3 or later.
    Traefik,
    /// Another: hosts, backends and certificates only.
    Other,
}

/// How Ingresses are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IngressSettings {
    /// The class; the cluster's default class without one.
    pub class: Option<String>,
    /// Who serves it.
    pub controller: IngressController,
    /// The platform's domain: names below it are covered by the controller's default certificate.
    pub domain: String,
    /// The cert-manager `ClusterIssuer` for other names without a certificate of their own, if any.
    pub cluster_issuer: Option<String>,
    /// The port on which clients reach TLS, for Traefik's redirects (nginx knows its own).
    pub https_port: u16,
    /// Whether the cluster knows Traefik's Middlewares.
    pub has_middlewares: bool,
    /// Whose objects these are.
    pub instance: String,
}

/// The objects of one route.
#[must_use]
pub fn render(route: &DesiredRoute, settings: &IngressSettings) -> Rendered {
    let mut rendered = Rendered::default();
    if route.hosts.is_empty() {
        return rendered;
    }
    let mut annotations = Map::new();
    let is_allowing = match settings.controller {
        IngressController::Nginx => nginx(route, &mut annotations),
        IngressController::Traefik => traefik(route, settings, &mut annotations, &mut rendered),
        IngressController::Other => other(route, &mut rendered),
    };
    let main = DesiredPort::main();
    let is_closed = route.is_in_maintenance || !is_allowing;
    let paths = if is_closed {
        rendered.objects.push(nowhere(route, &settings.instance));
        vec![path_to("/", "Prefix", &nowhere_name(route), &main)]
    } else {
        let mut paths = paths(route, settings, &mut annotations, &mut rendered);
        paths.push(path_to("/", "Prefix", route.app.as_str(), &main));
        paths
    };
    let paths_of = |host: &str| match route.ports.get(host) {
        Some(port) if !is_closed => vec![path_to("/", "Prefix", route.app.as_str(), port)],
        Some(_) | None => paths.clone(),
    };

    let issuer = issuer(route, settings.cluster_issuer.as_deref(), &mut rendered);
    let (automatic, plain): (Vec<&String>, Vec<&String>) =
        route.hosts.iter().partition(|host| issuer.is_some() && wants_certificate(route, host, settings));
    if !plain.is_empty() {
        let mut tls: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for host in &plain {
            if let Some(secret) = route.certificate_of(host) {
                tls.entry(secret).or_default().push(host);
            }
        }
        let tls = tls.into_iter().map(|(secret, hosts)| json!({"hosts": hosts, "secretName": secret})).collect();
        let spec = spec(settings, &plain, &paths_of, tls);
        let name = route.app.to_string();
        rendered.objects.push(object(Kind::Ingress, route, name, &settings.instance, annotations.clone(), &spec));
    }
    if let (false, Some(issuer)) = (automatic.is_empty(), issuer) {
        let tls =
            automatic.iter().map(|host| json!({"hosts": [host], "secretName": automatic_secret_name(host)})).collect();
        let spec = spec(settings, &automatic, &paths_of, tls);
        annotations.insert("cert-manager.io/cluster-issuer".to_owned(), json!(issuer));
        let name = format!("{}-auto", route.app);
        rendered.objects.push(object(Kind::Ingress, route, name, &settings.instance, annotations, &spec));
    }
    rendered
}

fn wants_certificate(route: &DesiredRoute, host: &str, settings: &IngressSettings) -> bool {
    route.certificate_of(host).is_none() && !is_of_platform(host, &settings.domain)
}

fn spec(
    settings: &IngressSettings,
    hosts: &[&String],
    paths_of: &dyn Fn(&str) -> Vec<Value>,
    tls: Vec<Value>,
) -> Value {
    let rules: Vec<Value> = hosts.iter().map(|host| json!({"host": host, "http": {"paths": paths_of(host)}})).collect();
    let mut spec = json!({"rules": rules});
    if let Some(class) = &settings.class {
        spec["ingressClassName"] = json!(class);
    }
    if !tls.is_empty() {
        spec["tls"] = Value::Array(tls);
    }
    spec
}

fn path_to(path: &str, path_type: &str, service: &str, port: &DesiredPort) -> Value {
    let backend = json!({"service": {"name": service, "port": {"name": port.name}}});
    json!({"path": path, "pathType": path_type, "backend": backend})
}

/// Paths that lead to other Services than the app's own, as far as the controller can be told; the longest first, as
/// they come.
fn paths(
    route: &DesiredRoute,
    settings: &IngressSettings,
    annotations: &mut Map<String, Value>,
    rendered: &mut Rendered,
) -> Vec<Value> {
    let as_path = |path: &DesiredPath| {
        let text = path.pattern.text();
        match settings.controller {
            // By its own words, the longer location counts, and letters count in either case.
            IngressController::Nginx => nginx_pattern(text).ok_or("nginx cannot be given such an expression"),
            // The beginning of the text, not of the parts between slashes, counts there for this type of path.
            IngressController::Traefik => path
                .pattern
                .literal()
                .map(str::to_owned)
                .ok_or("Traefik takes no expressions from an Ingress, only how paths begin"),
            IngressController::Other => Err("what this Ingress controller reads is not known"),
        }
    };
    let main = DesiredPort::main();
    let mut paths = Vec::new();
    for path in &route.paths {
        match as_path(path) {
            Ok(text) => paths.push(path_to(&text, "ImplementationSpecific", &path.service, &main)),
            Err(reason) => {
                let text = shown(path.pattern.text());
                rendered.problems.push(format!("Paths that begin with {text} go to {}: {reason}.", route.app));
            }
        }
    }
    if settings.controller == IngressController::Nginx && !paths.is_empty() {
        annotations.insert("nginx.ingress.kubernetes.io/use-regex".to_owned(), json!("true"));
    }
    paths
}

/// A pattern as a path for nginx; none if it could not be written into its configuration, or could keep it busy.
///
/// A path of an Ingress begins with a slash: here with one that is repeated no time at all. nginx looks without regard to
/// upper and lower case unless it is told otherwise.
fn nginx_pattern(text: &str) -> Option<String> {
    // nginx takes the configuration's own escapes out of quoted text before it reads the expression.
    let has_escape = ["\\\\", "\\t", "\\r", "\\n"].iter().any(|escape| text.contains(escape));
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"'`;#".contains(&byte));
    // It goes back and forth in an expression: a group that repeats may take it for ever.
    let repeats = [")*", ")+", "){"].iter().any(|repeat| text.contains(repeat));
    (is_plain && !has_escape && !repeats).then(|| format!("/{{0}}(?-i:{text})"))
}

/// Whether requests may reach the app at all.
fn nginx(route: &DesiredRoute, annotations: &mut Map<String, Value>) -> bool {
    let mut set = |key: &str, value: String| {
        annotations.insert(format!("nginx.ingress.kubernetes.io/{key}"), Value::String(value));
    };
    // On by default as soon as there is a certificate, so it is always said.
    set("ssl-redirect", route.is_https_enforced.to_string());
    // Also where the certificate is the controller's own, for the platform's domain.
    set("force-ssl-redirect", route.is_https_enforced.to_string());
    set("proxy-read-timeout", TUNNEL_IDLE_SECS.to_string());
    set("proxy-send-timeout", TUNNEL_IDLE_SECS.to_string());
    // No limit, as everywhere else in the platform: an app sets its own.
    set("proxy-body-size", "0".to_owned());
    match &route.allow_list {
        AllowList::Everyone => true,
        AllowList::Networks(networks) if networks.is_empty() => false,
        AllowList::Networks(networks) => {
            set("whitelist-source-range", networks_text(networks).join(","));
            true
        }
    }
}

fn traefik(
    route: &DesiredRoute,
    settings: &IngressSettings,
    annotations: &mut Map<String, Value>,
    rendered: &mut Rendered,
) -> bool {
    let mut names = Vec::new();
    let mut is_allowing = true;
    let mut middleware = |suffix: &str, spec: Value, names: &mut Vec<String>| {
        let name = format!("{}-{suffix}", route.app);
        names.push(format!("{}-{name}@kubernetescrd", route.namespace));
        rendered.objects.push(object(Kind::Middleware, route, name, &settings.instance, Map::new(), &spec));
    };
    match &route.allow_list {
        AllowList::Everyone => {}
        AllowList::Networks(networks) if networks.is_empty() || !settings.has_middlewares => is_allowing = false,
        AllowList::Networks(networks) => {
            // First, so that who is not allowed is not redirected either.
            let spec = json!({"ipAllowList": {"sourceRange": networks_text(networks)}});
            middleware("allow-list", spec, &mut names);
        }
    }
    if route.is_https_enforced && settings.has_middlewares {
        let mut redirect = json!({"scheme": "https", "permanent": true});
        if settings.https_port != 443 {
            redirect["port"] = json!(settings.https_port.to_string());
        }
        middleware("https", json!({"redirectScheme": redirect}), &mut names);
    }
    if !settings.has_middlewares {
        let lacks = "the cluster lacks Traefik's Middlewares (traefik.io/v1alpha1)";
        if !is_allowing {
            rendered.problems.push(format!("The allow list cannot be enforced, so nobody gets in: {lacks}."));
        }
        if route.is_https_enforced {
            rendered.problems.push(format!("HTTPS cannot be enforced: {lacks}."));
        }
    }
    if !names.is_empty() {
        annotations.insert("traefik.ingress.kubernetes.io/router.middlewares".to_owned(), json!(names.join(",")));
    }
    is_allowing
}

fn other(route: &DesiredRoute, rendered: &mut Rendered) -> bool {
    let unknown = "what this Ingress controller reads is not known (SLIPWAY_INGRESS_CONTROLLER)";
    if route.is_https_enforced {
        rendered.problems.push(format!("HTTPS cannot be enforced: {unknown}."));
    }
    if route.allow_list == AllowList::Everyone {
        return true;
    }
    rendered.problems.push(format!("The allow list cannot be enforced, so nobody gets in: {unknown}."));
    false
}

pub(super) fn networks_text(networks: &[(IpAddr, u8)]) -> Vec<String> {
    networks.iter().map(|(ip, prefix)| format!("{ip}/{prefix}")).collect()
}

#[cfg(test)]
#[path = "ingress/tests.rs"]
mod tests;
