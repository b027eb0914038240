//! Reading certificates and keys that users bring. Everything in here may be hostile.
//!
//! What is kept is written anew from what was understood, so that nothing beside it (a key in the wrong field, bag
//! attributes, a second file pasted behind) is stored or served. Source: `drycc-v2.md` §2.8.

use std::fmt::Write as _;
use std::net::IpAddr;

use chrono::{DateTime, Utc};
use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{Id, PKey, PKeyRef, Private, Public};
use openssl::ssl::{SslContext, SslMethod};
use openssl::x509::{X509, X509NameRef, X509Ref};
use slipway_core::certificate::CertificateFacts;
use slipway_core::config::SecretText;

/// Longest chain and longest key. OpenSSL's clients refuse a longer chain (`SSL_MAX_CERT_LIST_DEFAULT`).
const PEM_MAX_BYTES: usize = 100 * 1024;
/// Most certificates of a chain. Real ones have two or three.
const CHAIN_MAX: usize = 16;
/// Fewest bits of an RSA key: clients refuse fewer, whatever we do.
const RSA_BITS_MIN: u32 = 1024;
/// Fewest bits that are good; fewer are let in with a warning.
const RSA_BITS_GOOD: u32 = 2048;
/// Most bits: each handshake costs the cube of them.
const RSA_BITS_MAX: u32 = 16_384;
/// OpenSSL's security level that refuses what clients refuse (RSA of 1024 bits and SHA-1 are let in).
const SECURITY_LEVEL: u32 = 1;

/// A certificate and its key that were read.
#[derive(Debug)]
pub struct ParsedCertificate {
    /// What it says of itself.
    pub facts: CertificateFacts,
    /// The chain in PEM, leaf first.
    pub chain_pem: String,
    /// The key in PEM, PKCS #8.
    pub key_pem: SecretText,
    /// What is weak about it, each a predicate: "has an RSA key of …".
    pub warnings: Vec<String>,
}

/// A field and what is wrong with it.
pub type FieldMessage = (&'static str, String);

/// Reads a chain and the key of its first certificate, both PEM.
///
/// # Errors
/// Messages under `certificate` and `key`.
pub fn certificate_parse(chain: &str, key: &str) -> Result<ParsedCertificate, Vec<FieldMessage>> {
    let chain = chain_read(chain).map_err(|reason| ("certificate", format!("Could not load certificate: {reason}")));
    let key = key_read(key).map_err(|reason| ("key", format!("Could not load private key: {reason}")));
    let (chain, key) = match (chain, key) {
        (Ok(chain), Ok(key)) => (chain, key),
        (chain, key) => return Err(chain.err().into_iter().chain(key.err()).collect()),
    };
    match parsed(&chain, &key) {
        Ok(parsed) => Ok(parsed),
        Err(message) => Err(vec![message]),
    }
}

fn parsed(chain: &[X509], key: &PKeyRef<Private>) -> Result<ParsedCertificate, FieldMessage> {
    let bad = |reason: String| ("certificate", format!("Could not load certificate: {reason}"));
    let [leaf, ..] = chain else { return Err(bad("it holds no certificate".to_owned())) };
    let public = leaf.public_key().map_err(|error| bad(format!("its public key cannot be read{}", reason(&error))))?;
    if !public.public_eq(key) {
        let place = chain.iter().position(|other| other.public_key().is_ok_and(|public| public.public_eq(key)));
        let reason = match place {
            Some(_) => "it belongs to a certificate further down the chain; put that one first",
            None => "it does not belong to the certificate",
        };
        return Err(("key", format!("Could not load private key: {reason}")));
    }
    let mut warnings = Vec::new();
    strength_check(&public, &mut warnings).map_err(&bad)?;
    serve_check(chain, key).map_err(|error| bad(format!("it cannot be served{}", reason(&error))))?;
    let facts = facts(leaf).map_err(|error| bad(format!("it cannot be read{}", reason(&error))))?;
    let written = |error: ErrorStack| bad(format!("it cannot be written again{}", reason(&error)));
    let mut chain_pem = String::new();
    for certificate in chain {
        chain_pem.push_str(&String::from_utf8_lossy(&certificate.to_pem().map_err(written)?));
    }
    let key_pem = key.private_key_to_pem_pkcs8().map_err(written)?;
    let key_pem = String::from_utf8(key_pem).map_err(|_| bad("its key is not text".to_owned()))?;
    Ok(ParsedCertificate { facts, chain_pem, key_pem: SecretText::new(key_pem), warnings })
}

/// One block of PEM.
struct Block<'a> {
    label: &'a str,
    text: &'a str,
}

