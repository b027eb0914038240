//! What the cluster says should be routed: Services of ours with their annotations, read into [`DesiredRoute`].
//!
//! Pure. The annotations are written by the engine, but whoever may write a Service may write anything into them:
//! what cannot be read is left out and named in a problem, and never opens what would else be closed.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use k8s_openapi::api::core::v1::Service;
use slipway_core::AppName;
use slipway_core::domain::domain_parse;
use slipway_core::network::network_parse;
use slipway_engine::path::PathPattern;
use slipway_engine::route_annotation::{
    ANNOTATION_CERTIFICATES, ANNOTATION_CERTIFICATES_AUTO, ANNOTATION_DOMAINS, ANNOTATION_MAINTENANCE,
    ANNOTATION_PATHS, ANNOTATION_PORTS, ANNOTATION_SSL_ENFORCE, ANNOTATION_WHITELIST, LABEL_ROUTABLE, PORT, PORT_NAME,
    PathEntry, port_name,
};

/// Most host names of one app that are looked at.
pub const HOSTS_MAX: usize = 1000;
/// Most networks of one allow list that are looked at.
pub const NETWORKS_MAX: usize = 1000;
/// Most patterns of paths of one app that are looked at.
pub const PATHS_MAX: usize = 128;
/// Most characters of a value that a problem shows.
const SHOWN_MAX: usize = 80;

/// How one app is to be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredRoute {
    /// The app; its Service has the same name.
    pub app: AppName,
    /// Where its Service is, and everything that belongs to it.
    pub namespace: String,
    /// The Service's UID, which ends with it.
    pub service_uid: String,
    /// When the Service was made, in nanoseconds since 1970: of two apps that claim one host the older keeps it.
    pub created_nanos: i128,
    /// The Service's address within the cluster, if it has one.
    pub cluster_ip: Option<IpAddr>,
    /// Host names in lower-case ASCII, sorted, each once; `*.example.com` covers one label.
    pub hosts: Vec<String>,
    /// Names of Secrets with the certificates of hosts.
    pub certificates: BTreeMap<String, String>,
    /// Whether hosts outside of the platform's domain that have none get a certificate by themselves; `None` for what the
    /// operator has set.
    pub automatic_certificates: Option<bool>,
    /// Whether plain HTTP is redirected to HTTPS.
    pub is_https_enforced: bool,
    /// Whether every request gets a maintenance page.
    pub is_in_maintenance: bool,
    /// Who may send requests.
    pub allow_list: AllowList,
    /// Paths that lead to another Service of the namespace than the app's own; the first that fits counts.
    pub paths: Vec<DesiredPath>,
    /// Hosts of which every path leads to another port of the app's own Service than [`DesiredPort::main`].
    pub ports: BTreeMap<String, DesiredPort>,
}

/// A port of a Service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DesiredPort {
    /// Its name.
    pub name: String,
    /// Its number, which need not be that of the processes behind it.
    pub number: u16,
}

impl DesiredPort {
    /// The port that every Service of the engine has.
    #[must_use]
    pub fn main() -> Self {
        Self { name: PORT_NAME.to_owned(), number: PORT }
    }
}

/// Paths that lead to a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredPath {
    /// What paths begin with.
    pub pattern: PathPattern,
    /// Name of the Service.
    pub service: String,
}

/// Who may send requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowList {
    /// Everyone.
    Everyone,
    /// Whoever is in one of these networks; with none, nobody.
    Networks(Vec<(IpAddr, u8)>),
}

/// What a Service says, and what it says wrongly.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reading {
    /// The route; none when the Service is not to be routed.
    pub route: Option<DesiredRoute>,
    /// For people, each naming the annotation and the reason.
    pub problems: Vec<String>,
}

