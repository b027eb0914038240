//! Use cases and reconcilers.
//!
//! Each use case is one method of [`Service`], named `<resource>_<verb>`: it authorises, loads, decides with the
//! rules of `slipway-core`, and writes in one transaction. None of them carries a deploy: they record what is
//! desired, and the [`Reconciler`] makes the engine follow it. Use cases that answer after a rollout watch the
//! recorded state, so that dropping one changes nothing.

mod app;
mod build;
mod clock;
mod config;
mod cx;
mod hook;
mod key;
mod log;
mod perm;
mod pod;
mod readiness;
mod release;
mod run;
mod scale;
mod settings;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod token;
mod user;

use std::sync::Arc;

use slipway_engine::Engine;
use slipway_store::Store;

pub use build::{BuildLog, BuildLogState, Deployed, NewBuild};
pub use clock::{Clock, SystemClock};
pub use config::Configured;
pub use cx::{Cx, Page, PageQuery};
pub use hook::{HookAppRef, HookBuildLog, HookKey, HookKeyUser, ReleaseProgress};
pub use log::log_text;
pub use pod::PodTarget;
pub use settings::{Registration, RouterEndpoint, ServiceConfig};
pub use slipway_core::config::ConfigChange;
pub use token::TokenScope;
pub use user::{PasswordChange, UserRegister};

/// The use cases. Cheap to clone.
#[derive(Clone)]
pub struct Service {
    inner: Arc<Inner>,
}

struct Inner {
    config: ServiceConfig,
    store: Store,
    engine: Arc<dyn Engine>,
    clock: Arc<dyn Clock>,
}

impl Service {
    /// The use cases over a database and an engine.
    #[must_use]
    pub fn new(config: ServiceConfig, store: Store, engine: Arc<dyn Engine>, clock: Arc<dyn Clock>) -> Self {
        Self { inner: Arc::new(Inner { config, store, engine, clock }) }
    }

    /// The settings it was made with.
    #[must_use]
    pub fn config(&self) -> &ServiceConfig {
        &self.inner.config
    }

    /// The engine that runs the apps.
    #[must_use]
    pub fn engine(&self) -> &Arc<dyn Engine> {
        &self.inner.engine
    }

    /// The time now, by the service's clock, in whole microseconds.
    #[must_use]
    pub fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.inner.clock.now()
    }
}
