//! Releases.

use serde_json::Value;
use slipway_core::Result;
use slipway_core::release::Release;

use crate::{Cx, Page, PageQuery, Service};

impl Service {
    /// An app's releases, newest first, failed ones included.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn releases_list(&self, cx: &Cx, app: &str, page: PageQuery) -> Result<Page<Release>> {
        let _ = (cx, app, page);
        todo!()
    }

    /// One release by `v<N>`.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn release_get(&self, cx: &Cx, app: &str, version: &str) -> Result<Release> {
        let _ = (cx, app, version);
        todo!()
    }

    /// Makes a new release with the build and configuration of an older one (by default the one before the current),
    /// and waits for its rollout. `version` is as in the request: a number or its text. Source: `drycc-v2.md` §3.4.
    ///
    /// # Errors
    /// `Rejected` with the texts of the contract.
    pub async fn release_rollback(&self, cx: &Cx, app: &str, version: Option<&Value>) -> Result<Release> {
        let _ = (cx, app, version);
        todo!()
    }
}
