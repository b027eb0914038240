//! An engine of a test's own: its socket, its images, its containers. All of it ends with the test.

use std::path::{Path, PathBuf};
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

/// A program that runs containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Podman,
    /// `dockerd`, which wants to be root.
    Docker,
}

impl Kind {
    /// The command line for an engine with its files in `dir`.
    fn cli(self, dir: &Path) -> Command {
        match self {
            Self::Podman => podman(dir),
            Self::Docker => {
                let mut command = quiet("docker");
                command.arg("--config").arg(dir.join("client")).arg("--host").arg(address(dir));
                command
            }
        }
    }

    /// What listens at the engine's socket.
    fn service(self, dir: &Path) -> Command {
        match self {
            Self::Podman => {
                let mut command = self.cli(dir);
                command.args(["system", "service", "--time=0", "--"]).arg(address(dir));
                command
            }
            Self::Docker => dockerd(dir),
        }
    }
}

/// A program that neither reads nor writes what the test does.
fn quiet(program: &str) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn socket(dir: &Path) -> PathBuf {
    dir.join("engine.sock")
}

fn address(dir: &Path) -> String {
    format!("unix://{}", socket(dir).display())
}

/// Podman with the files and locks of a test: what it shared with another, the one that ends first would take with it.
/// Where cgroups are of both versions, only `runc` takes them.
fn podman(dir: &Path) -> Command {
    let mut command = quiet("podman");
    command
        .arg("--root")
        .arg(dir.join("root"))
        .arg("--runroot")
        .arg(dir.join("run"))
        .arg("--tmpdir")
        .arg(dir.join("tmp"))
        .args(["--storage-driver", "vfs", "--cgroup-manager", "cgroupfs"])
        .env("CONTAINERS_CONF", dir.join("containers.conf"))
        .env("CONTAINERS_REGISTRIES_CONF", dir.join("registries.conf"));
    if std::fs::read_to_string("/sys/fs/cgroup/unified/cgroup.controllers").is_ok_and(|text| !text.trim().is_empty()) {
        command.args(["--runtime", "runc"]);
    }
    command
}

/// A Docker of its own beside one that may run: no file of the machine is read or written, and no packet filter touched.
fn dockerd(dir: &Path) -> Command {
    let mut command = quiet("dockerd");
    command
        .arg("--config-file")
        .arg(dir.join("daemon.json"))
        .arg("--data-root")
        .arg(dir.join("data"))
        .arg("--exec-root")
        .arg(dir.join("exec"))
        .arg("--pidfile")
        .arg(dir.join("pid"))
        .arg("--host")
        .arg(address(dir))
        .args(["--storage-driver", "vfs", "--exec-opt", "native.cgroupdriver=cgroupfs"])
        .args(["--bridge", "none", "--iptables=false", "--ip-masq=false"]);
    command
}

pub(crate) struct Bed {
    pub(crate) kind: Kind,
    pub(crate) node: DockerNode,
    pub(crate) registry: TestRegistry,
    pub(crate) team: TeamId,
    dir: tempfile::TempDir,
    service: Child,
}

impl Bed {
    /// An engine; none, with the reason printed, where none can run.
    #[expect(clippy::print_stderr, reason = "a test that does nothing must say so")]
    pub(crate) async fn new(kind: Kind) -> Option<Self> {
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
        write("daemon.json", "{}");
        let begun = match kind {
            Kind::Podman => kind.cli(dir.path()).arg("info").status(),
            Kind::Docker => kind.service(dir.path()).arg("--version").status(),
        };
        let service = begun.and_then(|status| {
            if status.success() {
                return kind.service(dir.path()).spawn();
            }
            Err(std::io::Error::other(status.to_string()))
        });
        let service = match service {
            Ok(service) => service,
            Err(error) => {
                eprintln!("skipped: {kind:?} is not installed, or does not run here ({error})");
                return None;
            }
        };
        let node = DockerNode::connect(&DockerEndpoint::Unix(socket(dir.path())), DockerSettings::default()).unwrap();
        let mut bed = Self { kind, node, registry, team: TeamId::generate(), dir, service };
        let mut ended = None;
        until("the engine to answer", async || {
            ended = bed.service.try_wait().unwrap();
            ended.is_some() || bed.node.facts().await.is_ok()
        })
        .await;
        if let Some(status) = ended {
            // Podman said above that it runs here; Docker shows it only by running.
            assert_eq!(kind, Kind::Docker, "the engine ended: {status}");
            eprintln!("skipped: {kind:?} does not run here ({status})");
            return None;
        }
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
        settled.unwrap_or_else(|_| panic!("the container does not settle: {last:?}, {}", self.cli(&["ps", "--all"])))
    }

    /// Applies, and waits until it is up.
    pub(crate) async fn up(&self, spec: &WorkloadSpec) {
        self.node.apply(spec).await.unwrap();
        assert_eq!(self.settle(&spec.prefix, spec.name()).await, WorkloadProgress::Up);
    }

    /// Runs the engine's own command line, and gives what it wrote.
    pub(crate) fn cli(&self, args: &[&str]) -> String {
        let output =
            self.kind.cli(self.dir.path()).args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// The names of all containers.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.cli(&["ps", "--all", "--format", "{{.Names}}"]).lines().map(str::to_owned).collect();
        names.sort();
        names
    }

    pub(crate) fn id(&self, name: &str) -> String {
        self.cli(&["inspect", "--format", "{{.Id}}", "--", name])
    }

    /// What the container wrote last.
    pub(crate) async fn lines(&self) -> Vec<String> {
        self.node.log("prod", "web", 10, false).await.unwrap().map(|line| line.text).collect().await
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        let cli = || self.kind.cli(self.dir.path());
        match self.kind {
            Kind::Podman => {
                let _ = cli().args(["rm", "--all", "--force", "--time", "0"]).status();
            }
            Kind::Docker => {
                let all = cli().args(["ps", "--all", "--quiet"]).stdout(Stdio::piped()).output();
                let all = String::from_utf8(all.map(|output| output.stdout).unwrap_or_default()).unwrap_or_default();
                let _ = cli().args(["rm", "--force", "--volumes", "--"]).args(all.lines()).status();
            }
        }
        let _ = cli().args(["network", "prune", "--force"]).status();
        // What it started itself ends only with one that ends in order. Of one that ended, the number may be another's.
        if matches!(self.service.try_wait(), Ok(None)) {
            let _ = Command::new("kill").arg(self.service.id().to_string()).status();
            let _ = self.service.wait();
        }
        if self.kind == Kind::Podman {
            // Files of other users' in a namespace are podman's to remove.
            let _ = cli().args(["system", "reset", "--force"]).status();
        }
    }
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !is_so().await {
            sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(timeout(PATIENCE, wait).await.is_ok(), "waited in vain for {what}");
}
