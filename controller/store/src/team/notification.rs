//! Notifications of teams.

use std::collections::BTreeSet;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use secrecy::{ExposeSecret, SecretString};
use slipway_team::notification::{Notification, NotificationEvent};
use slipway_team::{NotificationId, TeamId};

use super::stamp;
use crate::db::on;
use crate::schema::notifications;
use crate::types::{Row, UtcMicros, text, to_json};
use crate::{Db, StoreError};

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = notifications)]
struct NotificationRow {
    id: String,
    team: String,
    name: String,
    kind: String,
    sealed_url: Vec<u8>,
    is_active: bool,
    events: String,
    created: UtcMicros,
    created_by: String,
    creator_name: String,
    updated: UtcMicros,
    updated_by: String,
}

const COLUMN: &str = "sealed_url";

impl NotificationRow {
    fn new(db: &Db, notification: &Notification) -> Result<Self, StoreError> {
        let Notification { id, team, name, kind, url, is_active, events, creator_name, stamp } = notification;
        let id = id.to_string();
        let events: Vec<&str> = events.iter().map(|event| event.as_str()).collect();
        Ok(Self {
            sealed_url: db.key.seal(Row { table: "notifications", id: &id }, COLUMN, url.expose_secret().as_bytes())?,
            team: team.to_string(),
            name: text(name),
            kind: kind.as_str().to_owned(),
            is_active: *is_active,
            events: to_json(&events)?,
            created: stamp.created.into(),
            created_by: stamp.created_by.to_string(),
            creator_name: text(creator_name),
            updated: stamp.updated.into(),
            updated_by: stamp.updated_by.to_string(),
            id,
        })
    }

    fn notification(self, db: &Db) -> Result<Notification, StoreError> {
        let row = Row { table: "notifications", id: &self.id };
        let url = String::from_utf8(db.key.open(row, COLUMN, &self.sealed_url)?)
            .map_err(|_| row.corrupt("sealed_url is no text"))?;
        let events: Vec<String> = row.json("events", &self.events)?;
        let events = events.iter().map(|event| row.parse("events", event)).collect::<Result<BTreeSet<_>, _>>()?;
        Ok(Notification {
            id: row.parse("id", &self.id)?,
            team: row.parse("team", &self.team)?,
            kind: row.parse("kind", &self.kind)?,
            url: SecretString::from(url),
            is_active: self.is_active,
            events,
            stamp: stamp(row, (self.created, &self.created_by), (self.updated, &self.updated_by))?,
            name: self.name,
            creator_name: self.creator_name,
        })
    }
}

/// Adds a notification; `Conflict` on its name.
pub async fn notification_insert(db: &mut Db, notification: &Notification) -> Result<(), StoreError> {
    let row = NotificationRow::new(db, notification)?;
    on!(db, |conn| diesel::insert_into(notifications::table).values(&row).execute(conn).await)?;
    Ok(())
}

/// Replaces all of a notification but its identity and its team; `Conflict` on its name. False if its team has it no
/// more.
pub async fn notification_update(db: &mut Db, notification: &Notification) -> Result<bool, StoreError> {
    let row = NotificationRow::new(db, notification)?;
    let n = on!(db, |conn| diesel::update(
        notifications::table
            .filter(notifications::id.eq(notification.id.to_string()))
            .filter(notifications::team.eq(notification.team.to_string()))
    )
    .set(&row)
    .execute(conn)
    .await)?;
    Ok(n > 0)
}

/// Removes a notification; false if the team has none of this identity.
pub async fn notification_delete(db: &mut Db, team: TeamId, id: NotificationId) -> Result<bool, StoreError> {
    let n = on!(db, |conn| diesel::delete(
        notifications::table
            .filter(notifications::id.eq(id.to_string()))
            .filter(notifications::team.eq(team.to_string()))
    )
    .execute(conn)
    .await)?;
    Ok(n > 0)
}

/// A notification of the team.
pub async fn notification_by_id(
    db: &mut Db,
    team: TeamId,
    id: NotificationId,
) -> Result<Option<Notification>, StoreError> {
    let row: Option<NotificationRow> = on!(db, |conn| notifications::table
        .filter(notifications::id.eq(id.to_string()))
        .filter(notifications::team.eq(team.to_string()))
        .select(NotificationRow::as_select())
        .first(conn)
        .await
        .optional())?;
    row.map(|row| row.notification(db)).transpose()
}

/// The team's notifications, oldest first. Index: `notifications_team_name_key`.
pub async fn notifications_list(db: &mut Db, team: TeamId) -> Result<Vec<Notification>, StoreError> {
    let rows: Vec<NotificationRow> = on!(db, |conn| notifications::table
        .filter(notifications::team.eq(team.to_string()))
        .order((notifications::created, notifications::id))
        .select(NotificationRow::as_select())
        .load(conn)
        .await)?;
    rows.into_iter().map(|row| row.notification(db)).collect()
}

/// The team's notifications that tell of this event.
pub async fn notifications_telling(
    db: &mut Db,
    team: TeamId,
    event: NotificationEvent,
) -> Result<Vec<Notification>, StoreError> {
    let all = notifications_list(db, team).await?;
    Ok(all.into_iter().filter(|notification| notification.tells(event)).collect())
}
