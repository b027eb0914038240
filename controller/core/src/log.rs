//! Lines of an app's log.

use chrono::{DateTime, Utc};

/// One line of an app's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When it was written (microseconds).
    pub time: DateTime<Utc>,
    /// Who wrote it: `web.1`, `run.x7k2q`, or a part of the platform: `slipway[controller]`, `slipway[router]`.
    pub source: String,
    /// The text, without the end of line.
    pub text: String,
}

/// Which lines are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogQuery {
    /// At most this many, the newest. Default 100.
    pub lines: usize,
    /// Only of this source's process type (`web` for `web.1`), if given.
    pub process_type: Option<String>,
}

impl Default for LogQuery {
    fn default() -> Self {
        Self { lines: 100, process_type: None }
    }
}
