//! A running router, apps behind it and clients before it.

use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use slipway_core::log::LogLine;
use slipway_core::{AppId, AppName};
use slipway_engine::LogSink;
use slipway_engine::route::{AppRoute, Backend, Certificate, IdleReason, RouteTable};
use slipway_router_sync::{Metrics, Router, RouterConfig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Nothing in a test takes longer unless it is broken.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("took too long")
}

/// Keeps the lines of all apps.
#[derive(Default)]
pub(crate) struct Log {
    lines: Mutex<Vec<(AppId, LogLine)>>,
    more: Notify,
}

impl LogSink for Log {
    fn append(&self, app: AppId, line: LogLine) {
        self.lines.lock().unwrap().push((app, line));
        self.more.notify_waiters();
    }
}

impl Log {
    /// The texts of all lines, once there are at least `count`.
    pub(crate) async fn texts(&self, count: usize) -> Vec<String> {
        within(async {
            loop {
                let more = self.more.notified();
                let lines: Vec<String> = self.lines.lock().unwrap().iter().map(|(_, line)| line.text.clone()).collect();
                if lines.len() >= count {
                    return lines;
                }
                more.await;
            }
        })
        .await
    }

    pub(crate) fn entries(&self) -> Vec<(AppId, LogLine)> {
        self.lines.lock().unwrap().clone()
    }
}

pub(crate) struct Rig {
    pub(crate) addr: SocketAddr,
    pub(crate) tls_addr: Option<SocketAddr>,
    pub(crate) log: Arc<Log>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) running: JoinHandle<()>,
    publish: watch::Sender<Arc<RouteTable>>,
}

pub(crate) fn config() -> RouterConfig {
    RouterConfig::new(([127, 0, 0, 1], 0).into(), None, "localhost")
}

impl Rig {
    pub(crate) async fn start(config: RouterConfig) -> Self {
        let (publish, routes) = watch::channel(Arc::new(RouteTable::default()));
        let log = Arc::new(Log::default());
        let router = Router::bind(config, routes, log.clone()).await.unwrap();
        let shutdown = CancellationToken::new();
        let (addr, tls_addr, metrics) = (router.local_addr(), router.tls_addr(), router.metrics());
        let running = tokio::spawn(router.run(shutdown.clone()));
        Self { addr, tls_addr, log, metrics, shutdown, running, publish }
    }

    /// A router with one app, `app.localhost`, on these processes.
    pub(crate) async fn with(backends: Vec<Arc<Backend>>) -> Self {
        let rig = Self::start(config()).await;
        rig.publish(route("app", backends), Vec::new());
        rig
    }

    /// Makes `route` the only one, at `NAME.localhost`.
    pub(crate) fn publish(&self, route: AppRoute, certificates: Vec<Certificate>) {
        let host = format!("{}.localhost", route.name);
        self.publish_all(vec![(vec![host], Arc::new(route))], certificates);
    }

    pub(crate) fn publish_all(&self, routes: Vec<(Vec<String>, Arc<AppRoute>)>, certificates: Vec<Certificate>) {
        self.publish.send_replace(Arc::new(RouteTable::new(routes, certificates)));
    }

    pub(crate) async fn connect(&self) -> Wire<TcpStream> {
        Wire::new(TcpStream::connect(self.addr).await.unwrap())
    }

    /// Sends one request with these head lines to `app.localhost`, and reads the response to the end of the connection.
    pub(crate) async fn ask(&self, start: &str, lines: &str) -> Answer {
        let mut wire = self.connect().await;
        wire.send(&format!("{start} HTTP/1.1\r\nHost: app.localhost\r\n{lines}\r\n")).await;
        wire.answer().await
    }
}

pub(crate) fn route(name: &str, backends: Vec<Arc<Backend>>) -> AppRoute {
    AppRoute {
        app: AppId::generate(),
        name: AppName::new(name).unwrap(),
        is_in_maintenance: false,
        is_https_enforced: false,
        allow_list: Vec::new(),
        backends,
        idle: IdleReason::NotDeployed,
        paths: Vec::new(),
    }
}

/// A process that serves each connection with `serve`.
pub(crate) async fn process<F, W>(name: &str, serve: F) -> Arc<Backend>
where
    F: Fn(Wire<TcpStream>) -> W + Send + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(Wire::new(stream)));
        }
    });
    Backend::new(addr, name)
}

/// A process that answers each request with what it got: the head as it came, an empty line, the body.
pub(crate) async fn mirror(name: &str) -> Arc<Backend> {
    process(name, |mut wire| async move {
        while let Some(head) = wire.head_or_end().await {
            let body = wire.body(&head).await;
            let text = format!("{head}{}", String::from_utf8_lossy(&body));
            wire.send(&format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len())).await;
        }
    })
    .await
}

