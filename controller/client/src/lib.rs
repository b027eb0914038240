//! HTTP client for the controller's APIs.
//!
//! [`Client`] sends one request and makes of the answer either a wire type or a [`ClientError`]. It knows no
//! endpoint: the callers (the command line, the builder) name paths, and [`segment`] makes any text safe within one.
//! It never follows redirects, since clients that do drop the body of a redirected POST and may carry the user's
//! token to another host.

mod error;
pub mod hooks;
mod path;
mod socket;

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt as _};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

pub use error::{ApiError, ClientError, Family};
pub use path::segment;
pub use reqwest::header::HeaderMap;
pub use reqwest::{Method, StatusCode};
pub use socket::{Piece, Socket};

/// The API version that this client was written for; sent by the server in `DRYCC_API_VERSION`.
///
/// Source: drycc-v2.md §1.8.
pub const API_VERSION: &str = "2.3";

/// Longest time to establish a connection when the builder is not told otherwise.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Most bytes of an answer that are read; a longer one is an error.
pub const ANSWER_MAX_BYTES: usize = 64 * 1024 * 1024;

/// Collects what a [`Client`] needs.
#[derive(Debug)]
pub struct ClientBuilder {
    url: String,
    token: Option<SecretString>,
    headers: Vec<(String, SecretString)>,
    user_agent: String,
    is_ssl_verified: bool,
    is_http1_only: bool,
    connect_timeout: Duration,
    authorities: Vec<u8>,
}

impl ClientBuilder {
    /// Trusts the certificates in a text of PEM as well as those that the system trusts.
    #[must_use]
    pub fn authorities(mut self, pem: Vec<u8>) -> Self {
        self.authorities = pem;
        self
    }

    /// Sends `Authorization: token <token>` with every request.
    #[must_use]
    pub fn token(mut self, token: SecretString) -> Self {
        self.token = Some(token);
        self
    }

