//! The WebSocket of the team API: what is followed rather than asked. Source: `team-api.md` §6.
//!
//! One socket on `/api`, by cookie, bearer token or `?token=`. Messages are texts, JSON: `{"type": …, "data": …}`. A client
//! subscribes to paths (`{"type": "subscribe", "data": {"path": "/acme/nodes"}}`, answered by `subbed`), and then sends
//! and gets messages whose type is a path and a word, `/acme/registries/find-image`. Refusals are
//! `{"type": "error", "data": {"status", "message", "property", "value", "error"}}`; they end nothing.
//!
//! Who asks is looked up again with every message, and now and then while nothing is asked: nobody follows a team that
//! they were taken out of, nor with a token that was revoked.

mod connection;
mod registry;
mod topic;

use http::{Method, header};
use poem::IntoResponse;
use poem::web::websocket::WebSocketConfig;
use slipway_core::authz::Actor;
use slipway_core::{Error, Result};

use super::auth;
use crate::call::{Answer, Call};
use crate::handler;
use crate::route::{Access, Generation, Route};
use connection::{Connection, Credentials};

/// Longest message of a client, in bytes.
const MESSAGE_MAX: usize = 64 * 1024;

/// The token may be in the query, so that nobody is refused before the handler.
pub(super) fn routes() -> Vec<Route> {
    vec![Route::new(Generation::Team, Method::GET, "/api", "team_socket_open", Access::Public, handler!(socket_open))]
}

async fn socket_open(mut call: Call) -> Answer {
    let credentials = Credentials::of(&call);
    call.cx.actor = credentials.actor(&call.state.service).await?;
    if matches!(credentials, Credentials::Headers(_)) && auth::cookie(&call.headers).is_some() {
        origin_check(&call)?;
    }
    let socket = call
        .websocket
        .take()
        .ok_or_else(|| Error::Rejected("this is for WebSockets: ask for an upgrade to one".to_owned()))?;
    let config = WebSocketConfig::default().max_message_size(Some(MESSAGE_MAX)).max_frame_size(Some(MESSAGE_MAX));
    let connection = Connection::new(call, credentials);
    Ok(socket.config(config).on_upgrade(move |stream| connection.run(stream)).into_response())
}

/// A browser sends our cookie along whatever page asks: only our own may.
fn origin_check(call: &Call) -> Result<()> {
    let text = |name| call.headers.get(name).and_then(|value| value.to_str().ok());
    let Some(origin) = text(header::ORIGIN) else { return Ok(()) };
    let authority = origin.split_once("://").map(|(_, rest)| rest);
    let own = call.state.service.public_url();
    if authority.is_some() && (authority == text(header::HOST) || origin == own) {
        return Ok(());
    }
    Err(Error::Forbidden("Pages of other hosts may not open this socket by cookie.".to_owned()))
}

/// Whether two callers are the same.
fn is_same(one: &Actor, other: &Actor) -> bool {
    matches!((one, other), (Actor::User { id: one, .. }, Actor::User { id: other, .. }) if one == other)
}
