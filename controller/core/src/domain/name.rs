//! The grammar of host names. Source: `drycc-v2.md` §2.7.

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

/// The message for a wildcard without a domain.
const ONLY_WILDCARD: &str = "Hostname can't only be a wildcard";
/// The message for a name that can be no host's.
const NOT_VALID: &str = "Hostname does not look valid.";
/// The message for a name that DNS cannot hold.
const TOO_LONG: &str = "Hostname must be 253 characters or less.";
/// The message for a name that belongs to the platform.
pub const RESERVED: &str = "This is a reserved domain";
/// The message for a name that somebody has, the only one that old clients know.
pub const TAKEN: &str = "Domain is already in use by another application";

/// Longest name that DNS holds (RFC 1035 §2.3.4, without the root's dot).
const NAME_MAX: usize = 253;
/// Longest label (RFC 1035 §2.3.4).
const LABEL_MAX: usize = 63;
/// Longest input that is looked at: no name that fits in [`NAME_MAX`] is written with more.
const INPUT_MAX: usize = 4 * NAME_MAX;

/// Reads a host name as people write it: in any case, in Unicode or in its ASCII form, with or without a dot at the
/// end; `*` may stand for the first label. Gives the form under which it is stored: lower-case ASCII.
///
/// # Errors
/// The message for the field.
pub fn domain_parse(text: &str) -> Result<String, String> {
    let name = text.strip_suffix('.').unwrap_or(text);
    let (wildcard, rest) = match name.strip_prefix('*') {
        Some("") => return Err(ONLY_WILDCARD.to_owned()),
        Some(rest) => match rest.strip_prefix('.') {
            Some("") => return Err(ONLY_WILDCARD.to_owned()),
            Some(rest) => ("*.", rest),
            None => return Err(not_convertible(text, "a wildcard must be the whole first label")),
        },
        None => ("", name),
    };
    if rest.len() > INPUT_MAX {
        return Err(TOO_LONG.to_owned());
    }
    let ascii = ascii(rest).map_err(|reason| not_convertible(text, reason))?;
    if ascii.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err(NOT_VALID.to_owned());
    }
    let domain = format!("{wildcard}{ascii}");
    if domain.len() > NAME_MAX { Err(TOO_LONG.to_owned()) } else { Ok(domain) }
}

/// The ASCII form of a name by IDNA 2008 (UTS #46, not transitional): letters, digits and hyphens only.
fn ascii(name: &str) -> Result<String, &'static str> {
    let ascii = Uts46::new()
        .to_ascii(name.as_bytes(), AsciiDenyList::STD3, Hyphens::Check, DnsLength::Ignore)
        .map_err(|_| "it holds a character or a label that no host name may have")?;
    for label in ascii.split('.') {
        if label.is_empty() {
            return Err("a label is empty");
        }
        if label.len() > LABEL_MAX {
            return Err("a label has more than 63 characters");
        }
    }
    Ok(ascii.into_owned())
}

fn not_convertible(text: &str, reason: &str) -> String {
    let shown: String = text.chars().take(NAME_MAX).collect();
    format!("Hostname does not look valid, could not convert to ACE {shown}: {reason}")
}

/// Whether a name is the platform's domain or lies below it. What answers there is given by the apps' names.
#[must_use]
pub fn is_of_platform(domain: &str, platform_domain: &str) -> bool {
    let platform = platform_domain.to_ascii_lowercase();
    domain == platform || domain.strip_suffix(&platform).is_some_and(|rest| rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_stored_in_lower_case_ascii() {
        for (text, expect) in [
            ("www.example.com", "www.example.com"),
            ("WWW.Example.COM.", "www.example.com"),
            ("*.example.com", "*.example.com"),
            ("*.foo", "*.foo"),
            ("blog", "blog"),
            ("5.example.com", "5.example.com"),
            ("a1.b2", "a1.b2"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("BÜCHER.example", "xn--bcher-kva.example"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
            ("*.bücher.example.", "*.xn--bcher-kva.example"),
            // Not transitional: this letter is kept.
            ("straße.de", "xn--strae-oqa.de"),
            ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
        ] {
            assert_eq!(domain_parse(text).as_deref(), Ok(expect), "{text}");
        }
    }

    #[test]
    fn each_fault_has_its_message() {
        let label = "a".repeat(64);
        let long = vec!["a".repeat(60); 5].join(".");
        for (text, expect) in [
            ("*", ONLY_WILDCARD),
            ("*.", ONLY_WILDCARD),
            ("*..", ONLY_WILDCARD),
            ("*..a", "Hostname does not look valid, could not convert to ACE *..a: a label is empty"),
            ("1.2.3.4", NOT_VALID),
            ("example.123", NOT_VALID),
            ("42", NOT_VALID),
            (&long, TOO_LONG),
            (&"a.".repeat(5000), TOO_LONG),
        ] {
            let got = domain_parse(text).unwrap_err();
            assert_eq!(got, expect, "{text}");
        }
        for bad in [
            "",
            ".",
            "..",
            "a..b",
            ".a",
            "a_b.c",
            "a b.c",
            "-a.b",
            "a-.b",
            "ab--c.d",
            "*a.b",
            "a.*.b",
            "**.b",
            "a.*",
            "a/b",
            "a:80",
            "a@b",
            "xn--a.b",
            "xn--.b",
            "a\n.b",
            "\u{0}.b",
            "[::1]",
            "http://a.b",
            "a.b..",
            "\u{ad}.b",
            &label,
        ] {
            let got = domain_parse(bad).unwrap_err();
            assert!(
                got.starts_with(&format!("Hostname does not look valid, could not convert to ACE {bad}: ")),
                "{bad:?}: {got}"
            );
        }
    }

    #[test]
    fn what_lies_below_the_platforms_domain_is_its_own() {
        for (domain, expect) in [
            ("blog.localhost", true),
            ("*.localhost", true),
            ("a.b.localhost", true),
            ("localhost", true),
            ("notlocalhost", false),
            ("localhost.example.com", false),
            ("blog", false),
        ] {
            assert_eq!(is_of_platform(domain, "LocalHost"), expect, "{domain}");
        }
    }

    proptest! {
        #[test]
        fn never_panics_and_what_is_stored_reads_back(text in "\\PC{0,40}|[*a-zÄöß0-9.-]{0,40}") {
            if let Ok(domain) = domain_parse(&text) {
                prop_assert!(domain.is_ascii() && domain.len() <= NAME_MAX);
                prop_assert!(!domain.bytes().any(|byte| byte.is_ascii_uppercase()));
                prop_assert_eq!(domain_parse(&domain), Ok(domain));
            }
        }
    }
}
