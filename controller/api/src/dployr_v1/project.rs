//! Projects. Source: `dployr-v1.md` §9.1.

use http::StatusCode;

use super::{from_wire, to_wire};
use crate::call::{Answer, Call, created, empty, ok};

pub(super) async fn projects_list(call: Call) -> Answer {
    let page = from_wire::page(&call);
    let found = call.state.service.projects_list(&call.cx, page).await?;
    ok(&to_wire::list("projects", page, &found, to_wire::project))
}

pub(super) async fn project_create(call: Call) -> Answer {
    let (name, description) = from_wire::project(&call)?;
    created(&to_wire::project(&call.state.service.project_create(&call.cx, &name, &description).await?))
}

pub(super) async fn project_read(call: Call) -> Answer {
    ok(&to_wire::project(&call.state.service.project_get(&call.cx, call.param("project")).await?))
}

pub(super) async fn project_delete(call: Call) -> Answer {
    call.state.service.project_delete(&call.cx, call.param("project")).await?;
    empty(StatusCode::NO_CONTENT)
}
