//! The server's words in a push: the advertisement, the side bands, the report.
//!
//! Source: git's Documentation/gitprotocol-pack, "Pushing Data To a Server", and gitprotocol-capabilities.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use git2::Oid;

use super::command::{Command, PushRequest};
use super::packet;
use super::stream::{Output, StreamError};

/// What we can do. `push-options` are left out until something uses them.
const CAPABILITIES: &str = concat!(
    "report-status delete-refs side-band-64k ofs-delta atomic quiet object-format=sha1 agent=slipway/",
    env!("CARGO_PKG_VERSION")
);

/// What the server says first: every ref, with the capabilities behind the first.
#[must_use]
pub fn advertisement(refs: &BTreeMap<String, Oid>) -> Bytes {
    let mut out = BytesMut::new();
    let mut capabilities = Some(CAPABILITIES);
    for (name, id) in refs {
        let line = match capabilities.take() {
            Some(capabilities) => format!("{id} {name}\0{capabilities}\n"),
            None => format!("{id} {name}\n"),
        };
        packet::put(&mut out, line.as_bytes());
    }
    if let Some(capabilities) = capabilities {
        packet::put(&mut out, format!("{} capabilities^{{}}\0{capabilities}\n", Oid::ZERO_SHA1).as_bytes());
    }
    out.extend_from_slice(packet::FLUSH);
    out.freeze()
}

/// A refusal before anything else is said; the client shows it as `fatal: remote error: …`.
#[must_use]
pub fn refusal(reason: &str) -> Bytes {
    let mut out = BytesMut::new();
    packet::put(&mut out, format!("ERR {reason}\n").as_bytes());
    out.freeze()
}

/// The way back to the pusher once the request is read.
#[derive(Clone)]
pub struct Reply {
    output: Arc<dyn Output>,
    has_side_band: bool,
    has_report: bool,
}

impl Reply {
    /// Answers in the way that the client chose.
    #[must_use]
    pub fn new(output: Arc<dyn Output>, request: &PushRequest) -> Self {
        Self { output, has_side_band: request.has("side-band-64k"), has_report: request.has("report-status") }
    }

    /// Shows text to the pusher.
    ///
    /// # Errors
    /// [`StreamError`].
    pub async fn progress(&self, text: &[u8]) -> Result<(), StreamError> {
        if text.is_empty() {
            return Ok(());
        }
        if !self.has_side_band {
            return self.output.error(Bytes::copy_from_slice(text)).await;
        }
        let mut out = BytesMut::new();
        packet::put_band(&mut out, 2, text);
        self.output.data(out.freeze()).await
    }

    /// Shows a line to the pusher.
    ///
    /// # Errors
    /// [`StreamError`].
    pub async fn line(&self, text: &str) -> Result<(), StreamError> {
        self.progress(format!("{text}\n").as_bytes()).await
    }

    /// Ends the push with what became of each command.
    ///
    /// # Errors
    /// [`StreamError`].
    pub async fn report(
        &self,
        unpack: Result<(), &str>,
        commands: &[Command],
        outcomes: &[Result<(), String>],
    ) -> Result<(), StreamError> {
        if !self.has_report {
            return Ok(());
        }
        let mut report = BytesMut::new();
        packet::put(&mut report, format!("unpack {}\n", unpack.err().unwrap_or("ok")).as_bytes());
        for (command, outcome) in commands.iter().zip(outcomes) {
            let mut line = Vec::new();
            match outcome {
                Ok(()) => {
                    line.extend_from_slice(b"ok ");
                    line.extend_from_slice(&command.raw_name);
                }
                Err(reason) => {
                    line.extend_from_slice(b"ng ");
                    line.extend_from_slice(&command.raw_name);
                    line.push(b' ');
                    line.extend_from_slice(reason.replace('\n', " ").as_bytes());
                }
            }
            line.push(b'\n');
            packet::put(&mut report, &line);
        }
        report.extend_from_slice(packet::FLUSH);
        let mut out = BytesMut::new();
        if self.has_side_band {
            packet::put_band(&mut out, 1, &report);
            out.extend_from_slice(packet::FLUSH);
        } else {
            out = report;
        }
        self.output.data(out.freeze()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_stand_behind_the_first_line() {
        let empty = advertisement(&BTreeMap::new());
        let length = packet::payload_length(empty[..4].try_into().unwrap()).unwrap().unwrap();
        assert_eq!(empty.len(), 4 + length + packet::FLUSH.len());
        assert!(String::from_utf8_lossy(&empty).contains(" capabilities^{}\0report-status "));
        let id = Oid::from_str("1111111111111111111111111111111111111111").unwrap();
        let refs = BTreeMap::from([("refs/heads/a".to_owned(), id), ("refs/heads/b".to_owned(), id)]);
        let text = String::from_utf8_lossy(&advertisement(&refs)).into_owned();
        assert_eq!(text.matches('\0').count(), 1);
        assert!(text.ends_with(&format!("003a{id} refs/heads/b\n0000")), "{text}");
    }

    #[test]
    fn refusals_are_one_packet() {
        assert_eq!(refusal("Another git push is ongoing"), "0024ERR Another git push is ongoing\n");
    }
}
