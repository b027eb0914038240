//! Every command against a real controller: what it prints and how it ends, when it works and when it is refused. The
//! names of the tests that end in `_of_upstream` hold what upstream's acceptance suite asserts (drycc-v2.md §6.5).
//!
//! In a transcript `$` is a command, `!` a line of stderr, `=` an exit code other than 0.

/// Compares with an inline snapshot, without what differs from run to run.
macro_rules! shows {
    ($text:expr, @$want:literal) => {
        insta::with_settings!({filters => vec![
            (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "[uuid]"),
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "[time]"),
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dUTC", "[time in UTC]"),
            (r"\bfoo-[0-9a-f]{7}\b", "foo-[short uuid]"),
            (r"deployed [0-9a-f]{7} which", "deployed [short uuid] which"),
            (r"\b[0-9A-HJKMNP-TV-Z]{26}\b", "[ulid]"),
            (r"done in \d+s", "done in [n]s"),
            (r"-?\d+ s from the controller", "[n] s from the controller"),
            (r"\beyJ[\w-]+\.[\w-]+\.[\w-]+", "[token]"),
            (r"([0-9A-F]{2}:){31}[0-9A-F]{2}", "[fingerprint]"),
            (r"[0-9A-F]{2}:[0-9A-F]{2}\[\.\.\.\][0-9A-F]{2}:[0-9A-F]{2}", "[short fingerprint]"),
        ]}, {
            insta::assert_snapshot!($text, @$want);
        });
    };
}

mod account;
mod acme;
mod app;
mod audit;
mod config;
mod container;
mod deploy;
mod deployment;
mod everywhere;
mod failure;
mod image;
mod member;
mod missing_team;
mod node;
mod notification;
mod own;
mod probe;
mod process;
mod project;
mod project_version;
mod registry;
mod route;
mod script;
mod shortcut;
mod storage;
mod team;
mod template;
mod token;
mod upstream;
mod volume;
mod webhook;

use std::fmt::Write as _;

use crate::person::{Person, Run};
use crate::platform::Platform;

/// A platform with its administrator bob and the user ann.
struct World {
    platform: Platform,
    bob: Person,
    ann: Person,
}

/// Words as a shell makes them, where nothing but single quotes is special.
fn words(line: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut is_new = true;
    for (at, piece) in line.split('\'').enumerate() {
        if at % 2 == 1 {
            if is_new {
                words.push(String::new());
            }
            words.last_mut().unwrap().push_str(piece);
            is_new = false;
            continue;
        }
        for c in piece.chars() {
            if c == ' ' {
                is_new = true;
            } else {
                if is_new {
                    words.push(String::new());
                }
                words.last_mut().unwrap().push(c);
                is_new = false;
            }
        }
    }
    words
}

impl World {
    fn new() -> Self {
        Self::on(Platform::start())
    }

    fn on(platform: Platform) -> Self {
        let world = Self { platform, bob: Person::stranger(), ann: Person::stranger() };
        for (person, name) in [(&world.bob, "bob"), (&world.ann, "ann")] {
            let register = [
                "register",
                &world.platform.url,
                "--username",
                name,
                "--password",
                "pw",
                "--email",
                &format!("{name}@y.z"),
            ];
            let run = person.run_with(&register, "");
            assert_eq!(run.code, 0, "{run:?}");
        }
        world
    }

    /// Runs the lines as one person and writes down what happens.
    fn as_one(&self, person: &Person, lines: &[&str]) -> String {
        self.written(lines, |args| person.run_with(args, ""))
    }

    /// The same by the name of upstream's client. In `TEXT | COMMAND` the text is on stdin.
    fn deis(&self, person: &Person, lines: &[&str]) -> String {
        self.written(lines, |args| match args.iter().position(|arg| *arg == "|") {
            Some(at) => person.run_as_with("deis", &args[at + 1..], &(args[..at].join(" ") + "\n")),
            None => person.run_as("deis", args),
        })
    }

    fn written(&self, lines: &[&str], run: impl Fn(&[&str]) -> Run) -> String {
        let mut text = String::new();
        for line in lines {
            let words = words(&line.replace("URL", &self.platform.url));
            let run = run(&words.iter().map(String::as_str).collect::<Vec<_>>());
            writeln!(text, "$ {line}").unwrap();
            text.push_str(&run.stdout);
            if !run.stdout.is_empty() && !run.stdout.ends_with('\n') {
                text.push('\n');
            }
            for said in run.stderr.lines() {
                writeln!(text, "{}", format!("! {said}").trim_end()).unwrap();
            }
            if run.code != 0 {
                writeln!(text, "= {}", run.code).unwrap();
            }
        }
        let text = text.replace(&self.platform.url, "URL");
        text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
    }

    fn bob(&self, lines: &[&str]) -> String {
        self.as_one(&self.bob, lines)
    }

    fn ann(&self, lines: &[&str]) -> String {
        self.as_one(&self.ann, lines)
    }

    /// Bob's app foo, without a build.
    fn with_app(self) -> Self {
        self.bob(&["create foo"]);
        self
    }

    /// Bob's app foo, with a build.
    fn with_build(self) -> Self {
        let world = self.with_app();
        let said = world.bob(&["pull example/foo:1 -p 'web: ./serve' -a foo"]);
        assert!(said.ends_with("done"), "{said}");
        world
    }
}
