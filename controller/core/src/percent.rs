//! Percent codes in addresses.

/// Decodes percent codes; `None` for what is no text afterwards, or holds control characters.
#[must_use]
pub fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let code = tail.get(..2).filter(|code| *first == b'%' && code.iter().all(u8::is_ascii_hexdigit));
        let byte = code.and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
    }
    String::from_utf8(bytes).ok().filter(|text| !text.chars().any(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_bytes_of_a_text() {
        for (text, expect) in [
            ("a%20b", Some("a b")),
            ("%c3%A4", Some("ä")),
            ("100%", Some("100%")),
            ("%zz%+f", Some("%zz%+f")),
            ("%0a", None),
            ("%ff", None),
        ] {
            assert_eq!(decode(text).as_deref(), expect, "{text}");
        }
    }
}
