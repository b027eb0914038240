//! The Gateway API: HTTPRoutes, and ListenerSets for certificates.
//!
//! The operator brings a Gateway with a listener for plain HTTP and, for the names below the platform's domain, one for
//! HTTPS with a wildcard certificate. A certificate of an app's own needs a listener of its own. Those do not go into the
//! Gateway: it holds 64 at most, every app's change would be a write to the one object that all traffic depends on, and
//! it may name Secrets of other namespaces only by a ReferenceGrant in each. They go into a ListenerSet beside the app,
//! which the Gateway takes with `allowedListeners`, which names Secrets of its own namespace, and which goes with the
//! app. ListenerSet is in Gateway API 1.5 and later; without it, such names are not served by HTTPS, and that is told.
//!
//! The Gateway API has no allow list. Envoy Gateway's SecurityPolicy and Traefik's Middleware are written where the
//! operator names the implementation; elsewhere an app with an allow list is closed.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use slipway_core::domain::is_of_platform;

use super::ingress::networks_text;
use super::shared::{automatic_secret_name, issuer, nowhere, nowhere_name, object};
use super::{Kind, Rendered};
use crate::desired::{AllowList, DesiredPort, DesiredRoute, shown};

/// Most host names of one `HTTPRoute`. Source: `maxItems` of its schema.
const HOSTS_PER_ROUTE: usize = 16;
/// Most listeners of one `ListenerSet`. Source: `maxItems` of its schema.
const LISTENERS_PER_SET: usize = 64;

/// Most rules of one `HTTPRoute`, the one for all other paths included. Source: `maxItems` of its schema.
const RULES_PER_ROUTE: usize = 16;
/// Most matches of one rule. Source: `maxItems` of its schema.
const MATCHES_PER_RULE: usize = 64;
/// Most matches of one `HTTPRoute`, all rules together. Source: a validation of its schema.
const MATCHES_PER_ROUTE: usize = 128;
/// Longest path of a match. Source: `maxLength` of its schema.
const PATH_MAX: usize = 1024;

const GROUP: &str = "gateway.networking.k8s.io";

/// Whose extensions can be used for what the Gateway API lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum GatewayImplementation {
    /// Envoy Gateway: `SecurityPolicy`.
    Envoy,
    /// Traefik: `Middleware`.
    Traefik,
}

/// How routes are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewaySettings {
    /// Namespace of the Gateway.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its listener for plain HTTP.
    pub http_listener: String,
    /// Its listener for HTTPS of names below the platform's domain, if there is one.
    pub https_listener: Option<String>,
    /// Port of listeners for certificates of apps' own.
    pub https_listener_port: u16,
    /// The port on which clients reach HTTPS, for redirects.
    pub https_port: u16,
    /// The platform's domain.
    pub domain: String,
    /// The cert-manager `ClusterIssuer` for other names without a certificate of their own, if any.
    pub cluster_issuer: Option<String>,
    /// Whose extensions can be used.
    pub implementation: Option<GatewayImplementation>,
    /// Whether the cluster knows `ListenerSet`.
    pub has_listener_sets: bool,
    /// Whether the cluster knows what [`Self::implementation`] brings.
    pub has_extension: bool,
    /// Whose objects these are.
    pub instance: String,
}

/// Who serves a host by HTTPS.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Secure {
    /// The Gateway's own listener.
    Gateway,
    /// A listener of a ListenerSet.
    Set(String),
    Nobody,
}

