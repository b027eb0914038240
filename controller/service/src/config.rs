//! Configuration of apps.

use slipway_core::Result;
use slipway_core::config::{Config, ConfigChange};
use slipway_core::release::Release;

use crate::{Cx, Service};

/// A configuration and the release that was made with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configured {
    /// The merged configuration.
    pub config: Config,
    /// The release, as it was when the answer was made.
    pub release: Release,
}

impl Service {
    /// The configuration of the latest good release.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn config_get(&self, cx: &Cx, app: &str) -> Result<Config> {
        let _ = (cx, app);
        todo!()
    }

    /// Merges a change into the configuration, makes a release of it, and waits for its rollout if there is a build.
    /// Source: `drycc-v2.md` §2.4.
    ///
    /// # Errors
    /// `Invalid` by field, `Unprocessable` for an unset of nothing, `Conflict` when nothing changed or a deploy is in
    /// progress, `Rejected` for a rule across fields or a failed deploy.
    pub async fn config_set(&self, cx: &Cx, app: &str, change: ConfigChange) -> Result<Configured> {
        let _ = (cx, app, change);
        todo!()
    }
}
