//! Asking an app's process: which one, over which connection, and what to do when it fails.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HOST, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use hyper::body::{Body as _, Incoming};
use hyper::upgrade::OnUpgrade;
use slipway_engine::route::{AppRoute, Backend, InFlight};
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::access::Access;
use super::activity::{Activity, UploadFault};
use super::body::{Body, Received, Relay, Upload};
use super::connection::Peer;
use super::header::{
    self, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PORT, X_FORWARDED_PROTO, X_REQUEST_ID, join_cookies,
    strip_hop_by_hop, strip_pretenders,
};
use super::page::Reason;
use super::pool::{Conn, Pool};
use super::target::Target;
use super::tunnel::Tunnel;

/// How long a body is held back for an app that neither asks for it nor refuses it (`Expect: 100-continue`).
const EXPECT_WAIT: std::time::Duration = std::time::Duration::from_secs(1);

/// A request ready to be sent.
struct Outgoing {
    request: Request<Upload>,
    upload: Option<Arc<Activity>>,
    /// Opened when the body may flow.
    gate: Option<CancellationToken>,
    /// The protocol that the client wants to change to, and its connection.
    upgrade: Option<(HeaderValue, OnUpgrade)>,
}

/// Passes `request` to a process of the app and its response back.
pub(super) async fn forward(
    shared: &Arc<Shared>,
    peer: &Peer,
    route: Arc<AppRoute>,
    target: Target,
    request: Request<Received>,
    slot: &mut Option<Box<Access>>,
) -> Result<Response<Body>, Reason> {
    let Some(access) = slot.as_mut() else { return Err(Reason::BadResponse) };
    let host = access.host.clone();
    let outgoing = prepare(shared, peer, target, request, access);
    access.upload.clone_from(&outgoing.upload);
    let Outgoing { mut request, gate, upgrade, .. } = outgoing;

    let mut route = route;
    let mut tried: Vec<Arc<Backend>> = Vec::new();
    let mut last_failure = Reason::Refused;
    loop {
        let in_flight = match choose(shared, &route, &tried) {
            Some(in_flight) => in_flight,
            // They may be gone because others took their place.
            None if !tried.is_empty() => match shared.find(&host, request.uri().path()) {
                Some(newest) if !Arc::ptr_eq(&newest, &route) => {
                    route = newest;
                    continue;
                }
                _ => return Err(last_failure),
            },
            None => {
                route = reroute(shared, &host, request.uri().path(), route).await?;
                continue;
            }
        };
        let backend = Arc::clone(in_flight.backend());
        access.backend = Some(Arc::clone(&backend));
        if backend.in_flight() > shared.config.limits.in_flight_per_backend {
            return Err(Reason::Overloaded);
        }
        let pool = shared.pools.of(&backend);
        match send(shared, &pool, request, gate.as_ref(), access).await {
            Ok((conn, response)) => {
                let status = response.status();
                if status == StatusCode::SWITCHING_PROTOCOLS {
                    return switch(shared, response, upgrade, conn, in_flight, slot);
                }
                let Some(mut access) = slot.take() else { return Err(Reason::BadResponse) };
                access.status = Some(status);
                let (mut head, body) = response.into_parts();
                strip_hop_by_hop(&mut head.headers);
                head.version = Version::HTTP_11;
                let idle = shared.config.timeouts.stream_idle;
                let relay = Relay::new(body, conn, in_flight, access, idle);
                return Ok(Response::from_parts(head, Body::Relay(Box::new(relay))));
            }
            Err(SendError::Unreachable(unsent, reason)) => {
                // A client waits no longer for connections than it would for an answer.
                if access.connect >= shared.config.timeouts.first_byte {
                    return Err(reason);
                }
                request = *unsent;
                last_failure = reason;
                tried.push(backend);
            }
            Err(SendError::Failed(reason)) => return Err(reason),
        }
    }
}

/// The process with the fewest requests in flight that was not tried yet, in turn among equals.
fn choose(shared: &Shared, route: &AppRoute, tried: &[Arc<Backend>]) -> Option<InFlight> {
    let backends = &route.backends;
    if let [only] = backends.as_slice()
        && tried.is_empty()
    {
        return only.acquire();
    }
    if backends.is_empty() {
        return None;
    }
    let start = shared.turn.fetch_add(1, Ordering::Relaxed) % backends.len();
    let (before, from) = backends.split_at(start);
    // One may begin to drain between the look and the claim; then the next best is taken.
    for _ in 0..backends.len() {
        let candidates = from.iter().chain(before);
        let usable = candidates
            .filter(|backend| !backend.is_draining() && !tried.iter().any(|tried| Arc::ptr_eq(tried, backend)));
        if let Some(in_flight) = usable.min_by_key(|backend| backend.in_flight())?.acquire() {
            return Some(in_flight);
        }
    }
    None
}

