//! Volumes, of the API of 2020. Source: `drycc-v2.md` §2.13; growing is that of 2026.

use http::StatusCode;

use super::{from_wire, to_wire};
use crate::call::{Answer, Call, created, empty, ok};
use crate::page;

pub(super) async fn volumes_list(call: Call) -> Answer {
    let (app, query) = (call.param("app"), page::query(&call));
    let volumes = call.state.service.volumes_list(&call.cx, app, query).await?;
    ok(&to_wire::page(&call, query, &volumes, |volume| to_wire::volume(volume, app)))
}

pub(super) async fn volume_create(call: Call) -> Answer {
    let (app, new) = (call.param("app"), from_wire::volume(&call)?);
    let volume = call.state.service.volume_create(&call.cx, app, new).await?;
    created(&to_wire::volume(&volume, app))
}

pub(super) async fn volume_expand(call: Call) -> Answer {
    let (app, size) = (call.param("app"), from_wire::volume_size(&call)?);
    let volume = call.state.service.volume_expand(&call.cx, app, call.param("volume"), &size).await?;
    ok(&to_wire::volume(&volume, app))
}

pub(super) async fn volume_delete(call: Call) -> Answer {
    call.state.service.volume_delete(&call.cx, call.param("app"), call.param("volume")).await?;
    empty(StatusCode::NO_CONTENT)
}

pub(super) async fn volume_mount(call: Call) -> Answer {
    let (app, change) = (call.param("app"), from_wire::volume_path(&call)?);
    let volume = call.state.service.volume_mount(&call.cx, app, call.param("volume"), &change).await?;
    ok(&to_wire::volume(&volume, app))
}
