//! Telling a team's webhooks what happens. Source: `team-api.md` §4.8.
//!
//! What is to be told is written in the transaction that brings it about, and told by the outbox: a webhook that is away
//! fails no request, and hears of it later.

use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;
use slipway_core::webhook::{Delivery, DeliveryKind};
use slipway_core::{AppId, DeliveryId, Error, Result};
use slipway_store as store;
use slipway_store::Db;
use slipway_team::notification::Happening;
use slipway_team::{NotificationId, TeamId};
use url::Url;

use crate::stored::{Fail, Stored};
use crate::{HookCall, HookReach, Service};

/// Writes down what the team's notifications are to tell. The caller calls [`Service::happening_told`] once it is kept.
pub(crate) async fn happening_record(
    db: &mut Db,
    team: TeamId,
    happening: &Happening,
    now: DateTime<Utc>,
) -> std::result::Result<(), Fail> {
    for notification in store::notifications_telling(db, team, happening.event()).await? {
        let new = store::NewDelivery {
            id: DeliveryId::generate(),
            kind: DeliveryKind::Notification,
            target: target(team, notification.id),
            // It is about no app: a nil identity keeps such deliveries apart from those of apps.
            app: AppId::from_uuid(uuid::Uuid::nil()),
            event: happening.event().as_str().to_owned(),
            content: notification.kind.body(&happening.text(), now).to_string(),
            created: now,
        };
        store::delivery_insert(db, &new).await?;
    }
    Ok(())
}

/// How the outbox names a notification.
pub(crate) fn target(team: TeamId, id: NotificationId) -> String {
    format!("{team}/{id}")
}

impl Service {
    /// Has the outbox look at once.
    pub(crate) fn happening_told(&self) {
        self.signals().told();
    }

    /// The call by which a notification is told; `None` when it is gone, or not active any more.
    pub(crate) async fn notification_call(&self, delivery: &Delivery) -> Result<Option<HookCall>> {
        let ids = delivery.target.split_once('/').and_then(|(team, id)| Some((team.parse().ok()?, id.parse().ok()?)));
        let Some((team, id)) = ids else { return Ok(None) };
        let found = store::notification_by_id(&mut self.read().await?, team, id).await.stored()?;
        let Some(notification) = found.filter(|notification| notification.is_active) else { return Ok(None) };
        let url: Url = notification.url.expose_secret().parse().map_err(|error| {
            // The address itself is a secret.
            Error::internal(format!("the address of notification {id} does not parse: {error}"))
        })?;
        let body = Some(delivery.content.clone());
        Ok(Some(HookCall { url, authorization: None, headers: Vec::new(), body, reach: HookReach::Public }))
    }
}
