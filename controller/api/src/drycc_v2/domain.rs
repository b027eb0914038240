//! Domains of apps. Source: `drycc-v2.md` §2.7.

use super::to_wire;
use crate::call::{Answer, Call, ok};
use crate::page;

pub(super) async fn domains_list(call: Call) -> Answer {
    let query = page::query(&call);
    let domains = call.state.service.domains_list(&call.cx, call.param("app"), query).await?;
    ok(&to_wire::page(&call, query, &domains, |domain| to_wire::domain(domain, call.param("app"))))
}
