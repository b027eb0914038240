//! Guides whose commands are run: fenced blocks of Markdown, what they mean, and how shown output is compared.
//!
//! | after the three backticks | what is done |
//! |---|---|
//! | `console` | each line after `$ ` is run by bash, in order, in the guide's folder; what is shown below is compared |
//! | `console goes on` | the same for commands that end with Ctrl-C: it is sent once they have printed what is shown |
//! | `console cluster` | needs a cluster, where `tests/cluster/guide.rs` runs it; elsewhere our own commands are parsed |
//! | `console elsewhere` | needs what no test has: our own commands are parsed, not run |
//! | `LANGUAGE NAME` | the file NAME, written into the guide's folder |
//!
//! In what is shown a line `...` stands for any lines, and `...` within a line for any text. Times, ids, hashes and
//! the like are as they come.

use std::sync::OnceLock;

use regex::Regex;

/// What is done with a block of commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// They are run to their end.
    Run,
    /// They are run until they have printed what is shown.
    GoesOn,
    /// They are parsed.
    Parse,
}

/// A command and what is shown of its output.
#[derive(Debug, PartialEq, Eq)]
pub struct Command {
    /// Where it is in the file, counted from 1.
    pub line: usize,
    /// The line for the shell; continued lines are one.
    pub text: String,
    /// What is shown.
    pub shown: Vec<String>,
    /// What is done.
    pub kind: Kind,
}

/// A step of a guide.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// A file is written.
    File {
        /// Its path.
        name: String,
        /// Its text.
        text: String,
    },
    /// A command.
    Command(Command),
}

/// Reads the steps of a guide.
///
/// # Panics
/// For a block that has no end, or text before the first command of a block.
#[must_use]
pub fn steps(markdown: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut lines = markdown.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        let Some(info) = line.strip_prefix("```") else { continue };
        let mut body = Vec::new();
        loop {
            let Some((number, line)) = lines.next() else { panic!("line {}: the block has no end", at + 1) };
            if line == "```" {
                break;
            }
            body.push((number + 1, line));
        }
        match info.trim().split_once(' ').unwrap_or((info.trim(), "")) {
            ("console", "") => commands(&body, Kind::Run, &mut steps),
            ("console", "goes on") => commands(&body, Kind::GoesOn, &mut steps),
            ("console", "cluster" | "elsewhere") => commands(&body, Kind::Parse, &mut steps),
            ("console", other) => panic!("line {}: what is `{other}`?", at + 1),
            (_, "") => {}
            (_, name) => {
                let text = body.iter().fold(String::new(), |text, (_, line)| text + line + "\n");
                steps.push(Step::File { name: name.to_owned(), text });
            }
        }
    }
    steps
}

fn commands(body: &[(usize, &str)], kind: Kind, steps: &mut Vec<Step>) {
    let mut is_continued = false;
    for (number, line) in body {
        if is_continued {
            let Some(Step::Command(last)) = steps.last_mut() else { panic!("line {number}: nothing goes on here") };
            last.text = format!("{}{}", last.text.trim_end_matches('\\'), line.trim_start());
            is_continued = line.ends_with('\\');
        } else if let Some(text) = line.strip_prefix("$ ") {
            steps.push(Step::Command(Command { line: *number, text: text.to_owned(), shown: Vec::new(), kind }));
            is_continued = line.ends_with('\\');
        } else if let Some(Step::Command(last)) = steps.last_mut() {
            last.shown.push((*line).to_owned());
        } else {
            panic!("line {number}: a block begins with a command");
        }
    }
}

