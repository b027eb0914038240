//! Commands inside of pods, with or without a terminal.
//!
//! On clusters before 1.30 the API server cannot be told that nothing more is typed without ending the connection: there
//! a command without terminal ends with its input. With a terminal the end of input is the character for it, as at
//! any terminal.

use bytes::Bytes;
use futures::channel::mpsc as resize;
use futures::{SinkExt, StreamExt, stream};
use k8s_openapi::api::core::v1::Pod as ApiPod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::Client;
use kube::api::{Api, AttachParams, AttachedProcess, TerminalSize as KubeSize};
use slipway_engine::session::{Input, Output, TerminalSize};
use slipway_engine::{Attach, EngineError, ExecSpec, Session};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::index::Index;
use crate::pod::Phase;

/// Pieces that wait for a process to read, or for somebody to look.
const PIECES: usize = 64;
/// Largest piece, in bytes.
const PIECE_BYTES: usize = 16 * 1024;
/// What a terminal turns into the end of input.
const END_OF_TRANSMISSION: u8 = 4;

/// Runs a command inside of a pod of the app.
///
/// # Errors
/// `Missing` when there is no such pod, `Rejected` when it does not run or the command is empty, `Unavailable` when the
/// cluster does not let the command begin.
pub async fn exec(client: &Client, index: &Index, spec: &ExecSpec) -> Result<Session, EngineError> {
    if spec.command.is_empty() {
        return Err(EngineError::Rejected("a command is needed".to_owned()));
    }
    let objects = index.app(&spec.name);
    let pod = objects.pods.iter().find(|pod| *pod.name == *spec.pod);
    let pod = pod.ok_or_else(|| EngineError::Missing(format!("process {}", spec.pod)))?;
    if pod.phase != Phase::Running || pod.is_deleting {
        return Err(EngineError::Rejected(format!("process {} does not run", spec.pod)));
    }
    let api: Api<ApiPod> = Api::namespaced(client.clone(), spec.name.as_str());
    let params = params(spec.attach, &pod.container);
    let attached = api.exec(&pod.name, spec.command.iter().map(String::as_str), &params).await;
    let mut attached = attached.map_err(|error| unavailable("the command cannot be begun", &error))?;
    let status = attached.take_status();
    let (input, commands) = mpsc::channel(PIECES);
    let (sender, output) = mpsc::channel(PIECES);
    let attach = spec.attach;
    let task = tokio::spawn(async move {
        transfer(attached, attach, commands, &sender).await;
        let status = match status {
            Some(status) => status.await,
            None => None,
        };
        // Nobody may be looking any more.
        let _ = sender.send(end_of(status)).await;
    });
    Ok(session(input, output, AbortOnDropHandle::new(task)))
}

/// A session over channels; dropping it ends `task`.
pub(crate) fn session(
    input: mpsc::Sender<Input>,
    output: mpsc::Receiver<Output>,
    task: AbortOnDropHandle<()>,
) -> Session {
    let output = stream::unfold((output, task), |(mut output, task)| async move {
        output.recv().await.map(|piece| (piece, (output, task)))
    });
    Session { input, output: output.boxed() }
}

/// How the API server is to attach.
pub(crate) fn params(attach: Attach, container: &str) -> AttachParams {
    AttachParams::default()
        .container(container)
        .stdin(attach.has_input)
        .stdout(true)
        // A terminal has one way out.
        .stderr(attach.terminal.is_none())
        .tty(attach.terminal.is_some())
        .max_stdin_buf_size(PIECE_BYTES)
        .max_stdout_buf_size(PIECE_BYTES)
        .max_stderr_buf_size(PIECE_BYTES)
}

