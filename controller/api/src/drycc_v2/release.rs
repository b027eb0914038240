//! Releases. Source: `drycc-v2.md` §2.6 and §3.4.

use http::HeaderValue;
use poem::Response;
use slipway_core::release::Release;
use slipway_service::RollbackFloor;

use super::{from_wire, to_wire};
use crate::call::{Answer, Call, created, ok};
use crate::page;

pub(super) async fn releases_list(call: Call) -> Answer {
    let query = page::query(&call);
    let releases = call.state.service.releases_list(&call.cx, call.param("app"), query).await?;
    ok(&to_wire::page(&call, query, &releases, |release| to_wire::release(release, call.param("app"))))
}

pub(super) async fn release_read(call: Call) -> Answer {
    let release = call.state.service.release_get(&call.cx, call.param("app"), call.param("version")).await?;
    ok(&to_wire::release(&release, call.param("app")))
}

pub(super) async fn release_rollback(call: Call) -> Answer {
    let version = from_wire::rollback_version(&call)?;
    let floor = RollbackFloor::SecondRelease;
    let release = call.state.service.release_rollback(&call.cx, call.param("app"), version.as_ref(), floor).await?;
    created(&to_wire::release_version(&release))
}

/// Tells the number of the new release, as the first 2.0 servers did. Source: `drycc-v2.md` §0.3.
pub(super) fn with_version(mut answer: Response, release: &Release) -> Response {
    for name in ["x-drycc-release", "x-deis-release"] {
        answer.headers_mut().insert(name, HeaderValue::from(release.version.0));
    }
    answer
}