/// A text without what differs from run to run.
#[must_use]
pub fn usual(text: &str) -> String {
    static RULES: OnceLock<Vec<(Regex, &str)>> = OnceLock::new();
    let rules = RULES.get_or_init(|| {
        [
            ("\x1b\\[[0-9;]*[A-Za-z]", ""),
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|UTC)", "[time]"),
            (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "[uuid]"),
            (r"\b([a-z][a-z0-9-]*-(?:web|worker|api|cmd)-v\d+)-[a-z0-9]{5}\b", "$1-[id]"),
            (r"\b[0-9a-f]{7,40}\b", "[hash]"),
            (r"done in \d+s", "done in [n]s"),
            (r"\d+(\.\d+)? (KiB|MiB|GiB)", "[size]"),
            (r"-?\d+ s from the controller", "[n] s from the controller"),
            (r"([0-9A-F]{2}:){31}[0-9A-F]{2}", "[fingerprint]"),
            (r"[0-9A-F]{2}:[0-9A-F]{2}\[\.\.\.\][0-9A-F]{2}:[0-9A-F]{2}", "[short fingerprint]"),
        ]
        .into_iter()
        .map(|(rule, with)| (Regex::new(rule).unwrap(), with))
        .collect()
    });
    rules.iter().fold(text.to_owned(), |text, (rule, with)| rule.replace_all(&text, *with).into_owned())
}

fn lines(text: &str) -> Vec<String> {
    // What git overwrites on a terminal ends with a carriage return.
    let text = usual(text).replace('\r', "\n");
    text.lines().map(|line| line.trim_end().to_owned()).filter(|line| !line.is_empty()).collect()
}

/// Whether an output is what is shown. Empty lines do not count.
#[must_use]
pub fn is_shown(shown: &[String], output: &str) -> bool {
    fits(&lines(&shown.join("\n")), &lines(output))
}

/// Whether an output begins with what is shown.
#[must_use]
pub fn begins_as_shown(shown: &[String], output: &str) -> bool {
    let mut shown = lines(&shown.join("\n"));
    shown.push("...".to_owned());
    fits(&shown, &lines(output))
}

fn fits(shown: &[String], output: &[String]) -> bool {
    match shown.split_first() {
        None => output.is_empty(),
        Some((first, rest)) if first.trim() == "..." => (0..=output.len()).any(|skip| fits(rest, &output[skip..])),
        Some((first, rest)) => {
            output.split_first().is_some_and(|(line, more)| line_fits(first, line) && fits(rest, more))
        }
    }
}

fn line_fits(shown: &str, line: &str) -> bool {
    let mut parts = shown.split("...");
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    let mut is_open = false;
    for part in parts {
        is_open = true;
        let Some(at) = rest.rfind(part) else { return false };
        rest = &rest[at + part.len()..];
        is_open = is_open && part.is_empty();
    }
    rest.is_empty() || is_open
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_steps() {
        let steps =
            steps("Text\n```python app.py\nx = 1\n```\n```console\n$ a \\\n  b\nout\n$ c\n```\n```\nplain\n```\n");
        assert_eq!(
            steps,
            [
                Step::File { name: "app.py".to_owned(), text: "x = 1\n".to_owned() },
                Step::Command(Command {
                    line: 6,
                    text: "a b".to_owned(),
                    shown: vec!["out".to_owned()],
                    kind: Kind::Run
                }),
                Step::Command(Command { line: 9, text: "c".to_owned(), shown: vec![], kind: Kind::Run }),
            ]
        );
    }

    #[test]
    fn elisions_are_any_text_and_nothing_else_is() {
        let check = |shown: &str, output: &str| is_shown(&shown.lines().map(str::to_owned).collect::<Vec<_>>(), output);
        assert!(check("a\n...\nd", "a\nb\nc\nd\n"));
        assert!(check("a\n...", "a\n"));
        assert!(!check("a\n...\nd", "a\nb\nc\n"));
        assert!(!check("a", "a\nb\n"));
        assert!(!check("a\nb", "a\n"));
        assert!(check("x ... y", "x 1 2 y"));
        assert!(check("x ...", "x 1"));
        assert!(!check("x ... y", "x 1 z"));
        assert!(!check("x ... y", "x 1 y z"));
        assert!(check("v2 2026-01-01T00:00:00Z you deployed 0123abc", "v2 2031-11-11T11:11:11Z you deployed fedcba9"));
        assert!(!check("v2", "v3"));
        assert!(check("a-web-v2-abcde up (v2)", "a-web-v2-zzzz1 up (v2)"));
        assert!(!check("a-web-v2-abcde up (v2)", "a-web-v3-zzzz1 up (v2)"));
        assert!(begins_as_shown(&["a".to_owned()], "a\nb\n") && !begins_as_shown(&["b".to_owned()], "a\nb\n"));
    }
}
