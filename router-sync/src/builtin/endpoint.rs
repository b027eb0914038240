//! Which pods stand behind the Services of apps. Pure.
//!
//! Read from EndpointSlices, or from Endpoints where the cluster has no slices. Both are written by the cluster's own
//! controllers from the selector of a Service, and both are read by the name of the port, since a release may listen on
//! another number than the one before it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use kube::ResourceExt;
use kube::api::DynamicObject;
use serde_json::Value;
use slipway_engine::route_annotation::{PORT_NAME, PORT_NAME_PREFIX};

/// Label by which an `EndpointSlice` names its Service.
const LABEL_SERVICE: &str = "kubernetes.io/service-name";

/// A pod that answers requests.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Endpoint {
    /// Where it listens.
    pub(super) addr: SocketAddr,
    /// The pod's name; empty when nobody says.
    pub(super) pod: String,
    /// The pod's UID: names and addresses are given out again.
    uid: String,
}

/// The pods behind one Service.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Endpoints {
    /// Those that take requests, each once, by name of the Service's port.
    ready: BTreeMap<String, BTreeSet<Endpoint>>,
    /// Whether there are some that do not take requests yet.
    pub(super) has_unready: bool,
}

impl Endpoints {
    /// Those that take requests at a port of the Service, by addresses of the same family as the Service's: on a cluster
    /// with both, every pod is there twice.
    pub(super) fn at(&self, port: &str, service: Option<IpAddr>) -> impl Iterator<Item = &Endpoint> {
        let ready = self.ready.get(port).into_iter().flatten();
        ready.filter(move |one| service.is_none_or(|ip| ip.is_ipv4() == one.addr.is_ipv4()))
    }

    fn add(&mut self, endpoint: &Value, addresses: &[Value], (name, port): (&str, u16)) {
        let text = |pointer: &str| endpoint.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        // Host names (of slices with the address type FQDN) are of no Service that has a selector.
        let addresses = addresses.iter().filter_map(|address| address.as_str()?.parse::<IpAddr>().ok());
        let endpoints = addresses.map(|ip| Endpoint {
            addr: SocketAddr::new(ip, port),
            pod: text("/targetRef/name"),
            uid: text("/targetRef/uid"),
        });
        self.ready.entry(name.to_owned()).or_default().extend(endpoints);
    }
}

/// What stands behind each Service, by namespace and name.
pub(super) type ByService = HashMap<(String, String), Endpoints>;

/// What stands behind the Services of apps.
pub(super) fn endpoints(objects: &[Arc<DynamicObject>]) -> ByService {
    let mut found = ByService::new();
    for object in objects {
        let Some(namespace) = object.namespace() else { continue };
        if let Some(subsets) = object.data.get("subsets") {
            subsets_read(subsets, found.entry((namespace, object.name_any())).or_default());
        } else if let Some(service) = object.labels().get(LABEL_SERVICE) {
            slice_read(&object.data, found.entry((namespace, service.clone())).or_default());
        }
    }
    found
}

fn slice_read(slice: &Value, into: &mut Endpoints) {
    let ports = ports(&slice["ports"]);
    for endpoint in list(&slice["endpoints"]) {
        let conditions = &endpoint["conditions"];
        let is_ending = conditions["terminating"].as_bool() == Some(true);
        // Unknown counts as ready. Source: Kubernetes API reference, EndpointConditions. One that ends may say that it
        // is ready where its Service publishes those that are not.
        if is_ending || conditions["ready"].as_bool() == Some(false) {
            into.has_unready |= !is_ending;
        } else {
            for port in &ports {
                into.add(endpoint, list(&endpoint["addresses"]), *port);
            }
        }
    }
}

fn subsets_read(subsets: &Value, into: &mut Endpoints) {
    for subset in list(subsets) {
        into.has_unready |= !list(&subset["notReadyAddresses"]).is_empty();
        for port in ports(&subset["ports"]) {
            for address in list(&subset["addresses"]) {
                into.add(address, std::slice::from_ref(&address["ip"]), port);
            }
        }
    }
}

/// The ports that requests may go to, by name and number.
fn ports(ports: &Value) -> Vec<(&str, u16)> {
    list(ports).iter().filter_map(port).collect()
}

fn port(port: &Value) -> Option<(&str, u16)> {
    let name = port["name"].as_str().filter(|name| *name == PORT_NAME || name.starts_with(PORT_NAME_PREFIX))?;
    let number = port["port"].as_u64().and_then(|number| u16::try_from(number).ok()).filter(|number| *number > 0)?;
    Some((name, number))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
#[path = "endpoint_tests.rs"]
mod tests;
