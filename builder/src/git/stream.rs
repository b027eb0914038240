//! The two directions of a git conversation, whatever carries it.

use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;

use super::packet::{self, Packet};

/// Why a conversation ended before its time.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The client is no longer there.
    #[error("the client went away")]
    Gone,
    /// The client is there and does nothing.
    #[error("the client was silent for too long")]
    Silent,
    /// What the client says is not git's protocol.
    #[error("protocol error: {0}")]
    Protocol(String),
}

/// What the client takes. Each call waits until there is room on the way to it.
#[async_trait]
pub trait Output: Send + Sync {
    /// Sends bytes of the conversation.
    ///
    /// # Errors
    /// [`StreamError::Gone`] or [`StreamError::Silent`].
    async fn data(&self, bytes: Bytes) -> Result<(), StreamError>;

    /// Sends text for the user's eyes, beside the conversation.
    ///
    /// # Errors
    /// As [`Output::data`].
    async fn error(&self, text: Bytes) -> Result<(), StreamError>;
}

/// What the client sends.
#[derive(Debug)]
pub struct Input {
    receiver: mpsc::Receiver<Bytes>,
    pending: Bytes,
    idle: Duration,
}

impl Input {
    /// Wraps the receiving end; `idle` is how long the client may keep silent while something is awaited.
    #[must_use]
    pub fn new(receiver: mpsc::Receiver<Bytes>, idle: Duration) -> Self {
        Self { receiver, pending: Bytes::new(), idle }
    }

    /// The next bytes, as many as there are; `None` at the end.
    ///
    /// # Errors
    /// [`StreamError::Silent`].
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, StreamError> {
        if !self.pending.is_empty() {
            return Ok(Some(std::mem::take(&mut self.pending)));
        }
        loop {
            match tokio::time::timeout(self.idle, self.receiver.recv()).await {
                Ok(Some(bytes)) if bytes.is_empty() => {}
                Ok(bytes) => return Ok(bytes),
                Err(_) => return Err(StreamError::Silent),
            }
        }
    }

    /// Exactly `count` bytes; `None` if the stream ends before the first of them.
    ///
    /// # Errors
    /// [`StreamError::Silent`], and [`StreamError::Protocol`] if the stream ends amid them.
    pub async fn exactly(&mut self, count: usize) -> Result<Option<Bytes>, StreamError> {
        let mut gathered = BytesMut::new();
        while gathered.len() < count {
            let Some(mut chunk) = self.chunk().await? else {
                if gathered.is_empty() {
                    return Ok(None);
                }
                return Err(StreamError::Protocol("the stream ends amid a packet".to_owned()));
            };
            let wanted = count - gathered.len();
            if chunk.len() > wanted {
                self.pending = chunk.split_off(wanted);
            }
            if chunk.len() == count {
                return Ok(Some(chunk));
            }
            gathered.extend_from_slice(&chunk);
        }
        Ok(Some(gathered.freeze()))
    }

    /// The next packet; `None` at the end.
    ///
    /// # Errors
    /// [`StreamError::Silent`], and [`StreamError::Protocol`] for what is no packet.
    pub async fn packet(&mut self) -> Result<Option<Packet>, StreamError> {
        let Some(head) = self.exactly(4).await? else { return Ok(None) };
        let digits = [head[0], head[1], head[2], head[3]];
        let length =
            packet::payload_length(digits).map_err(|error| StreamError::Protocol(format!("{error}: {digits:?}")))?;
        match length {
            None => Ok(Some(Packet::Flush)),
            Some(0) => Ok(Some(Packet::Data(Bytes::new()))),
            Some(length) => match self.exactly(length).await? {
                Some(payload) => Ok(Some(Packet::Data(payload))),
                None => Err(StreamError::Protocol("the stream ends amid a packet".to_owned())),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(chunks: &[&[u8]]) -> Input {
        let (sender, receiver) = mpsc::channel(chunks.len().max(1));
        for chunk in chunks {
            sender.try_send(Bytes::copy_from_slice(chunk)).unwrap();
        }
        Input::new(receiver, Duration::from_secs(10))
    }

    #[tokio::test]
    async fn packets_cross_chunks() {
        let mut input = input(&[b"00", b"0aab", b"", b"cdef0000000", b"4PACKrest"]);
        assert_eq!(input.packet().await.unwrap(), Some(Packet::Data(Bytes::from_static(b"abcdef"))));
        assert_eq!(input.packet().await.unwrap(), Some(Packet::Flush));
        assert_eq!(input.packet().await.unwrap(), Some(Packet::Data(Bytes::new())));
        assert_eq!(input.chunk().await.unwrap().unwrap(), "PACKrest");
        assert_eq!(input.packet().await.unwrap(), None);
    }

    #[tokio::test]
    async fn an_end_amid_a_packet_is_an_error() {
        for chunks in [&[&b"00"[..]][..], &[b"000a", b"abc"], &[b"000a"]] {
            let error = input(chunks).packet().await.unwrap_err();
            assert!(matches!(error, StreamError::Protocol(_)), "{error}");
        }
    }

    #[tokio::test]
    async fn silence_has_an_end() {
        let (_sender, receiver) = mpsc::channel(1);
        let error = Input::new(receiver, Duration::from_millis(10)).packet().await.unwrap_err();
        assert!(matches!(error, StreamError::Silent));
    }
}
