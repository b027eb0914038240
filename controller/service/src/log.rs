//! Logs of apps.

use futures::stream::BoxStream;
use slipway_core::authz::AppAction;
use slipway_core::log::{LogLine, LogQuery};
use slipway_core::{AppId, Error, Result};
use slipway_engine::EngineError;

use crate::{Cx, Service};

/// Who the platform's own lines are of.
const SOURCE: &str = "slipway[controller]";

impl Service {
    /// The newest lines of an app's log, oldest first. `log_text` renders one.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`; `Unavailable` when the log cannot be read.
    pub async fn app_logs(&self, cx: &Cx, app: &str, query: LogQuery) -> Result<Vec<LogLine>> {
        let app = self.app_for(cx, app, AppAction::Use).await?;
        match self.engine().log_read(app.id, query).await {
            Err(EngineError::Missing(_)) => Ok(Vec::new()),
            read => read.map_err(|error| log_error(app.name.as_str(), &error)),
        }
    }

    /// The lines of `app_logs`, then each new one until dropped.
    ///
    /// # Errors
    /// As `app_logs`.
    pub async fn app_logs_follow(&self, cx: &Cx, app: &str, query: LogQuery) -> Result<BoxStream<'static, LogLine>> {
        let app = self.app_for(cx, app, AppAction::Use).await?;
        self.engine().log_follow(app.id, query).await.map_err(|error| log_error(app.name.as_str(), &error))
    }

    /// Writes a line of the platform's into an app's log. Source: `drycc-v2.md` §3.8.
    pub(crate) fn app_log(&self, app: AppId, text: String) {
        let line = LogLine { time: self.now(), source: SOURCE.to_owned(), text };
        self.engine().log_sink().append(app, line);
    }
}

fn log_error(app: &str, error: &EngineError) -> Error {
    Error::Unavailable { public: format!("Error accessing logs for {app}"), context: error.to_string() }
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
