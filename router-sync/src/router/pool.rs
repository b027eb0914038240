//! Connections to the apps' processes, kept while unused.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::{Duration, Instant};

use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use slipway_engine::route::Backend;
use tokio::net::TcpStream;
use tokio::task::AbortHandle;

use super::body::Upload;

/// A request that cannot be repeated is not put on a connection that was unused for longer: many servers close after
/// one or two seconds, and a close that crosses the request loses it.
const FRESH: Duration = Duration::from_secs(1);

/// The pools of all processes.
#[derive(Debug)]
pub(super) struct Pools {
    idle_max: usize,
    idle_timeout: Duration,
    /// By address of the shared [`Backend`], which the pool's weak reference keeps from being used again.
    by_backend: RwLock<HashMap<usize, Arc<Pool>>>,
}

/// Unused connections to one process.
#[derive(Debug)]
pub(super) struct Pool {
    backend: Weak<Backend>,
    addr: SocketAddr,
    idle_max: usize,
    is_closed: AtomicBool,
    idle: Mutex<Vec<(Instant, Link)>>,
}

/// A connection and the task that drives it. Dropping it cuts the connection.
#[derive(Debug)]
struct Link {
    sender: SendRequest<Upload>,
    task: AbortHandle,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A connection in use. Dropping it cuts it, unless it was parked.
#[derive(Debug)]
pub(super) struct Conn {
    link: Option<Link>,
    pool: Arc<Pool>,
    /// Whether it carried a request before.
    pub(super) is_reused: bool,
}

impl Pools {
    pub(super) fn new(idle_max: usize, idle_timeout: Duration) -> Self {
        Self { idle_max, idle_timeout, by_backend: RwLock::default() }
    }

    /// The pool of `backend`.
    pub(super) fn of(&self, backend: &Arc<Backend>) -> Arc<Pool> {
        let key = Arc::as_ptr(backend).addr();
        if let Some(pool) = self.by_backend.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Arc::clone(pool);
        }
        let mut pools = self.by_backend.write().unwrap_or_else(PoisonError::into_inner);
        let pool = pools.entry(key).or_insert_with(|| {
            Arc::new(Pool {
                backend: Arc::downgrade(backend),
                addr: backend.addr,
                idle_max: self.idle_max,
                is_closed: AtomicBool::new(false),
                idle: Mutex::default(),
            })
        });
        Arc::clone(pool)
    }

    /// Closes what belongs to processes other than `wanted` (by address of the shared [`Backend`]), and what was
    /// unused for too long.
    pub(super) fn sweep(&self, wanted: &HashSet<usize>) {
        let mut pools = self.by_backend.write().unwrap_or_else(PoisonError::into_inner);
        pools.retain(|key, pool| {
            let is_wanted =
                wanted.contains(key) && pool.backend.upgrade().is_some_and(|backend| !backend.is_draining());
            if is_wanted {
                pool.expire(self.idle_timeout);
            } else {
                pool.close();
            }
            is_wanted
        });
    }
}

impl Pool {
    /// An unused connection, the most recently used first.
    pub(super) fn take(self: &Arc<Self>, is_repeatable: bool) -> Option<Conn> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((since, link)) = idle.pop() {
            if link.sender.is_closed() {
                continue;
            }
            if !is_repeatable && since.elapsed() > FRESH {
                idle.push((since, link));
                return None;
            }
            return Some(Conn { link: Some(link), pool: Arc::clone(self), is_reused: true });
        }
        None
    }

    /// A new connection.
    pub(super) async fn connect(self: &Arc<Self>) -> io::Result<Conn> {
        let stream = TcpStream::connect(self.addr).await?;
        stream.set_nodelay(true)?;
        let (sender, conn) = http1::Builder::new()
            .max_buf_size(super::BUFFER_BYTES)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        // How it ends is told to whoever waits for its response.
        let task = tokio::spawn(async move { drop(conn.with_upgrades().await) }).abort_handle();
        Ok(Conn { link: Some(Link { sender, task }), pool: Arc::clone(self), is_reused: false })
    }

    fn put(&self, link: Link) {
        if link.sender.is_closed() || self.is_closed.load(Ordering::Acquire) {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < self.idle_max {
            idle.push((Instant::now(), link));
        }
    }

    fn expire(&self, timeout: Duration) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(since, link)| since.elapsed() < timeout && !link.sender.is_closed());
    }

    fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Conn {
    /// Where requests go in; `None` only after parking.
    pub(super) fn sender(&mut self) -> Option<&mut SendRequest<Upload>> {
        self.link.as_mut().map(|link| &mut link.sender)
    }

    /// Keeps the connection for another request.
    pub(super) fn park(&mut self) {
        if let Some(link) = self.link.take() {
            self.pool.put(link);
        }
    }
}
