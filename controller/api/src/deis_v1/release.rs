//! Releases. Source: `deis-v1.md` §9.

use serde_json::Value;
use slipway_service::RollbackFloor;

use super::{from_wire, page, to_wire};
use crate::call::{Answer, Call, created, ok};

pub(super) async fn releases_list(call: Call) -> Answer {
    let query = page::query(&call)?;
    let releases = call.state.service.releases_list(&call.cx, call.param("app"), query).await?;
    ok(&page::page(&call, query, &releases, |release| to_wire::release(release, call.param("app")))?)
}

pub(super) async fn release_read(call: Call) -> Answer {
    let release = call.state.service.release_get(&call.cx, call.param("app"), call.param("version")).await?;
    ok(&to_wire::release(&release, call.param("app")))
}

/// A release that does not exist is not found; one may go back to the very first.
pub(super) async fn release_rollback(call: Call) -> Answer {
    let (service, app) = (&call.state.service, call.param("app"));
    let version = from_wire::rollback_version(&call)?;
    let number = match &version {
        Some(Value::String(text)) => text.trim().parse::<u64>().ok(),
        Some(value) => value.as_u64(),
        None => None,
    };
    if let Some(number) = number.filter(|number| *number > 0) {
        service.release_get(&call.cx, app, &format!("v{number}")).await?;
    }
    let release = service.release_rollback(&call.cx, app, version.as_ref(), RollbackFloor::Initial).await?;
    created(&to_wire::release_version(&release))
}
