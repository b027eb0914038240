//! The list of ref updates at the head of a push.
//!
//! Source: git's Documentation/gitprotocol-pack, "Reference Update Request".

use std::collections::BTreeSet;

use git2::Oid;

use super::packet::{self, Packet};
use super::stream::{Input, StreamError};

/// Most updates in one push.
pub const COMMANDS_MAX: usize = 10_000;
/// Longest name of a ref, in bytes.
pub const REF_NAME_MAX: usize = 1000;

/// The name of a ref that git's rules allow, below `refs/`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RefName(String);

impl RefName {
    /// Checks a name.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn new(name: &[u8]) -> Result<Self, &'static str> {
        let name = std::str::from_utf8(name).map_err(|_| "the name is not UTF-8")?;
        if name.len() > REF_NAME_MAX || name.split('/').any(|part| part.len() > 240) {
            return Err("the name is too long");
        }
        // libgit2 takes no NUL, and forbids every other control character itself.
        if !name.starts_with("refs/") || name.contains('\0') || !git2::Reference::is_valid_name(name) {
            return Err("funny refname");
        }
        Ok(Self(name.to_owned()))
    }

    /// The whole name, `refs/heads/main`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The branch, if it is one: `main` of `refs/heads/main`.
    #[must_use]
    pub fn branch(&self) -> Option<&str> {
        self.0.strip_prefix("refs/heads/")
    }
}

/// One ref update that is asked for.
#[derive(Debug, Clone)]
pub struct Command {
    /// What the client believes the ref to be; zero if it believes there is none.
    pub old: Oid,
    /// What it shall be; zero to delete it.
    pub new: Oid,
    /// The name as the client wrote it, to be repeated in the report.
    pub raw_name: Vec<u8>,
    /// The name, or what is wrong with it.
    pub name: Result<RefName, &'static str>,
}

impl Command {
    /// Whether the ref shall go.
    #[must_use]
    pub fn is_deletion(&self) -> bool {
        self.new.is_zero()
    }
}

/// A push as it is asked for, before its pack.
#[derive(Debug, Default)]
pub struct PushRequest {
    /// The updates, in the client's order; never empty.
    pub commands: Vec<Command>,
    /// The capabilities that the client chose.
    pub capabilities: BTreeSet<String>,
    /// Whether the client's history is cut off somewhere.
    pub is_shallow: bool,
}

impl PushRequest {
    /// Whether a capability was chosen.
    #[must_use]
    pub fn has(&self, capability: &str) -> bool {
        self.capabilities.contains(capability)
    }

    /// Whether a pack follows: it does unless refs are only deleted.
    #[must_use]
    pub fn has_pack(&self) -> bool {
        !self.commands.iter().all(Command::is_deletion)
    }

    /// Reads the list up to its flush; `None` if the client wants nothing.
    ///
    /// # Errors
    /// [`StreamError`]; [`StreamError::Protocol`] also for too many updates and for a ref that is named twice.
    pub async fn read(input: &mut Input) -> Result<Option<Self>, StreamError> {
        let mut request = Self::default();
        let mut names = BTreeSet::new();
        loop {
            let line = match input.packet().await? {
                Some(Packet::Data(line)) => line,
                Some(Packet::Flush) if request.commands.is_empty() && request.is_shallow => {
                    return Err(StreamError::Protocol("no ref update is asked for".to_owned()));
                }
                // Git ends like this, in either way, when there is nothing to push.
                Some(Packet::Flush) | None if request.commands.is_empty() => return Ok(None),
                Some(Packet::Flush) => return Ok(Some(request)),
                None => return Err(StreamError::Protocol("the list of ref updates has no end".to_owned())),
            };
            if line.starts_with(b"shallow ") {
                request.is_shallow = true;
                continue;
            }
            if line.starts_with(b"push-cert") {
                return Err(StreamError::Protocol("signed pushes are not supported".to_owned()));
            }
            let (command, capabilities) = parse(&line).map_err(|reason| StreamError::Protocol(reason.to_owned()))?;
            if request.commands.is_empty() {
                request.capabilities = capabilities;
            }
            if request.commands.len() == COMMANDS_MAX {
                return Err(StreamError::Protocol(format!("more than {COMMANDS_MAX} ref updates in one push")));
            }
            if !names.insert(command.raw_name.clone()) {
                return Err(StreamError::Protocol("multiple updates for one ref".to_owned()));
            }
            request.commands.push(command);
        }
    }
}

