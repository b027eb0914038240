//! Domains of apps. Source: `drycc-v2.md` §2.7.

use slipway_core::Result;
use slipway_core::authz::AppAction;
use slipway_core::domain::Domain;
use slipway_store as store;

use crate::stored::Stored;
use crate::{Cx, Page, PageQuery, Service};

impl Service {
    /// The host names under which an app answers, by name.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn domains_list(&self, cx: &Cx, app: &str, page: PageQuery) -> Result<Page<Domain>> {
        let app = self.app_for(cx, app, AppAction::Use).await?;
        store::domains_list(&mut self.read().await?, app.id, page.into()).await.stored().map(Page::from)
    }
}