/// The objects of one route.
#[must_use]
pub fn render(route: &DesiredRoute, settings: &GatewaySettings) -> Rendered {
    let mut rendered = Rendered::default();
    if route.hosts.is_empty() {
        return rendered;
    }
    let secures = secures(route, settings, &mut rendered);
    let (filters, is_allowing) = allow_list(route, settings, &mut rendered);
    let main = DesiredPort::main();
    let is_closed = route.is_in_maintenance || !is_allowing;
    let rules = if is_closed {
        rendered.objects.push(nowhere(route, &settings.instance));
        vec![rule_to(&nowhere_name(route), &main, &[prefix_all()], &filters)]
    } else {
        let mut rules = path_rules(route, &filters, &mut rendered);
        rules.push(rule_to(route.app.as_str(), &main, &[prefix_all()], &filters));
        rules
    };
    let groups = route.hosts_by_port();
    let chunks = groups.iter().flat_map(|(port, hosts)| {
        // An HTTPRoute has the same rules for all of its hosts.
        let base = if *port == main { route.app.to_string() } else { format!("{}-{}", route.app, port.name) };
        let chunks = hosts.chunks(HOSTS_PER_ROUTE).enumerate();
        chunks.map(move |(index, hosts)| (base.clone(), port, index, hosts))
    });
    let mut names = Vec::new();
    for (base, port, index, hosts) in chunks {
        let rules = if is_closed || *port == main {
            rules.clone()
        } else {
            vec![rule_to(route.app.as_str(), port, &[prefix_all()], &filters)]
        };
        let secure: Vec<&Secure> = hosts.iter().filter_map(|host| secures.get(host.as_str())).collect();
        let mut https = https_parents(&secure, settings);
        let mut write = |name: String, parents: Vec<Value>, rules: Vec<Value>| {
            let spec = json!({"parentRefs": parents, "hostnames": hosts, "rules": rules});
            names.push(name.clone());
            rendered.objects.push(object(Kind::HttpRoute, route, name, &settings.instance, Map::new(), &spec));
        };
        let http = parent("Gateway", &settings.name, &settings.namespace, Some(&settings.http_listener));
        if route.is_https_enforced {
            let mut redirects = filters.clone();
            redirects.push(redirect(settings));
            let rule = json!({"matches": [prefix_all()], "filters": redirects});
            write(numbered(&format!("{base}-redirect"), index), vec![http], vec![rule]);
            if !https.is_empty() {
                write(numbered(&base, index), https, rules);
            }
        } else {
            https.insert(0, http);
            write(numbered(&base, index), https, rules);
        }
    }
    if is_allowing
        && settings.implementation == Some(GatewayImplementation::Envoy)
        && let AllowList::Networks(networks) = &route.allow_list
    {
        for (index, names) in names.chunks(HOSTS_PER_ROUTE).enumerate() {
            let targets: Vec<Value> =
                names.iter().map(|name| json!({"group": GROUP, "kind": "HTTPRoute", "name": name})).collect();
            let rule = json!({
                "name": "allow-list",
                "action": "Allow",
                "principal": {"clientCIDRs": networks_text(networks)},
            });
            let spec = json!({
                "targetRefs": targets,
                "authorization": {"defaultAction": "Deny", "rules": [rule]},
            });
            let name = numbered(&format!("{}-allow-list", route.app), index);
            rendered.objects.push(object(Kind::SecurityPolicy, route, name, &settings.instance, Map::new(), &spec));
        }
    }
    rendered
}

fn prefix_all() -> Value {
    json!({"path": {"type": "PathPrefix", "value": "/"}})
}

fn rule_to(service: &str, port: &DesiredPort, matches: &[Value], filters: &[Value]) -> Value {
    json!({
        "matches": matches,
        "filters": filters,
        "backendRefs": [{"kind": "Service", "name": service, "port": port.number}],
    })
}

