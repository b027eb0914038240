//! Host names and entries of allow lists.

#![no_main]

use libfuzzer_sys::fuzz_target;
use slipway_core::domain::{domain_parse, is_of_platform};
use slipway_core::network::network_parse;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    match domain_parse(&text) {
        Ok(domain) => {
            assert!(domain.len() <= 253 && domain.is_ascii(), "{domain:?}");
            assert!(domain.split('.').all(|label| !label.is_empty() && label.len() <= 63), "{domain:?}");
            let alphabet = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-*".contains(&byte);
            assert!(domain.bytes().all(alphabet), "{domain:?}");
            assert!(!domain.trim_start_matches("*.").contains('*'), "{domain:?}");
            // The stored form is its own.
            assert_eq!(domain_parse(&domain).as_deref(), Ok(domain.as_str()));
            let _ = is_of_platform(&domain, "example.com");
        }
        Err(message) => assert!(message.len() < 5000, "the message grows with the name"),
    }
    if let Some((address, length)) = network_parse(&text) {
        assert!(length <= if address.is_ipv4() { 32 } else { 128 });
        assert_eq!(network_parse(&format!("{address}/{length}")), Some((address, length)));
    }
});
