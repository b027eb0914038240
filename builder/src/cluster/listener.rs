//! Where Jobs fetch sources and caches, and leave caches and results.
//!
//! Each build has two tokens: one to fetch with, for the step that runs the app's code, and one to report with, for the
//! step that does not. Each use of a token works once; a build that is over has no tokens. The third, for what the steps of
//! a Dockerfile made, works as often as it is used.
//!
//! | request | token | answer |
//! |---|---|---|
//! | `GET /builds/ID/source` | fetch | the source as `tar.gz` |
//! | `GET /builds/ID/cache` | fetch | the app's cache as `tar.gz`; 404 when there is none |
//! | `PUT /builds/ID/cache` | report | 204; 413 when it is too large |
//! | `POST /builds/ID/result` | report | 204 |
//! | `GET /healthz` | – | 200 |
//! | what a registry is asked, below `/v2/` | steps | [`StepCache`]; the token is the password of the user `ID` |

use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use bytes::Bytes;
use futures::TryStreamExt;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, WWW_AUTHENTICATE};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::io::ReaderStream;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::step_cache::{self, StepCache};
use super::task::Outcome;

/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Largest result, in bytes.
const RESULT_MAX: usize = 1024 * 1024;

pub(crate) type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Use {
    Source,
    CacheGet,
    CachePut,
    Result,
}

/// The tokens of a build.
#[derive(Debug)]
pub struct Tokens {
    /// Fetches source and cache.
    pub fetch: SecretString,
    /// Leaves cache and result.
    pub report: SecretString,
    /// Reads and leaves what the steps of a Dockerfile made.
    pub steps: SecretString,
}

#[derive(Debug)]
struct Ticket {
    tokens: Tokens,
    used: BTreeSet<Use>,
    expires: Instant,
    source: PathBuf,
    cache: PathBuf,
    cache_max: u64,
    steps: Option<Arc<StepCache>>,
    result: Option<oneshot::Sender<Outcome>>,
}

/// What a build that is under way offers and awaits.
#[derive(Debug)]
pub struct Offer {
    /// The packed source.
    pub source: PathBuf,
    /// The app's packed cache: read if it is there, and replaced.
    pub cache: PathBuf,
    /// Most bytes of the new cache.
    pub cache_max: u64,
    /// What the steps of the app's Dockerfile made, where that is kept.
    pub steps: Option<Arc<StepCache>>,
    /// How long all of this is good for.
    pub lifetime: Duration,
}

/// The builds that are under way. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Desk {
    tickets: Arc<Mutex<HashMap<Uuid, Ticket>>>,
}

/// Takes the build off the desk when dropped.
#[derive(Debug)]
pub struct Registration {
    desk: Desk,
    build: Uuid,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.desk.lock().remove(&self.build);
    }
}

