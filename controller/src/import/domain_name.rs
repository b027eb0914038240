//! The grammar of host names as the old platform stored them: in ASCII, possibly with upper case.

use std::net::IpAddr;

/// Longest host name. Source: RFC 1035 §2.3.4.
const NAME_MAX: usize = 253;
/// Longest part between dots.
const LABEL_MAX: usize = 63;

/// The name in lower case.
///
/// # Errors
/// The rule that it breaks. Source: `drycc-v2.md` §2.7.
pub(crate) fn domain_read(text: &str) -> Result<String, &'static str> {
    let name = text.trim().to_ascii_lowercase();
    let name = name.strip_suffix('.').unwrap_or(&name);
    let plain = name.strip_prefix("*.").unwrap_or(name);
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= LABEL_MAX
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    if name.len() > NAME_MAX {
        return Err("a host name has at most 253 characters");
    }
    let is_numeric = plain.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    if !plain.split('.').all(is_label) || is_numeric {
        return Err("it is not a host name in ASCII form");
    }
    Ok(name.to_owned())
}

/// Whether a text is an address or a network of the allow list.
pub(crate) fn is_network(text: &str) -> bool {
    let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let most = if address.is_ipv4() { 32 } else { 128 };
    length.is_none_or(|length| {
        length.bytes().all(|byte| byte.is_ascii_digit()) && length.parse::<u8>().is_ok_and(|length| length <= most)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_are_brought_to_one_form() {
        for (text, name) in [
            ("blog", Some("blog")),
            ("WWW.Example.com", Some("www.example.com")),
            ("*.example.com", Some("*.example.com")),
            ("example.com.", Some("example.com")),
            ("xn--mller-kva.example.com", Some("xn--mller-kva.example.com")),
            ("müller.example.com", None),
            ("*", None),
            ("*.", None),
            ("a.*.com", None),
            ("", None),
            ("a..b", None),
            ("-a.b", None),
            ("a_b.c", None),
            ("a/../b", None),
            ("10.0.0.1", None),
        ] {
            assert_eq!(domain_read(text).ok().as_deref(), name, "{text}");
        }
        assert!(domain_read(&["a"; 127].join(".")).is_ok());
        assert!(domain_read(&["aa"; 127].join(".")).is_err());
    }

    #[test]
    fn networks_are_told_from_nonsense() {
        for good in ["10.0.0.1", "10.1.2.3/8", "::1", "2001:db8::/32", "0.0.0.0/0"] {
            assert!(is_network(good), "{good}");
        }
        for bad in ["", "x", "10.0.0.1/33", "::1/129", "10.0.0.1/", "10.0.0.1/+8", "10.0.0.1/8/8"] {
            assert!(!is_network(bad), "{bad}");
        }
    }
}
