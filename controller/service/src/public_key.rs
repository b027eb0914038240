//! Reading SSH public keys. Source: `drycc-v2.md` §2.12.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::hash::{MessageDigest, hash};

/// Longest line that is read, in bytes. An RSA key of 16,384 bits has under 3 KiB.
const LINE_MAX_BYTES: usize = 16 * 1024;
/// Fewest and most bits of an RSA key.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=16_384;

/// A key that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// The line without blanks around it.
    pub public: String,
    /// MD5 fingerprint, lower-case hex with colons.
    pub fingerprint: String,
}

/// Reads `<type> <base64> [comment]`.
///
/// # Errors
/// The message for the field; it does not quote the key.
pub fn public_key_parse(line: &str) -> Result<PublicKey, String> {
    let line = line.trim();
    if line.is_empty() {
        return Err("This field may not be blank.".to_owned());
    }
    if line.len() > LINE_MAX_BYTES {
        return Err(format!("Key is longer than {LINE_MAX_BYTES} bytes"));
    }
    if line.contains("PRIVATE KEY") {
        return Err("This is a private key; give the public one, from the file that ends in .pub".to_owned());
    }
    if line.chars().any(char::is_control) {
        return Err("Key must be one line".to_owned());
    }
    let mut words = line.split_ascii_whitespace();
    let (Some(name), Some(text)) = (words.next(), words.next()) else {
        return Err("Key must have the form <type> <base64> [comment]".to_owned());
    };
    let blob = STANDARD.decode(text).map_err(|_| "Key contains invalid base64 chars".to_owned())?;
    let mut reader = Reader(&blob);
    let inner = reader.text().ok_or("Key is cut off")?;
    if inner != name {
        return Err("Key's type differs from the type inside it".to_owned());
    }
    let is_whole = match name {
        "ssh-ed25519" => reader.bytes().is_some_and(|key| key.len() == 32),
        "sk-ssh-ed25519@openssh.com" => reader.bytes().is_some_and(|key| key.len() == 32) && reader.bytes().is_some(),
        "ecdsa-sha2-nistp256" => point_is_whole(&mut reader, "nistp256", 65),
        "ecdsa-sha2-nistp384" => point_is_whole(&mut reader, "nistp384", 97),
        "ecdsa-sha2-nistp521" => point_is_whole(&mut reader, "nistp521", 133),
        "sk-ecdsa-sha2-nistp256@openssh.com" => point_is_whole(&mut reader, "nistp256", 65) && reader.bytes().is_some(),
        "ssh-rsa" => {
            let exponent = reader.bytes();
            let bits = reader.bytes().map(bits_of);
            if let Some(bits) = bits.filter(|bits| !RSA_BITS.contains(bits)) {
                return Err(format!(
                    "RSA keys must have {} to {} bits; this one has {bits}",
                    RSA_BITS.start(),
                    RSA_BITS.end()
                ));
            }
            exponent.is_some_and(|exponent| bits_of(exponent) > 1) && bits.is_some()
        }
        _ => return Err("Key type is not supported; use Ed25519, ECDSA or RSA".to_owned()),
    };
    if !is_whole || !reader.0.is_empty() {
        return Err("Key is damaged".to_owned());
    }
    let digest = hash(MessageDigest::md5(), &blob).map_err(|_| "Key has no fingerprint".to_owned())?;
    let fingerprint: Vec<String> = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(PublicKey { public: line.to_owned(), fingerprint: fingerprint.join(":") })
}

fn point_is_whole(reader: &mut Reader<'_>, curve: &str, length: usize) -> bool {
    reader.text() == Some(curve)
        && reader.bytes().is_some_and(|point| point.len() == length && point.first() == Some(&4))
}

/// Bits of a positive number in SSH's form; 0 for what is none.
fn bits_of(number: &[u8]) -> usize {
    if number.first().is_some_and(|first| *first >= 0x80) {
        return 0;
    }
    let digits: &[u8] = match number.iter().position(|byte| *byte != 0) {
        Some(start) => number.get(start..).unwrap_or_default(),
        None => return 0,
    };
    let high_zeros = digits.first().map_or(0, |first| first.leading_zeros() as usize);
    digits.len() * 8 - high_zeros
}

