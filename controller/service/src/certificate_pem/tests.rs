use proptest::prelude::*;

use super::*;
use crate::testing::{TestCertificate, TestKey};

/// Made with `openssl`: a leaf with a P-256 key, and the authority that issued it.
const CHAIN: &str = include_str!("chain.pem");
/// The leaf's key as `openssl ecparam -genkey` writes it.
const KEY: &str = include_str!("leaf.key");

fn errors(chain: &str, key: &str) -> Vec<(&'static str, String)> {
    match certificate_parse(chain, key) {
        Err(errors) => errors,
        Ok(parsed) => panic!("{parsed:?}"),
    }
}

/// Asserts one message, without the field's own beginning of it and without what OpenSSL adds in brackets.
fn refuses(chain: &str, key: &str, field: &str, reason: &str) {
    let errors = errors(chain, key);
    let [(found, message)] = errors.as_slice() else { panic!("{errors:?}") };
    let start = if field == "key" { "Could not load private key: " } else { "Could not load certificate: " };
    assert_eq!((*found, message.strip_prefix(start).and_then(|rest| rest.split(" (").next())), (field, Some(reason)));
}

fn first_block(pem: &str) -> String {
    let (block, _) = pem.split_once("-----END CERTIFICATE-----").unwrap();
    format!("{block}-----END CERTIFICATE-----\n")
}

#[test]
fn the_facts_are_those_that_openssl_prints() {
    let parsed = certificate_parse(CHAIN, KEY).unwrap();
    let CertificateFacts { common_name, san, fingerprint, issuer, subject, starts, expires } = parsed.facts;
    assert_eq!(common_name.as_deref(), Some("www.example.com"));
    assert_eq!(san, ["www.example.com", "*.example.com", "192.0.2.7", "2001:db8::7"]);
    assert_eq!(fingerprint, include_str!("chain.sha256").trim());
    assert_eq!(issuer, "/C=US/O=Example Trust/CN=Example Root");
    assert_eq!(
        subject,
        "/C=US/ST=Ohio/L=Springfield/O=Beispiel é GmbH/CN=www.example.com/emailAddress=hostmaster@example.com"
    );
    assert_eq!(starts.to_rfc3339(), "2026-11-21T06:16:51+00:00");
    assert_eq!(expires.to_rfc3339(), "2125-06-15T06:16:51+00:00");
    assert_eq!(parsed.warnings, [""; 0]);
    assert_eq!(parsed.chain_pem, CHAIN, "the chain is kept whole");
    assert!(parsed.key_pem.expose().starts_with("-----BEGIN PRIVATE KEY-----\n"));
}

#[test]
fn what_stands_around_the_blocks_is_not_kept() {
    let parsed = certificate_parse(&format!("Bag Attributes\r\n  x: y\r\n{}tail", CHAIN.replace('\n', "\r\n")), KEY);
    assert_eq!(parsed.unwrap().chain_pem, CHAIN);
}

#[test]
fn keys_of_all_kinds_are_taken() {
    for kind in [TestKey::Ec, TestKey::Ed25519, TestKey::Rsa(2048), TestKey::Rsa(1024)] {
        let made = TestCertificate::with(kind, &["*.example.com"], 0, 30).unwrap();
        let parsed = certificate_parse(&made.certificate, &made.key).unwrap();
        assert_eq!(parsed.facts.san, ["*.example.com"], "{kind:?}");
        let weak = matches!(kind, TestKey::Rsa(1024));
        assert_eq!(parsed.warnings.len(), usize::from(weak), "{kind:?}");
        assert!(!weak || parsed.warnings[0].contains("1024 bits"));
    }
    let made = TestCertificate::with(TestKey::Rsa(512), &["a.example.com"], 0, 30).unwrap();
    let reason = "RSA keys must have 1024 to 16384 bits; this one has 512";
    refuses(&made.certificate, &made.key, "certificate", reason);
}

#[test]
fn a_certificate_without_names_or_time_left_is_taken() {
    let made = TestCertificate::with(TestKey::Ec, &[], -20, -10).unwrap();
    let facts = certificate_parse(&made.certificate, &made.key).unwrap().facts;
    assert_eq!((facts.common_name, facts.san.len(), facts.subject.as_str()), (None, 0, ""));
    assert!(facts.expires < Utc::now());
}

#[test]
fn key_and_certificate_must_belong_together() {
    let (one, other) = (TestCertificate::new(&["a"]).unwrap(), TestCertificate::new(&["b"]).unwrap());
    refuses(&one.certificate, &other.key, "key", "it does not belong to the certificate");
    let rsa = TestCertificate::with(TestKey::Rsa(2048), &["a"], 0, 1).unwrap();
    refuses(&one.certificate, &rsa.key, "key", "it does not belong to the certificate");
    let turned = format!("{}{}", one.certificate, other.certificate);
    let reason = "it belongs to a certificate further down the chain; put that one first";
    refuses(&turned, &other.key, "key", reason);
}

