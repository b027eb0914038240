//! The Drycc and Deis API 2.0 – 2.3, `/v2`, with Slipway's additions. Source: `drycc-v2.md` §2.0.
//!
//! Some things are added to the contract without changing it: `apps/<id>/logs?follow=true`, the logs of builds
//! from source, `slipway/` (where the platform's parts are), and the builder's hooks `access`, `apps`, `releases`,
//! `builds` and `buildlog`.

use http::Method;
use slipway_core::authz::AppAction;

use crate::handler;
use crate::route::{Access, Generation, Route};

mod app;
pub mod auth;
mod build;
mod cert;
mod config;
mod domain;
pub mod error;
pub(crate) mod from_wire;
mod hook;
mod key;
mod log;
mod order;
mod perm;
mod pod;
mod release;
mod resource;
mod service;
mod settings;
mod to_wire;
mod user;
mod volume;

/// Headers by which both families of clients decide that they may talk to a server. Source: `drycc-v2.md` §1.3.
pub const HEADERS: [(&str, &str); 4] = [
    ("deis_api_version", "2.3"),
    ("deis_platform_version", "2.3.0"),
    ("drycc_api_version", "2.3"),
    ("drycc_platform_version", "2.3.0"),
];

/// Largest body of `hooks/buildlog/`: 4 MiB of log, and what JSON adds to it.
const BUILD_LOG_BODY_MAX: usize = 5 * 1024 * 1024;

/// The routes. Of two patterns that fit one path the earlier wins, so `pods/restart` stands before `pods/{type}`.
#[must_use]
pub fn routes() -> Vec<Route> {
    let mut routes = account_routes();
    routes.extend(cert_routes());
    routes.extend(app_routes());
    routes.extend(routing_routes());
    routes.extend(routes_of_2020());
    routes.extend(hook_routes());
    routes
}

const fn route(
    method: Method,
    pattern: &'static str,
    operation: &'static str,
    access: Access,
    handler: crate::call::Handler,
) -> Route {
    Route::new(Generation::DryccV2, method, pattern, operation, access, handler)
}

fn account_routes() -> Vec<Route> {
    use Access::{Optional, Public, User};
    const GET: Method = Method::GET;
    const PATCH: Method = Method::PATCH;
    const POST: Method = Method::POST;
    const DELETE: Method = Method::DELETE;
    vec![
        route(GET, "/v2", "drycc_v2_root_read", User, handler!(user::root_read)),
        route(GET, "/v2/slipway", "drycc_v2_platform_read", User, handler!(user::platform_read)),
        route(POST, "/v2/auth/register", "drycc_v2_user_register", Optional, handler!(user::user_register)),
        route(POST, "/v2/auth/login", "drycc_v2_user_login", Public, handler!(user::user_login)),
        route(DELETE, "/v2/auth/cancel", "drycc_v2_user_cancel", User, handler!(user::user_cancel)),
        route(POST, "/v2/auth/passwd", "drycc_v2_user_password_change", User, handler!(user::user_password_change)),
        route(POST, "/v2/auth/tokens", "drycc_v2_token_regenerate", User, handler!(user::token_regenerate)),
        route(GET, "/v2/auth/tokens/{user}", "drycc_v2_token_read", User, handler!(user::token_read)),
        route(GET, "/v2/auth/whoami", "drycc_v2_user_whoami", User, handler!(user::user_whoami)),
        route(GET, "/v2/users", "drycc_v2_users_list", User, handler!(user::users_list)),
        route(PATCH, "/v2/users/{user}/enable", "drycc_v2_user_enable", User, handler!(user::user_enable)),
        route(PATCH, "/v2/users/{user}/disable", "drycc_v2_user_disable", User, handler!(user::user_disable)),
        route(GET, "/v2/admin/perms", "drycc_v2_admins_list", User, handler!(perm::admins_list)),
        route(POST, "/v2/admin/perms", "drycc_v2_admin_grant", User, handler!(perm::admin_grant)),
        route(DELETE, "/v2/admin/perms/{user}", "drycc_v2_admin_revoke", User, handler!(perm::admin_revoke)),
        route(GET, "/v2/keys", "drycc_v2_keys_list", User, handler!(key::keys_list)),
        route(POST, "/v2/keys", "drycc_v2_key_create", User, handler!(key::key_create)),
        route(GET, "/v2/keys/{key*}", "drycc_v2_key_read", User, handler!(key::key_read)),
        route(DELETE, "/v2/keys/{key*}", "drycc_v2_key_delete", User, handler!(key::key_delete)),
    ]
}

