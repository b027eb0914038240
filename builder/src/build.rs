//! The border between the git side and whatever turns source into something that runs.
//!
//! The push orchestration knows a [`SourceBuilder`] and nothing of buildpacks; a source builder knows nothing of SSH,
//! git or the controller.

mod build_command;
pub mod buildpack;
pub mod cache;
pub mod clone;
pub mod dockerfile;
pub mod ignore;
pub mod local;
pub mod plan;
pub mod process;
pub mod sink;
pub mod source;
pub mod static_server;
pub mod tools;
pub mod tree;

pub use local::{BuildLimits, LocalBuilder, LocalBuilderConfig};
pub use static_server::serve_static;
pub use tools::ToolEnv;

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use slipway_core::config::SecretText;
use slipway_core::{AppId, AppName};
use tokio::sync::mpsc;

/// Turns a source tree into something that runs.
#[async_trait]
pub trait SourceBuilder: Send + Sync + 'static {
    /// Builds `request.source`, a private checkout which it may change.
    ///
    /// Dropping the future cancels the build: every process that it started is dead within 3 seconds.
    ///
    /// # Errors
    /// [`BuildError`], by whose fault it is.
    async fn build(&self, request: BuildRequest, output: BuildOutput) -> Result<Built, BuildError>;

    /// Removes what is kept for an app (its cache). Nothing kept is no error.
    async fn forget(&self, app: AppId);
}

/// One build that is asked for.
#[derive(Debug)]
pub struct BuildRequest {
    /// The app. Names directories and caches.
    pub app: AppId,
    /// The app's name, for display only: never part of a path.
    pub name: AppName,
    /// Full commit hash, 40 hex digits.
    pub sha: String,
    /// The checkout. It is private to this build and removed after it.
    pub source: PathBuf,
    /// The app's config values.
    pub env: BTreeMap<String, SecretText>,
}

/// What a build made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// What runs: `slug@sha256:<hex>` or an image reference.
    pub image: String,
    /// Commands by process type.
    pub procfile: BTreeMap<String, String>,
    /// `true` for builds from a Dockerfile, else empty. Source: `drycc-v2.md` §5.3.
    pub dockerfile: String,
    /// Name of the stack: `buildpack` or `container`.
    pub stack: String,
}

/// Why a build gave nothing. The text is shown to the pusher.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The source does not build; the pusher can mend that.
    #[error("{0}")]
    Failed(String),
    /// A limit on time, memory, disk or size was met; the text names it.
    #[error("{0}")]
    Limit(String),
    /// Something that the build needs is missing just now.
    #[error("{0}")]
    Unavailable(String),
    /// A fault of ours; the text holds nothing that the pusher must not see.
    #[error("{0}")]
    Internal(String),
}

/// The commands of the source's `Procfile`; `None` when there is none.
///
/// # Errors
/// [`BuildError::Failed`] naming the file, the line and what is wrong with it.
pub(crate) fn read_procfile(source: &source::Source) -> Result<Option<BTreeMap<String, String>>, BuildError> {
    let Some(text) = source.text("Procfile")? else { return Ok(None) };
    let procfile = slipway_core::procfile::parse(&text).map_err(|error| BuildError::Failed(error.to_string()))?;
    Ok(Some(procfile.into_iter().map(|(name, command)| (name.to_string(), command)).collect()))
}

/// Most bytes of a build's log that are kept: the first and the last half of it.
pub const LOG_MAX_BYTES: usize = 4 * 1024 * 1024;

/// Where a build writes: to the pusher as it happens, and to the log that is kept. Cloning gives another writer.
///
/// Writing waits while the pusher's connection is slow. It never fails: when the pusher is gone the text is still kept.
#[derive(Debug, Clone)]
pub struct BuildOutput {
    sender: mpsc::Sender<Bytes>,
    log: KeptLog,
}

impl BuildOutput {
    /// Makes an output, the pusher's end of it, and the log that is kept.
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<Bytes>, KeptLog) {
        let (sender, receiver) = mpsc::channel(64);
        let log = KeptLog::default();
        (Self { sender, log: log.clone() }, receiver, log)
    }

    /// Writes a line; the line feed is added.
    pub async fn line(&self, text: &str) {
        self.raw(format!("{text}\n").as_bytes()).await;
    }

    /// Announces a step, in the form `-----> text`.
    pub async fn step(&self, text: &str) {
        self.line(&format!("-----> {text}")).await;
    }

    /// Writes bytes as they are, for instance those of a build's process.
    pub async fn raw(&self, bytes: &[u8]) {
        self.log.append(bytes);
        // An error means that the pusher is gone: whoever runs the build acts on that, not its output.
        let _ = self.sender.send(Bytes::copy_from_slice(bytes)).await;
    }
}

/// The text of a build that is kept: all of it up to [`LOG_MAX_BYTES`], else its two ends.
#[derive(Debug, Clone, Default)]
pub struct KeptLog(Arc<Mutex<KeptText>>);

#[derive(Debug, Default)]
struct KeptText {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    dropped: u64,
}

impl KeptLog {
    /// Adds bytes at the end.
    pub fn append(&self, bytes: &[u8]) {
        let half = LOG_MAX_BYTES / 2;
        let mut text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (to_head, to_tail) = bytes.split_at(bytes.len().min(half - text.head.len().min(half)));
        text.head.extend_from_slice(to_head);
        text.tail.extend(to_tail);
        // The line that tells of the cut needs some room as well.
        let excess = text.tail.len().saturating_sub(half - 64);
        text.tail.drain(..excess);
        text.dropped += excess as u64;
    }

    /// The text so far; bytes that are not UTF-8 are replaced.
    #[must_use]
    pub fn text(&self) -> String {
        let text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (first, second) = text.tail.as_slices();
        let mut bytes = text.head.clone();
        if text.dropped > 0 {
            bytes.extend_from_slice(format!("\n[{} bytes left out]\n", text.dropped).as_bytes());
        }
        bytes.extend_from_slice(first);
        bytes.extend_from_slice(second);
        let mut whole = String::from_utf8_lossy(&bytes).into_owned();
        if whole.len() > LOG_MAX_BYTES {
            // Replacing bad bytes made it longer.
            let mut end = LOG_MAX_BYTES;
            while !whole.is_char_boundary(end) {
                end -= 1;
            }
            whole.truncate(end);
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn output_reaches_the_pusher_and_the_log() {
        let (output, mut pusher, log) = BuildOutput::new();
        output.step("Fetching").await;
        output.raw(b"a\xff\n").await;
        assert_eq!(pusher.recv().await.unwrap(), "-----> Fetching\n");
        assert_eq!(pusher.recv().await.unwrap(), &b"a\xff\n"[..]);
        drop(pusher);
        output.line("unseen").await;
        assert_eq!(log.text(), "-----> Fetching\na\u{fffd}\nunseen\n");
    }

    #[test]
    fn a_long_log_keeps_its_ends() {
        let log = KeptLog::default();
        log.append(b"first\n");
        for _ in 0..10 {
            log.append(&vec![b'x'; 1_000_000]);
        }
        log.append(b"last\n");
        let text = log.text();
        assert!(text.len() <= LOG_MAX_BYTES, "{}", text.len());
        assert!(text.starts_with("first\n") && text.ends_with("last\n") && text.contains(" bytes left out]"));
    }
}
