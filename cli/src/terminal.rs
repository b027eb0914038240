//! The terminal at this end: its size, and keys that go through unread.

use std::io::IsTerminal as _;
use std::time::Duration;

use terminal_size::{Height, Width, terminal_size};
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::error::{Error, Result};

/// How often the size is looked at while a process has the terminal. Not every system tells of a change.
const LOOK: Duration = Duration::from_millis(200);

/// Whether a person is at both ends of this process.
pub fn is_here() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

/// Keys go through as they are typed, those that end processes included, until this is dropped.
#[derive(Debug)]
pub struct Raw(());

impl Raw {
    /// Lets everything through to the other end.
    pub fn enter() -> Result<Self> {
        crossterm::terminal::enable_raw_mode().map_err(|error| Error::caused("cannot set up the terminal", &error))?;
        Ok(Self(()))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // The terminal may be gone.
        let _ = crossterm::terminal::disable_raw_mode();
    }
}

/// Columns and lines of the terminal.
pub fn size() -> Option<(u16, u16)> {
    let (Width(width), Height(height)) = terminal_size()?;
    (width > 0 && height > 0).then_some((width, height))
}

/// Tells of changes of the size.
#[derive(Debug)]
pub struct Resized {
    ticks: Interval,
    last: Option<(u16, u16)>,
}

impl Resized {
    /// Begins at the size of now.
    pub fn new() -> Self {
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { ticks, last: size() }
    }

    /// The next size that is another one. Dropping the future loses nothing.
    pub async fn next(&mut self) -> (u16, u16) {
        loop {
            self.ticks.tick().await;
            let now = size();
            if let Some(size) = now.filter(|_| now != self.last) {
                self.last = now;
                return size;
            }
        }
    }
}
