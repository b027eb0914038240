//! Colours: on a terminal, never in a pipe or with `NO_COLOR`, whatever writes them.

use crate::person::{Person, Run};

/// One command for each place that colours: `Error:` and `hint:`, warnings, lines of logs, the parser's help and usage
/// errors; and a log line that an app coloured itself.
const COMMANDS: [&str; 5] = ["apps", "git:remote -a foo -r slipway", "logs -a foo", "--help", "config:set"];

fn person() -> Person {
    let person = Person::new();
    person.server.on("GET /v2/apps/?limit=100", 403, "{}");
    person.server.on(
        "GET /v2/apps/foo/logs",
        200,
        "2026-11-21T05:00:00Z foo[web.1]: plain\n2026-11-21T05:00:00Z foo[web.1]: \u{1b}[31mred\u{1b}[0m\n",
    );
    person
}

fn is_coloured(run: &Run) -> bool {
    run.stdout.contains('\u{1b}') || run.stderr.contains('\u{1b}')
}

#[test]
fn nothing_is_coloured_in_a_pipe() {
    let person = person();
    for command in COMMANDS {
        let run = person.run(command);
        assert!(!is_coloured(&run), "{command}: {run:?}");
    }
}

/// `CLICOLOR_FORCE` stands for a terminal here: without `NO_COLOR` there are colours, so that a place that ignored it
/// would be seen.
#[test]
fn no_color_goes_before_everything() {
    for (name, value, want) in [("NO_COLOR", "", true), ("NO_COLOR", "1", false)] {
        let person = person().env("CLICOLOR_FORCE", "1").env(name, value);
        for command in ["apps", "logs -a foo", "--help", "config:set"] {
            let run = person.run(command);
            assert_eq!(is_coloured(&run), want, "{command} with {name}={value:?}: {run:?}");
        }
    }
}

/// Whatever is coloured is written through the streams that take the colours away again.
#[test]
fn colours_are_made_in_print_only() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    crate::portable::sources(&root, &mut files);
    let mut makers: Vec<String> = files
        .iter()
        .filter(|path| std::fs::read_to_string(path).unwrap().contains("owo_colors"))
        .map(|path| path.strip_prefix(&root).unwrap().display().to_string())
        .collect();
    makers.sort();
    assert!(!makers.is_empty() && makers.iter().all(|name| name.starts_with("print")), "{makers:?}");
}
