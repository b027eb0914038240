//! Patterns of paths.

use std::fmt;

use regex::bytes::{Regex, RegexBuilder};

/// Most memory of one pattern: enough for what people write, too little for nested repetitions.
const SIZE_MAX: usize = 1 << 20;

/// What stands around a pattern, so that it is one and is looked for at the beginning only.
const AROUND: (&str, &str) = ("^(?:", ")");

/// A regular expression over ASCII, as paths are, that a path must begin with. Matching takes time in proportion to the path, whatever the
/// pattern.
#[derive(Clone)]
pub struct PathPattern(Regex);

impl PathPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it, for the user.
    pub fn new(text: &str) -> Result<Self, String> {
        let build =
            |text: &str| RegexBuilder::new(text).unicode(false).size_limit(SIZE_MAX).dfa_size_limit(SIZE_MAX).build();
        // By itself first: in a group, a closing bracket too many would pass.
        let checked = build(text).and_then(|_| build(&format!("{}{text}{}", AROUND.0, AROUND.1)));
        checked.map(Self).map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => "the pattern is too large".to_owned(),
            // The last line says what it is; those before point at the place.
            other => {
                let text = other.to_string();
                text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
            }
        })
    }

    /// Whether a path, without its query, begins so.
    #[must_use]
    pub fn is_match(&self, path: &str) -> bool {
        self.0.is_match(path.as_bytes())
    }

    /// The pattern as it was given.
    #[must_use]
    pub fn text(&self) -> &str {
        let whole = self.0.as_str();
        whole.strip_prefix(AROUND.0).and_then(|rest| rest.strip_suffix(AROUND.1)).unwrap_or(whole)
    }

    /// The beginning that the pattern comes to, when it says nothing but one: `/jobs`.
    #[must_use]
    pub fn literal(&self) -> Option<&str> {
        let text = self.text();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/_-~%".contains(&byte);
        (text.starts_with('/') && text.bytes().all(is_plain)).then_some(text)
    }

    /// The pattern as it is matched.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Debug for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl PartialEq for PathPattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for PathPattern {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_begin_with_the_pattern() {
        for (pattern, path, expect) in [
            ("/", "/any", true),
            ("/jobs", "/jobs/1", true),
            ("/jobs", "/old/jobs", false),
            ("/a|/b", "/b", true),
            ("/a|/b", "/x/b", false),
            (r"/v\d+/", "/v2/x", true),
            ("^/jobs$", "/jobs", true),
            ("^/jobs$", "/jobs/1", false),
        ] {
            let made = PathPattern::new(pattern).unwrap();
            assert_eq!((made.is_match(path), made.text()), (expect, pattern), "{path}");
        }
    }

    #[test]
    fn plain_beginnings_are_told_from_expressions() {
        for (pattern, expect) in [("/jobs", true), ("/", true), ("jobs", false), ("/a|/b", false), ("/v1.0", false)] {
            let made = PathPattern::new(pattern).unwrap();
            assert_eq!(made.literal(), expect.then_some(pattern));
        }
    }

    #[test]
    fn bad_patterns_say_why() {
        for bad in ["(", "a)|(b", "[", "*", r"(?P<n", r"(\w{1000}){1000}"] {
            let reason = PathPattern::new(bad).unwrap_err();
            assert!(!reason.is_empty() && !reason.contains('\n'), "{bad}: {reason}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(pattern in "\\PC{0,40}", path in "\\PC{0,40}") {
            if let Ok(pattern) = PathPattern::new(&pattern) {
                let _ = pattern.is_match(&path);
            }
        }
    }
}
