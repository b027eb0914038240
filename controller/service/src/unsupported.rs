//! Things of the 2020 API that this platform has no means for. Source: `drycc-v2.md` §2.13.
//!
//! They are refused with a reason, rather than stored without effect.

use slipway_core::authz::AppAction;
use slipway_core::error::Kind;
use slipway_core::{Error, Result};

use crate::{Cx, Service};

/// Why there are no volumes.
const NO_VOLUMES: &str = "Volumes cannot be mounted on this platform: keep files in an object store or a database, and \
                          give the app its address with `config:set`.";
/// Why there are no resources.
const NO_RESOURCES: &str = "There is no catalogue of resources on this platform: create the database or queue yourself, \
                            and give the app its address with `config:set`.";

/// What cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsupported {
    /// Directories that outlive processes.
    Volume,
    /// Instances of what a catalogue offers.
    Resource,
}

impl Service {
    /// Checks that the caller may look at an app. There is nothing of this kind.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn unsupported_list(&self, cx: &Cx, app: &str, _what: Unsupported) -> Result<()> {
        self.app_for(cx, app, AppAction::Use).await.map(|_| ())
    }

    /// Refuses to make one.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`, else `Rejected` with the reason.
    pub async fn unsupported_create(&self, cx: &Cx, app: &str, what: Unsupported) -> Result<()> {
        self.app_for(cx, app, AppAction::Use).await?;
        Err(Error::Rejected(match what {
            Unsupported::Volume => NO_VOLUMES.to_owned(),
            Unsupported::Resource => NO_RESOURCES.to_owned(),
        }))
    }

    /// Looks one up, which is not there.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn unsupported_find(&self, cx: &Cx, app: &str, what: Unsupported, is_removal: bool) -> Result<()> {
        let action = if is_removal { AppAction::Remove } else { AppAction::Use };
        self.app_for(cx, app, action).await?;
        Err(Error::not_found(match what {
            Unsupported::Volume => Kind::Volume,
            Unsupported::Resource => Kind::Resource,
        }))
    }
}