/// A token that nobody guesses: 64 hexadecimal digits.
///
/// # Errors
/// When the system has no randomness.
fn token() -> Result<SecretString, openssl::error::ErrorStack> {
    let mut bytes = [0u8; 32];
    openssl::rand::rand_bytes(&mut bytes)?;
    Ok(SecretString::from(hex::encode(bytes)))
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Ticket>> {
        // A ticket is never left half-changed.
        self.tickets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a build on the desk: its tokens as text (fetch, report), and its result once that has come.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn register(
        &self,
        build: Uuid,
        offer: Offer,
    ) -> Result<(Registration, Tokens, oneshot::Receiver<Outcome>), openssl::error::ErrorStack> {
        let (sender, receiver) = oneshot::channel();
        let (fetch, report, steps) = (token()?, token()?, token()?);
        let tokens = Tokens { fetch: fetch.clone(), report: report.clone(), steps: steps.clone() };
        let kept = Tokens { fetch, report, steps };
        let Offer { source, cache, cache_max, steps, lifetime } = offer;
        let ticket = Ticket {
            tokens: kept,
            used: BTreeSet::new(),
            expires: Instant::now() + lifetime,
            source,
            cache,
            cache_max,
            steps,
            result: Some(sender),
        };
        self.lock().insert(build, ticket);
        Ok((Registration { desk: self.clone(), build }, tokens, receiver))
    }

    /// The builds that are on the desk.
    #[must_use]
    pub fn builds(&self) -> BTreeSet<Uuid> {
        self.lock().keys().copied().collect()
    }

    /// What the steps of the Dockerfile made that is being built, for who knows the build and its token.
    fn steps(&self, build: Uuid, given: &str) -> Option<Arc<StepCache>> {
        let tickets = self.lock();
        let ticket = tickets.get(&build)?;
        let is_right: bool = given.as_bytes().ct_eq(ticket.tokens.steps.expose_secret().as_bytes()).into();
        ticket.steps.clone().filter(|_| is_right && Instant::now() < ticket.expires)
    }

    /// Spends the right to `what`, if `given` is its token.
    fn spend<T>(
        &self,
        build: Uuid,
        what: Use,
        given: Option<&str>,
        take: impl FnOnce(&mut Ticket) -> T,
    ) -> Result<T, StatusCode> {
        let mut tickets = self.lock();
        // What is unknown, over, spent and wrong looks the same from outside.
        let ticket = tickets.get_mut(&build).ok_or(StatusCode::UNAUTHORIZED)?;
        let token = match what {
            Use::Source | Use::CacheGet => &ticket.tokens.fetch,
            Use::CachePut | Use::Result => &ticket.tokens.report,
        };
        let is_right = given.is_some_and(|given| given.as_bytes().ct_eq(token.expose_secret().as_bytes()).into());
        if !is_right || Instant::now() >= ticket.expires || !ticket.used.insert(what) {
            return Err(StatusCode::UNAUTHORIZED);
        }
        Ok(take(ticket))
    }
}

/// Serves `desk` on `listener` until `shutdown`.
pub async fn serve(listener: TcpListener, desk: Desk, shutdown: CancellationToken) {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            // Out of descriptors: what is open will end.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let desk = desk.clone();
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            let desk = desk.clone();
            async move { Ok::<_, Infallible>(answer(&desk, request).await) }
        });
        let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        let stop = shutdown.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = connection => {}
                () = stop.cancelled() => {}
            }
        });
    }
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut response = step_cache::status(status);
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, hyper::header::HeaderValue::from_static("Bearer"));
    }
    response
}

async fn answer(desk: &Desk, request: Request<Incoming>) -> Response<Body> {
    if request.uri().path() == "/healthz" {
        return empty(StatusCode::OK);
    }
    let path = request.uri().path().to_owned();
    if let Some(rest) = path.strip_prefix("/v2/") {
        return answer_as_registry(desk, rest, request).await;
    }
    let parts: Vec<&str> = request.uri().path().trim_start_matches('/').split('/').collect();
    let (build, what) = match parts.as_slice() {
        ["builds", build, what] => match (build.parse::<Uuid>(), request.method(), *what) {
            (Ok(build), &Method::GET, "source") => (build, Use::Source),
            (Ok(build), &Method::GET, "cache") => (build, Use::CacheGet),
            (Ok(build), &Method::PUT, "cache") => (build, Use::CachePut),
            (Ok(build), &Method::POST, "result") => (build, Use::Result),
            _ => return empty(StatusCode::NOT_FOUND),
        },
        _ => return empty(StatusCode::NOT_FOUND),
    };
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = header.and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned);
    let given = given.as_deref();
    let done = match what {
        Use::Source => match desk.spend(build, what, given, |ticket| ticket.source.clone()) {
            Ok(path) => send(&path).await,
            Err(status) => Err(status),
        },
        Use::CacheGet => match desk.spend(build, what, given, |ticket| ticket.cache.clone()) {
            Ok(path) => send(&path).await,
            Err(status) => Err(status),
        },
        Use::CachePut => match desk.spend(build, what, given, |ticket| (ticket.cache.clone(), ticket.cache_max)) {
            Ok((path, max)) => keep(&path, max, request.into_body()).await,
            Err(status) => Err(status),
        },
        Use::Result => match desk.spend(build, what, given, |ticket| ticket.result.take()) {
            Ok(sender) => take_result(sender, request.into_body()).await,
            Err(status) => Err(status),
        },
    };
    done.unwrap_or_else(empty)
}