/// The rules for paths that lead elsewhere. Which of two expressions that fit counts is up to the implementation; all
/// of them take the longer one or the earlier one, and here the longer ones come first.
fn path_rules(route: &DesiredRoute, filters: &[Value], rendered: &mut Rendered) -> Vec<Value> {
    let mut groups: Vec<(&str, Vec<Value>)> = Vec::new();
    // One is for all other paths.
    let mut left = MATCHES_PER_ROUTE - 1;
    for path in &route.paths {
        // Implementations differ in whether an expression must fit the whole path or may fit anywhere in it.
        let value = format!("^(?:{}).*$", path.pattern.text());
        if value.len() > PATH_MAX {
            let text = shown(path.pattern.text());
            rendered.problems.push(format!("The pattern {text} is too long for the Gateway API, and is not routed."));
            continue;
        }
        let one = json!({"path": {"type": "RegularExpression", "value": value}});
        let has_room = |group: &(&str, Vec<Value>)| group.0 == path.service && group.1.len() < MATCHES_PER_RULE;
        let is_full = left == 0 || !groups.last().is_some_and(has_room) && groups.len() == RULES_PER_ROUTE - 1;
        if is_full {
            let text = shown(path.pattern.text());
            rendered
                .problems
                .push(format!("The pattern {text} is one too many for the Gateway API, and is not routed."));
            continue;
        }
        left -= 1;
        match groups.last_mut().filter(|group| has_room(group)) {
            Some((_, matches)) => matches.push(one),
            None => groups.push((&path.service, vec![one])),
        }
    }
    let main = DesiredPort::main();
    groups.into_iter().map(|(service, matches)| rule_to(service, &main, &matches, filters)).collect()
}

/// `name`, `name-2`, `name-3`, ….
fn numbered(name: &str, index: usize) -> String {
    if index == 0 { name.to_owned() } else { format!("{name}-{}", index + 1) }
}

fn parent(kind: &str, name: &str, namespace: &str, section: Option<&str>) -> Value {
    let mut parent = json!({"group": GROUP, "kind": kind, "name": name, "namespace": namespace});
    if let Some(section) = section {
        parent["sectionName"] = json!(section);
    }
    parent
}

fn redirect(settings: &GatewaySettings) -> Value {
    // Said also where it is the scheme's own: without it some implementations keep the listener's port, 80.
    let redirect = json!({"scheme": "https", "statusCode": 301, "port": settings.https_port});
    json!({"type": "RequestRedirect", "requestRedirect": redirect})
}

/// Who serves each host by HTTPS; writes the ListenerSets for those that need one.
fn secures<'a>(
    route: &'a DesiredRoute,
    settings: &GatewaySettings,
    rendered: &mut Rendered,
) -> HashMap<&'a str, Secure> {
    let mut own: Vec<(&str, String)> = Vec::new();
    let mut automatic: Vec<(&str, String)> = Vec::new();
    let mut secures = HashMap::new();
    let issuer = issuer(route, settings.cluster_issuer.as_deref(), rendered);
    for host in &route.hosts {
        let is_platform = is_of_platform(host, &settings.domain);
        let (list, suffix, secret) = match (route.certificate_of(host), issuer) {
            (Some(secret), _) => (&mut own, "", secret.to_owned()),
            (None, _) if is_platform && settings.https_listener.is_some() => {
                secures.insert(host.as_str(), Secure::Gateway);
                continue;
            }
            (None, Some(_)) if !is_platform => (&mut automatic, "-auto", automatic_secret_name(host)),
            (None, _) => {
                if route.is_https_enforced {
                    rendered.problems.push(format!("HTTPS is enforced, but there is no certificate for {host}."));
                }
                secures.insert(host.as_str(), Secure::Nobody);
                continue;
            }
        };
        if !settings.has_listener_sets {
            let lacks = "the cluster lacks ListenerSets (gateway.networking.k8s.io/v1, Gateway API 1.5)";
            rendered.problems.push(format!("{host} is not served by HTTPS: {lacks}."));
            secures.insert(host.as_str(), Secure::Nobody);
            continue;
        }
        let name = numbered(&format!("{}{suffix}", route.app), list.len() / LISTENERS_PER_SET);
        list.push((host, secret));
        secures.insert(host.as_str(), Secure::Set(name));
    }
    listener_sets(route, settings, "", &own, rendered);
    listener_sets(route, settings, "-auto", &automatic, rendered);
    secures
}

