//! Runs the tools of one build: own environment, own process group, limits, and nothing left behind.
//!
//! Dropping a future of [`Runner`] ends its processes: SIGTERM to the group at once, SIGKILL after
//! [`TERM_GRACE`], and then whatever else carries the build's marker in its environment, so that a process which left
//! the group dies as well. A thread does this, since it must happen even while the runtime shuts down.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_util::sync::CancellationToken;

use super::BuildOutput;

mod tool;

pub use tool::{Tool, ToolError};

/// How long a cancelled tool may take to end by itself.
pub const TERM_GRACE: Duration = Duration::from_secs(2);
/// How long more output is waited for after a tool has ended, in case a process it left behind holds the pipe open.
const DRAIN_GRACE: Duration = Duration::from_millis(500);
/// How long output is passed on in all after a tool has ended: whoever pushes may be slow to take what there is, and what
/// holds the pipe open may write for ever.
const DRAIN_MAX: Duration = Duration::from_mins(1);
/// Longest line that is passed on whole, in bytes.
const LINE_MAX: usize = 8 * 1024;
/// How much of a tool's last output is kept to explain a failure, in bytes.
const TAIL_MAX: usize = 64 * 1024;
/// Most that [`Runner::capture`] returns, in bytes.
const CAPTURE_MAX: usize = 4 * 1024 * 1024;
/// The variable by which processes of a build are recognised.
pub const MARKER: &str = "SLIPWAY_BUILD_PROCESS";

/// What each process of a build gets and may use.
#[derive(Debug, Clone)]
pub struct ProcessLimits {
    /// Most private memory that one process may map, in bytes (`RLIMIT_DATA`). Address space is not limited: Node.js
    /// and Go reserve far more of it than they use.
    pub data_bytes: u64,
    /// Largest file that a process may write, in bytes.
    pub file_bytes: u64,
    /// What is added to the scheduling priority number: builds give way to running apps.
    pub nice: i32,
    /// Most output of the whole build that is passed on, in bytes.
    pub output_bytes: u64,
}

/// Runs the tools of one build.
#[derive(Clone)]
pub struct Runner {
    shared: Arc<Shared>,
}

struct Shared {
    env: BTreeMap<OsString, OsString>,
    marker: String,
    limits: ProcessLimits,
    output: BuildOutput,
    written_bytes: AtomicU64,
    groups: Mutex<BTreeSet<i32>>,
    /// Kept until the last process has ended: the build's private directory and the lock on the app's cache.
    keep: Box<dyn Send + Sync>,
}

