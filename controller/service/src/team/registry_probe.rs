//! Asking a registry whether it is there and lets us in, before it is kept. Source: `team-api.md` §4.2.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::Method;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use slipway_team::registry::{Credentials, Namespace, RegistryDetails, RegistryKind};
use slipway_team::{Error, Refusal, Refused, Result};
use url::Url;

use super::port::{JSON, WebAnswer, WebCall, WebError};
use crate::{Cx, Service};

/// Time that one question may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Where Docker Hub's API is; its name in lists is another.
pub(super) const HUB_API: &str = "hub.docker.com";
/// Where GitHub's API is.
pub(super) const GITHUB_API: &str = "api.github.com";
/// Where GitLab's API is unless it is one's own.
pub(super) const GITLAB_API: &str = "gitlab.com";
/// Who gives tokens for Google's registry.
const GOOGLE_TOKEN: &str = "oauth2.googleapis.com";
/// What a token for Google's registry allows.
const GOOGLE_SCOPE: &str = "https://www.googleapis.com/auth/devstorage.read_only";

impl Service {
    /// Asks a registry whether it is there and lets us in.
    pub(crate) async fn registry_probe(&self, cx: &Cx, details: &RegistryDetails) -> Result<()> {
        if !self.config().teams.are_registries_probed {
            return Ok(());
        }
        let prefix = details.image_prefix.as_deref().unwrap_or_default();
        let credentials = details.credentials.as_ref();
        match details.kind {
            RegistryKind::Unchecked => Ok(()),
            RegistryKind::Hub => {
                let url = format!("https://{HUB_API}/v2/orgs/{prefix}");
                judged("imageNamePrefix", &self.ask("imageNamePrefix", &url, None).await?)
            }
            RegistryKind::V2 => self.distribution_probe(&details.url, credentials).await,
            RegistryKind::Gitlab => {
                let api = details.api_url.as_deref().unwrap_or(GITLAB_API);
                let group = match details.namespace {
                    Some(Namespace::Project) => "projects",
                    _ => "groups",
                };
                let url = format!("https://{api}/api/v4/{group}/{}", prefix.replace('/', "%2F"));
                let bearer = credentials.map(bearer);
                judged("imageNamePrefix", &self.ask("apiUrl", &url, bearer).await?)?;
                self.distribution_probe(&details.url, credentials).await
            }
            RegistryKind::Github => {
                let owner = match details.namespace {
                    Some(Namespace::User) => "users",
                    _ => "orgs",
                };
                let url = format!("https://{GITHUB_API}/{owner}/{prefix}/packages?package_type=container");
                judged("imageNamePrefix", &self.ask("imageNamePrefix", &url, credentials.map(bearer)).await?)
            }
            RegistryKind::Google => {
                let bearer = match credentials {
                    Some(credentials) => Some(self.google_token(cx, credentials).await?),
                    None => None,
                };
                let url = format!("https://{}/v2/{prefix}/tags/list", details.url);
                judged("imageNamePrefix", &self.ask("url", &url, bearer).await?)
            }
        }
    }

    /// Asks a registry that speaks the distribution API whether it is one.
    async fn distribution_probe(&self, host: &str, credentials: Option<&Credentials>) -> Result<()> {
        judged("url", &self.distribution_ask(host, "", credentials, None).await?)
    }

    /// Asks a registry that speaks the distribution API for something below `/v2/`: with the credentials, and where it says
    /// so, with a token of the realm that it names.
    pub(super) async fn distribution_ask(
        &self,
        host: &str,
        path: &str,
        credentials: Option<&Credentials>,
        scope: Option<&str>,
    ) -> Result<WebAnswer> {
        let insecure = &self.config().teams.insecure_registries;
        let authority = host.split('/').next().unwrap_or_default();
        let scheme = if insecure.iter().any(|own| own == authority) { "http" } else { "https" };
        let url = format!("{scheme}://{host}/v2/{path}");
        let answer = self.ask("url", &url, credentials.map(basic)).await?;
        if answer.status != 401 {
            return Ok(answer);
        }
        let Some((realm, service)) = answer.authenticate.as_deref().and_then(challenge) else {
            return Err(unauthorized());
        };
        let mut realm: Url = realm.parse().map_err(|_| unauthorized())?;
        if let Some(service) = service {
            realm.query_pairs_mut().append_pair("service", &service);
        }
        if let Some(scope) = scope {
            realm.query_pairs_mut().append_pair("scope", scope);
        }
        // The registry names the realm: it gets the credentials only if it is as well protected.
        if realm.scheme() != scheme && realm.scheme() != "https" {
            return Err(unauthorized());
        }
        let answer = self.ask("url", realm.as_str(), credentials.map(basic)).await?;
        if !(200..300).contains(&answer.status) {
            return Err(unauthorized());
        }
        let token: Value = serde_json::from_slice(&answer.body).map_err(|_| unauthorized())?;
        let token = ["token", "access_token"].into_iter().find_map(|name| token.get(name)?.as_str());
        let token = token.ok_or_else(unauthorized)?;
        self.ask("url", &url, Some(SecretString::from(format!("Bearer {token}")))).await
    }