/// Cuts PEM into blocks. What stands between them is passed over (RFC 7468 §5.2).
fn blocks(pem: &str) -> Result<Vec<Block<'_>>, String> {
    if pem.len() > PEM_MAX_BYTES {
        return Err(format!("it is longer than {PEM_MAX_BYTES} bytes"));
    }
    let mut blocks = Vec::new();
    let mut open: Option<(&str, usize)> = None;
    let mut at = 0;
    for line in pem.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let mark = |kind: &str| line.trim().strip_prefix(kind)?.strip_suffix("-----");
        if let Some(label) = mark("-----BEGIN ") {
            if let Some((label, _)) = open {
                return Err(format!("it is cut off: -----END {label}----- is missing"));
            }
            open = Some((label, start));
        } else if let Some(label) = mark("-----END ") {
            match open.take() {
                Some((begun, start)) if begun == label => {
                    blocks.push(Block { label, text: pem.get(start..at).unwrap_or_default() });
                }
                Some((begun, _)) => return Err(format!("it is cut off: -----END {begun}----- is missing")),
                None => return Err(format!("it is cut off: -----BEGIN {label}----- is missing")),
            }
        }
    }
    match open {
        Some((label, _)) => Err(format!("it is cut off: -----END {label}----- is missing")),
        None if blocks.is_empty() => Err("it is not in PEM form, which begins with -----BEGIN".to_owned()),
        None => Ok(blocks),
    }
}

fn chain_read(pem: &str) -> Result<Vec<X509>, String> {
    let mut chain = Vec::new();
    for Block { label, text } in blocks(pem)? {
        match label {
            "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => {
                if chain.len() == CHAIN_MAX {
                    return Err(format!("it has more than {CHAIN_MAX} certificates"));
                }
                let certificate = X509::from_pem(text.as_bytes())
                    .map_err(|error| format!("certificate {} is damaged{}", chain.len() + 1, reason(&error)))?;
                chain.push(certificate);
            }
            _ if label.ends_with("PRIVATE KEY") => return Err("there is a private key in it".to_owned()),
            "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => {
                return Err("it is a request for a certificate, not the certificate".to_owned());
            }
            _ => return Err(format!("there is a block of another kind in it: {}", printable(label))),
        }
    }
    if chain.is_empty() { Err("it holds no certificate".to_owned()) } else { Ok(chain) }
}

fn key_read(pem: &str) -> Result<PKey<Private>, String> {
    let mut found = None;
    for Block { label, text } in blocks(pem)? {
        match label {
            // The curve, which stands in the key again.
            "EC PARAMETERS" => continue,
            "ENCRYPTED PRIVATE KEY" => return Err(ENCRYPTED.to_owned()),
            _ if label.ends_with("PRIVATE KEY") && text.contains("ENCRYPTED") => return Err(ENCRYPTED.to_owned()),
            "PRIVATE KEY" | "RSA PRIVATE KEY" | "EC PRIVATE KEY" => {}
            "OPENSSH PRIVATE KEY" => return Err("it is an SSH key".to_owned()),
            _ if label.ends_with("PUBLIC KEY") => return Err("it is a public key".to_owned()),
            _ if label.ends_with("CERTIFICATE") => return Err("it is a certificate".to_owned()),
            _ => return Err(format!("it is of a kind that is not known: {}", printable(label))),
        }
        if found.replace(text).is_some() {
            return Err("there is more than one key in it".to_owned());
        }
    }
    let text = found.ok_or("it holds no key")?;
    // Without a callback OpenSSL would ask for a passphrase on the terminal that this process was started from.
    let key = PKey::private_key_from_pem_callback(text.as_bytes(), |_| Ok(0))
        .map_err(|error| format!("it is damaged{}", reason(&error)))?;
    match key.id() {
        Id::RSA | Id::EC | Id::ED25519 => Ok(key),
        _ => Err("it is of a kind that browsers do not take; use RSA, ECDSA or Ed25519".to_owned()),
    }
}

