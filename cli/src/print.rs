//! Everything that reaches the terminal. Data goes to stdout, talk about the work to stderr; nothing else prints.

pub mod log;
pub mod progress;
pub mod screen;
pub mod table;
pub mod width;

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};

use owo_colors::OwoColorize as _;

use crate::error::{Error, Result};
use crate::{program, settings};

/// Writes a line to stdout.
pub fn line(text: impl Display) -> Result {
    writeln!(anstream::stdout(), "{text}")?;
    Ok(())
}

/// Writes to stdout without a line end, at once.
pub fn part(text: impl Display) -> Result {
    let mut out = anstream::stdout();
    write!(out, "{text}")?;
    out.flush()?;
    Ok(())
}

/// Writes bytes to stdout as they are.
pub fn raw(bytes: &[u8]) -> Result {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()?;
    Ok(())
}

/// Writes bytes to stderr as they are. Nobody to read them is no reason to fail.
pub fn raw_to_stderr(bytes: &[u8]) {
    let _ = io::stderr().lock().write_all(bytes);
}

/// Whether lines on a terminal can be drawn anew: `TERM=dumb` says that it knows no more than text.
pub fn can_draw(is_terminal: bool) -> bool {
    is_terminal && !settings::is_dumb()
}

/// Writes data as JSON to stdout.
pub fn json(value: &serde_json::Value) -> Result {
    let text = serde_json::to_string_pretty(value).map_err(|error| Error::caused("cannot write JSON", &error))?;
    line(text)
}

/// Writes a line of talk to stderr.
pub fn note(text: impl Display) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Writes a warning to stderr, in the form upstream's client uses.
pub fn warning(text: impl Display) {
    note(format_args!("{} {text}", "!   ".yellow()));
}

/// Writes what failed to stderr, in front of the error that follows, as scripts of upstream's look for it.
pub fn before_error(text: &str) {
    if program::current().is_upstream() {
        let _ = write!(anstream::stderr(), "{text}: ");
    }
}

/// Writes an error and its advice to stderr. Advice names commands as `` `slipway …` ``, whatever this program was called.
pub fn error(text: &str, hint: &str) {
    let program = program::current();
    note(format_args!("{} {text}", "Error:".red().bold()));
    // What upstream's client writes is compared to the letter by scripts (drycc-v2.md §6.5); advice is for people.
    if !hint.is_empty() && (!program.is_upstream() || io::stderr().is_terminal()) {
        note(format_args!("\n{} {}", "hint:".bold(), program.spoken(hint)));
    }
}

/// An address without the user and password that it may hold, to be shown.
pub fn url_without_password(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
            format!("{scheme}://{host}{path}")
        }
        None => url.to_owned(),
    }
}

/// Whether a person is at the terminal.
pub fn has_person() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Whether somebody can be asked: a person, or a script of upstream's, which writes the answers to stdin.
pub fn can_ask() -> bool {
    has_person() || program::current().is_upstream()
}

/// Asks for a line. Upstream's client asks on stdout, and takes the end of stdin for an empty line.
pub fn ask(question: &str) -> Result<String> {
    let is_upstream = program::current().is_upstream();
    if is_upstream {
        part(question)?;
    } else {
        let mut err = anstream::stderr();
        let _ = write!(err, "{question}");
        let _ = err.flush();
    }
    let mut answer = String::new();
    let read = io::stdin().read_line(&mut answer).map_err(|error| Error::caused("cannot read the answer", &error))?;
    if read == 0 && !is_upstream {
        // Ctrl-D leaves the cursor behind the question.
        note("");
        return Err(Error::new("there was no answer"));
    }
    Ok(answer.trim().to_owned())
}
