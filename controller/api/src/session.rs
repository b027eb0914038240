//! Interactive processes over a WebSocket.
//!
//! The client begins with one text message, JSON: what is to be run, and how (see [`Begin`]). Then both sides send
//! binary messages, the first byte of which is a channel, as on Kubernetes:
//!
//! | byte | from | what follows |
//! |---|---|---|
//! | 0 | client | bytes for stdin |
//! | 1 | server | bytes of stdout; with a terminal, of both |
//! | 2 | server | bytes of stderr |
//! | 3 | server | JSON: `{"exit_code": 0}`, or `{"detail": "…"}` when it could not be begun or was lost; the last message |
//! | 4 | client | JSON: `{"width": 80, "height": 24}` |
//! | 255 | client | `0`: nothing more will be typed |

use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use poem::web::websocket::{Message, WebSocket, WebSocketConfig, WebSocketStream};
use poem::{FromRequest, IntoResponse, Request, RequestBody, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use slipway_core::{Error, Result};
use slipway_engine::session::{Input, Output, TerminalSize};
use slipway_engine::{Attach, Session};
use tokio_util::sync::CancellationToken;

/// Time in which the first message must have come.
const BEGIN_MAX: Duration = Duration::from_secs(30);
/// Pause between two signs of life, so that proxies keep the connection.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// Longest message of a client, in bytes.
const MESSAGE_MAX: usize = 1024 * 1024;
/// Lines and columns of a terminal that says nothing.
const SIZE: TerminalSize = TerminalSize { columns: 80, rows: 24 };

/// The first message of a client.
#[derive(Debug, Deserialize)]
pub struct Begin {
    /// What is run: a list of words, or a line for the app's shell where the route takes one.
    pub command: Command,
    /// Whether it gets a terminal. Default: no.
    #[serde(default)]
    tty: bool,
    /// Whether something will be typed. Default: yes.
    #[serde(default = "yes")]
    stdin: bool,
    /// Columns of the terminal. Default 80.
    width: Option<u16>,
    /// Lines of the terminal. Default 24.
    height: Option<u16>,
}

/// What is run.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Command {
    /// A line.
    Line(String),
    /// A program and its arguments.
    Words(Vec<String>),
}

#[derive(Deserialize)]
struct Size {
    width: u16,
    height: u16,
}

const fn yes() -> bool {
    true
}

impl Begin {
    /// How the process is talked to.
    #[must_use]
    pub fn attach(&self) -> Attach {
        let size = TerminalSize {
            columns: self.width.unwrap_or(SIZE.columns).max(1),
            rows: self.height.unwrap_or(SIZE.rows).max(1),
        };
        Attach { terminal: self.tty.then_some(size), has_input: self.stdin }
    }
}

/// The WebSocket that a request asks for, if it does.
pub(crate) async fn socket(request: &Request) -> Option<WebSocket> {
    WebSocket::from_request(request, &mut RequestBody::default()).await.ok()
}

/// Answers with a session that `begin` makes of the client's first message.
pub(crate) fn answer<F, Fut>(socket: Option<Box<WebSocket>>, shutdown: CancellationToken, begin: F) -> Result<Response>
where
    F: FnOnce(Begin) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Session>> + Send + 'static,
{
    let socket =
        socket.ok_or_else(|| Error::Rejected("this is for WebSockets: ask for an upgrade to one".to_owned()))?;
    let config = WebSocketConfig::default().max_message_size(Some(MESSAGE_MAX)).max_frame_size(Some(MESSAGE_MAX));
    let upgraded = socket.config(config).on_upgrade(move |mut stream| async move {
        let talk = talk(&mut stream, begin);
        let end = tokio::select! {
            end = talk => end,
            () = shutdown.cancelled() => Some(json!({"detail": "the platform is being stopped"})),
        };
        if let Some(end) = end {
            // The client may be gone.
            let _ = stream.send(message(3, end.to_string().as_bytes())).await;
        }
        let _ = stream.close().await;
    });
    Ok(upgraded.into_response())
}

fn message(channel: u8, bytes: &[u8]) -> Message {
    let mut message = Vec::with_capacity(bytes.len() + 1);
    message.push(channel);
    message.extend_from_slice(bytes);
    Message::binary(message)
}

fn detail(error: &Error) -> Value {
    match error {
        Error::Internal { context } => {
            tracing::error!(context, "an interactive process could not be begun");
            json!({"detail": "Internal server error."})
        }
        error => json!({"detail": error.to_string()}),
    }
}

