//! Signed tokens of the dployr API: JSON Web Tokens, HMAC-SHA-256, under a key derived from the server's.
//! Source: `dployr-v1.md` §3.2.
//!
//! The cryptography is OpenSSL's, as everywhere; the form is the crate's. Times are checked by the service's clock.

use std::sync::Once;

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::signature::{Error as SignatureError, Signer, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use slipway_core::{Error, LoginId, Result, UserId};
use subtle::ConstantTimeEq;

/// Who signs.
const ISSUER: &str = "slipway";
/// For whom.
const AUDIENCE: &str = "dployr";
/// By how much clocks of several controllers may differ.
const LEEWAY: TimeDelta = TimeDelta::seconds(30);
/// Longest token that is looked at.
const LENGTH_MAX: usize = 4096;

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Purpose {
    /// Requests.
    Access,
    /// Getting another pair of tokens, once.
    Refresh,
}

/// What a token says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// The user.
    pub(crate) sub: String,
    /// The user's e-mail address; access tokens only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) email: Option<String>,
    /// The user's role; access tokens only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) perm: Option<String>,
    /// What it is good for.
    pub(crate) typ: Purpose,
    /// The log-in that it is of.
    pub(crate) sid: String,
    /// Tells it from others.
    pub(crate) jti: String,
    iss: String,
    aud: String,
    iat: i64,
    exp: i64,
}

impl Claims {
    /// Of a token that is good from `now` for `life`.
    pub(crate) fn new(user: UserId, login: LoginId, typ: Purpose, now: DateTime<Utc>, life: TimeDelta) -> Self {
        Self {
            sub: user.to_string(),
            email: None,
            perm: None,
            typ,
            sid: login.to_string(),
            jti: uuid::Uuid::new_v4().simple().to_string(),
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            iat: now.timestamp(),
            exp: (now + life).timestamp(),
        }
    }

    /// The user and the log-in, if both are identities.
    pub(crate) fn ids(&self) -> Option<(UserId, LoginId)> {
        Some((self.sub.parse().ok()?, self.sid.parse().ok()?))
    }
}

/// Signs and checks tokens.
#[derive(Clone)]
pub(crate) struct Jwts {
    key: SecretString,
}

static PROVIDER: CryptoProvider =
    CryptoProvider { signer_factory: signer, verifier_factory: verifier, key_utils: KeyUtils::new_unimplemented() };
static INSTALLED: Once = Once::new();

/// HMAC-SHA-256 under one key.
struct Hs256(Vec<u8>);

