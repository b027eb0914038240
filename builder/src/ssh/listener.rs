//! Takes connections, within limits, and ends those that do not prove a key in time.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use russh::keys::{Algorithm, PrivateKey};
use russh::server::{self, Config};
use russh::{MethodKind, MethodSet, Preferred, SshId, compression};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tokio_util::task::TaskTracker;

use super::handler::Connection;
use super::unproven::{Place, Unproven};
use crate::config::Limits;
use crate::push::Pushes;

/// Uploads over long links are limited by the server's window: 8 MiB is 80 MiB/s at 100 ms.
const WINDOW: u32 = 8 << 20;
/// Largest packet; with the window it gives a quarter more than russh's defaults.
const PACKET: u32 = 65_535;
/// How long sessions may take to end when the server stops.
const STOP_GRACE: Duration = Duration::from_secs(5);
/// How long a new connection may hold up others while one that was cut makes room for it.
const ROOM_WAIT: Duration = Duration::from_secs(1);

/// The settings of SSH sessions.
#[must_use]
pub fn session_config(key: PrivateKey, limits: &Limits) -> Config {
    let mut preferred = Preferred::DEFAULT;
    preferred.key =
        Preferred::DEFAULT.key.iter().filter(|key| **key != Algorithm::Rsa { hash: None }).cloned().collect();
    // Packs are compressed already, and what unpacks before it is checked can be made to fill memory.
    preferred.compression = std::borrow::Cow::Borrowed(&[compression::NONE]);
    Config {
        server_id: SshId::Standard(std::borrow::Cow::Borrowed("SSH-2.0-Slipway")),
        methods: MethodSet::from(&[MethodKind::PublicKey][..]),
        auth_rejection_time: Duration::ZERO,
        auth_rejection_time_initial: Some(Duration::ZERO),
        keys: vec![key],
        window_size: WINDOW,
        maximum_packet_size: PACKET,
        preferred,
        max_auth_attempts: 10,
        inactivity_timeout: Some(limits.idle),
        keepalive_interval: Some(Duration::from_secs(30)),
        keepalive_max: 3,
        nodelay: true,
        ..Config::default()
    }
}

/// Serves SSH on `listener` until `shutdown`.
pub async fn serve(listener: TcpListener, config: Arc<Config>, pushes: Pushes, shutdown: CancellationToken) {
    let connections = Arc::new(Semaphore::new(pushes.limits.connections_max));
    let unproven = Unproven::default();
    let tracker = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                // Most likely there are no file descriptors; trying at once would only burn the processor.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Some(permit) = room(&connections, &unproven).await else {
            tracing::warn!(%peer, "too many connections; one is dropped");
            continue;
        };
        let cut = shutdown.child_token();
        let place = unproven.enter(peer.ip(), pushes.limits.unproven_max_per_address, cut.clone());
        tracker.spawn(session(stream, peer, Arc::clone(&config), pushes.clone(), cut, permit, place));
    }
    tracker.close();
    let _ = tokio::time::timeout(STOP_GRACE, tracker.wait()).await;
}

/// A permit for one more connection, taken from an unproven one when there is no other; `None` if all are proven.
async fn room(connections: &Arc<Semaphore>, unproven: &Unproven) -> Option<OwnedSemaphorePermit> {
    if let Ok(permit) = Arc::clone(connections).try_acquire_owned() {
        return Some(permit);
    }
    if !unproven.cut_oldest() {
        return None;
    }
    // The session that was cut gives its permit back as soon as it is scheduled.
    let waiting = Arc::clone(connections).acquire_owned();
    tokio::time::timeout(ROOM_WAIT, waiting).await.ok()?.ok()
}

async fn session(
    stream: TcpStream,
    peer: SocketAddr,
    config: Arc<Config>,
    pushes: Pushes,
    cut: CancellationToken,
    _permit: OwnedSemaphorePermit,
    place: Place,
) {
    let grace = pushes.limits.login_grace;
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "cannot set nodelay");
    }
    let proven = place.proven();
    let handler = Connection::new(pushes, peer.to_string(), proven.clone());
    let stream = CutStream { stream, cut: Box::pin(cut.clone().cancelled_owned()) };
    let whole = async {
        let running = server::run_stream(config, stream, handler).await?;
        running.await
    };
    tokio::pin!(whole);
    let watch = async {
        tokio::select! {
            () = proven.cancelled() => {}
            // Not waiting for the session makes room at once, whatever it is doing; it ends at its next word.
            () = cut.cancelled() => return,
            () = tokio::time::sleep(grace) => {
                tracing::info!(%peer, "no key proven in time");
                cut.cancel();
                return;
            }
        }
        drop(place);
        std::future::pending::<()>().await;
    };
    let outcome = tokio::select! {
        outcome = &mut whole => outcome,
        () = watch => return,
    };
    match outcome {
        Ok(()) => tracing::debug!(%peer, "connection closed"),
        Err(error) => tracing::debug!(%peer, %error, "connection ended"),
    }
}

/// A connection that can be cut from outside, whatever its session is waiting for.
struct CutStream {
    stream: TcpStream,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl CutStream {
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.cut.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::Error::from(io::ErrorKind::ConnectionAborted)),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for CutStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(context)?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for CutStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check(context)?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
