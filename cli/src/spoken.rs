//! Which commands the transcripts of the tests run. Nothing of this is in the program.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;

use clap::{Command, CommandFactory as _};

use crate::args::Cli;
use crate::spelling::{DEFAULTS, SHORTCUTS, rewrite};

/// Commands that no transcript sees succeed, with the reason.
const NEVER_DONE: &[(&str, &str)] = &[
    ("builds:cancel", "no push is under way here: `tests/it/build_cancel.rs`"),
    ("completions", "a long script: `spelling.rs`, `live.rs`"),
    ("ps:exec", "what ends with 0 takes a real process: `tests/it/terminal.rs`"),
    ("resources:bind", SCRIPTED),
    ("resources:create", SCRIPTED),
    ("resources:describe", SCRIPTED),
    ("resources:destroy", SCRIPTED),
    ("resources:unbind", SCRIPTED),
    ("resources:update", SCRIPTED),
    ("up", "it runs until it is ended: `up.rs`, and every test of the whole platform"),
];

const SCRIPTED: &str = "this controller refuses it; `addition.rs` runs it against a scripted one that does not";

/// Commands that no transcript sees refused, with the reason.
const NEVER_REFUSED: &[(&str, &str)] =
    &[("auth:logout", "who is not logged in is not told off for it"), ("up", "it refuses what is taken: `up.rs`")];

/// Words as a shell makes them, where nothing but single quotes is special.
pub fn words(line: &str) -> Vec<OsString> {
    let mut words: Vec<String> = Vec::new();
    let mut is_new = true;
    for (at, piece) in line.split('\'').enumerate() {
        if at % 2 == 1 {
            if is_new {
                words.push(String::new());
            }
            if let Some(last) = words.last_mut() {
                last.push_str(piece);
            }
            is_new = false;
            continue;
        }
        for c in piece.chars() {
            if c == ' ' {
                is_new = true;
                continue;
            }
            if is_new {
                words.push(String::new());
            }
            if let Some(last) = words.last_mut() {
                last.push(c);
            }
            is_new = false;
        }
    }
    words.into_iter().map(OsString::from).collect()
}

/// The command that a line means, `config:set`; none when it is no command.
pub fn command_of(line: &str) -> Option<String> {
    let grammar = Cli::command();
    let args = rewrite(words(line), &grammar);
    let mut at = &grammar;
    let mut path = Vec::new();
    for arg in args {
        let Some(below) = arg.to_str().and_then(|word| at.find_subcommand(word)) else { continue };
        path.push(below.get_name());
        at = below;
        if !at.has_subcommands() {
            break;
        }
    }
    (!path.is_empty() && !at.has_subcommands()).then(|| path.join(":"))
}

/// Every command that does something, `config:set`.
pub fn every_command() -> Vec<String> {
    fn look(command: &Command, path: &str, found: &mut Vec<String>) {
        for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
            let path =
                if path.is_empty() { below.get_name().to_owned() } else { format!("{path}:{}", below.get_name()) };
            if below.has_subcommands() {
                look(below, &path, found);
            } else {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    look(&Cli::command(), "", &mut found);
    found
}

/// A line of a transcript, and whether it ended with exit code 0.
struct Line {
    text: String,
    is_done: bool,
}

fn transcripts() -> Vec<Line> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/transcript");
    let mut lines: Vec<Line> = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        // Of an app that is not there: each is refused.
        if let Some((_, rest)) = text.split_once("for command in [") {
            let list = rest.split_once("] {").unwrap().0;
            let commands = list.split('"').skip(1).step_by(2);
            lines.extend(commands.map(|text| Line { text: text.to_owned(), is_done: false }));
        }
        for line in text.lines() {
            if let Some(text) = line.strip_prefix("    $ ") {
                lines.push(Line { text: text.to_owned(), is_done: true });
            } else if let (true, Some(last)) = (line.starts_with("    = "), lines.last_mut()) {
                last.is_done = false;
            }
        }
    }
    assert!(lines.len() > 200, "the transcripts are looked for in the wrong place");
    lines
}

#[test]
fn every_command_is_seen_to_succeed_and_to_be_refused() {
    let lines = transcripts();
    for (is_done, what, excused) in [(true, "succeed", NEVER_DONE), (false, "be refused", NEVER_REFUSED)] {
        let seen: BTreeSet<String> =
            lines.iter().filter(|line| line.is_done == is_done).filter_map(|line| command_of(&line.text)).collect();
        let is_excused = |command: &String| excused.iter().any(|(name, _)| name == command);
        let missing: Vec<String> =
            every_command().into_iter().filter(|command| !seen.contains(command) && !is_excused(command)).collect();
        assert!(missing.is_empty(), "no transcript shows these {what}, and no reason is given: {missing:?}");
        for (name, reason) in excused.iter().filter(|(name, _)| cfg!(feature = "up") || *name != "up") {
            assert!(every_command().iter().any(|command| command == name), "{name} is no command");
            assert!(!seen.contains(*name), "{name} is excused ({reason}), and a transcript shows it {what}");
        }
    }
}

#[test]
fn every_spelling_is_in_a_transcript() {
    // With a colon and with a space is the same to the letter: `spelling.rs` of the tests runs both for every command.
    let lines = transcripts();
    let is_spelled = |name: &str| {
        lines.iter().any(|line| {
            let words = words(&line.text);
            // What may stand before a command: `-a foo`, `--json`.
            let at = match words.first().and_then(|word| word.to_str()) {
                Some("-a") => 2,
                Some("--json") => 1,
                _ => 0,
            };
            words.get(at).is_some_and(|word| word == name)
        })
    };
    let groups = DEFAULTS.iter().map(|(name, _)| *name);
    let aliases = ["allowlist:list", "allowlist:add", "allowlist:remove"];
    let missing: Vec<&str> =
        SHORTCUTS.iter().map(|(name, _)| *name).chain(groups).chain(aliases).filter(|name| !is_spelled(name)).collect();
    assert!(missing.is_empty(), "no transcript spells a command so: {missing:?}");
}