    /// A token of Google's for a service account. Source: RFC 7523.
    pub(super) async fn google_token(&self, cx: &Cx, credentials: &Credentials) -> Result<SecretString> {
        let bad_key = || Error::invalid("token", "token must be the private key of a service account, as PEM");
        let pem = credentials.token.expose_secret().replace("\\n", "\n");
        let key = PKey::private_key_from_pem(pem.as_bytes()).map_err(|_| bad_key())?;
        let now = cx.now.timestamp();
        let claims = json!({
            "iss": credentials.user, "scope": GOOGLE_SCOPE, "aud": format!("https://{GOOGLE_TOKEN}/token"),
            "iat": now, "exp": now + 300,
        });
        let header = json!({"alg": "RS256", "typ": "JWT"});
        let head =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()));
        let mut signer = Signer::new(MessageDigest::sha256(), &key).map_err(|_| bad_key())?;
        let signature = signer.sign_oneshot_to_vec(head.as_bytes()).map_err(|_| bad_key())?;
        let assertion = format!("{head}.{}", URL_SAFE_NO_PAD.encode(signature));
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
            .append_pair("assertion", &assertion)
            .finish();
        let call = WebCall {
            method: Method::POST,
            url: SecretString::from(format!("https://{GOOGLE_TOKEN}/token?{query}")),
            authorization: None,
            accept: Some("application/json"),
            body: None,
            media_type: JSON,
            timeout: TIMEOUT,
        };
        let answer = self.config().teams.web.send(call).await.map_err(|error| unanswered("url", error))?;
        let token: Value = serde_json::from_slice(&answer.body).map_err(|_| unauthorized())?;
        let token = token.get("access_token").and_then(Value::as_str).ok_or_else(unauthorized)?;
        Ok(SecretString::from(format!("Bearer {token}")))
    }

    pub(super) async fn ask(
        &self,
        property: &str,
        url: &str,
        authorization: Option<SecretString>,
    ) -> Result<WebAnswer> {
        let call = WebCall {
            method: Method::GET,
            url: SecretString::from(url),
            authorization,
            accept: None,
            body: None,
            media_type: JSON,
            timeout: TIMEOUT,
        };
        self.config().teams.web.send(call).await.map_err(|error| unanswered(property, error))
    }
}

fn basic(credentials: &Credentials) -> SecretString {
    let pair = format!("{}:{}", credentials.user, credentials.token.expose_secret());
    SecretString::from(format!("Basic {}", STANDARD.encode(pair)))
}

pub(super) fn bearer(credentials: &Credentials) -> SecretString {
    SecretString::from(format!("Bearer {}", credentials.token.expose_secret()))
}

fn unanswered(property: &str, error: WebError) -> Error {
    Error::invalid(property, format!("The registry cannot be asked: {error}."))
}

fn unauthorized() -> Error {
    Refusal::new(Refused::Unauthorized, "token", "The registry refuses the credentials.").into()
}

/// What an answer's status says about the registry.
fn judged(property: &str, answer: &WebAnswer) -> Result<()> {
    match answer.status {
        200..=299 => Ok(()),
        401 | 403 => Err(unauthorized()),
        404 => Err(Refusal::new(Refused::NotFound, property, format!("The registry knows no such {property}.")).into()),
        status => Err(Error::invalid(property, format!("The registry answers with the status {status}."))),
    }
}

/// Realm and service of a `Bearer` challenge. Source: RFC 6750, section 3; the distribution project's token protocol.
fn challenge(header: &str) -> Option<(String, Option<String>)> {
    let (scheme, rest) = header.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let value = |name: &str| {
        rest.split(',').find_map(|pair| {
            let (own, value) = pair.trim().split_once('=')?;
            own.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"').to_owned())
        })
    };
    Some((value("realm")?, value("service")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read() {
        assert_eq!(
            challenge(r#"Bearer realm="https://auth.example/token",service="registry.example",scope="x""#),
            Some(("https://auth.example/token".to_owned(), Some("registry.example".to_owned())))
        );
        assert_eq!(challenge("bearer realm=https://a"), Some(("https://a".to_owned(), None)));
        for other in ["Basic realm=x", "Bearer service=x", "Bearer", ""] {
            assert_eq!(challenge(other), None, "{other}");
        }
    }
}
