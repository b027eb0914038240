//! Requests to an engine: one connection each, bounded in time and size.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use slipway_cause::chain;
use slipway_engine::RegistryLogin;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_openssl::SslStream;

use crate::endpoint::Way;
use crate::failure::Failure;
use crate::settings::DockerSettings;

/// How long connecting may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// Longest answer that is read, in bytes: a list of thousands of containers.
const ANSWER_MAX: usize = 16 << 20;
/// Longest line of an answer in lines, in bytes.
const LINE_MAX: usize = 1 << 20;
/// How long an answer in lines may pause.
const PAUSE_LIMIT: Duration = Duration::from_mins(3);

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// Speaks to one engine.
#[derive(Clone)]
pub(crate) struct Client {
    way: Way,
    allow_private: bool,
    /// How long a request may take that does not say otherwise.
    call_limit: Duration,
}

/// A request.
#[derive(Clone)]
pub(crate) struct Call<'a> {
    method: Method,
    path: String,
    query: Vec<(&'a str, String)>,
    body: Option<Value>,
    login: Option<&'a RegistryLogin>,
    limit: Option<Duration>,
}

/// An answer whose body was not read yet. The connection ends when it is dropped.
pub(crate) struct Answer {
    body: Incoming,
    /// The connection's task.
    _connection: JoinSet<()>,
}

impl<'a> Call<'a> {
    fn new(method: Method, path: String) -> Self {
        Self { method, path, query: Vec::new(), body: None, login: None, limit: None }
    }

    /// Asks for something. `path` has no characters that a path may not have.
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path.into())
    }

    /// Has something done.
    pub(crate) fn post(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path.into())
    }

    /// Has something removed.
    pub(crate) fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, path.into())
    }

    pub(crate) fn query(mut self, name: &'a str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    /// What is looked for: by name, the values.
    pub(crate) fn filters(self, filters: &Value) -> Self {
        self.query("filters", filters.to_string())
    }

    pub(crate) fn body(mut self, body: &impl Serialize) -> Result<Self, Failure> {
        let body = serde_json::to_value(body).map_err(|error| Failure::Away(chain(&error)))?;
        self.body = Some(body);
        Ok(self)
    }

    /// Credentials that the engine is to fetch an image with.
    pub(crate) fn login(mut self, login: Option<&'a RegistryLogin>) -> Self {
        self.login = login;
        self
    }

    pub(crate) fn limit(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    fn request(&self) -> Result<Request<Full<Bytes>>, Failure> {
        let mut path = self.path.clone();
        if !self.query.is_empty() {
            let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.query).finish();
            path = format!("{path}?{query}");
        }
        let mut request = Request::builder().method(self.method.clone()).uri(path).header(header::HOST, "docker");
        let body = match &self.body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Bytes::from(body.to_string())
            }
            None => Bytes::new(),
        };
        if let Some(login) = self.login {
            // What the engine is told to log in with at the registry. Source: Docker Engine API, "Authentication".
            let value = json!({
                "username": login.username,
                "password": login.password.expose(),
                "serveraddress": login.hostname.as_deref().unwrap_or_default(),
            });
            let value = HeaderValue::from_str(&URL_SAFE.encode(value.to_string()));
            let mut value = value.map_err(|error| Failure::Away(chain(&error)))?;
            value.set_sensitive(true);
            request = request.header("X-Registry-Auth", value);
        }
        request.body(Full::new(body)).map_err(|error| Failure::Away(chain(&error)))
    }
}

impl Client {
    pub(crate) fn new(way: Way, settings: &DockerSettings) -> Self {
        Self { way, allow_private: settings.allow_private, call_limit: settings.call_limit }
    }

    pub(crate) fn way(&self) -> &Way {
        &self.way
    }

    /// Sends a request; the answer's body is the caller's to read, in whatever time it wants.
    ///
    /// # Errors
    /// [`Failure`], also when the engine says no.
    pub(crate) async fn open(&self, call: Call<'_>) -> Result<Answer, Failure> {
        let request = call.request()?;
        let work = async {
            let io = self.connect().await?;
            let away = |error: hyper::Error| Failure::Away(chain(&error));
            let (mut sender, connection) = http1::handshake(TokioIo::new(io)).await.map_err(away)?;
            let mut task = JoinSet::new();
            task.spawn(async move {
                // Whoever reads the body hears of it.
                let _ = connection.await;
            });
            let response = sender.send_request(request).await.map_err(away)?;
            let status = response.status();
            let answer = Answer { body: response.into_body(), _connection: task };
            if status.is_success() {
                return Ok(answer);
            }
            let text = answer.read().await.unwrap_or_default();
            let told = serde_json::from_slice::<Value>(&text).ok();
            let told = told.and_then(|value| value.get("message").and_then(Value::as_str).map(str::to_owned));
            let text = told.unwrap_or_else(|| String::from_utf8_lossy(&text).into_owned());
            Err(Failure::Refused { status: status.as_u16(), text })
        };
        timeout(call.limit.unwrap_or(self.call_limit), work).await.unwrap_or(Err(Failure::TimedOut))
    }

