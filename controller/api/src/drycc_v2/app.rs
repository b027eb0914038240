//! Apps, scaling and one-off processes. Source: `drycc-v2.md` §2.2.

use http::StatusCode;
use slipway_core::Error;
use slipway_engine::RunOutcome;
use slipway_service::NewRun;

use super::{from_wire, to_wire};
use crate::call::{Answer, Call, created, empty, ok};
use crate::page;
use crate::session::{self, Begin, Command};

pub(super) async fn apps_list(call: Call) -> Answer {
    let query = page::query(&call);
    let apps = call.state.service.apps_list(&call.cx, query).await?;
    ok(&to_wire::page(&call, query, &apps, |app| to_wire::app(app, call.state.service.app_host(app))))
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

pub(super) async fn app_run(call: Call) -> Answer {
    let from_wire::Run { run, is_detached } = from_wire::run(&call)?;
    let (service, app) = (&call.state.service, call.param("app"));
    let outcome = if is_detached {
        let process = service.app_run_detached(&call.cx, app, &run).await?;
        RunOutcome { exit_code: 0, output: process.into() }
    } else {
        service.app_run(&call.cx, app, &run).await?
    };
    ok(&to_wire::run(&outcome))
}

/// A one-off process that the client talks to over a WebSocket.
pub(super) async fn app_run_session(mut call: Call) -> Answer {
    let app = call.param("app").to_owned();
    call.state.service.app_get(&call.cx, &app).await?;
    let (service, cx) = (call.state.service.clone(), call.cx.clone());
    let begin = move |begin: Begin| async move {
        let attach = begin.attach();
        let line = match begin.command {
            Command::Line(line) => line,
            Command::Words(_) => return Err(Error::Rejected("command must be a line of text".to_owned())),
        };
        service.app_run_session(&cx, &app, &NewRun::of(line), attach).await
    };
    Ok(session::answer(call.websocket.take(), call.state.shutdown.clone(), begin)?)
}

pub(super) async fn app_scale(call: Call) -> Answer {
    let wanted = from_wire::scale(&call)?;
    call.state.service.app_scale(&call.cx, call.param("app"), &wanted).await?;
    empty(StatusCode::NO_CONTENT)
}

pub(super) async fn app_start(call: Call) -> Answer {
    let types = from_wire::types(&call)?;
    call.state.service.types_start(&call.cx, call.param("app"), &types).await?;
    empty(StatusCode::NO_CONTENT)
}

pub(super) async fn app_stop(call: Call) -> Answer {
    let types = from_wire::types(&call)?;
    call.state.service.types_stop(&call.cx, call.param("app"), &types).await?;
    empty(StatusCode::NO_CONTENT)
}