/// Reads strings with their length in front (RFC 4251 §5).
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (bytes, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A key line of these parts.
    fn line(name: &str, parts: &[&[u8]]) -> String {
        let mut blob = Vec::new();
        for part in std::iter::once(name.as_bytes()).chain(parts.iter().copied()) {
            blob.extend_from_slice(&u32::try_from(part.len()).unwrap().to_be_bytes());
            blob.extend_from_slice(part);
        }
        format!("{name} {}", STANDARD.encode(blob))
    }

    /// An Ed25519 key that nobody holds.
    pub(crate) fn ed25519(number: u8) -> String {
        format!("{} bob@home", line("ssh-ed25519", &[&[number; 32]]))
    }

    fn rsa(bits: usize) -> String {
        let mut modulus = vec![0];
        modulus.extend(std::iter::repeat_n(0xff, bits / 8));
        line("ssh-rsa", &[&[1, 0, 1], &modulus])
    }

    fn point(length: usize) -> Vec<u8> {
        let mut point = vec![7; length];
        point[0] = 4;
        point
    }

    #[test]
    fn good_keys() {
        for good in [
            ed25519(1),
            rsa(2048),
            rsa(4096),
            line("ecdsa-sha2-nistp256", &[b"nistp256", &point(65)]),
            line("ecdsa-sha2-nistp384", &[b"nistp384", &point(97)]),
            line("ecdsa-sha2-nistp521", &[b"nistp521", &point(133)]),
            line("sk-ssh-ed25519@openssh.com", &[&[1; 32], b"ssh:"]),
            line("sk-ecdsa-sha2-nistp256@openssh.com", &[b"nistp256", &point(65), b"ssh:"]),
        ] {
            let key = public_key_parse(&format!("  {good}\n")).unwrap();
            assert_eq!(key.public, good);
            assert_eq!(key.fingerprint.len(), 47);
        }
    }

    #[test]
    fn the_fingerprint_is_that_of_ssh_keygen() {
        // Made with `ssh-keygen -t ed25519`; the fingerprint is of `ssh-keygen -lE md5`.
        let key = public_key_parse(include_str!("public_key/ed25519.pub")).unwrap();
        assert_eq!(key.fingerprint, include_str!("public_key/ed25519.md5").trim());
    }

    #[test]
    fn bad_keys_say_why() {
        let good = ed25519(1);
        let text = good.split(' ').nth(1).unwrap();
        for (bad, reason) in [
            (String::new(), "This field may not be blank."),
            ("ssh-ed25519".to_owned(), "Key must have the form <type> <base64> [comment]"),
            ("ssh-ed25519 !!!?".to_owned(), "Key contains invalid base64 chars"),
            (format!("ssh-rsa {text}"), "Key's type differs from the type inside it"),
            (format!("{good}\n{good}"), "Key must be one line"),
            (line("ssh-dss", &[&[1; 32]]), "Key type is not supported; use Ed25519, ECDSA or RSA"),
            (line("ssh-ed25519", &[&[1; 31]]), "Key is damaged"),
            (line("ssh-ed25519", &[&[1; 32], b"more"]), "Key is damaged"),
            (line("ecdsa-sha2-nistp256", &[b"nistp384", &point(65)]), "Key is damaged"),
            (rsa(1024), "RSA keys must have 2048 to 16384 bits; this one has 1024"),
            ("ssh-ed25519 AAAA".to_owned(), "Key is cut off"),
            (
                "-----BEGIN OPENSSH PRIVATE KEY----- x".to_owned(),
                "This is a private key; give the public one, from the file that ends in .pub",
            ),
            ("x".repeat(20_000), "Key is longer than 16384 bytes"),
        ] {
            assert_eq!(public_key_parse(&bad), Err(reason.to_owned()), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = public_key_parse(&format!("ssh-rsa {}", STANDARD.encode(bytes)));
        }
    }
}
