//! A Podman of a test's own: its socket, its images, its containers. All of it ends with the test.

use std::future::Future;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use chrono::Utc;
use futures::StreamExt as _;
use serde_json::{Value, json};
use slipway_core::config::SecretText;
use slipway_docker::{DockerEndpoint, DockerNode, DockerSettings};
use slipway_engine::workload::{Ownership, WorkloadNode, WorkloadProgress, WorkloadSpec};
use slipway_engine::{RegistryLogin, testing};
use slipway_image::testing::{TestRegistry, busybox_layers};
use slipway_team::TeamId;
use tokio::time::{sleep, timeout};

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_mins(3);

pub(crate) struct Bed {
    pub(crate) node: DockerNode,
    pub(crate) registry: TestRegistry,
    pub(crate) team: TeamId,
    dir: tempfile::TempDir,
    service: Child,
}

/// Podman with the files and locks of a test: what it shared with another, the one that ends first would take with it.
/// Where cgroups are of both versions, only `runc` takes them.
fn podman(dir: &Path) -> Command {
    let mut command = Command::new("podman");
    command
        .arg("--root")
        .arg(dir.join("root"))
        .arg("--runroot")
        .arg(dir.join("run"))
        .arg("--tmpdir")
        .arg(dir.join("tmp"))
        .args(["--storage-driver", "vfs", "--cgroup-manager", "cgroupfs"])
        .env("CONTAINERS_CONF", dir.join("containers.conf"))
        .env("CONTAINERS_REGISTRIES_CONF", dir.join("registries.conf"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if std::fs::read_to_string("/sys/fs/cgroup/unified/cgroup.controllers").is_ok_and(|text| !text.trim().is_empty()) {
        command.args(["--runtime", "runc"]);
    }
    command
}

impl Bed {
    /// A Podman; none, with the reason printed, where none can run.
    #[expect(clippy::print_stderr, reason = "a test that does nothing must say so")]
    pub(crate) async fn new() -> Option<Self> {
        let dir = tempfile::Builder::new().prefix("slipway-pod").tempdir().unwrap();
        let registry = TestRegistry::start().await;
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write(
            "containers.conf",
            &format!(
                "[containers]\ndefault_ulimits=[\"nofile=1024:1024\",\"nproc=4096:4096\"]\n[engine]\nlock_type=\"file\"\n[network]\nnetwork_config_dir=\"{}\"\n",
                dir.path().join("networks").display()
            ),
        );
        write("registries.conf", &format!("[[registry]]\nlocation=\"{}\"\ninsecure=true\n", registry.host()));
        match podman(dir.path()).arg("info").status() {
            Ok(status) if status.success() => {}
            Ok(status) => {
                eprintln!("skipped: podman does not run here ({status})");
                return None;
            }
            Err(error) => {
                eprintln!("skipped: podman is not installed ({error})");
                return None;
            }
        }
        let socket = dir.path().join("engine.sock");
        let service = podman(dir.path())
            .args(["system", "service", "--time=0", "--"])
            .arg(format!("unix://{}", socket.display()))
            .spawn()
            .unwrap();
        let node = DockerNode::connect(&DockerEndpoint::Unix(socket), DockerSettings::default()).unwrap();
        let bed = Self { node, registry, team: TeamId::generate(), dir, service };
        until("the engine to answer", || async { bed.node.facts().await.is_ok() }).await;
        let config = json!({"Cmd": ["/bin/sleep", "1000"], "Env": ["OWN=image"]});
        bed.registry.image("team/app", "1", &busybox_layers("text"), &config);
        Some(bed)
    }

    pub(crate) fn spec(&self, config: Value) -> WorkloadSpec {
        WorkloadSpec {
            ownership: Ownership { team: self.team, ..testing::ownership() },
            image: format!("{}/team/app:1", self.registry.host()),
            started_at: Utc::now(),
            ..testing::container("web", config)
        }
    }

    pub(crate) fn login(&self) -> RegistryLogin {
        let password = SecretText::new("geheim");
        RegistryLogin { hostname: Some(self.registry.host()), username: "bob".to_owned(), password }
    }

    /// Waits until the container is up, or stuck.
    pub(crate) async fn settle(&self, prefix: &str, name: &str) -> WorkloadProgress {
        let mut last = None;
        let wait = async {
            loop {
                match self.node.progress(prefix, name).await.unwrap() {
                    WorkloadProgress::Coming(state, reason) => {
                        last = Some((state, reason));
                        self.node.changed(prefix, Duration::from_secs(5)).await;
                    }
                    end => return end,
                }
            }
        };
        let settled = timeout(PATIENCE, wait).await;
        settled.unwrap_or_else(|_| panic!("the container does not settle: {last:?}, {}", self.podman(&["ps", "--all"])))
    }

    /// Applies, and waits until it is up.
    pub(crate) async fn up(&self, spec: &WorkloadSpec) {
        self.node.apply(spec).await.unwrap();
        assert_eq!(self.settle(&spec.prefix, spec.name()).await, WorkloadProgress::Up);
    }

    /// Runs podman itself, and gives what it wrote.
    pub(crate) fn podman(&self, args: &[&str]) -> String {
        let output = podman(self.dir.path()).args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// The names of all containers.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.podman(&["ps", "--all", "--format", "{{.Names}}"]).lines().map(str::to_owned).collect();
        names.sort();
        names
    }

    pub(crate) fn id(&self, name: &str) -> String {
        self.podman(&["inspect", "--format", "{{.Id}}", "--", name])
    }

    /// What the container wrote last.
    pub(crate) async fn lines(&self) -> Vec<String> {
        self.node.log("prod", "web", 10, false).await.unwrap().map(|line| line.text).collect().await
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        let _ = podman(self.dir.path()).args(["rm", "--all", "--force", "--time", "0"]).status();
        let _ = podman(self.dir.path()).args(["network", "prune", "--force"]).status();
        let _ = self.service.kill();
        let _ = self.service.wait();
        // Files of other users' in a namespace are podman's to remove.
        let _ = podman(self.dir.path()).args(["system", "reset", "--force"]).status();
    }
}

/// Waits until something is so.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let wait = async {
        while !is_so().await {
            sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(timeout(PATIENCE, wait).await.is_ok(), "waited in vain for {what}");
}
