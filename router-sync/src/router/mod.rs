//! The built-in router: an HTTP reverse proxy over the engine's [`RouteTable`].
//!
//! [`Router::bind`] opens the listeners, [`Router::run`] serves until told to stop. Each request reads the newest table,
//! so that a change of routes takes effect at once and cuts nothing: requests that began go on where they began.
//!
//! - `connection` is one client connection, `dispatch` the rules before an app is asked, `forward` the asking.
//! - `pool` keeps connections to processes; `body` and `tunnel` carry bytes; `page` is what the router says by itself.
//! - `tls` has the certificates; `access` writes a line for each request into its app's log.

mod access;
mod activity;
mod body;
pub mod config;
mod connection;
mod dispatch;
mod forward;
mod header;
pub mod metrics;
mod page;
mod pool;
mod proxy_protocol;
mod stall;
mod target;
mod tls;
mod tunnel;

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use slipway_engine::LogSink;
use slipway_engine::route::RouteTable;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::config::RouterConfig;
use self::connection::Phase;
use self::header::RequestIds;
use self::metrics::Metrics;
use self::pool::Pools;
use self::tls::TlsStore;

/// Buffer of one connection in one direction, at most.
const BUFFER_BYTES: usize = 128 * 1024;

/// How often unused connections are looked through.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Pause after following the route table, in multiples of the time that it took.
const FOLLOW_PAUSE: u32 = 4;

/// How long to wait when the system has no file handle for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Why the router could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// An address cannot be listened on.
    #[error("cannot listen on {addr}: {source}")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The self-signed certificate for the platform's domain cannot be made.
    #[error("cannot make a certificate for `{domain}`")]
    Certificate {
        /// The domain.
        domain: String,
        /// What OpenSSL says.
        source: openssl::error::ErrorStack,
    },
}

/// The router, listening but not yet serving: clients that connect wait until [`Router::run`].
#[derive(Debug)]
pub struct Router {
    shared: Arc<Shared>,
    http: TcpListener,
    https: Option<TcpListener>,
    local_addr: SocketAddr,
    tls_addr: Option<SocketAddr>,
}

/// What all connections share.
struct Shared {
    config: RouterConfig,
    routes: watch::Receiver<Arc<RouteTable>>,
    logs: Arc<dyn LogSink>,
    metrics: Arc<Metrics>,
    pools: Pools,
    tls: Option<TlsStore>,
    request_ids: RequestIds,
    /// Whose turn it is among equally busy processes.
    turn: AtomicUsize,
    https_port: Option<u16>,
    tasks: TaskTracker,
    phase: Phase,
    drain: CancellationToken,
    force: CancellationToken,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Shared {
    /// The port for redirects to HTTPS.
    fn https_public_port(&self) -> u16 {
        self.config.https_public_port.or(self.https_port).unwrap_or(443)
    }
}

impl Router {
    /// Opens the listeners.
    ///
    /// # Errors
    /// When an address cannot be listened on, or no certificate can be made for the domain.
    pub async fn bind(
        config: RouterConfig,
        routes: watch::Receiver<Arc<RouteTable>>,
        logs: Arc<dyn LogSink>,
    ) -> Result<Self, BindError> {
        let (http, local_addr) = listen(config.http).await?;
        let (https, tls_addr) = match config.https {
            Some(addr) => listen(addr).await.map(|(listener, addr)| (Some(listener), Some(addr)))?,
            None => (None, None),
        };
        let tls = match https {
            Some(_) => Some(
                TlsStore::new(&config.domain)
                    .map_err(|source| BindError::Certificate { domain: config.domain.clone(), source })?,
            ),
            None => None,
        };
        if let Some(tls) = &tls {
            tls.update(&Arc::clone(&routes.borrow()));
        }
        let shared = Arc::new(Shared {
            pools: Pools::new(config.limits.idle_per_backend, config.timeouts.pool_idle),
            config,
            routes,
            logs,
            metrics: Arc::default(),
            tls,
            request_ids: RequestIds::default(),
            turn: AtomicUsize::new(0),
            https_port: tls_addr.map(|addr| addr.port()),
            tasks: TaskTracker::new(),
            phase: Phase::default(),
            drain: CancellationToken::new(),
            force: CancellationToken::new(),
        });
        Ok(Self { shared, http, https, local_addr, tls_addr })
    }

