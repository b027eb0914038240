//! The PROXY protocol: what a load balancer says before a connection begins about the client that it speaks for.
//!
//! Source: <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>, versions 1 and 2.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt};

/// What version 2 begins with (§2.2).
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Longest line of version 1, with its end (§2.1).
const LINE_MAX: usize = 107;
/// Longest rest of a header of version 2 that is taken: addresses and some extensions, which are not read.
const REST_MAX: usize = 4096;

/// Reads the header, and no byte more. `None` when the proxy speaks for itself (a check of its own) or for a client
/// whose address has another form.
///
/// # Errors
/// When there is no header, or a broken one.
pub(super) async fn header_read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<SocketAddr>> {
    // The shortest header of either version is longer.
    let mut start = [0; SIGNATURE.len()];
    stream.read_exact(&mut start).await?;
    if &start == SIGNATURE {
        return binary_read(stream).await;
    }
    if !start.starts_with(b"PROXY ") {
        return Err(broken("no PROXY protocol header"));
    }
    let mut line = start.to_vec();
    while !line.ends_with(b"\r\n") {
        if line.len() == LINE_MAX {
            return Err(broken("the PROXY protocol header is too long"));
        }
        line.push(stream.read_u8().await?);
    }
    let text = line.strip_suffix(b"\r\n").and_then(|line| std::str::from_utf8(line).ok());
    let mut parts = text.unwrap_or_default().split(' ').skip(1);
    let family = parts.next().unwrap_or_default();
    if family == "UNKNOWN" {
        return Ok(None);
    }
    addresses_read(family, parts).map(Some).ok_or_else(|| broken("the PROXY protocol header is broken"))
}

/// The client's address in `client server client-port server-port`.
fn addresses_read<'a>(family: &str, mut parts: impl Iterator<Item = &'a str>) -> Option<SocketAddr> {
    let (client, server): (IpAddr, IpAddr) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let (client_port, _): (u16, u16) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let is_of = |ip: IpAddr| match family {
        "TCP4" => ip.is_ipv4(),
        "TCP6" => ip.is_ipv6(),
        _ => false,
    };
    (is_of(client) && is_of(server) && parts.next().is_none()).then(|| SocketAddr::new(client, client_port))
}

async fn binary_read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<SocketAddr>> {
    let (version_command, family) = (stream.read_u8().await?, stream.read_u8().await?);
    let length = usize::from(stream.read_u16().await?);
    if version_command >> 4 != 2 || length > REST_MAX {
        return Err(broken("the PROXY protocol header is of an unknown version or too long"));
    }
    let mut rest = vec![0; length];
    stream.read_exact(&mut rest).await?;
    let port = |at: usize| rest.get(at..at + 2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]));
    match (version_command & 0xf, family) {
        // TCP over IPv4: two addresses of four bytes, then two ports.
        (1, 0x11) => {
            let ip: Option<[u8; 4]> = rest.get(..4).and_then(|bytes| bytes.try_into().ok());
            let client = ip.zip(port(8)).map(|(ip, port)| SocketAddr::from((Ipv4Addr::from(ip), port)));
            client.map(Some).ok_or_else(|| broken("the PROXY protocol header is too short"))
        }
        // TCP over IPv6.
        (1, 0x21) => {
            let ip: Option<[u8; 16]> = rest.get(..16).and_then(|bytes| bytes.try_into().ok());
            let client = ip.zip(port(32)).map(|(ip, port)| SocketAddr::from((Ipv6Addr::from(ip), port)));
            client.map(Some).ok_or_else(|| broken("the PROXY protocol header is too short"))
        }
        // Another kind of address; and LOCAL, the connection is the proxy's own.
        (0 | 1, _) => Ok(None),
        _ => Err(broken("the PROXY protocol header has an unknown command")),
    }
}

fn broken(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(mut bytes: &[u8]) -> (Option<Option<String>>, usize) {
        let outcome = header_read(&mut bytes).await;
        (outcome.ok().map(|addr| addr.map(|addr| addr.to_string())), bytes.len())
    }

    fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend([0x20 | command, family]);
        bytes.extend(u16::try_from(rest.len()).unwrap().to_be_bytes());
        bytes.extend(rest);
        bytes
    }

    #[tokio::test]
    async fn lines_are_read_and_no_byte_more() {
        for (line, expect) in [
            ("PROXY TCP4 1.2.3.4 5.6.7.8 1111 80\r\n", Some("1.2.3.4:1111")),
            ("PROXY TCP6 2001:db8::1 ::1 1111 80\r\n", Some("[2001:db8::1]:1111")),
            ("PROXY UNKNOWN\r\n", None),
            ("PROXY UNKNOWN some more\r\n", None),
        ] {
            let (outcome, left) = read(format!("{line}GET /").as_bytes()).await;
            assert_eq!((outcome, left), (Some(expect.map(str::to_owned)), 5), "{line}");
        }
    }

    #[tokio::test]
    async fn binary_headers_are_read_and_no_byte_more() {
        let v4 = [1, 2, 3, 4, 5, 6, 7, 8, 0x04, 0x57, 0, 80];
        let mut v6 = [0; 36];
        (v6[0], v6[15], v6[33]) = (0x20, 1, 9);
        let with_extension = [&v4[..], &[1, 0, 1, 7]].concat();
        for (bytes, expect) in [
            (binary(1, 0x11, &v4), Some("1.2.3.4:1111")),
            (binary(1, 0x11, &with_extension), Some("1.2.3.4:1111")),
            (binary(1, 0x21, &v6), Some("[2000::1]:9")),
            (binary(0, 0, &[]), None),
            (binary(1, 0x31, &[0; 216]), None),
        ] {
            let (outcome, left) = read(&[&bytes[..], b"GET /"].concat()).await;
            assert_eq!((outcome, left), (Some(expect.map(str::to_owned)), 5));
        }
    }

    #[tokio::test]
    async fn what_is_broken_is_refused() {
        let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(200));
        let lines = [
            "",
            "PROXY",
            "GET / HTTP/1.1\r\n\r\n",
            "PROXY TCP4 1.2.3.4 5.6.7.8 1111\r\n",
            "PROXY TCP4 1.2.3.4 5.6.7.8 1111 80 x\r\n",
            "PROXY TCP4 ::1 ::1 1111 80\r\n",
            "PROXY TCP4 1.2.3.4 5.6.7.8 99999 80\r\n",
            "PROXY UDP4 1.2.3.4 5.6.7.8 1111 80\r\n",
            long.as_str(),
        ];
        for line in lines {
            assert_eq!(read(line.as_bytes()).await.0, None, "{line}");
        }
        let v4 = [0; 12];
        let mut version3 = binary(1, 0x11, &v4);
        version3[12] = 0x31;
        for bytes in [
            version3,
            binary(2, 0x11, &v4),
            binary(1, 0x11, &v4[..9]),
            binary(1, 0x21, &v4),
            binary(1, 0x11, &v4)[..20].to_vec(),
            binary(0, 0, &vec![0; REST_MAX + 1]),
        ] {
            assert_eq!(read(&bytes).await.0, None);
        }
    }
}
