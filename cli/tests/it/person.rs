//! Somebody at a terminal: a home directory, a working directory, a profile.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::server::Server;

/// How a command ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    #[track_caller]
    pub fn ok(self, stdout: &str) {
        assert_eq!(self, Self { code: 0, stdout: stdout.to_owned(), stderr: String::new() });
    }

    #[track_caller]
    pub fn fails(self, stderr: &str) {
        assert_eq!((self.code, self.stderr.as_str()), (1, stderr), "{self:?}");
    }
}

/// A text in which the time that something took, which is as it comes, is `[n]`.
fn without_seconds(text: &str) -> String {
    let mut parts = text.split("done in ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + "done in [n]" + part.trim_start_matches(|c: char| c.is_ascii_digit()))
}

pub struct Person {
    pub server: Server,
    dir: tempfile::TempDir,
    env: Vec<(String, String)>,
}

impl Person {
    /// Somebody who is logged in as bob.
    pub fn new() -> Self {
        let person = Self::stranger();
        Self::write_profile(&person.profile(), &person.server.url);
        person
    }

    /// Somebody who is not logged in.
    pub fn stranger() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("shop")).unwrap();
        Self { server: Server::start(), dir, env: Vec::new() }
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.set_env(name, value);
        self
    }

    /// Sets a variable for the runs to come.
    pub fn set_env(&mut self, name: &str, value: &str) {
        self.env.push((name.to_owned(), value.to_owned()));
    }

    /// Writes a profile that logs bob in at `controller`.
    pub fn write_profile(path: &Path, controller: &str) {
        let profile = serde_json::json!({
            "username": "bob", "ssl_verify": true, "controller": controller, "token": "t0ken", "response_limit": 100,
        });
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, profile.to_string()).unwrap();
    }

    pub fn profile(&self) -> PathBuf {
        self.home().join(".config/slipway/client.json")
    }

    pub fn home(&self) -> &Path {
        self.dir.path()
    }

    /// The working directory.
    pub fn work(&self) -> PathBuf {
        self.dir.path().join("shop")
    }

    /// Makes the working directory a git repository.
    pub fn git_init(&self) -> &Self {
        self.git(&["init", "-q"]);
        self
    }

    pub fn git(&self, args: &[&str]) -> String {
        let output = self.command("git").args(args).output().unwrap();
        assert!(output.status.success(), "git {args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.home())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            // So that no repository around the temporary directory is found.
            .env("GIT_CEILING_DIRECTORIES", self.home())
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .current_dir(self.work());
        command
    }

    /// Runs `slipway ARGS`, the arguments given in one line.
    pub fn run(&self, args: &str) -> Run {
        let args: Vec<&str> = args.split_whitespace().collect();
        self.run_with(&args, "")
    }

    /// Runs `slipway ARGS` with something on stdin.
    pub fn run_with(&self, args: &[&str], stdin: &str) -> Run {
        self.finish(self.command(env!("CARGO_BIN_EXE_slipway")).args(args), stdin)
    }

    /// Begins to run `slipway ARGS`, the arguments given in one line, with nothing on stdin.
    pub fn begin(&self, args: &str) -> Child {
        let mut command = self.command(env!("CARGO_BIN_EXE_slipway"));
        command.args(args.split_whitespace()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// Runs the program by another name, `deis ARGS`.
    pub fn run_as(&self, name: &str, args: &[&str]) -> Run {
        self.run_as_with(name, args, "")
    }

    /// The same with something on stdin.
    pub fn run_as_with(&self, name: &str, args: &[&str], stdin: &str) -> Run {
        let link = self.home().join(name);
        if !link.exists() {
            std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_slipway"), &link).unwrap();
        }
        self.finish(self.command(link.to_str().unwrap()).args(args), stdin)
    }

    fn finish(&self, command: &mut Command, stdin: &str) -> Run {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A command that does not read its stdin may have ended already.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).unwrap();
            let text = text.replace(&self.server.url, "[URL]").replace(self.home().to_str().unwrap(), "[HOME]");
            without_seconds(&text)
        };
        Run { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Everything asked since the last time: request lines, with bodies where there are some.
    pub fn asked(&self) -> Vec<String> {
        let one = |asked: crate::server::Asked| {
            if asked.body.is_empty() { asked.line } else { format!("{} {}", asked.line, asked.body) }
        };
        self.server.asked().into_iter().map(one).collect()
    }
}
