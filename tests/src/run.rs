//! A finished command and what it printed.

use std::process::{Command, Output, Stdio};

/// A finished command.
#[derive(Debug)]
pub struct Run {
    /// The command line, for messages.
    pub line: String,
    /// The exit code; 128 + n after signal n.
    pub code: i32,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

impl Run {
    /// Runs `command` to its end without standard input.
    pub fn of(command: &mut Command) -> Self {
        let line = line(command);
        let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{line}: {error}"));
        Self::from_output(line, &output)
    }

    /// Takes over what a child left behind.
    #[must_use]
    pub fn from_output(line: String, output: &Output) -> Self {
        use std::os::unix::process::ExitStatusExt;
        Self {
            line,
            code: output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap_or(0)),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Asserts success.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "should have worked: {self}");
        self
    }

    /// Asserts failure.
    #[track_caller]
    pub fn fails(self) -> Self {
        assert_ne!(self.code, 0, "should have failed: {self}");
        self
    }

    /// Asserts that stdout or stderr holds `text`.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stdout.contains(text) || self.stderr.contains(text), "should say {text:?}: {self}");
        self
    }

    /// Asserts that neither stdout nor stderr holds `text`.
    #[track_caller]
    pub fn never_says(self, text: &str) -> Self {
        assert!(!self.stdout.contains(text) && !self.stderr.contains(text), "should not say {text:?}: {self}");
        self
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\n-- exit {}\n-- stdout\n{}\n-- stderr\n{}", self.line, self.code, self.stdout, self.stderr)
    }
}

/// A command line for messages.
#[must_use]
pub fn line(command: &Command) -> String {
    let words: Vec<String> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    words.join(" ")
}
