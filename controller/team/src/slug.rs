//! The word that names a team in paths. Source: `team-api.md` §1.10.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// Shortest slug.
pub const SLUG_MIN: usize = 3;
/// Longest slug.
pub const SLUG_MAX: usize = 16;

/// First segments of paths of either generation, and of our own beside them: no team may be named so.
pub const RESERVED: [&str; 19] = [
    "teams",
    "users",
    "tokens",
    "health",
    "templates",
    "metrics",
    "swagger",
    "registries",
    "products",
    "projects",
    "deployments",
    "nodes",
    "audit-log",
    "notifications",
    "dashboard",
    "storages",
    "quality-assurance",
    "auth",
    "ws",
];

/// A team's slug: 3 to 16 lower-case letters, digits and `-`, and no word of [`RESERVED`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slug(String);

impl Slug {
    /// The slug as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads a slug that was stored: one that was reserved since is still the name of its team.
    #[must_use]
    pub fn from_stored(text: &str) -> Option<Self> {
        ((SLUG_MIN..=SLUG_MAX).contains(&text.len()) && slugify(text) == text).then(|| Self(text.to_owned()))
    }

    /// A slug made of a team's name, for clients that give none: the name slugified, cut or lengthened to fit.
    ///
    /// `attempt` counts from 0; later attempts give other slugs, for when the earlier ones are taken.
    #[must_use]
    pub fn derive(name: &str, attempt: u32) -> Self {
        let mut base = slugify(name);
        if base.len() < SLUG_MIN || RESERVED.contains(&base.as_str()) {
            base = if base.is_empty() { "team".to_owned() } else { format!("team-{base}") };
        }
        let suffix = if attempt == 0 { String::new() } else { format!("-{}", u64::from(attempt) + 1) };
        let room = SLUG_MAX.saturating_sub(suffix.len());
        let cut: String = base.chars().take(room).collect();
        Self(format!("{}{suffix}", cut.trim_end_matches('-')))
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Slug {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let message = if !(SLUG_MIN..=SLUG_MAX).contains(&text.len()) {
            "slug must have 3 to 16 characters"
        } else if slugify(text) != text {
            "slug must be of lower-case letters, digits and single inner dashes"
        } else if RESERVED.contains(&text) {
            "slug is reserved"
        } else {
            return Ok(Self(text.to_owned()));
        };
        Err(Error::invalid("slug", message))
    }
}

/// Lower-case ASCII letters and digits, with one `-` for each run of anything else between them.
fn slugify(text: &str) -> String {
    let mut slug = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(slug.trim_end_matches('-').len());
    slug
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn slugs_have_a_form() {
        for good in ["abc", "nodes-eu", "a1b", "1-2-3", "abcdefghijklmnop"] {
            assert_eq!(good.parse::<Slug>().unwrap().as_str(), good);
        }
        for bad in ["", "ab", "abcdefghijklmnopq", "Abc", "a_b", "-abc", "abc-", "a--b", "äbc", "a b", "nodes", "Nodes"]
        {
            let Err(Error::Refused(refusal)) = bad.parse::<Slug>() else { panic!("{bad}") };
            assert_eq!(refusal.property.as_deref(), Some("slug"), "{bad}");
        }
    }

    #[test]
    fn names_give_slugs() {
        for (name, attempt, expect) in [
            ("My Team", 0, "my-team"),
            ("My Team", 1, "my-team-2"),
            ("Nodes", 0, "team-nodes"),
            ("!", 0, "team"),
            ("x", 0, "team-x"),
            ("A rather long name of a team", 0, "a-rather-long-na"),
            ("A rather long name of a team", 9, "a-rather-long-10"),
        ] {
            assert_eq!(Slug::derive(name, attempt).as_str(), expect);
        }
    }

    proptest! {
        #[test]
        fn derived_slugs_are_slugs(name in ".{0,80}", attempt in 0..20_000_u32) {
            let slug = Slug::derive(&name, attempt);
            prop_assert_eq!(slug.as_str().parse::<Slug>().ok(), Some(slug.clone()), "{}", slug);
        }
    }
}
