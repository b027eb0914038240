//! Containers: processes of image releases, run by an OCI runtime of this machine.
//!
//! The runtime is started like any other process of an app and stays in front of its container, so that supervision,
//! output and signals are the same. What differs is the end: killing the runtime does not kill the container, so a
//! container is always deleted by name afterwards.
//!
//! Containers share the machine's network: an app listens on `$PORT`, as a slug does. They see their own processes and
//! files only. Without root they live in a user namespace with one user, and without limits.
//!
//! Source: OCI runtime specification, `config.md` and `config-linux.md`.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use slipway_engine::spec::Limit;
use slipway_image::remove_tree;
use tokio::process::Command;

/// The runtimes, the one to prefer first: `runc` works with every kind of cgroup hierarchy.
const PROGRAMS: [(&str, Kind); 3] = [("runc", Kind::Runc), ("crun", Kind::Crun), ("podman", Kind::Podman)];
/// Where a machine that mixes both versions of cgroups has the second one.
const HYBRID: &str = "/sys/fs/cgroup/unified/cgroup.controllers";
/// What a process in a container may do if it runs as root there: what such processes usually need, and nothing that
/// reaches out of the container. Source: the defaults of the common engines, without raw sockets, devices and chroot.
const CAPABILITIES: [&str; 8] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
];
/// Parts of `/proc` and `/sys` that tell of the machine.
const MASKED: [&str; 9] = [
    "/proc/acpi",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
];
/// Parts of `/proc` that change the machine.
const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];
/// How long deleting a container may take.
const DELETE_TIMEOUT: Duration = Duration::from_secs(20);
/// Search path of images that set none.
pub(crate) const PATH_DEFAULT: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Runc,
    Crun,
    Podman,
}

/// A runtime of this machine.
#[derive(Debug, Clone)]
pub(crate) struct Runtime {
    program: PathBuf,
    kind: Kind,
    /// Where the runtime keeps what it knows of its containers.
    state: PathBuf,
}

/// What runs in a container.
#[derive(Debug)]
pub(crate) struct Inside<'a> {
    /// The unpacked image, this release's own copy.
    pub(crate) rootfs: &'a Path,
    /// Program and arguments.
    pub(crate) args: &'a [String],
    pub(crate) env: &'a BTreeMap<String, String>,
    pub(crate) working_dir: &'a str,
    /// User and group inside.
    pub(crate) user: (u32, u32),
    pub(crate) binds: &'a [Bind],
    pub(crate) memory: Option<Limit>,
    pub(crate) cpu: Option<Limit>,
    pub(crate) open_files: u64,
    /// Whether the runtime is given a terminal, and is to give one to the process.
    pub(crate) has_terminal: bool,
    /// Whether something is typed.
    pub(crate) has_input: bool,
}

/// A directory of this machine that a container has.
#[derive(Debug)]
pub(crate) struct Bind {
    pub(crate) source: PathBuf,
    /// Where the container has it.
    pub(crate) path: String,
}

/// A container that was started, or is about to be. Deleted when dropped.
#[derive(Debug)]
pub(crate) struct Container {
    handle: Handle,
    bundle: PathBuf,
    is_deleted: bool,
}

/// Names a container.
#[derive(Debug, Clone)]
pub(crate) struct Handle {
    runtime: Runtime,
    id: String,
}

impl Runtime {
    /// The runtime to use, looked for in `path`; it keeps its own files in `state`.
    pub(crate) fn find(path: &str, state: &Path) -> Option<Self> {
        // Newer ones refuse such a machine.
        let is_usable = |kind: Kind| kind != Kind::Crun || !is_hybrid();
        PROGRAMS.into_iter().filter(|(_, kind)| is_usable(*kind)).find_map(|(name, kind)| {
            let program =
                path.split(':').filter(|dir| dir.starts_with('/')).map(|dir| Path::new(dir).join(name)).find(
                    |program| {
                        fs::metadata(program).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
                    },
                )?;
            Some(Self { program, kind, state: state.to_owned() })
        })
    }

    #[cfg(test)]
    pub(crate) fn for_test() -> Self {
        Self { program: PathBuf::from("/bin/true"), kind: Kind::Runc, state: PathBuf::new() }
    }

    /// What to tell a user whose image cannot run.
    pub(crate) fn missing(reference: &str) -> String {
        format!(
            "the image '{reference}' cannot run here: no container runtime is installed on this machine. Install one (crun, runc or podman; on Debian: apt-get install runc) and try again, or push the source with git"
        )
    }

