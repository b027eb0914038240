//! Routes. Source: `dployr-v1.md` §8.

use http::StatusCode;

use super::{from_wire, to_wire};
use crate::call::{Answer, Call, created, empty, ok};

pub(super) async fn routes_list(call: Call) -> Answer {
    let page = from_wire::page(&call);
    let service = from_wire::query(&call, &["service_id", "serviceId"]);
    let found = call.state.service.routes_list(&call.cx, service, page).await?;
    ok(&to_wire::list("routes", page, &found, to_wire::route))
}

pub(super) async fn route_create(call: Call) -> Answer {
    let (domain, service, port) = from_wire::route(&call)?;
    let (route, is_new) = call.state.service.route_create(&call.cx, &domain, &service, port).await?;
    if is_new { created(&to_wire::route(&route)) } else { ok(&to_wire::route(&route)) }
}

pub(super) async fn route_delete(call: Call) -> Answer {
    call.state.service.route_delete(&call.cx, call.param("route")).await?;
    empty(StatusCode::NO_CONTENT)
}
