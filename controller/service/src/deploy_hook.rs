//! Telling the operator's addresses of each new release. Source: `drycc-v2.md` §3.7.
//!
//! What is to be told is written in the transaction that makes the release, and taken away once it was told: whatever
//! dies in between, every address hears of every release, in rare cases twice.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sha::sha256;
use openssl::sign::Signer;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use slipway_core::app::App;
use slipway_core::release::Release;
use slipway_core::webhook::{Delivery, DeliveryKind};
use slipway_core::{DeliveryId, Error, Result};
use slipway_store as store;
use slipway_store::Db;
use url::Url;

use crate::stored::Fail;

/// What such a delivery is called.
const EVENT: &str = "release";
/// Pause before the first call is tried again; doubled by each further one.
const PAUSE_FIRST: Duration = Duration::from_secs(1);

/// How often a call is tried again before it is given up.
const RETRIES_MAX: u32 = 10;

/// What is told of a release.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Content {
    app_name: String,
    version: u32,
    summary: String,
    sha: String,
    username: String,
}

/// The addresses that hear of each new release, and the key their calls are signed with. Default none.
#[derive(Clone, Default)]
pub struct DeployHooks {
    targets: Vec<Target>,
    secret: Option<SecretString>,
}

#[derive(Clone)]
struct Target {
    url: Url,
    digest: String,
}

/// Which addresses may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookReach {
    /// The operator's own: any.
    Anywhere,
    /// Users': public ones, unless the operator allows others.
    Public,
}

/// One call: `POST url`.
#[derive(Clone, PartialEq, Eq)]
pub struct HookCall {
    /// The whole address with its query. It may hold a secret.
    pub url: Url,
    /// The value of the header `Authorization`, when there is a key.
    pub authorization: Option<String>,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body, JSON; `None` for none.
    pub body: Option<String>,
    /// Whose address it is.
    pub reach: HookReach,
}

/// The pause before another try, when so many were made; `None` when there is none. Source: `drycc-v2.md` §3.7.
pub(crate) fn retry_pause(tries: u32) -> Option<Duration> {
    (tries <= RETRIES_MAX).then(|| PAUSE_FIRST * (1 << tries.saturating_sub(1)))
}

/// Makes the calls.
#[async_trait]
pub trait HookSender: Send + Sync + 'static {
    /// Makes one call and gives the status of its answer.
    ///
    /// # Errors
    /// Why there is no answer, for the operator; without the address.
    async fn send(&self, call: &HookCall) -> Result<u16, String>;
}

impl fmt::Debug for DeployHooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.targets.iter().map(|target| shown(&target.url))).finish()
    }
}

impl fmt::Debug for HookCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "POST {}", shown(&self.url))
    }
}

/// An address as it may be written to a log: without what could be a secret.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // These fail only for addresses that cannot have a host.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

impl DeployHooks {
    /// Reads a list of addresses with commas between them.
    ///
    /// # Errors
    /// What is wrong with it, without any of its text.
    pub fn parse(urls: &str, secret: Option<SecretString>) -> Result<Self, &'static str> {
        let mut targets: Vec<Target> = Vec::new();
        for text in urls.split(',').map(str::trim).filter(|text| !text.is_empty()) {
            let url: Url =
                text.parse().map_err(|_| "addresses such as https://example.com/hook, with commas between")?;
            if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
                return Err("addresses that begin with http:// or https://");
            }
            let digest = hex::encode(sha256(url.as_str().as_bytes()));
            if !targets.iter().any(|target| target.digest == digest) {
                targets.push(Target { url, digest });
            }
        }
        Ok(Self { targets, secret })
    }

    /// Whether nobody is to be told.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// The call that tells what is to be told, and the address for the log; `None` when the address is no longer one of
    /// the operator's.
    pub(crate) fn call(&self, delivery: &Delivery) -> Result<Option<(HookCall, String)>> {
        let Some(target) = self.targets.iter().find(|target| target.digest == delivery.target) else { return Ok(None) };
        let content: Content = serde_json::from_str(&delivery.content)
            .map_err(|error| Error::internal(format!("delivery {}: {error}", delivery.id)))?;
        let mut url = target.url.clone();
        url.query_pairs_mut()
            .append_pair("app", &content.app_name)
            .append_pair("release", &format!("v{}", content.version))
            .append_pair("release_summary", &content.summary)
            .append_pair("sha", &content.sha)
            .append_pair("user", &content.username);
        let authorization = self.secret.as_ref().map(|secret| signature(secret, url.as_str())).transpose()?;
        let call = HookCall { url, authorization, headers: Vec::new(), body: None, reach: HookReach::Anywhere };
        Ok(Some((call, shown(&target.url))))
    }
}

