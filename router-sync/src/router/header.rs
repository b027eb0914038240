//! Headers that belong to one hop, and those by which apps learn of the client.

use std::fmt::Write as _;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use http::header::{
    CONNECTION, COOKIE, FORWARDED, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue};
use uuid::Uuid;

use super::config::is_in_networks;

pub(super) static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(super) static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
pub(super) static X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
pub(super) static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
pub(super) static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
static PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
/// Becomes `HTTP_PROXY` in CGI-like servers, where libraries believe it.
static PROXY: HeaderName = HeaderName::from_static("proxy");

/// Longest `X-Request-Id` that is kept.
const REQUEST_ID_MAX: usize = 128;

/// Removes the headers that are between two neighbours only, those that `Connection` names among them.
pub(super) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        let named: Vec<HeaderName> = headers
            .get_all(CONNECTION)
            .iter()
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
            .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
            .collect();
        for name in named {
            headers.remove(name);
        }
        headers.remove(CONNECTION);
    }
    for name in
        [&KEEP_ALIVE, &PROXY_CONNECTION, &TE, &TRANSFER_ENCODING, &UPGRADE, &PROXY_AUTHENTICATE, &PROXY_AUTHORIZATION]
    {
        headers.remove(name);
    }
}

/// Whether the client takes trailers.
pub(super) fn takes_trailers(headers: &HeaderMap) -> bool {
    has_token(headers, &TE, "trailers")
}

/// The protocol to which the client wants to change, if it does. Never HTTP/2: tunnelled, it would hide further
/// requests from the router.
pub(super) fn upgrade_wanted(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut values = headers.get_all(UPGRADE).iter();
    let (Some(protocol), None) = (values.next(), values.next()) else { return None };
    let text = protocol.to_str().ok()?;
    let is_http = text.split(',').any(|name| {
        let name = name.trim().as_bytes();
        name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case(b"h2"))
            || name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"http"))
    });
    (!is_http && has_token(headers, &CONNECTION, "upgrade")).then(|| protocol.clone())
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let mut values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.any(|value| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(token)))
}

/// Removes what pretends to come from a proxy of ours. In CGI-like servers `X_Forwarded_For` and `X-Forwarded-For` are
/// one variable, so both forms go.
pub(super) fn strip_pretenders(headers: &mut HeaderMap, is_trusted: bool) {
    headers.remove(&PROXY);
    if !is_trusted {
        headers.remove(FORWARDED);
    }
    let with_underscore: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().contains('_') && is_managed(&name.as_str().replace('_', "-")))
        .cloned()
        .collect();
    for name in with_underscore {
        headers.remove(name);
    }
}

fn is_managed(name: &str) -> bool {
    name.starts_with("x-forwarded-") || name == "x-request-id" || name == "forwarded"
}

/// Makes one line of several `Cookie` lines, which only HTTP/2 may have (RFC 9113 §8.2.3).
pub(super) fn join_cookies(headers: &mut HeaderMap) {
    let mut lines = headers.get_all(COOKIE).iter();
    if lines.next().is_none() || lines.next().is_none() {
        return;
    }
    let lines: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if let Ok(joined) = HeaderValue::from_bytes(&lines.join(&b"; "[..])) {
        headers.insert(COOKIE, joined);
    }
}

/// Who asks: the peer, or, when that is a trusted proxy, the nearest address in `X-Forwarded-For` that is not one.
pub(super) fn client(headers: &HeaderMap, peer: IpAddr, is_trusted: bool, trusted: &[(IpAddr, u8)]) -> IpAddr {
    if !is_trusted {
        return peer;
    }
    let mut client = peer;
    let values: Vec<&str> = headers.get_all(&X_FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok()).collect();
    for text in values.iter().rev().flat_map(|value| value.rsplit(',')) {
        let Ok(ip) = text.trim().parse::<IpAddr>() else { break };
        client = ip.to_canonical();
        if !is_in_networks(client, trusted) {
            break;
        }
    }
    client
}