    /// Sends a request and reads its answer.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T, Failure> {
        let text = self.read(call).await?;
        serde_json::from_slice(&text).map_err(|error| Failure::Away(format!("an answer cannot be read: {error}")))
    }

    /// Sends a request whose answer says nothing more.
    pub(crate) async fn tell(&self, call: Call<'_>) -> Result<(), Failure> {
        self.read(call).await.map(drop)
    }

    async fn read(&self, call: Call<'_>) -> Result<Vec<u8>, Failure> {
        let limit = call.limit.unwrap_or(self.call_limit);
        let work = async { self.open(call).await?.read().await };
        timeout(limit, work).await.unwrap_or(Err(Failure::TimedOut))
    }

    async fn connect(&self) -> Result<Box<dyn Io>, Failure> {
        let away = |error: io::Error| Failure::Away(chain(&error));
        let work = async {
            match &self.way {
                Way::Unix(path) => Ok(Box::new(UnixStream::connect(path).await.map_err(away)?) as Box<dyn Io>),
                Way::Tls { host, port, connector } => {
                    let tcp = self.tcp(host, *port).await.map_err(away)?;
                    let ssl = connector.configure().and_then(|ssl| ssl.into_ssl(host));
                    let ssl = ssl.map_err(|error| Failure::Away(chain(&error)))?;
                    let mut stream = SslStream::new(ssl, tcp).map_err(|error| Failure::Away(chain(&error)))?;
                    Pin::new(&mut stream).connect().await.map_err(|error| Failure::Away(chain(&error)))?;
                    Ok(Box::new(stream) as Box<dyn Io>)
                }
            }
        };
        timeout(CONNECT_LIMIT, work).await.unwrap_or(Err(Failure::TimedOut))
    }

    /// Connects to an address of `host` that may be connected to. It is resolved here, so that what was looked at is
    /// what is connected to.
    async fn tcp(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        let addresses: Vec<SocketAddr> = tokio::net::lookup_host((host, port)).await?.collect();
        let mut last = io::Error::new(io::ErrorKind::PermissionDenied, "it has private addresses only");
        for address in addresses {
            if self.allow_private || slipway_egress::is_public(address.ip()) {
                match TcpStream::connect(address).await {
                    Ok(stream) => return Ok(stream),
                    Err(error) => last = error,
                }
            }
        }
        Err(last)
    }
}

impl Answer {
    /// The next piece of the body; none at its end.
    pub(crate) async fn piece(&mut self) -> Result<Option<Bytes>, Failure> {
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|error| Failure::Away(chain(&error)))?;
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }

    async fn read(mut self) -> Result<Vec<u8>, Failure> {
        let mut all = Vec::new();
        while let Some(piece) = self.piece().await? {
            if all.len() + piece.len() > ANSWER_MAX {
                return Err(Failure::Away("an answer is too long".to_owned()));
            }
            all.extend_from_slice(&piece);
        }
        Ok(all)
    }

    /// Hands each line of the body to `read`, until that wants no more, or the body ends.
    pub(crate) async fn lines<T>(mut self, mut read: impl FnMut(&[u8]) -> Option<T>) -> Result<Option<T>, Failure> {
        let mut held: Vec<u8> = Vec::new();
        loop {
            let piece = timeout(PAUSE_LIMIT, self.piece()).await.unwrap_or(Err(Failure::TimedOut))?;
            let is_end = piece.is_none();
            held.extend_from_slice(&piece.unwrap_or_default());
            let whole = held.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            let whole = if is_end { held.len() } else { whole };
            for line in held[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                if let Some(found) = read(line) {
                    return Ok(Some(found));
                }
            }
            if is_end {
                return Ok(None);
            }
            held.drain(..whole);
            if held.len() > LINE_MAX {
                return Err(Failure::Away("a line of an answer is too long".to_owned()));
            }
        }
    }
}
