//! One process of an app: how it is started, what it sees, and where its output goes.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use slipway_core::AppId;
use slipway_core::build::BuildKind;
use slipway_core::config::SecretText;
use slipway_engine::command::line_command;
use slipway_engine::spec::Limit;
use slipway_engine::{Attach, MountSpec};
use slipway_slug::SlugManifest;
use tokio::net::unix::pipe;
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::Instant;

use crate::config::LocalConfig;
use crate::container::{Bind, Container, Handle, Inside};
use crate::group;
use crate::image::ImageRelease;
use crate::limits::Limits;
use crate::record::{MARK, RecordGuard, Records};
use crate::terminal::Terminal;
use crate::volume::Volumes;
use crate::workdir::WorkDir;

mod output;

pub(crate) use output::{LastLines, pump};

/// The shell of apps, when the machine has it.
const BASH: &str = "/bin/bash";
/// The shell that every machine has.
const SH: &str = "/bin/sh";
/// Gives a process a session of its own with a controlling terminal (util-linux).
const SETSID: [&str; 2] = ["/usr/bin/setsid", "/bin/setsid"];
/// What a terminal is, as far as programs are told.
const TERM: &str = "xterm-256color";
/// Run by the app's own shell, in the app's process. Constant: what differs comes as arguments, and is never read as
/// part of the script. `$0` the shell, `$1` the command line, `$2` most open files, `$3` KiB of memory or empty, `$4`
/// the file to join a cgroup by or empty.
const LAUNCHER: &str = r#"
if [ -n "$4" ]; then echo $$ > "$4" || exit 126; fi
ulimit -c 0
ulimit -S -n "$2" 2>/dev/null || ulimit -S -n "$(ulimit -H -n)"
if [ -n "$3" ]; then ulimit -d "$3"; fi
set -- "$1"
for slipway_profile in .profile.d/*.sh; do
  if [ -r "$slipway_profile" ]; then . "./$slipway_profile"; fi
done
unset slipway_profile
exec "$0" -c "$1"
"#;
/// Longest time between SIGTERM and SIGKILL, whatever is configured.
pub(crate) const GRACE_MAX: Duration = Duration::from_hours(24);

/// What a process is started with.
pub(crate) struct Launch<'a> {
    pub(crate) config: &'a LocalConfig,
    pub(crate) records: &'a Records,
    pub(crate) app: AppId,
    pub(crate) what: What<'a>,
    pub(crate) env: &'a BTreeMap<String, SecretText>,
    pub(crate) work: &'a WorkDir,
    pub(crate) volumes: &'a Volumes,
    /// The volumes that a container has; a slug's copy has its own already.
    pub(crate) mounts: &'a [MountSpec],
    pub(crate) port: Option<u16>,
    pub(crate) memory: Option<Limit>,
    pub(crate) cpu: Option<Limit>,
    /// How it is talked to, if it is.
    pub(crate) talk: Option<&'a Talk>,
}

/// A process that is talked to.
pub(crate) struct Talk {
    /// Tells what it starts from other processes of the app.
    pub(crate) id: String,
    pub(crate) attach: Attach,
}

/// The platform's ends of what a process that is talked to reads and writes.
pub(crate) enum Ends {
    Terminal(Terminal),
    Pipes { stdin: Option<ChildStdin>, stdout: Option<ChildStdout>, stderr: Option<ChildStderr> },
}

impl Launch<'_> {
    /// The mark of the process and of all that it starts.
    pub(crate) fn mark(&self) -> String {
        match self.talk {
            Some(talk) => self.records.mark_of(self.app, &talk.id),
            None => self.records.mark(self.app),
        }
    }

    fn has_terminal(&self) -> bool {
        self.talk.is_some_and(|talk| talk.attach.terminal.is_some())
    }
}

/// What is run.
pub(crate) enum What<'a> {
    /// A line for the machine's shell, in a slug.
    Slug { command: &'a str, manifest: &'a SlugManifest },
    /// Program and arguments, in a container.
    Image { args: &'a [String], image: &'a ImageRelease },
}

/// A running process that leads its own group.
pub(crate) struct Running {
    child: Child,
    /// The container that the process is in front of.
    container: Option<Container>,
    /// Its id, which is that of its group.
    pub(crate) pid: i32,
    _record: RecordGuard,
    _limits: Limits,
}

/// What a process sees: nothing of the platform's own environment.
pub(crate) fn environment(launch: &Launch<'_>) -> BTreeMap<String, String> {
    // Handed to the process that it is meant for.
    let own = launch.env.iter().map(|(name, value)| (name.clone(), value.expose().to_owned()));
    let mut env = match launch.what {
        What::Image { image, .. } => {
            let mut env = image.environment();
            env.extend(own);
            env
        }
        What::Slug { manifest, .. } => {
            let home = launch.work.app().to_string_lossy().into_owned();
            let mut env = BTreeMap::from([
                ("LANG".to_owned(), "C.UTF-8".to_owned()),
                ("TMPDIR".to_owned(), launch.work.tmp().to_string_lossy().into_owned()),
            ]);
            env.extend(manifest.env_for(&home));
            env.extend(own);
            let base = env.get("PATH").map_or(launch.config.path.as_str(), String::as_str);
            let path = manifest.path_for(&home, base);
            env.insert("PATH".to_owned(), path);
            env.insert("HOME".to_owned(), home);
            env.extend(launch.config.env.clone());
            env
        }
    };
    env.insert(MARK.to_owned(), launch.mark());
    if launch.has_terminal() {
        env.entry("TERM".to_owned()).or_insert_with(|| TERM.to_owned());
    }
    if let Some(port) = launch.port {
        env.insert("PORT".to_owned(), port.to_string());
    }
    env
}

/// Starts a process. Both its outputs are one pipe, so that their order is kept.
pub(crate) async fn start(launch: &Launch<'_>) -> io::Result<(Running, pipe::Receiver)> {
    let (mut command, container, limits) = command(launch)?;
    let (reader, writer) = io::pipe()?;
    let output = pipe::Receiver::from_owned_fd(reader.into())?;
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer).process_group(0);
    let running = spawn(command, launch.records, launch.app, container, limits).await?;
    Ok((running, output))
}

/// Starts a process that is talked to.
pub(crate) async fn start_talk(launch: &Launch<'_>, talk: &Talk) -> io::Result<(Running, Ends)> {
    let (command, container, limits) = command(launch)?;
    let is_platforms = container.is_some();
    let (command, terminal) = attach(command, talk.attach, is_platforms)?;
    let mut running = spawn(command, launch.records, launch.app, container, limits).await?;
    let ends = running.ends(terminal);
    Ok((running, ends))
}

/// Starts a program beside a process of `app`, in its environment, to be talked to.
pub(crate) async fn start_beside(
    records: &Records,
    app: AppId,
    command: &[String],
    place: &Place<'_>,
    mark: &str,
    talk: &Talk,
) -> io::Result<(Running, Ends)> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a command is needed"));
    };
    if command.iter().any(|word| word.contains('\0')) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the command holds a NUL character"));
    }
    let has_terminal = talk.attach.terminal.is_some();
    let mut beside = match place {
        Place::Machine { env, dir } => {
            let mut beside = Command::new(program);
            beside.args(arguments).env_clear();
            if has_terminal {
                beside.env("TERM", TERM);
            }
            beside.envs(*env).current_dir(dir);
            beside
        }
        Place::Container(container) => container.exec_talk(command, has_terminal.then_some(TERM)),
    };
    beside.env(MARK, mark);
    let (beside, terminal) = attach(beside, talk.attach, matches!(place, Place::Container(_)))?;
    let mut running = spawn(beside, records, app, None, Limits::default()).await.map_err(|error| {
        if error.kind() == io::ErrorKind::NotFound {
            io::Error::new(error.kind(), format!("there is no program '{program}' in the process's environment"))
        } else {
            error
        }
    })?;
    let ends = running.ends(terminal);
    Ok((running, ends))
}

/// The command that starts a process, and what stands behind it.
fn command(launch: &Launch<'_>) -> io::Result<(Command, Option<Container>, Limits)> {
    let has_nul = match &launch.what {
        What::Slug { command, .. } => command.contains('\0'),
        What::Image { args, .. } => args.iter().any(|arg| arg.contains('\0')),
    };
    if has_nul {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the command holds a NUL character"));
    }
    for (name, value) in launch.env {
        if name.is_empty() || name.contains(['=', '\0']) || value.expose().contains('\0') {
            let name: String = name.chars().take(60).flat_map(char::escape_debug).collect();
            let reason = format!("the config variable '{name}' cannot be part of an environment");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
    }
    Ok(match &launch.what {
        What::Slug { command, .. } => {
            let limits = Limits::prepare(launch.config.cgroup.as_deref(), launch.memory, launch.cpu)?;
            (shell(launch, command, &limits), None, limits)
        }
        What::Image { args, image } => {
            let (container, command) = contained(launch, args, image)?;
            (command, Some(container), Limits::default())
        }
    })
}

/// Connects a command to a terminal or to pipes. With a terminal it leads a session of its own. `is_platforms` programs (a
/// container runtime) have the platform's environment.
fn attach(mut command: Command, attach: Attach, is_platforms: bool) -> io::Result<(Command, Option<Terminal>)> {
    let Some(size) = attach.terminal else {
        let stdin = if attach.has_input { Stdio::piped() } else { Stdio::null() };
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        return Ok((command, None));
    };
    let setsid = SETSID.into_iter().find(|path| Path::new(path).exists()).ok_or_else(|| {
        let reason = "this machine cannot give processes a terminal: the program setsid (util-linux) is missing";
        io::Error::new(io::ErrorKind::NotFound, reason)
    })?;
    // Not the leader of a group yet, so that setsid becomes the program without a process in between.
    let mut led = Command::new(setsid);
    let inner = command.as_std();
    led.args(["--ctty", "--wait", "--"]).arg(inner.get_program()).args(inner.get_args());
    if !is_platforms {
        led.env_clear();
    }
    led.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if let Some(dir) = inner.get_current_dir() {
        led.current_dir(dir);
    }
    let (terminal, theirs) = Terminal::open(size)?;
    led.stdin(theirs.try_clone()?).stdout(theirs.try_clone()?).stderr(theirs);
    Ok((led, Some(terminal)))
}

async fn spawn(
    mut command: Command,
    records: &Records,
    app: AppId,
    container: Option<Container>,
    limits: Limits,
) -> io::Result<Running> {
    let child = command.kill_on_drop(true).spawn()?;
    // It holds the other ends of what the process writes to.
    drop(command);
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).ok_or_else(|| io::Error::other("no process id"))?;
    let records = records.clone();
    let record = tokio::task::spawn_blocking(move || records.write(app, pid)).await.map_err(io::Error::other)?;
    match record {
        Ok(record) => Ok(Running { child, container, pid, _record: record, _limits: limits }),
        Err(error) => {
            group::signal(pid, Signal::KILL);
            Err(error)
        }
    }
}

/// The app's own shell, with the app's own line.
fn shell(launch: &Launch<'_>, line: &str, limits: &Limits) -> Command {
    let shell = if Path::new(BASH).exists() { BASH } else { SH };
    let mut command = Command::new(shell);
    command
        .args(["-c", LAUNCHER, shell, line])
        .arg(launch.config.open_files.to_string())
        .arg(limits.data_kib.map(|kib| kib.to_string()).unwrap_or_default())
        .arg(limits.cgroup_procs())
        .env_clear()
        .envs(environment(launch))
        .current_dir(launch.work.app());
    command
}

/// The runtime in front of a container.
fn contained(launch: &Launch<'_>, args: &[String], image: &ImageRelease) -> io::Result<(Container, Command)> {
    let env = environment(launch);
    let user = (image.user.uid, image.user.gid);
    let bind = |mount: &MountSpec| {
        let source = launch.volumes.make(launch.app, mount.volume, Some(user))?;
        Ok(Bind { source, path: mount.path.to_string() })
    };
    let binds = launch.mounts.iter().map(bind).collect::<io::Result<Vec<Bind>>>()?;
    let inside = Inside {
        rootfs: &launch.work.app(),
        args,
        env: &env,
        working_dir: &image.setup.working_dir,
        user,
        binds: &binds,
        memory: launch.memory,
        cpu: launch.cpu,
        open_files: launch.config.open_files,
        has_terminal: launch.has_terminal(),
        has_input: launch.talk.is_some_and(|talk| talk.attach.has_input),
    };
    let id = format!("slipway-{}", uuid::Uuid::new_v4().simple());
    let bundle = launch.work.tmp().join(&id);
    let (container, mut command) = image.runtime.prepare(id, bundle, &inside)?;
    // The runtime is a part of the platform and has its environment; what the container sees is in its configuration.
    // By the mark the runtime is found after a crash.
    command.env(MARK, launch.mark()).current_dir("/");
    if image.runtime.passes_environment() {
        command.envs(env.into_iter().filter(|(name, _)| name != "PATH" && name != "HOME"));
    }
    Ok((container, command))
}

impl Running {
    /// The container, for commands beside the process.
    pub(crate) fn container(&self) -> Option<&Handle> {
        self.container.as_ref().map(Container::handle)
    }

    fn ends(&mut self, terminal: Option<Terminal>) -> Ends {
        match terminal {
            Some(terminal) => Ends::Terminal(terminal),
            None => Ends::Pipes {
                stdin: self.child.stdin.take(),
                stdout: self.child.stdout.take(),
                stderr: self.child.stderr.take(),
            },
        }
    }

    async fn delete(&mut self) {
        if let Some(container) = &mut self.container {
            container.delete().await;
        }
    }

    /// Waits for the end of the process, then ends what is left of its group.
    pub(crate) async fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await;
        group::signal(self.pid, Signal::KILL);
        self.delete().await;
        status
    }

    /// SIGTERM to the group; when that has not ended all of it in `grace`, or `hurry` is over, SIGKILL.
    pub(crate) async fn stop(&mut self, grace: Duration, hurry: impl Future<Output = ()>) -> io::Result<ExitStatus> {
        let deadline = Instant::now() + grace.min(GRACE_MAX);
        group::signal(self.pid, Signal::TERM);
        let gone = async {
            // Its leader may be a shell that ends before the program under it.
            let _ = self.child.wait().await;
            group::wait_gone(self.pid, deadline).await;
        };
        tokio::select! {
            () = gone => {}
            () = tokio::time::sleep_until(deadline) => {}
            () = hurry => {}
        }
        // The container first: its runtime ends with it.
        self.delete().await;
        group::signal(self.pid, Signal::KILL);
        self.child.wait().await
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            group::signal(self.pid, Signal::KILL);
        }
    }
}

/// The exit code of what ended; 128 + n when signal n ended it.
pub(crate) fn exit_code(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1)
}

/// How a process ended, in words.
pub(crate) fn describe(status: io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => format!("ended with exit code {code}"),
            (None, Some(9)) => "was killed by signal 9 (out of memory?)".to_owned(),
            (None, Some(signal)) => format!("was ended by signal {signal}"),
            (None, None) => "ended".to_owned(),
        },
        Err(error) => format!("was lost: {error}"),
    }
}

/// Where a process is.
pub(crate) enum Place<'a> {
    /// On this machine, with this environment and working directory.
    Machine { env: &'a BTreeMap<String, String>, dir: PathBuf },
    /// In a container.
    Container(&'a Handle),
}

/// What a hook of a process is run by: its app's shell with the line, as the process itself is, within the limits that
/// every process of the app has.
pub(crate) fn hook_args(place: &Place<'_>, kind: BuildKind, open_files: u64, line: &str) -> Vec<String> {
    match place {
        Place::Machine { .. } => {
            let shell = if Path::new(BASH).exists() { BASH } else { SH };
            [shell, "-c", LAUNCHER, shell, line, &open_files.to_string(), "", ""].map(str::to_owned).into()
        }
        Place::Container(_) => {
            let command = line_command(kind, line);
            command.command.into_iter().chain(command.args).flatten().collect()
        }
    }
}

/// A program run beside a process for a health check or a hook, in its environment. `true` when it ended with 0.
pub(crate) async fn exec_check(command: &[String], place: &Place<'_>) -> bool {
    let Some((program, arguments)) = command.split_first() else { return false };
    let mut check = match place {
        Place::Machine { env, dir } => {
            let mut check = Command::new(program);
            check.args(arguments).env_clear().envs(*env).current_dir(dir);
            check
        }
        Place::Container(container) => container.exec(command),
    };
    let spawned = check
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn();
    let Ok(mut child) = spawned else { return false };
    let _group = child.id().and_then(|pid| i32::try_from(pid).ok()).map(GroupGuard);
    child.wait().await.is_ok_and(|status| status.success())
}

/// Ends a process group when dropped.
struct GroupGuard(i32);

impl Drop for GroupGuard {
    fn drop(&mut self) {
        group::signal(self.0, Signal::KILL);
    }
}
