//! Accounts and tokens. Source: `drycc-v2.md` §2.1.

use http::StatusCode;
use secrecy::ExposeSecret;
use serde_json::json;
use slipway_service::UserSwitched;
use slipway_wire::drycc_v2 as wire;

use super::{from_wire, to_wire};
use crate::call::{Answer, Call, created, empty, ok};
use crate::page;

/// Tells clients that a platform is here and that their token is good.
pub(super) async fn root_read(_call: Call) -> Answer {
    ok(&json!({}))
}

/// Where git pushes arrive and apps answer (Slipway's own).
pub(super) async fn platform_read(call: Call) -> Answer {
    ok(&call.state.platform)
}

pub(super) async fn user_register(call: Call) -> Answer {
    let new = from_wire::register(&call)?;
    let user = call.state.service.user_register(&call.cx, new).await?;
    created(&to_wire::user(&user))
}

pub(super) async fn user_login(call: Call) -> Answer {
    let (username, password) = from_wire::login(&call)?;
    let token = call.state.service.user_login(&call.cx, &username, password).await?;
    ok(&wire::Token { token: token.expose_secret().to_owned() })
}

pub(super) async fn user_cancel(call: Call) -> Answer {
    let username = from_wire::optional(&call, "username")?;
    call.state.service.user_cancel(&call.cx, username.as_deref()).await?;
    empty(StatusCode::NO_CONTENT)
}

pub(super) async fn user_password_change(call: Call) -> Answer {
    let change = from_wire::password_change(&call)?;
    call.state.service.user_password_change(&call.cx, change).await?;
    ok(&json!({ "status": "password set" }))
}

/// Of Drycc 2020.
pub(super) async fn token_read(call: Call) -> Answer {
    let token = call.state.service.token_get(&call.cx, call.param("user")).await?;
    ok(&wire::Token { token: token.expose_secret().to_owned() })
}

pub(super) async fn token_regenerate(call: Call) -> Answer {
    let scope = from_wire::token_scope(&call)?;
    match call.state.service.token_regenerate(&call.cx, scope).await? {
        Some(token) => ok(&wire::Token { token: token.expose_secret().to_owned() }),
        None => ok(&""),
    }
}

pub(super) async fn user_whoami(call: Call) -> Answer {
    let user = call.state.service.user_whoami(&call.cx).await?;
    ok(&to_wire::user(&user))
}

pub(super) async fn users_list(call: Call) -> Answer {
    let query = page::query(&call);
    let users = call.state.service.users_list(&call.cx, query).await?;
    ok(&to_wire::page(&call, query, &users, to_wire::user))
}

pub(super) async fn user_enable(call: Call) -> Answer {
    user_switch(call, true).await
}

pub(super) async fn user_disable(call: Call) -> Answer {
    user_switch(call, false).await
}

/// Source: `drycc-v2.md` §2.1, 423 included.
async fn user_switch(call: Call, is_active: bool) -> Answer {
    match call.state.service.user_switch(&call.cx, call.param("user"), is_active).await? {
        UserSwitched::Done => empty(StatusCode::NO_CONTENT),
        UserSwitched::Oneself => empty(StatusCode::LOCKED),
    }
}
