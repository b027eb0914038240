//! How an app's route is written on its Service, for whatever program carries the traffic.
//!
//! This is the contract between the engine, which writes, and the route writer (`router-sync`), which reads nothing
//! but Services, Secrets and `EndpointSlices`. Source: `drycc-v2.md` §4.7 \[R\], with the prefix `router.slipway.io/`.
//!
//! The Service of an app `blog` is `blog` in the namespace `blog`, of type `ClusterIP`, with the port `http`, number 80,
//! TCP, leading to the container port named `http`, whatever its number, and a port `port-9090` for each other number that
//! a host leads to, which goes by that number unless it is 80. It is there from the app's
//! creation to its end, also while nothing runs (then it has no endpoints). Its labels:
//!
//! | label | value |
//! |---|---|
//! | `heritage` | `slipway`; Services without it are not ours |
//! | `app` | the app's name |
//! | `router.slipway.io/routable` | `true`; the label is absent when the app must not be routed |
//!
//! Its annotations:
//!
//! | annotation | value |
//! |---|---|
//! | `router.slipway.io/domains` | full host names, lower-case ASCII, sorted, with commas between them, no spaces; `*.example.com` covers one label. Absent when there is none |
//! | `router.slipway.io/certificates` | `host:secret` with commas between them, sorted; `secret` is the name of a Secret of type `kubernetes.io/tls` in the app's namespace. A host (wildcards as above) is there once. Absent when there is none |
//! | `router.slipway.io/certificates.auto` | `true` or `false`: a host outside of the platform's domain that has no certificate gets one by itself. Absent for what the route writer is set up for |
//! | `router.slipway.io/ssl.enforce` | `true` or `false`: plain HTTP is redirected to HTTPS |
//! | `router.slipway.io/maintenance` | `true` or `false`: every request gets the maintenance page (503) |
//! | `router.slipway.io/whitelist` | networks (`10.0.0.0/8,2001:db8::/32`) that may send requests; absent for all |
//! | `router.slipway.io/paths` | JSON, `[{"pattern":"/jobs","service":"blog-worker"}]`: paths that begin with the pattern (a regular expression) lead to another Service of the namespace, the first that fits. Absent when there is none |
//! | `router.slipway.io/ports` | `host:port` with commas between them, sorted: every path of the host leads to the port of the Service named `port-PORT`. Absent when there is none |
//! | `router.slipway.io/generation` | the app's generation when the route was last written, for people and logs |
//!
//! A process type that paths lead to has a Service `blog-worker` (shortened as names of containers are) with the labels
//! `heritage`, `app` and `type`, without the label `routable` and without annotations of the route; its port is as above.
//!
//! Certificates are written before the annotation that names them, and removed after it is gone. A renewed
//! certificate is a Secret of another name, so a reader never sees half of one.

use std::collections::{BTreeMap, BTreeSet};

pub use slipway_engine::route_annotation::{
    ANNOTATION_CERTIFICATES, ANNOTATION_CERTIFICATES_AUTO, ANNOTATION_DOMAINS, ANNOTATION_GENERATION,
    ANNOTATION_MAINTENANCE, ANNOTATION_PATHS, ANNOTATION_PORTS, ANNOTATION_SSL_ENFORCE, ANNOTATION_WHITELIST,
    LABEL_ROUTABLE, PORT, PORT_NAME, PathEntry, port_name,
};
use slipway_engine::spec::RouteSpec;

use crate::labels::cert_secret_name;

/// The labels that a route puts on its Service.
#[must_use]
pub fn route_labels(route: &RouteSpec) -> BTreeMap<String, String> {
    route.is_routable.then(|| (LABEL_ROUTABLE.to_owned(), "true".to_owned())).into_iter().collect()
}