    /// Sends another header with every request. The value counts as a secret and is never shown.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: SecretString) -> Self {
        self.headers.push((name.into(), value));
        self
    }

    /// Replaces the user agent (`slipway-client/<version>`).
    #[must_use]
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = user_agent.into();
        self
    }

    /// Whether the server's certificate is checked (the default).
    #[must_use]
    pub fn ssl_verify(mut self, is_verified: bool) -> Self {
        self.is_ssl_verified = is_verified;
        self
    }

    /// Never speaks HTTP/2, over which there are no WebSockets.
    #[must_use]
    pub fn http1_only(mut self) -> Self {
        self.is_http1_only = true;
        self
    }

    /// Replaces [`CONNECT_TIMEOUT`].
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Makes the client. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ClientError::Url`] when the address is not an http(s) URL, [`ClientError::Header`] when a header or the token
    /// holds characters that no header may hold, [`ClientError::Setup`] when TLS cannot be set up.
    pub fn build(self) -> Result<Client, ClientError> {
        let base = path::base(&self.url)?;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(token) = &self.token {
            let mut value = HeaderValue::from_str(&format!("token {}", token.expose_secret()))
                .map_err(|_| ClientError::Header("the token".to_owned()))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        for (name, value) in &self.headers {
            let header =
                HeaderName::from_bytes(name.as_bytes()).map_err(|_| ClientError::Header(format!("header {name:?}")))?;
            let mut value = HeaderValue::from_str(value.expose_secret())
                .map_err(|_| ClientError::Header(format!("header {name:?}")))?;
            value.set_sensitive(true);
            headers.insert(header, value);
        }
        let mut http = reqwest::Client::builder()
            .user_agent(self.user_agent)
            .default_headers(headers)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(self.connect_timeout)
            .tcp_nodelay(true)
            .tls_danger_accept_invalid_certs(!self.is_ssl_verified);
        if self.is_http1_only {
            http = http.http1_only();
        }
        if path::is_loopback(&base) {
            // A proxy that the environment names cannot reach this machine's own loopback addresses.
            http = http.no_proxy();
        }
        if !self.authorities.is_empty() {
            let authorities = reqwest::Certificate::from_pem_bundle(&self.authorities)
                .map_err(|source| ClientError::Setup { source })?;
            http = http.tls_certs_merge(authorities);
        }
        let http = http.build().map_err(|source| ClientError::Setup { source })?;
        Ok(Client { http, base })
    }
}

/// Sends requests to one controller. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

/// A successful answer as it came.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Always 2xx.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, possibly empty.
    pub body: Bytes,
}

impl Answer {
    /// Reads the body as JSON. An empty body counts as `null`, so that `()` and `Option<T>` can be read from a 204.
    ///
    /// # Errors
    /// [`ClientError::Decode`] when the body is something else.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        let body = if self.body.iter().all(u8::is_ascii_whitespace) { b"null".as_slice() } else { &self.body };
        serde_json::from_slice(body).map_err(|source| ClientError::Decode { source })
    }

    /// The text of a header, when it is there and is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// No body, for [`Client::request`].
pub const NO_BODY: Option<&()> = None;

impl Client {
    /// Begins a client for the controller at `url` (`http://127.0.0.1:8000`; without a scheme, `http` for this
    /// machine and `https` for others).
    pub fn builder(url: impl Into<String>) -> ClientBuilder {
        ClientBuilder {
            url: url.into(),
            token: None,
            headers: Vec::new(),
            user_agent: concat!("slipway-client/", env!("CARGO_PKG_VERSION")).to_owned(),
            is_ssl_verified: true,
            is_http1_only: false,
            connect_timeout: CONNECT_TIMEOUT,
            authorities: Vec::new(),
        }
    }

    /// The controller's address, without a slash at the end.
    #[must_use]
    pub fn base(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Sends a request and reads the answer as JSON. `path` begins with `/` and may have a query; user input in it goes
    /// through [`segment`]. There is no limit on the time an answer takes, since deploys are slow.
    ///
    /// # Errors
    /// [`ClientError::Api`] for an answer other than 2xx; [`ClientError::Connect`] or [`ClientError::Transport`] when
    /// there was none; [`ClientError::Decode`] when it is not a `T`.
    pub async fn request<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, ClientError> {
        self.send(method, path, body).await?.json()
    }

    /// Sends a request and reads the whole answer, with its headers.
    ///
    /// # Errors
    /// As [`Client::request`], but for `Decode`.
    pub async fn send(&self, method: Method, path: &str, body: Option<&impl Serialize>) -> Result<Answer, ClientError> {
        let response = self.open(method, path, body).await?;
        let status = response.status();
        let headers = response.headers().clone();
        let body = self.read(response).await?;
        Ok(Answer { status, headers, body })
    }

    /// Sends a request and hands out the answer's body piece by piece as it arrives.
    ///
    /// # Errors
    /// As [`Client::send`]; a connection that breaks later is an item of the stream.
    pub async fn stream(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<BoxStream<'static, Result<Bytes, ClientError>>, ClientError> {
        let response = self.open(method, path, body).await?;
        let url = self.base().to_owned();
        Ok(response
            .bytes_stream()
            .map(move |piece| piece.map_err(|source| ClientError::Transport { url: url.clone(), source }))
            .boxed())
    }

    async fn open(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<reqwest::Response, ClientError> {
        let url = path::join(&self.base, path)?;
        tracing::debug!(%method, path = url.path(), "sending a request");
        let is_bodyless = method == Method::GET || method == Method::HEAD;
        let mut request = self.http.request(method, url);
        if let Some(body) = body {
            request = request.json(body);
        } else if !is_bodyless {
            // An empty JSON body means `{}` (§1.4), and that is what upstream's client sends.
            request = request.header(CONTENT_TYPE, "application/json").body("");
        }
        let response = request.send().await.map_err(|source| self.no_answer(source))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let headers = response.headers().clone();
        let body = self.read(response).await?;
        Err(ClientError::Api(Box::new(ApiError::new(status, headers, &body))))
    }

    async fn read(&self, response: reqwest::Response) -> Result<Bytes, ClientError> {
        let mut body = Vec::new();
        let mut pieces = response.bytes_stream();
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|source| self.no_answer(source))?;
            if body.len() + piece.len() > ANSWER_MAX_BYTES {
                return Err(ClientError::TooLong { limit_bytes: ANSWER_MAX_BYTES });
            }
            body.extend_from_slice(&piece);
        }
        Ok(body.into())
    }

    fn no_answer(&self, source: reqwest::Error) -> ClientError {
        // The address in reqwest's own text is that of the request, of which users know nothing.
        let source = source.without_url();
        let url = self.base().to_owned();
        if source.is_connect() { ClientError::Connect { url, source } } else { ClientError::Transport { url, source } }
    }
}

#[cfg(test)]
mod tests;
