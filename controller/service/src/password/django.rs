//! Password hashes of Django, for people who come from platforms that kept them so: `pbkdf2_sha256$…` only.

use openssl::base64::decode_block;
use openssl::hash::MessageDigest;
use openssl::memcmp;
use openssl::pkcs5::pbkdf2_hmac;

/// Most iterations that are computed. Django 6 of 2025 uses 1,200,000; a hash that asks for more than this would
/// cost seconds at each try.
const ITERATIONS_MAX: u32 = 4_000_000;
/// Longest salt, in bytes. Django's own have 12 to 22.
const SALT_MAX: usize = 256;
/// Bytes of SHA-256.
const DIGEST: usize = 32;

/// A hash that Django made with PBKDF2 and SHA-256: `pbkdf2_sha256$ITERATIONS$SALT$BASE64`.
///
/// Source: Django documentation, "How Django stores passwords".
pub struct DjangoHash<'a> {
    iterations: u32,
    salt: &'a str,
    digest: [u8; DIGEST],
}

impl<'a> DjangoHash<'a> {
    /// Reads a hash; `None` for one of another kind, a damaged one, and one that would take too long to check.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.strip_prefix("pbkdf2_sha256$")?.split('$');
        let (iterations, salt, digest) = (parts.next()?, parts.next()?, parts.next()?);
        let is_number = !iterations.is_empty() && iterations.bytes().all(|byte| byte.is_ascii_digit());
        let iterations: u32 = iterations.parse().ok().filter(|_| is_number)?;
        let is_good = (1..=ITERATIONS_MAX).contains(&iterations) && (1..=SALT_MAX).contains(&salt.len());
        let digest = decode_block(digest).ok().filter(|_| digest.len() == 44)?.try_into().ok()?;
        (is_good && parts.next().is_none()).then_some(Self { iterations, salt, digest })
    }

    /// Whether this is the password, compared in constant time.
    pub(crate) fn verify(&self, password: &[u8]) -> bool {
        let mut digest = [0; DIGEST];
        // The cap keeps it within what any machine counts to.
        let iterations = usize::try_from(self.iterations).unwrap_or(usize::MAX);
        pbkdf2_hmac(password, self.salt.as_bytes(), iterations, MessageDigest::sha256(), &mut digest).is_ok()
            && memcmp::eq(&digest, &self.digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with Python's `hashlib.pbkdf2_hmac`.
    const KNOWN: [(&str, &str); 3] = [
        ("correct horse", "pbkdf2_sha256$24000$Kq3vXbT0aZ1m$DL27EZchCf1FWfMEyHz1Ek6ulmpl8rMKFf9EgPFZcGM="),
        ("lètmein", "pbkdf2_sha256$1$seasalt$mJQ8D8xVBAKQGCo0t0n+NSPS2a0gQhVtjuC9LdL9WiM="),
        ("", "pbkdf2_sha256$1000$s$HR/6V8wgUN1kPTden0l+XrmvHh7Gl0jXIg5Wb/Tp85Y="),
    ];

    #[test]
    fn the_right_password_fits_and_no_other() {
        for (password, hash) in KNOWN {
            let hash = DjangoHash::parse(hash).unwrap();
            assert!(hash.verify(password.as_bytes()), "{password}");
            assert!(!hash.verify(format!("{password}x").as_bytes()), "{password}");
        }
        assert!(!DjangoHash::parse(KNOWN[0].1).unwrap().verify(b""));
    }

    #[test]
    fn other_hashes_are_not_read() {
        let digest = "DL27EZchCf1FWfMEyHz1Ek6ulmpl8rMKFf9EgPFZcGM=";
        assert!(DjangoHash::parse(&format!("pbkdf2_sha256$4000000$s${digest}")).is_some());
        for bad in [
            String::new(),
            "!aBcD".to_owned(),
            "pbkdf2_sha256".to_owned(),
            "pbkdf2_sha256$1$s".to_owned(),
            "pbkdf2_sha256$1$s$".to_owned(),
            format!("pbkdf2_sha1$1$s${digest}"),
            format!("pbkdf2_sha256$0$s${digest}"),
            format!("pbkdf2_sha256$-1$s${digest}"),
            format!("pbkdf2_sha256$+1$s${digest}"),
            format!("pbkdf2_sha256$4000001$s${digest}"),
            format!("pbkdf2_sha256$99999999999999$s${digest}"),
            format!("pbkdf2_sha256$1$${digest}"),
            format!("pbkdf2_sha256$1${}${digest}", "s".repeat(300)),
            format!("pbkdf2_sha256$1$s${digest}$x"),
            format!("pbkdf2_sha256$1$s$ {digest}"),
            format!("pbkdf2_sha256$1$s${}", &digest[..40]),
            format!("pbkdf2_sha256$1$s${}!!!!", &digest[..40]),
            "$argon2id$v=19$m=19456,t=2,p=1$c2xpcHdheXNsaXB3YXk$AAAA".to_owned(),
        ] {
            assert!(DjangoHash::parse(&bad).is_none(), "{bad}");
        }
    }
}