/// A process that answers each request with its own name.
pub(crate) async fn named(name: &'static str) -> Arc<Backend> {
    process(name, move |mut wire| async move {
        while let Some(head) = wire.head_or_end().await {
            wire.body(&head).await;
            wire.send(&format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{name}", name.len())).await;
        }
    })
    .await
}

/// An address where nothing listens, and that nobody else is given.
pub(crate) fn nowhere() -> Arc<Backend> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let backend = Backend::new(socket.local_addr().unwrap(), "web.9");
    tokio::spawn(async move {
        let _held = socket;
        std::future::pending::<()>().await;
    });
    backend
}

/// One end of a connection, seen as HTTP/1.1 by hand.
pub(crate) struct Wire<S> {
    pub(crate) stream: S,
    buffer: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    /// Sends; what the other side makes of it shows in what comes back.
    pub(crate) async fn send(&mut self, text: &str) {
        let _ = self.stream.write_all(text.as_bytes()).await;
        let _ = self.stream.flush().await;
    }

    /// Reads more; false at the end of the connection.
    async fn more(&mut self) -> bool {
        let mut chunk = vec![0; 16 * 1024];
        let length = within(self.stream.read(&mut chunk)).await.unwrap_or(0);
        self.buffer.extend_from_slice(&chunk[..length]);
        length > 0
    }

    pub(crate) async fn head_or_end(&mut self) -> Option<String> {
        loop {
            if let Some(at) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                let rest = self.buffer.split_off(at + 4);
                let head = std::mem::replace(&mut self.buffer, rest);
                return Some(String::from_utf8(head).unwrap());
            }
            if !self.more().await {
                return None;
            }
        }
    }

    pub(crate) async fn head(&mut self) -> String {
        self.head_or_end().await.expect("the connection ended before a head")
    }

    pub(crate) async fn exactly(&mut self, length: usize) -> Vec<u8> {
        while self.buffer.len() < length {
            assert!(self.more().await, "ended after {} of {length} bytes", self.buffer.len());
        }
        let rest = self.buffer.split_off(length);
        std::mem::replace(&mut self.buffer, rest)
    }

    /// All bytes up to the end of the connection.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while self.more().await {}
        std::mem::take(&mut self.buffer)
    }

    pub(crate) async fn is_at_end(&mut self) -> bool {
        self.buffer.is_empty() && !self.more().await
    }

    async fn line(&mut self) -> String {
        loop {
            if let Some(at) = self.buffer.windows(2).position(|window| window == b"\r\n") {
                let rest = self.buffer.split_off(at + 2);
                let line = std::mem::replace(&mut self.buffer, rest);
                return String::from_utf8(line).unwrap().trim_end().to_owned();
            }
            assert!(self.more().await, "ended within a line");
        }
    }

    /// The body that `head` announces, trailers after it included.
    pub(crate) async fn body(&mut self, head: &str) -> Vec<u8> {
        let headers = headers_of(head);
        if headers.get("transfer-encoding").is_some_and(|value| value == "chunked") {
            let mut body = Vec::new();
            loop {
                let length = usize::from_str_radix(&self.line().await, 16).unwrap();
                if length == 0 {
                    loop {
                        let trailer = self.line().await;
                        if trailer.is_empty() {
                            return body;
                        }
                        body.extend_from_slice(format!("\n[{trailer}]").as_bytes());
                    }
                }
                body.extend(self.exactly(length).await);
                self.line().await;
            }
        }
        match headers.get("content-length") {
            Some(length) => self.exactly(length.parse().unwrap()).await,
            None => Vec::new(),
        }
    }

    pub(crate) async fn answer(&mut self) -> Answer {
        let head = self.head().await;
        let body = self.body(&head).await;
        Answer::new(&head, body)
    }
}

fn headers_of(head: &str) -> HashMap<String, String> {
    let lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    lines.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect()
}

/// A response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

impl Answer {
    fn new(head: &str, body: Vec<u8>) -> Self {
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, headers: headers_of(head), body: String::from_utf8(body).unwrap() }
    }

    /// A header that a [`mirror`] was sent, all its lines joined.
    pub(crate) fn mirrored(&self, name: &str) -> Option<String> {
        let lines = self.body.lines().skip(1).filter_map(|line| line.split_once(": "));
        let values: Vec<&str> =
            lines.filter(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect();
        (!values.is_empty()).then(|| values.join("|"))
    }
}
