//! Route tables from what the cluster holds. Pure, but for the counters of requests that live on from table to table.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Secret, Service};
use kube::ResourceExt;
use kube::api::DynamicObject;
use slipway_core::config::SecretText;
use slipway_core::{AppId, AppName};
use slipway_engine::route::{ANY_HOST, AppRoute, Backend, Certificate, IdleReason, RouteTable};
use slipway_engine::route_annotation::PORT;
use uuid::Uuid;

use crate::desired::{AllowList, DesiredRoute, certificates_settle, hosts_settle, service_read};

/// A network that no client is in: what stands for an allow list that lets nobody in.
const NOBODY: (IpAddr, u8) = (IpAddr::V4(Ipv4Addr::UNSPECIFIED), 32);

/// Label by which an `EndpointSlice` names its Service.
const LABEL_SERVICE: &str = "kubernetes.io/service-name";

/// What the cluster holds.
pub(super) struct Inputs {
    pub(super) services: Vec<Arc<Service>>,
    /// TLS Secrets by namespace and name.
    pub(super) secrets: HashMap<(String, String), Arc<Secret>>,
    /// The one for names without a certificate.
    pub(super) default_certificate: DefaultCertificate,
    pub(super) slices: Vec<Arc<DynamicObject>>,
}

/// The certificate for names that have none.
pub(super) enum DefaultCertificate {
    /// None is wanted.
    SelfSigned,
    /// One is wanted, and not there.
    Missing,
    Given(Arc<Secret>),
}

/// A table, and what comes with it.
pub(super) struct Made {
    pub(super) table: RouteTable,
    pub(super) names: HashMap<AppId, AppName>,
    /// Backends that no table has any more.
    pub(super) drained: Vec<Arc<Backend>>,
    pub(super) routes: usize,
    pub(super) problems: Vec<String>,
}

/// Makes tables one after the other.
#[derive(Default)]
pub(super) struct Tables {
    /// By namespace.
    backends: HashMap<String, Known>,
}

struct Known {
    backend: Arc<Backend>,
    /// The ready pods behind it.
    ready: BTreeSet<String>,
}

/// The pods behind one Service.
#[derive(Default)]
struct Endpoints {
    ready: BTreeSet<String>,
    has_unready: bool,
}

