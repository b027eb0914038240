//! Connections that stopped being HTTP (WebSockets): bytes both ways until either side is done.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use slipway_engine::route::InFlight;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};

use super::Shared;
use super::access::Access;
use super::activity::Activity;
use super::pool::Conn;

/// Read at once in one direction.
const CHUNK_BYTES: usize = 16 * 1024;

/// Everything that lives as long as an upgraded connection.
pub(super) struct Tunnel {
    pub(super) client: OnUpgrade,
    pub(super) backend: OnUpgrade,
    pub(super) conn: Conn,
    pub(super) in_flight: InFlight,
    pub(super) access: Box<Access>,
}

impl Tunnel {
    /// Carries bytes in a task of its own, which the router's shutdown waits for and then cuts.
    pub(super) fn spawn(self, shared: &Arc<Shared>) {
        let open = shared.metrics.tunnel_opened();
        let idle = shared.config.timeouts.tunnel_idle;
        let force = shared.force.clone();
        shared.tasks.spawn(async move {
            let Self { client, backend, conn, in_flight, mut access } = self;
            access.in_flight = None;
            let sent = AtomicU64::new(0);
            let outcome = tokio::select! {
                outcome = carry(client, backend, idle, &sent) => outcome,
                () = force.cancelled() => Err("shutdown"),
            };
            access.bytes = sent.into_inner();
            access.error = outcome.err();
            drop((conn, in_flight, open));
        });
    }
}

async fn carry(client: OnUpgrade, backend: OnUpgrade, idle: Duration, sent: &AtomicU64) -> Result<(), &'static str> {
    let client = client.await.map_err(|_| "client-closed")?;
    let backend = backend.await.map_err(|_| "backend-closed")?;
    let (client_read, client_write) = tokio::io::split(TokioIo::new(client));
    let (backend_read, backend_write) = tokio::io::split(TokioIo::new(backend));
    let activity = Activity::new();
    let received = AtomicU64::new(0);
    // Once the app has said all, nobody hears what the client might still say. A client that has said all may well
    // wait for the app's answer.
    let up = async {
        match pump(client_read, backend_write, &activity, &received).await {
            Ok(()) => std::future::pending().await,
            Err(error) => error,
        }
    };
    let both = async {
        tokio::select! {
            _ = pump(backend_read, client_write, &activity, sent) => {}
            _ = up => {}
        }
    };
    tokio::select! {
        // An abrupt close is how many clients end a WebSocket: nothing to tell anybody.
        () = both => Ok(()),
        () = stood_still(&activity, idle) => Err("idle-timeout"),
    }
}

async fn pump(
    mut from: ReadHalf<TokioIo<Upgraded>>,
    mut to: WriteHalf<TokioIo<Upgraded>>,
    activity: &Activity,
    count: &AtomicU64,
) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let length = from.read(&mut chunk).await?;
        if length == 0 {
            return to.shutdown().await;
        }
        activity.touch();
        to.write_all(&chunk[..length]).await?;
        to.flush().await?;
        activity.touch();
        count.fetch_add(length as u64, Ordering::Relaxed);
    }
}

async fn stood_still(activity: &Activity, window: Duration) {
    loop {
        let deadline = activity.last() + window;
        if deadline <= tokio::time::Instant::now() {
            return;
        }
        tokio::time::sleep_until(deadline).await;
    }
}
