//! From a commit to something that can be released, with the pusher watching. Source for the wording: `drycc-v2.md` §5.5.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use git2::Oid;
use slipway_core::AppId;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{Push, PushError, Pushes};
use crate::build::KeptLog;
use crate::git::checkout::{self, CheckoutError, CheckoutLimits};
use crate::git::quarantine::Quarantine;
use crate::git::receive::Reply;
use crate::git::stream::StreamError;
use crate::hook::{BuildEnd, BuildState, Controller, ControllerError, Publication};
use crate::{BuildError, BuildOutput, BuildRequest, Built};

/// How long to wait before a controller that could not be asked is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// How many logs of builds are kept as files for an app.
const LOGS_KEPT: usize = 20;

/// Sets the flag when dropped, so that blocking work behind a future stops with it.
struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Keeps a build's log when the build is over, also when that is because the pusher went away.
struct LogKeeper {
    controller: Arc<dyn Controller>,
    push: (slipway_core::Username, slipway_core::AppName, AppId),
    sha: String,
    directory: PathBuf,
    log: KeptLog,
    state: BuildState,
    build: Option<String>,
}

impl Drop for LogKeeper {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (user, app, id) = self.push.clone();
        let (controller, sha, state) = (Arc::clone(&self.controller), self.sha.clone(), self.state);
        let (directory, text, build) = (self.directory.clone(), self.log.text(), self.build.take());
        runtime.spawn(async move {
            let file = (directory, format!("{}-{sha}-{}.log", uuid::Uuid::now_v7(), state.as_str()), text.clone());
            let written = tokio::task::spawn_blocking(move || write_log(&file.0, &file.1, &file.2)).await;
            if let Ok(Err(error)) = written {
                tracing::warn!(app.id = %id, %error, "cannot write a build's log");
            }
            let end = BuildEnd { user, app, sha, state, log: text, build };
            if let Err(error) = controller.log_keep(end).await {
                tracing::warn!(app.id = %id, "cannot hand a build's log to the controller: {}", slipway_cause::chain(&error));
            }
        });
    }
}

fn write_log(directory: &Path, name: &str, text: &str) -> std::io::Result<()> {
    std::fs::create_dir_all(directory)?;
    std::fs::write(directory.join(name), text)?;
    let mut names: Vec<_> = std::fs::read_dir(directory)?.collect::<Result<Vec<_>, _>>()?;
    // Names begin with a time, see UUID version 7.
    names.sort_by_key(std::fs::DirEntry::file_name);
    let excess = names.len().saturating_sub(LOGS_KEPT);
    for entry in names.iter().take(excess) {
        std::fs::remove_file(entry.path())?;
    }
    Ok(())
}

impl Pushes {
    /// Builds `commit`; `None` if that fails, which has been said to the pusher.
    pub(super) async fn build(
        &self,
        push: &Push,
        commit: Oid,
        reply: &Reply,
        quarantine: &Arc<Quarantine>,
    ) -> Result<Option<Publication>, PushError> {
        reply.line("Starting build... but first, coffee!").await?;
        let env = match self.controller.config_values(&push.user, &push.name).await {
            Ok(env) => env,
            Err(error) => {
                fail(reply, &controller_text(&error)).await?;
                return Ok(None);
            }
        };
        let (output, from_build, log) = BuildOutput::new();
        let mut keeper = LogKeeper {
            controller: Arc::clone(&self.controller),
            push: (push.user.clone(), push.name.clone(), push.app),
            sha: commit.to_string(),
            directory: self.logs.join(push.app.to_string()),
            log,
            state: BuildState::Canceled,
            build: self.begin(push, commit).await,
        };
        let canceled = self.canceled(push, keeper.build.clone());
        let source = tempfile::Builder::new().prefix("source-").tempdir_in(&self.work)?;
        let build = self.check_out_and_build(push, commit, env, quarantine, source.path(), output);
        // Whoever cancels drops the build, as a pusher who goes away does.
        let build = async {
            tokio::select! {
                biased;
                built = build => built.map_err(|text| (BuildState::Failed, text)),
                text = canceled => Err((BuildState::Canceled, text)),
            }
        };
        let built = self.watch(build, from_build, reply).await?;
        let built = match built {
            Ok(built) => built,
            Err((state, text)) => {
                keeper.log.append(format!(" !     {text}\n").as_bytes());
                keeper.state = state;
                drop(keeper);
                fail(reply, &text).await?;
                return Ok(None);
            }
        };
        keeper.state = BuildState::Succeeded;
        drop(keeper);
        remove_in_background(source);
        reply.line("Build complete.").await?;
        reply.line("Launching App...").await?;
        Ok(Some(Publication { user: push.user.clone(), app: push.name.clone(), sha: commit.to_string(), built }))
    }

    /// Tells the controller that a build begins. Without it nobody but the pusher can end the build, and that is all.
    async fn begin(&self, push: &Push, commit: Oid) -> Option<String> {
        match self.controller.build_begin(&push.user, &push.name, &commit.to_string()).await {
            Ok(build) => Some(build),
            Err(error) => {
                tracing::warn!(app.id = %push.app, "cannot tell of a build: {}", slipway_cause::chain(&error));
                None
            }
        }
    }

