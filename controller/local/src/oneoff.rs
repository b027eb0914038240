//! One-off processes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use slipway_engine::spec::RunSpec;
use slipway_engine::{EngineError, RUN_OUTPUT_MAX_BYTES, RunOutcome};
use slipway_slug::SlugManifest;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::app::release::{Contents, Prepared, Wanted, prepare, unavailable};
use crate::app::{Shared, suffix};
use crate::child::{self, Launch, Talk, What};
use crate::image::ImageRelease;

/// Added to output that was cut.
const CUT_NOTE: &str = "\n[output cut]\n";
/// Time between SIGTERM and SIGKILL for a process whose caller is gone or whose time is up.
pub(crate) const GRACE: Duration = Duration::from_secs(5);

/// The files of a one-off process, a copy of its own.
pub(crate) async fn prepared(shared: &Shared, spec: &RunSpec) -> Result<Prepared, EngineError> {
    let dir = shared.app_dir(spec.app).join(format!("run-{}", suffix()));
    let wanted =
        Wanted { app: spec.app, artifact: &spec.artifact, registry: spec.registry.as_ref(), mounts: &spec.mounts };
    prepare(shared, wanted, dir).await
}

/// What a one-off process runs.
pub(crate) enum Line<'a> {
    Slug { command: &'a str, manifest: &'a SlugManifest },
    Image { args: Vec<String>, image: &'a ImageRelease },
}

impl<'a> Line<'a> {
    pub(crate) fn new(spec: &'a RunSpec, contents: &'a Contents) -> Result<Self, EngineError> {
        Ok(match contents {
            Contents::Slug(manifest) => {
                // A type of the Procfile may stand for its command, as on the command lines of old clients.
                let command = manifest.processes.get(spec.command.trim()).unwrap_or(&spec.command);
                Self::Slug { command, manifest }
            }
            Contents::Image(image) => {
                let args = image.line_args(spec.kind, &spec.command).map_err(EngineError::Rejected)?;
                Self::Image { args, image }
            }
        })
    }
}

/// How a one-off process is started.
pub(crate) fn launch<'a>(
    shared: &'a Shared,
    spec: &'a RunSpec,
    prepared: &'a Prepared,
    line: &'a Line<'a>,
    talk: Option<&'a Talk>,
) -> Launch<'a> {
    let what = match line {
        Line::Slug { command, manifest } => What::Slug { command, manifest },
        Line::Image { args, image } => What::Image { args, image },
    };
    Launch {
        config: &shared.config,
        records: &shared.records,
        app: spec.app,
        what,
        env: &spec.env,
        work: &prepared.work,
        volumes: &shared.volumes,
        mounts: &spec.mounts,
        port: None,
        memory: spec.memory,
        cpu: spec.cpu,
        talk,
    }
}

/// Runs a one-off process to its end, or until `canceled`.
pub(crate) async fn run(
    shared: Arc<Shared>,
    spec: RunSpec,
    canceled: CancellationToken,
) -> Result<RunOutcome, EngineError> {
    let gone =
        || EngineError::Unavailable { public: "the process was ended".to_owned(), context: "canceled".to_owned() };
    let prepared = tokio::select! {
        prepared = prepared(&shared, &spec) => prepared?,
        () = canceled.cancelled() => return Err(gone()),
    };
    let journal = shared.journals.of(spec.app).ok_or_else(|| EngineError::Missing(format!("app {}", spec.name)))?;
    let line = Line::new(&spec, &prepared.contents)?;
    let launch = launch(&shared, &spec, &prepared, &line, None);
    let (mut running, output) = match child::start(&launch).await {
        Ok(started) => started,
        Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => {
            return Err(EngineError::Rejected(error.to_string()));
        }
        Err(error) => return Err(unavailable("the process cannot be started", &error)),
    };
    let kept: Arc<Mutex<Vec<u8>>> = Arc::default();
    let keep = {
        let kept = Arc::clone(&kept);
        move |bytes: &[u8]| {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            // One byte more than may be kept tells that there was more.
            let room = (RUN_OUTPUT_MAX_BYTES + 1).saturating_sub(kept.len());
            kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
    };
    let source = spec.process_name.clone();
    let (mut pump, _) = child::pump(output, source, journal, shared.config.log_bytes_per_sec, keep);
    let status = tokio::select! {
        status = running.wait() => status.map_err(|error| unavailable("the process was lost", &error)),
        () = sleep(spec.timeout) => {
            let _ = running.stop(GRACE, canceled.cancelled()).await;
            Err(EngineError::TimedOut(spec.timeout.as_secs()))
        }
        () = canceled.cancelled() => {
            let _ = running.stop(GRACE, std::future::pending()).await;
            Err(gone())
        }
    };
    drop(running);
    if timeout(Duration::from_secs(1), &mut pump).await.is_err() {
        pump.abort();
    }
    let status = status?;
    let mut output = std::mem::take(&mut *kept.lock().unwrap_or_else(PoisonError::into_inner));
    if output.len() > RUN_OUTPUT_MAX_BYTES {
        output.truncate(RUN_OUTPUT_MAX_BYTES - CUT_NOTE.len());
        output.extend_from_slice(CUT_NOTE.as_bytes());
    }
    Ok(RunOutcome { exit_code: child::exit_code(status), output: Bytes::from(output) })
}