    /// Whether variables reach a container through the runtime's own environment rather than through its bundle.
    pub(crate) fn passes_environment(&self) -> bool {
        self.kind == Kind::Podman
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        if self.kind != Kind::Podman {
            command.arg("--root").arg(&self.state);
        }
        command
    }

    /// A container that runs what `inside` says, and the command that starts it. Its files lie in `bundle`, which is
    /// made. Blocks.
    pub(crate) fn prepare(&self, id: String, bundle: PathBuf, inside: &Inside<'_>) -> io::Result<(Container, Command)> {
        let inside = &Inside { open_files: open_files(inside.open_files), ..*inside };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.state)?;
        fs::DirBuilder::new().mode(0o700).create(&bundle)?;
        let handle = Handle { runtime: self.clone(), id };
        let container = Container { handle, bundle, is_deleted: false };
        let id = &container.handle.id;
        let mut command = self.command();
        match self.kind {
            Kind::Runc | Kind::Crun => {
                let config = config(inside, rustix::process::geteuid().is_root(), id);
                let mut options = fs::OpenOptions::new();
                // Variables are secrets.
                let mut file =
                    options.write(true).create_new(true).mode(0o600).open(container.bundle.join("config.json"))?;
                file.write_all(&serde_json::to_vec(&config)?)?;
                command.arg("run").arg("--bundle").arg(&container.bundle).arg("--").arg(id);
            }
            Kind::Podman => podman(&mut command, inside, id),
        }
        Ok((container, command))
    }

    /// Deletes what an earlier run left. Its processes were ended already.
    pub(crate) async fn clear(&self) {
        let ids = match self.kind {
            Kind::Runc | Kind::Crun => {
                let Ok(entries) = fs::read_dir(&self.state) else { return };
                entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect::<Vec<_>>()
            }
            // Its containers are told to remove themselves, and their names are never used again.
            Kind::Podman => Vec::new(),
        };
        for id in ids {
            Handle { runtime: self.clone(), id }.delete().await;
        }
    }
}

impl Handle {
    /// The command that runs `command` inside.
    pub(crate) fn exec(&self, command: &[String]) -> Command {
        let mut exec = self.runtime.command();
        exec.arg("exec").arg(&self.id).args(command);
        exec
    }

    /// The command that runs `command` inside, to be talked to; with a terminal of this kind, or none.
    pub(crate) fn exec_talk(&self, command: &[String], terminal: Option<&str>) -> Command {
        let mut exec = self.runtime.command();
        exec.arg("exec");
        if self.runtime.kind == Kind::Podman {
            exec.arg("--interactive");
        }
        if let Some(terminal) = terminal {
            exec.arg("--tty").arg("--env").arg(format!("TERM={terminal}"));
        }
        // The first word that is no option is the container, and all that follows it the command.
        exec.arg(&self.id).args(command);
        exec
    }

    fn deletion(&self) -> Command {
        let mut command = self.runtime.command();
        match self.runtime.kind {
            Kind::Runc | Kind::Crun => command.args(["delete", "--force", "--"]),
            Kind::Podman => command.args(["rm", "--force", "--ignore", "--time", "0", "--"]),
        };
        command.arg(&self.id).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Kills what is left inside, and forgets the container. A container that is gone is fine.
    async fn delete(&self) {
        let deleting = async { self.deletion().kill_on_drop(true).status().await };
        match tokio::time::timeout(DELETE_TIMEOUT, deleting).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(container = self.id, %error, "a container cannot be deleted"),
            Err(_) => tracing::warn!(container = self.id, "a container takes too long to be deleted"),
        }
    }
}

