//! Domains of apps. Source: `drycc-v2.md` §2.7.

use http::StatusCode;

use super::{from_wire, to_wire};
use crate::call::{Answer, Call, created, empty, ok};
use crate::page;

pub(super) async fn domains_list(call: Call) -> Answer {
    let query = page::query(&call);
    let domains = call.state.service.domains_list(&call.cx, call.param("app"), query).await?;
    ok(&to_wire::page(&call, query, &domains, |domain| to_wire::domain(domain, call.param("app"))))
}

pub(super) async fn domain_create(call: Call) -> Answer {
    let name = from_wire::domain(&call)?;
    let domain = call.state.service.domain_create(&call.cx, call.param("app"), &name).await?;
    created(&to_wire::domain(&domain, call.param("app")))
}

pub(super) async fn domain_delete(call: Call) -> Answer {
    call.state.service.domain_delete(&call.cx, call.param("app"), call.param("domain")).await?;
    empty(StatusCode::NO_CONTENT)
}
