//! Takes connections, within limits, and ends those that do not prove a key in time.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
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
use crate::config::Limits;
use crate::push::Pushes;

/// Uploads over long links are limited by the server's window: 8 MiB is 80 MiB/s at 100 ms.
const WINDOW: u32 = 8 << 20;
/// Largest packet; with the window it gives a quarter more than russh's defaults.
const PACKET: u32 = 65_535;
/// How long sessions may take to end when the server stops.
const STOP_GRACE: Duration = Duration::from_secs(5);

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
        let Ok(permit) = Arc::clone(&connections).try_acquire_owned() else {
            tracing::warn!(%peer, "too many connections; one is dropped");
            continue;
        };
        let Some(place) = unproven.enter(peer.ip(), pushes.limits.unproven_max_per_address) else {
            tracing::info!(%peer, "too many unproven connections from this address; one is dropped");
            continue;
        };
        tracker.spawn(session(
            stream,
            peer,
            Arc::clone(&config),
            pushes.clone(),
            shutdown.child_token(),
            permit,
            place,
        ));
    }
    tracker.close();
    let _ = tokio::time::timeout(STOP_GRACE, tracker.wait()).await;
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
    let proven = CancellationToken::new();
    let handler = Connection::new(pushes, peer.to_string(), proven.clone());
    let stream = CutStream { stream, cut: Box::pin(cut.clone().cancelled_owned()) };
    let whole = async {
        let running = server::run_stream(config, stream, handler).await?;
        running.await
    };
    tokio::pin!(whole);
    let watch = async {
        if tokio::time::timeout(grace, proven.cancelled()).await.is_err() {
            tracing::info!(%peer, "no key proven in time");
            cut.cancel();
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

/// How many connections of each address have proven no key yet.
#[derive(Clone, Default)]
struct Unproven(Arc<Mutex<HashMap<IpAddr, usize>>>);

struct Place {
    unproven: Unproven,
    address: IpAddr,
}

impl Unproven {
    fn enter(&self, address: IpAddr, most: usize) -> Option<Place> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Place { unproven: self.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.unproven.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}
