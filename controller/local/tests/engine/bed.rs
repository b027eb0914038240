//! A machine for a test: directories, slugs, an engine, and how to wait for things.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use slipway_core::build::BuildKind;
use slipway_core::config::SecretText;
use slipway_core::log::LogQuery;
use slipway_core::{AppId, AppName, ProcessType, ReleaseVersion};
use slipway_engine::spec::{ProcessSpec, ReleaseSpec, RouteSpec};
use slipway_engine::status::{PodState, RolloutState};
use slipway_engine::{AppSpec, AppStatus, Artifact, Engine, RunSpec};
use slipway_local::{LocalConfig, LocalEngine};
use slipway_slug::{SlugLimits, SlugManifest, SlugStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{sleep, timeout};

/// Answers each connection with `$TEXT` and its own id, after `$DELAY` seconds.
pub(crate) const SERVER: &str = r#"
import os, signal, socketserver, sys, time
class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        while self.rfile.readline().strip():
            pass
        time.sleep(float(os.environ.get("DELAY", "0")))
        body = (os.environ.get("TEXT", "") + " " + str(os.getpid())).encode()
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
server = Server(("127.0.0.1", int(os.environ["PORT"])), Handler)
print("listening", flush=True)
server.serve_forever()
"#;

/// For what a busy machine does late. Only what never comes takes as long.
pub(crate) const PATIENCE: Duration = Duration::from_mins(3);

pub(crate) struct Bed {
    pub(crate) data: PathBuf,
    pub(crate) engine: Arc<LocalEngine>,
    slugs: SlugStore,
    _dir: tempfile::TempDir,
}

pub(crate) fn config(data: &Path, slugs: SlugStore) -> LocalConfig {
    let mut config = LocalConfig::new(data, slugs);
    config.backoff_first = Duration::from_millis(50);
    config.settle = Duration::from_millis(100);
    config.remove_grace = Duration::from_millis(300);
    config
}

pub(crate) fn slug(slugs: &SlugStore, at: &Path, files: &[(&str, &str)], manifest: &SlugManifest) -> Artifact {
    let build = at.join(format!("build-{}", AppId::generate()));
    fs::create_dir_all(&build).unwrap();
    for (name, text) in files {
        let path = build.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let digest = slugs.put(&build, manifest, &SlugLimits::default()).unwrap();
    Artifact::Slug { digest: digest.to_string() }
}

impl Bed {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut LocalConfig)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let slugs = SlugStore::open(dir.path().join("slugs")).unwrap();
        let mut config = config(&data, slugs.clone());
        change(&mut config);
        // As the platform does. What is handled here processes do not ignore, though whoever started the tests may.
        drop(signal(SignalKind::interrupt()).unwrap());
        let engine = LocalEngine::start(config).await.unwrap();
        Self { data, engine, slugs, _dir: dir }
    }

    pub(crate) fn slug(&self, files: &[(&str, &str)]) -> Artifact {
        self.slug_with(files, &SlugManifest::default())
    }

    pub(crate) fn slug_with(&self, files: &[(&str, &str)], manifest: &SlugManifest) -> Artifact {
        slug(&self.slugs, self.data.parent().unwrap(), files, manifest)
    }

    /// An app whose `web` is [`SERVER`].
    pub(crate) fn server(&self) -> AppSpec {
        let artifact = self.slug(&[("server.py", SERVER)]);
        app(artifact, vec![process("web", "exec python3 server.py")])
    }

    pub(crate) async fn status(&self, app: AppId) -> AppStatus {
        self.engine.app_status(app).await.unwrap()
    }

    /// Waits until the status is as it should be, and returns it.
    pub(crate) async fn wait(&self, app: AppId, what: &str, is_good: impl Fn(&AppStatus) -> bool) -> AppStatus {
        let mut changes = self.engine.changes();
        let wait = async {
            loop {
                let status = self.status(app).await;
                if is_good(&status) {
                    return status;
                }
                let _ = changes.recv().await;
            }
        };
        if let Ok(status) = timeout(PATIENCE, wait).await {
            return status;
        }
        panic!("waited in vain for {what}: {:#?}\n{}", self.status(app).await, self.log(app).await)
    }

    /// Applies `spec` and waits until all of it runs and nothing else does.
    pub(crate) async fn settle(&self, spec: &AppSpec) -> AppStatus {
        self.engine.app_apply(spec.clone()).await.unwrap();
        self.wait(spec.app, "the app to settle", |status| status.is_settled).await
    }

    pub(crate) async fn failing(&self, app: AppId) -> String {
        let is_failing = |status: &AppStatus| failing_reason(status).is_some();
        failing_reason(&self.wait(app, "the rollout to fail", is_failing).await).unwrap()
    }

    pub(crate) async fn log(&self, app: AppId) -> String {
        let query = LogQuery { lines: 200, process_type: None };
        let lines = self.engine.log_read(app, query).await.unwrap();
        lines.iter().fold(String::new(), |text, line| text + &line.source + ": " + &line.text + "\n")
    }

    pub(crate) async fn wait_log(&self, app: AppId, text: &str) {
        until(&format!("'{text}' in the log"), || async { self.log(app).await.contains(text) }).await;
    }

    /// Sends a request as the router would, to any backend of the route.
    pub(crate) async fn get(&self, host: &str) -> Result<String, String> {
        let routes = self.engine.routes();
        let guard = (0..100)
            .find_map(|_| {
                let table = Arc::clone(&routes.borrow());
                let route = table.find(host)?;
                route.backends.iter().find_map(slipway_engine::route::Backend::acquire)
            })
            .ok_or("no backend")?;
        let text = request(guard.backend().addr).await.map_err(|error| error.to_string());
        drop(guard);
        text
    }
}

