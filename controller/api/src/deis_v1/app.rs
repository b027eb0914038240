//! Apps, scaling and one-off processes. Source: `deis-v1.md` §4 and §5.1.

use http::StatusCode;
use slipway_core::Error;
use slipway_service::NewRun;
use slipway_wire::deis_v1 as wire;

use super::{from_wire, is_go_client, is_python_client, page, to_wire};
use crate::call::{Answer, Call, created, empty, ok, text};

pub(super) async fn apps_list(call: Call) -> Answer {
    let query = page::query(&call)?;
    let apps = call.state.service.apps_list(&call.cx, query).await?;
    ok(&page::page(&call, query, &apps, |app| to_wire::app(app, call.state.service.app_host(app)))?)
}

pub(super) async fn app_create(call: Call) -> Answer {
    let name = from_wire::app_name(&call)?;
    let app = call.state.service.app_create(&call.cx, name.as_deref()).await?;
    created(&to_wire::app(&app, call.state.service.app_host(&app)))
}

pub(super) async fn app_read(call: Call) -> Answer {
    let app = call.state.service.app_get(&call.cx, call.param("app")).await?;
    ok(&to_wire::app(&app, call.state.service.app_host(&app)))
}

pub(super) async fn app_transfer(call: Call) -> Answer {
    let owner = from_wire::optional(&call, "owner")?;
    call.state.service.app_transfer(&call.cx, call.param("app"), owner.as_deref()).await?;
    empty(StatusCode::OK)
}

pub(super) async fn app_destroy(call: Call) -> Answer {
    call.state.service.app_destroy(&call.cx, call.param("app")).await?;
    empty(StatusCode::NO_CONTENT)
}

/// The document of the API has an object; its servers sent, and its clients read, a list as text.
pub(super) async fn app_run(call: Call) -> Answer {
    let command = from_wire::optional(&call, "command")?;
    let run = NewRun { command, ..NewRun::default() };
    let outcome = call.state.service.app_run(&call.cx, call.param("app"), &run).await?;
    let pair = to_wire::run(&outcome);
    if is_python_client(&call) || is_go_client(&call) {
        return Ok(text(serde_json::to_string(&pair).map_err(Error::internal)?));
    }
    let wire::RunPair(rc, output) = pair;
    ok(&wire::RunResult { rc, output })
}

pub(super) async fn app_scale(call: Call) -> Answer {
    let wanted = from_wire::scale(&call)?;
    call.state.service.app_scale(&call.cx, call.param("app"), &wanted).await?;
    empty(StatusCode::NO_CONTENT)
}