/// Talks until either side ends; gives the last message, unless the client is gone.
async fn talk<F, Fut>(stream: &mut WebSocketStream, begin: F) -> Option<Value>
where
    F: FnOnce(Begin) -> Fut,
    Fut: Future<Output = Result<Session>>,
{
    let first = tokio::time::timeout(BEGIN_MAX, first(stream)).await;
    let begun: Begin = match first {
        Ok(Some(text)) => match serde_json::from_str(&text) {
            Ok(begun) => begun,
            Err(error) => return Some(json!({"detail": format!("the first message is not as it should be: {error}")})),
        },
        Ok(None) => return None,
        Err(_) => return Some(json!({"detail": "no command came in time"})),
    };
    let session = match begin(begun).await {
        Ok(session) => session,
        Err(error) => return Some(detail(&error)),
    };
    let Session { input, mut output } = session;
    let mut ping = tokio::time::interval(PING_INTERVAL);
    loop {
        // What is typed waits while the process does not read; what it prints is passed on all the same.
        let room = input.reserve();
        tokio::select! {
            piece = output.next() => {
                let piece = match piece {
                    Some(Output::Stdout(bytes)) => message(1, &bytes),
                    Some(Output::Stderr(bytes)) => message(2, &bytes),
                    Some(Output::Exit(exit_code)) => return Some(json!({"exit_code": exit_code})),
                    Some(Output::Lost(reason)) => return Some(json!({"detail": reason})),
                    None => return Some(json!({"detail": "the process was lost"})),
                };
                if stream.send(piece).await.is_err() {
                    return None;
                }
            }
            _ = ping.tick() => {
                if stream.send(Message::ping(Vec::new())).await.is_err() {
                    return None;
                }
            }
            typed = async {
                // Without a reader the rest is dropped; the output tells how it ended.
                let room = room.await.ok();
                (stream.next().await, room)
            } => match typed {
                (Some(Ok(message)), room) => match command(message) {
                    Some(Ok(command)) => if let Some(room) = room {
                        room.send(command);
                    },
                    Some(Err(reason)) => return Some(json!({"detail": reason})),
                    None => {}
                },
                (None | Some(Err(_)), _) => return None,
            },
        }
    }
}

async fn first(stream: &mut WebSocketStream) -> Option<String> {
    while let Some(Ok(message)) = stream.next().await {
        match message {
            Message::Text(text) => return Some(text),
            Message::Binary(bytes) => return String::from_utf8(bytes).ok(),
            Message::Close(_) => return None,
            Message::Ping(_) | Message::Pong(_) => {}
        }
    }
    None
}

/// What a message means; `None` for nothing.
fn command(message: Message) -> Option<Result<Input, &'static str>> {
    let bytes = match message {
        Message::Text(text) => return Some(Ok(Input::Bytes(text.into()))),
        Message::Binary(bytes) => Bytes::from(bytes),
        Message::Close(_) | Message::Ping(_) | Message::Pong(_) => return None,
    };
    let (channel, rest) = (*bytes.first()?, bytes.slice(1..));
    Some(match channel {
        0 => Ok(Input::Bytes(rest)),
        4 => match serde_json::from_slice::<Size>(&rest) {
            Ok(size) => Ok(Input::Resize(TerminalSize { columns: size.width.max(1), rows: size.height.max(1) })),
            Err(_) => Err("a size must be JSON with width and height"),
        },
        255 if rest.as_ref() == [0] => Ok(Input::End),
        _ => Err("a message is on a channel that is not there"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_and_bad_ones_refused() {
        let read = |bytes: &[u8]| command(Message::binary(bytes));
        assert_eq!(read(b"\0abc"), Some(Ok(Input::Bytes("abc".into()))));
        let size = TerminalSize { columns: 100, rows: 1 };
        assert_eq!(read(b"\x04{\"width\":100,\"height\":0}"), Some(Ok(Input::Resize(size))));
        assert_eq!(read(b"\xff\0"), Some(Ok(Input::End)));
        assert_eq!(read(b""), None);
        for bad in [&b"\x04{}"[..], b"\x04{\"width\":-1,\"height\":70000}", b"\xff", b"\xff\x01", b"\x07x"] {
            assert!(matches!(read(bad), Some(Err(_))), "{bad:?}");
        }
        assert_eq!(command(Message::text("a")), Some(Ok(Input::Bytes("a".into()))));
    }

    #[test]
    fn the_first_message_says_how() {
        let begin: Begin = serde_json::from_value(json!({"command": ["ls", "-l"], "tty": true, "width": 0})).unwrap();
        let size = TerminalSize { columns: 1, rows: 24 };
        assert_eq!(begin.attach(), Attach { terminal: Some(size), has_input: true });
        let begin: Begin = serde_json::from_value(json!({"command": "ls", "stdin": false})).unwrap();
        assert_eq!(begin.attach(), Attach { terminal: None, has_input: false });
        for bad in [json!({}), json!({"command": 1}), json!({"command": "x", "width": 70000}), json!([])] {
            assert!(serde_json::from_value::<Begin>(bad.clone()).is_err(), "{bad}");
        }
    }
}