/// Answers what a registry is asked, who says by HTTP's basic scheme which build they belong to.
async fn answer_as_registry(desk: &Desk, path: &str, request: Request<Incoming>) -> Response<Body> {
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let steps = header.and_then(|value| value.strip_prefix("Basic ")).and_then(|text| {
        let plain = base64::engine::general_purpose::STANDARD.decode(text.trim()).ok()?;
        let plain = String::from_utf8(plain).ok()?;
        let (build, token) = plain.split_once(':')?;
        desk.steps(build.parse().ok()?, token)
    });
    let Some(steps) = steps else {
        let mut response = step_cache::status(StatusCode::UNAUTHORIZED);
        response
            .headers_mut()
            .insert(WWW_AUTHENTICATE, hyper::header::HeaderValue::from_static("Basic realm=\"build\""));
        return response;
    };
    match path.strip_prefix(step_cache::REPOSITORY).and_then(|rest| rest.strip_prefix('/')) {
        Some(what) => steps.answer(what, request).await,
        None if path.is_empty() => empty(StatusCode::OK),
        None => empty(StatusCode::NOT_FOUND),
    }
}

async fn send(path: &Path) -> Result<Response<Body>, StatusCode> {
    let file = match tokio::fs::File::open(path).await {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(StatusCode::NOT_FOUND),
        Err(error) => return Err(broken(path, &error)),
    };
    let size = file.metadata().await.map_err(|error| broken(path, &error))?.len();
    let stream = ReaderStream::with_capacity(file, 256 * 1024).map_ok(Frame::data);
    let mut response = Response::new(StreamBody::new(stream).boxed_unsync());
    response.headers_mut().insert(CONTENT_LENGTH, size.into());
    Ok(response)
}

fn broken(path: &Path, error: &std::io::Error) -> StatusCode {
    tracing::error!(path = %path.display(), %error, "a file of a build cannot be read or written");
    StatusCode::INTERNAL_SERVER_ERROR
}

/// Writes `body` to `path`, whole or not at all.
async fn keep(path: &Path, max: u64, mut body: Incoming) -> Result<Response<Body>, StatusCode> {
    let fresh = path.with_extension(format!("new-{}", Uuid::new_v4()));
    let write = async {
        let mut file = tokio::fs::File::create(&fresh).await.map_err(|error| broken(&fresh, &error))?;
        let mut written = 0u64;
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return Err(StatusCode::BAD_REQUEST) };
            let Ok(data) = frame.into_data() else { continue };
            written += data.len() as u64;
            if written > max {
                return Err(StatusCode::PAYLOAD_TOO_LARGE);
            }
            file.write_all(&data).await.map_err(|error| broken(&fresh, &error))?;
        }
        file.flush().await.map_err(|error| broken(&fresh, &error))?;
        tokio::fs::rename(&fresh, path).await.map_err(|error| broken(path, &error))
    };
    let written = write.await;
    if let Err(status) = written {
        let _ = tokio::fs::remove_file(&fresh).await;
        if status == StatusCode::PAYLOAD_TOO_LARGE {
            // The old one is as large, or nearly so.
            let _ = tokio::fs::remove_file(path).await;
        }
        return Err(status);
    }
    Ok(empty(StatusCode::NO_CONTENT))
}

