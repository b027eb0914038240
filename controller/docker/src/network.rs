//! Networks and ports of a container.

use std::collections::{BTreeMap, BTreeSet};

use bollard_stubs::models::{EndpointSettings, PortBinding};
use slipway_engine::workload::WorkloadSpec;
use slipway_team::container::{Expose, NetworkMode};

use crate::plan::Unfit;
use crate::settings::DockerSettings;

/// The networks of a container.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Networks {
    /// What it starts with: a network's name, or the kind of network where it has none of its own.
    pub mode: String,
    /// The ones with names, in the order in which it joins them. They are made where they are not there.
    pub named: Vec<String>,
}

impl Networks {
    /// Whether it has a network of its own rather than the machine's or none.
    pub(crate) fn has_ports(&self) -> bool {
        !matches!(self.mode.as_str(), "none" | "host")
    }
}

/// The networks that the configuration asks for. Source: `team-api.md` §8, "Network".
pub(crate) fn networks(spec: &WorkloadSpec, settings: &DockerSettings) -> Result<Networks, Unfit> {
    let config = &spec.config;
    let mut named: Vec<String> = Vec::new();
    if config.expose != Expose::None {
        named.push(settings.proxy_network.clone());
    }
    if config.network_mode == NetworkMode::Bridge {
        for network in config.networks.iter().flatten() {
            if !is_network(&network.key) {
                return Err(Unfit(format!("{:?} is not the name of a network", network.key)));
            }
            if !named.contains(&network.key) {
                named.push(network.key.clone());
            }
        }
    }
    let mode = match (named.first(), config.network_mode) {
        (Some(first), _) => first.clone(),
        (None, NetworkMode::Bridge) => "bridge".to_owned(),
        (None, NetworkMode::Host) => "host".to_owned(),
        (None, NetworkMode::None) => "none".to_owned(),
    };
    Ok(Networks { mode, named })
}

/// A name that engines take and that is not one of their own words.
fn is_network(name: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    let own = ["bridge", "host", "none", "default", "private", "podman", "pasta", "slirp4netns", "ns"];
    (1..=63).contains(&name.len())
        && name.bytes().all(is_word)
        && name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric())
        && !own.contains(&name)
}

/// How a container is called in a network.
pub(crate) fn endpoint(spec: &WorkloadSpec, full_name: &str) -> EndpointSettings {
    let aliases = vec![full_name.to_owned(), spec.name().to_owned()];
    EndpointSettings { aliases: Some(aliases), ..EndpointSettings::default() }
}

/// Ports as engines name them.
type Bindings = BTreeMap<String, Option<Vec<PortBinding>>>;

/// The ports that are told of, and those that lead in from outside.
pub(crate) fn ports(spec: &WorkloadSpec) -> (BTreeSet<String>, Bindings) {
    let (mut exposed, mut bound) = (BTreeSet::new(), Bindings::new());
    let mut add = |inner: u16, outer: Option<u16>| {
        let port = format!("{inner}/tcp");
        if let Some(outer) = outer {
            let binding = PortBinding { host_ip: None, host_port: Some(outer.to_string()) };
            bound.entry(port.clone()).or_default().get_or_insert_default().push(binding);
        }
        exposed.insert(port);
    };
    for port in spec.config.ports.iter().flatten() {
        add(port.internal, port.external);
    }
    for range in spec.config.port_ranges.iter().flatten() {
        for (inner, outer) in (range.internal.from..=range.internal.to).zip(range.external.from..=range.external.to) {
            add(inner, Some(outer));
        }
    }
    (exposed, bound)
}
