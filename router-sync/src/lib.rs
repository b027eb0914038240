//! Routes to apps: the built-in router.
//!
//! [`router`] carries the traffic itself, on one machine, from the [`slipway_engine::route::RouteTable`] that the
//! engine publishes.

pub mod router;

pub use router::config::{Limits, RouterConfig, Timeouts};
pub use router::metrics::{Metrics, MetricsSnapshot};
pub use router::{BindError, Router};
