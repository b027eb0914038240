//! The record of who did what.

use chrono::{DateTime, Utc};

use crate::EventId;

/// How something that was tried came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventOutcome {
    /// It was done.
    Done,
    /// The actor had no right to it.
    Refused,
    /// It was tried and did not work.
    Failed,
}

impl EventOutcome {
    /// The name under which it is stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

impl std::str::FromStr for EventOutcome {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Done, Self::Refused, Self::Failed].into_iter().find(|outcome| outcome.as_str() == text).ok_or(())
    }
}

/// One entry of the record. Never changed, and kept when its subject is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its identity.
    pub id: EventId,
    /// Who did it: a user's name, `builder` or `system`.
    pub actor: String,
    /// What was done: `create`, `update`, `delete`, `rollback`, …
    pub action: String,
    /// What kind of thing it was done to: `app`, `config`, `release`, …
    pub kind: String,
    /// The identity of that thing, if it has one.
    pub subject_id: String,
    /// The name of that thing at the time.
    pub subject_name: String,
    /// What it was before; secrets by name only.
    pub before: serde_json::Value,
    /// What it was after; secrets by name only.
    pub after: serde_json::Value,
    /// How it came out.
    pub outcome: EventOutcome,
    /// When.
    pub created: DateTime<Utc>,
}
