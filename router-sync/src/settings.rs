//! Settings of `slipway-router-sync`, as flags and environment variables.

use std::net::{IpAddr, SocketAddr};

use clap::{Parser, ValueEnum};
use slipway_core::network::network_parse;

use crate::render::gateway::GatewayImplementation;
use crate::render::ingress::IngressController;

/// What carries the traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// A Gateway of the Gateway API.
    Gateway,
    /// An Ingress controller.
    Ingress,
    /// This program: the router of `slipway up`.
    Builtin,
}

/// Brings the routes of Slipway's apps to the cluster's Gateway or Ingress controller, or carries their traffic itself.
#[derive(Debug, Clone, Parser)]
#[command(name = "slipway-router-sync", version)]
pub struct Settings {
    /// What to do instead of what --mode says.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// What carries the traffic to apps.
    #[arg(long, env = "SLIPWAY_ROUTER_MODE", value_enum, default_value = "gateway", global = true)]
    pub mode: Mode,

    /// The platform's domain: apps answer at NAME.DOMAIN.
    #[arg(long, env = "SLIPWAY_DOMAIN", default_value = "localhost", value_parser = domain, global = true)]
    pub domain: String,

    /// The port on which clients reach HTTP.
    #[arg(long, env = "SLIPWAY_HTTP_PORT", default_value_t = 80, value_parser = clap::value_parser!(u16).range(1..), global = true)]
    pub http_port: u16,

    /// The port on which clients reach HTTPS, for redirects.
    #[arg(long, env = "SLIPWAY_HTTPS_PORT", default_value_t = 443, value_parser = clap::value_parser!(u16).range(1..), global = true)]
    pub https_port: u16,

    /// Only Services with these labels too, such as `tier=public`.
    #[arg(long, env = "SLIPWAY_ROUTER_SELECTOR", value_name = "SELECTOR", global = true)]
    pub selector: Option<String>,

    /// Name of this router-sync among others on the cluster: each touches only the objects that carry its name.
    #[arg(long, env = "SLIPWAY_ROUTER_INSTANCE", default_value = "slipway", value_parser = label_value, global = true)]
    pub instance: String,

    /// Where /healthz, /readiness and /metrics answer.
    #[arg(long, env = "SLIPWAY_ROUTER_HEALTH", value_name = "ADDR", default_value = "0.0.0.0:8081", global = true)]
    pub health: SocketAddr,

    /// This program's own pod, NAMESPACE/NAME: Events about the router itself go there.
    #[arg(long, env = "SLIPWAY_ROUTER_POD", value_name = "NAMESPACE/NAME", value_parser = object_path, global = true)]
    pub pod: Option<ObjectPath>,

    /// The cert-manager `ClusterIssuer` for names outside of the platform's domain that have no certificate.
    #[arg(long, env = "SLIPWAY_CLUSTER_ISSUER", value_name = "NAME", value_parser = non_empty, global = true)]
    pub cluster_issuer: Option<String>,

    /// gateway: the Gateway that serves apps.
    #[arg(long, env = "SLIPWAY_GATEWAY", value_name = "NAMESPACE/NAME", default_value = "slipway/slipway", value_parser = object_path, global = true)]
    pub gateway: ObjectPath,

    /// gateway: its listener for plain HTTP.
    #[arg(long, env = "SLIPWAY_GATEWAY_HTTP_LISTENER", value_name = "NAME", default_value = "http", global = true)]
    pub gateway_http_listener: String,

    /// gateway: its listener for HTTPS of names below the platform's domain; empty for none.
    #[arg(long, env = "SLIPWAY_GATEWAY_HTTPS_LISTENER", value_name = "NAME", default_value = "https", global = true)]
    pub gateway_https_listener: String,

    /// gateway: the port of listeners for apps' own certificates.
    #[arg(long, env = "SLIPWAY_GATEWAY_HTTPS_PORT", value_name = "PORT", default_value_t = 443, value_parser = clap::value_parser!(u16).range(1..), global = true)]
    pub gateway_https_port: u16,

    /// gateway: whose extensions enforce allow lists.
    #[arg(long, env = "SLIPWAY_GATEWAY_IMPLEMENTATION", value_enum, global = true)]
    pub gateway_implementation: Option<GatewayImplementation>,

    /// ingress: the class; empty for the cluster's default.
    #[arg(long, env = "SLIPWAY_INGRESS_CLASS", value_name = "CLASS", default_value = "nginx", global = true)]
    pub ingress_class: String,

    /// ingress: which controller serves the class. Default: what the class is named after.
    #[arg(long, env = "SLIPWAY_INGRESS_CONTROLLER", value_enum, global = true)]
    pub ingress_controller: Option<IngressController>,

    /// builtin: where plain HTTP is served.
    #[arg(long, env = "SLIPWAY_ROUTER", value_name = "ADDR", default_value = "0.0.0.0:8080", global = true)]
    pub listen: SocketAddr,

    /// builtin: where HTTPS is served.
    #[arg(long, env = "SLIPWAY_ROUTER_TLS", value_name = "ADDR", default_value = "0.0.0.0:8443", global = true)]
    pub listen_tls: SocketAddr,

    /// builtin: the TLS Secret for names that have no certificate; a self-signed one is made without it.
    #[arg(long, env = "SLIPWAY_DEFAULT_CERTIFICATE", value_name = "NAMESPACE/NAME", value_parser = object_path, global = true)]
    pub default_certificate: Option<ObjectPath>,

    /// builtin: networks of load balancers whose X-Forwarded-* headers are believed, with commas between them.
    #[arg(long, env = "SLIPWAY_TRUSTED_PROXIES", value_name = "NETWORKS", value_delimiter = ',', value_parser = network, global = true)]
    pub trusted_proxies: Vec<Network>,

