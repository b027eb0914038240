//! A person who uses a platform: a home directory, a profile, an SSH key.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use crate::platform::{Endpoints, slipway_binary};
use crate::{Platform, Repo, Run};

/// The password of every user of the tests.
pub const PASSWORD: &str = "correct horse battery staple";

/// A registered user.
pub struct User {
    home: tempfile::TempDir,
    /// Of the first login: each costs the platform much on purpose.
    token: OnceLock<String>,
    /// The name.
    pub name: String,
    endpoints: Endpoints,
}

impl User {
    /// Registers `name`, logs in and adds a fresh key.
    pub(crate) fn register(platform: &Platform, name: &str) -> Self {
        Self::register_at(platform.endpoints(), name)
    }

    /// As [`Platform::user`], on a platform that somebody else started.
    #[must_use]
    pub fn register_at(endpoints: Endpoints, name: &str) -> Self {
        let user = Self::stranger_at(endpoints, name);
        let api = format!("http://{}", user.endpoints.api);
        let email = format!("{name}@example.com");
        user.slipway(user.home(), &["register", &api, "--username", name, "--password", PASSWORD, "--email", &email])
            .ok();
        let public = user.key_make();
        user.slipway(user.home(), &["keys:add", &format!("{name}-key"), public.to_str().unwrap()]).ok();
        user
    }

    /// Somebody with an empty home directory who is not registered yet.
    #[must_use]
    pub fn stranger_at(endpoints: Endpoints, name: &str) -> Self {
        let home = tempfile::Builder::new().prefix("slipway-home-").tempdir().unwrap();
        Self { home, token: OnceLock::new(), name: name.to_owned(), endpoints }
    }

    /// A user who is registered already, with a new home and no key.
    #[must_use]
    pub fn login_at(endpoints: Endpoints, name: &str) -> Self {
        let user = Self::stranger_at(endpoints, name);
        let api = format!("http://{}", endpoints.api);
        user.cli(&["login", &api, "--username", name, "--password", PASSWORD]).ok();
        user
    }

    /// The home directory.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The private key's file.
    #[must_use]
    pub fn key(&self) -> PathBuf {
        self.home.path().join("id_ed25519")
    }

    /// Makes the key; the public half's file.
    pub fn key_make(&self) -> PathBuf {
        let key = self.key();
        Run::of(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", &self.name, "-f"]).arg(&key))
            .ok();
        key.with_extension("pub")
    }

    /// How git reaches the platform as this user.
    #[must_use]
    pub fn ssh_command(&self) -> String {
        format!(
            "ssh -i {} -o IdentitiesOnly=yes -o BatchMode=yes -o ConnectTimeout=60 -o UserKnownHostsFile={} -o StrictHostKeyChecking=accept-new",
            self.key().display(),
            self.home.path().join("known_hosts").display()
        )
    }

    /// A command with this user's home and nothing of the developer's settings.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>, dir: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(dir)
            .env("HOME", self.home())
            .env("XDG_CONFIG_HOME", self.home().join(".config"))
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_SSH_COMMAND", self.ssh_command())
            .env("GIT_AUTHOR_NAME", &self.name)
            .env("GIT_AUTHOR_EMAIL", "test@example.com")
            .env("GIT_COMMITTER_NAME", &self.name)
            .env("GIT_COMMITTER_EMAIL", "test@example.com")
            .env_remove("SLIPWAY_TOKEN")
            .env_remove("SLIPWAY_CONTROLLER")
            .env_remove("SLIPWAY_PROFILE")
            .stdin(Stdio::null());
        command
    }

    /// Runs `slipway ARGS` in `dir`.
    pub fn slipway(&self, dir: &Path, args: &[&str]) -> Run {
        Run::of(self.command(slipway_binary(), dir).args(args))
    }

    /// Runs `PROGRAM ARGS` in `dir`, where `PROGRAM` is a link to the same binary: by the names of upstream's clients it
    /// behaves as they do.
    pub fn called(&self, program: &str, dir: &Path, args: &[&str]) -> Run {
        let link = self.home().join(program);
        if !link.exists() {
            std::os::unix::fs::symlink(slipway_binary(), &link).unwrap();
        }
        Run::of(self.command(link, dir).args(args))
    }

    /// Runs `slipway ARGS` outside of any repository.
    pub fn cli(&self, args: &[&str]) -> Run {
        self.slipway(self.home(), args)
    }

    /// Runs `git ARGS` in `repo`.
    pub fn git(&self, repo: &Repo, args: &[&str]) -> Run {
        Run::of(self.command("git", repo.path()).args(args))
    }

    /// Creates an app in `repo`, which adds the remote, and pushes.
    #[track_caller]
    pub fn deploy(&self, repo: &Repo, app: &str) -> Run {
        self.slipway(repo.path(), &["create", app]).ok();
        self.push(repo).ok()
    }

    /// Pushes the main branch.
    pub fn push(&self, repo: &Repo) -> Run {
        self.git(repo, &["push", "slipway", "main"])
    }

    /// Starts a push and returns at once.
    pub fn push_start(&self, repo: &Repo) -> Child {
        use std::os::unix::process::CommandExt;
        self.command("git", repo.path())
            .args(["push", "slipway", "main"])
            .process_group(0)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// `method path` of the API as this user; status and body.
    pub fn api(&self, method: &str, path: &str, body: Option<&[u8]>) -> (u16, String) {
        let mut request = reqwest::blocking::Client::builder()
            .timeout(Duration::from_mins(2))
            .build()
            .unwrap()
            .request(method.parse().unwrap(), format!("http://{}{path}", self.endpoints.api))
            .header("Authorization", format!("token {}", self.token.get_or_init(|| self.token())));
        if let Some(body) = body {
            request = request.header("Content-Type", "application/json").body(body.to_vec());
        }
        let response = request.send().unwrap();
        (response.status().as_u16(), response.text().unwrap())
    }

    /// This user's token.
    #[must_use]
    pub fn token(&self) -> String {
        self.try_token().unwrap()
    }

    /// As [`Self::token`], for when the platform may be away.
    pub fn try_token(&self) -> Result<String, String> {
        let body = serde_json::json!({"username": self.name, "password": PASSWORD});
        let response = reqwest::blocking::Client::new()
            .post(format!("http://{}/v2/auth/login/", self.endpoints.api))
            .header("Content-Type", "application/json")
            .timeout(Duration::from_mins(2))
            .body(body.to_string())
            .send()
            .and_then(reqwest::blocking::Response::text)
            .map_err(|error| error.to_string())?;
        let answer: serde_json::Value = serde_json::from_str(&response).map_err(|_| response.clone())?;
        answer["token"].as_str().map(str::to_owned).ok_or(response)
    }

    /// The releases of an app, newest first.
    #[must_use]
    pub fn releases(&self, app: &str) -> Vec<serde_json::Value> {
        let (status, body) = self.api("GET", &format!("/v2/apps/{app}/releases/"), None);
        assert_eq!(status, 200, "{body}");
        let page: serde_json::Value = serde_json::from_str(&body).unwrap();
        page["results"].as_array().unwrap().clone()
    }
}
