//! Configuration of apps: values, limits and tags. Source: `deis-v1.md` §6.

use slipway_service::EmptyChange;

use super::{from_wire, to_wire, with_release};
use crate::call::{Answer, Call, created, ok};

pub(super) async fn config_read(call: Call) -> Answer {
    let app = call.state.service.app_get(&call.cx, call.param("app")).await?;
    let config = call.state.service.config_get(&call.cx, call.param("app")).await?;
    ok(&to_wire::config(&config, app.name.as_str(), &app.owner_name))
}

/// Every change that breaks no rule makes a release, also one that changes nothing.
pub(super) async fn config_set(call: Call) -> Answer {
    let change = from_wire::config_change(&call)?;
    let app = call.state.service.app_get(&call.cx, call.param("app")).await?;
    let service = &call.state.service;
    let configured = service.config_set(&call.cx, call.param("app"), change, EmptyChange::Release).await?;
    let answer = created(&to_wire::config_changed(&configured.config, &app, &configured.release))?;
    Ok(with_release(answer, &configured.release))
}
