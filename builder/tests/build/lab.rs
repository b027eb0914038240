//! A builder over directories of its own, and what tests do with it.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};

use slipway_builder::build::{BuildOutput, LocalBuilder, LocalBuilderConfig, ToolEnv, tree};
use slipway_builder::{BuildError, BuildRequest, Built, SourceBuilder};
use slipway_core::config::SecretText;
use slipway_core::{AppId, AppName};
use slipway_slug::{SlugManifest, SlugStore};
use tempfile::TempDir;

pub struct Lab {
    pub dir: TempDir,
    pub slugs: SlugStore,
    pub builder: Arc<LocalBuilder>,
    pub app: AppId,
}

pub const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

impl Lab {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut LocalBuilderConfig)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let slugs = SlugStore::open(dir.path().join("slugs")).unwrap();
        let server = Some(r#"exec "$SLIPWAY_BIN" static-server"#.to_owned());
        let mut config =
            LocalBuilderConfig::new(dir.path().join("data"), ToolEnv::from_vars(std::env::vars_os()), server);
        change(&mut config);
        let builder = Arc::new(LocalBuilder::open(config, slugs.clone()).unwrap());
        Self { dir, slugs, builder, app: AppId::generate() }
    }

    /// A lab with a classic buildpack called `test` whose `bin/compile` is this script.
    pub fn with_pack(compile: &str, change: impl FnOnce(&mut LocalBuilderConfig)) -> Self {
        Self::with(|config| {
            let pack = config.data.with_file_name("pack");
            for (name, text) in [
                ("detect", "#!/bin/sh\necho Test\n".to_owned()),
                ("compile", format!("#!/bin/sh\n{compile}\n")),
                ("release", "#!/bin/sh\nprintf -- '---\\ndefault_process_types:\\n  web: ./serve\\n'\n".to_owned()),
            ] {
                script(&pack.join("bin").join(name), &text);
            }
            config.buildpacks.insert("test".to_owned(), pack);
            change(config);
        })
    }

    pub fn source(&self, files: &[(&str, &str)]) -> PathBuf {
        let dir = tempfile::tempdir_in(self.dir.path()).unwrap().keep();
        for (name, text) in files {
            fs::create_dir_all(dir.join(name).parent().unwrap()).unwrap();
            fs::write(dir.join(name), text).unwrap();
        }
        dir
    }

    pub fn fixture(&self, name: &str) -> PathBuf {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/apps").join(name);
        let to = tempfile::tempdir_in(self.dir.path()).unwrap().path().to_owned();
        tree::copy(&from, &to).unwrap();
        to
    }

    pub fn request(&self, source: PathBuf, env: &[(&str, &str)]) -> BuildRequest {
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), SecretText::new(*value))).collect();
        BuildRequest { app: self.app, name: AppName::new("shop").unwrap(), sha: SHA.to_owned(), source, env }
    }

    pub async fn build(&self, source: PathBuf, env: &[(&str, &str)]) -> (Result<Built, BuildError>, String) {
        let (output, mut receiver, log) = BuildOutput::new();
        let drain = tokio::spawn(async move { while receiver.recv().await.is_some() {} });
        let result = self.builder.build(self.request(source, env), output).await;
        drop(drain);
        (result, log.text())
    }

    pub async fn built(&self, source: PathBuf, env: &[(&str, &str)]) -> (Built, String) {
        let (result, log) = self.build(source, env).await;
        match result {
            Ok(built) => (built, log),
            Err(error) => panic!("{error:?}\n{log}"),
        }
    }

    pub async fn failed(&self, source: PathBuf, env: &[(&str, &str)]) -> (String, String) {
        match self.build(source, env).await {
            (Err(BuildError::Failed(text)), log) => (text, log),
            (other, log) => panic!("{other:?}\n{log}"),
        }
    }

    pub fn manifest(&self, built: &Built) -> SlugManifest {
        self.slugs.manifest(&digest(built)).unwrap()
    }

    pub fn tree(&self, built: &Built) -> PathBuf {
        self.slugs.path(&digest(built)).unwrap()
    }

    /// Runs the `web` process from a copy of the slug and returns what it answers for `/`.
    pub fn answer(&self, built: &Built, env: &[(&str, &str)]) -> String {
        let dir = tempfile::tempdir_in(self.dir.path()).unwrap().path().join("elsewhere");
        tree::copy(&self.tree(built), &dir).unwrap();
        let manifest = self.manifest(built);
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let home = dir.to_str().unwrap();
        let child = Command::new("sh")
            .args(["-c", &manifest.processes["web"]])
            .current_dir(&dir)
            .env_clear()
            .envs(manifest.env_for(home))
            .env("PATH", manifest.path_for(home, &std::env::var("PATH").unwrap()))
            .env("HOME", home)
            .env("PORT", port.to_string())
            .envs(env.iter().copied())
            .process_group(0)
            .spawn()
            .unwrap();
        let process = Process(child);
        let deadline = Instant::now() + Duration::from_mins(2);
        loop {
            if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) {
                stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
                let mut text = String::new();
                stream.read_to_string(&mut text).unwrap();
                drop(process);
                return text;
            }
            assert!(Instant::now() < deadline, "nobody listens");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn cache(&self) -> PathBuf {
        self.dir.path().join("data/cache").join(self.app.to_string())
    }
}

fn digest(built: &Built) -> slipway_slug::Digest {
    built.image.strip_prefix("slug@sha256:").unwrap().parse().unwrap()
}

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let group = rustix::process::Pid::from_child(&self.0);
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        let _ = self.0.wait();
    }
}

/// Writes a program. Another process makes it: what this one opens to write, the children that other tests are starting
/// have open for a moment, and so long it cannot be run.
pub fn script(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let source = tempfile::NamedTempFile::new().unwrap();
    fs::write(&source, text).unwrap();
    let mut install = Command::new("install");
    assert!(install.args(["-m", "755", "--"]).arg(source.path()).arg(path).status().unwrap().success());
}

pub fn installed(program: &str) -> bool {
    std::env::split_paths(&std::env::var_os("PATH").unwrap()).any(|dir| dir.join(program).is_file())
}

/// Waits until `check` gives something. A machine that does much else may take its time.
pub async fn eventually<T>(what: &str, check: impl Fn() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_mins(2);
    loop {
        if let Some(value) = check() {
            return value;
        }
        assert!(Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

pub fn pids(file: &Path, count: usize) -> Option<Vec<u32>> {
    let text = fs::read_to_string(file).ok()?;
    let pids: Vec<u32> = text.lines().filter_map(|line| line.parse().ok()).collect();
    (pids.len() == count && text.ends_with('\n')).then_some(pids)
}
