//! The reference: a page for each command and an index, in Markdown, from the same source as `--help`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use clap::{Arg, Command};

use crate::args::grammar;
use crate::error::{Error, Result};
use crate::spelling::{DEFAULTS, SHORTCUTS};
use crate::{examples, print};

const INTRODUCTION: &str = "\
# Reference of the command line

A page for each command of `slipway`. `slipway help COMMAND` shows the same on a terminal, `make man` writes manual pages.

Commands are spelled with a colon or a space: `slipway config:set A=1` is `slipway config set A=1`. A group by itself is
its list, or what it has to show: `slipway config` is `slipway config:list`. Called by a link named `deis` or `drycc`, the
program answers to that name, reads that name's profile and looks for that name's git remote.

These pages are written by `make reference`; a test compares them with the program.

";

const EXIT_CODES: &str = "\
## Exit codes

| code | meaning |
|---|---|
| 0 | done; also when whoever read the output had enough of it |
| 1 | refused or failed: `Error: …` on stderr says why, and what to do next |
| 2 | the command line is not understood (1 when called as `deis` or `drycc`, as upstream's clients) |
| another | of `run` and `ps:exec`: the exit code of the process |
";

/// A command and what leads to it.
struct Found<'a> {
    path: Vec<&'a str>,
    about: String,
    command: &'a Command,
}

/// Writes the pages into `folder`, and removes those of commands that are no more.
pub fn write(folder: &Path) -> Result {
    let cannot = |error: std::io::Error| Error::caused(format!("cannot write to {}", folder.display()), &error);
    fs::create_dir_all(folder).map_err(cannot)?;
    let mut root = grammar();
    root.build();
    let mut found = Vec::new();
    collect(&root, &[], &mut found);
    // What several commands say of themselves is said with what their group is about.
    let abouts: Vec<String> = found.iter().map(|of| about(of.command)).collect();
    for of in &mut found {
        let parents = &of.path[..of.path.len() - 1];
        let parent = parents.iter().try_fold(&root, |command, name| command.find_subcommand(name));
        if let (Some(parent), 2..) = (parent, abouts.iter().filter(|other| **other == of.about).count()) {
            of.about = format!("{}: {}", about(parent), lower_first(&of.about));
        }
    }
    let mut pages = vec![("README.md".to_owned(), index(&root, &found))];
    pages.extend(found.iter().map(|of| (file(&of.path), page(of, &found))));
    for entry in fs::read_dir(folder).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        let is_page = path.extension().is_some_and(|kind| kind == "md");
        if is_page && !pages.iter().any(|(name, _)| path.file_name().is_some_and(|file| file == name.as_str())) {
            fs::remove_file(&path).map_err(cannot)?;
        }
    }
    for (name, text) in &pages {
        fs::write(folder.join(name), text).map_err(cannot)?;
    }
    print::line(format_args!("Wrote {} pages to {}.", pages.len(), folder.display()))
}

fn collect<'a>(command: &'a Command, path: &[&'a str], found: &mut Vec<Found<'a>>) {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help") {
        let path = [path, &[below.get_name()]].concat();
        if below.has_subcommands() {
            collect(below, &path, found);
        } else {
            found.push(Found { path, about: about(below), command: below });
        }
    }
}

fn file(path: &[&str]) -> String {
    format!("{}.md", path.join("-"))
}

fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

fn link(path: &[&str]) -> String {
    format!("[`{}`]({})", path.join(":"), file(path))
}

// Writing to a String cannot fail, here and below.
fn index(root: &Command, found: &[Found<'_>]) -> String {
    let mut text = INTRODUCTION.to_owned();
    let row = |text: &mut String, of: &Found<'_>| {
        let _ = writeln!(text, "| {} | {} |", link(&of.path), cell(&of.about));
    };
    for group in root.get_subcommands().filter(|group| !group.is_hide_set() && group.has_subcommands()) {
        let below = found.iter().filter(|of| of.path.len() > 1 && of.path[0] == group.get_name()).collect::<Vec<_>>();
        if below.is_empty() {
            continue;
        }
        let _ = write!(text, "## {}\n\n{}.\n\n| command | |\n|---|---|\n", group.get_name(), about(group));
        for of in below {
            row(&mut text, of);
        }
        text.push('\n');
    }
    text.push_str("## Without a group\n\n| command | |\n|---|---|\n");
    for of in found.iter().filter(|of| of.path.len() == 1) {
        row(&mut text, of);
    }
    text.push('\n');
    text.push_str("## Shortcuts\n\n| shortcut | command |\n|---|---|\n");
    for (name, long) in SHORTCUTS {
        let _ = writeln!(text, "| `{name}` | {} |", link(long));
    }
    text.push_str("\n## Flags of every command\n\n");
    list(&mut text, root.get_arguments().filter(|arg| arg.is_global_set() || arg.get_id() == "help"));
    text.push_str("\n## Environment\n\n");
    let after = root.get_after_help().map(ToString::to_string).unwrap_or_default();
    for line in after.split("Environment:\n").nth(1).unwrap_or_default().lines() {
        if let Some((name, meaning)) = line.trim().split_once("  ") {
            let _ = writeln!(text, "- `{name}`: {}", meaning.trim());
        }
    }
    text.push('\n');
    text.push_str(EXIT_CODES);
    text
}

