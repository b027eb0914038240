//! Calls of hooks over HTTP.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header;
use slipway_egress::is_public;
use slipway_service::{HookCall, HookReach, HookSender};
use url::Host;

/// Why an address of a user's is not called.
const PRIVATE: &str = "private addresses are not called";

/// Time that one call may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// What old receivers look for. Source: `drycc-v2.md` §3.7.
const USER_AGENT: &str = concat!("Deis Controller/2.3.0 Slipway/", env!("CARGO_PKG_VERSION"));

/// Makes the calls. The operator's addresses may be private ones, users' may not unless the operator says so.
#[derive(Debug)]
pub(crate) struct HttpSender {
    operator: reqwest::Client,
    user: reqwest::Client,
    is_private_allowed: bool,
}

/// Resolves names to public addresses only; what is connected to is what was looked at.
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| is_public(address.ip())).collect();
            if public.is_empty() { Err(PRIVATE.into()) } else { Ok(Box::new(public.into_iter()) as Addrs) }
        })
    }
}

impl HttpSender {
    pub(crate) fn new(is_private_allowed: bool) -> Result<Self, reqwest::Error> {
        // Somebody else's address, which a redirect names, is not the one that was asked for.
        let client = || {
            let redirect = reqwest::redirect::Policy::none();
            reqwest::Client::builder().user_agent(USER_AGENT).timeout(TIMEOUT).redirect(redirect)
        };
        // A proxy would resolve names itself.
        let user = client().no_proxy();
        let user = if is_private_allowed { user } else { user.dns_resolver(Arc::new(PublicOnly)) };
        Ok(Self { operator: client().build()?, user: user.build()?, is_private_allowed })
    }

    /// Whether an address is a number that must not be called; names are looked at when they are resolved.
    fn is_refused(&self, call: &HookCall) -> bool {
        let address = match call.url.host() {
            Some(Host::Ipv4(v4)) => Some(IpAddr::V4(v4)),
            Some(Host::Ipv6(v6)) => Some(IpAddr::V6(v6)),
            Some(Host::Domain(_)) | None => None,
        };
        call.reach == HookReach::Public
            && !self.is_private_allowed
            && address.is_some_and(|address| !is_public(address))
    }
}

#[async_trait]
impl HookSender for HttpSender {
    async fn send(&self, call: &HookCall) -> Result<u16, String> {
        if self.is_refused(call) {
            return Err(PRIVATE.to_owned());
        }
        let client = match call.reach {
            HookReach::Anywhere => &self.operator,
            HookReach::Public => &self.user,
        };
        let mut request = client.post(call.url.clone());
        if let Some(authorization) = &call.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        request = match &call.body {
            Some(body) => request.header(header::CONTENT_TYPE, "application/json").body(body.clone()),
            None => request.header(header::CONTENT_LENGTH, 0),
        };
        match request.send().await {
            Ok(answer) => Ok(answer.status().as_u16()),
            Err(error) => Err(reason(&error.without_url())),
        }
    }
}

/// The last cause says what happened, and names no address.
fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", TIMEOUT.as_secs());
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    fn call(url: &str, reach: HookReach) -> HookCall {
        HookCall { url: url.parse().unwrap(), authorization: None, headers: Vec::new(), body: None, reach }
    }

    #[tokio::test]
    async fn private_addresses_of_users_are_not_called() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let sender = HttpSender::new(false).unwrap();
        for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1"] {
            let error = sender.send(&call(&format!("http://{host}:{port}/"), HookReach::Public)).await.unwrap_err();
            assert_eq!(error, PRIVATE, "{host}");
        }
        let untouched = tokio::time::timeout(Duration::from_millis(1), listener.accept()).await;
        assert!(untouched.is_err(), "nobody connected");
    }

    #[tokio::test]
    async fn redirects_are_not_followed() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = [0; 4096];
            let read = stream.read(&mut head).await.unwrap();
            assert!(read > 0);
            let answer = format!("HTTP/1.1 302 Found\r\nLocation: http://{address}/other\r\nContent-Length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
            // A second connection would be one too many.
            tokio::time::timeout(Duration::from_millis(50), listener.accept()).await.is_err()
        });
        let sender = HttpSender::new(true).unwrap();
        let status = sender.send(&call(&format!("http://{address}/"), HookReach::Public)).await.unwrap();
        assert_eq!(status, 302);
        assert!(serving.await.unwrap());
    }
}
