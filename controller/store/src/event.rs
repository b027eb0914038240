//! The record of who did what.

use chrono::{DateTime, Utc};
use slipway_core::event::{Event, EventOutcome};

use crate::db::{on, paged};
use crate::schema::events;
use crate::types::{Row, UtcMicros, text, to_json};
use crate::{Db, Page, Paged, StoreError};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use slipway_core::EventId;

#[derive(Queryable, Insertable)]
#[diesel(table_name = events)]
struct EventRow {
    id: String,
    actor: String,
    action: String,
    kind: String,
    subject_id: String,
    subject_name: String,
    before: String,
    after: String,
    outcome: String,
    created: UtcMicros,
}

impl EventRow {
    fn event(self) -> Result<Event, StoreError> {
        let row = Row { table: "events", id: &self.id };
        Ok(Event {
            id: row.parse("id", &self.id)?,
            before: row.json("before", &self.before)?,
            after: row.json("after", &self.after)?,
            outcome: row.parse("outcome", &self.outcome)?,
            created: self.created.utc(),
            actor: self.actor,
            action: self.action,
            kind: self.kind,
            subject_id: self.subject_id,
            subject_name: self.subject_name,
        })
    }
}

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
pub async fn event_insert(db: &mut Db, new: &NewEvent) -> Result<Event, StoreError> {
    let row = EventRow {
        id: EventId::generate().to_string(),
        actor: text(&new.actor),
        action: text(&new.action),
        kind: text(&new.kind),
        subject_id: text(&new.subject_id),
        subject_name: text(&new.subject_name),
        before: to_json(&new.before)?,
        after: to_json(&new.after)?,
        outcome: new.outcome.as_str().to_owned(),
        created: new.created.into(),
    };
    on!(db, |conn| diesel::insert_into(events::table).values(&row).execute(conn).await)?;
    row.event()
}

/// The record, newest first.
pub async fn events_list(db: &mut Db, page: Page) -> Result<Paged<Event>, StoreError> {
    paged!(
        db,
        page,
        events::table,
        (events::created.desc(), events::id.desc()),
        events::all_columns,
        EventRow,
        EventRow::event
    )
}

/// The newest entry of one kind of action on one thing. Index: `events_subject`.
pub async fn event_latest(
    db: &mut Db,
    kind: &str,
    subject_id: &str,
    action: &str,
) -> Result<Option<Event>, StoreError> {
    let (kind, subject_id) = (text(kind), text(subject_id));
    let row: Option<EventRow> = on!(db, |conn| events::table
        .filter(events::kind.eq(&kind))
        .filter(events::subject_id.eq(&subject_id))
        .filter(events::action.eq(action))
        .order((events::created.desc(), events::id.desc()))
        .first(conn)
        .await
        .optional())?;
    row.map(EventRow::event).transpose()
}

/// The record of one thing, newest first.
pub async fn events_by_subject(
    db: &mut Db,
    kind: &str,
    subject_id: &str,
    page: Page,
) -> Result<Paged<Event>, StoreError> {
    let (kind, subject_id) = (text(kind), text(subject_id));
    paged!(
        db,
        page,
        events::table.filter(events::kind.eq(&kind)).filter(events::subject_id.eq(&subject_id)),
        (events::created.desc(), events::id.desc()),
        events::all_columns,
        EventRow,
        EventRow::event
    )
}
