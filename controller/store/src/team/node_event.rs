//! What happened at nodes.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use slipway_team::NodeId;
use slipway_team::node::{NodeEvent, NodeEventKind};

use crate::db::{on, paged};
use crate::schema::node_events;
use crate::types::{Row, UtcMicros, to_json};
use crate::{Db, Page, Paged, StoreError};

#[derive(Queryable, Selectable)]
#[diesel(table_name = node_events)]
struct EventRow {
    number: i64,
    created: UtcMicros,
    kind: String,
    data: Option<String>,
}

impl EventRow {
    fn event(self) -> Result<NodeEvent, StoreError> {
        let number = self.number.to_string();
        let row = Row { table: "node_events", id: &number };
        Ok(NodeEvent {
            created: self.created.utc(),
            kind: NodeEventKind::parse(&self.kind).ok_or_else(|| row.corrupt("kind does not parse"))?,
            data: self.data.map(|data| row.json("data", &data)).transpose()?,
        })
    }
}

/// Adds an event of a node.
pub async fn node_event_insert(db: &mut Db, node: NodeId, event: &NodeEvent) -> Result<(), StoreError> {
    let data = event.data.as_ref().map(to_json).transpose()?;
    on!(db, |conn| diesel::insert_into(node_events::table)
        .values((
            node_events::node.eq(node.to_string()),
            node_events::created.eq(UtcMicros::from(event.created)),
            node_events::kind.eq(event.kind.as_str()),
            node_events::data.eq(&data),
        ))
        .execute(conn)
        .await)?;
    Ok(())
}

/// The newest event of a node among those of these kinds. Index: `node_events_node`.
pub async fn node_event_latest(
    db: &mut Db,
    node: NodeId,
    kinds: &[NodeEventKind],
) -> Result<Option<NodeEvent>, StoreError> {
    let kinds: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    let row: Option<EventRow> = on!(db, |conn| node_events::table
        .filter(node_events::node.eq(node.to_string()))
        .filter(node_events::kind.eq_any(&kinds))
        .order((node_events::created.desc(), node_events::number.desc()))
        .select(EventRow::as_select())
        .first(conn)
        .await
        .optional())?;
    row.map(EventRow::event).transpose()
}

/// Which events of a node are wanted.
#[derive(Debug, Clone)]
pub struct NodeEventQuery {
    /// Not before this.
    pub from: DateTime<Utc>,
    /// Not after this.
    pub to: DateTime<Utc>,
    /// Of this kind only.
    pub kind: Option<NodeEventKind>,
    /// Which part of the list.
    pub page: Page,
}

/// The events of a node, newest first. Index: `node_events_node`.
pub async fn node_events_list(
    db: &mut Db,
    node: NodeId,
    query: &NodeEventQuery,
) -> Result<Paged<NodeEvent>, StoreError> {
    let (from, to) = (UtcMicros::from(query.from), UtcMicros::from(query.to));
    let kinds: Vec<&str> = match query.kind {
        Some(kind) => vec![kind.as_str()],
        None => NodeEventKind::ALL.iter().map(|kind| kind.as_str()).collect(),
    };
    let own = || {
        node_events::table
            .filter(node_events::node.eq(node.to_string()))
            .filter(node_events::created.between(from, to))
            .filter(node_events::kind.eq_any(&kinds))
    };
    let order = || (node_events::created.desc(), node_events::number.desc());
    paged!(db, query.page, own(), order(), EventRow::as_select(), EventRow, EventRow::event)
}
