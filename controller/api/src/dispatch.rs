//! From a request to its answer: who asks, which route, the body, the handler, and what every answer carries.
//!
//! Order of refusals: unknown URL (404), no or bad credentials (401), unknown method (405), and only then what the
//! use case says. Source: `drycc-v2.md` §1.6.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body_util::combinators::BoxBody;
use poem::error::ReadBodyError;
use poem::web::websocket::WebSocket;
use poem::{Endpoint, Request, Response};
use slipway_core::Error;
use slipway_core::authz::Actor;
use slipway_core::error::Kind;
use slipway_linger::Lingering;
use slipway_service::Cx;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use crate::call::{Answer, Call, Content, Failure};
use crate::route::{Abandoned, Access, Generation, Group, Route, RouteTable};
use crate::{State, call, cors, deis_v1, dployr_v1, drycc_v2, team, v1};

/// Time in which a body must have come whole.
const BODY_TIMEOUT: Duration = Duration::from_mins(1);
/// Longest request id that is taken over from a client or a proxy.
const REQUEST_ID_MAX: usize = 64;

/// The controller's HTTP interface, as one poem endpoint.
#[derive(Clone)]
pub struct Api {
    table: Arc<RouteTable>,
    state: Arc<State>,
}

/// What is known of a request beside what its handler sees.
struct Head {
    method: Method,
    path: String,
    headers: HeaderMap,
    request_id: String,
    peer: Option<SocketAddr>,
    local: Option<SocketAddr>,
    is_tls: bool,
    query: Vec<(String, String)>,
}

impl Api {
    /// Answers from `table`.
    #[must_use]
    pub fn new(table: RouteTable, state: State) -> Self {
        Self { table: Arc::new(table), state: Arc::new(state) }
    }

    /// The routes, for documents and tests.
    #[must_use]
    pub fn table(&self) -> &RouteTable {
        &self.table
    }

    async fn answer(&self, request: Request) -> Response {
        let started = Instant::now();
        let in_flight = self.state.metrics.begin();
        let websocket = crate::session::socket(&request).await.map(Box::new);
        let (head, body) = Head::new(request);
        let span = tracing::info_span!(
            "request",
            request.id = %head.request_id,
            http.method = %head.method,
            http.path = %head.path,
            operation = tracing::field::Empty,
        );
        let (operation, generation, mut response) =
            Box::pin(self.route(&head, body, websocket, &span)).instrument(span.clone()).await;
        if operation != "cors_preflight" {
            self.rate_tell(&head, generation, &mut response).instrument(span.clone()).await;
        }
        if generation == Generation::DployrV1 && dployr_v1::adapter::is_wanted(&head.headers) {
            response = dployr_v1::adapter::adapt(&head.path, response).await;
        }
        decorate(&head, generation, &mut response);
        if head.method == Method::HEAD {
            response = without_body(response).await;
        }
        drop(in_flight);
        let (status, duration) = (response.status().as_u16(), started.elapsed());
        self.state.metrics.answered(operation, method_label(&head.method), status, duration);
        span.in_scope(|| {
            let duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
            tracing::debug!(http.status = status, duration_ms, "answered {status} in {duration_ms} ms");
        });
        response
    }

