//! Validated names. Each type holds only what its grammar allows.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

/// Why a text is not the name it should be. The text is meant for the person who typed it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NameError(pub &'static str);

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Checks `text` against the grammar.
            ///
            /// # Errors
            /// The rule that `text` breaks.
            pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
                let text = text.into();
                $check(&text)?;
                Ok(Self(text))
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::new(text)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name!(
    /// An app's name, for example `my-blog`: `[a-z]([a-z0-9-]*[a-z0-9])?`, at most 63 characters.
    ///
    /// It is a DNS label, a Kubernetes namespace and a directory of nobody's: never join it to a path.
    /// Source: `drycc-v2.md` §2.2.
    AppName,
    check_app_name
);
name!(
    /// A process type, for example `web`: `[a-z0-9]+(-[a-z0-9]+)*`, at most 63 characters.
    ///
    /// Source: `drycc-v2.md` §2.4.
    ProcessType,
    check_process_type
);
name!(
    /// A user's name: `[\w.@+-]+` in ASCII, at most 150 characters.
    ///
    /// Source: `drycc-v2.md` §2.1.
    Username,
    check_username
);

name!(
    /// A volume's name within its app, for example `data`: `[a-z0-9]([a-z0-9-]*[a-z0-9])?`, at most 63 characters.
    ///
    /// Source: `drycc-v2.md` §2.13.
    VolumeName,
    check_volume_name
);

/// Longest app name and process type, that of a DNS label (RFC 1035 §2.3.4).
pub const LABEL_MAX: usize = 63;
/// Longest user name. Source: `drycc-v2.md` §2.1.
pub const USERNAME_MAX: usize = 150;

/// The message for an app name that breaks the grammar of API 2.2 and 2.3.
pub const APP_NAME_RULE: &str = "App name must start with an alphabetic character, cannot end with a hyphen and can only contain a-z (lowercase), 0-9 and hyphens.";
/// The message for a process type that breaks the grammar.
pub const PROCESS_TYPE_RULE: &str = "Process types can only contain lowercase alphanumeric characters";
/// The message for a volume's name that breaks the grammar.
pub const VOLUME_NAME_RULE: &str = "Can only contain a-z (lowercase), 0-9 and hyphens";
/// The message for a user name that breaks the grammar.
pub const USERNAME_RULE: &str =
    "Enter a valid username. This value may contain only letters, numbers and @/./+/-/_ characters.";

fn check_app_name(text: &str) -> Result<(), NameError> {
    if text.len() > LABEL_MAX {
        return Err(NameError("Ensure this field has no more than 63 characters."));
    }
    let bytes = text.as_bytes();
    let starts_well = bytes.first().is_some_and(u8::is_ascii_lowercase);
    let ends_well = bytes.last().is_some_and(|last| *last != b'-');
    let in_alphabet = bytes.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-');
    if starts_well && ends_well && in_alphabet { Ok(()) } else { Err(NameError(APP_NAME_RULE)) }
}

fn check_process_type(text: &str) -> Result<(), NameError> {
    if text.len() > LABEL_MAX {
        return Err(NameError("Process types can have no more than 63 characters"));
    }
    let words_are_good = text
        .split('-')
        .all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()));
    if words_are_good { Ok(()) } else { Err(NameError(PROCESS_TYPE_RULE)) }
}

fn check_volume_name(text: &str) -> Result<(), NameError> {
    if text.len() > LABEL_MAX {
        return Err(NameError("Ensure this field has no more than 63 characters."));
    }
    let has_ends = !text.is_empty() && !text.starts_with('-') && !text.ends_with('-');
    let in_alphabet = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if has_ends && in_alphabet { Ok(()) } else { Err(NameError(VOLUME_NAME_RULE)) }
}

fn check_username(text: &str) -> Result<(), NameError> {
    if text.chars().count() > USERNAME_MAX {
        return Err(NameError("Ensure this field has no more than 150 characters."));
    }
    let in_alphabet =
        text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'@' | b'+' | b'-' | b'_'));
    if in_alphabet && !text.is_empty() { Ok(()) } else { Err(NameError(USERNAME_RULE)) }
}

impl ProcessType {
    /// `web`, the type that is routed when an app has it.
    #[must_use]
    pub fn web() -> Self {
        Self("web".to_owned())
    }

    /// `cmd`, the type of an image's own command.
    #[must_use]
    pub fn cmd() -> Self {
        Self("cmd".to_owned())
    }

    /// `run`, the type of one-off processes; no Procfile entry of that name is needed.
    #[must_use]
    pub fn run() -> Self {
        Self("run".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn app_names_follow_the_grammar() {
        for good in ["a", "blog", "my-blog", "a1", "a--b", &"a".repeat(63)] {
            assert!(AppName::new(good).is_ok(), "{good}");
        }
        for bad in ["", "1a", "-a", "a-", "A", "a_b", "a.b", "a/b", "../a", "ä", "a\n", "a\0", &"a".repeat(64)] {
            assert!(AppName::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn process_types_follow_the_grammar() {
        for good in ["web", "cmd", "web2", "2web", "a-b-c"] {
            assert!(ProcessType::new(good).is_ok(), "{good}");
        }
        for bad in ["", "Web", "-web", "web-", "we--b", "we_b", "web\n", "../web"] {
            assert!(ProcessType::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn usernames_follow_the_grammar() {
        for good in ["bob", "Bob", "b.o@b+c-d_e"] {
            assert!(Username::new(good).is_ok(), "{good}");
        }
        for bad in ["", "b b", "bob\n", "b/b", "b:b"] {
            assert!(Username::new(bad).is_err(), "{bad:?}");
        }
    }
}