/// Reads one line: `OLD NEW NAME`, in the first line with NUL and the capabilities behind.
///
/// # Errors
/// What is wrong with it.
pub fn parse(line: &[u8]) -> Result<(Command, BTreeSet<String>), &'static str> {
    let line = packet::trimmed(line);
    let (update, capabilities) = match line.iter().position(|byte| *byte == 0) {
        Some(at) => (&line[..at], &line[at + 1..]),
        None => (line, &b""[..]),
    };
    let mut fields = update.splitn(3, |byte| *byte == b' ');
    let old = fields.next().and_then(oid).ok_or("a ref update needs an old object id of 40 hex digits")?;
    let new = fields.next().and_then(oid).ok_or("a ref update needs a new object id of 40 hex digits")?;
    let raw_name = fields.next().filter(|name| !name.is_empty()).ok_or("a ref update needs the name of a ref")?;
    let capabilities = capabilities
        .split(|byte| *byte == b' ')
        .filter(|word| !word.is_empty())
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect();
    let command = Command { old, new, raw_name: raw_name.to_vec(), name: RefName::new(raw_name) };
    Ok((command, capabilities))
}

/// An object's id from its 40 hexadecimal digits, as they stand in commands and wants.
pub(super) fn oid(digits: &[u8]) -> Option<Oid> {
    if digits.len() != 40 {
        return None;
    }
    std::str::from_utf8(digits).ok().and_then(|digits| Oid::from_str(digits).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const A: &str = "1111111111111111111111111111111111111111";
    const ZERO: &str = "0000000000000000000000000000000000000000";

    #[test]
    fn lines_are_read() {
        let line = format!("{ZERO} {A} refs/heads/main\0 report-status side-band-64k agent=git/2.39.5\n");
        let (command, capabilities) = parse(line.as_bytes()).unwrap();
        assert!(command.old.is_zero() && !command.is_deletion());
        assert_eq!(command.name.unwrap().branch(), Some("main"));
        assert!(capabilities.contains("side-band-64k") && capabilities.contains("agent=git/2.39.5"));
    }

    #[test]
    fn bad_lines_say_what_is_wrong() {
        for (line, reason) in [
            (String::new(), "old object id"),
            (ZERO.to_owned(), "new object id"),
            (format!("{ZERO} {A}"), "name of a ref"),
            (format!("{ZERO} {A} "), "name of a ref"),
            (format!("{} {A} refs/heads/main", &ZERO[1..]), "old object id"),
            (format!("{ZERO}  refs/heads/main"), "new object id"),
            (format!("{ZERO} {}g refs/heads/main", &A[1..]), "new object id"),
        ] {
            let error = parse(line.as_bytes()).unwrap_err();
            assert!(error.contains(reason), "{line:?}: {error}");
        }
    }

    #[test]
    fn names_follow_gits_rules() {
        for good in ["refs/heads/main", "refs/heads/a/b", "refs/tags/v1.0", "refs/heads/ünï"] {
            assert!(RefName::new(good.as_bytes()).is_ok(), "{good}");
        }
        let long = format!("refs/heads/{}", "x".repeat(300));
        for bad in [
            "",
            "main",
            "HEAD",
            "refs/",
            "refs/heads/",
            "refs/heads/..",
            "refs/heads/../../x",
            "refs/../config",
            "refs/heads/a..b",
            "refs/heads/a.lock",
            "refs/heads/a b",
            "refs/heads/a\tb",
            "refs/heads/a\0b",
            "refs/heads/a\nb",
            "refs/heads/.a",
            "refs/heads/a.",
            "refs/heads/a//b",
            "refs/heads/a~1",
            "refs/heads/a^",
            "refs/heads/a:b",
            "refs/heads/a?",
            "refs/heads/a*",
            "refs/heads/a[",
            "refs/heads/a\\b",
            "refs/heads/@{x",
            "/refs/heads/a",
            &long,
        ] {
            assert!(RefName::new(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(RefName::new(b"refs/heads/\xff").is_err());
    }

    proptest! {
        #[test]
        fn any_line_is_read_or_refused(line: Vec<u8>) {
            let _ = parse(&line);
        }

        #[test]
        fn any_name_is_taken_or_refused(name in "refs/[\\x00-\\x7f]{0,40}") {
            if let Ok(name) = RefName::new(name.as_bytes()) {
                prop_assert!(!name.as_str().contains("..") && !name.as_str().contains('\0'));
            }
        }
    }
}