fn cert_routes() -> Vec<Route> {
    use Access::User;
    const GET: Method = Method::GET;
    const POST: Method = Method::POST;
    const DELETE: Method = Method::DELETE;
    vec![
        route(GET, "/v2/certs", "drycc_v2_certs_list", User, handler!(cert::certs_list)),
        route(POST, "/v2/certs", "drycc_v2_cert_create", User, handler!(cert::cert_create)),
        route(GET, "/v2/certs/{cert}", "drycc_v2_cert_read", User, handler!(cert::cert_read)),
        route(DELETE, "/v2/certs/{cert}", "drycc_v2_cert_delete", User, handler!(cert::cert_delete)),
        route(POST, "/v2/certs/{cert}/domain", "drycc_v2_cert_attach", User, handler!(cert::cert_attach)),
        route(
            POST,
            "/v2/certs/{cert}/domain/{domain}",
            "drycc_v2_cert_attach_segment",
            User,
            handler!(cert::cert_attach),
        ),
        route(DELETE, "/v2/certs/{cert}/domain/{domain}", "drycc_v2_cert_detach", User, handler!(cert::cert_detach)),
    ]
}

fn app_routes() -> Vec<Route> {
    use Access::User;
    const GET: Method = Method::GET;
    const POST: Method = Method::POST;
    const DELETE: Method = Method::DELETE;
    vec![
        route(GET, "/v2/apps", "drycc_v2_apps_list", User, handler!(app::apps_list)),
        route(POST, "/v2/apps", "drycc_v2_app_create", User, handler!(app::app_create)),
        route(GET, "/v2/apps/{app}", "drycc_v2_app_read", User, handler!(app::app_read)),
        route(POST, "/v2/apps/{app}", "drycc_v2_app_transfer", User, handler!(app::app_transfer))
            .action(AppAction::Manage),
        route(DELETE, "/v2/apps/{app}", "drycc_v2_app_destroy", User, handler!(app::app_destroy)),
        route(GET, "/v2/apps/{app}/logs", "drycc_v2_app_logs", User, handler!(log::app_logs)),
        route(POST, "/v2/apps/{app}/run", "drycc_v2_app_run", User, handler!(app::app_run)).drop_when_abandoned(),
        route(GET, "/v2/apps/{app}/run", "drycc_v2_app_run_session", User, handler!(app::app_run_session)),
        route(POST, "/v2/apps/{app}/scale", "drycc_v2_app_scale", User, handler!(app::app_scale)),
        route(GET, "/v2/apps/{app}/pods", "drycc_v2_pods_list", User, handler!(pod::pods_list)),
        route(POST, "/v2/apps/{app}/pods/restart", "drycc_v2_pods_restart", User, handler!(pod::pods_restart)),
        route(GET, "/v2/apps/{app}/pods/{type}", "drycc_v2_pods_list_type", User, handler!(pod::pods_list_type)),
        route(
            POST,
            "/v2/apps/{app}/pods/{type}/restart",
            "drycc_v2_pods_restart_segment",
            User,
            handler!(pod::pods_restart_segment),
        ),
        route(GET, "/v2/apps/{app}/pods/{pod}/exec", "drycc_v2_pod_exec", User, handler!(pod::pod_exec)),
        route(GET, "/v2/apps/{app}/pods/{ptype}/{pod}", "drycc_v2_pod_read", User, handler!(pod::pod_read)),
        route(
            POST,
            "/v2/apps/{app}/pods/{ptype}/{pod}/restart",
            "drycc_v2_pod_restart",
            User,
            handler!(pod::pod_restart),
        ),
        route(GET, "/v2/apps/{app}/config", "drycc_v2_config_read", User, handler!(config::config_read)),
        route(POST, "/v2/apps/{app}/config", "drycc_v2_config_set", User, handler!(config::config_set)),
        route(GET, "/v2/apps/{app}/build", "drycc_v2_build_current", User, handler!(build::build_current)),
        route(POST, "/v2/apps/{app}/build", "drycc_v2_build_create", User, handler!(build::build_create)),
        route(GET, "/v2/apps/{app}/builds", "drycc_v2_builds_list", User, handler!(build::builds_list)),
        route(POST, "/v2/apps/{app}/builds", "drycc_v2_builds_create", User, handler!(build::build_create)),
        route(GET, "/v2/apps/{app}/builds/logs", "drycc_v2_build_logs_list", User, handler!(log::build_logs_list)),
        route(GET, "/v2/apps/{app}/builds/log", "drycc_v2_build_log_read", User, handler!(log::build_log_read)),
        route(POST, "/v2/apps/{app}/builds/cancel", "drycc_v2_build_cancel", User, handler!(log::build_cancel)),
        route(GET, "/v2/apps/{app}/builds/{build}", "drycc_v2_build_read", User, handler!(build::build_read)),
        route(GET, "/v2/apps/{app}/releases", "drycc_v2_releases_list", User, handler!(release::releases_list)),
        route(
            POST,
            "/v2/apps/{app}/releases/rollback",
            "drycc_v2_release_rollback",
            User,
            handler!(release::release_rollback),
        ),
        route(GET, "/v2/apps/{app}/releases/{version}", "drycc_v2_release_read", User, handler!(release::release_read)),
        route(GET, "/v2/apps/{app}/domains", "drycc_v2_domains_list", User, handler!(domain::domains_list)),
        route(GET, "/v2/apps/{app}/perms", "drycc_v2_perms_list", User, handler!(perm::perms_list)),
        route(POST, "/v2/apps/{app}/perms", "drycc_v2_perm_grant", User, handler!(perm::perm_grant))
            .action(AppAction::Manage),
        route(DELETE, "/v2/apps/{app}/perms/{user}", "drycc_v2_perm_revoke", User, handler!(perm::perm_revoke)),
    ]
}

