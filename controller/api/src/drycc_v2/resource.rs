//! Resources of the API of 2020, which this platform has no catalogue for. Source: `drycc-v2.md` §2.13.

use http::StatusCode;
use slipway_service::Page;

use super::to_wire;
use crate::call::{Answer, Call, empty, ok};
use crate::page;

pub(super) async fn resources_list(call: Call) -> Answer {
    call.state.service.resources_list(&call.cx, call.param("app")).await?;
    let none = Page { count: 0, items: Vec::<()>::new() };
    ok(&to_wire::page(&call, page::query(&call), &none, |()| ()))
}

pub(super) async fn resource_create(call: Call) -> Answer {
    call.state.service.resource_create(&call.cx, call.param("app")).await?;
    empty(StatusCode::CREATED)
}

pub(super) async fn resource_find(call: Call) -> Answer {
    call.state.service.resource_find(&call.cx, call.param("app"), false).await?;
    empty(StatusCode::NO_CONTENT)
}

pub(super) async fn resource_delete(call: Call) -> Answer {
    call.state.service.resource_find(&call.cx, call.param("app"), true).await?;
    empty(StatusCode::NO_CONTENT)
}
