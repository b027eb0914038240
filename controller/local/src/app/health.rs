//! Health checks of one process.

use std::net::SocketAddr;
use std::time::Duration;

use slipway_engine::spec::{Check, Probe, ProcessSpec};
use slipway_engine::{HttpCheck, HttpCheckOutcome};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::child::{Place, exec_check};

/// Time between two looks at a process that is coming up: short, since a deploy waits for it.
const STARTING_PERIOD: Duration = Duration::from_millis(25);
/// The same for checks that cost the app something.
const STARTING_PROBE_PERIOD: Duration = Duration::from_millis(250);
/// Shortest time between two tries, and for one, whatever is configured.
const SHORTEST: Duration = Duration::from_millis(10);

/// How the platform is named in what it asks of apps.
const AGENT: &str = concat!("slipway-health/", env!("CARGO_PKG_VERSION"));

/// What the checks of one process need.
pub(crate) struct Health<'a> {
    pub(crate) spec: &'a ProcessSpec,
    /// Whether it is ready when its port accepts connections, without a probe.
    pub(crate) takes_requests: bool,
    pub(crate) addr: SocketAddr,
    pub(crate) http: &'a reqwest::Client,
    pub(crate) place: Place<'a>,
    /// Time for which a process without port and probe must run.
    pub(crate) settle: Duration,
}

/// Asks a process for a path; what it says beside its status is not read.
pub(crate) async fn ask(http: &reqwest::Client, addr: SocketAddr, check: &HttpCheck) -> HttpCheckOutcome {
    let mut request = http.get(format!("http://{addr}{}", check.path)).header("user-agent", AGENT);
    if let Some(host) = &check.host {
        request = request.header("host", host);
    }
    match timeout(check.timeout, request.send()).await {
        Ok(Ok(response)) => HttpCheckOutcome::Answered(response.status().as_u16()),
        Ok(Err(_)) => HttpCheckOutcome::Silent("its port does not answer".to_owned()),
        Err(_) => HttpCheckOutcome::Silent(format!("no answer within {} s", check.timeout.as_secs_f32())),
    }
}

impl Health<'_> {
    /// Calls `set` whenever the process becomes ready or ceases to be. Never ends.
    pub(crate) async fn readiness(&self, set: impl Fn(bool)) {
        match &self.spec.readiness {
            None if self.takes_requests => {
                while TcpStream::connect(self.addr).await.is_err() {
                    sleep(STARTING_PERIOD).await;
                }
                set(true);
            }
            None => {
                sleep(self.settle).await;
                set(true);
            }
            Some(probe) => self.probe_readiness(probe, set).await,
        }
        std::future::pending::<()>().await;
    }

    async fn probe_readiness(&self, probe: &Probe, set: impl Fn(bool)) {
        sleep(probe.initial_delay).await;
        let (mut good, mut bad, mut is_ready) = (0_u32, 0_u32, false);
        let mut was_ready = false;
        loop {
            if self.try_once(probe).await.is_ok() {
                (good, bad) = (good.saturating_add(1), 0);
            } else {
                (good, bad) = (0, bad.saturating_add(1));
            }
            if !is_ready && good >= probe.success_threshold.max(1) {
                (is_ready, was_ready) = (true, true);
                set(true);
            } else if is_ready && bad >= probe.failure_threshold.max(1) {
                is_ready = false;
                set(false);
            }
            let period = probe.period.max(SHORTEST);
            sleep(if was_ready { period } else { period.min(STARTING_PROBE_PERIOD) }).await;
        }
    }

    /// Ends with the reason when the process must be restarted.
    pub(crate) async fn liveness(&self) -> String {
        let Some(probe) = &self.spec.liveness else { return std::future::pending().await };
        sleep(probe.initial_delay).await;
        let mut bad = 0_u32;
        loop {
            match self.try_once(probe).await {
                Ok(()) => bad = 0,
                Err(reason) => {
                    bad = bad.saturating_add(1);
                    if bad >= probe.failure_threshold.max(1) {
                        return reason;
                    }
                }
            }
            sleep(probe.period.max(SHORTEST)).await;
        }
    }

    async fn try_once(&self, probe: &Probe) -> Result<(), String> {
        let limit = probe.timeout.max(SHORTEST);
        match timeout(limit, self.check(&probe.check)).await {
            Ok(result) => result,
            Err(_) => Err(format!("no answer within {} s", limit.as_secs_f32())),
        }
    }

    async fn check(&self, check: &Check) -> Result<(), String> {
        match check {
            Check::Tcp { port: _ } => {
                TcpStream::connect(self.addr).await.map(drop).map_err(|_| "its port is closed".to_owned())
            }
            Check::Exec { command } => {
                let is_good = exec_check(command, &self.place).await;
                is_good.then_some(()).ok_or_else(|| "the check command failed".to_owned())
            }
            Check::HttpGet { port: _, path, host, is_https, headers } => {
                let scheme = if *is_https { "https" } else { "http" };
                let slash = if path.starts_with('/') { "" } else { "/" };
                let mut request = self.http.get(format!("{scheme}://{}{slash}{path}", self.addr));
                if let Some(host) = host {
                    request = request.header("host", host);
                }
                for (name, value) in headers {
                    request = request.header(name, value);
                }
                let status = match request.send().await {
                    Ok(response) => response.status().as_u16(),
                    Err(_) => return Err("its port does not answer".to_owned()),
                };
                if (200..400).contains(&status) { Ok(()) } else { Err(format!("it answered with status {status}")) }
            }
        }
    }
}
