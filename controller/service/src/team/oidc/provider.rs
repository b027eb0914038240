//! An OpenID Connect provider: what it says of itself, and the exchange of a code for an identity.
//! Source: OpenID Connect Core 1.0, OpenID Connect Discovery 1.0, RFC 7636.
//!
//! The protocol is the crate's; every request goes through [`WebClient`], which follows no redirects, and to addresses
//! that are as well protected as the issuer's.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use futures::future::BoxFuture;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod, CoreIdTokenClaims, CoreJwsSigningAlgorithm,
    CoreProviderMetadata,
};
use openidconnect::{
    AuthType, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet, EndpointSet,
    HttpRequest, HttpResponse, IssuerUrl, LocalizedClaim, Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    Scope, TokenResponse,
};
use secrecy::{ExposeSecret, SecretString};
use slipway_core::Error;
use slipway_team::{Refusal, Refused, Result};
use tokio::sync::Mutex;
use url::Url;

use crate::team::port::{JSON, WebCall, WebClient};

/// Time that one question may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Time for which what a provider says of itself is believed when a log-in begins.
const KEPT: TimeDelta = TimeDelta::minutes(10);
/// By how much the provider's clock may be ahead of ours.
const SKEW: TimeDelta = TimeDelta::minutes(5);
/// Longest subject. Source: OpenID Connect Core 1.0, section 2.
const SUBJECT_MAX: usize = 255;
/// The ways to sign that are believed: with keys of the provider's, never with a secret that others have too.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// Settings of log-ins at a provider.
#[derive(Debug, Clone)]
pub struct OidcSettings {
    /// Who the provider is: `https://…`, or `http://…` on this machine.
    pub issuer: String,
    /// Who we are there.
    pub client_id: String,
    /// What proves that, unless the provider wants nothing of the sort.
    pub client_secret: Option<SecretString>,
    /// What is asked for beside `openid`. Default `email` and `profile`.
    pub scopes: Vec<String>,
    /// Whose addresses may log in: what stands behind the `@`, in lower case. Empty: all.
    pub email_domains: Vec<String>,
    /// Whether those whom nobody knows get an account.
    pub is_registering: bool,
    /// Where the provider sends browsers back to.
    pub redirect_url: String,
}

/// The settings are no good.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// The issuer.
    #[error("the issuer must be an https URL, or an http one on this machine, without query and fragment")]
    Issuer,
    /// The address to come back to.
    #[error("the address to come back to is no URL")]
    Redirect,
}

/// A provider where browsers may log in.
pub struct Oidc {
    settings: OidcSettings,
    issuer: IssuerUrl,
    redirect: RedirectUrl,
    asker: Asker,
    known: Mutex<Option<(DateTime<Utc>, CoreProviderMetadata)>>,
}

impl fmt::Debug for Oidc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Oidc").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// A client that knows the provider's addresses.
type Client =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

/// What a browser is sent away with, and what must come back.
pub(super) struct Asked {
    pub(super) url: SecretString,
    pub(super) state: SecretString,
    pub(super) nonce: SecretString,
    pub(super) verifier: SecretString,
}

/// Who somebody is, by the provider's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) subject: String,
    /// Only where the provider says that it is verified.
    pub(super) email: Option<String>,
    pub(super) first_name: String,
    pub(super) last_name: String,
}

/// Why a request of the protocol failed; never with an address or an answer, which may hold secrets.
#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error("an address of the provider is less protected than its issuer")]
    Unprotected,
    #[error(transparent)]
    Web(#[from] crate::team::port::WebError),
    #[error("the request or the answer is not of the right form")]
    Form,
}

