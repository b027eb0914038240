//! Configuration of apps. Source: `drycc-v2.md` §2.4.

use slipway_service::EmptyChange;

use super::{from_wire, release, to_wire};
use crate::call::{Answer, Call, created, ok};

/// The configuration of the latest good release; with `?version=v2` that of another one, which is Slipway's own.
pub(super) async fn config_read(call: Call) -> Answer {
    let (service, app) = (&call.state.service, call.param("app"));
    let config = match call.query("version").map(str::trim).filter(|version| !version.is_empty()) {
        Some(version) => service.config_of_release(&call.cx, app, version).await?,
        None => service.config_get(&call.cx, app).await?,
    };
    ok(&to_wire::config(&config, call.param("app")))
}

pub(super) async fn config_set(call: Call) -> Answer {
    let change = from_wire::config_change(&call)?;
    let configured = call.state.service.config_set(&call.cx, call.param("app"), change, EmptyChange::Refuse).await?;
    let answer = created(&to_wire::config(&configured.config, call.param("app")))?;
    Ok(release::with_version(answer, &configured.release))
}
