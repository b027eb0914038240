//! Resources of the 2020 API, which this platform has no catalogue for. Source: `drycc-v2.md` §2.13.
//!
//! They are refused with a reason, rather than stored without effect.

use slipway_core::authz::AppAction;
use slipway_core::error::Kind;
use slipway_core::{Error, Result};

use crate::{Cx, Service};

/// Why there are no resources.
const NO_RESOURCES: &str = "There is no catalogue of resources on this platform: create the database or queue yourself, \
                            and give the app its address with `config:set`.";

impl Service {
    /// Checks that the caller may look at an app. It has no resources.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn resources_list(&self, cx: &Cx, app: &str) -> Result<()> {
        self.app_for(cx, app, AppAction::Use).await.map(|_| ())
    }

    /// Refuses to make a resource.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`, else `Rejected` with the reason.
    pub async fn resource_create(&self, cx: &Cx, app: &str) -> Result<()> {
        self.app_for(cx, app, AppAction::Use).await?;
        Err(Error::Rejected(NO_RESOURCES.to_owned()))
    }

    /// Looks a resource up, which is not there.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn resource_find(&self, cx: &Cx, app: &str, is_removal: bool) -> Result<()> {
        let action = if is_removal { AppAction::Remove } else { AppAction::Use };
        self.app_for(cx, app, action).await?;
        Err(Error::not_found(Kind::Resource))
    }
}