    /// The operation's id, for the metrics, the generation, and the answer without what every answer carries.
    async fn route(
        &self,
        head: &Head,
        body: poem::Body,
        websocket: Option<Box<WebSocket>>,
        span: &tracing::Span,
    ) -> (&'static str, Generation, Response) {
        if let Some(response) = cors::preflight(&head.method, &head.headers) {
            let generation = unknown_generation(head);
            return ("cors_preflight", generation, response);
        }
        let Some((group, params)) = self.table.find(&head.path) else {
            let generation = unknown_generation(head);
            return ("unknown_url", generation, render(generation, &Failure::UnknownUrl));
        };
        let route = group.find(&head.method);
        let generation = if group.pattern.text() == v1::LOGIN {
            v1::login_generation_unread(&head.path, head.media_type().as_deref())
        } else {
            generation(group, route)
        };
        let operation = route.map_or("unknown_method", |route| route.operation);
        span.record("operation", operation);
        if generation == Generation::DployrV1 && group.pattern.text() != v1::LOGIN {
            let answer = Box::pin(self.handle_limited(head, (body, websocket), group, route, params)).await;
            return (operation, generation, answer);
        }
        let answer = match version_check(generation, &head.headers) {
            Ok(()) => {
                let actor = self.authenticate(head, access(group, route), generation).await;
                self.handle(head, (body, websocket), group, route, (params, actor)).await
            }
            Err(failure) => Err(failure),
        };
        let response = answer.unwrap_or_else(|failure| render(generation, &failure));
        // Only the log-in's handler knows whose it was.
        let generation = response.extensions().get::<Generation>().copied().unwrap_or(generation);
        (operation, generation, response)
    }

    /// A request of the API whose callers are counted. Source: `dployr-v1.md` §1.2.
    async fn handle_limited(
        &self,
        head: &Head,
        body: (poem::Body, Option<Box<WebSocket>>),
        group: &Group,
        route: Option<&Route>,
        params: crate::path::Params,
    ) -> Response {
        let generation = Generation::DployrV1;
        let access = access(group, route);
        // Who has a good token is counted by it, also where nobody asks for one.
        let asked = if access == Access::Public { Access::Optional } else { access };
        let actor = self.authenticate(head, asked, generation).await;
        let rate = self.state.service.rate_take(actor.as_ref().ok(), head.remote()).await;
        let mut response = if rate.retry_after_secs.is_some() {
            dployr_v1::rate::refusal(&rate)
        } else {
            let answer = self.handle(head, body, group, route, (params, actor)).await;
            answer.unwrap_or_else(|failure| render(generation, &failure))
        };
        dployr_v1::rate::tell(&rate, &mut response);
        response
    }

    /// Tells what is left to a caller whose answer does not yet.
    async fn rate_tell(&self, head: &Head, generation: Generation, response: &mut Response) {
        if generation == Generation::DployrV1 && !dployr_v1::rate::is_told(response) {
            let actor = v1::user(&self.state.service, &head.headers).await.ok();
            let rate = self.state.service.rate_take(actor.as_ref(), head.remote()).await;
            if rate.retry_after_secs.is_some() {
                *response = dployr_v1::rate::refusal(&rate);
            }
            dployr_v1::rate::tell(&rate, response);
        }
    }

    async fn handle(
        &self,
        head: &Head,
        (body, websocket): (poem::Body, Option<Box<WebSocket>>),
        group: &Group,
        route: Option<&Route>,
        (params, actor): (crate::path::Params, Result<Actor, Failure>),
    ) -> Answer {
        let actor = actor?;
        let Some(route) = route else {
            let allowed = group.allowed();
            if head.method == Method::OPTIONS {
                return options(&allowed);
            }
            return Err(Failure::MethodNotAllowed { method: head.method.clone(), allowed });
        };
        let content = match head.method {
            Method::GET | Method::HEAD => Content::default(),
            _ => read(head, body, route).await?,
        };
        let call = Call {
            state: Arc::clone(&self.state),
            cx: Cx { actor, request_id: head.request_id.clone(), now: self.state.service.now(), remote: head.remote() },
            method: head.method.clone(),
            path: head.path.clone(),
            headers: head.headers.clone(),
            params,
            query: head.query.clone(),
            url: head.url(),
            content,
            websocket,
        };
        let app = group.pattern.has_variable("app").then(|| (call.cx.clone(), call.param("app").to_owned()));
        let answer = run(route, call).await;
        let Some((cx, app)) = app else { return answer };
        let answer = match answer {
            Err(failure) if failure.is_about_body() => {
                // Whether the app exists, and whether the caller may do this with it, comes before what the body says.
                let allowed = self.state.service.app_authorize(&cx, &app, route.action).await;
                Err(allowed.err().map_or(failure, Failure::from))
            }
            answer => answer,
        };
        match answer {
            Err(Failure::Domain(Error::Forbidden(text))) if route.generation.is_hiding_apps() => {
                match self.state.service.app_get(&cx, &app).await {
                    Err(Error::Forbidden(_)) => Err(Error::not_found(Kind::App).into()),
                    _ => Err(Error::Forbidden(text).into()),
                }
            }
            answer => answer,
        }
    }

