//! Routes to apps: the built-in router, and Gateway API or Ingress objects on a cluster.
//!
//! [`router`] carries the traffic itself, from the [`slipway_engine::route::RouteTable`] that it is given: on one
//! machine by the engine, on a cluster by [`builtin`].
//!
//! With the feature `cluster` (the default), the rest reads what the cluster says should be routed and decides no
//! policy:
//!
//! - [`desired`] reads Services and settles who has which host;
//! - [`render`] makes the objects of the Gateway API or Ingresses, and [`plan`] finds what has to be written;
//! - [`observe`] keeps what the cluster holds in memory, [`apply`] writes, [`controller`] joins the two;
//! - [`builtin`] makes route tables for the router instead of objects;
//! - [`settings`], [`command`] and [`health`] are what an operator sees.

pub mod router;

#[cfg(feature = "cluster")]
pub mod apply;
#[cfg(feature = "cluster")]
pub mod builtin;
#[cfg(feature = "cluster")]
pub mod command;
#[cfg(feature = "cluster")]
pub mod controller;
#[cfg(feature = "cluster")]
pub mod desired;
#[cfg(feature = "cluster")]
pub mod health;
#[cfg(feature = "cluster")]
pub mod observe;
#[cfg(feature = "cluster")]
pub mod plan;
#[cfg(feature = "cluster")]
pub mod render;
#[cfg(feature = "cluster")]
pub mod settings;

pub use router::config::{Limits, RouterConfig, Timeouts};
pub use router::metrics::{Metrics, MetricsSnapshot};
pub use router::{BindError, Router};
