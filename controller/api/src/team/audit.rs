//! The record of what was done in a team. Source: `team-api.md` §3.11.

use http::Method;
use slipway_service::AuditQuery;
use slipway_wire::team as wire;

use super::scope::{Dialect, Scope, scoped};
use super::{query, route, to_wire};
use crate::call::{Answer, ok};
use crate::route::Route;

pub(super) fn routes() -> Vec<Route> {
    vec![route(Method::GET, "/api/{teamSlug}/audit-log", "team_audit_read", scoped!("team_audit_read", audit_read))]
}

async fn audit_read(scope: Scope) -> Answer {
    let Scope { call, member, dialect } = &scope;
    let page = query::page(call)?;
    let (from, to) = query::span(call)?;
    let filter = call.query("filter").filter(|filter| !filter.is_empty()).map(str::to_owned);
    let found = call.state.service.team_audit_list(member, AuditQuery { from, to, filter, page }).await?;
    match dialect {
        Dialect::Slug => {
            ok(&wire::Paged { items: found.items.iter().map(to_wire::audit_entry).collect(), total: found.total })
        }
        Dialect::Active => {
            ok(&wire::Paged { items: found.items.iter().map(to_wire::service_call).collect(), total: found.total })
        }
    }
}
