//! The team API, `/api/{teamSlug}/…` and, for the older generation, `/api/…` about the active team.
//! Source: `team-api.md`.
//!
//! Each handler of a team's things begins in [`scope`]: it finds the caller's place in the team, checks the form of the
//! identities in the path, and writes down what was done. [`active`] gives the routes of the older generation.

use http::Method;

use crate::route::{Access, Generation, Route};

mod active;
mod app;
mod audit;
pub mod auth;
mod body;
mod container;
mod dashboard;
mod deployment;
mod deployment_start;
pub mod error;
mod group;
mod image;
mod ingress;
mod instance;
mod me;
mod member;
mod node;
mod notification;
mod oidc;
mod project;
mod query;
mod registry;
mod scope;
mod session;
mod socket;
mod storage;
mod template;
mod to_wire;
mod to_wire_node;
mod version;

/// The routes. Literals stand before variables, so that `users/leave` is not taken for a user, and the routes of the
/// older generation before those that begin with a slug: no team is named like any of them.
#[must_use]
pub fn routes() -> Vec<Route> {
    let mut routes = session::routes();
    routes.extend(oidc::routes());
    routes.extend(socket::routes());
    routes.extend(template::routes());
    routes.extend(group::routes());
    routes.extend(member::routes());
    routes.extend(me::routes());
    let mut own = audit::routes();
    own.extend(dashboard::routes());
    own.extend(registry::routes());
    own.extend(storage::routes());
    own.extend(notification::routes());
    own.extend(node::routes());
    own.extend(container::routes());
    own.extend(project::routes());
    own.extend(version::routes());
    own.extend(image::routes());
    own.extend(deployment::routes());
    own.extend(deployment_start::routes());
    own.extend(instance::routes());
    own.extend(app::routes());
    routes.extend(active::routes(&own));
    routes.extend(own);
    routes
}

/// A route for every user.
const fn route(method: Method, pattern: &'static str, operation: &'static str, handler: crate::call::Handler) -> Route {
    Route::new(Generation::Team, method, pattern, operation, Access::User, handler)
}
