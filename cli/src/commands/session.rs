//! Processes that are talked to: `run -it`, `ps:exec`.

use std::io::{IsTerminal as _, Read as _};

use serde_json::{Value, json};
use slipway_client::{Piece, Socket};
use tokio::sync::mpsc;

use crate::context::Context;
use crate::error::{Error, Result};
use crate::{print, terminal};

/// Pieces of what is typed that wait to be sent.
const PIECES: usize = 16;
/// Largest piece of it, in bytes.
const PIECE_BYTES: usize = 16 * 1024;

/// How a process is talked to.
#[derive(Debug, Clone, Copy)]
pub struct Talk {
    /// Whether what is typed goes to it.
    pub has_input: bool,
    /// Whether it gets a terminal.
    pub has_terminal: bool,
}

impl Talk {
    /// As `-i` and `-t` say: a terminal without anybody at it is of no use.
    pub fn asked(has_input: bool, has_terminal: bool) -> Self {
        Self { has_input: has_input || has_terminal, has_terminal }
    }

    /// With a terminal when there is one at this end.
    pub fn usual() -> Self {
        Self { has_input: true, has_terminal: terminal::is_here() }
    }
}

/// Runs `command` over the WebSocket at `path` and ends with its exit code.
pub async fn talk(cx: &Context, path: &str, command: Value, talk: Talk) -> Result {
    if talk.has_terminal && !std::io::stdin().is_terminal() {
        return Err(Error::new("a terminal is asked for, and stdin is none").hint("leave out --tty"));
    }
    let mut socket = cx.socket(path).await?;
    let mut begin = json!({"command": command, "tty": talk.has_terminal, "stdin": talk.has_input});
    if let Some((width, height)) = terminal::size() {
        begin["width"] = width.into();
        begin["height"] = height.into();
    }
    socket.send(Piece::Text(begin.to_string())).await?;
    let raw = if talk.has_terminal { Some(terminal::Raw::enter()?) } else { None };
    let ended = if talk.has_terminal {
        // A terminal in raw mode is of no use to whoever has it next.
        tokio::select! {
            ended = exchange(&mut socket, talk) => ended,
            code = terminal::told_to_end() => Err(Error::Exit(code)),
        }
    } else {
        exchange(&mut socket, talk).await
    };
    drop(raw);
    match ended? {
        0 => Ok(()),
        code => Err(Error::Exit(code)),
    }
}

/// Passes bytes both ways until the process has ended; gives its exit code.
async fn exchange(socket: &mut Socket, talk: Talk) -> Result<i32> {
    let (sender, mut typed) = mpsc::channel(PIECES);
    if talk.has_input {
        // Not a task: reading cannot be given up, and must not hold up the end.
        std::thread::spawn(move || read(&sender));
    } else {
        drop(sender);
    }
    let mut is_typing = talk.has_input;
    let mut resized = terminal::Resized::new();
    loop {
        tokio::select! {
            piece = socket.next() => match piece? {
                Some(Piece::Binary(bytes)) => {
                    if let Some(code) = show(&bytes)? {
                        return Ok(code);
                    }
                }
                Some(Piece::Text(_)) => {}
                None => return Err(Error::new("the connection to the process was lost")),
            },
            bytes = typed.recv(), if is_typing => {
                is_typing = bytes.is_some();
                let message = bytes.map_or_else(|| vec![255, 0], |bytes| on_channel(0, &bytes));
                socket.send(Piece::Binary(message)).await?;
            }
            (width, height) = resized.next(), if talk.has_terminal => {
                let size = json!({"width": width, "height": height}).to_string();
                socket.send(Piece::Binary(on_channel(4, size.as_bytes()))).await?;
            }
        }
    }
}

fn on_channel(channel: u8, bytes: &[u8]) -> Vec<u8> {
    let mut message = vec![channel];
    message.extend_from_slice(bytes);
    message
}

/// Shows a message; gives the exit code when it was the last.
fn show(message: &[u8]) -> Result<Option<i32>> {
    let Some((channel, rest)) = message.split_first() else { return Ok(None) };
    match channel {
        1 => print::raw(rest)?,
        2 => print::raw_to_stderr(rest),
        3 => {
            let end: Value = serde_json::from_slice(rest)
                .map_err(|error| Error::caused("the server's last message cannot be read", &error))?;
            let code = end.get("exit_code").and_then(Value::as_i64).and_then(|code| i32::try_from(code).ok());
            return match code {
                Some(code) => Ok(Some(code)),
                None => Err(Error::new(
                    end.get("detail").and_then(Value::as_str).unwrap_or("the process was lost").to_owned(),
                )),
            };
        }
        _ => {}
    }
    Ok(None)
}

fn read(sender: &mpsc::Sender<Vec<u8>>) {
    let mut buffer = vec![0; PIECE_BYTES];
    let mut stdin = std::io::stdin().lock();
    loop {
        match stdin.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => {
                if sender.blocking_send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_message_tells_the_exit_code_or_what_went_wrong() {
        assert_eq!(show(b"\x03{\"exit_code\": 42}").unwrap(), Some(42));
        assert_eq!(show(b"").unwrap(), None);
        assert_eq!(show(b"\x09x").unwrap(), None);
        for (message, text) in [
            (&b"\x03{\"detail\": \"no\"}"[..], "no"),
            (b"\x03{}", "the process was lost"),
            (b"\x03{", "cannot be read"),
        ] {
            let Err(error) = show(message) else { panic!("{message:?} is no error") };
            assert!(format!("{error:?}").contains(text), "{error:?}");
        }
    }
}
