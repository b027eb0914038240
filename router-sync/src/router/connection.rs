//! One client connection: what it speaks, and its end.

use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::Poll;

use http::{HeaderValue, Request};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::Shared;
use super::config::is_in_networks;
use super::dispatch::handle;
use super::proxy_protocol::header_read;
use super::stall::{StallGuard, StreamExecutor};

/// What the first bytes of an HTTP/2 connection are.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0";

/// How often a quiet HTTP/2 client is asked whether it is still there.
const HTTP2_PING: std::time::Duration = std::time::Duration::from_secs(30);

/// Who is at the other end of a client connection.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) ip: IpAddr,
    pub(super) ip_text: HeaderValue,
    pub(super) port_text: HeaderValue,
    pub(super) is_tls: bool,
    /// Whether its `X-Forwarded-*` headers are believed.
    pub(super) is_trusted: bool,
}

impl Peer {
    fn new(addr: SocketAddr, public_port: u16, is_tls: bool, shared: &Shared) -> Self {
        let ip = addr.ip().to_canonical();
        let ip_text = HeaderValue::from_str(&ip.to_string()).unwrap_or(HeaderValue::from_static("unknown"));
        let is_trusted = is_in_networks(ip, &shared.config.trusted_proxies);
        Self { ip, ip_text, port_text: HeaderValue::from(public_port), is_tls, is_trusted }
    }
}

/// Serves one connection to its end.
pub(super) async fn serve(shared: Arc<Shared>, mut stream: TcpStream, addr: SocketAddr, is_tls: bool) {
    let _open = shared.metrics.connection_opened();
    // Fails only on a dead connection, and then reading does too.
    let _ = stream.set_nodelay(true);
    let Ok(local) = stream.local_addr() else { return };
    let config = &shared.config;
    let timeouts = &config.timeouts;
    let mut client = addr;
    // From anyone else the header would be a claim.
    if config.has_proxy_protocol && is_in_networks(addr.ip(), &config.trusted_proxies) {
        let read = tokio::select! {
            read = tokio::time::timeout(timeouts.header_read, header_read(&mut stream)) => read,
            () = shared.drain.cancelled() => return,
        };
        match read {
            Ok(Ok(said)) => client = said.unwrap_or(addr),
            Ok(Err(error)) => {
                tracing::debug!(proxy = %addr, %error, "a proxy did not say whom it speaks for");
                return;
            }
            Err(_) => return,
        }
    }
    let public_port = if is_tls { config.https_public_port } else { config.http_public_port };
    let peer = Arc::new(Peer::new(client, public_port.unwrap_or(local.port()), is_tls, &shared));
    if is_tls {
        let Some(tls) = &shared.tls else { return };
        let stream = StallGuard::new(stream, timeouts.stream_idle);
        let accepted = tokio::select! {
            accepted = tokio::time::timeout(timeouts.handshake, tls.accept(stream)) => accepted,
            () = shared.drain.cancelled() => return,
        };
        match accepted {
            Ok(Ok((stream, true))) => serve_http2(&shared, peer, stream).await,
            Ok(Ok((stream, false))) => serve_http1(&shared, peer, stream).await,
            Ok(Err(error)) => tracing::debug!(client = %addr, %error, "TLS handshake failed"),
            Err(_) => tracing::debug!(client = %addr, "TLS handshake timed out"),
        }
    } else {
        let mut start = [0; HTTP2_PREFACE.len()];
        let peeked = tokio::select! {
            peeked = tokio::time::timeout(timeouts.header_read, stream.peek(&mut start)) => peeked,
            () = shared.drain.cancelled() => return,
        };
        let Ok(Ok(length)) = peeked else { return };
        let stream = StallGuard::new(stream, timeouts.stream_idle);
        // Three bytes tell: no method begins with them.
        if length >= 3 && HTTP2_PREFACE.starts_with(&start[..length]) {
            serve_http2(&shared, peer, stream).await;
        } else {
            serve_http1(&shared, peer, stream).await;
        }
    }
}

async fn serve_http1<S>(shared: &Arc<Shared>, peer: Arc<Peer>, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let conn = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(shared.config.timeouts.header_read)
        .max_header_size(shared.config.limits.header_bytes)
        .max_buf_size(super::BUFFER_BYTES.max(shared.config.limits.header_bytes))
        .serve_connection(TokioIo::new(stream), service(shared, peer))
        .with_upgrades();
    drive(shared, conn, http1::UpgradeableConnection::graceful_shutdown).await;
}

async fn serve_http2<S>(shared: &Arc<Shared>, peer: Arc<Peer>, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = &shared.config.limits;
    let conn = http2::Builder::new(StreamExecutor { window: shared.config.timeouts.stream_idle })
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams_per_connection)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .keep_alive_interval(HTTP2_PING)
        .keep_alive_timeout(HTTP2_PING)
        .serve_connection(TokioIo::new(stream), service(shared, peer));
    drive(shared, conn, http2::Connection::graceful_shutdown).await;
}

type Answer = Result<http::Response<super::body::Body>, Infallible>;

fn service(
    shared: &Arc<Shared>,
    peer: Arc<Peer>,
) -> impl hyper::service::HttpService<
    Incoming,
    ResBody = super::body::Body,
    Error = Infallible,
    Future = impl Future<Output = Answer> + Send + use<>,
> + use<> {
    let shared = Arc::clone(shared);
    service_fn(move |request: Request<Incoming>| {
        let (shared, peer) = (Arc::clone(&shared), Arc::clone(&peer));
        async move { Ok(handle(shared, peer, request).await) }
    })
}

/// How far the router's end has come. Read at each step of each connection, where a token would cost a lock.
#[derive(Debug, Default)]
pub(super) struct Phase(AtomicU8);

impl Phase {
    pub(super) fn advance(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn is_draining(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= 1
    }

    fn is_over(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= 2
    }
}

/// Drives a connection until it ends; tells it once when the router drains, and drops it when that took too long.
async fn drive<C, E>(shared: &Shared, conn: C, close: fn(Pin<&mut C>))
where
    C: Future<Output = Result<(), E>>,
    E: std::fmt::Display,
{
    let mut conn = pin!(conn);
    let mut drain = pin!(shared.drain.cancelled());
    let mut force = pin!(shared.force.cancelled());
    let mut is_registered = false;
    let mut is_closing = false;
    let outcome = std::future::poll_fn(|cx| {
        if !is_registered {
            // Once is enough: the task, and with it the waker, stays the same.
            is_registered = true;
            let _ = drain.as_mut().poll(cx);
            let _ = force.as_mut().poll(cx);
        }
        if !is_closing && shared.phase.is_draining() {
            is_closing = true;
            close(conn.as_mut());
        }
        if shared.phase.is_over() {
            return Poll::Ready(None);
        }
        conn.as_mut().poll(cx).map(Some)
    })
    .await;
    if let Some(Err(error)) = outcome {
        tracing::debug!(%error, "a client connection ended early");
    }
}
