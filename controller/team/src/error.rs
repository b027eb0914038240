//! Why a team's use case did not do what was asked.
//!
//! Answers of this API name the property that is at fault and often a value with it, and tell a state that forbids a
//! thing (412) from a thing that is taken (409); the errors of `slipway-core` do neither, hence this type beside it.

use std::fmt;

use serde_json::Value;

/// `Result` with this module's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a team's use case did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A rule forbids it; the caller may know which.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// As everywhere on the platform: no credentials, throttled, unavailable, a bug.
    #[error("{0}")]
    Core(#[from] slipway_core::Error),
}

/// What kind of refusal it is. Source: `team-api.md` §1.6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refused {
    /// The request breaks a rule about its form or contents (400).
    Invalid,
    /// Credentials given for somewhere else were refused there, or a special token is missing (401).
    Unauthorized,
    /// The caller may not (403).
    Forbidden,
    /// There is no such thing in this team (404).
    NotFound,
    /// Another has this already (409).
    Conflict,
    /// The present state does not allow it (412).
    Precondition,
}

/// A refusal: what is at fault, and what a person may read about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// The kind.
    pub kind: Refused,
    /// For a person.
    pub message: String,
    /// The field or resource at fault.
    pub property: Option<String>,
    /// What it is, or the identity of what is in the way.
    pub value: Option<Value>,
    /// A word for machines where the contract has one.
    pub code: Option<&'static str>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Refusal {
    /// A refusal about `property`.
    pub fn new(kind: Refused, property: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), property: Some(property.into()), value: None, code: None }
    }

    /// With the value at fault.
    #[must_use]
    pub fn value(self, value: impl Into<Value>) -> Self {
        Self { value: Some(value.into()), ..self }
    }

    /// With a word for machines.
    #[must_use]
    pub fn code(self, code: &'static str) -> Self {
        Self { code: Some(code), ..self }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl Error {
    /// `property` of the request is not as it must be (400).
    pub fn invalid(property: impl Into<String>, message: impl Into<String>) -> Self {
        Refusal::new(Refused::Invalid, property, message).into()
    }

    /// There is no such `property` in this team (404); whether another team has it is not told.
    pub fn not_found(property: impl Into<String>) -> Self {
        let property = property.into();
        let message = format!("There is no such {property}.");
        Refusal::new(Refused::NotFound, property, message).into()
    }

    /// Another has this `property` already (409). Source: `team-api.md` §1.6 (`<prop> taken`).
    pub fn taken(property: impl Into<String>) -> Self {
        let property = property.into();
        let message = format!("{property} taken");
        Refusal::new(Refused::Conflict, property, message).into()
    }

    /// Something is in the way (409).
    pub fn conflict(property: impl Into<String>, message: impl Into<String>) -> Refusal {
        Refusal::new(Refused::Conflict, property, message)
    }

    /// The present state of `property` does not allow it (412).
    pub fn precondition(property: impl Into<String>, message: impl Into<String>) -> Refusal {
        Refusal::new(Refused::Precondition, property, message)
    }

    /// The caller may not (403).
    pub fn forbidden(message: impl Into<String>) -> Self {
        let refusal =
            Refusal { kind: Refused::Forbidden, message: message.into(), property: None, value: None, code: None };
        refusal.into()
    }
}
