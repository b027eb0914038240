//! Credentials → actor. Source: `drycc-v2.md` §1.2 and §5.3.

use http::{HeaderMap, header};
use slipway_core::authz::Actor;
use slipway_core::{Error, Result};
use slipway_service::Service;

/// The text for a caller who gave no credentials.
const NOT_PROVIDED: &str = "Authentication credentials were not provided.";
/// Headers in which a builder sends its key: ours, and those of both families.
const BUILDER_HEADERS: [&str; 3] = ["x-slipway-builder-auth", "x-drycc-builder-auth", "x-deis-builder-auth"];

/// The user whose token the request carries.
///
/// # Errors
/// `Unauthenticated`, with the reason.
pub async fn user(service: &Service, headers: &HeaderMap) -> Result<Actor> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Err(Error::Unauthenticated(NOT_PROVIDED.to_owned()));
    };
    service.token_authenticate(token(value.as_bytes())?).await
}

/// The builder.
///
/// # Errors
/// `Forbidden` for users with a good token, `Unauthenticated` for all else.
pub async fn builder(service: &Service, headers: &HeaderMap) -> Result<Actor> {
    let keys = BUILDER_HEADERS.iter().flat_map(|name| headers.get_all(*name));
    for key in keys.filter_map(|value| value.to_str().ok()) {
        if let Ok(actor) = service.builder_authenticate(key.trim()) {
            return Ok(actor);
        }
    }
    user(service, headers).await?;
    Err(Error::forbidden())
}

/// The token in the value of an `Authorization` header.
fn token(value: &[u8]) -> Result<&str> {
    let fail = |reason: &str| Err(Error::Unauthenticated(reason.to_owned()));
    let Ok(value) = std::str::from_utf8(value) else {
        return fail("Invalid token header. Token string should not contain invalid characters.");
    };
    let mut words = value.split_ascii_whitespace();
    if !words.next().is_some_and(|scheme| scheme.eq_ignore_ascii_case("token")) {
        return fail(NOT_PROVIDED);
    }
    match (words.next(), words.next()) {
        (Some(token), None) => Ok(token),
        (None, _) => fail("Invalid token header. No credentials provided."),
        (Some(_), Some(_)) => fail("Invalid token header. Token string should not contain spaces."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_found_and_refused_with_the_reason() {
        for good in ["token abc", "Token abc", "TOKEN  abc "] {
            assert_eq!(token(good.as_bytes()).unwrap(), "abc", "{good}");
        }
        for (bad, reason) in [
            (&b""[..], NOT_PROVIDED),
            (b"Bearer abc", NOT_PROVIDED),
            (b"Basic abc", NOT_PROVIDED),
            (b"abc", NOT_PROVIDED),
            (b"token", "Invalid token header. No credentials provided."),
            (b"token ", "Invalid token header. No credentials provided."),
            (b"token a b", "Invalid token header. Token string should not contain spaces."),
            (b"token \xff", "Invalid token header. Token string should not contain invalid characters."),
        ] {
            assert_eq!(token(bad).unwrap_err().to_string(), reason, "{bad:?}");
        }
    }
}
