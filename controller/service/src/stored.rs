//! The store's errors as the domain's.

use slipway_core::{Error, Result};
use slipway_store::StoreError;

/// Why a transaction was given up: a rule of the domain, or the store.
#[derive(Debug)]
pub(crate) enum Fail {
    /// A rule.
    Domain(Error),
    /// A rule of teams.
    Team(slipway_team::Error),
    /// The store.
    Store(StoreError),
}

impl From<slipway_team::Error> for Fail {
    fn from(error: slipway_team::Error) -> Self {
        Self::Team(error)
    }
}

impl From<slipway_team::Refusal> for Fail {
    fn from(refusal: slipway_team::Refusal) -> Self {
        Self::Team(refusal.into())
    }
}

impl From<Fail> for slipway_team::Error {
    fn from(fail: Fail) -> Self {
        match fail {
            Fail::Domain(error) => error.into(),
            Fail::Team(error) => error,
            Fail::Store(error) => store_error(error).into(),
        }
    }
}

impl From<Error> for Fail {
    fn from(error: Error) -> Self {
        Self::Domain(error)
    }
}

impl From<StoreError> for Fail {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Fail> for Error {
    fn from(fail: Fail) -> Self {
        match fail {
            Fail::Domain(error) | Fail::Team(slipway_team::Error::Core(error)) => error,
            // Use cases outside of teams have no rules of teams.
            Fail::Team(slipway_team::Error::Refused(refusal)) => Error::internal(refusal),
            Fail::Store(error) => store_error(error),
        }
    }
}

/// The text for a caller whose request needs something that is away. Source: `drycc-v2.md` §1.6.
pub(crate) const UNAVAILABLE: &str = "Service temporarily unavailable, try again later.";

/// The store's error for the caller of a use case. Conflicts that a use case has a message for never get here.
pub(crate) fn store_error(error: StoreError) -> Error {
    match error {
        StoreError::Conflict { what } => Error::Conflict(format!("This {what} is taken already")),
        StoreError::Unavailable(context) => Error::Unavailable { public: UNAVAILABLE.to_owned(), context },
        StoreError::Reference | StoreError::Corrupt { .. } | StoreError::Setup(_) | StoreError::Internal(_) => {
            Error::internal(error)
        }
    }
}

/// What the store gave, with its error as the domain's.
pub(crate) trait Stored<T> {
    /// Converts the error.
    fn stored(self) -> Result<T>;
}

impl<T> Stored<T> for std::result::Result<T, StoreError> {
    fn stored(self) -> Result<T> {
        self.map_err(store_error)
    }
}

/// Runs a body in one transaction on `db`: all of it is kept when the body gives `Ok`, nothing otherwise. The body
/// must be short: nothing but calls of the store. A macro, since a closure over references cannot tell that its
/// future may move between threads.
macro_rules! write {
    ($service:expr, |$db:ident| $body:block) => {{
        match $service.store().transaction().await {
            Err(error) => Err($crate::stored::Fail::from(error)),
            Ok(mut transaction) => {
                let result: std::result::Result<_, $crate::stored::Fail> = {
                    let $db = transaction.db();
                    async { $body }.await
                };
                match result {
                    Ok(value) => transaction.commit().await.map(|()| value).map_err($crate::stored::Fail::from),
                    Err(fail) => {
                        transaction.rollback().await;
                        Err(fail)
                    }
                }
            }
        }
    }};
}
pub(crate) use write;
