//! The builder's side of the controller's hooks. Source: `drycc-v2.md` §5.3; calls marked so are Slipway's own.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use slipway_wire::drycc_v2::{Config, hook};
use url::Url;

/// Header that carries the builder's key. The controller also takes `X-Drycc-Builder-Auth` and `X-Deis-Builder-Auth`.
pub const BUILDER_KEY_HEADER: &str = "X-Slipway-Builder-Auth";

/// How long an ordinary call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);
/// How long one that writes a build and a release may take.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(90);
/// Longest answer that is read.
const ANSWER_MAX_BYTES: usize = 16 * 1024 * 1024;
/// What every controller of the API says about itself in every answer, a refusal too. Source: `drycc-v2.md` §1.3.
const SIGNS_OF_A_CONTROLLER: [&str; 2] = ["deis_api_version", "drycc_api_version"];
/// Most bytes of a refusal's body that are passed on.
const REFUSAL_MAX_BYTES: usize = 4096;

/// Why a call to the controller gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// The controller answered with an error status.
    #[error("{text} ({status})")]
    Refused {
        /// The status code.
        status: u16,
        /// What it said: the `detail` of its body, or the body.
        text: String,
    },
    /// The controller did not answer.
    #[error("cannot reach the controller")]
    Unreachable {
        /// The cause.
        #[source]
        source: reqwest::Error,
    },
    /// Something answered with an error status that is no controller: whatever lies where the controller's address does
    /// not lead to it (yet), or a proxy before it. It says nothing about what was asked.
    #[error("what answers at the controller's address is not a controller ({status})")]
    Foreign {
        /// The status code.
        status: u16,
    },
    /// The controller answered something else than agreed.
    #[error("the controller's answer to {call} cannot be read: {reason}")]
    BadAnswer {
        /// Which call.
        call: &'static str,
        /// What is wrong with the answer. Never the answer itself, which may hold secrets.
        reason: String,
    },
}

impl HookError {
    /// The status code, if the controller answered with an error.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            Self::Unreachable { .. } | Self::Foreign { .. } | Self::BadAnswer { .. } => None,
        }
    }
}

/// Calls the hooks, proving itself with the builder's key. Cloning shares the connections.
#[derive(Debug, Clone)]
pub struct HookClient {
    http: reqwest::Client,
    base: Url,
    key: SecretString,
}

impl HookClient {
    /// Makes a client for the controller at `base`, for instance `http://127.0.0.1:8000/`.
    ///
    /// # Errors
    /// [`HookError::Unreachable`] when the HTTP client cannot be set up.
    pub fn new(base: Url, key: SecretString) -> Result<Self, HookError> {
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .redirect(reqwest::redirect::Policy::none())
            // A kept connection stays with whatever took it, wherever the address leads since; calls are few.
            .pool_max_idle_per_host(0)
            .build()
            .map_err(|source| HookError::Unreachable { source })?;
        Ok(Self { http, base, key })
    }

    /// Whose key has this MD5 fingerprint (16 hex pairs with colons)? `GET hooks/key/<fingerprint>`.
    ///
    /// # Errors
    /// Status 404 for a key that nobody has; else [`HookError`].
    pub async fn key(&self, fingerprint: &str) -> Result<hook::KeyUser, HookError> {
        let request = self.request(Method::GET, self.url(&["key", fingerprint], false), CALL_TIMEOUT);
        answer("hooks/key", request).await
    }

    /// Which app does this name stand for, if `receive_user` may push to it? `POST hooks/access/` (Slipway's own).
    ///
    /// # Errors
    /// Status 403 or 404; else [`HookError`].
    pub async fn access(&self, body: &hook::Receive) -> Result<hook::AppRef, HookError> {
        let request = self.request(Method::POST, self.url(&["access"], true), CALL_TIMEOUT).json(body);
        answer("hooks/access", request).await
    }

    /// The app's configuration. `POST hooks/config/`.
    ///
    /// # Errors
    /// Status 403 or 404; else [`HookError`].
    pub async fn config(&self, body: &hook::Receive) -> Result<Config, HookError> {
        let request = self.request(Method::POST, self.url(&["config"], true), CALL_TIMEOUT).json(body);
        answer("hooks/config", request).await
    }

