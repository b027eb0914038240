//! One channel: waits for what the client wants, runs it, tells how it ended.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::FutureExt;
use russh::server::{Handle, Msg};
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use slipway_core::Username;
use tokio::sync::mpsc;

use super::exec::{self, Exec};
use crate::git::stream::{Input, Output, StreamError};
use crate::push::Pushes;

/// SSH's number for standard error. Source: RFC 4254 §5.2.
const STDERR: u32 = 1;
/// How long the client may take to take in the exit status.
const FAREWELL: Duration = Duration::from_secs(10);

/// The client's end of a channel.
struct ChannelOutput {
    channel: ChannelWriteHalf<Msg>,
    idle: Duration,
}

impl ChannelOutput {
    async fn send(&self, sending: impl Future<Output = Result<(), russh::Error>>) -> Result<(), StreamError> {
        match tokio::time::timeout(self.idle, sending).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(StreamError::Gone),
            Err(_) => Err(StreamError::Silent),
        }
    }
}

#[async_trait]
impl Output for ChannelOutput {
    async fn data(&self, bytes: Bytes) -> Result<(), StreamError> {
        self.send(self.channel.data_bytes(bytes)).await
    }

    async fn error(&self, text: Bytes) -> Result<(), StreamError> {
        self.send(self.channel.extended_data_bytes(STDERR, text)).await
    }
}

/// Serves a channel in a task of its own, which ends with the channel or the connection.
pub fn spawn(channel: Channel<Msg>, session: Handle, user: Username, pushes: Pushes) {
    tokio::spawn(async move {
        let (mut from_client, to_client) = channel.split();
        let id = to_client.id();
        let output = Arc::new(ChannelOutput { channel: to_client, idle: pushes.limits.idle });
        let command = loop {
            match from_client.wait().await {
                Some(ChannelMsg::Exec { command, .. }) => break Some(command),
                Some(ChannelMsg::RequestShell { .. }) => break None,
                Some(ChannelMsg::Close) | None => return,
                // Requests were answered in the order they came, see `handler`; data before a command is nobody's.
                Some(_) => {}
            }
        };
        let (sender, receiver) = mpsc::channel(64);
        let input = Input::new(receiver, pushes.limits.idle);
        let work = run(command, &user, &pushes, input, Arc::clone(&output) as Arc<dyn Output>);
        let status = tokio::select! {
            // A panic ends this command alone.
            status = std::panic::AssertUnwindSafe(work).catch_unwind() => status.unwrap_or_else(|_| {
                tracing::error!(user = %user, "a command panicked");
                1
            }),
            () = pump(&mut from_client, sender) => {
                tracing::info!(user = %user, "the client went away amid a command");
                return;
            }
        };
        let farewell = async {
            let _ = session.exit_status_request(id, status).await;
            let _ = session.eof(id).await;
            let _ = session.close(id).await;
            // A client that is still sending reads the end only if we go on taking what it sends.
            while !matches!(from_client.wait().await, Some(ChannelMsg::Close) | None) {}
        };
        let _ = tokio::time::timeout(FAREWELL, farewell).await;
    });
}

/// Hands on what the client sends, and throws it away when nobody takes it; returns when the client is gone.
///
/// It must go on reading whatever happens: russh's session waits for it.
async fn pump(from_client: &mut ChannelReadHalf, sender: mpsc::Sender<Bytes>) {
    let mut sender = Some(sender);
    while let Some(message) = from_client.wait().await {
        match message {
            ChannelMsg::Data { data } => {
                if let Some(open) = &sender
                    && open.send(data).await.is_err()
                {
                    sender = None;
                }
            }
            ChannelMsg::Eof => sender = None,
            ChannelMsg::Close => return,
            _ => {}
        }
    }
}

async fn run(
    command: Option<Vec<u8>>,
    user: &Username,
    pushes: &Pushes,
    mut input: Input,
    output: Arc<dyn Output>,
) -> u32 {
    let Some(command) = command else {
        let text = format!(
            "Hi {user}! You are known here, but there is no shell access.\n\
             Deploy with 'git push slipway main'; run commands with 'slipway run'.\n"
        );
        let _ = output.error(Bytes::from(text.replace('\n', "\r\n"))).await;
        return 1;
    };
    match exec::parse(&command) {
        Ok(Exec::Ping) => u32::from(output.data(Bytes::from_static(b"pong\n")).await.is_err()),
        Ok(Exec::ReceivePack(path)) => {
            let status = pushes.receive_pack(user, &path, &mut input, output).await;
            // What is left of a refused pack must be taken, or the client never gets to read why.
            drop(input);
            status
        }
        Ok(Exec::UploadPack(path)) => pushes.upload_pack(user, &path, &mut input, output).await,
        Err(error) => {
            tracing::info!(user = %user, "command refused: {error}");
            let _ = output.error(Bytes::from(format!("{error}\n"))).await;
            1
        }
    }
}
