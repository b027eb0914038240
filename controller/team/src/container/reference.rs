//! Names of images as people add them to a version: `name`, `name:tag`, `name@digest`.

use crate::Error;

/// Longest name of an image, in characters. Source: the OCI distribution specification ("Pulling manifests") leaves
/// it to registries; 255 with the host is what they take.
const NAME_MAX: usize = 255;
/// Longest tag. Source: the OCI distribution specification, "Pulling manifests".
const TAG_MAX: usize = 128;

/// An image's name in its registry, and the tag that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageName {
    /// The name, with a digest if it has one.
    pub name: String,
    /// The tag, unless the name has a digest or none was given.
    pub tag: Option<String>,
}

impl ImageName {
    /// Reads `name[:tag]`; the tag begins at the last `:` after the last `/`, and `@` begins a digest, which stays
    /// with the name. Source: `team-api.md` §3.4.
    ///
    /// # Errors
    /// 400 `property` when it is no image's name.
    pub fn parse(property: &str, text: &str) -> Result<Self, Error> {
        let wrong = |reason: &str| Error::invalid(property, format!("{text:?} is not the name of an image: {reason}"));
        if text.is_empty() || text.len() > NAME_MAX + 1 + TAG_MAX {
            return Err(wrong("it must have 1 to 384 characters"));
        }
        let split = Self::split(text);
        if let Some((name, digest)) = text.split_once('@') {
            let hex = digest.strip_prefix("sha256:").ok_or_else(|| wrong("the digest must be sha256"))?;
            if hex.len() != 64 || !hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
                return Err(wrong("the digest must have 64 hexadecimal digits"));
            }
            path_check(name).map_err(wrong)?;
            return Ok(split);
        }
        path_check(&split.name).map_err(wrong)?;
        if let Some(tag) = &split.tag {
            tag_check(tag).map_err(wrong)?;
        }
        Ok(split)
    }

    /// Splits what is known to be an image's name, or is checked elsewhere.
    #[must_use]
    pub fn split(text: &str) -> Self {
        let path_end = text.rfind('/').map_or(0, |at| at + 1);
        match text[path_end..].rfind(':').filter(|_| !text.contains('@')) {
            Some(at) => {
                Self { name: text[..path_end + at].to_owned(), tag: Some(text[path_end + at + 1..].to_owned()) }
            }
            None => Self { name: text.to_owned(), tag: None },
        }
    }

    /// What a container of it is called unless somebody names it: the last part of the name, as a DNS label.
    #[must_use]
    pub fn container_name(&self) -> String {
        let path = self.name.split('@').next().unwrap_or_default();
        let last = path.rsplit('/').next().unwrap_or_default();
        let mut label: String = last
            .chars()
            .map(|char| if char.is_ascii_alphanumeric() { char.to_ascii_lowercase() } else { '-' })
            .collect();
        label.truncate(63);
        label.trim_matches('-').to_owned()
    }
}

/// Checks a tag given for an image.
///
/// # Errors
/// Why it is none.
pub fn tag_check(tag: &str) -> Result<(), &'static str> {
    let first = tag.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let rest = tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'));
    if first && rest && tag.len() <= TAG_MAX {
        Ok(())
    } else {
        Err(
            "a tag has letters, digits, `_`, `.` and `-`, begins with a letter, digit or `_`, and has at most 128 of them",
        )
    }
}

/// The part before tag or digest: a host with a port may stand first.
fn path_check(name: &str) -> Result<(), &'static str> {
    if name.len() > NAME_MAX {
        return Err("the name must have at most 255 characters");
    }
    let mut parts = name.split('/');
    let first = parts.next().unwrap_or_default();
    let more = name.contains('/');
    let host = more && (first.contains(['.', ':']) || first == "localhost");
    if host {
        let (host, port) = first.split_once(':').map_or((first, None), |(host, port)| (host, Some(port)));
        let right = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
            && !host.is_empty()
            && port.is_none_or(|port| port.parse::<u16>().is_ok());
        if !right {
            return Err("the registry's host is not one");
        }
    } else if !component_is_right(first) {
        return Err("it has lower-case letters and digits, separated by `/`, `.`, `_` or `-`");
    }
    if parts.all(component_is_right) {
        Ok(())
    } else {
        Err("it has lower-case letters and digits, separated by `/`, `.`, `_` or `-`")
    }
}

/// One part of the path: `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`. Source: the OCI distribution specification.
fn component_is_right(part: &str) -> bool {
    let ends = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let bytes = part.as_bytes();
    ends(bytes.first())
        && ends(bytes.last())
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-'))
        && !["..", "._", "_.", ".-", "-.", "___", "_-", "-_"].iter().any(|pair| part.contains(pair))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_begins_after_the_last_colon_of_the_last_part() {
        let digest = format!("nginx@sha256:{}", "a".repeat(64));
        for (text, name, tag) in [
            ("nginx", "nginx", None),
            ("nginx:1.27", "nginx", Some("1.27")),
            ("team/sub/app:v1_2.3-rc", "team/sub/app", Some("v1_2.3-rc")),
            ("host.example:5000/x", "host.example:5000/x", None),
            ("host.example:5000/x:y", "host.example:5000/x", Some("y")),
            ("localhost/x", "localhost/x", None),
            (digest.as_str(), digest.as_str(), None),
        ] {
            let image = ImageName::parse("images", text).unwrap();
            assert_eq!((image.name.as_str(), image.tag.as_deref()), (name, tag), "{text}");
        }
    }

    #[test]
    fn what_is_no_image_is_refused() {
        let long = "a".repeat(400);
        for text in [
            "",
            ":",
            "a:",
            ":a",
            "A",
            "a b",
            "a/",
            "/a",
            "a//b",
            "a:b:c d",
            "-a",
            "a_-b",
            "a@sha256:12",
            "a@md5:1",
            "host:x/a",
            "a:-x",
            "--help",
            "$(x)",
            "a\n",
            &long,
        ] {
            assert!(ImageName::parse("images", text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_container_is_called_like_the_last_part() {
        for (text, name) in [("nginx", "nginx"), ("a/my_app.web:1", "my-app-web"), ("h.example:50/x/y", "y")] {
            assert_eq!(ImageName::parse("images", text).unwrap().container_name(), name);
        }
    }
}
