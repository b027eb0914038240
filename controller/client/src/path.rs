//! Addresses: the controller's own, and the paths below it.

use std::fmt::Write as _;
use std::net::IpAddr;

use url::{Host, Url};

use crate::ClientError;

/// Encodes any text as one segment of a path (or one value of a query).
///
/// Letters, digits and `-._~` stay, everything else becomes `%XX`. A segment `.` or `..` would be taken for a step in the
/// path even when encoded, so the dots of these two are made to look like nothing that exists.
#[must_use]
pub fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    if matches!(text, "." | "..") {
        return "%00".to_owned();
    }
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Reads a controller's address as a person gives it.
pub(crate) fn base(text: &str) -> Result<Url, ClientError> {
    let text = text.trim();
    let bad = |reason: &str| ClientError::Url { url: without_password(text), reason: reason.to_owned() };
    if text.is_empty() {
        return Err(bad("it is empty"));
    }
    let url = if text.contains("://") {
        Url::parse(text)
    } else {
        // Without a scheme: what runs on this machine has no certificate, what runs elsewhere should have one.
        let is_here = Url::parse(&format!("http://{text}")).is_ok_and(|url| is_loopback(&url));
        Url::parse(&format!("{}://{text}", if is_here { "http" } else { "https" }))
    };
    let mut url = url.map_err(|error| bad(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(bad("only http:// and https:// are known"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("it must not hold a user name or a password"));
    }
    url.set_query(None);
    url.set_fragment(None);
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// Puts a path of ours, query included, below the controller's address.
pub(crate) fn join(base: &Url, path: &str) -> Result<Url, ClientError> {
    let text = format!("{}{path}", base.as_str().trim_end_matches('/'));
    Url::parse(&text).map_err(|error| ClientError::Url { url: text, reason: error.to_string() })
}

/// Whether an address is one of this machine's loopback addresses.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(addr)) => IpAddr::V4(addr).is_loopback(),
        Some(Host::Ipv6(addr)) => IpAddr::V6(addr).is_loopback(),
        None => false,
    }
}

fn without_password(text: &str) -> String {
    match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://…@{rest}"),
        (None, Some((_, rest))) => format!("…@{rest}"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_hold_any_text() {
        for (text, want) in [
            ("web.1", "web.1"),
            ("a/b?c#d", "a%2Fb%3Fc%23d"),
            ("über", "%C3%BCber"),
            ("..", "%00"),
            (".", "%00"),
            ("bob@x.org", "bob%40x.org"),
            ("", ""),
        ] {
            assert_eq!(segment(text), want, "{text:?}");
        }
    }

    #[test]
    fn addresses_are_read_as_people_give_them() {
        for (text, want) in [
            ("http://127.0.0.1:8000", "http://127.0.0.1:8000/"),
            ("127.0.0.1:8000", "http://127.0.0.1:8000/"),
            ("localhost:8000/", "http://localhost:8000/"),
            ("slipway.localhost", "http://slipway.localhost/"),
            ("[::1]:8000", "http://[::1]:8000/"),
            ("slipway.example.com", "https://slipway.example.com/"),
            ("https://example.com/paas/?a=b#c", "https://example.com/paas"),
        ] {
            assert_eq!(base(text).map(|url| url.to_string()).ok().as_deref(), Some(want), "{text}");
        }
    }

    #[test]
    fn addresses_that_cannot_work_are_refused_without_showing_a_password() {
        for text in
            ["", "ftp://a", "http://", "https://bob:hunter2@example.com", "bob:hunter2@example.com", "http://a b"]
        {
            let error = base(text).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn paths_go_below_the_address() {
        let base = base("https://example.com/paas/").unwrap();
        assert_eq!(join(&base, "/v2/apps/?limit=1").unwrap().as_str(), "https://example.com/paas/v2/apps/?limit=1");
    }
}