async fn take_result(sender: Option<oneshot::Sender<Outcome>>, body: Incoming) -> Result<Response<Body>, StatusCode> {
    let bytes = Limited::new(body, RESULT_MAX).collect().await.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?.to_bytes();
    let outcome = serde_json::from_slice(&bytes).map_err(|_| StatusCode::BAD_REQUEST)?;
    match sender.map(|sender| sender.send(outcome)) {
        Some(Ok(())) => Ok(empty(StatusCode::NO_CONTENT)),
        Some(Err(_)) | None => Err(StatusCode::GONE),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    struct Rig {
        _dir: tempfile::TempDir,
        base: String,
        desk: Desk,
        build: Uuid,
        source: PathBuf,
        cache: PathBuf,
    }

    impl Rig {
        async fn start() -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let base = format!("http://{}", listener.local_addr().unwrap());
            let desk = Desk::default();
            tokio::spawn(serve(listener, desk.clone(), CancellationToken::new()));
            let dir = tempfile::tempdir().unwrap();
            let (source, cache) = (dir.path().join("s.tar.gz"), dir.path().join("c.tar.gz"));
            fs::write(&source, "the source").unwrap();
            Self { _dir: dir, base, desk, build: Uuid::now_v7(), source, cache }
        }

        fn offer(&self, lifetime: Duration) -> (Registration, Tokens, oneshot::Receiver<Outcome>) {
            let (source, cache) = (self.source.clone(), self.cache.clone());
            let offer = Offer { source, cache, cache_max: 10, steps: None, lifetime };
            self.desk.register(self.build, offer).unwrap()
        }

        async fn ask(&self, method: Method, what: &str, token: Option<&SecretString>, body: &str) -> (u16, String) {
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            let url = format!("{}/builds/{}/{what}", self.base, self.build);
            let mut request = client.request(method, url).body(body.to_owned());
            if let Some(token) = token {
                request = request.bearer_auth(token.expose_secret());
            }
            let response = request.send().await.unwrap();
            (response.status().as_u16(), response.text().await.unwrap())
        }
    }

    #[tokio::test]
    async fn each_use_of_a_token_works_once_and_only_its_own() {
        let rig = Rig::start().await;
        let (registration, tokens, result) = rig.offer(Duration::from_mins(1));
        let (fetch, report) = (Some(&tokens.fetch), Some(&tokens.report));
        for wrong in [None, report, Some(&SecretString::from("guessed"))] {
            assert_eq!(rig.ask(Method::GET, "source", wrong, "").await.0, 401);
        }
        assert_eq!(rig.ask(Method::GET, "source", fetch, "").await, (200, "the source".to_owned()));
        assert_eq!(rig.ask(Method::GET, "source", fetch, "").await.0, 401);
        assert_eq!(rig.ask(Method::GET, "cache", fetch, "").await.0, 404);
        assert_eq!(rig.ask(Method::PUT, "cache", fetch, "x").await.0, 401);
        assert_eq!(rig.ask(Method::PUT, "cache", report, "new cache").await.0, 204);
        assert_eq!(fs::read_to_string(&rig.cache).unwrap(), "new cache");
        let outcome = Outcome { digest: "sha256:1".to_owned(), processes: None };
        let body = serde_json::to_string(&outcome).unwrap();
        assert_eq!(rig.ask(Method::POST, "result", fetch, &body).await.0, 401);
        assert_eq!(rig.ask(Method::POST, "result", report, &body).await.0, 204);
        assert_eq!(result.await.unwrap(), outcome);
        assert_eq!(rig.ask(Method::POST, "result", report, &body).await.0, 401);
        assert_eq!(rig.ask(Method::DELETE, "source", fetch, "").await.0, 404);
        drop(registration);
        assert!(rig.desk.builds().is_empty());
    }

    #[tokio::test]
    async fn what_is_too_large_late_or_wrong_is_refused() {
        let rig = Rig::start().await;
        fs::write(&rig.cache, "old").unwrap();
        let (registration, tokens, result) = rig.offer(Duration::from_mins(1));
        assert_eq!(rig.ask(Method::PUT, "cache", Some(&tokens.report), "more than ten").await.0, 413);
        assert!(!rig.cache.exists());
        assert_eq!(rig.ask(Method::POST, "result", Some(&tokens.report), "{}").await.0, 400);
        drop(registration);
        assert!(result.await.is_err());
        assert_eq!(rig.ask(Method::GET, "source", Some(&tokens.fetch), "").await.0, 401, "the build is over");
        let (_registration, tokens, _result) = rig.offer(Duration::ZERO);
        assert_eq!(rig.ask(Method::GET, "source", Some(&tokens.fetch), "").await.0, 401, "its time is over");
    }
}
