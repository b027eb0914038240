//! The outbox: what is to be told to addresses outside, and how that went.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use slipway_core::webhook::{Delivery, DeliveryAttempt, DeliveryKind, DeliveryState};
use slipway_core::{AppId, DeliveryId};

use crate::db::{on, paged};
use crate::schema::deliveries;
use crate::types::{Row, UtcMicros, text, to_json};
use crate::{Db, Page, Paged, StoreError};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

/// Most attempts of one delivery that are remembered; the oldest go first.
const LOG_MAX: usize = 20;

#[derive(Queryable)]
struct DeliveryRow {
    number: i64,
    id: String,
    kind: String,
    target: String,
    app: String,
    event: String,
    content: String,
    state: String,
    attempts: i64,
    tries: i64,
    due: UtcMicros,
    log: String,
    created: UtcMicros,
    finished: Option<UtcMicros>,
}

/// An attempt as it is kept.
#[derive(Serialize, Deserialize)]
struct KeptAttempt {
    number: u32,
    at_micros: i64,
    status: Option<u16>,
    error: String,
}

impl DeliveryRow {
    fn delivery(self) -> Result<Delivery, StoreError> {
        let row = Row { table: "deliveries", id: &self.id };
        let number = |column: &str, value: i64| {
            u32::try_from(value).map_err(|_| row.corrupt(format_args!("{column} is out of range")))
        };
        let kept: Vec<KeptAttempt> = row.json("log", &self.log)?;
        let log = kept.into_iter().map(|attempt| {
            let at = DateTime::from_timestamp_micros(attempt.at_micros)
                .ok_or_else(|| row.corrupt("log holds a time that is none"))?;
            Ok::<_, StoreError>(DeliveryAttempt {
                number: attempt.number,
                at,
                status: attempt.status,
                error: attempt.error,
            })
        });
        Ok(Delivery {
            number: self.number,
            id: row.parse("id", &self.id)?,
            kind: row.parse("kind", &self.kind)?,
            app: row.parse("app", &self.app)?,
            state: row.parse("state", &self.state)?,
            attempts: number("attempts", self.attempts)?,
            tries: number("tries", self.tries)?,
            log: log.collect::<Result<_, _>>()?,
            due: self.due.utc(),
            created: self.created.utc(),
            finished: self.finished.map(UtcMicros::utc),
            target: self.target,
            event: self.event,
            content: self.content,
        })
    }
}

/// What is needed to have something told.
#[derive(Debug, Clone)]
pub struct NewDelivery {
    /// Its identity.
    pub id: DeliveryId,
    /// What is told.
    pub kind: DeliveryKind,
    /// To whom.
    pub target: String,
    /// The app that it is about. What concerns one app is told to one address in order.
    pub app: AppId,
    /// The event's name.
    pub event: String,
    /// What is sent, or what that is made of. No secrets.
    pub content: String,
    /// When it comes about; it is due at once.
    pub created: DateTime<Utc>,
}

/// Adds something to be told.
pub async fn delivery_insert(db: &mut Db, new: &NewDelivery) -> Result<(), StoreError> {
    let (pending, created) = (DeliveryState::Pending.as_str(), UtcMicros::from(new.created));
    on!(db, |conn| diesel::insert_into(deliveries::table)
        .values((
            deliveries::id.eq(new.id.to_string()),
            deliveries::kind.eq(new.kind.as_str()),
            deliveries::target.eq(text(&new.target)),
            deliveries::app.eq(new.app.to_string()),
            deliveries::event.eq(text(&new.event)),
            deliveries::content.eq(text(&new.content)),
            deliveries::state.eq(pending),
            deliveries::attempts.eq(0_i64),
            deliveries::tries.eq(0_i64),
            deliveries::due.eq(created),
            deliveries::log.eq("[]"),
            deliveries::created.eq(created),
        ))
        .execute(conn)
        .await)?;
    Ok(())
}

/// What is to be told, of what one address is to hear of one app only the oldest, so that it hears of it in order. Index:
/// `deliveries_lane`.
macro_rules! heads {
    () => {{
        let pending = DeliveryState::Pending.as_str();
        let earlier = diesel::alias!(deliveries as earlier);
        let is_behind = diesel::dsl::exists(
            earlier
                .filter(earlier.field(deliveries::kind).eq(deliveries::kind))
                .filter(earlier.field(deliveries::target).eq(deliveries::target))
                .filter(earlier.field(deliveries::app).eq(deliveries::app))
                .filter(earlier.field(deliveries::state).eq(pending))
                .filter(earlier.field(deliveries::number).lt(deliveries::number)),
        );
        deliveries::table.filter(deliveries::state.eq(pending)).filter(diesel::dsl::not(is_behind))
    }};
}

/// What is due, longest due first, at most `limit`: of what one address is to hear of one app only the oldest, so that
/// it hears of it in order. Indexes: `deliveries_due`, `deliveries_lane`.
pub async fn deliveries_due(db: &mut Db, now: DateTime<Utc>, limit: u32) -> Result<Vec<Delivery>, StoreError> {
    let rows: Vec<DeliveryRow> = on!(db, |conn| heads!()
        .filter(deliveries::due.le(UtcMicros::from(now)))
        .order((deliveries::due, deliveries::number))
        .limit(i64::from(limit))
        .select(deliveries::all_columns)
        .load(conn)
        .await)?;
    rows.into_iter().map(DeliveryRow::delivery).collect()
}

