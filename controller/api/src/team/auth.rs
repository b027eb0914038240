//! Credentials → actor: a browser's cookie, a token that a user made, or the token of the log-in.
//! Source: `team-api.md` §1.2.

use http::{HeaderMap, StatusCode, header};
use slipway_core::authz::Actor;
use slipway_core::{Error, Result};
use slipway_service::Service;

/// The cookie of a browser's log-in.
pub const COOKIE: &str = "ory_kratos_session";

/// The status for missing or bad credentials: old clients expect that of a refused guard.
/// Source: `team-api.md` §1.2.
pub(super) const fn auth_failure_status() -> StatusCode {
    StatusCode::FORBIDDEN
}

/// The user whose credentials the request carries. The cookie is tried first, then the header.
///
/// # Errors
/// `Unauthenticated`, with the reason.
pub async fn user(service: &Service, headers: &HeaderMap) -> Result<Actor> {
    let mut refused = Error::Unauthenticated("Authentication credentials were not provided.".to_owned());
    if let Some(cookie) = cookie(headers) {
        match service.cookie_authenticate(cookie).await {
            Err(error @ Error::Unauthenticated(_)) => refused = error,
            other => return other,
        }
    }
    match token(headers) {
        Some(token) => service.bearer_authenticate(token).await,
        None => Err(refused),
    }
}

/// The value of our cookie, if it was sent.
#[must_use]
pub fn cookie(headers: &HeaderMap) -> Option<&str> {
    cookie_value(headers, COOKIE)
}

/// The value of a cookie, if it was sent.
pub(super) fn cookie_value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
        .filter(|value| !value.is_empty())
}

/// The token of an `Authorization` header: `Bearer`, or `token` as `/v2` has it.
pub(super) fn token(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.trim().split_once(char::is_whitespace)?;
    let is_known = scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token");
    let token = token.trim();
    (is_known && !token.is_empty() && !token.contains(char::is_whitespace)).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_found() {
        let mut headers = HeaderMap::new();
        assert_eq!((cookie(&headers), token(&headers)), (None, None));
        headers.insert(header::COOKIE, "a=b; ory_kratos_session=abc; c=d".parse().unwrap());
        assert_eq!(cookie(&headers), Some("abc"));
        headers.insert(header::COOKIE, "ory_kratos_sessions=abc; xory_kratos_session=d".parse().unwrap());
        assert_eq!(cookie(&headers), None);
        for (value, expect) in [
            ("Bearer a.b.c", Some("a.b.c")),
            ("bearer  abc ", Some("abc")),
            ("token abc", Some("abc")),
            ("Basic abc", None),
            ("Bearer", None),
            ("Bearer ", None),
            ("Bearer a b", None),
        ] {
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            assert_eq!(token(&headers), expect, "{value}");
        }
    }
}