/// HMAC-SHA1 over the complete address: what old receivers check.
fn signature(secret: &SecretString, url: &str) -> Result<String> {
    let failed = |error: openssl::error::ErrorStack| Error::internal(format!("could not sign a deploy hook: {error}"));
    let key = PKey::hmac(secret.expose_secret().as_bytes()).map_err(failed)?;
    let mut signer = Signer::new(MessageDigest::sha1(), &key).map_err(failed)?;
    signer.update(url.as_bytes()).map_err(failed)?;
    Ok(hex::encode(signer.sign_to_vec().map_err(failed)?))
}

/// Adds a release, and what is to be told of it. Every release but imported ones is made here.
pub(crate) async fn release_record(
    db: &mut Db,
    hooks: &DeployHooks,
    app: &App,
    new: &store::NewRelease,
) -> Result<Release, Fail> {
    let release = store::release_insert(db, new).await?;
    if hooks.is_empty() {
        return Ok(release);
    }
    let build = match release.build {
        Some(build) => store::build_by_id(db, build).await?,
        None => None,
    };
    let content = Content {
        app_name: app.name.to_string(),
        version: release.version.0,
        summary: release.summary.clone(),
        sha: build.map(|build| build.sha).unwrap_or_default(),
        username: release.owner_name.to_string(),
    };
    let content = serde_json::to_string(&content).map_err(Error::internal)?;
    for target in &hooks.targets {
        let delivery = store::NewDelivery {
            id: DeliveryId::generate(),
            kind: DeliveryKind::DeployHook,
            target: target.digest.clone(),
            app: app.id,
            event: EVENT.to_owned(),
            content: content.clone(),
            created: new.created,
        };
        store::delivery_insert(db, &delivery).await?;
    }
    Ok(release)
}

#[cfg(test)]
mod tests {
    use chrono::Utc;
    use slipway_core::AppId;
    use slipway_core::webhook::DeliveryState;

    use super::*;

    fn hook(hooks: &DeployHooks) -> Delivery {
        Delivery {
            number: 1,
            id: DeliveryId::generate(),
            kind: DeliveryKind::DeployHook,
            target: hooks.targets[0].digest.clone(),
            app: AppId::generate(),
            event: EVENT.to_owned(),
            content: serde_json::json!({
                "app_name": "blog", "version": 7, "summary": "bob added A & b, ü", "sha": "", "username": "bob",
            })
            .to_string(),
            state: DeliveryState::Pending,
            attempts: 0,
            tries: 0,
            due: Utc::now(),
            log: Vec::new(),
            created: Utc::now(),
            finished: None,
        }
    }

    #[test]
    fn pauses_double_and_end() {
        let secs = |tries| retry_pause(tries).map(|pause| pause.as_secs());
        assert_eq!([1, 2, 10, 11].map(secs), [Some(1), Some(2), Some(512), None]);
    }

    #[test]
    fn the_complete_address_is_signed() {
        let secret = Some(SecretString::from("key"));
        let hooks = DeployHooks::parse(" https://u:p@example.com/hook?token=t ,", secret).unwrap();
        let (call, shown) = hooks.call(&hook(&hooks)).unwrap().unwrap();
        assert_eq!(
            call.url.as_str(),
            "https://u:p@example.com/hook?token=t&app=blog&release=v7&release_summary=bob+added+A+%26+b%2C+%C3%BC&sha=&user=bob"
        );
        assert_eq!(shown, "https://example.com/hook");
        assert_eq!(format!("{call:?} {hooks:?}"), r#"POST https://example.com/hook ["https://example.com/hook"]"#);
        assert_eq!(call.authorization.unwrap().len(), 40);
        // The vector of RFC 2202 §3, case 2.
        let mac = signature(&SecretString::from("Jefe"), "what do ya want for nothing?").unwrap();
        assert_eq!(mac, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    }

    #[test]
    fn an_address_that_was_taken_away_is_not_called() {
        let before = DeployHooks::parse("http://a.example/,http://b.example/,http://a.example", None).unwrap();
        assert_eq!(before.targets.len(), 2);
        let after = DeployHooks::parse("http://b.example/", None).unwrap();
        assert_eq!(after.call(&hook(&before)).unwrap(), None);
        assert!(before.call(&hook(&before)).unwrap().unwrap().0.authorization.is_none());
    }

    #[test]
    fn only_addresses_of_the_web_are_taken() {
        for bad in ["example.com", "ftp://example.com/", "file:///etc/passwd", "http://", "https://good.example/,x"] {
            assert!(DeployHooks::parse(bad, None).is_err(), "{bad}");
        }
        assert!(DeployHooks::parse(" , ", None).unwrap().is_empty());
    }
}
