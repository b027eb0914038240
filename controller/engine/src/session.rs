//! Interactive processes: somebody types, and sees what is printed.

use std::fmt;

use bytes::Bytes;
use futures::stream::BoxStream;
use slipway_core::{AppId, AppName};
use tokio::sync::mpsc;

/// A command to be run inside of a process (pod) that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecSpec {
    /// The app.
    pub app: AppId,
    /// Its name.
    pub name: AppName,
    /// The pod.
    pub pod: String,
    /// The program with its arguments; never read by a shell of ours.
    pub command: Vec<String>,
    /// How it is talked to.
    pub attach: Attach,
}

/// How an interactive process is talked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Attach {
    /// The size of its terminal; `None` for no terminal.
    pub terminal: Option<TerminalSize>,
    /// Whether something is typed at all.
    pub has_input: bool,
}

/// The size of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TerminalSize {
    /// Characters a line.
    pub columns: u16,
    /// Lines.
    pub rows: u16,
}

/// What goes to the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Bytes for its stdin.
    Bytes(Bytes),
    /// Its terminal has another size.
    Resize(TerminalSize),
    /// Nothing more will be typed.
    End,
}

/// What comes from the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Bytes of its stdout; with a terminal, of both.
    Stdout(Bytes),
    /// Bytes of its stderr.
    Stderr(Bytes),
    /// It ended with this exit code (128 + n when signal n ended it). The last that comes.
    Exit(i32),
    /// It could not be begun, or was lost. The last that comes.
    Lost(String),
}

/// An interactive process. Dropping it ends a one-off process; a command inside of a pod loses its terminal, and is ended
/// where the engine can (on one machine).
pub struct Session {
    /// Takes what goes to the process; full while it does not read.
    pub input: mpsc::Sender<Input>,
    /// What comes from it; ends with [`Output::Exit`] or [`Output::Lost`].
    pub output: BoxStream<'static, Output>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}
