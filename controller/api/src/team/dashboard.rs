//! The dashboard. Source: `team-api.md` §3.11, §4.10 and §5.

use chrono::{DateTime, TimeDelta};
use http::Method;
use slipway_core::Page;
use slipway_service::{AuditQuery, Dashboard};
use slipway_wire::team as wire;

use super::scope::{Dialect, Scope, scoped};
use super::{route, to_wire};
use crate::call::{Answer, ok};
use crate::route::Route;

/// Entries of the record that the older generation's dashboard shows, and the time that they are from.
const RECORD: (u32, TimeDelta) = (10, TimeDelta::days(30));

pub(super) fn routes() -> Vec<Route> {
    vec![route(
        Method::GET,
        "/api/{teamSlug}/dashboard",
        "team_dashboard_read",
        scoped!("team_dashboard_read", dashboard_read),
    )]
}

async fn dashboard_read(scope: Scope) -> Answer {
    let Scope { call, member, dialect } = &scope;
    let service = &call.state.service;
    let found = service.team_dashboard(member).await?;
    if *dialect == Dialect::Slug {
        return ok(&to_wire::dashboard(member, &found));
    }
    let Dashboard { users, audit_entries, counts, failed_deployments, progress: _ } = found;
    let from = call.cx.now.checked_sub_signed(RECORD.1).unwrap_or(DateTime::UNIX_EPOCH);
    let page = Page { limit: RECORD.0, offset: 0 };
    let record = service.team_audit_list(member, AuditQuery { from, to: call.cx.now, filter: None, page }).await?;
    ok(&wire::OldDashboard {
        users,
        audit_log_entries: audit_entries,
        products: counts.projects,
        versions: counts.versions,
        deployments: counts.deployments,
        failed_deployments,
        audit_log: record.items.iter().map(to_wire::service_call).collect(),
    })
}