/// cert-manager takes every listener of an object that names an issuer for its own: hence two kinds of sets.
fn listener_sets(
    route: &DesiredRoute,
    settings: &GatewaySettings,
    suffix: &str,
    listeners: &[(&str, String)],
    rendered: &mut Rendered,
) {
    for (index, listeners) in listeners.chunks(LISTENERS_PER_SET).enumerate() {
        let listeners: Vec<Value> = listeners
            .iter()
            .map(|(host, secret)| {
                json!({
                    "name": listener_name(host),
                    "hostname": host,
                    "port": settings.https_listener_port,
                    "protocol": "HTTPS",
                    "tls": {
                        "mode": "Terminate",
                        "certificateRefs": [{"kind": "Secret", "name": secret}],
                    },
                    "allowedRoutes": {"namespaces": {"from": "Same"}},
                })
            })
            .collect();
        let gateway = json!({
            "group": GROUP, "kind": "Gateway", "name": settings.name, "namespace": settings.namespace,
        });
        let spec = json!({"parentRef": gateway, "listeners": listeners});
        let mut annotations = Map::new();
        if let (false, Some(issuer)) = (suffix.is_empty(), &settings.cluster_issuer) {
            annotations.insert("cert-manager.io/cluster-issuer".to_owned(), json!(issuer));
        }
        let name = numbered(&format!("{}{suffix}", route.app), index);
        rendered.objects.push(object(Kind::ListenerSet, route, name, &settings.instance, annotations, &spec));
    }
}

/// A listener's name: short, the same for the same host, and valid for `*` too.
fn listener_name(host: &str) -> String {
    format!("https-{}", &hex::encode(openssl::sha::sha256(host.as_bytes()))[..12])
}

fn https_parents(secures: &[&Secure], settings: &GatewaySettings) -> Vec<Value> {
    let mut parents = Vec::new();
    if let (true, Some(listener)) = (secures.contains(&&Secure::Gateway), &settings.https_listener) {
        parents.push(parent("Gateway", &settings.name, &settings.namespace, Some(listener)));
    }
    let mut sets: Vec<&String> =
        secures.iter().filter_map(|secure| if let Secure::Set(name) = secure { Some(name) } else { None }).collect();
    sets.sort();
    sets.dedup();
    // In the route's own namespace, so without one.
    parents.extend(sets.into_iter().map(|name| json!({"group": GROUP, "kind": "ListenerSet", "name": name})));
    parents
}

/// The filters that enforce the allow list, and whether requests may reach the app at all.
fn allow_list(route: &DesiredRoute, settings: &GatewaySettings, rendered: &mut Rendered) -> (Vec<Value>, bool) {
    let AllowList::Networks(networks) = &route.allow_list else { return (Vec::new(), true) };
    if networks.is_empty() {
        return (Vec::new(), false);
    }
    let closed = |reason: &str| format!("The allow list cannot be enforced, so nobody gets in: {reason}.");
    match settings.implementation {
        None => {
            rendered.problems.push(closed("the Gateway API has none, and SLIPWAY_GATEWAY_IMPLEMENTATION is not set"));
            (Vec::new(), false)
        }
        Some(_) if !settings.has_extension => {
            rendered.problems.push(closed("the cluster lacks the objects of the implementation that is set"));
            (Vec::new(), false)
        }
        Some(GatewayImplementation::Envoy) => (Vec::new(), true),
        Some(GatewayImplementation::Traefik) => {
            let name = format!("{}-allow-list", route.app);
            let spec = json!({"ipAllowList": {"sourceRange": networks_text(networks)}});
            rendered.objects.push(object(Kind::Middleware, route, name.clone(), &settings.instance, Map::new(), &spec));
            let reference = json!({"group": "traefik.io", "kind": "Middleware", "name": name});
            (vec![json!({"type": "ExtensionRef", "extensionRef": reference})], true)
        }
    }
}

#[cfg(test)]
#[path = "gateway/tests.rs"]
mod tests;
