//! What a builder of 1.x asks and tells. Source: `deis-v1.md` §14.

use super::{from_wire, to_wire};
use crate::call::{Answer, Call, created, ok};

/// A push has begun: nothing is kept of it, but the pusher must be let in.
pub(super) async fn hook_push(call: Call) -> Answer {
    let push = from_wire::hook_push(&call)?;
    call.state.service.hook_access(&call.cx, &push.receive_user, &push.receive_repo).await?;
    created(&push)
}

pub(super) async fn hook_build(call: Call) -> Answer {
    let (receive, new) = from_wire::hook_build(&call)?;
    let service = &call.state.service;
    let deployed = service.hook_build(&call.cx, &receive.user, &receive.app, new, true).await?;
    let host = format!("{}.{}", receive.app, service.config().platform_domain);
    ok(&to_wire::hook_build(&deployed, host))
}

pub(super) async fn hook_config(call: Call) -> Answer {
    let receive = from_wire::receive(&call)?;
    let config = call.state.service.hook_config(&call.cx, &receive.user, &receive.app).await?;
    ok(&to_wire::config(&config, &receive.app, &config.owner_name))
}
