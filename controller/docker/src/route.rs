//! Labels that tell the engine's Traefik of a container. Source: `team-api.md` §8, "Routing"; Traefik documentation,
//! "Docker provider".

use std::collections::BTreeMap;

use slipway_engine::workload::WorkloadSpec;
use slipway_team::container::Expose;

use crate::plan::Unfit;
use crate::settings::DockerSettings;

/// The labels of an exposed container; none for another.
pub(crate) fn labels(
    spec: &WorkloadSpec,
    full_name: &str,
    settings: &DockerSettings,
) -> Result<BTreeMap<String, String>, Unfit> {
    let config = &spec.config;
    let mut labels = BTreeMap::new();
    if config.expose == Expose::None {
        return Ok(labels);
    }
    let routing = config.routing.clone().unwrap_or_default();
    let host = host(spec, settings, routing.domain.as_deref())?;
    let path = routing.path.as_deref().filter(|path| !path.is_empty()).unwrap_or("/");
    if path.contains(['`', '\n']) {
        return Err(Unfit(format!("{path:?} is not the path of a route")));
    }
    let Some(port) = config.ports.iter().flatten().next() else {
        return Err(Unfit(format!("{} is exposed and has no port", spec.name())));
    };
    let mut set = |name: String, value: String| labels.insert(format!("traefik.{name}"), value);
    set("enable".to_owned(), "true".to_owned());
    set("docker.network".to_owned(), settings.proxy_network.clone());
    set(format!("http.services.{full_name}.loadbalancer.server.port"), port.internal.to_string());
    let mut chain = Vec::new();
    if routing.strip_path == Some(true) && path != "/" {
        let name = format!("{full_name}-strip");
        set(format!("http.middlewares.{name}.stripprefix.prefixes"), path.trim_end_matches('/').to_owned());
        chain.push(name);
    }
    if let Some(limit) = routing.upload_limit.as_deref().filter(|limit| !limit.is_empty()) {
        let name = format!("{full_name}-limit");
        let bytes = body_bytes(limit).ok_or_else(|| Unfit(format!("{limit:?} is not a size, for example 8m")))?;
        set(format!("http.middlewares.{name}.buffering.maxRequestBodyBytes"), bytes.to_string());
        chain.push(name);
    }
    let (plain, secure) = &settings.entry_points;
    let mut routers = vec![(full_name.to_owned(), plain)];
    if config.expose == Expose::Https {
        let name = format!("{full_name}-secure");
        set(format!("http.routers.{name}.tls"), "true".to_owned());
        set(format!("http.routers.{name}.tls.certresolver"), settings.certificate_resolver.clone());
        routers.push((name, secure));
    }
    for (name, entry_point) in routers {
        let of = |member: &str| format!("http.routers.{name}.{member}");
        set(of("rule"), format!("Host(`{host}`) && PathPrefix(`{path}`)"));
        set(of("entrypoints"), entry_point.clone());
        set(of("service"), full_name.to_owned());
        if !chain.is_empty() {
            set(of("middlewares"), chain.join(","));
        }
    }
    Ok(labels)
}

/// The domain as it is given; `C.P.` before the node's own without one.
fn host(spec: &WorkloadSpec, settings: &DockerSettings, domain: Option<&str>) -> Result<String, Unfit> {
    let host = match (domain.filter(|domain| !domain.is_empty()), &settings.root_domain) {
        (Some(domain), _) => domain.to_owned(),
        (None, Some(root)) => format!("{}.{}.{root}", spec.name(), spec.prefix),
        (None, None) => {
            return Err(Unfit(format!("{} is exposed, and neither it nor the node has a domain", spec.name())));
        }
    };
    let is_right = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
    if is_right { Ok(host) } else { Err(Unfit(format!("{host:?} is not one host, which this node needs"))) }
}

/// A size as nginx writes it, in bytes.
fn body_bytes(limit: &str) -> Option<u64> {
    let (digits, factor) = match limit.as_bytes().last()? {
        b'k' | b'K' => (&limit[..limit.len() - 1], 1 << 10),
        b'm' | b'M' => (&limit[..limit.len() - 1], 1 << 20),
        b'g' | b'G' => (&limit[..limit.len() - 1], 1 << 30),
        _ => (limit, 1),
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}
