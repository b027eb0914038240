//! Counters of the router.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::StatusCode;

/// Counters, cheap enough for every request. All since the start, save `in_flight`, `tunnels` and `connections`.
#[derive(Debug, Default)]
pub struct Metrics {
    by_class: [AtomicU64; 5],
    aborted: AtomicU64,
    in_flight: AtomicU64,
    tunnels: AtomicU64,
    connections: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MetricsSnapshot {
    /// Answered requests by class of status, 1xx (upgrades) first.
    pub by_class: [u64; 5],
    /// Requests whose client went away before the head of a response.
    pub aborted: u64,
    /// Requests in flight now, upgraded connections apart.
    pub in_flight: u64,
    /// Upgraded connections open now.
    pub tunnels: u64,
    /// Client connections open now.
    pub connections: u64,
    /// Bytes of request bodies.
    pub bytes_in: u64,
    /// Bytes of response bodies.
    pub bytes_out: u64,
}

impl Metrics {
    /// The counters now.
    #[must_use]
    pub fn snapshot(&self) -> MetricsSnapshot {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        MetricsSnapshot {
            by_class: [0, 1, 2, 3, 4].map(|class| read(&self.by_class[class])),
            aborted: read(&self.aborted),
            in_flight: read(&self.in_flight),
            tunnels: read(&self.tunnels),
            connections: read(&self.connections),
            bytes_in: read(&self.bytes_in),
            bytes_out: read(&self.bytes_out),
        }
    }

    pub(super) fn request_ended(&self, status: Option<StatusCode>, bytes_in: u64, bytes_out: u64) {
        let class = status.and_then(|status| self.by_class.get(usize::from(status.as_u16() / 100).wrapping_sub(1)));
        class.unwrap_or(&self.aborted).fetch_add(1, Ordering::Relaxed);
        if bytes_in > 0 {
            self.bytes_in.fetch_add(bytes_in, Ordering::Relaxed);
        }
        self.bytes_out.fetch_add(bytes_out, Ordering::Relaxed);
    }

    pub(super) fn request_began(self: &Arc<Self>) -> Counted {
        Counted::new(self, |metrics| &metrics.in_flight)
    }

    pub(super) fn tunnel_opened(self: &Arc<Self>) -> Counted {
        Counted::new(self, |metrics| &metrics.tunnels)
    }

    pub(super) fn connection_opened(self: &Arc<Self>) -> Counted {
        Counted::new(self, |metrics| &metrics.connections)
    }
}

/// One more in a gauge, for as long as it lives.
#[derive(Debug)]
pub(super) struct Counted {
    metrics: Arc<Metrics>,
    gauge: fn(&Metrics) -> &AtomicU64,
}

impl Counted {
    fn new(metrics: &Arc<Metrics>, gauge: fn(&Metrics) -> &AtomicU64) -> Self {
        gauge(metrics).fetch_add(1, Ordering::Relaxed);
        Self { metrics: Arc::clone(metrics), gauge }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        (self.gauge)(&self.metrics).fetch_sub(1, Ordering::Relaxed);
    }
}