    /// builtin: connections from trusted proxies begin with a PROXY protocol header (version 1 or 2).
    #[arg(long, env = "SLIPWAY_PROXY_PROTOCOL", value_parser = clap::builder::FalseyValueParser::new(), num_args = 0..=1, default_value = "false", default_missing_value = "true", global = true)]
    pub proxy_protocol: bool,

    /// Seconds that requests in flight may still take when the router stops.
    #[arg(long, env = "SLIPWAY_DRAIN_TIMEOUT", value_name = "SECONDS", default_value_t = 30, global = true)]
    pub drain_timeout: u16,

    /// Which log lines are written to stderr, such as `info` or `slipway_router_sync=debug,info`.
    #[arg(long, env = "SLIPWAY_LOG", default_value = "info", global = true)]
    pub log: String,

    /// How they are written.
    #[arg(long, env = "SLIPWAY_LOG_FORMAT", value_enum, default_value = "text", global = true)]
    pub log_format: LogFormat,
}

/// What to do instead of what the mode says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Subcommand)]
pub enum Command {
    /// Carry the traffic, as with --mode builtin.
    Router,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Where an object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectPath {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl std::fmt::Display for ObjectPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A network: address and length of the prefix.
pub type Network = (IpAddr, u8);

impl Settings {
    /// What carries the traffic, the subcommand considered.
    #[must_use]
    pub fn mode(&self) -> Mode {
        match self.command {
            Some(Command::Router) => Mode::Builtin,
            None => self.mode,
        }
    }

    /// Who serves the Ingress class.
    #[must_use]
    pub fn ingress_controller(&self) -> IngressController {
        self.ingress_controller.unwrap_or_else(|| {
            if self.ingress_class.contains("traefik") {
                IngressController::Traefik
            } else if self.ingress_class.contains("nginx") {
                IngressController::Nginx
            } else {
                IngressController::Other
            }
        })
    }

    /// What no single setting can check.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn check(&self) -> Result<(), String> {
        if self.proxy_protocol && self.trusted_proxies.is_empty() {
            return Err(
                "--proxy-protocol needs --trusted-proxies: without it, nobody may say whom they speak for".into()
            );
        }
        Ok(())
    }
}

fn domain(text: &str) -> Result<String, String> {
    match slipway_core::domain::domain_parse(text) {
        Ok(domain) if !domain.starts_with('*') => Ok(domain),
        _ => Err("must be a domain, such as example.com".to_owned()),
    }
}

fn network(text: &str) -> Result<Network, String> {
    network_parse(text.trim()).ok_or_else(|| "must be networks, such as 10.0.0.0/8,fd00::/8".to_owned())
}

fn object_path(text: &str) -> Result<ObjectPath, String> {
    let is_name =
        |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b));
    match text.split_once('/') {
        Some((namespace, name)) if is_name(namespace) && is_name(name) => {
            Ok(ObjectPath { namespace: namespace.to_owned(), name: name.to_owned() })
        }
        _ => Err("must be NAMESPACE/NAME".to_owned()),
    }
}

fn label_value(text: &str) -> Result<String, String> {
    let is_end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    let is_value = bytes.len() <= 63
        && is_end(bytes.first())
        && is_end(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte));
    if is_value { Ok(text.to_owned()) } else { Err("must be what a label may hold".to_owned()) }
}

fn non_empty(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("must not be empty".to_owned()) } else { Ok(text.to_owned()) }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn read(arguments: &[&str]) -> Result<Settings, clap::Error> {
        Settings::try_parse_from(std::iter::once(&"slipway-router-sync").chain(arguments))
    }

    #[test]
    fn the_command_line_is_sound() {
        Settings::command().debug_assert();
    }

    #[test]
    fn every_kind_of_setting_is_read() {
        let settings = read(&[
            "--mode=ingress",
            "--domain=Apps.Example.COM",
            "--ingress-class=traefik-internal",
            "--trusted-proxies=10.0.0.0/8,fd00::/8",
            "--proxy-protocol",
            "--default-certificate=slipway/wildcard",
        ])
        .unwrap();
        assert_eq!((settings.mode(), settings.domain.as_str()), (Mode::Ingress, "apps.example.com"));
        assert_eq!(settings.ingress_controller(), IngressController::Traefik);
        assert_eq!(settings.trusted_proxies.len(), 2);
        assert_eq!(settings.default_certificate.as_ref().unwrap().to_string(), "slipway/wildcard");
        assert!(settings.proxy_protocol && settings.check().is_ok());
    }

    #[test]
    fn the_subcommand_router_is_the_built_in_mode() {
        assert_eq!(read(&["router"]).unwrap().mode(), Mode::Builtin);
        assert_eq!(read(&["router", "--listen=127.0.0.1:0"]).unwrap().listen.port(), 0);
        assert_eq!(read(&[]).unwrap().mode(), Mode::Gateway);
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        for (arguments, named) in [
            (&["--mode=magic"][..], "--mode"),
            (&["--domain=*.example.com"], "--domain"),
            (&["--domain=a b"], "--domain"),
            (&["--gateway=public"], "--gateway"),
            (&["--gateway=a/b/c"], "--gateway"),
            (&["--trusted-proxies=everyone"], "--trusted-proxies"),
            (&["--https-port=0"], "--https-port"),
            (&["--instance=a b"], "--instance"),
        ] {
            let error = read(arguments).unwrap_err().to_string();
            assert!(error.contains(named), "{arguments:?}: {error}");
        }
        assert!(read(&["--proxy-protocol"]).unwrap().check().is_err());
    }
}
