//! What the builder asks and tells. Source: `drycc-v2.md` §5.3; `access`, `apps`, `releases`, `builds` and `buildlog` are
//! Slipway's own.

use http::StatusCode;
use slipway_wire::drycc_v2::hook as wire;

use super::{from_wire, to_wire};
use crate::call::{Answer, Call, created, empty, ok};

pub(super) async fn hook_key(call: Call) -> Answer {
    let found = call.state.service.hook_key(&call.cx, call.param("fingerprint").trim()).await?;
    ok(&to_wire::hook_key_user(&found))
}

pub(super) async fn hook_keys(call: Call) -> Answer {
    let user = Some(call.param("user")).filter(|user| !user.is_empty());
    let keys = call.state.service.hook_keys(&call.cx, call.param("app"), user).await?;
    ok(&to_wire::hook_keys(&keys))
}

pub(super) async fn hook_access(call: Call) -> Answer {
    let receive = from_wire::receive(&call)?;
    let app = call.state.service.hook_access(&call.cx, &receive.user, &receive.app).await?;
    ok(&to_wire::hook_app(&app))
}

pub(super) async fn hook_config(call: Call) -> Answer {
    let receive = from_wire::receive(&call)?;
    let config = call.state.service.hook_config(&call.cx, &receive.user, &receive.app).await?;
    ok(&to_wire::config(&config, &receive.app))
}

pub(super) async fn hook_build(call: Call) -> Answer {
    let (receive, new, is_waiting) = from_wire::hook_build(&call)?;
    let deployed = call.state.service.hook_build(&call.cx, &receive.user, &receive.app, new, is_waiting).await?;
    ok(&to_wire::hook_build(&deployed))
}

pub(super) async fn hook_apps(call: Call) -> Answer {
    let apps = call.state.service.hook_apps(&call.cx).await?;
    ok(&wire::Apps { apps: apps.iter().map(to_wire::hook_app).collect() })
}

pub(super) async fn hook_release_progress(call: Call) -> Answer {
    let (app, version, seen) = (call.param("app"), call.param("version"), call.query("seen").unwrap_or_default());
    let wait = from_wire::wait(&call);
    let progress = call.state.service.hook_release_progress(&call.cx, app, version, wait, seen).await?;
    ok(&to_wire::hook_release_progress(progress))
}

pub(super) async fn hook_build_log(call: Call) -> Answer {
    let (receive, log) = from_wire::hook_build_log(&call)?;
    call.state.service.hook_build_log(&call.cx, &receive.user, &receive.app, log).await?;
    empty(StatusCode::CREATED)
}

pub(super) async fn hook_build_begin(call: Call) -> Answer {
    let (receive, sha) = from_wire::hook_build_begin(&call)?;
    let id = call.state.service.hook_build_begin(&call.cx, &receive.user, &receive.app, &sha).await?;
    created(&wire::BuildBegun { uuid: id.to_string() })
}

pub(super) async fn hook_build_watch(call: Call) -> Answer {
    let wait = from_wire::wait(&call);
    let log = call.state.service.hook_build_watch(&call.cx, call.param("app"), call.param("build"), wait).await?;
    ok(&to_wire::hook_build_watched(log))
}
