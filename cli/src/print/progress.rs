//! `Doing something... done`, with the seconds that passed while a person watches.

use std::io::{IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::{can_draw, line, part};
use crate::error::Result;

/// How long something may take before it is told how long it takes.
const FIRST_TICK: Duration = Duration::from_secs(1);

/// How many there are who tell of work, or have the terminal for themselves.
static SPEAKERS: AtomicUsize = AtomicUsize::new(0);

/// Nothing tells by itself what it waits for while there is one of these.
#[derive(Debug)]
pub struct Quiet(());

impl Quiet {
    /// Begins.
    pub fn new() -> Self {
        SPEAKERS.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        SPEAKERS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Work under way. Dropped without [`Progress::done`], it ends the line, so that an error stands on its own.
#[derive(Debug)]
pub struct Progress {
    started: Instant,
    is_shown: bool,
    is_line_open: bool,
    ticker: Option<Ticker>,
    _quiet: Quiet,
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
        let on_same_line = is_shown && std::io::stdout().is_terminal();
        let ticker = Ticker::start(if on_same_line { String::new() } else { format!("{text} ") }, false);
        Self { started: Instant::now(), is_shown, is_line_open, ticker, _quiet: Quiet::new() }
    }

    /// Ends the line with `text`.
    pub fn done(mut self, text: &str) -> Result {
        self.ticker = None;
        if std::mem::take(&mut self.is_shown) { line(text) } else { Ok(()) }
    }

    /// Ends the line with `done in 3s`.
    pub fn done_in(self) -> Result {
        let text = format!("done in {}s", self.started.elapsed().as_secs());
        self.done(&text)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.ticker = None;
        if self.is_shown && self.is_line_open {
            let _ = line("");
        }
    }
}

/// Tells a person at a terminal that an answer is waited for, once that has taken a second and nobody else tells of it.
/// What is drawn is gone when this is dropped.
#[derive(Debug)]
pub struct Waiting {
    _ticker: Option<Ticker>,
}

impl Waiting {
    /// Begins to wait.
    pub fn start() -> Self {
        Self { _ticker: Ticker::start("waiting ".to_owned(), true) }
    }
}

/// Draws on stderr, if that is a terminal, how long something takes, until it is dropped.
#[derive(Debug)]
struct Ticker {
    task: JoinHandle<()>,
    /// Whether something is drawn; `None` once nothing may be drawn any more.
    drawn: Arc<Mutex<Option<bool>>>,
}

impl Ticker {
    fn start(text: String, is_shy: bool) -> Option<Self> {
        if !can_draw(std::io::stderr().is_terminal()) {
            return None;
        }
        let drawn = Arc::new(Mutex::new(Some(false)));
        let task = tokio::spawn(tick(text, is_shy, Arc::clone(&drawn)));
        Some(Self { task, drawn })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.task.abort();
        if self.drawn.lock().unwrap_or_else(PoisonError::into_inner).take() == Some(true) {
            let _ = write!(std::io::stderr(), "\x1b[K");
        }
    }
}

/// Draws the time behind the cursor and puts the cursor back, so that the line can go on where it is.
async fn tick(text: String, is_shy: bool, drawn: Arc<Mutex<Option<bool>>>) {
    let started = Instant::now();
    let mut ticks = tokio::time::interval(FIRST_TICK);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let seconds = started.elapsed().as_secs();
        let mut drawn = drawn.lock().unwrap_or_else(PoisonError::into_inner);
        let is_wanted = !is_shy || SPEAKERS.load(Ordering::Relaxed) == 0;
        if let Some(drawn) = drawn.as_mut().filter(|_| is_wanted) {
            *drawn = true;
            let mut err = std::io::stderr();
            let _ = write!(err, "\x1b7{text}{seconds}s\x1b8");
            let _ = err.flush();
        }
    }
}