fn page(of: &Found<'_>, found: &[Found<'_>]) -> String {
    let name = of.path.join(":");
    let mut text = format!("# {name}\n\n{}.\n\n", of.about.trim_end_matches('.'));
    let usage = of.command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").replacen(&of.path.join(" "), &name, 1);
    let _ = write!(text, "```\n{usage}\n```\n");
    let own = || of.command.get_arguments().filter(|arg| !arg.is_hide_set() && !arg.is_global_set());
    for (title, is_positional) in [("Arguments", true), ("Options", false)] {
        let mut args = own().filter(|arg| arg.is_positional() == is_positional && arg.get_id() != "help").peekable();
        if args.peek().is_some() {
            let _ = write!(text, "\n## {title}\n\n");
            list(&mut text, args);
        }
    }
    text.push_str(
        "\n[Flags of every command](README.md#flags-of-every-command): `--app`, `--config`, `--json`, `--help`.\n",
    );
    let mut spellings = Vec::new();
    if of.path.len() > 1 {
        spellings.push(of.path.join(" "));
    }
    if let [group, verb] = of.path.as_slice() {
        spellings.extend(DEFAULTS.iter().filter(|at| at == &&(*group, *verb)).map(|(group, _)| (*group).to_owned()));
        if *group == "whitelist" {
            spellings.push(format!("allowlist:{verb}"));
        }
    }
    spellings.extend(SHORTCUTS.iter().filter(|(_, long)| *long == of.path).map(|(short, _)| (*short).to_owned()));
    if !spellings.is_empty() {
        let all: Vec<String> = spellings.iter().map(|spelling| format!("`slipway {spelling}`")).collect();
        let _ = write!(text, "\nAlso spelled {}.\n", all.join(", "));
    }
    let lines = examples::of(&name);
    if !lines.is_empty() {
        text.push_str("\n## Examples\n\n```console\n");
        for line in lines {
            let _ = writeln!(text, "$ slipway {line}");
        }
        text.push_str("```\n");
    }
    let others: Vec<String> = found
        .iter()
        .filter(|other| of.path.len() > 1 && other.path[0] == of.path[0] && other.path != of.path)
        .map(|other| link(&other.path))
        .collect();
    if !others.is_empty() {
        let _ = write!(text, "\nSee also {}.\n", others.join(", "));
    }
    text
}

fn list<'a>(text: &mut String, args: impl Iterator<Item = &'a Arg>) {
    for arg in args {
        let value: Vec<String> =
            arg.get_value_names().unwrap_or_default().iter().map(|name| format!("<{name}>")).collect();
        let takes = arg.get_action().takes_values();
        let mut names = Vec::new();
        if arg.is_positional() {
            names.push(value.join(" "));
        } else {
            names.extend(arg.get_short().map(|short| format!("-{short}")));
            names.extend(arg.get_long().map(|long| format!("--{long}")));
            if let (Some(last), true) = (names.last_mut(), takes && !value.is_empty()) {
                *last = format!("{last} {}", value.join(" "));
            }
        }
        let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let _ = write!(text, "- {}: {}", names.join(", "), lower_first(&help));
        let mut more = Vec::new();
        let possible: Vec<String> = arg
            .get_possible_values()
            .iter()
            .filter(|value| !value.is_hide_set() && takes)
            .map(|value| format!("`{}`", value.get_name()))
            .collect();
        if !possible.is_empty() {
            more.push(format!("one of {}", possible.join(", ")));
        }
        let defaults: Vec<String> =
            arg.get_default_values().iter().map(|value| format!("`{}`", value.to_string_lossy())).collect();
        if takes && !defaults.is_empty() {
            more.push(format!("by default {}", defaults.join(" ")));
        }
        if let Some(variable) = arg.get_env() {
            more.push(format!("also the variable `{}`", variable.to_string_lossy()));
        }
        if !more.is_empty() {
            let _ = write!(text, " ({})", more.join("; "));
        }
        text.push('\n');
    }
}

/// A sentence as it goes on after a colon; names in capitals stay.
fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    let (first, second) = (chars.next(), chars.next());
    match (first, second) {
        (Some(first), Some(second)) if first.is_uppercase() && second.is_lowercase() => {
            first.to_lowercase().chain(text.chars().skip(1)).collect()
        }
        _ => text.to_owned(),
    }
}

/// A text within a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
