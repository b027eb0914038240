//! Completion of commands, app names and process types in a shell.
//!
//! A shell's script, which [`print()`] prints, asks this program with `COMPLETE` set and the words so far; names come from
//! the controller, within a second or not at all.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::time::Duration;

use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use clap_complete::env::{Bash, Elvish, EnvCompleter, Fish, Powershell, Zsh};
use clap_complete::{CompleteEnv, Shell};
use slipway_wire::drycc_v2::{App, Page, Pods};
use slipway_wire::team::{Me, Token};

use crate::args::{Global, grammar};
use crate::commands::token::TOKENS;
use crate::context::{Context, app_path};
use crate::error::{Error, Result};
use crate::print::progress::Quiet;
use crate::{print, program, settings, spelling};

/// How long a shell may be kept waiting for names.
const PATIENCE: Duration = Duration::from_secs(1);
/// The variable by which a shell asks.
const VARIABLE: &str = "COMPLETE";

/// Answers a shell that asks for completions, and ends the program then.
pub fn answer() {
    let asked = CompleteEnv::with_factory(|| spelling::every(grammar())).var(VARIABLE);
    let words = std::env::args_os().collect();
    let words = if settings::variable(VARIABLE).as_deref() == Some("bash") { joined(words) } else { words };
    if asked.try_complete(words, std::env::current_dir().ok().as_deref()).unwrap_or_else(|error| error.exit()) {
        std::process::exit(0)
    }
}

/// Makes `--app sh` of the three words that Bash makes of `--app=sh`. A flag in front takes the third one's place: which
/// word is to be completed is told by its number.
fn joined(mut words: Vec<OsString>) -> Vec<OsString> {
    for at in 1..words.len() {
        if words[at] == "=" && words[at - 1].to_string_lossy().starts_with("--") {
            words[at] = std::mem::replace(&mut words[at - 1], "--json".into());
        }
    }
    words
}

/// Prints the script for a shell.
pub fn print(shell: Shell) -> Result {
    let of: &dyn EnvCompleter = match shell {
        Shell::Bash => &Bash,
        Shell::Elvish => &Elvish,
        Shell::Fish => &Fish,
        Shell::PowerShell => &Powershell,
        Shell::Zsh => &Zsh,
        other => return Err(Error::new(format!("there is no script for {other}"))),
    };
    let mut script = Vec::new();
    let name = program::current().name();
    of.write_registration(VARIABLE, name, name, name, &mut script)?;
    print::raw(&script)
}

/// Completes names of apps.
pub fn apps() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let names = fetch(async |cx| {
            let page: Page<App> = cx.api()?.get("/v2/apps/?limit=1000").await?.json()?;
            Ok(page.results.into_iter().map(|app| app.id).collect())
        });
        candidates(names, current, "")
    })
}

/// Completes slugs of teams.
pub fn teams() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let slugs = fetch(async |cx| {
            let me: Me = cx.api()?.post_empty("/api/users/me").await?.json()?;
            Ok(me.teams.into_iter().map(|team| team.slug).collect())
        });
        candidates(slugs, current, "")
    })
}

/// Completes names of the user's tokens.
pub fn tokens() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let names = fetch(async |cx| {
            let tokens: Vec<Token> = cx.api()?.get(TOKENS).await?.json()?;
            Ok(tokens.into_iter().map(|token| token.name).collect())
        });
        candidates(names, current, "")
    })
}

/// Completes types of the app's processes.
pub fn types() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| candidates(structure(), current, ""))
}

/// Completes types of the app's processes, up to the sign before their number.
pub fn types_to_set() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| candidates(structure(), current, "="))
}

/// Completes names and types of the app's processes.
pub fn processes() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let names = fetch(async |cx| {
            let pods: Pods = cx.api()?.get(&app_path(&cx.app()?, "pods/")).await?.json()?;
            let types: BTreeSet<String> = pods.results.iter().map(|pod| pod.process_type.clone()).collect();
            Ok(types.into_iter().chain(pods.results.into_iter().map(|pod| pod.name)).collect())
        });
        candidates(names, current, "")
    })
}

fn structure() -> Vec<String> {
    fetch(async |cx| {
        let app: App = cx.api()?.get(&app_path(&cx.app()?, "")).await?.json()?;
        Ok(app.structure.into_keys().collect())
    })
}

fn candidates(names: Vec<String>, current: &OsStr, after: &str) -> Vec<CompletionCandidate> {
    let current = current.to_string_lossy();
    names
        .into_iter()
        .filter(|name| name.starts_with(current.as_ref()))
        .map(|name| CompletionCandidate::new(name + after))
        .collect()
}

/// What a call gives, in time and without an error; else nothing, since a shell has no place for one.
fn fetch(call: impl AsyncFnOnce(Context) -> Result<Vec<String>>) -> Vec<String> {
    let Ok(cx) = Context::new(&global(std::env::args())) else { return Vec::new() };
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return Vec::new() };
    // The terminal is the shell's.
    let quiet = Quiet::new();
    let names = runtime.block_on(async { tokio::time::timeout(PATIENCE, call(cx)).await });
    drop(quiet);
    // A name server that does not answer is asked on a thread that nobody can end; the shell is not kept waiting for it.
    runtime.shutdown_background();
    names.ok().and_then(Result::ok).unwrap_or_default()
}

/// The global options among the words so far.
fn global(words: impl Iterator<Item = String>) -> Global {
    let mut global = Global { app: None, config: None, json: false };
    let mut words = words.peekable();
    while let Some(word) = words.next() {
        let (name, value) = match word.split_once('=').filter(|(name, _)| name.starts_with("--")) {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (word.as_str(), None),
        };
        if !["-a", "--app", "-c", "--config"].contains(&name) {
            continue;
        }
        // As `joined` has it.
        let _ = words.next_if(|word| word == "=");
        let value = value.or_else(|| words.peek().cloned());
        if name.ends_with('a') || name == "--app" {
            global.app = value;
        } else {
            global.config = value.map(Into::into);
        }
    }
    global
}