/// When the next of them is due: what waits for something earlier does not count, however long it was due. Indexes:
/// `deliveries_due`, `deliveries_lane`.
pub async fn deliveries_next(db: &mut Db) -> Result<Option<DateTime<Utc>>, StoreError> {
    let due: Option<UtcMicros> =
        on!(db, |conn| heads!().order(deliveries::due).select(deliveries::due).first(conn).await.optional())?;
    Ok(due.map(UtcMicros::utc))
}

/// Begins the next attempt: notes its number, and when another is due unless its end is noted. False when somebody else
/// began it.
pub async fn delivery_begin(db: &mut Db, delivery: &Delivery, due: DateTime<Utc>) -> Result<bool, StoreError> {
    let n = on!(db, |conn| diesel::update(
        deliveries::table
            .filter(deliveries::number.eq(delivery.number))
            .filter(deliveries::state.eq(DeliveryState::Pending.as_str()))
            .filter(deliveries::attempts.eq(i64::from(delivery.attempts)))
    )
    .set((
        deliveries::attempts.eq(deliveries::attempts + 1),
        deliveries::tries.eq(deliveries::tries + 1),
        deliveries::due.eq(UtcMicros::from(due)),
    ))
    .execute(conn)
    .await)?;
    Ok(n > 0)
}

/// Notes how an attempt ended, what becomes of the delivery, and when it is tried again if it is.
pub async fn delivery_end(
    db: &mut Db,
    delivery: &Delivery,
    attempt: DeliveryAttempt,
    state: DeliveryState,
    due: DateTime<Utc>,
) -> Result<(), StoreError> {
    let mut log: Vec<&DeliveryAttempt> = delivery.log.iter().collect();
    let finished = (state != DeliveryState::Pending).then(|| UtcMicros::from(attempt.at));
    log.push(&attempt);
    let excess = log.len().saturating_sub(LOG_MAX);
    let kept: Vec<KeptAttempt> = log
        .into_iter()
        .skip(excess)
        .map(|attempt| KeptAttempt {
            number: attempt.number,
            at_micros: attempt.at.timestamp_micros(),
            status: attempt.status,
            error: text(&attempt.error),
        })
        .collect();
    let kept = to_json(&kept)?;
    on!(db, |conn| diesel::update(deliveries::table.filter(deliveries::number.eq(delivery.number)))
        .set((
            deliveries::state.eq(state.as_str()),
            deliveries::log.eq(&kept),
            deliveries::due.eq(UtcMicros::from(due)),
            deliveries::finished.eq(finished),
        ))
        .execute(conn)
        .await)?;
    Ok(())
}

/// Forgets a delivery.
pub async fn delivery_delete(db: &mut Db, number: i64) -> Result<(), StoreError> {
    let this = || deliveries::table.filter(deliveries::number.eq(number));
    on!(db, |conn| diesel::delete(this()).execute(conn).await)?;
    Ok(())
}

/// Forgets what a target was told or is to be told.
pub async fn deliveries_delete_by_target(db: &mut Db, kind: DeliveryKind, target: &str) -> Result<(), StoreError> {
    let these = || deliveries::table.filter(deliveries::kind.eq(kind.as_str())).filter(deliveries::target.eq(target));
    on!(db, |conn| diesel::delete(these()).execute(conn).await)?;
    Ok(())
}

/// Forgets what came to its end before `before`.
pub async fn deliveries_delete_finished(db: &mut Db, before: DateTime<Utc>) -> Result<(), StoreError> {
    let these = || deliveries::table.filter(deliveries::finished.lt(UtcMicros::from(before)));
    on!(db, |conn| diesel::delete(these()).execute(conn).await)?;
    Ok(())
}

/// What a target was told or is to be told, newest first. Index: `deliveries_lane`.
pub async fn deliveries_by_target(
    db: &mut Db,
    kind: DeliveryKind,
    target: &str,
    page: Page,
) -> Result<Paged<Delivery>, StoreError> {
    paged!(
        db,
        page,
        deliveries::table.filter(deliveries::kind.eq(kind.as_str())).filter(deliveries::target.eq(target)),
        deliveries::number.desc(),
        deliveries::all_columns,
        DeliveryRow,
        DeliveryRow::delivery
    )
}

/// The delivery of this identity.
pub async fn delivery_by_id(db: &mut Db, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
    let row: Option<DeliveryRow> = on!(db, |conn| deliveries::table
        .filter(deliveries::id.eq(id.to_string()))
        .select(deliveries::all_columns)
        .first(conn)
        .await
        .optional())?;
    row.map(DeliveryRow::delivery).transpose()
}

/// The newest delivery to each of these targets.
pub async fn deliveries_latest(
    db: &mut Db,
    kind: DeliveryKind,
    targets: &[String],
) -> Result<Vec<Delivery>, StoreError> {
    let newest: Vec<Option<i64>> = on!(db, |conn| deliveries::table
        .filter(deliveries::kind.eq(kind.as_str()))
        .filter(deliveries::target.eq_any(targets))
        .group_by(deliveries::target)
        .select(diesel::dsl::max(deliveries::number))
        .load(conn)
        .await)?;
    let newest: Vec<i64> = newest.into_iter().flatten().collect();
    let rows: Vec<DeliveryRow> = on!(db, |conn| deliveries::table
        .filter(deliveries::number.eq_any(&newest))
        .select(deliveries::all_columns)
        .load(conn)
        .await)?;
    rows.into_iter().map(DeliveryRow::delivery).collect()
}