/// The newest route, when `known` has no process that takes requests: waits for a newer one while `known` says that
/// there should be some.
async fn reroute(shared: &Shared, host: &str, path: &str, known: Arc<AppRoute>) -> Result<Arc<AppRoute>, Reason> {
    if known.backends.is_empty() {
        return Err(Reason::Idle(known.idle));
    }
    let mut routes = shared.routes.clone();
    let newer = async {
        loop {
            let newest = routes.borrow_and_update().find_path(host, path).cloned();
            match newest {
                None => return Err(Reason::NoApp),
                Some(newest) if newest.backends.is_empty() => return Err(Reason::Idle(newest.idle)),
                Some(newest) if newest.backends.iter().any(|backend| !backend.is_draining()) => return Ok(newest),
                Some(_) => {}
            }
            if routes.changed().await.is_err() {
                return Err(Reason::Refused);
            }
        }
    };
    tokio::time::timeout(shared.config.timeouts.reroute, newer).await.unwrap_or(Err(Reason::Refused))
}

fn prepare(shared: &Shared, peer: &Peer, target: Target, request: Request<Received>, access: &Access) -> Outgoing {
    let (mut head, body) = request.into_parts();
    let is_empty = body.is_end_stream();
    let upgrade = if is_empty && head.version == Version::HTTP_11 {
        header::upgrade_wanted(&head.headers)
            .and_then(|protocol| Some((protocol, head.extensions.remove::<OnUpgrade>()?)))
    } else {
        None
    };
    let takes_trailers = header::takes_trailers(&head.headers);
    let forwarded_for = header::forwarded_for(&head.headers, &peer.ip_text, peer.is_trusted);
    strip_hop_by_hop(&mut head.headers);
    strip_pretenders(&mut head.headers, peer.is_trusted);
    let headers = &mut head.headers;
    if head.version == Version::HTTP_2 {
        join_cookies(headers);
    }
    headers.insert(&X_FORWARDED_FOR, forwarded_for);
    headers.insert(&X_FORWARDED_PROTO, HeaderValue::from_static(if access.is_https { "https" } else { "http" }));
    if !peer.is_trusted || !headers.contains_key(&X_FORWARDED_PORT) {
        headers.insert(&X_FORWARDED_PORT, peer.port_text.clone());
    }
    if !peer.is_trusted || !headers.contains_key(&X_FORWARDED_HOST) {
        headers.insert(&X_FORWARDED_HOST, target.authority.clone());
    }
    headers.insert(&X_REQUEST_ID, access.request_id.clone());
    headers.insert(HOST, target.authority);
    if takes_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONNECTION, HeaderValue::from_static("te"));
    }
    if let Some((protocol, _)) = &upgrade {
        headers.insert(UPGRADE, protocol.clone());
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    }

    let is_expecting = headers.get(EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
    if is_empty || !is_expecting {
        headers.remove(EXPECT);
    }
    if !is_empty && !headers.contains_key(CONTENT_LENGTH) {
        // Said here because the body of a GET without it would be left out.
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    let gate = (!is_empty && is_expecting).then(CancellationToken::new);
    let upload = (!is_empty).then(|| Arc::new(Activity::new()));
    let body = match &upload {
        Some(activity) => {
            let idle = shared.config.timeouts.stream_idle;
            Upload::stream(body, Arc::clone(activity), idle, gate.clone().map(CancellationToken::cancelled_owned))
        }
        None => Upload::empty(),
    };
    head.version = Version::HTTP_11;
    head.extensions.clear();
    if head.uri.authority().is_some() || head.uri.scheme().is_some() {
        head.uri = head.uri.path_and_query().cloned().map_or_else(|| Uri::from_static("/"), Uri::from);
    }
    let mut request = Request::from_parts(head, body);
    if let Some(gate) = gate.clone() {
        hyper::ext::on_informational(&mut request, move |response| {
            if response.status() == StatusCode::CONTINUE {
                gate.cancel();
            }
        });
    }
    Outgoing { request, upload, gate, upgrade }
}

enum SendError {
    /// No connection: nothing was sent, another process may be asked.
    Unreachable(Box<Request<Upload>>, Reason),
    Failed(Reason),
}

/// Sends over a kept connection if there is one, else over a new one. A kept connection that turns out to be dead costs
/// another try, as long as the app cannot have seen the request or would not mind seeing it twice.
async fn send(
    shared: &Shared,
    pool: &Arc<Pool>,
    mut request: Request<Upload>,
    gate: Option<&CancellationToken>,
    access: &mut Access,
) -> Result<(Conn, Response<Incoming>), SendError> {
    let is_repeatable = request.body().is_empty()
        && matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS)
        && !request.headers().contains_key(UPGRADE);
    let mut takes_kept = true;
    loop {
        let kept = if takes_kept { pool.take(is_repeatable) } else { None };
        let mut conn = match kept {
            Some(conn) => conn,
            None => match connect(shared, pool, access).await {
                Ok(conn) => conn,
                Err(reason) => return Err(SendError::Unreachable(Box::new(request), reason)),
            },
        };
        let is_reused = conn.is_reused;
        let Some(sender) = conn.sender() else { continue };
        // After a response the connection needs a moment until it is ready; one that is not ready any more is dead.
        if sender.ready().await.is_err() {
            if is_reused {
                continue;
            }
            return Err(SendError::Unreachable(Box::new(request), Reason::BackendClosed));
        }
        let spare = (is_reused && is_repeatable).then(|| head_clone(&request));
        let sent = sender.try_send_request(request);
        let error = match wait(shared, sent, gate, access.upload.as_deref()).await {
            Ok(Ok(response)) => return Ok((conn, response)),
            Ok(Err(error)) => error,
            Err(reason) => return Err(SendError::Failed(reason)),
        };
        let mut error = error;
        if let Some(unsent) = error.take_message() {
            if !is_reused {
                return Err(SendError::Unreachable(Box::new(unsent), Reason::BackendClosed));
            }
            request = unsent;
            continue;
        }
        let error = error.into_error();
        match access.upload.as_ref().and_then(|upload| upload.upload_fault()) {
            Some(UploadFault::Idle) => return Err(SendError::Failed(Reason::RequestTimeout)),
            Some(UploadFault::Broken) => return Err(SendError::Failed(Reason::RequestBroken)),
            None => {}
        }
        if error.is_parse() {
            return Err(SendError::Failed(Reason::BadResponse));
        }
        match spare {
            Some(spare) => {
                request = spare;
                takes_kept = false;
            }
            None => return Err(SendError::Failed(Reason::BackendClosed)),
        }
    }
}

