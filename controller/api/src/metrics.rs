//! Numbers about requests, for Prometheus.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use chrono::{DateTime, Utc};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Upper bounds of the buckets of durations, in seconds: quick reads, deploys, one-off processes.
const BUCKETS_SECS: [f64; 12] = [0.002, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0, 15.0, 60.0, 300.0, 1200.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    operation: &'static str,
    method: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabels {
    operation: &'static str,
}

/// The registry, and what the API layer itself counts in it.
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter<u64, AtomicU64>>,
    durations: Family<OperationLabels, Histogram>,
    in_flight: Gauge,
    certificate_end: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new(Registry::default())
    }
}

impl Metrics {
    /// Adds the numbers of this layer to those that other layers have put in the registry.
    #[must_use]
    pub fn new(mut registry: Registry) -> Self {
        let requests = Family::default();
        let durations = Family::<OperationLabels, Histogram>::new_with_constructor(|| Histogram::new(BUCKETS_SECS));
        let in_flight = Gauge::default();
        registry.register("slipway_http_requests", "Requests answered", requests.clone());
        registry.register(
            "slipway_http_request_duration_seconds",
            "Time from a request's head to its answer's head, in seconds",
            durations.clone(),
        );
        registry.register("slipway_http_requests_in_flight", "Requests being worked on", in_flight.clone());
        let certificate_end = Gauge::default();
        registry.register(
            "slipway_certificate_first_end_timestamp_seconds",
            "When the first certificate in use ends, in seconds since 1970; 0 when none is in use",
            certificate_end.clone(),
        );
        Self { registry, requests, durations, in_flight, certificate_end }
    }

    /// Counts a request as being worked on until the guard is dropped.
    #[must_use]
    pub fn begin(&self) -> InFlight {
        self.in_flight.inc();
        InFlight(self.in_flight.clone())
    }

    /// Counts an answer. `operation` and `method` are of a fixed set, so that clients cannot make up label values.
    pub fn answered(&self, operation: &'static str, method: &'static str, status: u16, duration: Duration) {
        self.requests.get_or_create(&RequestLabels { operation, method, status }).inc();
        self.durations.get_or_create(&OperationLabels { operation }).observe(duration.as_secs_f64());
    }

    /// Notes when the first certificate in use ends.
    pub fn certificate_end(&self, end: Option<DateTime<Utc>>) {
        self.certificate_end.set(end.map_or(0, |end| end.timestamp()));
    }

    /// Everything in the text format.
    ///
    /// # Errors
    /// None that can happen when writing to memory.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// A request being worked on.
pub struct InFlight(Gauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}
