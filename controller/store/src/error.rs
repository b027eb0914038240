//! What can go wrong with the database.

use std::fmt;

/// Which rule of uniqueness was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UniqueOn {
    /// A user of this name is there already.
    Username,
    /// Two users would have the same token.
    TokenHash,
    /// A key with this label is there already.
    KeyId,
    /// This public key is there already.
    KeyFingerprint,
    /// An app of this name is there already, perhaps one that is being removed.
    AppName,
    /// This domain is taken.
    Domain,
    /// Two releases of an app would have the same number.
    ReleaseVersion,
    /// Two rows would have the same identity.
    Identity,
}

impl fmt::Display for UniqueOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Username => "user name",
            Self::TokenHash => "token",
            Self::KeyId => "key label",
            Self::KeyFingerprint => "key fingerprint",
            Self::AppName => "app name",
            Self::Domain => "domain",
            Self::ReleaseVersion => "release version",
            Self::Identity => "identity",
        })
    }
}

/// Why the store did not do what was asked. What is merely not there is an `Option`, never an error.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another row has this already.
    #[error("this {what} is taken")]
    Conflict {
        /// The rule that was broken.
        what: UniqueOn,
    },
    /// A row names another that is not there, or is still named by another.
    #[error("a row refers to another that is missing, or is still referred to")]
    Reference,
    /// The database is away, busy or full; a later try may work.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// A stored value does not mean anything: damage, or a newer version's data.
    #[error("row {row} of {table} is damaged: {reason}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The row's identity.
        row: String,
        /// What is wrong with it; never a secret.
        reason: String,
    },
    /// The settings (address, key) do not fit this database. The message is for the operator.
    #[error("{0}")]
    Setup(String),
    /// A bug.
    #[error("the database refused: {0}")]
    Internal(String),
}

impl StoreError {
    /// Whether the same call may work a little later.
    #[must_use]
    pub const fn retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}
