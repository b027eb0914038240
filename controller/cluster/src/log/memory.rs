//! The platform's lines kept in memory, where no database keeps them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use slipway_core::AppId;
use slipway_core::log::{LogLine, LogQuery};
use slipway_engine::{EngineError, LogKeep};

/// Most lines that are kept of an app.
const LINES_MAX: usize = 500;
/// Most lines that are kept of all apps together; beyond, apps that were quiet for longest lose theirs.
const TOTAL_MAX: usize = 100_000;

/// Keeps the newest lines of the platform for this controller's life.
#[derive(Default)]
pub struct MemoryKeep {
    apps: Mutex<Apps>,
}

#[derive(Default)]
struct Apps {
    lines: HashMap<AppId, VecDeque<LogLine>>,
    total: usize,
}

impl Apps {
    fn append(&mut self, app: AppId, line: LogLine) {
        let lines = self.lines.entry(app).or_default();
        lines.push_back(line);
        if lines.len() > LINES_MAX {
            lines.pop_front();
        } else {
            self.total += 1;
        }
        while self.total > TOTAL_MAX {
            let quietest = self.lines.iter().min_by_key(|(_, lines)| lines.back().map(|line| line.time));
            let Some(app) = quietest.map(|(app, _)| *app) else { return };
            self.total -= self.lines.remove(&app).map_or(0, |lines| lines.len());
        }
    }
}

#[async_trait]
impl LogKeep for MemoryKeep {
    async fn lines_append(&self, lines: Vec<(AppId, LogLine)>) -> Result<(), EngineError> {
        let mut apps = self.apps.lock().unwrap_or_else(PoisonError::into_inner);
        for (app, line) in lines {
            apps.append(app, line);
        }
        Ok(())
    }

    async fn lines_read(&self, app: AppId, query: &LogQuery) -> Result<Vec<LogLine>, EngineError> {
        let apps = self.apps.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = apps.lines.get(&app).into_iter().flatten();
        let mut wanted: Vec<LogLine> = lines.filter(|line| super::wants(query, &line.source)).cloned().collect();
        Ok(wanted.split_off(wanted.len().saturating_sub(query.lines)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: i64) -> LogLine {
        let time = chrono::DateTime::from_timestamp(number, 0).unwrap_or_default();
        LogLine { time, source: "slipway[router]".to_owned(), text: number.to_string() }
    }

    #[tokio::test]
    async fn the_newest_lines_stay() {
        let (keep, app) = (MemoryKeep::default(), AppId::generate());
        keep.lines_append((0..600).map(|number| (app, line(number))).collect()).await.unwrap();
        let query = LogQuery { lines: 1000, process_type: None };
        let lines = keep.lines_read(app, &query).await.unwrap();
        assert_eq!(lines.len(), LINES_MAX);
        assert_eq!(lines.last(), Some(&line(599)));
        assert!(keep.lines_read(AppId::generate(), &query).await.unwrap().is_empty());
    }

    #[test]
    fn quiet_apps_lose_their_lines_first() {
        let mut apps = Apps::default();
        let (first, last) = (AppId::generate(), AppId::generate());
        apps.append(first, line(0));
        for number in 1..=i64::try_from(TOTAL_MAX / LINES_MAX).unwrap() {
            let app = AppId::generate();
            (0..LINES_MAX).for_each(|_| apps.append(app, line(number)));
        }
        apps.append(last, line(i64::MAX / 1_000_000_000));
        assert!(apps.total <= TOTAL_MAX);
        assert!(!apps.lines.contains_key(&first) && apps.lines.contains_key(&last));
    }
}
