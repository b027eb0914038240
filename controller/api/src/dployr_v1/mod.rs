//! The dployr API, `/v1`: deployments, services, instances, routes, projects and webhooks over the same apps that `/v2`
//! has. Source: `dployr-v1.md`.
//!
//! `/v1` is shared with Deis 1.x; [`crate::v1`] tells the two apart.

use http::Method;
use poem::Response;

use crate::call::{Call, Handler};
use crate::handler;
use crate::route::{Access, Generation, Route};

pub mod adapter;
mod auth;
mod deployment;
pub mod error;
mod from_wire;
mod instance;
pub mod log;
mod project;
pub mod rate;
mod route;
mod service;
mod to_wire;
mod to_wire_instance;
mod webhook;

/// The routes.
#[must_use]
pub fn routes() -> Vec<Route> {
    use Access::{Public, User};
    let mut routes = vec![
        row(POST, "/v1/auth/refresh", "dployr_v1_login_refresh", Public, handler!(auth::login_refresh)),
        row(POST, "/v1/auth/logout", "dployr_v1_login_end", User, handler!(auth::login_end)),
    ];
    routes.extend(deployment_routes());
    routes.extend(service_routes());
    routes.extend(other_routes());
    routes
}

fn deployment_routes() -> Vec<Route> {
    const ONE: &str = "/v1/deployments/{deployment}";
    vec![
        user(GET, "/v1/deployments", "dployr_v1_deployments_list", handler!(deployment::deployments_list)),
        user(POST, "/v1/deployments", "dployr_v1_deployment_create", handler!(deployment::deployment_create)),
        user(GET, ONE, "dployr_v1_deployment_read", handler!(deployment::deployment_read)),
        user(PUT, ONE, "dployr_v1_deployment_update", handler!(deployment::deployment_update)),
        user(DELETE, ONE, "dployr_v1_deployment_delete", handler!(deployment::deployment_delete)),
    ]
}

fn service_routes() -> Vec<Route> {
    vec![
        user(GET, "/v1/services", "dployr_v1_services_list", handler!(service::services_list)),
        user(GET, "/v1/services/{service}", "dployr_v1_service_read", handler!(service::service_read)),
        user(GET, "/v1/services/{service}/status", "dployr_v1_service_status", handler!(service::service_status)),
        user(POST, "/v1/services/{service}/start", "dployr_v1_service_start", handler!(service::service_start)),
        user(POST, "/v1/services/{service}/stop", "dployr_v1_service_stop", handler!(service::service_stop)),
        user(POST, "/v1/services/{service}/restart", "dployr_v1_service_restart", handler!(service::service_restart)),
        user(GET, "/v1/services/{service}/logs", "dployr_v1_service_logs", handler!(log::service_logs))
            .drop_when_abandoned(),
        user(GET, "/v1/services/{service}/env", "dployr_v1_env_list", handler!(service::env_list)),
        user(POST, "/v1/services/{service}/env", "dployr_v1_env_set", handler!(service::env_set)),
        user(DELETE, "/v1/services/{service}/env/{key}", "dployr_v1_env_unset", handler!(service::env_unset)),
        user(GET, "/v1/instances", "dployr_v1_instances_list", handler!(instance::instances_list)),
        user(GET, "/v1/instances/{instance}", "dployr_v1_instance_read", handler!(instance::instance_read)),
        user(
            GET,
            "/v1/instances/{instance}/metrics",
            "dployr_v1_instance_metrics",
            handler!(instance::instance_metrics),
        ),
    ]
}

fn other_routes() -> Vec<Route> {
    const REPLAY: &str = "/v1/webhooks/{webhook}/deliveries/{delivery}/replay";
    vec![
        user(GET, "/v1/proxy/routes", "dployr_v1_routes_list", handler!(route::routes_list)),
        user(POST, "/v1/proxy/routes", "dployr_v1_route_create", handler!(route::route_create)),
        user(DELETE, "/v1/proxy/routes/{route}", "dployr_v1_route_delete", handler!(route::route_delete)),
        user(GET, "/v1/projects", "dployr_v1_projects_list", handler!(project::projects_list)),
        user(POST, "/v1/projects", "dployr_v1_project_create", handler!(project::project_create)),
        user(GET, "/v1/projects/{project}", "dployr_v1_project_read", handler!(project::project_read)),
        user(DELETE, "/v1/projects/{project}", "dployr_v1_project_delete", handler!(project::project_delete)),
        user(GET, "/v1/webhooks", "dployr_v1_webhooks_list", handler!(webhook::webhooks_list)),
        user(POST, "/v1/webhooks", "dployr_v1_webhook_create", handler!(webhook::webhook_create)),
        user(GET, "/v1/webhooks/{webhook}", "dployr_v1_webhook_read", handler!(webhook::webhook_read)),
        user(DELETE, "/v1/webhooks/{webhook}", "dployr_v1_webhook_delete", handler!(webhook::webhook_delete)),
        user(POST, "/v1/webhooks/{webhook}/test", "dployr_v1_webhook_test", handler!(webhook::webhook_test)),
        user(GET, "/v1/webhooks/{webhook}/deliveries", "dployr_v1_deliveries_list", handler!(webhook::deliveries_list)),
        user(POST, REPLAY, "dployr_v1_delivery_replay", handler!(webhook::delivery_replay)),
    ]
}

const GET: Method = Method::GET;
const POST: Method = Method::POST;
const PUT: Method = Method::PUT;
const DELETE: Method = Method::DELETE;

const fn user(method: Method, pattern: &'static str, operation: &'static str, handler: Handler) -> Route {
    row(method, pattern, operation, Access::User, handler)
}

const fn row(
    method: Method,
    pattern: &'static str,
    operation: &'static str,
    access: Access,
    handler: Handler,
) -> Route {
    Route::new(Generation::DployrV1, method, pattern, operation, access, handler)
}

/// The log-in, which has its path in common with that of Deis.
pub(crate) async fn login(call: &Call) -> Response {
    let rate = call.state.service.rate_take(Some(&call.cx.actor), call.cx.remote).await;
    let mut response = if rate.retry_after_secs.is_some() {
        rate::refusal(&rate)
    } else {
        auth::login_begin(call).await.unwrap_or_else(|failure| error::render(&failure))
    };
    rate::tell(&rate, &mut response);
    response
}
