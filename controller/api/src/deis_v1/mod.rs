//! The Deis controller API 1.0, `/v1`, with what the later servers of its line (1.1 – 1.7) added and their clients
//! use. Source: `deis-v1.md`.
//!
//! Everything here is another face of the use cases that `/v2` has. `/v1` is shared with dployr; [`crate::v1`] tells
//! the two apart.

use http::{HeaderMap, HeaderValue, Method, header};
use poem::Response;
use slipway_core::authz::AppAction;
use slipway_core::release::Release;

use crate::call::{Call, Failure, Handler};
use crate::handler;
use crate::route::{Access, Generation, Route};

mod app;
mod build;
mod config;
mod container;
mod domain;
pub mod error;
mod from_wire;
mod hook;
mod key;
mod log;
mod page;
mod perm;
mod release;
mod to_wire;
mod units;
mod user;

/// The version of the API that this is.
const VERSION: &str = "1.0";

/// Headers by which clients learn the server's version, in the spellings of all servers of the line.
/// Source: `deis-v1.md` §2.
pub const HEADERS: [(&str, &str); 4] = [
    ("x_deis_api_version", VERSION),
    ("x_deis_platform_version", env!("CARGO_PKG_VERSION")),
    ("deis_api_version", VERSION),
    ("deis_platform_version", env!("CARGO_PKG_VERSION")),
];
/// Headers in which clients say theirs.
const CLIENT_VERSION_HEADERS: [&str; 2] = ["x-deis-version", "deis-version"];
/// Headers that tell the number of a new release; the Python client cannot do without the first.
const RELEASE_HEADERS: [&str; 2] = ["x-deis-release", "deis-release"];
/// How the Go client names itself.
const GO_CLIENT: &[u8] = b"Deis Client v";

/// The routes. Of two patterns that fit one path the earlier wins, so `containers/restart` stands before
/// `containers/{type}`.
#[must_use]
pub fn routes() -> Vec<Route> {
    let mut routes = account_routes();
    routes.extend(app_routes());
    routes.extend(release_routes());
    routes.extend(hook_routes());
    routes
}

const fn route(
    method: Method,
    pattern: &'static str,
    operation: &'static str,
    access: Access,
    handler: Handler,
) -> Route {
    Route::new(Generation::DeisV1, method, pattern, operation, access, handler)
}

const GET: Method = Method::GET;
const POST: Method = Method::POST;
const DELETE: Method = Method::DELETE;

fn account_routes() -> Vec<Route> {
    use Access::{Optional, Public, User};
    vec![
        route(GET, "/v1", "deis_v1_root_read", User, handler!(user::root_read)),
        route(POST, "/v1/auth/register", "deis_v1_user_register", Optional, handler!(user::user_register)),
        route(POST, crate::v1::LOGIN, "deis_v1_user_login", Public, handler!(user::user_login)),
        route(DELETE, "/v1/auth/cancel", "deis_v1_user_cancel", User, handler!(user::user_cancel)),
        route(POST, "/v1/auth/passwd", "deis_v1_user_password_change", User, handler!(user::user_password_change)),
        route(POST, "/v1/auth/tokens", "deis_v1_token_regenerate", User, handler!(user::token_regenerate)),
        route(GET, "/v1/keys", "deis_v1_keys_list", User, handler!(key::keys_list)),
        route(POST, "/v1/keys", "deis_v1_key_create", User, handler!(key::key_create)),
        route(GET, "/v1/keys/{key*}", "deis_v1_key_read", User, handler!(key::key_read)),
        route(DELETE, "/v1/keys/{key*}", "deis_v1_key_delete", User, handler!(key::key_delete)),
        route(GET, "/v1/admin/perms", "deis_v1_admins_list", User, handler!(perm::admins_list)),
        route(POST, "/v1/admin/perms", "deis_v1_admin_grant", User, handler!(perm::admin_grant)),
        route(DELETE, "/v1/admin/perms/{user}", "deis_v1_admin_revoke", User, handler!(perm::admin_revoke)),
    ]
}

