//! Webhooks and what they were told. Source: `dployr-v1.md` §9.3; `test` and `deliveries` are Slipway's own.

use http::StatusCode;

use super::{from_wire, to_wire};
use crate::call::{Answer, Call, created, empty, json, ok};

pub(super) async fn webhooks_list(call: Call) -> Answer {
    let page = from_wire::page(&call);
    let found = call.state.service.webhooks_list(&call.cx, page).await?;
    ok(&to_wire::list("webhooks", page, &found, to_wire::webhook))
}

pub(super) async fn webhook_create(call: Call) -> Answer {
    let new = from_wire::webhook(&call)?;
    created(&to_wire::webhook(&call.state.service.webhook_create(&call.cx, new).await?))
}

pub(super) async fn webhook_read(call: Call) -> Answer {
    ok(&to_wire::webhook(&call.state.service.webhook_get(&call.cx, call.param("webhook")).await?))
}

pub(super) async fn webhook_delete(call: Call) -> Answer {
    call.state.service.webhook_delete(&call.cx, call.param("webhook")).await?;
    empty(StatusCode::NO_CONTENT)
}

pub(super) async fn webhook_test(call: Call) -> Answer {
    let made = call.state.service.webhook_test(&call.cx, call.param("webhook")).await?;
    json(StatusCode::ACCEPTED, &to_wire::delivery(&made))
}

pub(super) async fn deliveries_list(call: Call) -> Answer {
    let page = from_wire::page(&call);
    let found = call.state.service.webhook_deliveries(&call.cx, call.param("webhook"), page).await?;
    ok(&to_wire::list("deliveries", page, &found, to_wire::delivery))
}

pub(super) async fn delivery_replay(call: Call) -> Answer {
    let (webhook, delivery) = (call.param("webhook"), call.param("delivery"));
    let made = call.state.service.webhook_replay(&call.cx, webhook, delivery).await?;
    json(StatusCode::ACCEPTED, &to_wire::delivery(&made))
}