    /// Waits until somebody wants the build ended: for ever, if nobody can.
    async fn canceled(&self, push: &Push, build: Option<String>) -> String {
        let Some(build) = build else { return std::future::pending().await };
        loop {
            match self.controller.build_canceled(&push.name, &build).await {
                Ok(Some(text)) => return text,
                Ok(None) => {}
                Err(ControllerError::NotFound | ControllerError::Forbidden) => return std::future::pending().await,
                Err(error @ (ControllerError::Refused { .. } | ControllerError::Unavailable { .. })) => {
                    tracing::debug!("cannot ask after a build: {}", slipway_cause::chain(&error));
                    tokio::time::sleep(ASK_AGAIN).await;
                }
            }
        }
    }

    async fn check_out_and_build(
        &self,
        push: &Push,
        commit: Oid,
        env: std::collections::BTreeMap<String, slipway_core::config::SecretText>,
        quarantine: &Arc<Quarantine>,
        source: &Path,
        output: BuildOutput,
    ) -> Result<Built, String> {
        let canceled = Arc::new(AtomicBool::new(false));
        let _cancel = CancelOnDrop(Arc::clone(&canceled));
        let limits =
            CheckoutLimits { max_bytes: self.limits.source_max_bytes, max_entries: self.limits.source_max_files };
        let (quarantine, target) = (Arc::clone(quarantine), source.to_owned());
        let done = tokio::task::spawn_blocking(move || {
            let view = quarantine.view().map_err(|error| CheckoutError::Read(error.source))?;
            checkout::checkout(&view, commit, &target, limits, &canceled)
        })
        .await;
        let done = match done {
            Ok(Ok(done)) => done,
            Ok(Err(error @ (CheckoutError::Refused { .. } | CheckoutError::TooLarge { .. }))) => {
                return Err(error.to_string());
            }
            Ok(Err(error)) => {
                tracing::warn!(app.id = %push.app, "checkout failed: {}", slipway_cause::chain(&error));
                return Err(error.to_string());
            }
            Err(_) => return Err("the checkout failed".to_owned()),
        };
        for path in done.submodules {
            output.line(&format!(" !     submodule '{path}' is left out: submodules are not fetched")).await;
        }
        let request = BuildRequest {
            app: push.app,
            name: push.name.clone(),
            sha: commit.to_string(),
            source: source.to_owned(),
            env,
        };
        self.builder.build(request, output).await.map_err(|error| {
            if let BuildError::Internal(_) | BuildError::Unavailable(_) = error {
                tracing::warn!(app.id = %push.app, "build failed: {}", slipway_cause::chain(&error));
            }
            error.to_string()
        })
    }

    /// Drives `work` and passes on what it writes; `...` while it writes nothing.
    pub(super) async fn watch<T>(
        &self,
        work: impl Future<Output = T>,
        mut from_work: mpsc::Receiver<Bytes>,
        reply: &Reply,
    ) -> Result<T, StreamError> {
        tokio::pin!(work);
        let quiet = tokio::time::sleep(self.limits.quiet);
        tokio::pin!(quiet);
        let mut is_writing = true;
        let result = loop {
            tokio::select! {
                biased;
                bytes = from_work.recv(), if is_writing => match bytes {
                    Some(bytes) => reply.progress(&bytes).await?,
                    None => is_writing = false,
                },
                result = &mut work => break result,
                () = &mut quiet => reply.line("...").await?,
            }
            quiet.as_mut().reset(Instant::now() + self.limits.quiet);
        };
        while let Ok(bytes) = from_work.try_recv() {
            reply.progress(&bytes).await?;
        }
        Ok(result)
    }
}

/// Removing a large checkout takes a while that the pusher need not wait.
fn remove_in_background(directory: tempfile::TempDir) {
    tokio::task::spawn_blocking(move || {
        match directory.close() {
            // A builder may make the checkout its own, and move it away.
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(%error, "cannot remove a checkout; the next start will");
            }
            _ => {}
        }
    });
}

async fn fail(reply: &Reply, text: &str) -> Result<(), StreamError> {
    reply.progress(marked(text).as_bytes()).await
}

/// A failure in the way that pushers know it, line by line.
pub(super) fn marked(text: &str) -> String {
    text.trim_end().lines().fold(String::new(), |lines, line| lines + " !     " + line + "\n")
}

pub(super) fn controller_text(error: &ControllerError) -> String {
    match error {
        ControllerError::NotFound => "the app is not there (404)".to_owned(),
        ControllerError::Forbidden => "user has no permission to build the app (403)".to_owned(),
        ControllerError::Refused { text } => text.clone(),
        ControllerError::Unavailable { .. } => {
            tracing::warn!("the controller is away: {}", slipway_cause::chain(error));
            "the controller cannot be reached just now".to_owned()
        }
    }
}
