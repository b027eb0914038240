//! Patterns of paths.

use std::fmt;

use regex::bytes::{Regex, RegexBuilder};

/// Most memory of one pattern: enough for what people write, too little for nested repetitions.
const SIZE_MAX: usize = 1 << 20;

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
        let checked = build(text).and_then(|_| build(&format!("^(?:{text})")));
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
            assert_eq!(PathPattern::new(pattern).unwrap().is_match(path), expect, "{pattern} {path}");
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
