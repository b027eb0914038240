//! Calls of deploy hooks over HTTP.

use std::time::Duration;

use async_trait::async_trait;
use slipway_service::{HookCall, HookSender};

/// Time that one call may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// What old receivers look for. Source: `drycc-v2.md` §3.7.
const USER_AGENT: &str = concat!("Deis Controller/2.3.0 Slipway/", env!("CARGO_PKG_VERSION"));

/// Makes the calls. The addresses are the operator's own, so they may be private ones.
#[derive(Debug)]
pub(crate) struct HttpSender {
    client: reqwest::Client,
}

impl HttpSender {
    pub(crate) fn new() -> Result<Self, reqwest::Error> {
        // Somebody else's address, which a redirect names, is not the operator's.
        let redirect = reqwest::redirect::Policy::none();
        let client = reqwest::Client::builder().user_agent(USER_AGENT).timeout(TIMEOUT).redirect(redirect).build()?;
        Ok(Self { client })
    }
}

#[async_trait]
impl HookSender for HttpSender {
    async fn send(&self, call: &HookCall) -> Result<u16, String> {
        let mut request = self.client.post(call.url.clone()).header(reqwest::header::CONTENT_LENGTH, 0);
        if let Some(authorization) = &call.authorization {
            request = request.header(reqwest::header::AUTHORIZATION, authorization);
        }
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