#[test]
fn bad_certificates_say_why() {
    let leaf = first_block(CHAIN);
    let middle = CHAIN.len() / 4;
    for (bad, reason) in [
        ("x".to_owned(), "it is not in PEM form, which begins with -----BEGIN"),
        (CHAIN[..middle].to_owned(), "it is cut off: -----END CERTIFICATE----- is missing"),
        (CHAIN[..CHAIN.len() - 40].to_owned(), "it is cut off: -----END CERTIFICATE----- is missing"),
        (CHAIN[middle..].to_owned(), "it is cut off: -----BEGIN CERTIFICATE----- is missing"),
        (leaf.replace("-----END CERT", "-----END X509 CERT"), "it is cut off: -----END CERTIFICATE----- is missing"),
        (leaf.replacen("MII", "AAA", 1), "certificate 1 is damaged"),
        (leaf.replacen("MII", "%%%", 1), "certificate 1 is damaged"),
        (format!("{leaf}-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----"), "certificate 2 is damaged"),
        (KEY.replace("EC PARAMETERS", "X"), "there is a block of another kind in it: X"),
        (format!("{leaf}-----BEGIN PRIVATE KEY-----\nAA\n-----END PRIVATE KEY-----"), "there is a private key in it"),
        (
            "-----BEGIN CERTIFICATE REQUEST-----\nAA\n-----END CERTIFICATE REQUEST-----".to_owned(),
            "it is a request for a certificate, not the certificate",
        ),
        (first_block(CHAIN).repeat(17), "it has more than 16 certificates"),
        ("x".repeat(102_401), "it is longer than 102400 bytes"),
        ("\n".repeat(102_400), "it is not in PEM form, which begins with -----BEGIN"),
    ] {
        refuses(&bad, KEY, "certificate", reason);
    }
}

#[test]
fn bad_keys_say_why() {
    let block = |label: &str| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
    for (bad, reason) in [
        ("hunter2".to_owned(), "it is not in PEM form, which begins with -----BEGIN"),
        (KEY[..KEY.len() - 30].to_owned(), "it is cut off: -----END EC PRIVATE KEY----- is missing"),
        (KEY.repeat(2), "there is more than one key in it"),
        (include_str!("encrypted.key").to_owned(), ENCRYPTED.split(" (").next().unwrap()),
        (include_str!("legacy.key").to_owned(), ENCRYPTED.split(" (").next().unwrap()),
        (block("PRIVATE KEY"), "it is damaged"),
        (block("OPENSSH PRIVATE KEY"), "it is an SSH key"),
        (block("PUBLIC KEY"), "it is a public key"),
        (block("EC PARAMETERS"), "it holds no key"),
        (block("SECRET"), "it is of a kind that is not known: SECRET"),
        (CHAIN.to_owned(), "it is a certificate"),
    ] {
        refuses(CHAIN, &bad, "key", reason);
    }
    let x25519 = PKey::generate_x25519().unwrap().private_key_to_pem_pkcs8().unwrap();
    let reason = "it is of a kind that browsers do not take; use RSA, ECDSA or Ed25519";
    refuses(CHAIN, &String::from_utf8(x25519).unwrap(), "key", reason);
}

#[test]
fn swapped_fields_are_both_named() {
    let errors = errors(KEY, CHAIN);
    let fields: Vec<&str> = errors.iter().map(|(field, _)| *field).collect();
    assert_eq!(fields, ["certificate", "key"]);
    assert!(errors[0].1.starts_with("Could not load certificate: "), "{errors:?}");
}

#[test]
fn messages_never_show_the_key() {
    let secret = KEY.lines().rev().nth(1).unwrap();
    for (chain, key) in [(CHAIN, KEY.replacen('M', "%", 1)), (KEY, KEY.to_owned()), ("", format!("x{KEY}"))] {
        let shown = format!("{:?}", certificate_parse(chain, &key));
        assert!(!shown.contains(secret) && !shown.contains("BEGIN EC PRIVATE"), "{shown}");
    }
}

proptest! {
    #[test]
    fn never_panics_on_text(text in "(-----(BEGIN|END) (CERTIFICATE|PRIVATE KEY|)-----\n|[A-Za-z0-9+/=\n]{0,40}|\\PC{0,5}){0,20}") {
        drop(certificate_parse(&text, &text));
    }

    #[test]
    fn never_panics_on_damage(at in 0..CHAIN.len(), with in any::<u8>(), key_at in 0..KEY.len()) {
        let bend = |text: &str, at: usize| {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] = with;
            String::from_utf8_lossy(&bytes).into_owned()
        };
        drop(certificate_parse(&bend(CHAIN, at), KEY));
        drop(certificate_parse(CHAIN, &bend(KEY, key_at)));
        drop(certificate_parse(&CHAIN[..at], &KEY[..key_at]));
    }

    #[test]
    fn never_panics_on_der(der in proptest::collection::vec(any::<u8>(), 0..200)) {
        let body = openssl::base64::encode_block(&der);
        for label in ["CERTIFICATE", "TRUSTED CERTIFICATE", "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"] {
            let pem = format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n");
            drop(certificate_parse(&pem, KEY));
            drop(certificate_parse(CHAIN, &pem));
        }
    }
}
