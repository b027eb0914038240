//! Processes that somebody talks to: `run -it`, `ps:exec`.
//!
//! With a terminal the process leads a session of its own on a pseudo-terminal: what is typed goes through it, so that
//! Ctrl-C and the like mean what the process made of its terminal. Without one there are three pipes. Whoever talked
//! being gone ends the process: its terminal hangs up, or its group gets SIGTERM, and after a grace period SIGKILL.

use std::io;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream};
use slipway_engine::session::{Input, Output};
use slipway_engine::{Attach, EngineError, ExecSpec, RunSpec, Session};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::ChildStdin;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::app::member::Room;
use crate::app::release::{Prepared, unavailable};
use crate::app::{Shared, suffix};
use crate::child::{self, Ends, Running, Talk};
use crate::oneoff::{GRACE, Line, launch, prepared};
use crate::record::Records;

/// Pieces that wait for a process to read, or for somebody to look.
const PIECES: usize = 64;
/// Largest piece, in bytes.
const PIECE_BYTES: usize = 16 * 1024;
/// What a terminal turns into the end of input.
const END_OF_TRANSMISSION: u8 = 4;
/// How long more output is waited for after the process ended, while somebody else may hold it open.
const REST: Duration = Duration::from_secs(1);
/// How long output is passed on in all after the process ended: somebody who looks may be slow to take what there is,
/// and whatever holds it open may write for ever.
const REST_MAX: Duration = Duration::from_mins(1);

/// A process that was begun and is to be talked to.
pub(crate) struct Begun {
    running: Running,
    ends: Ends,
    /// Its files, kept while it runs.
    _files: Arc<Prepared>,
    /// The mark of all that it starts.
    mark: String,
    limit: Option<Duration>,
}

/// Begins a one-off process.
pub(crate) async fn run(shared: &Shared, spec: &RunSpec, attach: Attach) -> Result<Begun, EngineError> {
    let files = Arc::new(prepared(shared, spec).await?);
    let talk = Talk { id: suffix(), attach };
    let line = Line::new(spec, &files.contents)?;
    let launch = launch(shared, spec, &files, &line, Some(&talk));
    let (running, ends) = child::start_talk(&launch, &talk).await.map_err(|error| not_begun(&error))?;
    let mark = launch.mark();
    Ok(Begun { running, ends, _files: files, mark, limit: Some(spec.timeout) })
}

/// Begins a command beside a process of an app.
pub(crate) async fn exec(shared: &Shared, spec: &ExecSpec, room: &Room) -> Result<Begun, EngineError> {
    if spec.command.is_empty() {
        return Err(EngineError::Rejected("a command is needed".to_owned()));
    }
    let talk = Talk { id: suffix(), attach: spec.attach };
    let mark = shared.records.mark_of(spec.app, &talk.id);
    let place = room.place();
    let begun = child::start_beside(&shared.records, spec.app, &spec.command, &place, &mark, &talk);
    let (running, ends) = begun.await.map_err(|error| not_begun(&error))?;
    Ok(Begun { running, ends, _files: Arc::clone(&room.files), mark, limit: None })
}

fn not_begun(error: &io::Error) -> EngineError {
    match error.kind() {
        io::ErrorKind::InvalidInput | io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => {
            EngineError::Rejected(error.to_string())
        }
        _ => unavailable("the process cannot be started", error),
    }
}

/// Makes a session of what was begun; the future carries it, and is to be spawned.
pub(crate) fn session(begun: Begun, canceled: CancellationToken) -> (Session, impl Future<Output = ()> + Send) {
    let (input, typed) = mpsc::channel(PIECES);
    let (sender, shown) = mpsc::channel(PIECES);
    let carry = async move {
        let Begun { running, ends, _files, mark, limit } = begun;
        let end = carry(running, ends, typed, &sender, limit, canceled).await;
        // Jobs of a shell are groups of their own, and may have been left running.
        match tokio::task::spawn_blocking(move || Records::end_marked(&mark)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "processes of a session cannot be ended"),
            Err(error) => tracing::warn!(%error, "processes of a session cannot be ended"),
        }
        // Nobody may be looking any more.
        let _ = sender.send(end).await;
    };
    let output = stream::unfold(shown, |mut shown| async move { shown.recv().await.map(|piece| (piece, shown)) });
    (Session { input, output: output.boxed() }, carry)
}

/// How a session came to its end.
enum End {
    Ended(io::Result<ExitStatus>),
    /// Nobody looks any more.
    Left,
    Canceled,
    TimedOut(Duration),
}