/// The annotations that a route puts on its Service, but for [`ANNOTATION_PATHS`], and [`ANNOTATION_GENERATION`]: it
/// alone is no reason to write.
#[must_use]
pub fn route_annotations(route: &RouteSpec) -> BTreeMap<String, String> {
    let hosts: BTreeSet<&str> = route.hosts.iter().map(String::as_str).collect();
    let mut certificates: BTreeMap<&str, String> = BTreeMap::new();
    for certificate in &route.certificates {
        let secret = cert_secret_name(&certificate.chain_pem, certificate.key_pem.expose());
        for host in &certificate.hosts {
            certificates.entry(host).or_insert_with(|| secret.clone());
        }
    }
    let certificates: Vec<String> = certificates.into_iter().map(|(host, secret)| format!("{host}:{secret}")).collect();
    let ports = route.ports.iter().filter(|(host, _)| hosts.contains(host.as_str()));
    let ports: Vec<String> = ports.map(|(host, port)| format!("{host}:{port}")).collect();
    let networks: Vec<String> = route.allow_list.iter().map(|(ip, prefix)| format!("{ip}/{prefix}")).collect();
    let mut annotations = BTreeMap::from([
        (ANNOTATION_SSL_ENFORCE.to_owned(), route.is_https_enforced.to_string()),
        (ANNOTATION_MAINTENANCE.to_owned(), route.is_in_maintenance.to_string()),
    ]);
    let hosts: Vec<&str> = hosts.into_iter().collect();
    for (key, value) in [
        (
            ANNOTATION_CERTIFICATES_AUTO,
            route.automatic_certificates.map(|wanted| wanted.to_string()).unwrap_or_default(),
        ),
        (ANNOTATION_DOMAINS, hosts.join(",")),
        (ANNOTATION_CERTIFICATES, certificates.join(",")),
        (ANNOTATION_PORTS, ports.join(",")),
        (ANNOTATION_WHITELIST, networks.join(",")),
    ] {
        if !value.is_empty() {
            annotations.insert(key.to_owned(), value);
        }
    }
    annotations
}

#[cfg(test)]
mod tests {
    use slipway_core::config::SecretText;
    use slipway_engine::route::Certificate;

    use super::*;

    #[test]
    fn a_route_is_written_as_the_contract_says() {
        let certificate = Certificate {
            hosts: vec!["www.example.com".to_owned(), "*.example.com".to_owned()],
            chain_pem: "chain".to_owned(),
            key_pem: SecretText::new("key"),
        };
        let secret = cert_secret_name("chain", "key");
        let route = RouteSpec {
            hosts: vec!["www.example.com".to_owned(), "blog.localhost".to_owned()],
            paths: Vec::new(),
            ports: [("www.example.com".to_owned(), 9090), ("gone.example.com".to_owned(), 9091)].into(),
            is_routable: true,
            is_in_maintenance: false,
            is_https_enforced: true,
            allow_list: vec![([10, 0, 0, 0].into(), 8), ("2001:db8::".parse().unwrap(), 32)],
            certificates: vec![certificate.clone(), Certificate { chain_pem: "other".to_owned(), ..certificate }],
            automatic_certificates: Some(false),
        };
        assert_eq!(route_labels(&route)[LABEL_ROUTABLE], "true");
        let annotations = route_annotations(&route);
        let expected = [
            (ANNOTATION_CERTIFICATES, format!("*.example.com:{secret},www.example.com:{secret}")),
            (ANNOTATION_CERTIFICATES_AUTO, "false".to_owned()),
            (ANNOTATION_DOMAINS, "blog.localhost,www.example.com".to_owned()),
            (ANNOTATION_MAINTENANCE, "false".to_owned()),
            (ANNOTATION_PORTS, "www.example.com:9090".to_owned()),
            (ANNOTATION_SSL_ENFORCE, "true".to_owned()),
            (ANNOTATION_WHITELIST, "10.0.0.0/8,2001:db8::/32".to_owned()),
        ];
        assert_eq!(annotations, expected.map(|(key, value)| (key.to_owned(), value)).into());
    }

    #[test]
    fn what_is_empty_is_left_out() {
        let annotations = route_annotations(&RouteSpec::default());
        assert_eq!(annotations.len(), 2, "{annotations:?}");
        let wanted = RouteSpec { automatic_certificates: Some(true), ..RouteSpec::default() };
        assert_eq!(route_annotations(&wanted)[ANNOTATION_CERTIFICATES_AUTO], "true");
        assert!(route_labels(&RouteSpec::default()).is_empty());
    }
}
