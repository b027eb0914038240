//! What an operator asks: `/healthz`, `/readiness`, `/metrics`.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::router::metrics::Metrics;

/// For a client to send its request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// When the system has no file handle for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How this program is.
#[derive(Debug, Default)]
pub struct Health {
    is_synced: AtomicBool,
    /// What keeps it from its work, by topic.
    obstacles: Mutex<BTreeMap<&'static str, String>>,
    routes: AtomicU64,
    problems: AtomicU64,
    writes: AtomicU64,
    write_failures: AtomicU64,
    watch_failures: AtomicU64,
    router: OnceLock<Arc<Metrics>>,
}

impl Health {
    /// Says that everything was read once.
    pub fn synced(&self) {
        self.is_synced.store(true, Ordering::Relaxed);
    }

    /// Says what keeps this program from its work, or that nothing of the topic does. Tells whether that is new.
    pub fn obstacle(&self, topic: &'static str, obstacle: Option<String>) -> bool {
        let mut obstacles = self.obstacles.lock().unwrap_or_else(PoisonError::into_inner);
        match obstacle {
            Some(text) => obstacles.insert(topic, text.clone()) != Some(text),
            None => obstacles.remove(topic).is_some(),
        }
    }

    pub(crate) fn counted(&self, routes: usize, problems: usize) {
        self.routes.store(routes as u64, Ordering::Relaxed);
        self.problems.store(problems as u64, Ordering::Relaxed);
    }

    pub(crate) fn wrote(&self, is_success: bool) {
        let counter = if is_success { &self.writes } else { &self.write_failures };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn watch_failed(&self) {
        self.watch_failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Adds the counters of the router.
    pub(crate) fn router(&self, metrics: Arc<Metrics>) {
        // Only set once, by the one router of the process.
        let _ = self.router.set(metrics);
    }

    /// Writes to the API server since the start.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }

    /// Why this program is not ready, a sentence each; empty when it is.
    #[must_use]
    pub fn unready(&self) -> Vec<String> {
        let obstacles = self.obstacles.lock().unwrap_or_else(PoisonError::into_inner);
        let mut reasons: Vec<String> = obstacles.values().cloned().collect();
        if reasons.is_empty() && !self.is_synced.load(Ordering::Relaxed) {
            reasons.push("The cluster's routes have not been read yet.".to_owned());
        }
        reasons
    }

    fn metrics(&self) -> String {
        let mut text = String::new();
        let mut write = |name: &str, kind: &str, help: &str, samples: &[(&str, u64)]| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "# HELP slipway_{name} {help}\n# TYPE slipway_{name} {kind}");
            for (labels, value) in samples {
                let _ = writeln!(text, "slipway_{name}{labels} {value}");
            }
        };
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        write("router_sync_routes", "gauge", "Apps that are routed.", &[("", read(&self.routes))]);
        write("router_sync_problems", "gauge", "Apps whose route has a problem.", &[("", read(&self.problems))]);
        write("router_sync_writes_total", "counter", "Writes to the API server.", &[("", read(&self.writes))]);
        let failures = [("", read(&self.write_failures))];
        write("router_sync_write_failures_total", "counter", "Writes that failed.", &failures);
        let failures = [("", read(&self.watch_failures))];
        write("router_sync_watch_failures_total", "counter", "Interruptions of watches.", &failures);
        if let Some(router) = self.router.get() {
            let now = router.snapshot();
            let [c1, c2, c3, c4, c5] = now.by_class;
            let classes = [
                ("{class=\"1xx\"}", c1),
                ("{class=\"2xx\"}", c2),
                ("{class=\"3xx\"}", c3),
                ("{class=\"4xx\"}", c4),
                ("{class=\"5xx\"}", c5),
                ("{class=\"aborted\"}", now.aborted),
            ];
            write("router_requests_total", "counter", "Requests by class of status.", &classes);
            write("router_requests_in_flight", "gauge", "Requests in flight.", &[("", now.in_flight)]);
            write("router_tunnels", "gauge", "Upgraded connections.", &[("", now.tunnels)]);
            write("router_connections", "gauge", "Client connections.", &[("", now.connections)]);
            let bytes = [("{direction=\"in\"}", now.bytes_in), ("{direction=\"out\"}", now.bytes_out)];
            write("router_body_bytes_total", "counter", "Bytes of bodies.", &bytes);
        }
        text
    }

    fn answer(&self, path: &str) -> Response<Full<Bytes>> {
        let (status, kind, body) = match path {
            "/healthz" => (StatusCode::OK, "text/plain; charset=utf-8", "OK\n".to_owned()),
            "/readiness" => match self.unready() {
                reasons if reasons.is_empty() => (StatusCode::OK, "text/plain; charset=utf-8", "OK\n".to_owned()),
                reasons => (StatusCode::SERVICE_UNAVAILABLE, "text/plain; charset=utf-8", reasons.join("\n") + "\n"),
            },
            "/metrics" => (StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", self.metrics()),
            _ => (StatusCode::NOT_FOUND, "text/plain; charset=utf-8", "Not found\n".to_owned()),
        };
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        response
    }
}

/// Listens for [`serve`].
///
/// # Errors
/// When the address is taken.
pub async fn listen(addr: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(addr).await
}

/// Answers until `shutdown`.
pub async fn serve(listener: TcpListener, health: Arc<Health>, shutdown: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => return,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "cannot take a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let health = Arc::clone(&health);
        let service = service_fn(move |request: Request<Incoming>| {
            let response = health.answer(request.uri().path());
            async move { Ok::<_, Infallible>(response) }
        });
        let conn = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .serve_connection(TokioIo::new(stream), service);
        let shutdown = shutdown.clone();
        tokio::spawn(async move {
            tokio::select! {
                // A probe that went away needs no word.
                _ = conn => {}
                () = shutdown.cancelled() => {}
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_ready_when_all_was_read_and_nothing_is_in_the_way() {
        let health = Health::default();
        assert_eq!(health.answer("/readiness").status(), StatusCode::SERVICE_UNAVAILABLE);
        health.synced();
        assert_eq!(health.answer("/readiness").status(), StatusCode::OK);
        assert!(health.obstacle("api", Some("There is no Gateway API.".to_owned())));
        assert!(!health.obstacle("api", Some("There is no Gateway API.".to_owned())), "it is told once");
        assert_eq!(health.unready(), ["There is no Gateway API."]);
        assert_eq!(health.answer("/readiness").status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(health.answer("/healthz").status(), StatusCode::OK);
        assert!(health.obstacle("api", None));
        assert!(health.unready().is_empty());
    }

    #[test]
    fn metrics_have_their_types() {
        let health = Health::default();
        health.router(Arc::default());
        health.wrote(true);
        let text = health.metrics();
        assert!(text.contains("# TYPE slipway_router_sync_writes_total counter\nslipway_router_sync_writes_total 1\n"));
        assert!(text.contains("slipway_router_requests_total{class=\"5xx\"} 0\n"));
    }
}
