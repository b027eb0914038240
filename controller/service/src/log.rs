//! Logs of apps.

use futures::stream::BoxStream;
use slipway_core::Result;
use slipway_core::log::{LogLine, LogQuery};

use crate::{Cx, Service};

impl Service {
    /// The newest lines of an app's log, oldest first. `log_text` renders one.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`; `Unavailable` when the log cannot be read.
    pub async fn app_logs(&self, cx: &Cx, app: &str, query: LogQuery) -> Result<Vec<LogLine>> {
        let _ = (cx, app, query);
        todo!()
    }

    /// The lines of `app_logs`, then each new one until dropped.
    ///
    /// # Errors
    /// As `app_logs`.
    pub async fn app_logs_follow(&self, cx: &Cx, app: &str, query: LogQuery) -> Result<BoxStream<'static, LogLine>> {
        let _ = (cx, app, query);
        todo!()
    }
}

/// A line as clients show it: `<time> <app>[<source>]: <text>`, or `<time> slipway[controller]: <text>` for the platform's.
/// Source: `drycc-v2.md` §2.2.
#[must_use]
pub fn log_text(app: &str, line: &LogLine) -> String {
    let time = line.time.format("%Y-%m-%dT%H:%M:%SZ");
    if line.source.starts_with("slipway[") {
        format!("{time} {}: {}", line.source, line.text)
    } else {
        format!("{time} {app}[{}]: {}", line.source, line.text)
    }
}