impl Runner {
    /// A runner whose tools get `env` and a marker that names this build, `marker`. `keep` is dropped when the last
    /// process has ended, even after a cancel.
    #[must_use]
    pub fn new(
        env: BTreeMap<OsString, OsString>,
        marker: String,
        limits: ProcessLimits,
        output: BuildOutput,
        keep: Box<dyn Send + Sync>,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                env,
                marker,
                limits,
                output,
                written_bytes: AtomicU64::new(0),
                groups: Mutex::default(),
                keep,
            }),
        }
    }

    /// Runs `tool` to its end and passes its output on, line by line.
    pub async fn run(&self, tool: Tool) -> Result<(), ToolError> {
        self.execute(tool, None).await.map(drop)
    }

    /// Runs `tool` and returns what it wrote to its standard output; only its error output is passed on when
    /// `show_errors` says so.
    pub async fn capture(&self, tool: Tool, show_errors: bool) -> Result<String, ToolError> {
        self.execute(tool, Some(show_errors)).await
    }

    async fn execute(&self, tool: Tool, capture: Option<bool>) -> Result<String, ToolError> {
        let shared = &self.shared;
        let start_error = |source| ToolError::Start { program: tool.program.display().to_string(), source };
        let mut command = tokio::process::Command::new(&tool.program);
        command
            .args(&tool.args)
            .current_dir(&tool.dir)
            .env_clear()
            .envs(&shared.env)
            .envs(&tool.env)
            .env(MARKER, &shared.marker)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let mut child = command.spawn().map_err(start_error)?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let guard = group.map(|group| GroupGuard::new(Arc::clone(shared), group));
        if let Some(group) = group {
            restrain(group, &shared.limits);
        }
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let tail = Mutex::new(String::new());
        let captured = Mutex::new(Vec::new());
        let ended = CancellationToken::new();
        let status = {
            let prefix = if tool.indent { "       " } else { "" };
            let reading = async {
                tokio::join!(
                    async {
                        if let Some(pipe) = stdout {
                            match capture {
                                None => self.pump(pipe, prefix, &tail, true, &ended).await,
                                Some(_) => collect(pipe, &captured, &ended).await,
                            }
                        }
                    },
                    async {
                        if let Some(pipe) = stderr {
                            self.pump(pipe, prefix, &tail, capture != Some(false), &ended).await;
                        }
                    }
                )
            };
            tokio::pin!(reading);
            tokio::select! {
                status = child.wait() => {
                    ended.cancel();
                    let _ = tokio::time::timeout(DRAIN_MAX, &mut reading).await;
                    status
                }
                _ = &mut reading => child.wait().await,
            }
        };
        // The tool itself has ended; what it left running in its group ends now.
        drop(guard.map(GroupGuard::finished));
        let status = status.map_err(start_error)?;
        if status.success() {
            let bytes = captured.into_inner().unwrap_or_else(PoisonError::into_inner);
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        } else {
            Err(ToolError::Exit { status, tail: tail.into_inner().unwrap_or_else(PoisonError::into_inner) })
        }
    }

    async fn pump(
        &self,
        mut pipe: impl AsyncRead + Unpin,
        prefix: &str,
        tail: &Mutex<String>,
        show: bool,
        ended: &CancellationToken,
    ) {
        let mut buffer = vec![0; 8 * 1024];
        let mut line = Vec::new();
        loop {
            let count = more(&mut pipe, &mut buffer, ended).await;
            if count == 0 {
                break;
            }
            for byte in buffer.get(..count).unwrap_or_default() {
                if *byte == b'\n' || line.len() >= LINE_MAX {
                    self.line(&line, prefix, tail, show).await;
                    line.clear();
                }
                if *byte != b'\n' {
                    line.push(*byte);
                }
            }
        }
        if !line.is_empty() {
            self.line(&line, prefix, tail, show).await;
        }
    }

    async fn line(&self, line: &[u8], prefix: &str, tail: &Mutex<String>, show: bool) {
        let text = printable(line);
        {
            let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
            tail.push_str(&text);
            tail.push('\n');
            if tail.len() > 2 * TAIL_MAX {
                let mut cut = tail.len() - TAIL_MAX;
                while !tail.is_char_boundary(cut) {
                    cut += 1;
                }
                tail.drain(..cut);
            }
        }
        if !show {
            return;
        }
        let length = (prefix.len() + text.len() + 1) as u64;
        let before = self.shared.written_bytes.fetch_add(length, Ordering::Relaxed);
        let limit = self.shared.limits.output_bytes;
        if before <= limit && before + length > limit {
            let notice = format!(" !     The build has printed more than {} KiB; the rest is left out", limit >> 10);
            self.shared.output.line(&notice).await;
        } else if before <= limit {
            self.shared.output.line(&format!("{prefix}{text}")).await;
        }
    }

    /// Resident memory of all processes in the build's groups, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        let groups = self.shared.groups.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if groups.is_empty() {
            0
        } else {
            processes().filter(|pid| groups.contains(&group_of(*pid))).map(resident).sum()
        }
    }

    /// Waits until every process that was started, also those of a cancelled tool, is gone.
    pub async fn settled(&self) {
        let deadline = Instant::now() + TERM_GRACE + Duration::from_secs(1);
        while Instant::now() < deadline {
            if self.shared.groups.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Finds `program` in the `PATH` of the build.
    #[must_use]
    pub fn find(&self, program: &str) -> Option<PathBuf> {
        self.find_all(program).into_iter().next()
    }

    /// Every `program` in the `PATH` of the build, first one first.
    #[must_use]
    pub fn find_all(&self, program: &str) -> Vec<PathBuf> {
        let path = self.shared.env.get(OsStr::new("PATH")).cloned().unwrap_or_default();
        std::env::split_paths(&path).map(|dir| dir.join(program)).filter(|file| is_executable(file)).collect()
    }

    /// The variable `name` of the build's own environment.
    #[must_use]
    pub fn env(&self, name: &str) -> Option<&OsStr> {
        self.shared.env.get(OsStr::new(name)).map(OsString::as_os_str)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Processes that left their group, for example by setsid, end with the build at the latest.
        kill_marked(&self.marker);
        let _ = &self.keep;
    }
}

/// Whether `file` is a regular file (or a link to one) that may be run.
#[must_use]
pub fn is_executable(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// Kills every process whose environment says that it belongs to a build whose marker starts with `marker`.
pub fn kill_marked(marker: &str) {
    let entry = format!("{MARKER}={marker}");
    for pid in processes() {
        let Ok(environ) = fs::read(format!("/proc/{pid}/environ")) else { continue };
        if environ.split(|byte| *byte == 0).any(|variable| variable.starts_with(entry.as_bytes()))
            && let Some(pid) = Pid::from_raw(pid)
        {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// Reads what comes next and tells how much that is; 0 at the end, which after a tool has `ended` is also when nothing
/// comes for a while. How long those take who are shown it is no matter here.
async fn more(pipe: &mut (impl AsyncRead + Unpin), buffer: &mut [u8], ended: &CancellationToken) -> usize {
    tokio::select! {
        biased;
        count = pipe.read(buffer) => count.unwrap_or(0),
        () = async {
            ended.cancelled().await;
            tokio::time::sleep(DRAIN_GRACE).await;
        } => 0,
    }
}

async fn collect(mut pipe: impl AsyncRead + Unpin, into: &Mutex<Vec<u8>>, ended: &CancellationToken) {
    let mut buffer = vec![0; 8 * 1024];
    loop {
        let count = more(&mut pipe, &mut buffer, ended).await;
        let chunk = buffer.get(..count).unwrap_or_default();
        let mut into = into.lock().unwrap_or_else(PoisonError::into_inner);
        if chunk.is_empty() {
            break;
        }
        let room = CAPTURE_MAX.saturating_sub(into.len()).min(chunk.len());
        into.extend_from_slice(chunk.get(..room).unwrap_or_default());
    }
}

/// What a terminal would show of a line: the last part of a progress line, no control characters but tab and colours.
fn printable(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end_matches('\r');
    let text = text.rsplit('\r').next().unwrap_or_default();
    text.chars().filter(|c| !c.is_control() || matches!(c, '\t' | '\u{1b}')).collect()
}

/// Sets limits and priority of a tool that was just started; what it starts inherits them.
fn restrain(group: Pid, limits: &ProcessLimits) {
    let rlimit = |bytes| Rlimit { current: Some(bytes), maximum: Some(bytes) };
    let _ = rustix::process::prlimit(Some(group), Resource::Data, rlimit(limits.data_bytes));
    let _ = rustix::process::prlimit(Some(group), Resource::Fsize, rlimit(limits.file_bytes));
    let _ = rustix::process::prlimit(Some(group), Resource::Core, rlimit(0));
    let _ = rustix::process::setpriority_pgrp(Some(group), limits.nice);
}

fn processes() -> impl Iterator<Item = i32> {
    fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The process group of `pid`, or 0.
fn group_of(pid: i32) -> i32 {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return 0 };
    // The name in parentheses may hold anything; the fields after the last one are state, parent, group.
    let Some((_, fields)) = stat.rsplit_once(')') else { return 0 };
    fields.split_ascii_whitespace().nth(2).and_then(|group| group.parse().ok()).unwrap_or(0)
}

fn resident(pid: i32) -> u64 {
    let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) else { return 0 };
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// Ends a process group when dropped.
struct GroupGuard {
    shared: Arc<Shared>,
    group: Pid,
    is_finished: bool,
}

impl GroupGuard {
    fn new(shared: Arc<Shared>, group: Pid) -> Self {
        shared.groups.lock().unwrap_or_else(PoisonError::into_inner).insert(group.as_raw_nonzero().get());
        Self { shared, group, is_finished: false }
    }

    /// The leader has ended and was waited for.
    fn finished(mut self) -> Self {
        self.is_finished = true;
        self
    }
}

fn forget_group(shared: &Shared, group: Pid) {
    shared.groups.lock().unwrap_or_else(PoisonError::into_inner).remove(&group.as_raw_nonzero().get());
}

impl Drop for GroupGuard {
    fn drop(&mut self) {
        if self.is_finished {
            let _ = kill_process_group(self.group, Signal::KILL);
            forget_group(&self.shared, self.group);
            return;
        }
        let (shared, group) = (Arc::clone(&self.shared), self.group);
        let _ = kill_process_group(group, Signal::TERM);
        let ending = move || {
            let deadline = Instant::now() + TERM_GRACE;
            while Instant::now() < deadline && has_live_members(group) {
                std::thread::sleep(Duration::from_millis(20));
            }
            let _ = kill_process_group(group, Signal::KILL);
            kill_marked(&shared.marker);
            forget_group(&shared, group);
        };
        if std::thread::Builder::new().name("build-cancel".to_owned()).spawn(ending).is_err() {
            let _ = kill_process_group(self.group, Signal::KILL);
            forget_group(&self.shared, self.group);
        }
    }
}

/// Whether the group has a process that is no zombie.
fn has_live_members(group: Pid) -> bool {
    processes().filter(|pid| group_of(*pid) == group.as_raw_nonzero().get()).any(|pid| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(')').is_some_and(|(_, fields)| !fields.trim_start().starts_with(['Z', 'X']))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cleaned() {
        for (line, text) in [
            (&b"plain\r"[..], "plain"),
            (b"10%\r50%\r100%", "100%"),
            (b"a\0b\x07c\td", "abc\td"),
            (b"\xff", "\u{fffd}"),
            (b"\x1b[31mred", "\u{1b}[31mred"),
        ] {
            assert_eq!(printable(line), text);
        }
    }

    #[test]
    fn own_process_is_seen() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(processes().any(|pid| pid == own));
        assert!(group_of(own) > 0);
        assert!(resident(own) > 0);
    }
}