const ENCRYPTED: &str = "it is encrypted; take the passphrase off it first (`openssl pkey -in FILE -out PLAIN`)";

fn strength_check(public: &PKeyRef<Public>, warnings: &mut Vec<String>) -> Result<(), String> {
    if public.id() != Id::RSA {
        return Ok(());
    }
    let bits = public.bits();
    if !(RSA_BITS_MIN..=RSA_BITS_MAX).contains(&bits) {
        return Err(format!("RSA keys must have {RSA_BITS_MIN} to {RSA_BITS_MAX} bits; this one has {bits}"));
    }
    if bits < RSA_BITS_GOOD {
        warnings.push(format!("has an RSA key of {bits} bits only, which most clients refuse"));
    }
    Ok(())
}

/// Whether a TLS server can present it at all.
fn serve_check(chain: &[X509], key: &PKeyRef<Private>) -> Result<(), ErrorStack> {
    let mut context = SslContext::builder(SslMethod::tls_server())?;
    context.set_security_level(SECURITY_LEVEL);
    for (place, certificate) in chain.iter().enumerate() {
        if place == 0 {
            context.set_certificate(certificate)?;
        } else {
            context.add_extra_chain_cert(certificate.clone())?;
        }
    }
    context.set_private_key(key)?;
    context.check_private_key()
}

fn facts(leaf: &X509Ref) -> Result<CertificateFacts, ErrorStack> {
    let common_name = leaf
        .subject_name()
        .entries_by_nid(openssl::nid::Nid::COMMONNAME)
        .last()
        .and_then(|entry| entry.data().to_string().ok())
        .map(|name| printable(&name));
    let san = leaf
        .subject_alt_names()
        .into_iter()
        .flatten()
        .filter_map(|name| name.dnsname().map(printable).or_else(|| address(name.ipaddress()?)))
        .collect();
    let digest = leaf.digest(MessageDigest::sha256())?;
    let fingerprint: Vec<String> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
    Ok(CertificateFacts {
        common_name,
        san,
        fingerprint: fingerprint.join(":"),
        issuer: one_line(leaf.issuer_name()),
        subject: one_line(leaf.subject_name()),
        starts: time(leaf.not_before())?,
        expires: time(leaf.not_after())?,
    })
}

fn address(bytes: &[u8]) -> Option<String> {
    let address = match *bytes {
        [a, b, c, d] => IpAddr::from([a, b, c, d]),
        _ => IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?),
    };
    Some(address.to_string())
}

/// A name as OpenSSL writes it on one line: `/C=US/O=Example/CN=www.example.com`.
fn one_line(name: &X509NameRef) -> String {
    let mut line = String::new();
    for entry in name.entries() {
        let object = entry.object();
        let kind = object.nid().short_name().ok().filter(|name| *name != "UNDEF");
        let kind = kind.map_or_else(|| object.to_string(), str::to_owned);
        let value = entry.data().to_string().map(|value| printable(&value)).unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = write!(line, "/{kind}={value}");
    }
    line
}

fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

fn time(time: &Asn1TimeRef) -> Result<DateTime<Utc>, ErrorStack> {
    let since = Asn1Time::from_unix(0)?.diff(time)?;
    let secs = i64::from(since.days) * 24 * 60 * 60 + i64::from(since.secs);
    // Years 0 to 9999, which is all that a certificate can say.
    Ok(DateTime::from_timestamp(secs, 0).unwrap_or_default())
}

/// What OpenSSL says, in brackets, if it says anything.
fn reason(error: &ErrorStack) -> String {
    error
        .errors()
        .last()
        .and_then(openssl::error::Error::reason)
        .map(|reason| format!(" ({reason})"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