impl Container {
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Ends all that is left of it.
    pub(crate) async fn delete(&mut self) {
        if !self.is_deleted {
            self.handle.delete().await;
            self.is_deleted = true;
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if !self.is_deleted {
            // Not waited for: tokio reaps it.
            if let Err(error) = self.handle.deletion().spawn() {
                tracing::warn!(container = self.handle.id, %error, "a container cannot be deleted");
            }
        }
        let bundle = std::mem::take(&mut self.bundle);
        if let Err(error) = remove_tree(&bundle) {
            tracing::warn!(path = %bundle.display(), %error, "a container's files stay until the next start");
        }
    }
}

/// Whether this machine mixes both versions of cgroups, with controllers in the second.
fn is_hybrid() -> bool {
    fs::read_to_string(HYBRID).is_ok_and(|controllers| !controllers.trim().is_empty())
}

fn set(limit: Option<Limit>) -> Option<u64> {
    limit.map(|limit| limit.limit).filter(|limit| *limit > 0)
}

/// At most as many as the platform itself may have open: the runtime cannot give more.
fn open_files(wanted: u64) -> u64 {
    let own = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    own.map_or(wanted, |own| own.min(wanted))
}

/// The configuration of a bundle. With `is_root` the platform runs as root and may set limits and users.
fn config(inside: &Inside<'_>, is_root: bool, id: &str) -> Value {
    // In a user namespace with one user that user is root.
    let (uid, gid) = if is_root { inside.user } else { (0, 0) };
    let env: Vec<String> = inside.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mount = |to: &str, kind: &str, from: &str, options: &[&str]| json!({"destination": to, "type": kind, "source": from, "options": options});
    let pts: &[&str] = if is_root {
        &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]
    } else {
        &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]
    };
    let mut mounts = vec![
        mount("/proc", "proc", "proc", &["nosuid", "noexec", "nodev"]),
        mount("/dev", "tmpfs", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
        mount("/dev/pts", "devpts", "devpts", pts),
        mount("/dev/shm", "tmpfs", "shm", &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
        mount("/dev/mqueue", "mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
    ];
    if is_root {
        mounts.push(mount("/sys", "sysfs", "sysfs", &["nosuid", "noexec", "nodev", "ro"]));
    } else {
        mounts.push(mount("/sys", "none", "/sys", &["rbind", "nosuid", "noexec", "nodev", "ro"]));
    }
    for file in ["/etc/resolv.conf", "/etc/hosts"] {
        if Path::new(file).exists() {
            mounts.push(mount(file, "bind", file, &["bind", "nosuid", "noexec", "nodev", "ro"]));
        }
    }
    for bind in inside.binds {
        let source = bind.source.to_string_lossy();
        mounts.push(mount(&bind.path, "bind", &source, &["rbind", "rw", "nosuid", "nodev"]));
    }
    let mut namespaces: Vec<Value> = ["pid", "ipc", "mount"].iter().map(|kind| json!({"type": kind})).collect();
    let mut linux = json!({"maskedPaths": MASKED, "readonlyPaths": READ_ONLY});
    if is_root {
        let mut resources = json!({"devices": [{"allow": false, "access": "rwm"}]});
        if let Some(bytes) = set(inside.memory) {
            resources["memory"] = json!({"limit": bytes});
        }
        if let Some(millis) = set(inside.cpu) {
            // Microseconds of each period of 100 ms; the kernel takes no less than a hundredth of it.
            resources["cpu"] = json!({"quota": millis.saturating_mul(100).max(1000), "period": 100_000});
        }
        linux["resources"] = resources;
        linux["cgroupsPath"] = json!(format!("/slipway/{id}"));
    } else {
        namespaces.push(json!({"type": "user"}));
        let own = |id: u32| json!([{"containerID": 0, "hostID": id, "size": 1}]);
        linux["uidMappings"] = own(rustix::process::geteuid().as_raw());
        linux["gidMappings"] = own(rustix::process::getegid().as_raw());
    }
    linux["namespaces"] = Value::Array(namespaces);
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "terminal": inside.has_terminal,
            "user": {"uid": uid, "gid": gid},
            "args": inside.args,
            "env": env,
            "cwd": inside.working_dir,
            "capabilities": {"bounding": CAPABILITIES, "effective": CAPABILITIES, "permitted": CAPABILITIES},
            "rlimits": [
                {"type": "RLIMIT_NOFILE", "soft": inside.open_files, "hard": inside.open_files},
                {"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
            ],
            "noNewPrivileges": true,
        },
        "root": {"path": inside.rootfs, "readonly": false},
        "mounts": mounts,
        "linux": linux,
    })
}

