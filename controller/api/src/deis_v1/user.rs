//! Accounts and tokens. Source: `deis-v1.md` §3.

use http::StatusCode;
use secrecy::ExposeSecret;
use serde_json::json;
use slipway_core::Error;
use slipway_wire::deis_v1 as wire;

use super::{error, from_wire, to_wire};
use crate::call::{Answer, Call, created, empty, ok};
use crate::route::Generation;
use crate::{dployr_v1, v1};

/// Tells clients that a platform is here and that their token is good.
pub(super) async fn root_read(_call: Call) -> Answer {
    ok(&json!({}))
}

pub(super) async fn user_register(call: Call) -> Answer {
    let new = from_wire::register(&call)?;
    let user = call.state.service.user_register(&call.cx, new).await?;
    created(&to_wire::user(&user))
}

/// The log-in of both APIs that live under `/v1`. Refusals have the shape of the one that was meant, which only this
/// knows, so none is left to the dispatcher.
pub(super) async fn user_login(call: Call) -> Answer {
    let generation = v1::login_generation(&call);
    let mut response = match generation {
        Generation::DployrV1 => dployr_v1::login(&call).await,
        Generation::DeisV1 | Generation::DryccV2 | Generation::Team | Generation::Platform => {
            login(&call).await.unwrap_or_else(|failure| error::render(&failure))
        }
    };
    response.extensions_mut().insert(generation);
    Ok(response)
}

async fn login(call: &Call) -> Answer {
    let (username, password) = from_wire::login(call)?;
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
    match call.state.service.user_password_change(&call.cx, change).await {
        // The caller is known; it is the old password in the body that is wrong.
        Err(Error::Unauthenticated(text)) => Err(Error::Rejected(text).into()),
        other => {
            other?;
            ok(&json!({ "status": "password set" }))
        }
    }
}

pub(super) async fn token_regenerate(call: Call) -> Answer {
    let scope = from_wire::token_scope(&call)?;
    match call.state.service.token_regenerate(&call.cx, scope).await? {
        Some(token) => ok(&wire::Token { token: token.expose_secret().to_owned() }),
        None => ok(&""),
    }
}
