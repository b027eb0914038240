//! Apps.

use slipway_core::Result;
use slipway_core::app::App;

use crate::{Cx, Page, PageQuery, Service};

impl Service {
    /// Creates an app with its first release; a name is made up without one. Source: `drycc-v2.md` §2.2.
    ///
    /// # Errors
    /// `Invalid` under `id`.
    pub async fn app_create(&self, cx: &Cx, name: Option<&str>) -> Result<App> {
        let _ = (cx, name);
        todo!()
    }

    /// The apps that the caller may use, by name.
    ///
    /// # Errors
    /// `Unauthenticated`.
    pub async fn apps_list(&self, cx: &Cx, page: PageQuery) -> Result<Page<App>> {
        let _ = (cx, page);
        todo!()
    }

    /// An app.
    ///
    /// # Errors
    /// `NotFound`, then `Forbidden`.
    pub async fn app_get(&self, cx: &Cx, app: &str) -> Result<App> {
        let _ = (cx, app);
        todo!()
    }

    /// Gives an app to another owner; without one nothing happens.
    ///
    /// # Errors
    /// `NotFound` (app, then user), `Forbidden`.
    pub async fn app_transfer(&self, cx: &Cx, app: &str, owner: Option<&str>) -> Result<()> {
        let _ = (cx, app, owner);
        todo!()
    }

    /// Destroys an app and waits until it is gone.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`; `Unavailable` when it is not gone in time (it will go nevertheless).
    pub async fn app_destroy(&self, cx: &Cx, app: &str) -> Result<()> {
        let _ = (cx, app);
        todo!()
    }

    /// The host name of an app: `<name>.<platform domain>`.
    #[must_use]
    pub fn app_host(&self, app: &App) -> String {
        format!("{}.{}", app.name, self.config().platform_domain)
    }
}
