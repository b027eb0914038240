//! Services and their environment. Source: `dployr-v1.md` §5 and §9.2.

use http::StatusCode;
use slipway_core::ulid::ulid;
use slipway_service::ServiceView;

use super::{from_wire, to_wire};
use crate::call::{Answer, Call, created, empty, ok};

pub(super) async fn services_list(call: Call) -> Answer {
    let page = from_wire::page(&call);
    let found = call.state.service.services_visible(&call.cx, page).await?;
    ok(&to_wire::list("services", page, &found, to_wire::service))
}

pub(super) async fn service_read(call: Call) -> Answer {
    ok(&to_wire::service(&call.state.service.service_get(&call.cx, call.param("service")).await?))
}

pub(super) async fn service_status(call: Call) -> Answer {
    let found = call.state.service.service_get(&call.cx, call.param("service")).await?;
    ok(&to_wire::service_status(&found, call.cx.now))
}

pub(super) async fn service_start(call: Call) -> Answer {
    action(&call.state.service.service_start(&call.cx, call.param("service")).await?)
}

pub(super) async fn service_stop(call: Call) -> Answer {
    action(&call.state.service.service_stop(&call.cx, call.param("service")).await?)
}

pub(super) async fn service_restart(call: Call) -> Answer {
    action(&call.state.service.service_restart(&call.cx, call.param("service")).await?)
}

fn action(service: &ServiceView) -> Answer {
    ok(&to_wire::service_action(service, &ulid(uuid::Uuid::now_v7())))
}

pub(super) async fn env_list(call: Call) -> Answer {
    ok(&to_wire::environment(&call.state.service.env_list(&call.cx, call.param("service")).await?))
}

pub(super) async fn env_set(call: Call) -> Answer {
    call.state.service.env_list(&call.cx, call.param("service")).await?;
    let (key, value) = from_wire::variable(&call)?;
    let set = call.state.service.env_set(&call.cx, call.param("service"), &key, &value).await?;
    if set.is_new { created(&to_wire::variable_set(&set)) } else { ok(&to_wire::variable_set(&set)) }
}

pub(super) async fn env_unset(call: Call) -> Answer {
    call.state.service.env_unset(&call.cx, call.param("service"), call.param("key")).await?;
    empty(StatusCode::NO_CONTENT)
}