    /// Where plain HTTP is served.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Where TLS is served, if it is.
    #[must_use]
    pub fn tls_addr(&self) -> Option<SocketAddr> {
        self.tls_addr
    }

    /// The router's counters, which live on after it.
    #[must_use]
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.shared.metrics)
    }

    /// Serves until `shutdown`, then takes no more connections, ends what is in flight, and returns when that is done or
    /// [`config::Timeouts::drain`] is over.
    pub async fn run(self, shutdown: CancellationToken) {
        let Self { shared, http, https, .. } = self;
        let permits = Arc::new(Semaphore::new(shared.config.limits.connections.min(Semaphore::MAX_PERMITS)));
        tokio::join!(
            accept(&shared, http, false, &permits, &shutdown),
            async {
                if let Some(https) = https {
                    accept(&shared, https, true, &permits, &shutdown).await;
                }
            },
            follow(&shared, &shutdown),
        );
        shared.phase.advance();
        shared.drain.cancel();
        shared.tasks.close();
        if tokio::time::timeout(shared.config.timeouts.drain, shared.tasks.wait()).await.is_err() {
            tracing::info!(connections = shared.tasks.len(), "closing connections that did not end in time");
            shared.phase.advance();
            shared.force.cancel();
            shared.tasks.wait().await;
        }
    }
}

async fn listen(addr: SocketAddr) -> Result<(TcpListener, SocketAddr), BindError> {
    let failed = |source| BindError::Listen { addr, source };
    let listener = TcpListener::bind(addr).await.map_err(failed)?;
    let local = listener.local_addr().map_err(failed)?;
    Ok((listener, local))
}

async fn accept(
    shared: &Arc<Shared>,
    listener: TcpListener,
    is_tls: bool,
    permits: &Arc<Semaphore>,
    shutdown: &CancellationToken,
) {
    loop {
        let next = async {
            // Over the limit, clients wait in the listen queue.
            let permit = Arc::clone(permits).acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            next = next => next,
            () = shutdown.cancelled() => return,
        };
        match accepted {
            Ok((stream, addr)) => {
                let serving = connection::serve(Arc::clone(shared), stream, addr, is_tls);
                shared.tasks.spawn(async move {
                    serving.await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot take a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Follows the route table: certificates and connections to processes. Requests read it by themselves.
async fn follow(shared: &Arc<Shared>, shutdown: &CancellationToken) {
    let mut routes = shared.routes.clone();
    let mut is_fed = true;
    loop {
        let begin = Instant::now();
        let table = Arc::clone(&routes.borrow_and_update());
        let wanted: HashSet<usize> =
            table.routes().flat_map(|route| &route.backends).map(|backend| Arc::as_ptr(backend).addr()).collect();
        shared.pools.sweep(&wanted);
        if shared.tls.is_some() {
            // Reading keys takes a while when there are many; a panic in there must not end the router.
            let shared = Arc::clone(shared);
            let update = tokio::task::spawn_blocking(move || {
                if let Some(tls) = &shared.tls {
                    tls.update(&table);
                }
            });
            if let Err(error) = update.await {
                tracing::error!(%error, "certificates could not be taken over");
            }
        }
        // Every look goes over all apps. While many come up at once, some changes in a row are looked at together.
        tokio::select! {
            () = tokio::time::sleep(begin.elapsed().saturating_mul(FOLLOW_PAUSE)) => {}
            () = shutdown.cancelled() => return,
        }
        tokio::select! {
            changed = routes.changed(), if is_fed => is_fed = changed.is_ok(),
            () = tokio::time::sleep(SWEEP_INTERVAL) => {}
            () = shutdown.cancelled() => return,
        }
    }
}
