//! A builder on a free port with everything around it in memory, and repositories of its users.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use slipway_builder::hook::{BuildEnd, Controller, ControllerError, Progress, Publication, ReleaseState};
use slipway_builder::{BuildError, BuildOutput, BuildRequest, Builder, BuilderConfig, Built, Limits, SourceBuilder};
use slipway_core::config::SecretText;
use slipway_core::{AppId, AppName, Username};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

/// What has happened so far.
#[derive(Debug, Default)]
pub struct State {
    /// Builds that run now.
    pub running: usize,
    /// How releases stand; `None`: they succeed when asked about for the second time.
    pub release: Option<ReleaseState>,
    /// Builds that were published.
    pub version: u32,
    /// Apps whose remains the source builder was told to remove.
    pub forgotten: Vec<AppId>,
    /// What is said of the build that is to be ended.
    canceled: Option<String>,
    keys: HashMap<String, Username>,
    /// How builds ended.
    pub logs: Vec<String>,
}

#[derive(Clone)]
struct World {
    state: Arc<Mutex<State>>,
    changed: Arc<tokio::sync::Notify>,
    app: AppId,
}

impl World {
    fn change_quietly<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap())
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state.lock().unwrap());
        self.changed.notify_waiters();
        result
    }
}

#[async_trait]
impl Controller for World {
    async fn key_user(&self, fingerprint: &str) -> Result<Username, ControllerError> {
        self.change(|state| state.keys.get(fingerprint).cloned()).ok_or(ControllerError::NotFound)
    }

    async fn app_access(&self, _user: &Username, app: &AppName) -> Result<AppId, ControllerError> {
        match app.as_str() {
            "blog" => Ok(self.app),
            "foreign" => Err(ControllerError::Forbidden),
            _ => Err(ControllerError::NotFound),
        }
    }

    async fn config_values(&self, _: &Username, _: &AppName) -> Result<BTreeMap<String, SecretText>, ControllerError> {
        Ok(BTreeMap::new())
    }

    async fn build_publish(&self, publication: &Publication) -> Result<u32, ControllerError> {
        assert_eq!(publication.sha.len(), 40);
        Ok(self.change(|state| {
            state.version = state.version.max(1) + 1;
            state.version
        }))
    }

    async fn release_follow(&self, _: &AppName, _: u32, seen: &str) -> Result<Progress, ControllerError> {
        let usual = if seen.is_empty() { ReleaseState::Underway } else { ReleaseState::Succeeded };
        let state = self.state.lock().unwrap().release.unwrap_or(usual);
        Ok(Progress {
            state,
            lines: vec!["web: 0 of 1 ready".to_owned()],
            seen: "1".to_owned(),
            reason: String::new(),
            urls: vec!["http://blog.localhost:8080".to_owned()],
        })
    }

    async fn build_begin(&self, _: &Username, _: &AppName, _: &str) -> Result<String, ControllerError> {
        Ok("a build".to_owned())
    }

    async fn build_canceled(&self, _: &AppName, build: &str) -> Result<Option<String>, ControllerError> {
        assert_eq!(build, "a build");
        loop {
            let changed = self.changed.notified();
            if let Some(said) = self.change_quietly(|state| state.canceled.take()) {
                return Ok(Some(said));
            }
            changed.await;
        }
    }

    async fn log_keep(&self, end: BuildEnd) -> Result<(), ControllerError> {
        assert_eq!(end.build.as_deref(), Some("a build"));
        self.change(|world| world.logs.push(end.state.as_str().to_owned()));
        Ok(())
    }

    async fn apps_list(&self) -> Result<Vec<AppId>, ControllerError> {
        Ok(vec![self.app])
    }
}

struct Running(World);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.change(|state| state.running -= 1);
    }
}

#[async_trait]
impl SourceBuilder for World {
    async fn build(&self, request: BuildRequest, output: BuildOutput) -> Result<Built, BuildError> {
        self.change(|state| state.running += 1);
        let _running = Running(self.clone());
        output.step("Building").await;
        if request.source.join("HANG").exists() {
            std::future::pending::<()>().await;
        }
        if let Ok(reason) = std::fs::read_to_string(request.source.join("FAIL")) {
            return Err(BuildError::Failed(reason));
        }
        Ok(Built {
            image: "slug@sha256:00".to_owned(),
            procfile: BTreeMap::new(),
            dockerfile: String::new(),
            stack: "buildpack".to_owned(),
        })
    }

