//! When something last moved in an exchange, in either direction.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// Shared by the two directions of one exchange, so that the idle window rolls while either moves.
#[derive(Debug)]
pub(super) struct Activity {
    start: Instant,
    last_ms: AtomicU64,
    bytes: AtomicU64,
    upload_done: AtomicBool,
    fault: AtomicU8,
}

/// What went wrong with a request's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UploadFault {
    /// The client stopped sending.
    Idle,
    /// It sent what is no valid body, or went away.
    Broken,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self {
            start: Instant::now(),
            last_ms: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            upload_done: AtomicBool::new(false),
            fault: AtomicU8::new(0),
        }
    }

    /// Something moved.
    pub(super) fn touch(&self) {
        let elapsed = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_ms.store(elapsed, Ordering::Relaxed);
    }

    /// When something last moved.
    pub(super) fn last(&self) -> Instant {
        self.start + Duration::from_millis(self.last_ms.load(Ordering::Relaxed))
    }

    /// Counts bytes of the request.
    pub(super) fn add_bytes(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Bytes of the request so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The request was read to its end.
    pub(super) fn upload_finish(&self) {
        self.upload_done.store(true, Ordering::Release);
    }

    /// Notes why the request's body ended early.
    pub(super) fn upload_fail(&self, fault: UploadFault) {
        self.fault.store(fault as u8 + 1, Ordering::Release);
    }

    /// Why the request's body ended early, if it did.
    pub(super) fn upload_fault(&self) -> Option<UploadFault> {
        match self.fault.load(Ordering::Acquire) {
            0 => None,
            1 => Some(UploadFault::Idle),
            _ => Some(UploadFault::Broken),
        }
    }

    /// Whether the request was read to its end.
    pub(super) fn is_upload_done(&self) -> bool {
        self.upload_done.load(Ordering::Acquire)
    }
}

/// Fires when an exchange stood still for a whole window. Costs nothing until something waits.
#[derive(Debug)]
pub(super) struct IdleTimer {
    window: Duration,
    since: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl IdleTimer {
    pub(super) fn new(window: Duration) -> Self {
        Self { window, since: Instant::now(), sleep: None }
    }

    /// Something moved: the next wait begins anew.
    pub(super) fn reset(&mut self) {
        self.sleep = None;
    }

    /// Call when nothing is there to move. Ready once nothing did for the window, here or in `other`.
    pub(super) fn poll_idle(&mut self, cx: &mut Context<'_>, other: Option<&Activity>) -> Poll<()> {
        let window = self.window;
        if self.sleep.is_none() {
            self.since = Instant::now();
        }
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(window)));
        loop {
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            let last = other.map_or(self.since, |other| other.last().max(self.since));
            let deadline = last + window;
            if deadline <= Instant::now() {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
    }
}
