//! Settings of the built-in router.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Where the router listens, and its bounds.
#[derive(Debug, Clone)]
pub struct RouterConfig {
    /// Address for plain HTTP (HTTP/1.1, and HTTP/2 with prior knowledge). Port 0 picks a free one.
    pub http: SocketAddr,
    /// Address for TLS (HTTP/1.1 and HTTP/2 by ALPN), if any. Port 0 picks a free one.
    pub https: Option<SocketAddr>,
    /// The port that clients reach plain HTTP on, for `X-Forwarded-Port`. Default: that of the listener.
    pub http_public_port: Option<u16>,
    /// The port that clients reach TLS on, for redirects and `X-Forwarded-Port`. Default: that of the TLS listener, else 443.
    pub https_public_port: Option<u16>,
    /// The platform's domain; a self-signed certificate for it and its subdomains is served when no other fits.
    pub domain: String,
    /// Networks whose `X-Forwarded-*` headers are believed. Default: none.
    pub trusted_proxies: Vec<(IpAddr, u8)>,
    /// Whether connections from [`Self::trusted_proxies`] begin with a PROXY protocol header (version 1 or 2) that says
    /// whom they are for. Connections from elsewhere never do. Default: no.
    pub has_proxy_protocol: bool,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// How much is taken.
    pub limits: Limits,
}

impl RouterConfig {
    /// Default settings for these addresses and this domain.
    #[must_use]
    pub fn new(http: SocketAddr, https: Option<SocketAddr>, domain: impl Into<String>) -> Self {
        Self {
            http,
            https,
            http_public_port: None,
            https_public_port: None,
            domain: domain.into(),
            trusted_proxies: Vec::new(),
            has_proxy_protocol: false,
            timeouts: Timeouts::default(),
            limits: Limits::default(),
        }
    }
}

/// How long things may take.
#[derive(Debug, Clone)]
pub struct Timeouts {
    /// For a client to send a request's head, or its first after connecting. Default 30 s.
    pub header_read: Duration,
    /// For a TLS handshake. Default 10 s.
    pub handshake: Duration,
    /// For an app's process to accept a connection. Default 5 s.
    pub connect: Duration,
    /// From the last byte of the request sent to the head of the response. Default 30 s.
    pub first_byte: Duration,
    /// Without a byte in either direction while a body is under way. Default 55 s.
    pub stream_idle: Duration,
    /// Without a byte in either direction on an upgraded connection (WebSocket). Default one hour.
    pub tunnel_idle: Duration,
    /// How long an unused connection to a process is kept. Default 60 s.
    pub pool_idle: Duration,
    /// How long a request waits for another process when all it knew of are draining. Default 5 s.
    pub reroute: Duration,
    /// How long [`super::Router::run`] waits for what is in flight once it is told to stop. Default 30 s.
    pub drain: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            header_read: Duration::from_secs(30),
            handshake: Duration::from_secs(10),
            connect: Duration::from_secs(5),
            first_byte: Duration::from_secs(30),
            stream_idle: Duration::from_secs(55),
            tunnel_idle: Duration::from_hours(1),
            pool_idle: Duration::from_mins(1),
            reroute: Duration::from_secs(5),
            drain: Duration::from_secs(30),
        }
    }
}

/// How much is taken.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Client connections at once; further ones wait in the listen queue. Default 10,000.
    pub connections: usize,
    /// Requests at once on one HTTP/2 connection. Default 128.
    pub streams_per_connection: u32,
    /// Requests at once per process; more are answered with 503. Default 10,000.
    pub in_flight_per_backend: usize,
    /// Unused connections kept per process. Default 256.
    pub idle_per_backend: usize,
    /// Size of a request's head in bytes (431 beyond; also at most 100 headers). Default 64 KiB.
    pub header_bytes: usize,
    /// Length of path and query in bytes (414 beyond). Default 16 KiB.
    pub uri_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            streams_per_connection: 128,
            in_flight_per_backend: 10_000,
            idle_per_backend: 256,
            header_bytes: 64 * 1024,
            uri_bytes: 16 * 1024,
        }
    }
}

/// Whether `ip` is in one of `networks`. IPv4 addresses written as IPv6 count as IPv4.
#[must_use]
pub(super) fn is_in_networks(ip: IpAddr, networks: &[(IpAddr, u8)]) -> bool {
    let ip = ip.to_canonical();
    networks.iter().any(|(network, prefix)| match (ip, network.to_canonical()) {
        (IpAddr::V4(ip), IpAddr::V4(network)) => {
            // A prefix longer than 32 belongs to a network that was written as IPv6.
            let bits = if *prefix > 32 { prefix.saturating_sub(96) } else { *prefix };
            let mask = u32::MAX.checked_shl(32 - u32::from(bits.min(32))).unwrap_or(0);
            ip.to_bits() & mask == network.to_bits() & mask
        }
        (IpAddr::V6(ip), IpAddr::V6(network)) => {
            let mask = u128::MAX.checked_shl(128 - u32::from((*prefix).min(128))).unwrap_or(0);
            ip.to_bits() & mask == network.to_bits() & mask
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_contain_their_addresses_only() {
        let is_in = |ip: &str, network: &str, prefix| {
            is_in_networks(ip.parse().unwrap(), &[(network.parse().unwrap(), prefix)])
        };
        assert!(is_in("10.1.2.3", "10.0.0.0", 8));
        assert!(!is_in("11.1.2.3", "10.0.0.0", 8));
        assert!(is_in("::ffff:10.1.2.3", "10.0.0.0", 8));
        assert!(is_in("10.1.2.3", "::ffff:10.0.0.0", 104));
        assert!(is_in("1.2.3.4", "0.0.0.0", 0));
        assert!(!is_in("::1", "0.0.0.0", 0));
        assert!(is_in("fd00::1", "fd00::", 8));
        assert!(!is_in("fe00::1", "fd00::", 8));
        assert!(is_in("1.2.3.4", "1.2.3.4", 32));
        assert!(!is_in("1.2.3.5", "1.2.3.4", 32));
    }
}
