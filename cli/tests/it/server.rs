//! A controller that answers what a test says and keeps what it was asked.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

/// One request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// `GET /v2/apps/?limit=100`.
    pub line: String,
    /// The body.
    pub body: String,
    /// The `Authorization` header.
    pub authorization: String,
}

#[derive(Default)]
struct Script {
    answers: HashMap<String, (u16, String)>,
    asked: Vec<Asked>,
    version: String,
    date: Option<String>,
}

/// The scripted controller; stops when dropped.
pub struct Server {
    /// Where it answers.
    pub url: String,
    script: Arc<Mutex<Script>>,
    _runtime: tokio::runtime::Runtime,
}

impl Server {
    /// A controller of API version 2.3 that answers 404 to everything, and 401 to `GET /v2/`.
    pub fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap())
    }

    fn start_at(addr: SocketAddr) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let script = Arc::new(Mutex::new(Script { version: "2.3".to_owned(), ..Script::default() }));
        let listener = runtime.block_on(tokio::net::TcpListener::bind(addr)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::clone(&script);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let script = Arc::clone(&shared);
                tokio::spawn(async move {
                    let service = service_fn(move |request| answer(Arc::clone(&script), request));
                    let connection = hyper::server::conn::http1::Builder::new();
                    let _ = connection.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        let server = Self { url, script, _runtime: runtime };
        server.on("GET /v2/", 401, r#"{"detail":"Authentication credentials were not provided."}"#);
        server
    }

    /// Answers `line` (`POST /v2/apps/`) with a status and a body.
    pub fn on(&self, line: &str, status: u16, body: &str) {
        self.script.lock().unwrap().answers.insert(line.to_owned(), (status, body.to_owned()));
    }

    /// Announces another API version, or none.
    pub fn version(&self, version: &str) {
        version.clone_into(&mut self.script.lock().unwrap().version);
    }

    /// Tells another time than it is.
    pub fn date(&self, date: &str) {
        self.script.lock().unwrap().date = Some(date.to_owned());
    }

    /// What it was asked since the last time.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.script.lock().unwrap().asked)
    }
}

async fn answer(
    script: Arc<Mutex<Script>>,
    request: http::Request<hyper::body::Incoming>,
) -> Result<http::Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let line = format!("{} {}", parts.method, parts.uri);
    let authorization = parts.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut script = script.lock().unwrap();
    script.asked.push(Asked {
        line: line.clone(),
        body: String::from_utf8_lossy(&body).into_owned(),
        authorization: authorization.to_owned(),
    });
    let (status, text) =
        script.answers.get(&line).cloned().unwrap_or_else(|| (404, r#"{"detail":"Not found."}"#.to_owned()));
    let mut response = http::Response::builder().status(status);
    if !script.version.is_empty() {
        response = response.header("DRYCC_API_VERSION", &script.version);
    }
    if let Some(date) = &script.date {
        response = response.header("date", date);
    }
    Ok(response.body(Full::new(Bytes::from(text))).unwrap())
}
