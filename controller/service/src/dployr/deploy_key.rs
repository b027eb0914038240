//! Keys by which builders prove themselves to hosts of repositories: one for each deployment, made here. The public half
//! is shown; the private half is sealed, and leaves the database for a builder's claim only.

use openssl::base64::encode_block;
use openssl::pkey::PKey;
use slipway_core::config::SecretText;
use slipway_core::{AppName, Error, Result};

/// The kind of key. Source: RFC 8709.
const KIND: &str = "ssh-ed25519";

/// A new key: the public half as hosts want it pasted, the private one as PKCS #8 PEM.
///
/// # Errors
/// When the system has no randomness.
pub(super) fn generate(app: &AppName) -> Result<(String, SecretText)> {
    let failed = |error: openssl::error::ErrorStack| Error::internal(format!("could not make a deploy key: {error}"));
    let key = PKey::generate_ed25519().map_err(failed)?;
    let public = key.raw_public_key().map_err(failed)?;
    let private = String::from_utf8(key.private_key_to_pem_pkcs8().map_err(failed)?).map_err(Error::internal)?;
    let mut blob = Vec::new();
    for part in [KIND.as_bytes(), &public] {
        // Each part has its length before it. Both are short.
        blob.extend_from_slice(&u32::try_from(part.len()).unwrap_or_default().to_be_bytes());
        blob.extend_from_slice(part);
    }
    Ok((format!("{KIND} {} slipway-{app}", encode_block(&blob)), SecretText::new(private)))
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn a_key_is_one_that_hosts_take() {
        let app = AppName::new("blog").unwrap();
        let ((one, private), (two, _)) = (generate(&app).unwrap(), generate(&app).unwrap());
        assert_ne!(one, two);
        assert!(one.starts_with("ssh-ed25519 AAAA") && one.ends_with(" slipway-blog"), "{one}");
        assert!(private.expose().starts_with("-----BEGIN PRIVATE KEY-----"));
        crate::public_key::public_key_parse(&one).unwrap();
    }
}