impl Hs256 {
    fn sum(&self, message: &[u8]) -> std::result::Result<Vec<u8>, openssl::error::ErrorStack> {
        let key = PKey::hmac(&self.0)?;
        let mut signer = openssl::sign::Signer::new(MessageDigest::sha256(), &key)?;
        signer.update(message)?;
        signer.sign_to_vec()
    }
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, SignatureError> {
        self.sum(message).map_err(SignatureError::from_source)
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), SignatureError> {
        let sum = self.sum(message).map_err(SignatureError::from_source)?;
        if bool::from(sum.ct_eq(signature)) { Ok(()) } else { Err(SignatureError::new()) }
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the provider's signature")]
fn signer(algorithm: &Algorithm, key: &EncodingKey) -> jsonwebtoken::errors::Result<Box<dyn JwtSigner>> {
    match algorithm {
        Algorithm::HS256 => Ok(Box::new(Hs256(key.as_bytes().to_vec()))),
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the provider's signature")]
fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> jsonwebtoken::errors::Result<Box<dyn JwtVerifier>> {
    match algorithm {
        Algorithm::HS256 => Ok(Box::new(Hs256(key.try_get_as_bytes()?.to_vec()))),
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    }
}

impl Jwts {
    pub(crate) fn new(server_key: &SecretString) -> Self {
        // Whoever was first, it is this: nothing else in the process uses the crate.
        INSTALLED.call_once(|| {
            let _ = PROVIDER.install_default();
        });
        // A key of its own: what is signed with it means nothing elsewhere.
        let mut hasher = openssl::sha::Sha256::new();
        hasher.update(b"slipway json web token key v1\0");
        hasher.update(server_key.expose_secret().as_bytes());
        Self { key: SecretString::from(hex::encode(hasher.finish())) }
    }

    /// The token that says this.
    pub(crate) fn sign(&self, claims: &Claims) -> Result<SecretString> {
        let key = EncodingKey::from_secret(self.key.expose_secret().as_bytes());
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &key)
            .map(SecretString::from)
            .map_err(|error| Error::internal(format!("could not sign a token: {error}")))
    }

    /// What a token says, if it is one of ours, for this purpose, and good now.
    pub(crate) fn check(&self, token: &str, purpose: Purpose, now: DateTime<Utc>) -> Option<Claims> {
        if token.len() > LENGTH_MAX {
            return None;
        }
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.validate_exp = false;
        let key = DecodingKey::from_secret(self.key.expose_secret().as_bytes());
        let claims = jsonwebtoken::decode::<Claims>(token, &key, &validation).ok()?.claims;
        let is_now = now < DateTime::from_timestamp(claims.exp, 0)? + LEEWAY
            && now >= DateTime::from_timestamp(claims.iat, 0)? - LEEWAY;
        (is_now && claims.typ == purpose).then_some(claims)
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    fn token(jwts: &Jwts, purpose: Purpose, now: DateTime<Utc>) -> String {
        let claims = Claims::new(UserId::generate(), LoginId::generate(), purpose, now, TimeDelta::hours(1));
        jwts.sign(&claims).unwrap().expose_secret().to_owned()
    }

    #[test]
    fn tokens_are_good_for_their_purpose_and_time() {
        let (jwts, now) = (Jwts::new(&SecretString::from("key")), Utc::now());
        let access = token(&jwts, Purpose::Access, now);
        let claims = jwts.check(&access, Purpose::Access, now).unwrap();
        assert!(claims.ids().is_some());
        assert!(jwts.check(&access, Purpose::Refresh, now).is_none());
        assert!(jwts.check(&access, Purpose::Access, now + TimeDelta::minutes(60)).is_some(), "clocks may differ");
        assert!(jwts.check(&access, Purpose::Access, now + TimeDelta::minutes(61)).is_none());
        assert!(jwts.check(&access, Purpose::Access, now - TimeDelta::minutes(1)).is_none());
        assert!(Jwts::new(&SecretString::from("other")).check(&access, Purpose::Access, now).is_none());
    }

    #[test]
    fn forgeries_are_found() {
        let (jwts, now) = (Jwts::new(&SecretString::from("key")), Utc::now());
        let access = token(&jwts, Purpose::Access, now);
        let parts: Vec<&str> = access.split('.').collect();
        let header = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let none = header(r#"{"alg":"none","typ":"JWT"}"#);
        let other = header(r#"{"alg":"HS384","typ":"JWT"}"#);
        let body = URL_SAFE_NO_PAD.decode(parts[1]).unwrap();
        let body = String::from_utf8(body).unwrap().replace("access", "refresh");
        for bad in [
            String::new(),
            "x".repeat(10_000),
            "a.b.c".to_owned(),
            format!("{none}.{}.", parts[1]),
            format!("{none}.{}.{}", parts[1], parts[2]),
            format!("{other}.{}.{}", parts[1], parts[2]),
            format!("{}.{}.{}", parts[0], header(&body), parts[2]),
            format!("{}.{}", parts[0], parts[1]),
            format!("{access}.x"),
        ] {
            assert!(jwts.check(&bad, Purpose::Access, now).is_none(), "{bad}");
            assert!(jwts.check(&bad, Purpose::Refresh, now).is_none(), "{bad}");
        }
    }
}