async fn request(addr: std::net::SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(addr).await?;
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).ok_or_else(|| std::io::Error::other("no body"))
}

pub(crate) fn failing_reason(status: &AppStatus) -> Option<String> {
    match &status.rollout.as_ref()?.state {
        RolloutState::Failing(reason) => Some(reason.clone()),
        RolloutState::Progressing(_) | RolloutState::Ready => None,
    }
}

pub(crate) fn pids(status: &AppStatus) -> Vec<u32> {
    status.pods.iter().filter(|pod| pod.state == PodState::Up).filter_map(|pod| pod.pid).collect()
}

pub(crate) fn is_alive(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// Waits until `is_true`, looking often.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, is_true: impl Fn() -> F) {
    let wait = async {
        while !is_true().await {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("waited in vain for {what}"));
}

pub(crate) fn process(kind: &str, command: &str) -> ProcessSpec {
    ProcessSpec {
        process_type: ProcessType::new(kind).unwrap(),
        command: Some(command.to_owned()),
        replicas: 1,
        autoscale: None,
        is_routed: kind == "web",
        restart_token: 0,
        memory: None,
        cpu: None,
        readiness: None,
        liveness: None,
        grace: Duration::from_secs(5),
        post_start: None,
        pre_stop: None,
        mounts: Vec::new(),
    }
}

pub(crate) fn app(artifact: Artifact, processes: Vec<ProcessSpec>) -> AppSpec {
    AppSpec {
        app: AppId::generate(),
        name: AppName::new("blog").unwrap(),
        generation: 1,
        release: Some(ReleaseSpec {
            version: ReleaseVersion(1),
            summary: String::new(),
            artifact,
            kind: BuildKind::Buildpack,
            registry: None,
            placement: BTreeMap::new(),
            env: BTreeMap::new(),
            processes,
        }),
        route: RouteSpec { hosts: vec!["blog.localhost".to_owned()], is_routable: true, ..RouteSpec::default() },
        volumes: Vec::new(),
    }
}

pub(crate) fn run_spec(artifact: Artifact, command: &str) -> RunSpec {
    RunSpec {
        app: AppId::generate(),
        name: AppName::new("blog").unwrap(),
        version: ReleaseVersion(1),
        artifact,
        kind: BuildKind::Buildpack,
        registry: None,
        placement: BTreeMap::new(),
        env: BTreeMap::new(),
        command: command.to_owned(),
        process_name: "run.abcde".to_owned(),
        memory: None,
        cpu: None,
        timeout: PATIENCE,
        mounts: Vec::new(),
    }
}

/// Changes to a spec, for the next wish.
pub(crate) trait Next {
    fn next(&self) -> Self;
    fn env(self, name: &str, value: &str) -> Self;
    fn change(self, kind: &str, change: impl FnOnce(&mut ProcessSpec)) -> Self;
}

impl Next for AppSpec {
    /// The next release of it.
    fn next(&self) -> Self {
        let mut spec = self.clone();
        spec.generation += 1;
        if let Some(release) = &mut spec.release {
            release.version.0 += 1;
        }
        spec
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.release.as_mut().unwrap().env.insert(name.to_owned(), SecretText::new(value));
        self
    }

    fn change(mut self, kind: &str, change: impl FnOnce(&mut ProcessSpec)) -> Self {
        let processes = &mut self.release.as_mut().unwrap().processes;
        change(processes.iter_mut().find(|process| process.process_type.as_str() == kind).unwrap());
        self.generation += 1;
        self
    }
}
