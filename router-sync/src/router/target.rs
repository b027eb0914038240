//! Which host a request is for.

use http::header::HOST;
use http::{HeaderValue, Request, Version};

use super::page::Reason;

/// Longest host name.
const HOST_MAX: usize = 253;

/// The host that a request names.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// As sent, with its port.
    pub(super) authority: HeaderValue,
    /// In lower case, without port.
    pub(super) host: String,
}

/// Reads the host from the request's target, else from its one `Host` header.
pub(super) fn target<B>(request: &Request<B>) -> Result<Target, Reason> {
    let mut headers = request.headers().get_all(HOST).iter();
    let header = headers.next();
    if headers.next().is_some() {
        return Err(Reason::HostInvalid);
    }
    // A target in absolute form, or `:authority`, wins over the header (RFC 9112 §3.2.2).
    let authority = match (request.uri().authority(), header) {
        (Some(authority), header) => {
            let is_http2 = request.version() == Version::HTTP_2;
            if is_http2
                && header.is_some_and(|header| !header.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes()))
            {
                return Err(Reason::HostInvalid);
            }
            HeaderValue::from_str(authority.as_str()).map_err(|_| Reason::HostInvalid)?
        }
        (None, Some(header)) => header.clone(),
        (None, None) => return Err(Reason::HostMissing),
    };
    let text = authority.to_str().map_err(|_| Reason::HostInvalid)?;
    let host = host(text)?;
    Ok(Target { authority, host })
}

/// Splits off the port and checks the rest.
fn host(authority: &str) -> Result<String, Reason> {
    if authority.is_empty() {
        return Err(Reason::HostMissing);
    }
    let (host, port) = match authority.rfind(':') {
        Some(colon) if !authority.ends_with(']') => (&authority[..colon], &authority[colon + 1..]),
        _ => (authority, ""),
    };
    let is_port = port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit());
    let is_host = if let Some(address) = host.strip_prefix('[') {
        address.strip_suffix(']').is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok())
    } else {
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
    };
    if !is_port || !is_host || host.len() > HOST_MAX + 1 {
        return Err(Reason::HostInvalid);
    }
    Ok(host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_lose_their_port_and_case() {
        assert_eq!(host("Blog.LocalHost:8080").unwrap(), "blog.localhost");
        assert_eq!(host("blog.localhost.").unwrap(), "blog.localhost.");
        assert_eq!(host("[::1]:80").unwrap(), "[::1]");
        assert_eq!(host("[::1]").unwrap(), "[::1]");
        assert_eq!(host("").unwrap_err(), Reason::HostMissing);
        let invalid = [
            "a b",
            "a/b",
            "user@host",
            "host:80a",
            "host:800000",
            "<script>",
            "::1",
            "[::1",
            "[x]",
            ":80",
            "a\"b",
            "é",
        ];
        for text in invalid {
            assert_eq!(host(text), Err(Reason::HostInvalid), "{text}");
        }
        assert_eq!(host(&"a".repeat(255)), Err(Reason::HostInvalid));
    }
}