    async fn authenticate(&self, head: &Head, access: Access, generation: Generation) -> Result<Actor, Failure> {
        let user = async {
            match generation {
                Generation::Platform | Generation::DryccV2 | Generation::Team => {
                    drycc_v2::auth::user(&self.state.service, &head.headers).await
                }
                Generation::DeisV1 | Generation::DployrV1 => v1::user(&self.state.service, &head.headers).await,
            }
        };
        match access {
            Access::User if generation == Generation::Team => {
                Ok(team::auth::user(&self.state.service, &head.headers).await?)
            }
            Access::Starter => match team::auth::user(&self.state.service, &head.headers).await {
                Err(Error::Unauthenticated(_)) => Ok(Actor::Anonymous),
                other => Ok(other?),
            },
            Access::Public => Ok(Actor::Anonymous),
            Access::Optional => Ok(user.await.unwrap_or(Actor::Anonymous)),
            Access::User => Ok(user.await?),
            Access::Builder => Ok(drycc_v2::auth::builder(&self.state.service, &head.headers).await?),
        }
    }
}

impl Endpoint for Api {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        Ok(self.answer(request).await)
    }
}

/// Whose path it is.
fn generation(group: &Group, route: Option<&Route>) -> Generation {
    route.or(group.routes.first()).map_or(Generation::DryccV2, |route| route.generation)
}

/// Whose shape a refusal of an unknown path has.
fn unknown_generation(head: &Head) -> Generation {
    let is_team = head.path.strip_prefix("/api").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if is_team {
        return Generation::Team;
    }
    v1::unknown_generation(&head.path, &head.headers).unwrap_or(Generation::DryccV2)
}

/// Who may see that the path exists: the route's own callers; without a route, those of the path.
fn access(group: &Group, route: Option<&Route>) -> Access {
    match route {
        Some(route) => route.access,
        None if group.is_public() => Access::Public,
        None if group.is_for_builder() => Access::Builder,
        None => Access::User,
    }
}

/// Runs the handler in a task of its own: a client that goes away cuts nothing off in mid-work unless the route says
/// so, and a panic ends the task, not the connection.
async fn run(route: &Route, call: Call) -> Answer {
    let task = tokio::spawn((route.handler)(call).in_current_span());
    let joined = match route.abandoned {
        Abandoned::Finish => task.await,
        Abandoned::Drop => AbortOnDropHandle::new(task).await,
    };
    joined.unwrap_or_else(|error| {
        let reason = match error.try_into_panic() {
            Ok(panic) => panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "a value that is no text".to_owned()),
            Err(error) => error.to_string(),
        };
        Err(Failure::Panic(reason))
    })
}

async fn read(head: &Head, body: poem::Body, route: &Route) -> Result<Content, Failure> {
    let limit = route.body_max;
    let declared = head.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > limit as u64) {
        return Err(Failure::TooLarge { limit });
    }
    let bytes = match tokio::time::timeout(BODY_TIMEOUT, body.into_bytes_limit(limit)).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(ReadBodyError::PayloadTooLarge)) => return Err(Failure::TooLarge { limit }),
        Ok(Err(_)) | Err(_) => return Err(Failure::Incomplete),
    };
    Ok(Content { bytes, media_type: head.media_type(), is_form_read: route.generation == Generation::DeisV1 })
}

fn options(allowed: &[Method]) -> Answer {
    let mut response = call::empty(StatusCode::OK)?;
    response.headers_mut().insert(header::ALLOW, allow(allowed));
    Ok(response)
}

/// The `Allow` header.
pub(crate) fn allow(allowed: &[Method]) -> HeaderValue {
    let names: Vec<&str> = allowed.iter().map(Method::as_str).collect();
    HeaderValue::from_str(&names.join(", ")).unwrap_or_else(|_| HeaderValue::from_static("GET"))
}