    async fn forget(&self, app: AppId) {
        self.change(|state| state.forgotten.push(app));
    }
}

/// The id of the app `blog`.
pub const APP: &str = "0193a6b2-7c00-7000-8000-000000000001";

/// Limits that make tests quick.
pub fn limits() -> Limits {
    Limits { quiet: Duration::from_millis(200), ..Limits::default() }
}

/// A running builder.
pub struct Platform {
    world: World,
    home: TempDir,
    port: u16,
    stop: CancellationToken,
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Platform {
    pub async fn start() -> Self {
        Self::start_with(limits(), None, |_| {}).await
    }

    /// With other limits, over HTTP if there is a `controller`, and `prepare` may fill the data directory before.
    pub async fn start_with(limits: Limits, controller: Option<&str>, prepare: impl FnOnce(&Path)) -> Self {
        let home = tempfile::tempdir().unwrap();
        let world = World { state: Arc::default(), changed: Arc::default(), app: APP.parse().unwrap() };
        let config = BuilderConfig {
            ssh: "127.0.0.1:0".parse().unwrap(),
            data: home.path().join("data"),
            host_key: None,
            controller: controller.unwrap_or("http://127.0.0.1:1").parse().unwrap(),
            builder_key: SecretString::from("hunter2".to_owned()),
            limits,
        };
        prepare(&config.data);
        let sources = Arc::new(world.clone());
        let starting = match controller {
            Some(_) => Builder::bind(config, sources).await,
            None => Builder::with_controller(config, Arc::new(world.clone()), sources).await,
        };
        let builder = starting.unwrap();
        let port = builder.local_addr().port();
        let known = format!("[127.0.0.1]:{port} {}\n", builder.host_key());
        std::fs::write(home.path().join("known_hosts"), known).unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(builder.run(stop.clone()));
        Self { world, home, port, stop }
    }

    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Changes what the controller says.
    pub fn change(&self, change: impl FnOnce(&mut State)) {
        self.world.change(change);
    }

    /// Where the repository of the app `blog` is kept.
    pub fn repository(&self) -> PathBuf {
        self.data().join("repos").join(format!("{APP}.git"))
    }

    pub fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    pub fn url(&self, path: &str) -> String {
        format!("ssh://git@127.0.0.1:{}/{path}", self.port)
    }

    /// A repository of `user` with the app `blog` as remote; `stranger` has a key that nobody knows.
    pub fn repo(&self, user: &str) -> Repo {
        let key = self.home.path().join(format!("key-{user}"));
        let made = std::process::Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(&key)
            .status()
            .unwrap();
        assert!(made.success());
        if user != "stranger" {
            let listed = std::process::Command::new("ssh-keygen").args(["-l", "-E", "md5", "-f"]).arg(&key).output();
            let listed = String::from_utf8(listed.unwrap().stdout).unwrap();
            let fingerprint = listed.split_whitespace().nth(1).unwrap().trim_start_matches("MD5:").to_owned();
            self.world.change(|state| state.keys.insert(fingerprint, Username::new(user).unwrap()));
        }
        let repo = Repo { directory: self.home.path().join(format!("repo-{user}")), key, port: self.port };
        std::fs::create_dir(&repo.directory).unwrap();
        repo.sync(&["init", "-q", "-b", "main"]);
        repo.sync(&["remote", "add", "slipway", &self.url("blog.git")]);
        repo
    }

    /// Somebody wants the build ended that is under way.
    pub fn cancel(&self, said: &str) {
        self.world.change(|state| state.canceled = Some(said.to_owned()));
    }

    /// Waits until `condition` holds.
    pub async fn wait(&self, condition: impl Fn(&State) -> bool) {
        let waiting = async {
            loop {
                let changed = self.world.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if condition(&self.world.state.lock().unwrap()) {
                    return;
                }
                changed.await;
            }
        };
        tokio::time::timeout(Duration::from_mins(2), waiting).await.expect("the condition never held");
    }

    /// Waits for `count` logs of builds and gives their states.
    pub async fn wait_for_logs(&self, count: usize) -> Vec<String> {
        self.wait(|state| state.logs.len() >= count).await;
        self.world.state.lock().unwrap().logs.clone()
    }

    /// Checks the app's repository with git itself: whole, and without remains of pushes.
    pub fn check_repository(&self) {
        let path = self.repository();
        let out = std::process::Command::new("git")
            .arg("-C")
            .arg(&path)
            .args(["fsck", "--full", "--strict"])
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let remains: Vec<_> = std::fs::read_dir(&path)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with("incoming-"))
            .collect();
        assert!(remains.is_empty(), "{remains:?}");
    }
}

