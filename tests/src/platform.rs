//! One `slipway up`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::{Reserved, Run, User, eventually};

/// A running platform; it is stopped and its directory removed when dropped.
pub struct Platform {
    dir: tempfile::TempDir,
    child: Option<Child>,
    program: PathBuf,
    flags: Vec<String>,
    env: Vec<(String, String)>,
    endpoints: Option<Endpoints>,
    /// Where it listens: kept while it is away.
    addresses: [Reserved; 4],
}

/// Where a platform answers.
#[derive(Debug, Clone, Copy)]
pub struct Endpoints {
    /// The API.
    pub api: SocketAddr,
    /// Git over SSH.
    pub ssh: SocketAddr,
    /// The router, plain.
    pub router: SocketAddr,
    /// The router, TLS.
    pub router_tls: SocketAddr,
}

/// An answer through the router.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// Path of the `slipway` binary, built once if it is not up to date.
pub fn slipway_binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(path) = std::env::var_os("SLIPWAY_TEST_BINARY") {
            return PathBuf::from(path);
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        Run::of(Command::new(cargo).current_dir(&root).args(["build", "--quiet", "--bin", "slipway"])).ok();
        // The test binary is target/PROFILE/deps/it-HASH.
        let mut path = std::env::current_exe().unwrap();
        path.pop();
        path.pop();
        path.join("slipway")
    })
}

impl Platform {
    /// Starts a platform with an empty data directory.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&[], &[])
    }

    /// Starts a platform with further flags and environment variables.
    #[must_use]
    pub fn start_with(flags: &[&str], env: &[(&str, &str)]) -> Self {
        let mut platform = Self {
            dir: tempfile::Builder::new().prefix("slipway-it-").tempdir().unwrap(),
            child: None,
            program: slipway_binary().to_owned(),
            flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
            env: env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            endpoints: None,
            addresses: [(); 4].map(|()| Reserved::any()),
        };
        platform.launch();
        platform
    }

    /// Starts it again after [`Self::kill`] or [`Self::stop`], on the same data directory and ports.
    pub fn launch(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        let data = self.data();
        let _ = std::fs::remove_file(data.join("ready.json"));
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.dir.path().join("up.log")).unwrap();
        let mut command = self.command();
        command.stdout(log.try_clone().unwrap()).stderr(log);
        self.child = Some(command.spawn().unwrap());
        let ready = eventually("slipway up is ready", Duration::from_mins(3), || {
            if let Some(status) = self.child.as_mut().unwrap().try_wait().unwrap() {
                panic!("slipway up ended with {status}:\n{}", self.log());
            }
            let text = std::fs::read_to_string(data.join("ready.json")).ok()?;
            serde_json::from_str::<serde_json::Value>(&text).ok()
        });
        let address = |name: &str| -> SocketAddr {
            let text = ready[name].as_str().unwrap_or_else(|| panic!("ready.json without {name}: {ready}"));
            text.rsplit("://").next().unwrap().trim_end_matches('/').parse().unwrap()
        };
        self.endpoints = Some(Endpoints {
            api: address("api"),
            ssh: address("ssh"),
            router: address("router"),
            router_tls: address("router_tls"),
        });
    }

    /// The command that starts it.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("up").arg("--data").arg(self.data());
        for (flag, reserved) in ["--api", "--ssh", "--router", "--router-tls"].iter().zip(&self.addresses) {
            command.arg(flag).arg(reserved.address().to_string());
        }
        command.args(&self.flags);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        // The home is the test's own, so that no tool that a build calls reads the developer's settings. Package
        // indexes are reached as this machine is set up for, which is in the environment or below /etc.
        command.stdin(Stdio::null());
        command
    }

    /// Its data directory.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// What it has printed so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("up.log")).unwrap_or_default()
    }

    /// Where it answers.
    #[must_use]
    pub fn endpoints(&self) -> Endpoints {
        self.endpoints.unwrap()
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Moves the program to another place, which the next start uses.
    pub fn move_program(&mut self, name: &str) {
        let target = self.dir.path().join(name);
        // Another process copies: what this one opens to write, the children of other tests have open for a moment, and
        // so long it cannot be run.
        Run::of(Command::new("cp").arg(&self.program).arg(&target)).ok();
        if self.program.starts_with(self.dir.path()) {
            std::fs::remove_file(&self.program).unwrap();
        }
        self.program = target;
    }

    /// Kills it with SIGKILL: nothing of it can tidy up.
    pub fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Stops it as Ctrl-C does.
    pub fn stop(&mut self) -> ExitStatus {
        let mut child = self.child.take().unwrap();
        let pid = Pid::from_child(&child);
        kill_process(pid, Signal::INT).unwrap();
        eventually("slipway up stops", Duration::from_mins(3), || child.try_wait().unwrap())
    }

    /// Registers a user with an SSH key.
    #[must_use]
    pub fn user(&self, name: &str) -> User {
        User::register(self, name)
    }

    /// `GET path` of an app through the router.
    #[must_use]
    pub fn get(&self, app: &str, path: &str) -> Answer {
        self.try_get(app, path).unwrap_or_else(|error| panic!("GET {app} {path}: {error}\n{}", self.log()))
    }

    /// As [`Self::get`], for when the router may be away.
    pub fn try_get(&self, app: &str, path: &str) -> Result<Answer, reqwest::Error> {
        let response = reqwest::blocking::Client::builder()
            .timeout(Duration::from_mins(2))
            .build()?
            .get(format!("http://{}{path}", self.endpoints().router))
            .header("Host", format!("{app}.localhost"))
            .send()?;
        Ok(Answer { status: response.status().as_u16(), body: response.text()? })
    }

    /// Waits until an app answers 200 with a body that holds `text`.
    pub fn answers(&self, app: &str, text: &str) {
        let mut last = String::new();
        eventually(&format!("{app} answers {text:?}"), Duration::from_mins(3), || {
            match self.try_get(app, "/") {
                Ok(answer) if answer.status == 200 && answer.body.contains(text) => return Some(()),
                Ok(answer) => last = format!("{answer:?}"),
                Err(error) => last = error.to_string(),
            }
            None
        });
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = kill_process(Pid::from_child(&child), Signal::TERM);
            let stopped = (0..1200).any(|_| {
                std::thread::sleep(Duration::from_millis(25));
                matches!(child.try_wait(), Ok(Some(_)))
            });
            if !stopped {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(60).collect();
            eprintln!("-- last lines of slipway up:");
            for line in tail.into_iter().rev() {
                eprintln!("{line}");
            }
        }
    }
}
