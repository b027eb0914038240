//! The name that this program was called by.
//!
//! Linked as `drycc` or `deis` it answers to that name: it reads that name's profile, adds that name's git remote and
//! says what that name's client says, so that scripts for it go on as they are. Source: drycc-v2.md §0.1 and §6.1.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::path::Path;
use std::sync::OnceLock;

/// A name of this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// Its own.
    Slipway,
    /// That of Drycc's client.
    Drycc,
    /// That of Deis' client.
    Deis,
}

static CURRENT: OnceLock<Program> = OnceLock::new();

/// The name that this process was called by.
pub fn current() -> Program {
    *CURRENT.get_or_init(|| std::env::args_os().next().map_or(Program::Slipway, |name| Program::of(&name)))
}

impl Program {
    /// The name in the path of a program. A link with another name changes nothing.
    fn of(program: &OsStr) -> Self {
        let name = Path::new(program).file_stem().and_then(OsStr::to_str).unwrap_or_default().to_ascii_lowercase();
        match name.as_str() {
            "drycc" => Self::Drycc,
            "deis" => Self::Deis,
            _ => Self::Slipway,
        }
    }

    /// The command, and the git remote's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Slipway => "slipway",
            Self::Drycc => "drycc",
            Self::Deis => "deis",
        }
    }

    /// The name as it stands in a sentence.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Slipway => "Slipway",
            Self::Drycc => "Drycc",
            Self::Deis => "Deis",
        }
    }

    /// The environment variable that holds the profile's name or path.
    pub const fn profile_variable(self) -> &'static str {
        match self {
            Self::Slipway => "SLIPWAY_PROFILE",
            Self::Drycc => "DRYCC_PROFILE",
            Self::Deis => "DEIS_PROFILE",
        }
    }

    /// The environment variable that holds what is drunk while processes are started.
    pub const fn drink_variable(self) -> &'static str {
        match self {
            Self::Slipway => "SLIPWAY_DRINK_OF_CHOICE",
            Self::Drycc => "DRYCC_DRINK_OF_CHOICE",
            Self::Deis => "DEIS_DRINK_OF_CHOICE",
        }
    }

    /// Whether this is a name of upstream's, whose scripts compare what is printed.
    pub const fn is_upstream(self) -> bool {
        matches!(self, Self::Drycc | Self::Deis)
    }

    /// This program's version, as it says it: scripts of upstream's take the whole line for the number.
    pub const fn version(self) -> &'static str {
        match self {
            Self::Slipway => concat!("slipway ", env!("CARGO_PKG_VERSION")),
            Self::Drycc | Self::Deis => env!("CARGO_PKG_VERSION"),
        }
    }

    /// A text that names commands as `` `slipway login URL` ``, with the name of this program. `slipway up` stays: it is
    /// no command of the others.
    pub fn spoken(self, text: &str) -> Cow<'_, str> {
        if self == Self::Slipway {
            return Cow::Borrowed(text);
        }
        let text = text.replace("git push slipway ", &format!("git push {} ", self.name()));
        let own = "`slipway";
        let mut out = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(at) = rest.find(own) {
            let after = &rest[at + own.len()..];
            out.push_str(&rest[..at]);
            if after.starts_with(" up`") || after.starts_with(" up ") {
                out.push_str(own);
            } else {
                out.push('`');
                out.push_str(self.name());
            }
            rest = after;
        }
        out.push_str(rest);
        Cow::Owned(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_the_last_part_of_the_path() {
        for (path, want) in [
            ("deis", Program::Deis),
            ("/usr/local/bin/drycc", Program::Drycc),
            ("Deis.exe", Program::Deis),
            ("./slipway", Program::Slipway),
            ("/opt/deis/slipway", Program::Slipway),
            ("deis-2", Program::Slipway),
            ("", Program::Slipway),
        ] {
            assert_eq!(Program::of(OsStr::new(path)), want, "{path}");
        }
    }

    #[test]
    fn advice_names_the_command_that_was_called() {
        let text =
            "log in with `slipway login URL`; `slipway up` prints it; a remote `slipway`; `git push slipway main`";
        assert_eq!(
            Program::Deis.spoken(text),
            "log in with `deis login URL`; `slipway up` prints it; a remote `deis`; `git push deis main`"
        );
        assert_eq!(Program::Slipway.spoken(text), text);
    }
}