impl Oidc {
    /// A provider that `web` reaches.
    ///
    /// # Errors
    /// [`OidcError`].
    pub fn new(settings: OidcSettings, web: Arc<dyn WebClient>) -> std::result::Result<Self, OidcError> {
        let url: Url = settings.issuer.parse().map_err(|_| OidcError::Issuer)?;
        let is_here = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        let is_protected = url.scheme() == "https" || (url.scheme() == "http" && is_here);
        if !is_protected || url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
            return Err(OidcError::Issuer);
        }
        let issuer = IssuerUrl::new(settings.issuer.clone()).map_err(|_| OidcError::Issuer)?;
        let redirect = RedirectUrl::new(settings.redirect_url.clone()).map_err(|_| OidcError::Redirect)?;
        let asker = Asker { web, issuer: url };
        Ok(Self { settings, issuer, redirect, asker, known: Mutex::new(None) })
    }

    /// The settings.
    #[must_use]
    pub const fn settings(&self) -> &OidcSettings {
        &self.settings
    }

    /// What a browser is to be sent to the provider with.
    pub(super) async fn ask(&self, now: DateTime<Utc>) -> Result<Asked> {
        let mut known = self.known.lock().await;
        let metadata = match known.as_ref() {
            Some((since, metadata)) if now - *since < KEPT && now >= *since => metadata.clone(),
            _ => {
                let metadata = self.discover().await?;
                *known = Some((now, metadata.clone()));
                metadata
            }
        };
        drop(known);
        let client = self.client(metadata)?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let mut request = client
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
            .set_pkce_challenge(challenge);
        for scope in &self.settings.scopes {
            request = request.add_scope(Scope::new(scope.clone()));
        }
        let (url, state, nonce) = request.url();
        if !self.asker.is_protected(&url) {
            return Err(unavailable("its authorization endpoint is less protected than its issuer"));
        }
        Ok(Asked {
            url: SecretString::from(String::from(url)),
            state: SecretString::from(state.secret().clone()),
            nonce: SecretString::from(nonce.secret().clone()),
            verifier: SecretString::from(verifier.secret().clone()),
        })
    }

    /// Who it was, by the code that the browser brought.
    pub(super) async fn identify(
        &self,
        code: &SecretString,
        nonce: &SecretString,
        verifier: &SecretString,
        now: DateTime<Utc>,
    ) -> Result<Identity> {
        // The provider may have changed its keys since the log-in began.
        let metadata = self.discover().await?;
        let client = self.client(metadata)?;
        let pkce = PkceCodeVerifier::new(verifier.expose_secret().to_owned());
        let code = AuthorizationCode::new(code.expose_secret().to_owned());
        exchanged(client, self.asker.clone(), (code, pkce), Nonce::new(nonce.expose_secret().to_owned()), now).await
    }

    fn discover(&self) -> BoxFuture<'static, Result<CoreProviderMetadata>> {
        let (issuer, http) = (self.issuer.clone(), self.asker.clone().client());
        Box::pin(async move {
            let found = CoreProviderMetadata::discover_async(issuer, &http).await;
            found.map_err(|error| match error {
                openidconnect::DiscoveryError::Request(error) => unavailable(&error.to_string()),
                openidconnect::DiscoveryError::Validation(reason) => unavailable(&reason),
                other => {
                    // Only the kind: the rest may hold what was answered.
                    let kind = format!("{other:?}");
                    unavailable(kind.split('(').next().unwrap_or("it does not answer as it should"))
                }
            })
        })
    }

    fn client(&self, metadata: CoreProviderMetadata) -> Result<Client> {
        let methods = metadata.token_endpoint_auth_methods_supported();
        let is_in_body = methods.is_some_and(|methods| {
            methods.contains(&CoreClientAuthMethod::ClientSecretPost)
                && !methods.contains(&CoreClientAuthMethod::ClientSecretBasic)
        });
        if metadata.token_endpoint().is_none() {
            return Err(unavailable("it names no token endpoint"));
        }
        let secret = self.settings.client_secret.as_ref();
        let secret = secret.map(|secret| ClientSecret::new(secret.expose_secret().to_owned()));
        let client =
            CoreClient::from_provider_metadata(metadata, ClientId::new(self.settings.client_id.clone()), secret)
                .set_redirect_uri(self.redirect.clone());
        Ok(if is_in_body { client.set_auth_type(AuthType::RequestBody) } else { client })
    }
}

