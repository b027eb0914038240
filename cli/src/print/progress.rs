//! `Doing something... done`, with the seconds that passed while a person watches.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::{line, part};
use crate::error::Result;

/// Work under way. Dropped without [`Progress::done`], it ends the line, so that an error stands on its own.
#[derive(Debug)]
pub struct Progress {
    started: Instant,
    is_shown: bool,
    is_line_open: bool,
    ticker: Option<JoinHandle<()>>,
}

impl Progress {
    /// Writes `text` and, from the second second on, the time that passed, when stdout and stderr are one terminal.
    /// Shows nothing at all when `is_shown` is false (the output is JSON).
    pub fn start(is_shown: bool, text: &str) -> Result<Self> {
        if is_shown {
            part(format_args!("{text} "))?;
        }
        Ok(Self::watch(is_shown, true, text))
    }

    /// The same, with the line ended at once.
    pub fn start_below(is_shown: bool, text: &str) -> Result<Self> {
        if is_shown {
            line(text)?;
        }
        Ok(Self::watch(is_shown, false, text))
    }

    fn watch(is_shown: bool, is_line_open: bool, text: &str) -> Self {
        let is_watched = std::io::stderr().is_terminal();
        let on_same_line = is_shown && std::io::stdout().is_terminal();
        let ticker = is_watched.then(|| tokio::spawn(tick(if on_same_line { None } else { Some(text.to_owned()) })));
        Self { started: Instant::now(), is_shown, is_line_open, ticker }
    }

    /// Ends the line with `text`.
    pub fn done(mut self, text: &str) -> Result {
        self.stop();
        if std::mem::take(&mut self.is_shown) { line(text) } else { Ok(()) }
    }

    /// Ends the line with `done in 3s`.
    pub fn done_in(self) -> Result {
        let text = format!("done in {}s", self.started.elapsed().as_secs());
        self.done(&text)
    }

    fn stop(&mut self) {
        if let Some(ticker) = self.ticker.take() {
            ticker.abort();
            if self.started.elapsed() >= FIRST_TICK {
                let _ = write!(std::io::stderr(), "\x1b[K");
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.stop();
        if self.is_shown && self.is_line_open {
            let _ = line("");
        }
    }
}

const FIRST_TICK: Duration = Duration::from_secs(1);

/// Draws the time behind the cursor and puts the cursor back, so that the line can go on where it is.
async fn tick(text: Option<String>) {
    let started = Instant::now();
    let mut ticks = tokio::time::interval(FIRST_TICK);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let seconds = started.elapsed().as_secs();
        let text = text.as_deref().map(|text| format!("{text} ")).unwrap_or_default();
        let mut err = std::io::stderr();
        let _ = write!(err, "\x1b7{text}{seconds}s\x1b8");
        let _ = err.flush();
    }
}
