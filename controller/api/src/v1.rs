//! `/v1` is shared: Deis 1.x and dployr both live there. This is the one place that tells them apart.
//! Source: `deis-v1.md` §13.

use http::{HeaderMap, header};
use slipway_core::authz::Actor;
use slipway_core::{Error, Result};
use slipway_service::Service;

use crate::call::Call;
use crate::fields::Fields;
use crate::route::Generation;

/// The only path that both APIs define.
pub const LOGIN: &str = "/v1/auth/login";

/// First segments of paths that are dployr's; so are `auth/refresh` and `auth/logout`.
const DPLOYR: [&str; 6] = ["deployments", "services", "instances", "proxy", "projects", "webhooks"];
/// First segments of paths that are Deis'.
const DEIS: [&str; 7] = ["", "admin", "apps", "auth", "hooks", "keys", "users"];

/// The user whose token the request carries: the scheme tells of which kind it is, whatever the path.
///
/// # Errors
/// `Unauthenticated`, with the reason.
pub async fn user(service: &Service, headers: &HeaderMap) -> Result<Actor> {
    match bearer(headers) {
        Some(Ok(token)) => service.access_authenticate(token).await,
        Some(Err(error)) => Err(error),
        None => crate::drycc_v2::auth::user(service, headers).await,
    }
}

/// The token of the scheme `Bearer`, if that is what the request carries.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<Result<&str>> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked(7)?;
    if !scheme.eq_ignore_ascii_case(b"bearer ") {
        return None;
    }
    let token = std::str::from_utf8(token).map(str::trim).ok().filter(|token| !token.is_empty());
    Some(token.ok_or_else(|| Error::Unauthenticated("The bearer token is malformed.".to_owned())))
}

/// Whose log-in a request is. The keys of the body decide, whatever they hold, because a Deis user's name may look
/// like an address; the form of body and path break ties.
#[must_use]
pub fn login_generation(call: &Call) -> Generation {
    let fields = call.fields().ok();
    generation_by_keys(fields.as_ref())
        .unwrap_or_else(|| login_generation_unread(&call.path, call.content.media_type.as_deref()))
}

fn generation_by_keys(fields: Option<&Fields>) -> Option<Generation> {
    let fields = fields?;
    match (fields.is_given("username"), fields.is_given("email")) {
        (false, true) => Some(Generation::DployrV1),
        (true, false) => Some(Generation::DeisV1),
        (true, true) | (false, false) => None,
    }
}

/// Whose log-in it is as far as that can be told without the body.
#[must_use]
pub fn login_generation_unread(path: &str, media_type: Option<&str>) -> Generation {
    let essence = media_type.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_form = matches!(essence.as_str(), "application/x-www-form-urlencoded" | "multipart/form-data");
    if is_form || path.ends_with('/') { Generation::DeisV1 } else { Generation::DployrV1 }
}

/// Whose shape a refusal of an unknown path has; `None` for paths that are not under `/v1`.
#[must_use]
pub fn unknown_generation(path: &str, headers: &HeaderMap) -> Option<Generation> {
    let mut segments = path.strip_prefix('/')?.split('/');
    if segments.next() != Some("v1") {
        return None;
    }
    let (first, second) = (segments.next().unwrap_or_default(), segments.next().unwrap_or_default());
    let is_bearer = bearer(headers).is_some();
    let is_dployr = match first {
        "auth" => matches!(second, "refresh" | "logout"),
        first if DEIS.contains(&first) => false,
        first => DPLOYR.contains(&first) || is_bearer,
    };
    Some(if is_dployr { Generation::DployrV1 } else { Generation::DeisV1 })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_decide_and_values_do_not() {
        for (body, expect) in [
            (json!({"username": "a@b.c", "password": "x"}), Some(Generation::DeisV1)),
            (json!({"username": 1, "zzz": 2}), Some(Generation::DeisV1)),
            (json!({"email": "bob", "password": "x"}), Some(Generation::DployrV1)),
            (json!({"email": "a@b.c", "username": null}), Some(Generation::DployrV1)),
            (json!({"email": "", "username": ""}), None),
            (json!({"password": "x"}), None),
            (json!({}), None),
        ] {
            assert_eq!(generation_by_keys(Fields::new(body.clone()).ok().as_ref()), expect, "{body}");
        }
        assert_eq!(generation_by_keys(None), None);
    }

    #[test]
    fn form_and_slash_break_ties() {
        for (path, media_type, expect) in [
            ("/v1/auth/login/", None, Generation::DeisV1),
            ("/v1/auth/login", None, Generation::DployrV1),
            ("/v1/auth/login", Some("application/json"), Generation::DployrV1),
            ("/v1/auth/login", Some("application/x-www-form-urlencoded"), Generation::DeisV1),
            ("/v1/auth/login", Some("Multipart/Form-Data; boundary=x"), Generation::DeisV1),
            ("/v1/auth/login/", Some("application/json"), Generation::DeisV1),
        ] {
            assert_eq!(login_generation_unread(path, media_type), expect, "{path} {media_type:?}");
        }
    }

    #[test]
    fn unknown_paths_have_a_family() {
        let none = HeaderMap::new();
        let mut bearer = HeaderMap::new();
        bearer.insert(header::AUTHORIZATION, "bearer abc".parse().unwrap());
        for (path, headers, expect) in [
            ("/v1/apps/a/b/c/d", &bearer, Some(Generation::DeisV1)),
            ("/v1/deployments/1", &none, Some(Generation::DployrV1)),
            ("/v1/auth/refresh", &none, Some(Generation::DployrV1)),
            ("/v1/auth/logout/", &none, Some(Generation::DployrV1)),
            ("/v1/auth/nothing", &bearer, Some(Generation::DeisV1)),
            ("/v1/nothing", &none, Some(Generation::DeisV1)),
            ("/v1/nothing", &bearer, Some(Generation::DployrV1)),
            ("/v1//", &none, Some(Generation::DeisV1)),
            ("/v2/nothing", &bearer, None),
            ("/v10/apps", &none, None),
            ("", &none, None),
        ] {
            assert_eq!(unknown_generation(path, headers), expect, "{path}");
        }
    }
}