    /// Publishes a build; the answer names its release. `POST hooks/build/`.
    ///
    /// # Errors
    /// Status 400, 403, 404 or 409 with the reason; else [`HookError`].
    pub async fn build(&self, body: &hook::BuildHook) -> Result<hook::BuildHookResult, HookError> {
        let request = self.request(Method::POST, self.url(&["build"], true), PUBLISH_TIMEOUT).json(body);
        answer("hooks/build", request).await
    }

    /// Keeps the log of a build. `POST hooks/buildlog/` (Slipway's own).
    ///
    /// # Errors
    /// [`HookError`].
    pub async fn build_log(&self, body: &hook::BuildLog) -> Result<(), HookError> {
        let request = self.request(Method::POST, self.url(&["buildlog"], true), PUBLISH_TIMEOUT).json(body);
        send(request).await.map(drop)
    }

    /// A build begins. `POST hooks/builds/` (Slipway's own).
    ///
    /// # Errors
    /// Status 403, or 404, also of a controller that knows no such hook; else [`HookError`].
    pub async fn build_begin(&self, body: &hook::BuildBegin) -> Result<hook::BuildBegun, HookError> {
        let request = self.request(Method::POST, self.url(&["builds"], true), CALL_TIMEOUT).json(body);
        answer("hooks/builds", request).await
    }

    /// Whether a build is to be ended; answers when it is, or after `wait` (at most 30 s).
    /// `GET hooks/builds/<app>/<build>/` (Slipway's own).
    ///
    /// # Errors
    /// Status 404; else [`HookError`].
    pub async fn build_watch(&self, app: &str, build: &str, wait: Duration) -> Result<hook::BuildWatched, HookError> {
        let mut url = self.url(&["builds", app, build], true);
        url.query_pairs_mut().append_pair("wait", &wait.as_secs().to_string());
        answer("hooks/builds", self.request(Method::GET, url, wait + CALL_TIMEOUT)).await
    }

    /// How far a release is; answers when that is no longer what `seen` stands for, or after `wait` (at most 30 s).
    /// `GET hooks/releases/<app>/v<version>/` (Slipway's own).
    ///
    /// # Errors
    /// Status 404; else [`HookError`].
    pub async fn release(
        &self,
        app: &str,
        version: u32,
        wait: Duration,
        seen: &str,
    ) -> Result<hook::ReleaseProgress, HookError> {
        let mut url = self.url(&["releases", app, &format!("v{version}")], true);
        url.query_pairs_mut().append_pair("wait", &wait.as_secs().to_string()).append_pair("seen", seen);
        answer("hooks/releases", self.request(Method::GET, url, wait + CALL_TIMEOUT)).await
    }

    /// Every app there is. `GET hooks/apps/` (Slipway's own).
    ///
    /// # Errors
    /// [`HookError`].
    pub async fn apps(&self) -> Result<hook::Apps, HookError> {
        answer("hooks/apps", self.request(Method::GET, self.url(&["apps"], true), CALL_TIMEOUT)).await
    }

    /// Asks for a deployment to be fetched and built; waits for one for `wait` (at most 25 s).
    /// `POST hooks/orders/claim/` (Slipway's own).
    ///
    /// # Errors
    /// [`HookError`].
    pub async fn order_claim(&self, wait: Duration) -> Result<Option<hook::Order>, HookError> {
        let url = self.url(&["orders", "claim"], true);
        let request = self.request(Method::POST, url, wait + CALL_TIMEOUT);
        let body = send(request.json(&hook::OrderClaim { wait: wait.as_secs() })).await?;
        if body.is_empty() {
            return Ok(None);
        }
        serde_json::from_slice(&body).map(Some).map_err(|error| HookError::BadAnswer {
            call: "hooks/orders/claim",
            reason: format!("{:?} error at column {}", error.classify(), error.column()),
        })
    }

    /// Says that the builder is still at it. `POST hooks/orders/renew/` (Slipway's own).
    ///
    /// # Errors
    /// Status 409 when it is to stop; else [`HookError`].
    pub async fn order_renew(&self, body: &hook::OrderRenew) -> Result<(), HookError> {
        let request = self.request(Method::POST, self.url(&["orders", "renew"], true), CALL_TIMEOUT).json(body);
        send(request).await.map(drop)
    }

