//! The WebSocket of the team API: what is followed rather than asked. Source: `team-api.md` §6.
//!
//! One socket on `/api`, by cookie, bearer token or `?token=`. Messages are texts, JSON: `{"type": …, "data": …}`. A client
//! subscribes to paths (`{"type": "subscribe", "data": {"path": "/acme/nodes"}}`, answered by `subbed`), and then sends
//! and gets messages whose type is a path and a word, `/acme/registries/find-image`. Refusals are
//! `{"type": "error", "data": {"status", "message", "property", "value", "error"}}`; they end nothing.
//!
//! | Path | Messages of the client | What it is told |
//! |---|---|---|
//! | `/{slug}/registries` | `find-image {registryId, filter}` · `fetch-image-tags {registryId, images}` | `find-image-result`, `registry-image-tags` |
//! | `/{slug}/nodes` | `update-agent {id}` | `event {id, status, address, version, connectedAt, updating}`: of each node at once, then of those that change |
//! | `/{slug}/nodes/{nodeId}` | `watch-containers-state {prefix?}` | `containers-state-list {prefix, containers}`: all, whenever one changes; one that is gone is told once, as `removed` |
//! | | `watch-container-log {container: {prefix?, name}, take?, since?, timestamps?}` | `container-log {container, log}`, a line each; `container-log-end {container}` when there will be no more |
//! | | `container-command {container, operation: start, stop or restart}` · `delete-container {container}` · `update-agent` | nothing: the list of containers tells |
//! | `/{slug}/deployments/{deploymentId}` | `fetch-deployment-events {from?}` | `deployment-event` by itself, each event once; `deployment-event-list`, all so far |
//!
//! The older generation has the same paths without the slug, about the active team, and its own words in what is told.
//!
//! Who asks is looked up again with every message, and every few seconds where something is followed: nobody follows a
//! team that they were taken out of, nor with a token that was revoked, nor what was removed. The end of a subscription
//! that the client did not ask for is told as `unsubbed`. What is done by a message is in the team's record (context
//! `ws`); what is looked at is not. A client that does not read is waited for, and those who write for it wait, too.

mod connection;
mod credentials;
mod deployment;
mod follower;
mod node;
mod registry;
mod subscription;
mod topic;

use http::{Method, header};
use poem::IntoResponse;
use poem::web::websocket::WebSocketConfig;
use slipway_core::{Error, Result};

use super::auth;
use crate::call::{Answer, Call, Failure};
use crate::handler;
use crate::route::{Access, Generation, Route};
use connection::Connection;
use credentials::Credentials;

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

/// The word of a message is not known on its path.
fn no_such_message() -> Failure {
    slipway_team::Error::invalid("type", "There is no such message on this path.").into()
}
