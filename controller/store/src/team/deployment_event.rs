//! What deployments tell of themselves.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize};
use slipway_core::Page;
use slipway_team::DeploymentId;
use slipway_team::deployment::{DeploymentEvent, News, Status};

use crate::db::{on, paged};
use crate::schema::deployment_events;
use crate::types::{Row, UtcMicros, text, to_json};
use crate::{Db, Paged, StoreError};

const TABLE: &str = "deployment_events";

#[derive(Queryable, Selectable)]
#[diesel(table_name = deployment_events)]
struct EventRow {
    number: i64,
    deployment: String,
    attempt: i32,
    created: UtcMicros,
    kind: String,
    value: String,
}

#[derive(Serialize, Deserialize)]
struct ContainerValue {
    instance: String,
    state: String,
}

fn news_write(news: &News) -> Result<(&'static str, String), StoreError> {
    Ok(match news {
        News::Log(lines) => ("log", to_json(lines)?),
        News::Status(status) => ("deployment-status", status.as_str().to_owned()),
        News::Container { instance, state } => {
            let value = ContainerValue { instance: instance.to_string(), state: state.clone() };
            ("container-state", to_json(&value)?)
        }
    })
}

impl EventRow {
    fn event(self) -> Result<DeploymentEvent, StoreError> {
        let number = self.number.to_string();
        let row = Row { table: TABLE, id: &number };
        let news = match self.kind.as_str() {
            "log" => News::Log(row.json("value", &self.value)?),
            "deployment-status" => {
                News::Status(Status::parse(&self.value).ok_or_else(|| row.corrupt("value does not parse"))?)
            }
            "container-state" => {
                let ContainerValue { instance, state } = row.json("value", &self.value)?;
                News::Container { instance: row.parse("value", &instance)?, state }
            }
            _ => return Err(row.corrupt("kind does not parse")),
        };
        Ok(DeploymentEvent {
            deployment: row.parse("deployment", &self.deployment)?,
            attempt: u32::try_from(self.attempt).map_err(|_| row.corrupt("attempt is negative"))?,
            created: self.created.utc(),
            news,
        })
    }
}

/// Adds an event behind all others.
pub async fn deployment_event_insert(db: &mut Db, event: &DeploymentEvent) -> Result<(), StoreError> {
    let (kind, value) = news_write(&event.news)?;
    let attempt =
        i32::try_from(event.attempt).map_err(|_| StoreError::Internal("too many tries of a deployment".to_owned()))?;
    let row = (
        deployment_events::deployment.eq(event.deployment.to_string()),
        deployment_events::attempt.eq(attempt),
        deployment_events::created.eq(UtcMicros::from(event.created)),
        deployment_events::kind.eq(kind),
        deployment_events::value.eq(text(&value)),
    );
    on!(db, |conn| diesel::insert_into(deployment_events::table).values(row).execute(conn).await)?;
    Ok(())
}

/// A page of a deployment's events, of one try or of all: the page is cut newest first, and is oldest first within.
/// Index: `deployment_events_deployment`. Source: `team-api.md` §1.8.
pub async fn deployment_events_list(
    db: &mut Db,
    deployment: DeploymentId,
    attempt: Option<u32>,
    page: Page,
) -> Result<Paged<DeploymentEvent>, StoreError> {
    // A try that no column can hold never was.
    let (first, last) = match attempt.map(|attempt| i32::try_from(attempt).unwrap_or(-1)) {
        Some(attempt) => (attempt, attempt),
        None => (0, i32::MAX),
    };
    let all = || {
        deployment_events::table
            .filter(deployment_events::deployment.eq(deployment.to_string()))
            .filter(deployment_events::attempt.between(first, last))
    };
    let found: Result<Paged<DeploymentEvent>, StoreError> =
        paged!(db, page, all(), deployment_events::number.desc(), EventRow::as_select(), EventRow, EventRow::event);
    let mut found = found?;
    found.items.reverse();
    Ok(found)
}

/// The newest events of a deployment with numbers above `after`, at most `limit` of them, oldest first, and the highest
/// number that was seen; `after` when there is none.
/// Index: `deployment_events_deployment`.
pub async fn deployment_events_after(
    db: &mut Db,
    deployment: DeploymentId,
    after: i64,
    limit: u32,
) -> Result<(Vec<DeploymentEvent>, i64), StoreError> {
    let rows: Vec<EventRow> = on!(db, |conn| {
        deployment_events::table
            .filter(deployment_events::deployment.eq(deployment.to_string()))
            .filter(deployment_events::number.gt(after))
            .order(deployment_events::number.desc())
            .limit(i64::from(limit))
            .select(EventRow::as_select())
            .load(conn)
            .await
    })?;
    let last = rows.iter().map(|row| row.number).max().unwrap_or(after);
    let events = rows.into_iter().rev().map(EventRow::event).collect::<Result<_, _>>()?;
    Ok((events, last))
}