/// The chain of addresses for the app: what a trusted proxy says, then the peer.
pub(super) fn forwarded_for(headers: &HeaderMap, peer: &HeaderValue, is_trusted: bool) -> HeaderValue {
    if !is_trusted || !headers.contains_key(&X_FORWARDED_FOR) {
        return peer.clone();
    }
    let mut chain = String::new();
    for value in headers.get_all(&X_FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok()) {
        // Writing to a string cannot fail.
        let _ = write!(chain, "{value}, ");
    }
    chain.push_str(peer.to_str().unwrap_or_default());
    HeaderValue::from_str(&chain).unwrap_or_else(|_| peer.clone())
}

/// Makes request ids.
#[derive(Debug, Default)]
pub(super) struct RequestIds {
    keys: (RandomState, RandomState),
    next: AtomicU64,
}

impl RequestIds {
    /// The id that the request brings, if it is short and plain, else a new one.
    pub(super) fn of(&self, headers: &HeaderMap) -> HeaderValue {
        if let Some(id) = headers.get(&X_REQUEST_ID)
            && is_request_id(id.as_bytes())
        {
            return id.clone();
        }
        // A keyed hash of a counter: as unlike each other as random ones, without asking the system each time.
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (high, low) = (self.keys.0.hash_one(number), self.keys.1.hash_one(number));
        let id = uuid::Builder::from_random_bytes((u128::from(high) << 64 | u128::from(low)).to_be_bytes()).into_uuid();
        let mut text = Uuid::encode_buffer();
        HeaderValue::from_str(id.hyphenated().encode_lower(&mut text)).unwrap_or(HeaderValue::from_static("-"))
    }
}

fn is_request_id(id: &[u8]) -> bool {
    !id.is_empty()
        && id.len() <= REQUEST_ID_MAX
        && id.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn what_connection_names_goes() {
        let mut map = headers(&[
            ("connection", "close, X-Secret"),
            ("x-secret", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "gzip"),
            ("proxy-authorization", "Basic x"),
            ("x-kept", "1"),
        ]);
        strip_hop_by_hop(&mut map);
        assert_eq!(map, headers(&[("x-kept", "1")]));
    }

    #[test]
    fn upgrades_to_http2_are_not_wanted() {
        let wanted =
            |protocol, connection| upgrade_wanted(&headers(&[("upgrade", protocol), ("connection", connection)]));
        assert_eq!(wanted("websocket", "keep-alive, Upgrade").unwrap(), "websocket");
        assert_eq!(wanted("websocket", "keep-alive"), None);
        assert_eq!(wanted("h2c", "upgrade"), None);
        assert_eq!(wanted("websocket, H2C", "upgrade"), None);
        assert_eq!(wanted("HTTP/2.0", "upgrade"), None);
    }

    #[test]
    fn pretenders_go_in_either_spelling() {
        let mut map = headers(&[("x_forwarded_for", "1"), ("forwarded", "for=1"), ("proxy", "evil"), ("my_own", "1")]);
        strip_pretenders(&mut map, false);
        assert_eq!(map, headers(&[("my_own", "1")]));
    }

    #[test]
    fn the_client_is_the_nearest_address_that_is_no_proxy() {
        let trusted = [("10.0.0.0".parse().unwrap(), 8)];
        let proxy: IpAddr = "10.0.0.1".parse().unwrap();
        let of = |chain: &'static str, is_trusted| {
            client(&headers(&[("x-forwarded-for", chain)]), proxy, is_trusted, &trusted).to_string()
        };
        assert_eq!(of("6.6.6.6, 1.2.3.4, 10.0.0.2", true), "1.2.3.4");
        assert_eq!(of("1.2.3.4", false), "10.0.0.1");
        assert_eq!(of("nonsense", true), "10.0.0.1");
        assert_eq!(of("1.2.3.4, nonsense, 10.0.0.3", true), "10.0.0.3");
    }

    #[test]
    fn only_plain_request_ids_are_kept() {
        let ids = RequestIds::default();
        assert_eq!(ids.of(&headers(&[("x-request-id", "abc-1_2.3")])), "abc-1_2.3");
        let made = ids.of(&headers(&[("x-request-id", "a b")]));
        assert!(Uuid::parse_str(made.to_str().unwrap()).is_ok());
        assert_ne!(made, ids.of(&HeaderMap::new()));
        assert!(!is_request_id(&[b'a'; 129]));
    }
}
