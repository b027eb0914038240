//! The terminal at this end: its size, and keys that go through unread.

use std::io::IsTerminal as _;
use std::time::Duration;

#[cfg(unix)]
use tokio::signal::unix as signals;

use terminal_size::{Height, Width, terminal_size};
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::error::{Error, Result};

/// The exit code of a program that Ctrl-C ended.
pub const INTERRUPTED: i32 = 128 + 2;

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

/// The exit code for the next signal that tells this process to end. From the first call on such signals do nothing else.
#[cfg(unix)]
pub async fn told_to_end() -> i32 {
    use signals::SignalKind;
    let next = |kind: SignalKind| async move {
        match signals::signal(kind) {
            Ok(mut signal) => {
                signal.recv().await;
                128 + kind.as_raw_value()
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        code = next(SignalKind::interrupt()) => code,
        code = next(SignalKind::terminate()) => code,
        code = next(SignalKind::hangup()) => code,
    }
}

/// The exit code for the next Ctrl-C. From the first call on it does nothing else.
#[cfg(not(unix))]
pub async fn told_to_end() -> i32 {
    match tokio::signal::ctrl_c().await {
        Ok(()) => INTERRUPTED,
        Err(_) => std::future::pending().await,
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