/// How a program ended.
pub struct Outcome {
    pub is_good: bool,
    /// Standard output, then standard error.
    pub text: String,
}

/// A user's repository.
pub struct Repo {
    directory: PathBuf,
    key: PathBuf,
    port: u16,
}

/// A program in a process group of its own.
pub struct Spawned(Child);

impl Spawned {
    /// Kills git and its ssh.
    pub async fn kill_group(&mut self) {
        let group = self.0.id().unwrap();
        let killed = std::process::Command::new("kill").args(["-9", "--", &format!("-{group}")]).status().unwrap();
        assert!(killed.success());
        self.0.wait().await.unwrap();
    }
}

impl Repo {
    fn ssh_options(&self) -> Vec<String> {
        let known = self.key.with_file_name("known_hosts");
        ["-F", "none", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-i"]
            .map(str::to_owned)
            .into_iter()
            .chain([self.key.display().to_string(), "-o".to_owned()])
            .chain([format!("UserKnownHostsFile={}", known.display())])
            .collect()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("git");
        command
            .args(["-c", "user.name=Bob", "-c", "user.email=bob@example.com"])
            .args(args)
            .current_dir(&self.directory)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("HOME", self.directory.parent().unwrap())
            .env("GIT_SSH_COMMAND", format!("ssh {}", self.ssh_options().join(" ")))
            .env("GIT_TERMINAL_PROMPT", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        command
    }

    fn sync(&self, args: &[&str]) {
        assert!(self.command(args).as_std_mut().status().unwrap().success(), "{args:?}");
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Runs git, which must succeed, and gives what it prints.
    pub async fn run(&self, args: &[&str]) -> String {
        let out = self.git(args).await;
        assert!(out.is_good, "{args:?}: {}", out.text);
        out.text.trim().to_owned()
    }

    /// Runs a git command that reads `input`; gives its output.
    pub async fn pipe(&self, args: &[&str], input: &[u8]) -> Vec<u8> {
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let writing = async {
            stdin.write_all(input).await.unwrap();
            drop(stdin);
        };
        let ((), out) = tokio::join!(writing, child.wait_with_output());
        let out = out.unwrap();
        assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
        out.stdout
    }

    /// Runs git.
    pub async fn git(&self, args: &[&str]) -> Outcome {
        outcome(&self.command(args).output().await.unwrap())
    }

    /// Starts git.
    pub fn spawn(&self, args: &[&str]) -> Spawned {
        Spawned(self.command(args).spawn().unwrap())
    }

    /// Writes a file and commits everything.
    pub fn commit(&self, name: &str, text: &str) {
        std::fs::write(self.directory.join(name), text).unwrap();
        self.sync(&["add", "-A"]);
        self.sync(&["commit", "-qm", name]);
    }

    /// Runs ssh with a command and bytes to send.
    pub async fn ssh(&self, command: &[&str], input: &[u8]) -> Outcome {
        let (options, command): (Vec<&str>, Vec<&str>) = command.iter().partition(|word| word.starts_with('-'));
        let mut child = Command::new("ssh")
            .args(self.ssh_options())
            .args(["-T", "-p", &self.port.to_string()])
            .args(options)
            .arg("git@127.0.0.1")
            .args(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A server that has heard enough may hang up before it has heard all.
        let _ = stdin.write_all(input).await;
        drop(stdin);
        let waiting = tokio::time::timeout(Duration::from_mins(2), child.wait_with_output());
        outcome(&waiting.await.expect("ssh hangs").unwrap())
    }
}

fn outcome(output: &std::process::Output) -> Outcome {
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Outcome { is_good: output.status.success(), text }
}
