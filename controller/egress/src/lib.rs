//! Connections to addresses that users supply.
//!
//! A library that fetches for a user is handed a [`Proxy`] on loopback. It resolves each name itself and connects to
//! public addresses only, which holds for redirects, for addresses in answers, and for names that resolve differently
//! the second time.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// Longest request head that the proxy reads, in bytes.
const HEAD_MAX: usize = 8 * 1024;

/// An HTTP proxy on loopback that serves `CONNECT` and nothing else. Ends when dropped, with every connection through
/// it.
#[derive(Debug)]
pub struct Proxy {
    addr: SocketAddr,
    _serving: JoinSet<()>,
}

impl Proxy {
    /// Starts one. With `allow_private` it connects to any address.
    ///
    /// # Errors
    /// When there is no port for it.
    pub async fn start(allow_private: bool) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, allow_private));
        Ok(Self { addr, _serving: serving })
    }

    /// Its address, as clients want it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }
}

/// Whether everything that `host` and `port` stand for is private, so that a connection would be refused. `false` for
/// a name that is not known: connecting tells.
pub async fn is_private_only(host: &str, port: u16) -> bool {
    match tokio::time::timeout(CONNECT_TIMEOUT, tokio::net::lookup_host((host, port))).await {
        Ok(Ok(addresses)) => {
            let addresses: Vec<SocketAddr> = addresses.collect();
            !addresses.is_empty() && addresses.iter().all(|address| !is_public(address.ip()))
        }
        _ => false,
    }
}

/// Whether `address` is one that everybody may reach: neither loopback, link-local nor private.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => {
            if let Some(v4) = v6.to_ipv4_mapped().or_else(|| embedded_v4(v6)) {
                is_public_v4(v4)
            } else {
                let first = v6.segments()[0];
                let is_local = (first & 0xfe00) == 0xfc00 || (first & 0xffc0) == 0xfe80 || (first & 0xffc0) == 0xfec0;
                !(v6.is_loopback() || v6.is_unspecified() || v6.is_multicast() || is_local)
            }
        }
    }
}

/// The IPv4 address inside one of 6to4 or of the well-known translation prefix.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let s = address.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match s {
        [0x2002, high, low, ..] => Some(v4(high, low)),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0, 0, 0, 0, 0, 0, high, low] if (high, low) > (0, 1) => {
            Some(v4(high, low))
        }
        _ => None,
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_shared = a == 100 && (64..128).contains(&b);
    let is_benchmark = a == 198 && (b == 18 || b == 19);
    let is_protocol = a == 192 && b == 0 && c == 0;
    !(a == 0
        || a >= 240
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || is_shared
        || is_benchmark
        || is_protocol)
}

async fn serve(listener: TcpListener, allow_private: bool) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => { connections.spawn(tunnel(client, allow_private)); }
                Err(_) => return,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn tunnel(mut client: TcpStream, allow_private: bool) {
    let Some(target) = read_connect(&mut client).await else {
        let _ = client.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
        return;
    };
    match connect(&target, allow_private).await {
        Ok(mut server) => {
            if client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.is_ok() {
                let _ = copy_bidirectional(&mut client, &mut server).await;
            }
        }
        Err(reason) => {
            let answer = format!("HTTP/1.1 403 {reason}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            let _ = client.write_all(answer.as_bytes()).await;
        }
    }
}

/// The target of a `CONNECT` request.
async fn read_connect(client: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() > HEAD_MAX || client.read_buf(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    let head = String::from_utf8(head).ok()?;
    let mut words = head.lines().next()?.split(' ');
    (words.next() == Some("CONNECT")).then(|| words.next().map(str::to_owned)).flatten()
}

/// Connects to `HOST:PORT`, to a public address only unless `allow_private`.
///
/// # Errors
/// The reason, in a few words.
pub async fn connect(target: &str, allow_private: bool) -> Result<TcpStream, &'static str> {
    let addresses = tokio::time::timeout(CONNECT_TIMEOUT, tokio::net::lookup_host(target)).await;
    let Ok(Ok(addresses)) = addresses else { return Err("The host is not known") };
    let allowed: Vec<SocketAddr> = addresses.filter(|address| allow_private || is_public(address.ip())).collect();
    if allowed.is_empty() {
        return Err("Private addresses are not allowed");
    }
    let connecting = TcpStream::connect(allowed.as_slice());
    match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
        Ok(Ok(stream)) => Ok(stream),
        _ => Err("The host does not answer"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_known() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
            "::127.0.0.1",
            "198.18.0.1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in ["8.8.8.8", "172.32.0.1", "2606:4700::1111", "64:ff9b::808:808"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[tokio::test]
    async fn only_connect_is_served_and_private_hosts_only_when_allowed() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = server.local_addr().unwrap();
        for (allow, request, expect) in [
            (false, format!("CONNECT {target} HTTP/1.1\r\n\r\n"), "HTTP/1.1 403 "),
            (true, format!("CONNECT {target} HTTP/1.1\r\n\r\n"), "HTTP/1.1 200 "),
            (true, format!("GET http://{target}/ HTTP/1.1\r\n\r\n"), "HTTP/1.1 400 "),
        ] {
            let proxy = Proxy::start(allow).await.unwrap();
            let mut client = TcpStream::connect(proxy.addr).await.unwrap();
            client.write_all(request.as_bytes()).await.unwrap();
            let mut answer = [0; 13];
            client.read_exact(&mut answer).await.unwrap();
            assert_eq!(std::str::from_utf8(&answer).unwrap(), expect);
        }
        assert!(is_private_only("127.0.0.1", 1).await);
        assert!(!is_private_only("8.8.8.8", 1).await);
    }
}
