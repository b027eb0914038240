//! From a request to the answer: the rules that come before an app is asked.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{ACCEPT, LOCATION};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use slipway_engine::route::AppRoute;

use super::Shared;
use super::access::Access;
use super::body::{Body, Received};
use super::config::is_in_networks;
use super::connection::Peer;
use super::forward::forward;
use super::header::{self, X_FORWARDED_PROTO, X_REQUEST_ID};
use super::page::{Reason, page};
use super::target::{Target, target};

/// Answers one request.
pub(super) async fn handle(shared: Arc<Shared>, peer: Arc<Peer>, request: Request<Incoming>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = Received::new(body, &head.headers);
    let request = Request::from_parts(head, body);
    let request_id = shared.request_ids.of(request.headers());
    let accept = request.headers().get(ACCEPT).cloned();
    // Whoever sends the last byte of the answer takes it from here.
    let mut access = Some(Box::new(Access {
        metrics: Arc::clone(&shared.metrics),
        sink: Arc::clone(&shared.logs),
        app: None,
        method: request.method().clone(),
        uri: request.uri().clone(),
        host: String::new(),
        request_id: request_id.clone(),
        client: peer.ip,
        is_https: peer.is_tls,
        backend: None,
        connect: Duration::ZERO,
        started: Instant::now(),
        status: None,
        bytes: 0,
        upload: None,
        error: None,
        in_flight: Some(shared.metrics.request_began()),
    }));
    let outcome = dispatch(&shared, &peer, request, &mut access).await;
    let mut response = match outcome {
        Ok(response) => response,
        Err(reason) => {
            let host = access.as_ref().map_or("", |access| access.host.as_str());
            let response = page(reason, accept.as_ref(), host, &request_id);
            if let Some(access) = &mut access {
                access.error = Some(reason.code());
            }
            response
        }
    };
    if let Some(mut access) = access {
        access.status = Some(response.status());
        access.bytes = response.body().page_len();
    }
    response.headers_mut().insert(&X_REQUEST_ID, request_id);
    response
}

async fn dispatch(
    shared: &Arc<Shared>,
    peer: &Peer,
    request: Request<Received>,
    slot: &mut Option<Box<Access>>,
) -> Result<Response<Body>, Reason> {
    if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
        return Err(Reason::MethodRefused);
    }
    if request.uri().path_and_query().is_some_and(|path| path.as_str().len() > shared.config.limits.uri_bytes) {
        return Err(Reason::UriTooLong);
    }
    let target = target(&request)?;
    let Some(access) = slot.as_mut() else { return Err(Reason::BadResponse) };
    access.host.clone_from(&target.host);
    let route = shared.find(&target.host, request.uri().path()).ok_or(Reason::NoApp)?;
    access.app = Some(route.app);
    access.client = header::client(request.headers(), peer.ip, peer.is_trusted, &shared.config.trusted_proxies);
    access.is_https = is_https(peer, &request);
    if !route.allow_list.is_empty() && !is_in_networks(access.client, &route.allow_list) {
        return Err(Reason::NotAllowed);
    }
    if route.is_https_enforced && !access.is_https {
        return redirect_to_https(shared, &request, &target);
    }
    if route.is_in_maintenance {
        return Err(Reason::Maintenance);
    }
    forward(shared, peer, route, target, request, slot).await
}

fn is_https(peer: &Peer, request: &Request<Received>) -> bool {
    match request.headers().get(&X_FORWARDED_PROTO) {
        Some(protocol) if peer.is_trusted => protocol.as_bytes().eq_ignore_ascii_case(b"https"),
        _ => peer.is_tls,
    }
}

fn redirect_to_https(shared: &Shared, request: &Request<Received>, target: &Target) -> Result<Response<Body>, Reason> {
    let host = &target.host;
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let location = match shared.https_public_port() {
        443 => format!("https://{host}{path}"),
        port => format!("https://{host}:{port}{path}"),
    };
    let location = HeaderValue::from_str(&location).map_err(|_| Reason::HostInvalid)?;
    let mut response = Response::new(Body::page("This app is served over HTTPS only.\n".to_owned()));
    // 301 lets clients change the method, which only these two bear.
    *response.status_mut() = match *request.method() {
        Method::GET | Method::HEAD => StatusCode::MOVED_PERMANENTLY,
        _ => StatusCode::PERMANENT_REDIRECT,
    };
    response.headers_mut().insert(LOCATION, location);
    Ok(response)
}

impl Shared {
    /// The newest route for a path of `host`.
    pub(super) fn find(&self, host: &str, path: &str) -> Option<Arc<AppRoute>> {
        self.routes.borrow().find_path(host, path).cloned()
    }
}
