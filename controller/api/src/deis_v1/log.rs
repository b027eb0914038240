//! Logs of apps. Source: `deis-v1.md` §4.1.

use http::StatusCode;
use slipway_core::Error;

use super::{from_wire, is_go_client, to_wire};
use crate::call::{Answer, Call, empty, text};

/// The text as a JSON string; raw for the Go client, which does not decode escapes. 204 when there is none.
pub(super) async fn app_logs(call: Call) -> Answer {
    let lines = call.state.service.app_logs(&call.cx, call.param("app"), from_wire::log_query(&call)).await?;
    if lines.is_empty() {
        return empty(StatusCode::NO_CONTENT);
    }
    let log = to_wire::log(call.param("app"), &lines);
    if is_go_client(&call) {
        return Ok(text(log));
    }
    Ok(text(serde_json::to_string(&log).map_err(Error::internal)?))
}
