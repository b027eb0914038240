//! Deployments. Source: `dployr-v1.md` §4.

use http::StatusCode;

use super::{from_wire, to_wire};
use crate::call::{Answer, Call, created, empty, ok};

pub(super) async fn deployments_list(call: Call) -> Answer {
    let page = from_wire::page(&call);
    let status = from_wire::query(&call, &["status"]);
    let service = from_wire::query(&call, &["service_id", "serviceId"]);
    let project = from_wire::query(&call, &["project_id", "projectId"]);
    let found = call.state.service.deployments_list(&call.cx, status, service, project, page).await?;
    ok(&to_wire::list("deployments", page, &found, to_wire::deployment))
}

pub(super) async fn deployment_create(call: Call) -> Answer {
    let input = from_wire::deployment(&call)?;
    let made = call.state.service.deployment_create(&call.cx, input).await?;
    let mut body = to_wire::deployment(&made);
    body.success = Some(true);
    created(&body)
}

pub(super) async fn deployment_read(call: Call) -> Answer {
    ok(&to_wire::deployment(&call.state.service.deployment_get(&call.cx, call.param("deployment")).await?))
}

pub(super) async fn deployment_update(call: Call) -> Answer {
    // Whether it may be seen comes before what the request says of it.
    call.state.service.deployment_get(&call.cx, call.param("deployment")).await?;
    let input = from_wire::deployment(&call)?;
    let changed = call.state.service.deployment_update(&call.cx, call.param("deployment"), input).await?;
    ok(&to_wire::deployment(&changed))
}

pub(super) async fn deployment_delete(call: Call) -> Answer {
    call.state.service.deployment_delete(&call.cx, call.param("deployment")).await?;
    empty(StatusCode::NO_CONTENT)
}
