//! WebSockets to the controller.

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use reqwest::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use reqwest::{Method, StatusCode};
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Message, Role};

use crate::{ApiError, Client, ClientError, path};

/// How long nothing may be heard of a controller, which gives a sign of life every 20 s. The network's own end is noticed by
/// the system, but not that of a controller that is stuck, or is behind a proxy that keeps the connection.
const SILENCE_MAX: Duration = Duration::from_mins(1);

/// A message either way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Text.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
}

/// A WebSocket to the controller.
#[derive(Debug)]
pub struct Socket {
    stream: WebSocketStream<reqwest::Upgraded>,
    heard: Instant,
    /// [`SILENCE_MAX`].
    pub(crate) silence_max: Duration,
}

impl Socket {
    /// Sends a message.
    ///
    /// # Errors
    /// [`ClientError::Closed`] when the connection is gone.
    pub async fn send(&mut self, piece: Piece) -> Result<(), ClientError> {
        let message = match piece {
            Piece::Text(text) => Message::text(text),
            Piece::Binary(bytes) => Message::binary(bytes),
        };
        self.stream.send(message).await.map_err(|error| ClientError::Closed(error.to_string()))
    }

    /// The next message; `None` when the controller has ended the connection. Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`ClientError::Closed`] when the connection broke, and when nothing was heard of the controller for a minute.
    pub async fn next(&mut self) -> Result<Option<Piece>, ClientError> {
        loop {
            let next = timeout_at(self.heard + self.silence_max, self.stream.next()).await.map_err(|_| {
                ClientError::Closed(format!("nothing was heard of the controller for {} s", self.silence_max.as_secs()))
            })?;
            self.heard = Instant::now();
            match next {
                Some(Ok(Message::Text(text))) => return Ok(Some(Piece::Text(text.as_str().to_owned()))),
                Some(Ok(Message::Binary(bytes))) => return Ok(Some(Piece::Binary(bytes.to_vec()))),
                Some(Ok(Message::Close(_))) | None => return Ok(None),
                // Signs of life are answered by the stream itself.
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(ClientError::Closed(error.to_string())),
            }
        }
    }
}

impl Client {
    /// Opens a WebSocket. The client must speak HTTP/1 only, see [`crate::ClientBuilder::http1_only`].
    ///
    /// # Errors
    /// [`ClientError::Api`] when the controller refuses; [`ClientError::Closed`] when what answers knows no WebSockets;
    /// otherwise as [`Client::send`].
    pub async fn socket(&self, path: &str) -> Result<Socket, ClientError> {
        let url = path::join(&self.base, path)?;
        let key = generate_key();
        let request = self
            .http
            .request(Method::GET, url)
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, "websocket")
            .header(SEC_WEBSOCKET_VERSION, "13")
            .header(SEC_WEBSOCKET_KEY, &key);
        let response = request.send().await.map_err(|source| self.no_answer(source))?;
        let status = response.status();
        if status == StatusCode::SWITCHING_PROTOCOLS {
            let accept = response.headers().get(SEC_WEBSOCKET_ACCEPT).map(|accept| accept.as_bytes().to_vec());
            if accept != Some(derive_accept_key(key.as_bytes()).into_bytes()) {
                return Err(ClientError::Closed("the answer to the upgrade is not a WebSocket's".to_owned()));
            }
            let upgraded = response.upgrade().await.map_err(|source| self.no_answer(source))?;
            let stream = WebSocketStream::from_raw_socket(upgraded, Role::Client, None).await;
            return Ok(Socket { stream, heard: Instant::now(), silence_max: SILENCE_MAX });
        }
        if status.is_success() {
            return Err(ClientError::Closed("what answers knows no WebSockets".to_owned()));
        }
        let headers = response.headers().clone();
        let body = self.read(response).await?;
        Err(ClientError::Api(Box::new(ApiError::new(status, headers, &body))))
    }
}