async fn connect(shared: &Shared, pool: &Arc<Pool>, access: &mut Access) -> Result<Conn, Reason> {
    let started = Instant::now();
    let outcome = tokio::time::timeout(shared.config.timeouts.connect, pool.connect()).await;
    access.connect += started.elapsed();
    match outcome {
        Ok(Ok(conn)) => Ok(conn),
        Ok(Err(_)) => Err(Reason::Refused),
        Err(_) => Err(Reason::ConnectTimeout),
    }
}

/// Waits for the head of the response; the time runs from the last byte of the request.
async fn wait<T, E>(
    shared: &Shared,
    sent: impl Future<Output = Result<T, E>>,
    gate: Option<&CancellationToken>,
    upload: Option<&Activity>,
) -> Result<Result<T, E>, Reason> {
    let window = shared.config.timeouts.first_byte;
    let mut deadline = tokio::time::Instant::now() + window;
    tokio::pin!(sent);
    if let Some(gate) = gate {
        let in_time = tokio::time::timeout(EXPECT_WAIT.min(window), &mut sent).await;
        if let Ok(outcome) = in_time {
            return Ok(outcome);
        }
        gate.cancel();
    }
    loop {
        if let Ok(outcome) = tokio::time::timeout_at(deadline, &mut sent).await {
            return Ok(outcome);
        }
        match upload.map(|upload| upload.last() + window) {
            Some(later) if later > deadline => deadline = later,
            _ => return Err(Reason::FirstByteTimeout),
        }
    }
}

fn head_clone(request: &Request<Upload>) -> Request<Upload> {
    let mut clone = Request::new(Upload::empty());
    *clone.method_mut() = request.method().clone();
    *clone.uri_mut() = request.uri().clone();
    *clone.headers_mut() = request.headers().clone();
    clone
}

/// The app changes the protocol, as the client wished: from here on only bytes are carried.
fn switch(
    shared: &Arc<Shared>,
    mut response: Response<Incoming>,
    upgrade: Option<(HeaderValue, OnUpgrade)>,
    conn: Conn,
    in_flight: InFlight,
    slot: &mut Option<Box<Access>>,
) -> Result<Response<Body>, Reason> {
    let Some((wanted, client)) = upgrade else { return Err(Reason::BadResponse) };
    let protocol = response.headers().get(UPGRADE).cloned().ok_or(Reason::BadResponse)?;
    if !is_among(&wanted, &protocol) {
        return Err(Reason::BadResponse);
    }
    let backend = hyper::upgrade::on(&mut response);
    let Some(mut access) = slot.take() else { return Err(Reason::BadResponse) };
    access.status = Some(StatusCode::SWITCHING_PROTOCOLS);
    Tunnel { client, backend, conn, in_flight, access }.spawn(shared);

    let mut answer = Response::new(Body::Page(None));
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let mut headers: HeaderMap = std::mem::take(response.headers_mut());
    strip_hop_by_hop(&mut headers);
    headers.insert(UPGRADE, protocol);
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    *answer.headers_mut() = headers;
    Ok(answer)
}

/// Whether `protocol` is one of those that the client listed.
fn is_among(wanted: &HeaderValue, protocol: &HeaderValue) -> bool {
    let (Ok(wanted), Ok(protocol)) = (wanted.to_str(), protocol.to_str()) else { return false };
    wanted.split(',').any(|name| name.trim().eq_ignore_ascii_case(protocol.trim()))
}
