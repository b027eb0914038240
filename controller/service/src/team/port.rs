//! What use cases about teams need of the world: mail, and requests to addresses that users name.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use secrecy::SecretString;

/// A mail to one person, as plain text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The address, already checked for its form.
    pub to: String,
    /// One line.
    pub subject: String,
    /// The text. It may hold a code that is a secret of the receiver's.
    pub text: String,
}

/// Sends mail.
#[async_trait]
pub trait Mailer: Send + Sync + 'static {
    /// Sends one mail.
    ///
    /// # Errors
    /// Why it was not taken, for the operator; without its text.
    async fn send(&self, mail: &Mail) -> Result<(), String>;
}

/// The media type of most bodies.
pub(crate) const JSON: &str = "application/json";

/// A request to an address that a user named.
#[derive(Debug, Clone)]
pub struct WebCall {
    /// `GET` or `POST`.
    pub method: http::Method,
    /// The whole address. It may be a secret, as those of webhooks are.
    pub url: SecretString,
    /// The value of the header `Authorization`.
    pub authorization: Option<SecretString>,
    /// The value of the header `Accept`.
    pub accept: Option<&'static str>,
    /// What is to be sent.
    pub body: Option<Bytes>,
    /// What the body is.
    pub media_type: &'static str,
    /// Time that the whole may take.
    pub timeout: Duration,
}

/// The answer to a [`WebCall`].
#[derive(Debug, Clone)]
pub struct WebAnswer {
    /// The status.
    pub status: u16,
    /// The header `WWW-Authenticate`.
    pub authenticate: Option<String>,
    /// The body, cut where it would be too long for any answer that is understood.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WebError {
    /// The address is none, or of a scheme that is not offered.
    #[error("the address is no http or https URL")]
    Address,
    /// The host is at a private address, and those are not allowed.
    #[error("the host is at a private address, which is not allowed")]
    Private,
    /// It took too long.
    #[error("the host did not answer in time")]
    Timeout,
    /// The host is not known, refuses connections, or its certificate is no good.
    #[error("the host cannot be reached")]
    Unreachable,
}

/// Makes requests to addresses that users name. It follows no redirects, for those could lead anywhere.
#[async_trait]
pub trait WebClient: Send + Sync + 'static {
    /// Makes one request.
    ///
    /// # Errors
    /// [`WebError`].
    async fn send(&self, call: WebCall) -> Result<WebAnswer, WebError>;
}

/// A client that reaches nobody, where none was set up.
pub(crate) struct NoWeb;

#[async_trait]
impl WebClient for NoWeb {
    async fn send(&self, _call: WebCall) -> Result<WebAnswer, WebError> {
        Err(WebError::Unreachable)
    }
}
