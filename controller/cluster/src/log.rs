//! Logs of apps: the output of all pods, merged by time, and the platform's own lines.
//!
//! The API server keeps the output of pods that are there. Of pods that end, the last lines are fetched when they are
//! told to end and kept in memory, for this controller's life and within [`DEAD_BYTES_MAX`]; older pods' output is
//! gone with them. The platform's lines are kept by a [`LogKeep`]: with a database behind it they survive a restart
//! and every controller sees them, except that a follower sees new ones of its own controller only. Lines of a router
//! that runs as a program of its own stay in that program's output.

mod dead;
mod follow;
mod memory;
mod read;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::Utc;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use k8s_openapi::api::core::v1::Pod as ApiPod;
use kube::Client;
use kube::api::Api;
use slipway_core::log::{LogLine, LogQuery};
use slipway_core::{AppId, AppName};
use slipway_engine::{EngineError, LogKeep, LogSink};
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;

use crate::index::Index;
use dead::Dead;
pub use memory::MemoryKeep;
use read::{Failure, read_pod};
pub(crate) use read::{next_line, parse};

/// Most bytes of output of pods that are gone, of all apps together.
pub const DEAD_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Lines of the platform that wait to be kept; more are dropped.
const SINK_LINES: usize = 4096;
/// Lines of the platform that a slow follower may be behind.
const FOLLOW_LINES: usize = 1024;
/// Most lines that are kept at once.
const BATCH_LINES: usize = 256;
/// Pause after lines could not be kept.
const KEEP_PAUSE: Duration = Duration::from_secs(1);
/// Most pods of an app that are read; the newest.
const PODS_MAX: usize = 100;
/// Pods that are read at once.
const PODS_AT_ONCE: usize = 8;
/// Most lines of one answer.
const LINES_MAX: usize = 10_000;

/// Reads and follows the logs of apps. Cheap to clone.
#[derive(Clone)]
pub struct Logs {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    index: Index,
    keep: Arc<dyn LogKeep>,
    dead: Dead,
    sink: Arc<Sink>,
    lines: broadcast::Sender<(AppId, LogLine)>,
}

/// Takes lines of the platform; drops and counts them when too many come at once.
struct Sink {
    sender: mpsc::Sender<(AppId, LogLine)>,
    lines: broadcast::Sender<(AppId, LogLine)>,
    dropped: AtomicU64,
}

impl LogSink for Sink {
    fn append(&self, app: AppId, line: LogLine) {
        // Nobody may be following.
        let _ = self.lines.send((app, line.clone()));
        if self.sender.try_send((app, line)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Logs {
    /// Begins to keep lines of the platform and of pods that end, until `shutdown`.
    #[must_use]
    pub fn start(client: Client, index: Index, keep: Arc<dyn LogKeep>, shutdown: CancellationToken) -> Self {
        let (sender, receiver) = mpsc::channel(SINK_LINES);
        let lines = broadcast::channel(FOLLOW_LINES).0;
        let sink = Arc::new(Sink { sender, lines: lines.clone(), dropped: AtomicU64::new(0) });
        let dead = Dead::default();
        tokio::spawn(keep_lines(receiver, Arc::clone(&sink), Arc::clone(&keep), shutdown.clone()));
        tokio::spawn(dead.clone().collect(client.clone(), index.pods_gone(), shutdown));
        Self { inner: Arc::new(Inner { client, index, keep, dead, sink, lines }) }
    }

    /// Where the platform's lines go.
    #[must_use]
    pub fn sink(&self) -> Arc<dyn LogSink> {
        Arc::clone(&self.inner.sink) as Arc<dyn LogSink>
    }

    /// The newest lines, oldest first.
    ///
    /// # Errors
    /// `Unavailable` when nothing could be read of anything.
    pub async fn read(&self, app: AppId, name: &AppName, query: &LogQuery) -> Result<Vec<LogLine>, EngineError> {
        let inner = &self.inner;
        let count = query.lines.min(LINES_MAX);
        let objects = inner.index.app(name);
        let mut pods: Vec<_> = objects.pods.iter().filter(|pod| wants(query, &pod.source())).cloned().collect();
        pods.sort_by_key(|pod| std::cmp::Reverse(pod.created));
        pods.truncate(PODS_MAX);
        let api: Api<ApiPod> = Api::namespaced(inner.client.clone(), name.as_str());
        let reads = pods.into_iter().map(|pod| {
            let api = api.clone();
            async move { (read_pod(&api, &pod, count).await, pod) }
        });
        let mut reads = stream::iter(reads).buffer_unordered(PODS_AT_ONCE);
        let (mut lines, mut failure, mut has_read) = (Vec::new(), None, false);
        let mut alive = std::collections::HashSet::new();
        while let Some((read, pod)) = reads.next().await {
            match read {
                Ok(read) => {
                    lines.extend(read);
                    alive.insert(pod.uid.clone());
                    has_read = true;
                }
                // What was kept of it serves instead, if anything was.
                Err(Failure::Nothing) => has_read = true,
                Err(Failure::Unreachable(context)) => failure = Some(context),
            }
        }
        lines.extend(inner.dead.lines(name, &alive).into_iter().filter(|line| wants(query, &line.source)));
        match inner.keep.lines_read(app, query).await {
            Ok(kept) => lines.extend(kept),
            Err(error) => tracing::warn!(app.id = %app, "lines of the platform could not be read: {error}"),
        }
        if let Some(context) = failure.filter(|_| !has_read) {
            return Err(EngineError::Unavailable { public: "the cluster does not answer".to_owned(), context });
        }
        lines.sort_by_key(|line| line.time);
        Ok(lines.split_off(lines.len().saturating_sub(count)))
    }

    /// The lines of `read`, then each new one, until dropped.
    ///
    /// # Errors
    /// As `read`.
    pub async fn follow(
        &self,
        app: AppId,
        name: &AppName,
        query: LogQuery,
    ) -> Result<BoxStream<'static, LogLine>, EngineError> {
        let platform = self.inner.lines.subscribe();
        let changes = self.inner.index.changes();
        let begun = Utc::now();
        let lines = self.read(app, name, &query).await?;
        let later = follow::follow(&self.inner, app, name.clone(), query, begun, &lines, platform, changes);
        Ok(stream::iter(lines).chain(later).boxed())
    }

    /// Forgets what is kept of an app that is gone.
    pub fn forget(&self, name: &AppName) {
        self.inner.dead.forget(name);
    }
}

/// Whether `query` asks for lines of `source`.
fn wants(query: &LogQuery, source: &str) -> bool {
    query.process_type.as_ref().is_none_or(|wanted| source.split('.').next() == Some(wanted.as_str()))
}

async fn keep_lines(
    mut receiver: mpsc::Receiver<(AppId, LogLine)>,
    sink: Arc<Sink>,
    keep: Arc<dyn LogKeep>,
    shutdown: CancellationToken,
) {
    let mut lines = Vec::new();
    loop {
        tokio::select! {
            biased;
            count = receiver.recv_many(&mut lines, BATCH_LINES) => if count == 0 { return },
            // What came before is written first.
            () = shutdown.cancelled() => return,
        }
        let dropped = sink.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            tracing::warn!("{dropped} lines of the platform in logs of apps were dropped under load");
        }
        if let Err(error) = keep.lines_append(std::mem::take(&mut lines)).await {
            tracing::warn!("lines of the platform could not be kept: {error}");
            tokio::time::sleep(KEEP_PAUSE).await;
        }
    }
}
