//! Commands that other programs add: `slipway frobnicate` is the program `slipway-frobnicate` on the search path, and
//! `slipway frobnicate:all` is that program with `all` as its first argument.
//! Source: drycc-v2.md §6.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::process::{Command, ExitCode};

use crate::{print, program};

/// Runs the program that adds the command `word`, when there is one, and gives its exit code.
pub fn run(word: &str, args: Vec<OsString>) -> Option<ExitCode> {
    let (word, verb) = word.split_once(':').map_or((word, None), |(word, verb)| (word, Some(OsString::from(verb))));
    // With anything else in it, the name could be a path.
    let is_name = word.starts_with(|c: char| c.is_ascii_alphanumeric())
        && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if !is_name {
        return None;
    }
    let name = format!("{}-{word}", program::current().name());
    match Command::new(&name).args(verb).args(args).status() {
        Ok(status) => {
            let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
            Some(ExitCode::from(code))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => {
            print::error(&format!("cannot run {name}: {error}"), "");
            Some(ExitCode::FAILURE)
        }
    }
}