/// Reads a Service.
#[must_use]
pub fn service_read(service: &Service) -> Reading {
    let meta = &service.metadata;
    let label = |key: &str| meta.labels.as_ref().and_then(|labels| labels.get(key)).map(String::as_str);
    if label(LABEL_ROUTABLE) != Some("true") || meta.deletion_timestamp.is_some() {
        return Reading::default();
    }
    let name = meta.name.as_deref().unwrap_or_default();
    let (Ok(app), Some(namespace), Some(uid)) = (AppName::new(name), &meta.namespace, &meta.uid) else {
        return Reading::refused(format!("The Service's name {} is no app's name.", shown(name)));
    };
    if label("app") != Some(name) || namespace != name {
        // Else whoever may write Services in some namespace could speak for apps of others.
        return Reading::refused(format!("The Service, its namespace and its label `app` are not all named {name}."));
    }
    if number_of_port(service, PORT_NAME).is_none() {
        return Reading::refused(format!("The Service has no port named {PORT_NAME}."));
    }
    let mut problems = Vec::new();
    let annotation = |key: &str| {
        let value = meta.annotations.as_ref().and_then(|annotations| annotations.get(key));
        value.map(|value| value.trim()).filter(|value| !value.is_empty())
    };
    let mut hosts = hosts_read(annotation(ANNOTATION_DOMAINS), &mut problems);
    let ports = ports_read(service, annotation(ANNOTATION_PORTS), &mut hosts, &mut problems);
    let certificates = certificates_read(annotation(ANNOTATION_CERTIFICATES), &mut problems);
    let has_allow_list =
        meta.annotations.as_ref().is_some_and(|annotations| annotations.contains_key(ANNOTATION_WHITELIST));
    let allow_list = if has_allow_list {
        AllowList::Networks(networks_read(annotation(ANNOTATION_WHITELIST).unwrap_or_default(), &mut problems))
    } else {
        AllowList::Everyone
    };
    let paths = paths_read(name, annotation(ANNOTATION_PATHS), &mut problems);
    let cluster_ip = service.spec.as_ref().and_then(|spec| spec.cluster_ip.as_deref()?.parse().ok());
    let flag = |key: &str, problems: &mut Vec<String>| flag_read(key, annotation(key), problems);
    let route = DesiredRoute {
        namespace: namespace.clone(),
        service_uid: uid.clone(),
        created_nanos: meta.creation_timestamp.as_ref().map_or(i128::MAX, |time| time.0.as_nanosecond()),
        cluster_ip,
        hosts,
        certificates,
        automatic_certificates: flag(ANNOTATION_CERTIFICATES_AUTO, &mut problems),
        is_https_enforced: flag(ANNOTATION_SSL_ENFORCE, &mut problems).unwrap_or(false),
        is_in_maintenance: flag(ANNOTATION_MAINTENANCE, &mut problems).unwrap_or(false),
        allow_list,
        paths,
        ports,
        app,
    };
    Reading { route: Some(route), problems }
}

impl Reading {
    fn refused(problem: String) -> Self {
        Self { route: None, problems: vec![problem] }
    }
}

/// The non-empty parts of a comma list.
fn parts(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim).filter(|part| !part.is_empty())
}

fn host(text: &str) -> Option<String> {
    // The contract has hosts as they are stored: what would be changed by reading was not written by the engine.
    domain_parse(text).ok().filter(|host| host == text)
}

fn hosts_read(value: Option<&str>, problems: &mut Vec<String>) -> Vec<String> {
    let mut hosts = Vec::new();
    for (index, text) in parts(value.unwrap_or_default()).enumerate() {
        if index == HOSTS_MAX {
            problems.push(format!("{ANNOTATION_DOMAINS}: only the first {HOSTS_MAX} host names are routed."));
            break;
        }
        match host(text) {
            Some(host) => hosts.push(host),
            None => problems.push(format!("{ANNOTATION_DOMAINS}: {} is no host name.", shown(text))),
        }
    }
    hosts.sort();
    hosts.dedup();
    hosts
}

/// The number of a port of a Service.
fn number_of_port(service: &Service, name: &str) -> Option<u16> {
    let mut ports = service.spec.iter().flat_map(|spec| spec.ports.iter().flatten());
    let port = ports.find(|port| port.name.as_deref() == Some(name))?;
    u16::try_from(port.port).ok()
}