/// Moves bytes both ways until the process has ended, or has to.
async fn carry(
    mut running: Running,
    ends: Ends,
    typed: mpsc::Receiver<Input>,
    output: &mpsc::Sender<Output>,
    limit: Option<Duration>,
    canceled: CancellationToken,
) -> Output {
    let ended = CancellationToken::new();
    let mut copying = Box::pin(copy(ends, typed, output, &ended));
    let mut is_copied = false;
    let up = async {
        match limit {
            Some(limit) => {
                sleep(limit).await;
                limit
            }
            None => std::future::pending().await,
        }
    };
    tokio::pin!(up);
    let end = loop {
        tokio::select! {
            status = running.wait() => break End::Ended(status),
            () = &mut copying, if !is_copied => is_copied = true,
            () = output.closed() => break End::Left,
            () = canceled.cancelled() => break End::Canceled,
            limit = &mut up => break End::TimedOut(limit),
        }
    };
    match end {
        End::Ended(status) => {
            ended.cancel();
            if !is_copied {
                tokio::select! {
                    _ = timeout(REST_MAX, copying) => {}
                    () = output.closed() => {}
                    () = canceled.cancelled() => {}
                }
            }
            match status {
                Ok(status) => Output::Exit(child::exit_code(status)),
                Err(error) => Output::Lost(format!("the process was lost: {error}")),
            }
        }
        end => {
            // A terminal hangs up with that.
            drop(copying);
            if let Err(error) = running.stop(GRACE, std::future::pending()).await {
                tracing::warn!(%error, "a process could not be waited for");
            }
            match end {
                End::TimedOut(limit) => Output::Lost(format!("Timed out ({} s) while running", limit.as_secs())),
                End::Ended(_) | End::Left | End::Canceled => Output::Lost("the process was ended".to_owned()),
            }
        }
    }
}

/// Moves bytes both ways until the output ends, or the process has `ended` and nothing more comes.
async fn copy(ends: Ends, typed: mpsc::Receiver<Input>, output: &mpsc::Sender<Output>, ended: &CancellationToken) {
    match ends {
        Ends::Terminal(terminal) => {
            let reading = async {
                let mut buffer = vec![0; PIECE_BYTES];
                while let count @ 1.. = piece(terminal.read(&mut buffer), ended).await {
                    let piece = Output::Stdout(Bytes::copy_from_slice(&buffer[..count]));
                    if output.send(piece).await.is_err() {
                        return;
                    }
                }
            };
            let typing = async {
                let mut typed = typed;
                while let Some(input) = typed.recv().await {
                    // The process may be gone, which the other end of the conversation tells.
                    let _ = match input {
                        Input::Bytes(bytes) => terminal.write_all(&bytes).await,
                        Input::Resize(size) => terminal.resize(size),
                        Input::End => terminal.write_all(&[END_OF_TRANSMISSION]).await,
                    };
                }
                std::future::pending::<()>().await;
            };
            tokio::select! {
                () = reading => {}
                () = typing => {}
            }
        }
        Ends::Pipes { stdin, stdout, stderr } => {
            let reading = async {
                let stdout = pump(stdout, output, Output::Stdout, ended);
                tokio::join!(stdout, pump(stderr, output, Output::Stderr, ended));
            };
            tokio::select! {
                () = reading => {}
                () = feed(stdin, typed) => {}
            }
        }
    }
}

/// Passes on what is typed; never ends.
async fn feed(mut stdin: Option<ChildStdin>, mut typed: mpsc::Receiver<Input>) {
    while let Some(input) = typed.recv().await {
        match input {
            Input::Bytes(bytes) => {
                if let Some(to) = &mut stdin
                    && to.write_all(&bytes).await.is_err()
                {
                    stdin = None;
                }
            }
            Input::End => stdin = None,
            Input::Resize(_) => {}
        }
    }
    // Whoever typed is gone: what reads its input to the end shall find one.
    drop(stdin);
    std::future::pending::<()>().await;
}

async fn pump(
    reader: Option<impl AsyncRead + Unpin>,
    output: &mpsc::Sender<Output>,
    shown: fn(Bytes) -> Output,
    ended: &CancellationToken,
) {
    let Some(mut reader) = reader else { return };
    let mut buffer = vec![0; PIECE_BYTES];
    while let count @ 1.. = piece(reader.read(&mut buffer), ended).await {
        if output.send(shown(Bytes::copy_from_slice(&buffer[..count]))).await.is_err() {
            return;
        }
    }
}

/// How many bytes are there; 0 at the end. What left the group of a process that has `ended` may hold its output open: it
/// is the end when nothing comes for a while. How long those who look take for what came before is no matter here.
async fn piece(reading: impl Future<Output = io::Result<usize>>, ended: &CancellationToken) -> usize {
    tokio::select! {
        biased;
        count = reading => count.unwrap_or(0),
        () = async {
            ended.cancelled().await;
            sleep(REST).await;
        } => 0,
    }
}