/// Moves bytes both ways until the output ends.
pub(crate) async fn transfer(
    mut attached: AttachedProcess,
    attach: Attach,
    mut commands: mpsc::Receiver<Input>,
    output: &mpsc::Sender<Output>,
) {
    let mut sizes = attached.terminal_size();
    if let (Some(sizes), Some(size)) = (&mut sizes, attach.terminal) {
        resized(sizes, size).await;
    }
    let mut stdin = attached.stdin();
    let typing = async {
        while let Some(command) = commands.recv().await {
            match command {
                Input::Bytes(bytes) => {
                    if let Some(stdin) = &mut stdin
                        && stdin.write_all(&bytes).await.is_err()
                    {
                        break;
                    }
                }
                Input::Resize(size) => {
                    if let Some(sizes) = &mut sizes {
                        resized(sizes, size).await;
                    }
                }
                Input::End => match (&mut stdin, attach.terminal) {
                    (Some(stdin), Some(_)) => {
                        // The process may be gone.
                        let _ = stdin.write_all(&[END_OF_TRANSMISSION]).await;
                    }
                    (Some(_), None) => stdin = None,
                    (None, _) => {}
                },
            }
        }
        // Whoever typed is gone, which alone ends nothing: sizes and input stay open.
        std::future::pending::<()>().await;
    };
    let (stdout, stderr) = (attached.stdout(), attached.stderr());
    let reading = async {
        tokio::join!(pump(stdout, output, Output::Stdout), pump(stderr, output, Output::Stderr));
    };
    tokio::select! {
        () = reading => {}
        () = typing => {}
    }
    drop(attached);
}

async fn resized(sizes: &mut resize::Sender<KubeSize>, size: TerminalSize) {
    // The process may be gone.
    let _ = sizes.send(KubeSize { width: size.columns, height: size.rows }).await;
}

async fn pump(reader: Option<impl AsyncRead + Unpin>, output: &mpsc::Sender<Output>, piece: fn(Bytes) -> Output) {
    let Some(mut reader) = reader else { return };
    let mut buffer = vec![0; PIECE_BYTES];
    while let Ok(count) = reader.read(&mut buffer).await {
        if count == 0 || output.send(piece(Bytes::copy_from_slice(&buffer[..count]))).await.is_err() {
            return;
        }
    }
}

/// How a command ended. Source: Kubernetes, `remotecommand` protocol v4.
fn end_of(status: Option<Status>) -> Output {
    let Some(status) = status else { return Output::Lost("the connection to the process was lost".to_owned()) };
    if status.status.as_deref() == Some("Success") {
        return Output::Exit(0);
    }
    let causes = status.details.as_ref().and_then(|details| details.causes.as_deref()).unwrap_or_default();
    let code = causes.iter().find(|cause| cause.reason.as_deref() == Some("ExitCode"));
    match code.and_then(|cause| cause.message.as_deref()?.parse().ok()) {
        Some(code) => Output::Exit(code),
        None => Output::Lost(status.message.unwrap_or_else(|| "the command could not be run".to_owned())),
    }
}

pub(crate) fn unavailable(public: &str, error: &kube::Error) -> EngineError {
    match error {
        kube::Error::Api(status) if (400..500).contains(&status.code) && status.code != 429 => {
            EngineError::Rejected(format!("{public}: {}", status.message))
        }
        error => EngineError::Unavailable { public: public.to_owned(), context: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn exit_codes_are_read_from_statuses() {
        let status = |value| Some(serde_json::from_value(value).unwrap());
        assert_eq!(end_of(status(json!({"status": "Success"}))), Output::Exit(0));
        let failed = json!({"status": "Failure", "reason": "NonZeroExitCode", "message": "command terminated",
            "details": {"causes": [{"reason": "ExitCode", "message": "42"}]}});
        assert_eq!(end_of(status(failed)), Output::Exit(42));
        let broken = json!({"status": "Failure", "message": "no such file"});
        assert_eq!(end_of(status(broken)), Output::Lost("no such file".to_owned()));
        assert!(matches!(end_of(None), Output::Lost(_)));
    }
}
