//! Signed tokens (JWT, HS256) under a key derived from the server's. Source: RFC 7519, `team-api.md` §1.2.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use chrono::{DateTime, Utc};
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use slipway_core::{Error, Result};
use subtle::ConstantTimeEq;

/// Longest token that is looked at, in bytes.
const TOKEN_MAX: usize = 4096;

/// Signs and checks tokens of one issuer.
pub(crate) struct Jwt {
    key: SecretString,
    issuer: String,
}

impl Jwt {
    pub(crate) fn new(server_key: &SecretString, issuer: String) -> Self {
        Self { key: server_key.clone(), issuer }
    }

    /// A token with these claims, and those that all have.
    pub(crate) fn sign(
        &self,
        claims: Map<String, Value>,
        now: DateTime<Utc>,
        expires: Option<DateTime<Utc>>,
    ) -> Result<SecretString> {
        let mut claims = claims;
        claims.insert("iat".to_owned(), json!(now.timestamp()));
        claims.insert("iss".to_owned(), json!(self.issuer));
        if let Some(expires) = expires {
            claims.insert("exp".to_owned(), json!(expires.timestamp()));
        }
        let header = json!({"alg": "HS256", "typ": "JWT"});
        let head =
            format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(Value::Object(claims).to_string()));
        let signature = BASE64.encode(self.signature(&head)?);
        Ok(SecretString::from(format!("{head}.{signature}")))
    }

    /// The claims of a token that is ours and not over; `None` for all others.
    pub(crate) fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Option<Map<String, Value>>> {
        if token.len() > TOKEN_MAX {
            return Ok(None);
        }
        let Some((head, signature)) = token.rsplit_once('.') else { return Ok(None) };
        let Ok(signature) = BASE64.decode(signature) else { return Ok(None) };
        if !bool::from(self.signature(head)?.ct_eq(&signature)) {
            return Ok(None);
        }
        // What follows was written by us; it is read with care all the same.
        let Some((header, claims)) = head.split_once('.') else { return Ok(None) };
        let read = |part: &str| {
            let bytes = BASE64.decode(part).ok()?;
            serde_json::from_slice::<Map<String, Value>>(&bytes).ok()
        };
        let (Some(header), Some(claims)) = (read(header), read(claims)) else { return Ok(None) };
        let is_ours = header.get("alg").and_then(Value::as_str) == Some("HS256")
            && claims.get("iss").and_then(Value::as_str) == Some(self.issuer.as_str());
        let is_over = match claims.get("exp") {
            None => false,
            Some(expires) => expires.as_i64().is_none_or(|expires| expires <= now.timestamp()),
        };
        Ok((is_ours && !is_over).then_some(claims))
    }

    fn signature(&self, head: &str) -> Result<Vec<u8>> {
        let failed = |error: openssl::error::ErrorStack| Error::internal(format!("could not sign a token: {error}"));
        let hmac = |key: &[u8], parts: &[&[u8]]| {
            let key = PKey::hmac(key).map_err(failed)?;
            let mut signer = Signer::new(MessageDigest::sha256(), &key).map_err(failed)?;
            for part in parts {
                signer.update(part).map_err(failed)?;
            }
            signer.sign_to_vec().map_err(failed)
        };
        let key = hmac(self.key.expose_secret().as_bytes(), &[b"slipway jwt v1\0"])?;
        hmac(&key, &[head.as_bytes()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> Map<String, Value> {
        Map::from_iter([("sub".to_owned(), json!("1"))])
    }

    #[test]
    fn tokens_are_good_until_they_end_and_only_as_they_were_signed() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let later = DateTime::from_timestamp(1_800_000_060, 0).unwrap();
        let jwt = Jwt::new(&SecretString::from("key"), "https://a.example".to_owned());
        let token = jwt.sign(claims(), now, Some(later)).unwrap();
        let token = token.expose_secret();
        assert_eq!(jwt.verify(token, now).unwrap().unwrap()["sub"], "1");
        assert!(jwt.verify(token, later).unwrap().is_none());
        let ever = jwt.sign(claims(), now, None).unwrap();
        assert!(jwt.verify(ever.expose_secret(), later).unwrap().is_some());
        for other in [Jwt::new(&SecretString::from("other"), jwt.issuer.clone()), Jwt::new(&jwt.key, "x".to_owned())] {
            assert!(other.verify(token, now).unwrap().is_none());
        }
        for at in 0..token.len() {
            let mut bent = token.to_owned().into_bytes();
            bent[at] = if bent[at] == b'A' { b'B' } else { b'A' };
            let bent = String::from_utf8(bent).unwrap();
            // The last digit of base64 may stand for the same bytes.
            if at + 1 < token.len() {
                assert!(jwt.verify(&bent, now).unwrap().is_none(), "byte {at}");
            }
        }
        let unsigned = format!("{}.{}.", BASE64.encode(r#"{"alg":"none"}"#), BASE64.encode(r#"{"sub":"1"}"#));
        for bad in ["", ".", "..", "a.b.c", unsigned.as_str(), &"x".repeat(5000)] {
            assert!(jwt.verify(bad, now).unwrap().is_none(), "{bad}");
        }
    }
}
