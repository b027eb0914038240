//! A certificate and its key as users bring them. The first byte says how to make PEM of the rest: as it is, or by
//! wrapping raw DER, which lets the fuzzer reach behind base64. A NUL separates the certificate from the key in text,
//! two bytes of length in DER.

#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use libfuzzer_sys::fuzz_target;
use slipway_service::certificate_parse;

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    for line in text.as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem.push_str(&format!("-----END {label}-----\n"));
    pem
}

fn split(data: &[u8]) -> Option<(String, String)> {
    let (mode, rest) = data.split_first()?;
    if mode & 1 == 0 {
        let text = String::from_utf8_lossy(rest);
        let (chain, key) = text.split_once('\0').unwrap_or((&text, &text));
        return Some((chain.to_owned(), key.to_owned()));
    }
    let (length, rest) = rest.split_first_chunk::<2>()?;
    let (chain, key) = rest.split_at(usize::from(u16::from_be_bytes(*length)).min(rest.len()));
    Some((pem("CERTIFICATE", chain), pem("PRIVATE KEY", key)))
}

fuzz_target!(|data: &[u8]| {
    let Some((chain, key)) = split(data) else { return };
    match certificate_parse(&chain, &key) {
        Ok(parsed) => {
            // What is kept is read again, and says the same.
            let again = certificate_parse(&parsed.chain_pem, parsed.key_pem.expose()).expect("what is kept is good");
            assert_eq!(again.facts, parsed.facts);
            assert_eq!(again.chain_pem, parsed.chain_pem);
            assert!(!parsed.facts.subject.contains(char::is_control));
        }
        Err(messages) => {
            assert!(!messages.is_empty());
            // Nothing of the key is shown.
            assert!(messages.iter().all(|(_, message)| message.len() < 100 * 1024 + 1000));
        }
    }
});
