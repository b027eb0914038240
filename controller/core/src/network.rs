//! Addresses and networks of allow lists. Source: `drycc-v2.md` §2.10.

use std::net::{IpAddr, Ipv4Addr};

/// Longest text of one entry. Source: `drycc-v2.md` §2.10.
pub const NETWORK_MAX: usize = 50;

/// Reads an address, or a network as address and length (`10.0.0.0/8`) or mask (`10.0.0.0/255.0.0.0`); host bits may
/// be set. Gives the address and the length of the prefix. `None` when it is neither.
#[must_use]
pub fn network_parse(text: &str) -> Option<(IpAddr, u8)> {
    if text.len() > NETWORK_MAX {
        return None;
    }
    let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
    let address: IpAddr = address.parse().ok()?;
    let length_max = if address.is_ipv4() { 32 } else { 128 };
    let Some(length) = length else { return Some((address, length_max)) };
    let length = if length.bytes().all(|byte| byte.is_ascii_digit()) {
        length.parse().ok()?
    } else if address.is_ipv4() {
        mask_length(length.parse().ok()?)?
    } else {
        return None;
    };
    (length <= length_max).then_some((address, length))
}

/// How many bits a mask has, if they are all in front.
fn mask_length(mask: Ipv4Addr) -> Option<u8> {
    let bits = mask.to_bits();
    let ones = bits.leading_ones();
    (ones + bits.trailing_zeros() >= 32).then(|| u8::try_from(ones).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn networks() {
        for (text, expect) in [
            ("10.0.0.1", Some(("10.0.0.1", 32))),
            ("10.0.0.0/8", Some(("10.0.0.0", 8))),
            ("10.1.2.3/8", Some(("10.1.2.3", 8))),
            ("10.0.0.0/255.0.0.0", Some(("10.0.0.0", 8))),
            ("0.0.0.0/0", Some(("0.0.0.0", 0))),
            ("10.0.0.0/0.0.0.0", Some(("10.0.0.0", 0))),
            ("::1", Some(("::1", 128))),
            ("fd00::/8", Some(("fd00::", 8))),
            ("10.0.0.0/33", None),
            ("10.0.0.0/255.0.255.0", None),
            ("10.0.0.0/", None),
            ("10.0.0.0/-1", None),
            ("10.0.0.0/+8", None),
            ("10.0.0.0/8/8", None),
            ("fd00::/129", None),
            ("fd00::/ffff::", None),
            ("10.0.0", None),
            ("010.0.0.1", None),
            ("localhost", None),
            ("x", None),
            ("", None),
            (" 10.0.0.1", None),
        ] {
            let expect = expect.map(|(address, length)| (address.parse().unwrap(), length));
            assert_eq!(network_parse(text), expect, "{text}");
        }
        assert_eq!(network_parse(&"1".repeat(60)), None);
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,60}|[0-9a-f.:/]{0,60}") {
            let _ = network_parse(&text);
        }
    }
}
