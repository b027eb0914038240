//! Domains of apps; an app's own name is not among them. Source: `deis-v1.md` §7.

use http::StatusCode;
use slipway_core::Error;
use slipway_core::authz::AppAction;
use slipway_core::error::Kind;
use slipway_service::PageQuery;

use super::{from_wire, page, to_wire};
use crate::call::{Answer, Call, created, empty, ok};

/// All of a list. An app has few domains.
const WHOLE: PageQuery = PageQuery { limit: u32::MAX, offset: 0 };

pub(super) async fn domains_list(call: Call) -> Answer {
    let app = call.param("app");
    let mut domains = call.state.service.domains_list(&call.cx, app, WHOLE).await?.items;
    domains.retain(|domain| domain.domain != app);
    ok(&page::cut(&call, domains, |domain| to_wire::domain(domain, app))?)
}

pub(super) async fn domain_create(call: Call) -> Answer {
    let name = from_wire::domain(&call)?;
    let domain = call.state.service.domain_create(&call.cx, call.param("app"), &name).await?;
    created(&to_wire::domain(&domain, call.param("app")))
}

pub(super) async fn domain_delete(call: Call) -> Answer {
    let (app, name) = (call.param("app"), call.param("domain"));
    if name == app {
        call.state.service.app_authorize(&call.cx, app, AppAction::Remove).await?;
        return Err(Error::not_found(Kind::Domain).into());
    }
    call.state.service.domain_delete(&call.cx, app, name).await?;
    empty(StatusCode::NO_CONTENT)
}