/// What Drycc added in 2020 under the same version. Source: `drycc-v2.md` §2.13.
fn routes_of_2020() -> Vec<Route> {
    use Access::User;
    const GET: Method = Method::GET;
    const POST: Method = Method::POST;
    const PUT: Method = Method::PUT;
    const PATCH: Method = Method::PATCH;
    const DELETE: Method = Method::DELETE;
    vec![
        route(POST, "/v2/apps/{app}/start", "drycc_v2_app_start", User, handler!(app::app_start)),
        route(POST, "/v2/apps/{app}/stop", "drycc_v2_app_stop", User, handler!(app::app_stop)),
        route(GET, "/v2/apps/{app}/services", "drycc_v2_services_list", User, handler!(service::services_list)),
        route(POST, "/v2/apps/{app}/services", "drycc_v2_service_set", User, handler!(service::service_set)),
        route(DELETE, "/v2/apps/{app}/services", "drycc_v2_service_delete", User, handler!(service::service_delete)),
        route(GET, "/v2/apps/{app}/volumes", "drycc_v2_volumes_list", User, handler!(volume::volumes_list)),
        route(POST, "/v2/apps/{app}/volumes", "drycc_v2_volume_create", User, handler!(volume::volume_create)),
        route(
            PATCH,
            "/v2/apps/{app}/volumes/{volume}",
            "drycc_v2_volume_expand",
            User,
            handler!(volume::volume_expand),
        ),
        route(
            DELETE,
            "/v2/apps/{app}/volumes/{volume}",
            "drycc_v2_volume_delete",
            User,
            handler!(volume::volume_delete),
        ),
        route(
            PATCH,
            "/v2/apps/{app}/volumes/{volume}/path",
            "drycc_v2_volume_mount",
            User,
            handler!(volume::volume_mount),
        ),
        route(GET, "/v2/apps/{app}/resources", "drycc_v2_resources_list", User, handler!(resource::resources_list)),
        route(POST, "/v2/apps/{app}/resources", "drycc_v2_resource_create", User, handler!(resource::resource_create)),
        route(
            GET,
            "/v2/apps/{app}/resources/{resource}",
            "drycc_v2_resource_read",
            User,
            handler!(resource::resource_find),
        ),
        route(
            PUT,
            "/v2/apps/{app}/resources/{resource}",
            "drycc_v2_resource_update",
            User,
            handler!(resource::resource_find),
        ),
        route(
            DELETE,
            "/v2/apps/{app}/resources/{resource}",
            "drycc_v2_resource_delete",
            User,
            handler!(resource::resource_delete),
        ),
        route(
            PATCH,
            "/v2/apps/{app}/resources/{resource}/binding",
            "drycc_v2_resource_bind",
            User,
            handler!(resource::resource_find),
        ),
    ]
}

