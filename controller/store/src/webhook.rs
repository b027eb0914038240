//! Webhooks.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use slipway_core::config::SecretText;
use slipway_core::webhook::{Webhook, WebhookEvent};
use slipway_core::{AppId, UserId, WebhookId};

use crate::db::{on, paged};
use crate::schema::{app_users, apps, webhooks};
use crate::types::{Row, UtcMicros, text, to_json};
use crate::{Db, Page, Paged, StoreError};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

#[derive(Queryable, Insertable)]
#[diesel(table_name = webhooks)]
struct WebhookRow {
    id: String,
    owner: String,
    url: String,
    events: String,
    secret: Option<Vec<u8>>,
    is_active: bool,
    created: UtcMicros,
    updated: UtcMicros,
}

impl WebhookRow {
    fn webhook(self) -> Result<Webhook, StoreError> {
        let row = Row { table: "webhooks", id: &self.id };
        let names: Vec<String> = row.json("events", &self.events)?;
        Ok(Webhook {
            id: row.parse("id", &self.id)?,
            owner: row.parse("owner", &self.owner)?,
            events: names.iter().map(|name| row.parse("events", name)).collect::<Result<_, _>>()?,
            url: self.url,
            has_secret: self.secret.is_some(),
            is_active: self.is_active,
            created: self.created.utc(),
            updated: self.updated.utc(),
        })
    }
}

/// What is needed to add a webhook.
#[derive(Debug, Clone)]
pub struct NewWebhook {
    /// Whose it is.
    pub owner: UserId,
    /// The address.
    pub url: String,
    /// What it hears of.
    pub events: BTreeSet<WebhookEvent>,
    /// What calls are signed with; encrypted at rest.
    pub secret: Option<SecretText>,
    /// When it is made.
    pub created: DateTime<Utc>,
}

/// Adds a webhook.
pub async fn webhook_insert(db: &mut Db, new: &NewWebhook) -> Result<Webhook, StoreError> {
    let id = WebhookId::generate().to_string();
    let place = Row { table: "webhooks", id: &id };
    let secret = match &new.secret {
        Some(secret) => Some(db.key.seal(place, "secret", secret.expose().as_bytes())?),
        None => None,
    };
    let names: Vec<&str> = new.events.iter().map(|event| event.as_str()).collect();
    let row = WebhookRow {
        owner: new.owner.to_string(),
        url: text(&new.url),
        events: to_json(&names)?,
        secret,
        is_active: true,
        created: new.created.into(),
        updated: new.created.into(),
        id,
    };
    on!(db, |conn| diesel::insert_into(webhooks::table).values(&row).execute(conn).await)?;
    row.webhook()
}

/// The webhook of this identity.
pub async fn webhook_by_id(db: &mut Db, id: WebhookId) -> Result<Option<Webhook>, StoreError> {
    let row: Option<WebhookRow> = on!(db, |conn| webhooks::table.find(id.to_string()).first(conn).await.optional())?;
    row.map(WebhookRow::webhook).transpose()
}

/// What a webhook's calls are signed with, if they are.
pub async fn webhook_secret(db: &mut Db, id: WebhookId) -> Result<Option<SecretText>, StoreError> {
    let row: Option<WebhookRow> = on!(db, |conn| webhooks::table.find(id.to_string()).first(conn).await.optional())?;
    let Some(row) = row else { return Ok(None) };
    let place = Row { table: "webhooks", id: &row.id };
    let Some(sealed) = &row.secret else { return Ok(None) };
    let plain = db.key.open(place, "secret", sealed)?;
    String::from_utf8(plain).map(|plain| Some(SecretText::new(plain))).map_err(|_| place.corrupt("secret is no text"))
}

/// A user's webhooks, newest first. Index: `webhooks_owner`.
pub async fn webhooks_list(db: &mut Db, owner: UserId, page: Page) -> Result<Paged<Webhook>, StoreError> {
    paged!(
        db,
        page,
        webhooks::table.filter(webhooks::owner.eq(owner.to_string())),
        (webhooks::created.desc(), webhooks::id.desc()),
        webhooks::all_columns,
        WebhookRow,
        WebhookRow::webhook
    )
}

/// How many webhooks a user has.
pub async fn webhooks_count(db: &mut Db, owner: UserId) -> Result<u64, StoreError> {
    let these = || webhooks::table.filter(webhooks::owner.eq(owner.to_string()));
    let total: i64 = on!(db, |conn| these().count().get_result(conn).await)?;
    Ok(crate::types::count(total))
}

/// Whether anybody has an active webhook.
pub async fn webhooks_exist(db: &mut Db) -> Result<bool, StoreError> {
    let found: Option<String> =
        on!(db, |conn| webhooks::table.filter(webhooks::is_active).select(webhooks::id).first(conn).await.optional())?;
    Ok(found.is_some())
}

/// The active webhooks of those who may use an app as its owner, by a grant or in its team.
pub async fn webhooks_by_app(db: &mut Db, app: AppId) -> Result<Vec<Webhook>, StoreError> {
    let app = app.to_string();
    let rows: Vec<WebhookRow> =
        on!(db, |conn| webhooks::table
            .filter(webhooks::is_active)
            .filter(webhooks::owner.eq_any(apps::table.filter(apps::id.eq(&app)).select(apps::owner)).or(
                webhooks::owner.eq_any(app_users::table.filter(app_users::app.eq(&app)).select(app_users::user_id))
            ))
            .order(webhooks::id)
            .load(conn)
            .await)?;
    rows.into_iter().map(WebhookRow::webhook).collect()
}

/// Says whether a webhook is called; false if there is none.
pub async fn webhook_set_active(
    db: &mut Db,
    id: WebhookId,
    is_active: bool,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let n = on!(db, |conn| diesel::update(webhooks::table.find(id.to_string()))
        .set((webhooks::is_active.eq(is_active), webhooks::updated.eq(UtcMicros::from(now))))
        .execute(conn)
        .await)?;
    Ok(n > 0)
}

/// Removes a webhook; false if there is none.
pub async fn webhook_delete(db: &mut Db, id: WebhookId) -> Result<bool, StoreError> {
    let n = on!(db, |conn| diesel::delete(webhooks::table.find(id.to_string())).execute(conn).await)?;
    Ok(n > 0)
}
