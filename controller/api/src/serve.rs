//! Accepting connections.
//!
//! poem's own server neither sets `TCP_NODELAY` nor limits how long a request's head may take, and has no bound on the
//! number of connections; hence this loop over hyper's connection types.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::uri::Scheme;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Addr, Endpoint, Request};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Time in which a request's head must have come; also how long an idle connection is kept.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
/// Most connections at once; further ones wait in the system's queue.
const CONNECTIONS_MAX: usize = 4096;
/// Most requests at once on one HTTP/2 connection.
const STREAMS_MAX: u32 = 100;
/// Pause after a failed accept (no file descriptors left), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Answers connections of `listener` until `shutdown`, then lets requests in flight finish for at most `drain`.
pub async fn serve<E>(listener: TcpListener, endpoint: E, shutdown: CancellationToken, drain: Duration)
where
    E: Endpoint<Output = poem::Response> + 'static,
{
    let endpoint = Arc::new(endpoint);
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let graceful = GracefulShutdown::new();
    let closing = CancellationToken::new();
    loop {
        let permit = tokio::select! {
            () = shutdown.cancelled() => break,
            permit = Arc::clone(&connections).acquire_owned() => permit,
        };
        let (stream, peer) = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!("cannot accept a connection: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
        };
        // Small answers on a kept connection would otherwise wait for the client's delayed acknowledgement.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!("cannot set TCP_NODELAY: {error}");
        }
        let local = stream.local_addr().map_or_else(|_| LocalAddr::default(), |local| LocalAddr(Addr::from(local)));
        let service = hyper::service::service_fn({
            let endpoint = Arc::clone(&endpoint);
            move |request: http::Request<Incoming>| {
                let endpoint = Arc::clone(&endpoint);
                let request = Request::from((request, local.clone(), RemoteAddr(Addr::from(peer)), Scheme::HTTP));
                async move {
                    let response = endpoint.get_response(request).await;
                    Ok::<http::Response<_>, Infallible>(response.into())
                }
            }
        });
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
        builder.http2().timer(TokioTimer::new()).max_concurrent_streams(STREAMS_MAX);
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
        let connection = graceful.watch(connection);
        let closing = closing.clone();
        tokio::spawn(async move {
            tokio::select! {
                result = connection => if let Err(error) = result {
                    tracing::debug!(peer = %peer, "a connection ended badly: {error}");
                },
                () = closing.cancelled() => {}
            }
            drop(permit);
        });
    }
    drop(listener);
    if tokio::time::timeout(drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still in flight after {} s and are cut off", drain.as_secs());
        closing.cancel();
    }
}