fn render(generation: Generation, failure: &Failure) -> Response {
    match generation {
        Generation::Platform | Generation::DryccV2 => drycc_v2::error::render(failure),
        Generation::DeisV1 => deis_v1::error::render(failure),
        Generation::DployrV1 => dployr_v1::error::render(failure),
        Generation::Team => team::error::render(failure),
    }
}

/// Whether the client says to be made for a version that we are not. Source: `deis-v1.md` §2.
fn version_check(generation: Generation, headers: &HeaderMap) -> Result<(), Failure> {
    match generation {
        Generation::DeisV1 => deis_v1::version_check(headers),
        Generation::Platform | Generation::DryccV2 | Generation::DployrV1 | Generation::Team => Ok(()),
    }
}

/// What every answer carries, whatever it is. Source: `drycc-v2.md` §1.3, `deis-v1.md` §2.
fn decorate(head: &Head, generation: Generation, response: &mut Response) {
    if head.headers.contains_key(header::ORIGIN) {
        cors::allow(response);
    }
    let headers = response.headers_mut();
    let versions = match generation {
        Generation::Platform | Generation::DryccV2 => &drycc_v2::HEADERS[..],
        Generation::DeisV1 => &deis_v1::HEADERS[..],
        Generation::DployrV1 | Generation::Team => &[],
    };
    for (name, value) in versions.iter().copied() {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(id) = HeaderValue::from_str(&head.request_id) {
        headers.insert("x-request-id", id);
    }
}

async fn without_body(mut response: Response) -> Response {
    let length = response.take_body().into_bytes().await.map_or(0, |bytes| bytes.len());
    if response.status() != StatusCode::NO_CONTENT {
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}

/// A method as a label of metrics: one of a fixed set.
fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

impl Head {
    fn new(request: Request) -> (Self, poem::Body) {
        let peer = request.remote_addr().as_socket_addr().copied();
        let local = request.local_addr().as_socket_addr().copied();
        let is_tls = *request.scheme() == http::uri::Scheme::HTTPS;
        let (parts, body) = request.into_parts();
        // Who is refused before all was sent must get to read why.
        let body = poem::Body::from(BoxBody::new(Lingering::new(BoxBody::from(body), &parts.headers)));
        let query = parts.uri.query().unwrap_or_default();
        let head = Self {
            path: parts.uri.path().to_owned(),
            query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            request_id: request_id(&parts.headers),
            method: parts.method,
            headers: parts.headers,
            peer,
            local,
            is_tls,
        };
        (head, body)
    }

    /// The address of the client.
    fn remote(&self) -> Option<std::net::IpAddr> {
        call::remote(self.peer.map(|peer| peer.ip()), &self.headers)
    }

    /// `Content-Type`, if sent.
    fn media_type(&self) -> Option<String> {
        self.headers.get(header::CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()).into())
    }

    /// The URL as the client sees it, without the query.
    fn url(&self) -> String {
        let forwarded = self.headers.get("x-forwarded-proto").is_some_and(|value| value.as_bytes() == b"https");
        let scheme = if self.is_tls || forwarded { "https" } else { "http" };
        let is_host = |host: &&str| {
            !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]_".contains(&byte))
        };
        let host = self.headers.get(header::HOST).and_then(|value| value.to_str().ok()).filter(is_host);
        let host =
            host.map_or_else(|| self.local.map_or("localhost".to_owned(), |local| local.to_string()), str::to_owned);
        format!("{scheme}://{host}{}", self.path)
    }
}

/// The request's id: what a proxy in front gave it, if that is harmless in a log, else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let is_harmless = |id: &&str| {
        !id.is_empty()
            && id.len() <= REQUEST_ID_MAX
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    let given = headers.get("x-request-id").and_then(|value| value.to_str().ok()).filter(is_harmless);
    given.map_or_else(|| uuid::Uuid::new_v4().simple().to_string(), str::to_owned)
}
