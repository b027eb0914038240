//! The engine's errors as the domain's.

use slipway_core::Error;
use slipway_engine::EngineError;

/// An engine's error for the caller of a use case.
pub(crate) fn engine_error(error: EngineError) -> Error {
    match error {
        EngineError::Rejected(reason) => Error::Rejected(reason),
        EngineError::Missing(what) => Error::Missing(format!("{what} does not exist")),
        EngineError::Unavailable { public, context } => Error::Unavailable { public, context },
        EngineError::TimedOut(secs) => Error::Unavailable {
            public: format!("Timed out ({secs} s) while running"),
            context: "a one-off process ran out of its time".to_owned(),
        },
    }
}
