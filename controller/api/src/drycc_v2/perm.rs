//! Collaborators and administrators. Source: `drycc-v2.md` §2.11.

use http::StatusCode;
use slipway_service::NeverGranted;

use super::{from_wire, to_wire};
use crate::call::{Answer, Call, empty, ok};
use crate::page;

pub(super) async fn perms_list(call: Call) -> Answer {
    let users = call.state.service.perms_list(&call.cx, call.param("app")).await?;
    ok(&to_wire::perms(&users))
}

pub(super) async fn perm_grant(call: Call) -> Answer {
    let username = from_wire::username(&call)?;
    call.state.service.perm_grant(&call.cx, call.param("app"), &username).await?;
    empty(StatusCode::CREATED)
}

pub(super) async fn perm_revoke(call: Call) -> Answer {
    call.state.service.perm_revoke(&call.cx, call.param("app"), call.param("user")).await?;
    empty(StatusCode::NO_CONTENT)
}

pub(super) async fn admins_list(call: Call) -> Answer {
    let query = page::query(&call);
    let admins = call.state.service.admins_list(&call.cx, query).await?;
    ok(&to_wire::page(&call, query, &admins, to_wire::admin))
}

pub(super) async fn admin_grant(call: Call) -> Answer {
    call.cx.admin()?;
    let username = from_wire::username(&call)?;
    call.state.service.admin_grant(&call.cx, &username).await?;
    empty(StatusCode::CREATED)
}

pub(super) async fn admin_revoke(call: Call) -> Answer {
    call.state.service.admin_revoke(&call.cx, call.param("user"), NeverGranted::Ignore).await?;
    empty(StatusCode::NO_CONTENT)
}
