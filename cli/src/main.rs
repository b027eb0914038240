//! The slipway command line.
//!
//! Arguments are brought to one spelling ([`spelling`]), parsed ([`args`]), and handed with the settings to a command
//! ([`commands`]). Data goes to stdout and talk to stderr, only through [`mod@print`].

mod api;
mod args;
mod commands;
mod completions;
mod connection;
mod context;
mod dotenv;
mod editor;
mod error;
mod examples;
mod git;
mod input;
mod plugin;
mod print;
mod private;
mod program;
mod settings;
mod spelling;
#[cfg(test)]
mod spoken;
mod terminal;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::FromArgMatches as _;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::args::{Cli, grammar};
use crate::error::Error;

fn main() -> ExitCode {
    completions::answer();
    let cli = match parse() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            print::error(&format!("cannot start: {error}"), "");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(commands::run(cli));
    // Whatever still reads a terminal or waits for a lost server is not worth waiting for.
    runtime.shutdown_background();
    match result {
        Ok(()) | Err(Error::BrokenPipe) => ExitCode::SUCCESS,
        Err(Error::Failed { text, hint, .. }) => {
            print::error(&text, &hint);
            ExitCode::FAILURE
        }
        Err(Error::Exit(code)) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
    }
}

fn parse() -> Result<Cli, ExitCode> {
    let mut args = std::env::args_os();
    let program = args.next().unwrap_or_else(|| "slipway".into());
    let rewritten = spelling::rewrite(args.collect(), &grammar());
    let parsed = grammar()
        .try_get_matches_from(std::iter::once(program).chain(rewritten.iter().cloned()))
        .and_then(|matches| Cli::from_arg_matches(&matches));
    parsed.map_err(|error| {
        let failure = if program::current().is_upstream() { ExitCode::FAILURE } else { ExitCode::from(2) };
        let unknown = unknown_command(&error);
        if let Some((word, rest)) = &unknown
            && let Some(code) = plugin::run(word, rest.clone())
        {
            return code;
        }
        // Of a group's command, too.
        if program::current().is_upstream() && error.kind() == ErrorKind::InvalidSubcommand {
            print::note(format_args!("Found no matching command, try '{} help'", program::current().name()));
            print::note(format_args!("Usage: {}", args::usage(program::current())));
            return failure;
        }
        let unknown = match unknown {
            Some((word, _)) => Some((String::new(), word)),
            None if error.kind() == ErrorKind::InvalidSubcommand => spelling::wrong_word(&rewritten, &grammar()),
            None => None,
        };
        if let Some((group, word)) = unknown {
            let word = if group.is_empty() { word } else { format!("{group}:{word}") };
            let hint = match spelling::suggest(&word, &grammar()) {
                Some(near) => format!("did you mean `slipway {near}`?"),
                None if group.is_empty() => "`slipway help` lists the commands".to_owned(),
                None => format!("`slipway help {group}` lists the commands of {group}"),
            };
            print::error(&format!("there is no command `{word}`"), &hint);
            return failure;
        }
        if error.kind() == ErrorKind::DisplayVersion {
            let _ = print::line(program::current().version());
            return ExitCode::SUCCESS;
        }
        // Nobody to read a help text is no reason to fail.
        let _ = error.print();
        if error.use_stderr() { failure } else { ExitCode::SUCCESS }
    })
}

/// The word that is no command with what is said to it, when that is what is wrong: `WORD ARGS`, or `help WORD`.
fn unknown_command(error: &clap::Error) -> Option<(String, Vec<OsString>)> {
    if error.kind() != ErrorKind::InvalidSubcommand {
        return None;
    }
    let Some(ContextValue::String(unknown)) = error.get(ContextKind::InvalidSubcommand) else { return None };
    let mut args = std::env::args_os().skip(1);
    let first = args.next()?;
    let is_help = spelling::HELP.iter().any(|help| first == *help);
    let word = if is_help { args.next()? } else { first }.into_string().ok()?;
    // Behind `help` the word was taken apart at its colons.
    let is_it = word == *unknown || is_help && word.split(':').next() == Some(unknown);
    is_it.then(|| (word, if is_help { vec!["--help".into()] } else { args.collect() }))
}
