//! Telling the operator's addresses of each new release. Source: `drycc-v2.md` §3.7.
//!
//! What is to be told is written in the transaction that makes the release, and taken away once it was told: whatever
//! dies in between, every address hears of every release, in rare cases twice.

use std::fmt;

use async_trait::async_trait;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sha::sha256;
use openssl::sign::Signer;
use secrecy::{ExposeSecret, SecretString};
use slipway_core::app::App;
use slipway_core::release::Release;
use slipway_core::{Error, Result};
use slipway_store as store;
use slipway_store::{Db, DeployHook};
use url::Url;

use crate::stored::Fail;

/// How often a call is tried again before it is given up.
pub(crate) const RETRIES_MAX: u32 = 10;

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

/// One call of a deploy hook: `POST url`, without a body.
#[derive(Clone, PartialEq, Eq)]
pub struct HookCall {
    /// The whole address with its query. It may hold a secret of the operator's.
    pub url: Url,
    /// The value of the header `Authorization`, when there is a key.
    pub authorization: Option<String>,
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
    pub(crate) fn call(&self, hook: &DeployHook) -> Result<Option<(HookCall, String)>> {
        let Some(target) = self.targets.iter().find(|target| target.digest == hook.target) else { return Ok(None) };
        let mut url = target.url.clone();
        url.query_pairs_mut()
            .append_pair("app", hook.app_name.as_str())
            .append_pair("release", &hook.version.to_string())
            .append_pair("release_summary", &hook.summary)
            .append_pair("sha", &hook.sha)
            .append_pair("user", hook.username.as_str());
        let authorization = self.secret.as_ref().map(|secret| signature(secret, url.as_str())).transpose()?;
        Ok(Some((HookCall { url, authorization }, shown(&target.url))))
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
    let sha = build.map(|build| build.sha).unwrap_or_default();
    for target in &hooks.targets {
        let hook = DeployHook {
            release: release.id,
            target: target.digest.clone(),
            app: app.id,
            app_name: app.name.clone(),
            version: release.version,
            summary: release.summary.clone(),
            sha: sha.clone(),
            username: release.owner_name.clone(),
            attempts: 0,
            due: new.created,
            created: new.created,
        };
        store::deploy_hook_insert(db, &hook).await?;
    }
    Ok(release)
}

#[cfg(test)]
mod tests {
    use chrono::Utc;
    use slipway_core::{AppId, ReleaseId, ReleaseVersion};

    use super::*;

    fn hook(hooks: &DeployHooks) -> DeployHook {
        DeployHook {
            release: ReleaseId::generate(),
            target: hooks.targets[0].digest.clone(),
            app: AppId::generate(),
            app_name: "blog".parse().unwrap(),
            version: ReleaseVersion(7),
            summary: "bob added A & b, ü".to_owned(),
            sha: String::new(),
            username: "bob".parse().unwrap(),
            attempts: 0,
            due: Utc::now(),
            created: Utc::now(),
        }
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
