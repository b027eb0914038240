//! SSH public keys. Source: `deis-v1.md` §10.

use http::StatusCode;

use super::{from_wire, page, to_wire};
use crate::call::{Answer, Call, created, empty, ok};

pub(super) async fn keys_list(call: Call) -> Answer {
    let query = page::query(&call)?;
    let keys = call.state.service.keys_list(&call.cx, query).await?;
    ok(&page::page(&call, query, &keys, to_wire::key)?)
}

pub(super) async fn key_create(call: Call) -> Answer {
    let (id, public) = from_wire::key(&call)?;
    let key = call.state.service.key_create(&call.cx, &id, &public).await?;
    created(&to_wire::key(&key))
}

pub(super) async fn key_read(call: Call) -> Answer {
    let key = call.state.service.key_get(&call.cx, call.param("key")).await?;
    ok(&to_wire::key(&key))
}

pub(super) async fn key_delete(call: Call) -> Answer {
    call.state.service.key_delete(&call.cx, call.param("key")).await?;
    empty(StatusCode::NO_CONTENT)
}
