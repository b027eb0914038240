//! Volumes and resources of the API of 2020, which this platform has no means for. Source: `drycc-v2.md` §2.13.

use http::StatusCode;
use slipway_service::{Page, Unsupported};

use super::to_wire;
use crate::call::{Answer, Call, empty, ok};
use crate::page;

pub(super) async fn volumes_list(call: Call) -> Answer {
    list(&call, Unsupported::Volume).await
}

pub(super) async fn volume_create(call: Call) -> Answer {
    create(&call, Unsupported::Volume).await
}

pub(super) async fn volume_delete(call: Call) -> Answer {
    find(&call, Unsupported::Volume, true).await
}

pub(super) async fn volume_mount(call: Call) -> Answer {
    find(&call, Unsupported::Volume, false).await
}

pub(super) async fn resources_list(call: Call) -> Answer {
    list(&call, Unsupported::Resource).await
}

pub(super) async fn resource_create(call: Call) -> Answer {
    create(&call, Unsupported::Resource).await
}

pub(super) async fn resource_find(call: Call) -> Answer {
    find(&call, Unsupported::Resource, false).await
}

pub(super) async fn resource_delete(call: Call) -> Answer {
    find(&call, Unsupported::Resource, true).await
}

async fn list(call: &Call, what: Unsupported) -> Answer {
    call.state.service.unsupported_list(&call.cx, call.param("app"), what).await?;
    let none = Page { count: 0, items: Vec::<()>::new() };
    ok(&to_wire::page(call, page::query(call), &none, |()| ()))
}

async fn create(call: &Call, what: Unsupported) -> Answer {
    call.state.service.unsupported_create(&call.cx, call.param("app"), what).await?;
    empty(StatusCode::CREATED)
}

async fn find(call: &Call, what: Unsupported, is_removal: bool) -> Answer {
    call.state.service.unsupported_find(&call.cx, call.param("app"), what, is_removal).await?;
    empty(StatusCode::NO_CONTENT)
}
