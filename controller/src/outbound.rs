//! Requests to addresses that users name: registries and webhooks of teams.
//!
//! Names are resolved here, and only public addresses are connected to, so that a name that resolves differently the
//! second time leads nowhere either. Redirects are not followed.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use reqwest::{Client, Url};
use secrecy::ExposeSecret;
use slipway_egress::is_public;
use slipway_service::{WebAnswer, WebCall, WebClient, WebError};

/// Longest body that is read of an answer, in bytes.
const BODY_MAX: usize = 1024 * 1024;
const USER_AGENT: &str = concat!("Slipway/", env!("CARGO_PKG_VERSION"));

/// Makes the requests.
#[derive(Debug)]
pub(crate) struct OutboundClient {
    guarded: Client,
    open: Client,
    is_open_to_all: bool,
    trusted: Vec<String>,
}

/// Gives public addresses only.
#[derive(Debug)]
struct PublicOnly;

/// The error of a name that has private addresses only.
#[derive(Debug, thiserror::Error)]
#[error("private addresses are not allowed")]
struct PrivateAddress;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let public: Vec<SocketAddr> = found.iter().copied().filter(|address| is_public(address.ip())).collect();
            if public.is_empty() && !found.is_empty() {
                return Err(PrivateAddress.into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

impl OutboundClient {
    /// With `is_open_to_all`, private addresses are as good as others; `trusted` are hosts with their ports that are so
    /// in any case.
    pub(crate) fn new(is_open_to_all: bool, trusted: &[String]) -> Result<Self, reqwest::Error> {
        let builder = || {
            let redirect = reqwest::redirect::Policy::none();
            Client::builder().user_agent(USER_AGENT).redirect(redirect).no_proxy().referer(false)
        };
        Ok(Self {
            guarded: builder().dns_resolver(Arc::new(PublicOnly)).build()?,
            open: builder().build()?,
            is_open_to_all,
            trusted: trusted.to_vec(),
        })
    }

    /// The client for an address.
    fn client(&self, url: &Url) -> Result<&Client, WebError> {
        let host = url.host_str().ok_or(WebError::Address)?;
        let with_port = url.port_or_known_default().map(|port| format!("{host}:{port}"));
        let is_trusted = self.trusted.iter().any(|own| own == host || Some(own) == with_port.as_ref());
        if self.is_open_to_all || is_trusted {
            return Ok(&self.open);
        }
        // Nobody resolves an address that is written as such.
        let address: Option<IpAddr> = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
        if address.is_some_and(|address| !is_public(address)) {
            return Err(WebError::Private);
        }
        Ok(&self.guarded)
    }
}

#[async_trait]
impl WebClient for OutboundClient {
    async fn send(&self, call: WebCall) -> Result<WebAnswer, WebError> {
        let WebCall { method, url, authorization, accept, body, media_type, timeout } = call;
        let url: Url = url.expose_secret().parse().map_err(|_| WebError::Address)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(WebError::Address);
        }
        let mut request = self.client(&url)?.request(method, url).timeout(timeout);
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization.expose_secret());
        }
        if let Some(accept) = accept {
            request = request.header(ACCEPT, accept);
        }
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, media_type).body(body);
        }
        let mut answer = request.send().await.map_err(|error| why(&error))?;
        let authenticate = answer.headers().get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok());
        let (status, authenticate) = (answer.status().as_u16(), authenticate.map(str::to_owned));
        let mut body = BytesMut::new();
        while let Some(part) = answer.chunk().await.map_err(|error| why(&error))? {
            let room = BODY_MAX.saturating_sub(body.len());
            body.extend_from_slice(part.get(..room.min(part.len())).unwrap_or_default());
            if body.len() >= BODY_MAX {
                break;
            }
        }
        Ok(WebAnswer { status, authenticate, body: Bytes::from(body) })
    }
}

fn why(error: &reqwest::Error) -> WebError {
    if error.is_timeout() {
        return WebError::Timeout;
    }
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(this) = cause {
        if this.is::<PrivateAddress>() {
            return WebError::Private;
        }
        cause = this.source();
    }
    if error.is_builder() { WebError::Address } else { WebError::Unreachable }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::Method;
    use secrecy::SecretString;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    fn call(url: &str, timeout: Duration) -> WebCall {
        WebCall {
            method: Method::POST,
            url: SecretString::from(url),
            authorization: Some(SecretString::from("Basic x")),
            accept: None,
            body: Some(Bytes::from_static(b"{}")),
            media_type: "application/json",
            timeout,
        }
    }

    /// A server that gives this answer to every connection, and what it was asked last.
    async fn server(answer: &'static str) -> (SocketAddr, tokio::sync::watch::Receiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (sender, receiver) = tokio::sync::watch::channel(String::new());
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut asked = vec![0; 4096];
                let length = stream.read(&mut asked).await.unwrap();
                sender.send_replace(String::from_utf8_lossy(&asked[..length]).to_lowercase());
                stream.write_all(answer.as_bytes()).await.unwrap();
                if answer.is_empty() {
                    std::future::pending::<()>().await;
                }
            }
        });
        (addr, receiver)
    }

    const LONG: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn private_addresses_take_permission() {
        let (addr, asked) =
            server("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nwww-authenticate: Bearer x\r\n\r\nok").await;
        let guarded = OutboundClient::new(false, &[]).unwrap();
        for url in [
            format!("http://{addr}/"),
            format!("http://localhost:{}/", addr.port()),
            "http://[::1]/".to_owned(),
            "https://169.254.169.254/latest".to_owned(),
            "http://0x7f000001/".to_owned(),
        ] {
            assert_eq!(guarded.send(call(&url, LONG)).await.unwrap_err(), WebError::Private, "{url}");
        }
        assert_eq!(*asked.borrow(), "", "nobody was asked");
        let trusting = OutboundClient::new(false, &[addr.to_string()]).unwrap();
        for client in [trusting, OutboundClient::new(true, &[]).unwrap()] {
            let answer = client.send(call(&format!("http://{addr}/"), LONG)).await.unwrap();
            assert_eq!(
                (answer.status, answer.authenticate.as_deref(), &answer.body[..]),
                (200, Some("Bearer x"), &b"ok"[..])
            );
        }
        let asked = asked.borrow().clone();
        assert!(asked.starts_with("post / http/1.1") && asked.contains("authorization: basic x"), "{asked}");
        assert!(asked.contains("content-type: application/json"), "{asked}");
    }

    #[tokio::test]
    async fn redirects_are_answers_and_bad_addresses_are_told() {
        let client = OutboundClient::new(true, &[]).unwrap();
        let (addr, _) =
            server("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n").await;
        assert_eq!(client.send(call(&format!("http://{addr}/"), LONG)).await.unwrap().status, 302);
        let (silent, _) = server("").await;
        let refused = client.send(call(&format!("http://{silent}/"), Duration::from_millis(50))).await.unwrap_err();
        assert_eq!(refused, WebError::Timeout);
        for (url, expect) in [
            ("nonsense", WebError::Address),
            ("file:///etc/passwd", WebError::Address),
            ("http://127.0.0.1:1/", WebError::Unreachable),
        ] {
            assert_eq!(client.send(call(url, LONG)).await.unwrap_err(), expect, "{url}");
        }
    }
}
