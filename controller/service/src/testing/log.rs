//! Logs of apps in memory.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use slipway_core::AppId;
use slipway_core::log::{LogLine, LogQuery};
use slipway_engine::LogSink;
use tokio::sync::broadcast;

/// The log of [`FakeEngine`].
#[derive(Debug)]
pub(super) struct FakeLog {
    lines: Mutex<HashMap<AppId, Vec<LogLine>>>,
    written: broadcast::Sender<(AppId, LogLine)>,
}

impl Default for FakeLog {
    fn default() -> Self {
        Self { lines: Mutex::default(), written: broadcast::channel(1024).0 }
    }
}

impl LogSink for FakeLog {
    fn append(&self, app: AppId, line: LogLine) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.entry(app).or_default().push(line.clone());
        drop(self.written.send((app, line)));
    }
}

impl FakeLog {
    /// Every line of an app.
    pub(super) fn lines(&self, app: AppId) -> Vec<LogLine> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).get(&app).cloned().unwrap_or_default()
    }

    /// The lines that a query is about, and all that is written after them.
    pub(super) fn follow(&self, app: AppId, query: &LogQuery) -> (Vec<LogLine>, broadcast::Receiver<(AppId, LogLine)>) {
        // Under one lock, so that no line is in both or in none.
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = lines.get(&app).cloned().unwrap_or_default();
        found.retain(|line| {
            query.process_type.as_ref().is_none_or(|wanted| line.source.split('.').next() == Some(wanted.as_str()))
        });
        found.drain(..found.len().saturating_sub(query.lines));
        (found, self.written.subscribe())
    }
}
