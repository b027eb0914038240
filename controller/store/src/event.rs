//! The record of who did what.

use chrono::{DateTime, Utc};
use slipway_core::event::{Event, EventOutcome};

use crate::{Db, Page, Paged, StoreError};

/// What is needed to record something. The fields mean what they mean in `Event`.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each field is that of `Event`")]
pub struct NewEvent {
    pub actor: String,
    pub action: String,
    pub kind: String,
    pub subject_id: String,
    pub subject_name: String,
    pub before: serde_json::Value,
    pub after: serde_json::Value,
    pub outcome: EventOutcome,
    pub created: DateTime<Utc>,
}

/// Records something.
pub async fn event_insert(db: &mut Db<'_>, new: &NewEvent) -> Result<Event, StoreError> {
    todo!()
}

/// The record, newest first.
pub async fn events_list(db: &mut Db<'_>, page: Page) -> Result<Paged<Event>, StoreError> {
    todo!()
}

/// The record of one thing, newest first.
pub async fn events_by_subject(
    db: &mut Db<'_>,
    kind: &str,
    subject_id: &str,
    page: Page,
) -> Result<Paged<Event>, StoreError> {
    todo!()
}