/// The same for podman. Values of variables go through its own environment, never through arguments.
fn podman(command: &mut Command, inside: &Inside<'_>, id: &str) {
    command.args([
        "run",
        "--rm",
        "--name",
        id,
        "--network",
        "host",
        "--no-hosts",
        "--security-opt",
        "no-new-privileges",
    ]);
    command.args(["--cap-drop", "all", "--workdir", inside.working_dir]);
    for capability in CAPABILITIES {
        command.arg("--cap-add").arg(capability);
    }
    command.arg("--user").arg(format!("{}:{}", inside.user.0, inside.user.1));
    command.arg("--ulimit").arg(format!("nofile={0}:{0}", inside.open_files));
    if let Some(bytes) = set(inside.memory) {
        command.arg("--memory").arg(bytes.to_string());
    }
    if let Some(millis) = set(inside.cpu) {
        command.arg("--cpu-quota").arg(millis.saturating_mul(100).max(1000).to_string());
    }
    for name in inside.env.keys() {
        command.arg("--env").arg(name);
    }
    for bind in inside.binds {
        // Without root, users of the container are others on this machine, to whom podman gives the files.
        let owner = if rustix::process::geteuid().is_root() || inside.user.0 == 0 { "" } else { ",U" };
        let mut volume = bind.source.clone().into_os_string();
        volume.push(format!(":{}:rw,nosuid,nodev{owner}", bind.path));
        command.arg("--volume").arg(volume);
    }
    if inside.has_input {
        command.arg("--interactive");
    }
    if inside.has_terminal {
        command.arg("--tty");
    }
    // Everything after the tree is the command.
    command.arg("--rootfs").arg(inside.rootfs).args(inside.args);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inside<'a>(env: &'a BTreeMap<String, String>, args: &'a [String]) -> Inside<'a> {
        Inside {
            rootfs: Path::new("/r"),
            args,
            env,
            working_dir: "/srv",
            user: (7, 8),
            binds: &[],
            memory: Some(Limit { request: None, limit: 64 << 20 }),
            cpu: Some(Limit { request: None, limit: 250 }),
            open_files: 1024,
            has_terminal: false,
            has_input: false,
        }
    }

    #[test]
    fn a_bundle_says_what_may_run_and_how() {
        let env = BTreeMap::from([("A".to_owned(), "geheim".to_owned())]);
        let args = ["/bin/x".to_owned(), "--".to_owned()];
        let root = config(&inside(&env, &args), true, "id");
        assert_eq!(root["process"]["user"], json!({"uid": 7, "gid": 8}));
        assert_eq!(root["process"]["env"], json!(["A=geheim"]));
        assert_eq!(root["linux"]["resources"]["memory"]["limit"], 64 << 20);
        assert_eq!(root["linux"]["resources"]["cpu"]["quota"], 25_000);
        assert_eq!(root["process"]["noNewPrivileges"], true);
        let rootless = config(&inside(&env, &args), false, "id");
        assert_eq!(rootless["process"]["user"], json!({"uid": 0, "gid": 0}));
        assert!(rootless["linux"].get("resources").is_none());
        assert!(rootless["linux"]["namespaces"].to_string().contains("user"));
    }

    #[test]
    fn volumes_are_bound() {
        let env = BTreeMap::new();
        let binds = [Bind { source: PathBuf::from("/v/1"), path: "/data".to_owned() }];
        let inside = Inside { binds: &binds, ..inside(&env, &[]) };
        let bundle = config(&inside, true, "id");
        let mounts = bundle["mounts"].as_array().unwrap();
        let options = json!(["rbind", "rw", "nosuid", "nodev"]);
        let expect = json!({"destination": "/data", "type": "bind", "source": "/v/1", "options": options});
        assert!(mounts.contains(&expect), "{bundle}");
        let mut command = Command::new("podman");
        podman(&mut command, &inside, "id");
        let shown = format!("{:?}", command.as_std().get_args().collect::<Vec<_>>());
        assert!(shown.contains("\"--volume\", \"/v/1:/data:rw,nosuid,nodev"), "{shown}");
    }

    #[test]
    fn secrets_are_not_among_the_arguments_of_podman() {
        let env = BTreeMap::from([("A".to_owned(), "geheim".to_owned())]);
        let args = ["/bin/x".to_owned()];
        let mut command = Command::new("podman");
        podman(&mut command, &inside(&env, &args), "id");
        let shown = format!("{:?}", command.as_std().get_args().collect::<Vec<_>>());
        assert!(!shown.contains("geheim") && shown.contains("\"--env\", \"A\""), "{shown}");
    }

    #[test]
    fn the_first_runtime_found_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let path = format!("relative:/nowhere:{}", dir.path().display());
        let find = || Runtime::find(&path, Path::new("")).map(|runtime| runtime.program);
        assert_eq!(find(), None);
        for name in ["podman", "runc"] {
            fs::write(dir.path().join(name), "").unwrap();
            assert_ne!(find(), Some(dir.path().join(name)), "it cannot be run");
            fs::set_permissions(dir.path().join(name), fs::Permissions::from_mode(0o755)).unwrap();
            assert_eq!(find(), Some(dir.path().join(name)));
        }
    }
}