/// Exchanges a code for an identity.
fn exchanged(
    client: Client,
    asker: Asker,
    (code, verifier): (AuthorizationCode, PkceCodeVerifier),
    nonce: Nonce,
    now: DateTime<Utc>,
) -> BoxFuture<'static, Result<Identity>> {
    Box::pin(async move {
        let http = asker.client();
        let request = client.exchange_code(code).map_err(|_| unavailable("it names no token endpoint"))?;
        let tokens = request.set_pkce_verifier(verifier).request_async(&http).await.map_err(|error| match error {
            openidconnect::RequestTokenError::ServerResponse(_) => {
                refused("The log-in provider does not accept the code.")
            }
            openidconnect::RequestTokenError::Request(error) => unavailable(&error.to_string()),
            openidconnect::RequestTokenError::Parse(..) | openidconnect::RequestTokenError::Other(_) => {
                unavailable("the answer of its token endpoint does not parse")
            }
        })?;
        let token = tokens.id_token().ok_or_else(|| unacceptable(&"there is none"))?;
        let check = client
            .id_token_verifier()
            .set_allowed_algs(ALGORITHMS)
            .set_time_fn(move || now)
            .set_issue_time_verifier_fn(move |issued| {
                if issued <= now + SKEW { Ok(()) } else { Err("issued in the future".to_owned()) }
            });
        let claims = token.claims(&check, &nonce).map_err(|error| unacceptable(&error))?;
        identity(claims)
    })
}

/// A request under way.
type Answered = BoxFuture<'static, std::result::Result<HttpResponse, AskError>>;

/// Makes the requests of the protocol.
#[derive(Clone)]
struct Asker {
    web: Arc<dyn WebClient>,
    issuer: Url,
}

impl Asker {
    /// As the protocol's crate wants it.
    fn client(self) -> impl Fn(HttpRequest) -> Answered + Send + Sync + 'static {
        move |request| -> Answered { Box::pin(self.clone().http(request)) }
    }

    /// Whether an address is no less protected than the issuer's.
    fn is_protected(&self, url: &Url) -> bool {
        url.scheme() == "https" || self.issuer.origin() == url.origin()
    }

    async fn http(self, request: HttpRequest) -> std::result::Result<HttpResponse, AskError> {
        let (parts, body) = request.into_parts();
        let url: Url = parts.uri.to_string().parse().map_err(|_| AskError::Form)?;
        if !self.is_protected(&url) {
            return Err(AskError::Unprotected);
        }
        let authorization = parts.headers.get(AUTHORIZATION).map(|value| value.to_str()).transpose();
        let is_form = parts.headers.get(CONTENT_TYPE).is_some_and(|value| value != JSON);
        let call = WebCall {
            method: parts.method,
            url: SecretString::from(String::from(url)),
            authorization: authorization.map_err(|_| AskError::Form)?.map(SecretString::from),
            accept: parts.headers.contains_key(ACCEPT).then_some(JSON),
            body: (!body.is_empty()).then(|| Bytes::from(body)),
            media_type: if is_form { "application/x-www-form-urlencoded" } else { JSON },
            timeout: TIMEOUT,
        };
        let answer = self.web.send(call).await?;
        http::Response::builder().status(answer.status).body(answer.body.to_vec()).map_err(|_| AskError::Form)
    }
}

fn identity(claims: &CoreIdTokenClaims) -> Result<Identity> {
    let subject = claims.subject().as_str();
    if subject.is_empty() || subject.len() > SUBJECT_MAX || !subject.is_ascii() {
        return Err(unacceptable(&"its subject is not of the right form"));
    }
    let email = claims.email().filter(|_| claims.email_verified() == Some(true));
    Ok(Identity {
        subject: subject.to_owned(),
        email: email.map(|email| email.as_str().to_owned()),
        first_name: claims.given_name().map(plain).unwrap_or_default(),
        last_name: claims.family_name().map(plain).unwrap_or_default(),
    })
}

/// The name without a language, cut to what accounts hold.
fn plain<T: Deref<Target = String>>(claim: &LocalizedClaim<T>) -> String {
    claim.get(None).map(|name| name.chars().filter(|c| !c.is_control()).take(150).collect()).unwrap_or_default()
}

/// The provider is away, or no provider.
fn unavailable(reason: &str) -> slipway_team::Error {
    Error::Unavailable {
        public: "The log-in provider cannot be reached, or does not answer as it should.".to_owned(),
        context: format!("OpenID Connect provider: {reason}"),
    }
    .into()
}

/// What the provider gave is not to be believed.
fn unacceptable(reason: &dyn fmt::Display) -> slipway_team::Error {
    tracing::warn!("refused an identity token: {reason}");
    refused("The identity token of the log-in provider is not acceptable.")
}

pub(super) fn refused(message: &str) -> slipway_team::Error {
    Refusal::new(Refused::Forbidden, "oidc", message).into()
}