/// Hosts that lead to ports of their own. Where one that is asked for is not there, requests must not go to another: the
/// host is taken out of `hosts`.
fn ports_read(
    service: &Service,
    value: Option<&str>,
    hosts: &mut Vec<String>,
    problems: &mut Vec<String>,
) -> BTreeMap<String, DesiredPort> {
    let mut ports = BTreeMap::new();
    for text in parts(value.unwrap_or_default()).take(HOSTS_MAX) {
        let (host, port) = text.split_once(':').unwrap_or((text, ""));
        if !hosts.iter().any(|known| known == host) {
            problems.push(format!("{ANNOTATION_PORTS}: {} is no host of the app.", shown(host)));
            continue;
        }
        let name = port.parse().ok().filter(|port| *port > 0).map(port_name);
        let found = name.and_then(|name| number_of_port(service, &name).map(|number| DesiredPort { name, number }));
        if let Some(port) = found {
            ports.insert(host.to_owned(), port);
        } else {
            problems.push(format!("{ANNOTATION_PORTS}: the Service has no port for {}.", shown(text)));
            hosts.retain(|known| known != host);
            ports.remove(host);
        }
    }
    ports
}

fn certificates_read(value: Option<&str>, problems: &mut Vec<String>) -> BTreeMap<String, String> {
    let mut certificates = BTreeMap::new();
    for text in parts(value.unwrap_or_default()).take(HOSTS_MAX) {
        let pair = text.split_once(':').and_then(|(name, secret)| Some((host(name)?, secret)));
        match pair {
            Some((host, secret)) if is_object_name(secret) => {
                certificates.entry(host).or_insert_with(|| secret.to_owned());
            }
            _ => problems.push(format!("{ANNOTATION_CERTIFICATES}: {} is not `host:secret-name`.", shown(text))),
        }
    }
    certificates
}

fn networks_read(value: &str, problems: &mut Vec<String>) -> Vec<(IpAddr, u8)> {
    let mut networks = Vec::new();
    for (index, text) in parts(value).enumerate() {
        if index == NETWORKS_MAX {
            problems.push(format!("{ANNOTATION_WHITELIST}: only the first {NETWORKS_MAX} networks are allowed."));
            break;
        }
        match network_parse(text) {
            Some(network) => networks.push(network),
            None => problems.push(format!("{ANNOTATION_WHITELIST}: {} is no network.", shown(text))),
        }
    }
    if networks.is_empty() {
        problems.push(format!("{ANNOTATION_WHITELIST}: it names no network, so that nobody may send requests."));
    }
    networks
}

fn paths_read(app: &str, value: Option<&str>, problems: &mut Vec<String>) -> Vec<DesiredPath> {
    let Some(value) = value else { return Vec::new() };
    let Ok(entries) = serde_json::from_str::<Vec<PathEntry>>(value) else {
        problems.push(format!("{ANNOTATION_PATHS}: it is no list of patterns and Services in JSON."));
        return Vec::new();
    };
    if entries.len() > PATHS_MAX {
        problems.push(format!("{ANNOTATION_PATHS}: only the first {PATHS_MAX} patterns are routed."));
    }
    let mut paths = Vec::new();
    for PathEntry { pattern, service } in entries.into_iter().take(PATHS_MAX) {
        // Other Services of the namespace are not the engine's to route to.
        let is_own = service == app || service.strip_prefix(app).is_some_and(|rest| rest.starts_with('-'));
        if !is_own || !is_object_name(&service) || service.contains('.') {
            problems.push(format!("{ANNOTATION_PATHS}: {} is no Service of the app.", shown(&service)));
            continue;
        }
        match PathPattern::new(&pattern) {
            Ok(pattern) => paths.push(DesiredPath { pattern, service }),
            Err(reason) => problems.push(format!("{ANNOTATION_PATHS}: {}: {reason}.", shown(&pattern))),
        }
    }
    paths
}

fn flag_read(key: &str, value: Option<&str>, problems: &mut Vec<String>) -> Option<bool> {
    match value? {
        "true" => Some(true),
        "false" => Some(false),
        other => {
            problems.push(format!("{key}: {} is neither true nor false.", shown(other)));
            None
        }
    }
}

