//! Where log lines go, and which.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

/// How the controller logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telemetry {
    /// Which lines, in the syntax of `tracing_subscriber::EnvFilter`: `info`, `slipway_service=debug,info`.
    pub filter: String,
    /// One JSON object a line rather than text.
    pub is_json: bool,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self { filter: "info".to_owned(), is_json: false }
    }
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter cannot be read.
    #[error("SLIPWAY_LOG is not a filter such as \"info\" or \"slipway_service=debug,info\": {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Something else in this process logs already.
    #[error("logging is set up already")]
    Taken,
}

/// Sends log lines to standard error.
///
/// # Errors
/// [`TelemetryError`].
pub fn start(telemetry: &Telemetry) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(&telemetry.filter)?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Colours are for terminals; whether those want any is looked up by the subscriber (`NO_COLOR`).
    let builder = if std::io::stderr().is_terminal() { builder } else { builder.with_ansi(false) };
    let started = if telemetry.is_json { builder.json().finish().try_init() } else { builder.finish().try_init() };
    started.map_err(|_| TelemetryError::Taken)
}