fn app_routes() -> Vec<Route> {
    use Access::User;
    vec![
        route(GET, "/v1/apps", "deis_v1_apps_list", User, handler!(app::apps_list)),
        route(POST, "/v1/apps", "deis_v1_app_create", User, handler!(app::app_create)),
        route(GET, "/v1/apps/{app}", "deis_v1_app_read", User, handler!(app::app_read)),
        route(POST, "/v1/apps/{app}", "deis_v1_app_transfer", User, handler!(app::app_transfer))
            .action(AppAction::Manage),
        route(DELETE, "/v1/apps/{app}", "deis_v1_app_destroy", User, handler!(app::app_destroy)),
        route(GET, "/v1/apps/{app}/logs", "deis_v1_app_logs", User, handler!(log::app_logs)),
        route(POST, "/v1/apps/{app}/run", "deis_v1_app_run", User, handler!(app::app_run)).drop_when_abandoned(),
        route(POST, "/v1/apps/{app}/scale", "deis_v1_app_scale", User, handler!(app::app_scale)),
        route(GET, "/v1/apps/{app}/containers", "deis_v1_containers_list", User, handler!(container::containers_list)),
        route(
            POST,
            "/v1/apps/{app}/containers/restart",
            "deis_v1_containers_restart",
            User,
            handler!(container::containers_restart),
        ),
        route(
            GET,
            "/v1/apps/{app}/containers/{type}",
            "deis_v1_containers_list_type",
            User,
            handler!(container::containers_list_type),
        ),
        route(
            POST,
            "/v1/apps/{app}/containers/{type}/restart",
            "deis_v1_containers_restart_type",
            User,
            handler!(container::containers_restart_type),
        ),
        route(
            GET,
            "/v1/apps/{app}/containers/{type}/{num}",
            "deis_v1_container_read",
            User,
            handler!(container::container_read),
        ),
        route(
            POST,
            "/v1/apps/{app}/containers/{type}/{num}/restart",
            "deis_v1_container_restart",
            User,
            handler!(container::container_restart),
        ),
        route(GET, "/v1/apps/{app}/domains", "deis_v1_domains_list", User, handler!(domain::domains_list)),
        route(POST, "/v1/apps/{app}/domains", "deis_v1_domain_create", User, handler!(domain::domain_create)),
        route(
            DELETE,
            "/v1/apps/{app}/domains/{domain}",
            "deis_v1_domain_delete",
            User,
            handler!(domain::domain_delete),
        ),
        route(GET, "/v1/apps/{app}/perms", "deis_v1_perms_list", User, handler!(perm::perms_list)),
        route(POST, "/v1/apps/{app}/perms", "deis_v1_perm_grant", User, handler!(perm::perm_grant))
            .action(AppAction::Manage),
        route(DELETE, "/v1/apps/{app}/perms/{user}", "deis_v1_perm_revoke", User, handler!(perm::perm_revoke)),
        // As the API's document has it; its servers and clients used `DELETE`.
        route(POST, "/v1/apps/{app}/perms/{user}", "deis_v1_perm_revoke_post", User, handler!(perm::perm_revoke)),
    ]
}

fn release_routes() -> Vec<Route> {
    use Access::User;
    vec![
        route(GET, "/v1/apps/{app}/config", "deis_v1_config_read", User, handler!(config::config_read)),
        route(POST, "/v1/apps/{app}/config", "deis_v1_config_set", User, handler!(config::config_set)),
        route(GET, "/v1/apps/{app}/builds", "deis_v1_builds_list", User, handler!(build::builds_list)),
        route(POST, "/v1/apps/{app}/builds", "deis_v1_build_create", User, handler!(build::build_create)),
        route(GET, "/v1/apps/{app}/builds/{build}", "deis_v1_build_read", User, handler!(build::build_read)),
        route(GET, "/v1/apps/{app}/releases", "deis_v1_releases_list", User, handler!(release::releases_list)),
        route(
            POST,
            "/v1/apps/{app}/releases/rollback",
            "deis_v1_release_rollback",
            User,
            handler!(release::release_rollback),
        ),
        route(GET, "/v1/apps/{app}/releases/{version}", "deis_v1_release_read", User, handler!(release::release_read)),
    ]
}

fn hook_routes() -> Vec<Route> {
    use Access::Builder;
    vec![
        route(POST, "/v1/hooks/push", "deis_v1_hook_push", Builder, handler!(hook::hook_push)),
        route(POST, "/v1/hooks/build", "deis_v1_hook_build", Builder, handler!(hook::hook_build)),
        route(POST, "/v1/hooks/config", "deis_v1_hook_config", Builder, handler!(hook::hook_config)),
    ]
}

/// Refuses a client that says to be made for another major version. Source: `deis-v1.md` §2.
///
/// # Errors
/// `OtherVersion`.
pub fn version_check(headers: &HeaderMap) -> Result<(), Failure> {
    let Some(client) = CLIENT_VERSION_HEADERS.iter().find_map(|name| headers.get(*name)) else { return Ok(()) };
    let client: String = String::from_utf8_lossy(client.as_bytes()).trim().chars().take(40).collect();
    if client.split('.').next() == VERSION.split('.').next() {
        Ok(())
    } else {
        Err(Failure::OtherVersion { client, server: VERSION })
    }
}

/// Whether the Python client of Deis asks.
fn is_python_client(call: &Call) -> bool {
    call.headers.contains_key("x-deis-version")
}

/// Whether the Go client of Deis asks.
fn is_go_client(call: &Call) -> bool {
    call.headers.get(header::USER_AGENT).is_some_and(|agent| agent.as_bytes().starts_with(GO_CLIENT))
}

/// Tells the number of the new release.
fn with_release(mut answer: Response, release: &Release) -> Response {
    for name in RELEASE_HEADERS {
        answer.headers_mut().insert(name, HeaderValue::from(release.version.0));
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_another_major_version_is_refused() {
        let check = |name: &str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
            version_check(&headers).is_ok()
        };
        assert!(version_check(&HeaderMap::new()).is_ok());
        for name in CLIENT_VERSION_HEADERS {
            for good in ["1", "1.0", "1.7", " 1.0.1 "] {
                assert!(check(name, good), "{good}");
            }
            for bad in ["2.0", "0.9", "", "10.0", "v1.0", "\u{a0}"] {
                assert!(!check(name, bad), "{bad}");
            }
        }
    }
}