/// The grammar of most names in Kubernetes (RFC 1123 subdomain).
fn is_object_name(name: &str) -> bool {
    let is_end = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_label = |label: &str| match label.as_bytes() {
        [] => false,
        bytes @ [first, .., last] => {
            is_end(*first) && is_end(*last) && bytes.iter().all(|byte| is_end(*byte) || *byte == b'-')
        }
        [only] => is_end(*only),
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

/// A value in quotes, short and on one line.
pub(crate) fn shown(text: &str) -> String {
    let cut: String = text.chars().take(SHOWN_MAX).collect();
    format!("{cut:?}")
}

/// Gives every host to the oldest app that claims it, and tells the others. The routes come back sorted by
/// namespace.
///
/// The controller lets no two apps have one domain; this holds where somebody goes past it.
#[must_use]
pub fn hosts_settle(mut routes: Vec<DesiredRoute>) -> (Vec<DesiredRoute>, Vec<(String, String)>) {
    routes.sort_by(|a, b| (a.created_nanos, &a.namespace).cmp(&(b.created_nanos, &b.namespace)));
    let mut owners: HashMap<String, String> = HashMap::new();
    let mut problems = Vec::new();
    for route in &mut routes {
        let namespace = route.namespace.clone();
        route.hosts.retain(|host| match owners.get(host) {
            None => {
                owners.insert(host.clone(), namespace.clone());
                true
            }
            Some(owner) => {
                problems.push((namespace.clone(), format!("{host} belongs to the app {owner}, which is older.")));
                false
            }
        });
    }
    for route in &mut routes {
        let hosts = &route.hosts;
        route.certificates.retain(|host, _| is_covering_any(host, hosts));
        route.ports.retain(|host, _| hosts.contains(host));
    }
    routes.sort_by(|a, b| a.namespace.cmp(&b.namespace));
    (routes, problems)
}

/// Whether a certificate's name is of use for one of the hosts.
fn is_covering_any(name: &str, hosts: &[String]) -> bool {
    hosts.iter().any(|host| host == name || is_covered(host, name))
}

/// Whether the wildcard `name` covers `host`.
fn is_covered(host: &str, name: &str) -> bool {
    let Some(parent) = name.strip_prefix("*.") else { return false };
    host.split_once('.').is_some_and(|(_, rest)| rest == parent)
}

/// Takes out certificates whose Secret is not there (or is no TLS Secret), and tells.
pub fn certificates_settle(
    route: &mut DesiredRoute,
    is_there: impl Fn(&str, &str) -> bool,
    problems: &mut Vec<String>,
) {
    let namespace = &route.namespace;
    route.certificates.retain(|host, secret| {
        let is_there = is_there(namespace, secret);
        if !is_there {
            problems.push(format!("The certificate of {host} is missing: there is no TLS Secret {secret}."));
        }
        is_there
    });
}

impl DesiredRoute {
    /// The port of the app's own Service that requests for a host go to.
    #[must_use]
    pub fn port_of(&self, host: &str) -> DesiredPort {
        self.ports.get(host).cloned().unwrap_or_else(DesiredPort::main)
    }

    /// The hosts that lead to each port of the app's own Service: those that lead to [`DesiredPort::main`] first, all in
    /// the order in which they are.
    #[must_use]
    pub fn hosts_by_port(&self) -> Vec<(DesiredPort, Vec<&String>)> {
        let mut others: BTreeMap<&DesiredPort, Vec<&String>> = BTreeMap::new();
        let mut main = Vec::new();
        for host in &self.hosts {
            match self.ports.get(host) {
                Some(port) => others.entry(port).or_default().push(host),
                None => main.push(host),
            }
        }
        let others = others.into_iter().map(|(port, hosts)| (port.clone(), hosts));
        std::iter::once((DesiredPort::main(), main)).filter(|(_, hosts)| !hosts.is_empty()).chain(others).collect()
    }

    /// Names of the Services that requests may go to, but for the app's own, each once.
    pub fn path_services(&self) -> impl Iterator<Item = &str> {
        let names: std::collections::BTreeSet<&str> = self.paths.iter().map(|path| path.service.as_str()).collect();
        names.into_iter().filter(|name| *name != self.app.as_str())
    }

    /// The Secret with the certificate for `host`: its own, else that of a wildcard.
    #[must_use]
    pub fn certificate_of(&self, host: &str) -> Option<&str> {
        let wildcard = || {
            let (_, parent) = host.split_once('.')?;
            self.certificates.get(&format!("*.{parent}"))
        };
        self.certificates.get(host).or_else(wildcard).map(String::as_str)
    }
}

#[cfg(test)]
#[path = "desired/tests.rs"]
mod tests;