/// Where and how apps are reached.
fn routing_routes() -> Vec<Route> {
    use Access::User;
    const GET: Method = Method::GET;
    const POST: Method = Method::POST;
    const DELETE: Method = Method::DELETE;
    vec![
        route(POST, "/v2/apps/{app}/domains", "drycc_v2_domain_create", User, handler!(domain::domain_create)),
        route(
            DELETE,
            "/v2/apps/{app}/domains/{domain}",
            "drycc_v2_domain_delete",
            User,
            handler!(domain::domain_delete),
        ),
        route(GET, "/v2/apps/{app}/settings", "drycc_v2_settings_read", User, handler!(settings::settings_read)),
        route(POST, "/v2/apps/{app}/settings", "drycc_v2_settings_set", User, handler!(settings::settings_set)),
        route(GET, "/v2/apps/{app}/tls", "drycc_v2_tls_read", User, handler!(settings::tls_read)),
        route(POST, "/v2/apps/{app}/tls", "drycc_v2_tls_set", User, handler!(settings::tls_set)),
        route(GET, "/v2/apps/{app}/whitelist", "drycc_v2_whitelist_read", User, handler!(settings::allowlist_read)),
        route(POST, "/v2/apps/{app}/whitelist", "drycc_v2_whitelist_add", User, handler!(settings::allowlist_add)),
        route(
            DELETE,
            "/v2/apps/{app}/whitelist",
            "drycc_v2_whitelist_remove",
            User,
            handler!(settings::whitelist_remove),
        )
        .action(AppAction::Remove),
        route(GET, "/v2/apps/{app}/allowlist", "drycc_v2_allowlist_read", User, handler!(settings::allowlist_read)),
        route(POST, "/v2/apps/{app}/allowlist", "drycc_v2_allowlist_add", User, handler!(settings::allowlist_add)),
        route(
            DELETE,
            "/v2/apps/{app}/allowlist",
            "drycc_v2_allowlist_remove",
            User,
            handler!(settings::allowlist_remove),
        )
        .action(AppAction::Remove),
    ]
}

fn hook_routes() -> Vec<Route> {
    use Access::Builder;
    const GET: Method = Method::GET;
    const POST: Method = Method::POST;
    vec![
        route(GET, "/v2/hooks/key/{fingerprint*}", "drycc_v2_hook_key", Builder, handler!(hook::hook_key)),
        route(GET, "/v2/hooks/keys/{app}", "drycc_v2_hook_keys", Builder, handler!(hook::hook_keys)),
        route(GET, "/v2/hooks/keys/{app}/{user}", "drycc_v2_hook_keys_user", Builder, handler!(hook::hook_keys)),
        route(POST, "/v2/hooks/config", "drycc_v2_hook_config", Builder, handler!(hook::hook_config)),
        route(POST, "/v2/hooks/build", "drycc_v2_hook_build", Builder, handler!(hook::hook_build)),
        route(POST, "/v2/hooks/access", "drycc_v2_hook_access", Builder, handler!(hook::hook_access)),
        route(GET, "/v2/hooks/apps", "drycc_v2_hook_apps", Builder, handler!(hook::hook_apps)),
        route(
            GET,
            "/v2/hooks/releases/{app}/{version}",
            "drycc_v2_hook_release_progress",
            Builder,
            handler!(hook::hook_release_progress),
        )
        .drop_when_abandoned(),
        route(POST, "/v2/hooks/builds", "drycc_v2_hook_build_begin", Builder, handler!(hook::hook_build_begin)),
        route(
            GET,
            "/v2/hooks/builds/{app}/{build}",
            "drycc_v2_hook_build_watch",
            Builder,
            handler!(hook::hook_build_watch),
        )
        .drop_when_abandoned(),
        route(POST, "/v2/hooks/buildlog", "drycc_v2_hook_build_log", Builder, handler!(hook::hook_build_log))
            .body_max(BUILD_LOG_BODY_MAX),
        route(POST, "/v2/hooks/orders/claim", "drycc_v2_hook_order_claim", Builder, handler!(order::order_claim)),
        route(POST, "/v2/hooks/orders/renew", "drycc_v2_hook_order_renew", Builder, handler!(order::order_renew)),
        route(POST, "/v2/hooks/orders/finish", "drycc_v2_hook_order_finish", Builder, handler!(order::order_finish)),
    ]
}
