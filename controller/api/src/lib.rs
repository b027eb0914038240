//! The HTTP APIs over the service layer.
//!
//! One folder a generation; each owns its paths, its field names, its status codes and its error bodies, and has no
//! rules: a handler reads the request ([`fields`]), makes one call of the service layer, and writes the answer. Every
//! path is a row of one table ([`route::RouteTable`]), from which requests are dispatched ([`dispatch::Api`]) and
//! over which the tests walk. poem is used for its request, response and test types; the paths' order and grammar are
//! part of the contract and are kept here.

pub mod call;
pub mod cors;
pub mod deis_v1;
pub mod dispatch;
pub mod dployr_v1;
pub mod drycc_v2;
pub mod fields;
pub mod form;
pub mod health;
pub mod metrics;
pub mod openapi;
pub mod page;
pub mod path;
mod refusal;
pub mod route;
pub mod serve;
mod session;
pub mod team;
pub mod v1;

use slipway_service::Service;
use tokio_util::sync::CancellationToken;

pub use dispatch::Api;
pub use metrics::Metrics;
pub use slipway_wire::drycc_v2::Platform;

/// What all requests share.
pub struct State {
    /// The use cases.
    pub service: Service,
    /// The numbers.
    pub metrics: Metrics,
    /// Where the platform's other parts are, for clients that ask.
    pub platform: Platform,
    /// Ends answers that would go on for ever, such as followed logs, when the controller stops.
    pub shutdown: CancellationToken,
    /// Places for followed logs of the dployr API.
    pub log_streams: dployr_v1::log::LogStreams,
}

/// The controller's whole HTTP interface.
#[must_use]
pub fn api(state: State) -> Api {
    Api::new(route::RouteTable::new(routes()), state)
}

/// Every route there is.
#[must_use]
pub fn routes() -> Vec<route::Route> {
    let mut routes = health::routes();
    routes.extend(openapi::routes());
    routes.extend(drycc_v2::routes());
    routes.extend(deis_v1::routes());
    routes.extend(team::routes());
    routes.extend(dployr_v1::routes());
    routes
}
