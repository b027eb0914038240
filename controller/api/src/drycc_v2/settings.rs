//! Settings and TLS of apps. Source: `drycc-v2.md` §2.9 and §2.10.

use http::StatusCode;
use slipway_core::settings::ListName;

use super::{from_wire, to_wire};
use crate::call::{Answer, Call, created, empty, ok};

pub(super) async fn settings_read(call: Call) -> Answer {
    let settings = call.state.service.settings_get(&call.cx, call.param("app")).await?;
    ok(&to_wire::settings(&settings, call.param("app")))
}

pub(super) async fn settings_set(call: Call) -> Answer {
    let change = from_wire::settings_change(&call)?;
    let settings = call.state.service.settings_set(&call.cx, call.param("app"), &change).await?;
    created(&to_wire::settings(&settings, call.param("app")))
}

pub(super) async fn tls_read(call: Call) -> Answer {
    let tls = call.state.service.tls_get(&call.cx, call.param("app")).await?;
    ok(&to_wire::tls(&tls, call.param("app")))
}

pub(super) async fn tls_set(call: Call) -> Answer {
    let change = from_wire::tls_change(&call)?;
    let tls = call.state.service.tls_set(&call.cx, call.param("app"), &change).await?;
    created(&to_wire::tls(&tls, call.param("app")))
}

pub(super) async fn allowlist_read(call: Call) -> Answer {
    let settings = call.state.service.settings_get(&call.cx, call.param("app")).await?;
    ok(&to_wire::addresses(settings.allowlist))
}

pub(super) async fn allowlist_add(call: Call) -> Answer {
    let addresses = from_wire::addresses(&call)?;
    let all = call.state.service.allowlist_add(&call.cx, call.param("app"), &addresses).await?;
    created(&to_wire::addresses(all))
}

pub(super) async fn whitelist_remove(call: Call) -> Answer {
    remove(&call, ListName::Whitelist).await
}

pub(super) async fn allowlist_remove(call: Call) -> Answer {
    remove(&call, ListName::Allowlist).await
}

async fn remove(call: &Call, list: ListName) -> Answer {
    let addresses = from_wire::addresses(call)?;
    call.state.service.allowlist_remove(&call.cx, call.param("app"), &addresses, list).await?;
    empty(StatusCode::NO_CONTENT)
}
