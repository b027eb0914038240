//! Paths of process types, of the API of 2020. Source: `drycc-v2.md` §2.13.

use http::StatusCode;

use super::{from_wire, to_wire};
use crate::call::{Answer, Call, empty, ok};

pub(super) async fn services_list(call: Call) -> Answer {
    let services = call.state.service.services_list(&call.cx, call.param("app")).await?;
    ok(&to_wire::services(&services))
}

pub(super) async fn service_set(call: Call) -> Answer {
    let (process_type, path_pattern) = from_wire::service(&call)?;
    let service = &call.state.service;
    let is_new = service.service_set(&call.cx, call.param("app"), &process_type, &path_pattern).await?;
    empty(if is_new { StatusCode::CREATED } else { StatusCode::NO_CONTENT })
}

pub(super) async fn service_delete(call: Call) -> Answer {
    let process_type = from_wire::service_type(&call)?;
    call.state.service.service_delete(&call.cx, call.param("app"), &process_type).await?;
    empty(StatusCode::NO_CONTENT)
}