impl Tables {
    pub(super) fn make(&mut self, inputs: &Inputs) -> Made {
        let mut problems = Vec::new();
        let mut routes = Vec::new();
        for service in &inputs.services {
            let reading = service_read(service);
            let namespace = service.namespace().unwrap_or_default();
            problems.extend(reading.problems.into_iter().map(|problem| format!("{namespace}: {problem}")));
            routes.extend(reading.route);
        }
        let (mut routes, conflicts) = hosts_settle(routes);
        problems.extend(conflicts.into_iter().map(|(namespace, problem)| format!("{namespace}: {problem}")));

        let mut endpoints = endpoints(&inputs.slices);
        let mut before = std::mem::take(&mut self.backends);
        let mut drained = Vec::new();
        let (mut entries, mut certificates, mut names) = (Vec::new(), Vec::new(), HashMap::new());
        for route in &mut routes {
            let mut own = Vec::new();
            certificates_settle(route, |namespace, name| inputs.pair(namespace, name).is_some(), &mut own);
            certificates.extend(certificates_of(route, inputs));
            let pods = endpoints.remove(&route.namespace).unwrap_or_default();
            let app = Uuid::parse_str(&route.service_uid).map_or_else(|_| AppId::generate(), AppId::from_uuid);
            names.insert(app, route.app.clone());
            let idle = if pods.has_unready { IdleReason::Starting } else { IdleReason::ScaledToZero };
            let backend = match route.cluster_ip {
                _ if pods.ready.is_empty() => None,
                Some(ip) => {
                    let addr = SocketAddr::new(ip, PORT);
                    let known = before.remove(&route.namespace);
                    let backend = match known {
                        Some(known) if known.backend.addr == addr && known.ready == pods.ready => known.backend,
                        known => {
                            drained.extend(known.map(|known| known.backend));
                            Backend::new(addr, route.app.as_str())
                        }
                    };
                    let known = Known { backend: Arc::clone(&backend), ready: pods.ready };
                    self.backends.insert(route.namespace.clone(), known);
                    Some(backend)
                }
                None => {
                    own.push("The Service has no address in the cluster.".to_owned());
                    None
                }
            };
            problems.extend(own.into_iter().map(|problem| format!("{}: {problem}", route.namespace)));
            entries.push((
                route.hosts.clone(),
                Arc::new(AppRoute {
                    app,
                    name: route.app.clone(),
                    is_in_maintenance: route.is_in_maintenance,
                    is_https_enforced: route.is_https_enforced,
                    allow_list: match &route.allow_list {
                        AllowList::Everyone => Vec::new(),
                        AllowList::Networks(networks) if networks.is_empty() => vec![NOBODY],
                        AllowList::Networks(networks) => networks.clone(),
                    },
                    backends: backend.into_iter().collect(),
                    idle,
                    paths: Vec::new(),
                }),
            ));
        }
        drained.extend(before.into_values().map(|known| known.backend));
        let default = match &inputs.default_certificate {
            DefaultCertificate::Given(secret) => pair(secret),
            DefaultCertificate::SelfSigned | DefaultCertificate::Missing => None,
        };
        if let Some((chain_pem, key_pem)) = default {
            certificates.push(Certificate { hosts: vec![ANY_HOST.to_owned()], chain_pem, key_pem });
        } else if !matches!(inputs.default_certificate, DefaultCertificate::SelfSigned) {
            problems.push("The default certificate is missing: there is no such TLS Secret.".to_owned());
        }
        let count = entries.len();
        Made { table: RouteTable::new(entries, certificates), names, drained, routes: count, problems }
    }
}

impl Inputs {
    fn pair(&self, namespace: &str, name: &str) -> Option<(String, SecretText)> {
        pair(self.secrets.get(&(namespace.to_owned(), name.to_owned()))?)
    }
}

/// The certificates of a route, each with all of its hosts.
fn certificates_of(route: &DesiredRoute, inputs: &Inputs) -> Vec<Certificate> {
    let mut by_secret: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (host, secret) in &route.certificates {
        by_secret.entry(secret).or_default().push(host.clone());
    }
    let made = by_secret.into_iter().filter_map(|(secret, hosts)| {
        let (chain_pem, key_pem) = inputs.pair(&route.namespace, secret)?;
        Some(Certificate { hosts, chain_pem, key_pem })
    });
    made.collect()
}

/// Certificate and key of a TLS Secret.
fn pair(secret: &Secret) -> Option<(String, SecretText)> {
    let data = secret.data.as_ref()?;
    let text = |key: &str| String::from_utf8(data.get(key)?.0.clone()).ok();
    Some((text("tls.crt")?, SecretText::new(text("tls.key")?)))
}

/// The pods behind the Service of each app, by namespace.
fn endpoints(slices: &[Arc<DynamicObject>]) -> HashMap<String, Endpoints> {
    let mut found: HashMap<String, Endpoints> = HashMap::new();
    for slice in slices {
        let namespace = slice.namespace().unwrap_or_default();
        if slice.labels().get(LABEL_SERVICE) != Some(&namespace) {
            continue;
        }
        let endpoints = found.entry(namespace).or_default();
        for endpoint in slice.data["endpoints"].as_array().into_iter().flatten() {
            // Unknown counts as ready. Source: Kubernetes API reference, EndpointConditions.
            if endpoint["conditions"]["ready"].as_bool() == Some(false) {
                // One that ends is none that starts.
                endpoints.has_unready |= endpoint["conditions"]["terminating"].as_bool() != Some(true);
                continue;
            }
            let addresses = endpoint["addresses"].as_array().into_iter().flatten();
            endpoints.ready.extend(addresses.filter_map(|address| address.as_str()).map(str::to_owned));
        }
    }
    found
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