    /// Tells how an order ended. `POST hooks/orders/finish/` (Slipway's own).
    ///
    /// # Errors
    /// Status 409 when it was another's by then; else [`HookError`].
    pub async fn order_finish(&self, body: &hook::OrderFinish) -> Result<hook::OrderFinished, HookError> {
        let request = self.request(Method::POST, self.url(&["orders", "finish"], true), PUBLISH_TIMEOUT).json(body);
        answer("hooks/orders/finish", request).await
    }

    fn url(&self, path: &[&str], has_slash: bool) -> Url {
        let mut url = self.base.clone();
        // A base URL that cannot have a path (`mailto:`) is refused when the request is sent.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["v2", "hooks"]).extend(path);
            if has_slash {
                segments.push("");
            }
        }
        url
    }

    fn request(&self, method: Method, url: Url, timeout: Duration) -> RequestBuilder {
        self.http.request(method, url).timeout(timeout).header(BUILDER_KEY_HEADER, self.key.expose_secret())
    }
}

async fn answer<T: DeserializeOwned>(call: &'static str, request: RequestBuilder) -> Result<T, HookError> {
    let body = send(request).await?;
    serde_json::from_slice(&body).map_err(|error| HookError::BadAnswer {
        call,
        // Only where and of which sort: serde's own text may quote values.
        reason: format!("{:?} error at column {}", error.classify(), error.column()),
    })
}

async fn send(request: RequestBuilder) -> Result<Vec<u8>, HookError> {
    let unreachable = |source: reqwest::Error| HookError::Unreachable { source: source.without_url() };
    let mut response = request.send().await.map_err(unreachable)?;
    let status = response.status();
    if !status.is_success() && !SIGNS_OF_A_CONTROLLER.iter().any(|name| response.headers().contains_key(*name)) {
        return Err(HookError::Foreign { status: status.as_u16() });
    }
    let limit = if status.is_success() { ANSWER_MAX_BYTES } else { REFUSAL_MAX_BYTES };
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        body.extend_from_slice(&chunk);
        if body.len() > limit {
            body.truncate(limit);
            break;
        }
    }
    if status.is_success() { Ok(body) } else { Err(refusal(status, &body)) }
}

fn refusal(status: StatusCode, body: &[u8]) -> HookError {
    let text = match serde_json::from_slice::<serde_json::Value>(body) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(serde_json::Value::Object(fields)) => match fields.get("detail") {
            Some(serde_json::Value::String(text)) => text.clone(),
            _ => serde_json::Value::Object(fields).to_string(),
        },
        _ => String::from_utf8_lossy(body).trim().to_owned(),
    };
    let text = if text.is_empty() { status.canonical_reason().unwrap_or("no reason given").to_owned() } else { text };
    HookError::Refused { status: status.as_u16(), text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client() -> HookClient {
        HookClient::new(Url::parse("http://127.0.0.1:1/sub").unwrap(), SecretString::from("key".to_owned())).unwrap()
    }

    #[test]
    fn hooks_are_below_the_base_url() {
        let url = client().url(&["releases", "a/../b", "v3"], true);
        assert_eq!(url.as_str(), "http://127.0.0.1:1/sub/v2/hooks/releases/a%2F..%2Fb/v3/");
    }

    #[test]
    fn refusals_tell_the_detail() {
        let text = |body: &str| refusal(StatusCode::BAD_REQUEST, body.as_bytes()).to_string();
        assert_eq!(text(r#"{"detail":"No such app"}"#), "No such app (400)");
        assert_eq!(text(r#""No Key matches the given query.""#), "No Key matches the given query. (400)");
        assert_eq!(text(r#"{"image":["bad"]}"#), r#"{"image":["bad"]} (400)"#);
        assert_eq!(text(""), "Bad Request (400)");
    }

    #[test]
    fn the_key_is_not_printed() {
        let client =
            HookClient::new(Url::parse("http://a/").unwrap(), SecretString::from("hunter2".to_owned())).unwrap();
        assert!(!format!("{client:?}").contains("hunter2"));
    }
}
