//! Route tables from what the cluster holds. Pure, but for the counters of requests that live on from table to table.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Secret, Service};
use kube::ResourceExt;
use slipway_core::config::SecretText;
use slipway_core::{AppId, AppName};
use slipway_engine::route::{ANY_HOST, AppRoute, Backend, Certificate, IdleReason, RouteTable};
use uuid::Uuid;

use super::endpoint::{ByService, Endpoint, Endpoints};
use crate::desired::{AllowList, DesiredPort, DesiredRoute, certificates_settle, hosts_settle, service_read};

/// A network that no client is in: what stands for an allow list that lets nobody in.
const NOBODY: (IpAddr, u8) = (IpAddr::V4(Ipv4Addr::UNSPECIFIED), 32);

/// What the cluster holds.
pub(super) struct Inputs {
    pub(super) services: Vec<Arc<Service>>,
    /// TLS Secrets by namespace and name.
    pub(super) secrets: HashMap<(String, String), Arc<Secret>>,
    /// The one for names without a certificate.
    pub(super) default_certificate: DefaultCertificate,
    pub(super) endpoints: ByService,
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
    /// By namespace and pod: an address that another pod has by now is another backend.
    backends: HashMap<(String, Endpoint), Arc<Backend>>,
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

        let nothing = Endpoints::default();
        let mut before = std::mem::take(&mut self.backends);
        let (mut entries, mut certificates, mut names) = (Vec::new(), Vec::new(), HashMap::new());
        for route in &mut routes {
            let mut own = Vec::new();
            certificates_settle(route, |namespace, name| inputs.pair(namespace, name).is_some(), &mut own);
            certificates.extend(certificates_of(route, inputs));
            if route.automatic_certificates == Some(true) {
                own.push("The app wants automatic certificates, but this router gets none by itself.".to_owned());
            }
            let app = Uuid::parse_str(&route.service_uid).map_or_else(|_| AppId::generate(), AppId::from_uuid);
            names.insert(app, route.app.clone());
            let mut to = |service: &str, port: &DesiredPort, paths| {
                let pods = inputs.endpoints.get(&(route.namespace.clone(), service.to_owned())).unwrap_or(&nothing);
                let mut backends = Vec::new();
                for endpoint in pods.at(&port.name, route.cluster_ip) {
                    let key = (route.namespace.clone(), endpoint.clone());
                    // Two Services may lead to one pod.
                    let backend = self.backends.entry(key).or_insert_with_key(|key| {
                        before.remove(key).unwrap_or_else(|| {
                            let name = if endpoint.pod.is_empty() { route.app.as_str() } else { &endpoint.pod };
                            Backend::new(endpoint.addr, name)
                        })
                    });
                    backends.push(Arc::clone(backend));
                }
                AppRoute {
                    app,
                    name: route.app.clone(),
                    is_in_maintenance: route.is_in_maintenance,
                    is_https_enforced: route.is_https_enforced,
                    allow_list: match &route.allow_list {
                        AllowList::Everyone => Vec::new(),
                        AllowList::Networks(networks) if networks.is_empty() => vec![NOBODY],
                        AllowList::Networks(networks) => networks.clone(),
                    },
                    backends,
                    idle: if pods.has_unready { IdleReason::Starting } else { IdleReason::ScaledToZero },
                    paths,
                }
            };
            let mut by_service: HashMap<&str, Arc<AppRoute>> = HashMap::new();
            let mut paths = Vec::new();
            let main = DesiredPort::main();
            for path in &route.paths {
                let to_service = || Arc::new(to(&path.service, &main, Vec::new()));
                let there = by_service.entry(&path.service).or_insert_with(to_service);
                paths.push((path.pattern.clone(), Arc::clone(there)));
            }
            for (port, hosts) in route.hosts_by_port() {
                let paths = if port == main { std::mem::take(&mut paths) } else { Vec::new() };
                let entry = Arc::new(to(route.app.as_str(), &port, paths));
                entries.push((hosts.into_iter().cloned().collect(), entry));
            }
            problems.extend(own.into_iter().map(|problem| format!("{}: {problem}", route.namespace)));
        }
        let drained = before.into_values().collect();
        let default = match &inputs.default_certificate {
            DefaultCertificate::Given(secret) => pair(secret),
            DefaultCertificate::SelfSigned | DefaultCertificate::Missing => None,
        };
        if let Some((chain_pem, key_pem)) = default {
            certificates.push(Certificate { hosts: vec![ANY_HOST.to_owned()], chain_pem, key_pem });
        } else if !matches!(inputs.default_certificate, DefaultCertificate::SelfSigned) {
            problems.push("The default certificate is missing: there is no such TLS Secret.".to_owned());
        }
        let count = routes.len();
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

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
