//! Notifications of teams. Source: `team-api.md` §3.12 and §4.8.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use secrecy::{ExposeSecret, SecretString};
use slipway_core::webhook::DeliveryKind;
use slipway_store as store;
use slipway_store::{StoreError, UniqueOn};
use slipway_team::name::name_check;
use slipway_team::notification::{Notification, NotificationEvent, NotificationKind, test_body};
use slipway_team::team::person_name;
use slipway_team::{Error, Member, NotificationId, Result, Stamp};
use url::Url;

use super::happening::target;
use super::port::{JSON, WebCall};
use crate::stored::{Fail, Stored, write};
use crate::{Cx, Service};

/// Time that one message may take.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(10);
/// Longest address, in bytes.
const URL_MAX: usize = 2048;

/// A notification as a request has it.
#[derive(Debug, Clone)]
pub struct NotificationGiven {
    /// Its name.
    pub name: String,
    /// The service.
    pub kind: NotificationKind,
    /// Where messages go.
    pub url: SecretString,
    /// Whether anything is told.
    pub is_active: bool,
    /// What is told.
    pub events: BTreeSet<NotificationEvent>,
}

impl NotificationGiven {
    fn check(&self) -> Result<()> {
        name_check("name", &self.name)?;
        let text = self.url.expose_secret();
        let is_url = text.len() <= URL_MAX
            && Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if is_url { Ok(()) } else { Err(Error::invalid("url", "url must be an http or https URL")) }
    }
}

fn name_taken(error: StoreError) -> Fail {
    match error {
        StoreError::Conflict { what: UniqueOn::NotificationName } => Error::taken("name").into(),
        other => other.into(),
    }
}

async fn name_free(db: &mut store::Db, notification: &Notification) -> std::result::Result<(), Fail> {
    let others = store::notifications_list(db, notification.team).await?;
    if others.iter().any(|other| other.name == notification.name && other.id != notification.id) {
        return Err(Error::taken("name").into());
    }
    Ok(())
}

impl Service {
    /// The notifications of the member's team, oldest first.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn notifications_list(&self, member: &Member) -> Result<Vec<Notification>> {
        Ok(store::notifications_list(&mut self.read().await?, member.team.id).await.stored()?)
    }

    /// A notification of the member's team.
    ///
    /// # Errors
    /// 404 `notification`.
    pub async fn notification_get(&self, member: &Member, id: NotificationId) -> Result<Notification> {
        let found = store::notification_by_id(&mut self.read().await?, member.team.id, id).await.stored()?;
        found.ok_or_else(|| Error::not_found("notification"))
    }

    /// Adds a notification.
    ///
    /// # Errors
    /// 400 by member; 409 `name`.
    pub async fn notification_create(
        &self,
        cx: &Cx,
        member: &Member,
        given: NotificationGiven,
    ) -> Result<Notification> {
        given.check()?;
        let creator_name = person_name(&self.caller(cx).await?);
        let NotificationGiven { name, kind, url, is_active, events } = given;
        let notification = Notification {
            id: NotificationId::generate(),
            team: member.team.id,
            name,
            kind,
            url,
            is_active,
            events,
            creator_name,
            stamp: Stamp::new(member.user, cx.now),
        };
        write!(self, |db| {
            name_free(db, &notification).await?;
            store::notification_insert(db, &notification).await.map_err(name_taken)?;
            Ok::<_, Fail>(())
        })?;
        Ok(notification)
    }

    /// Replaces a notification.
    ///
    /// # Errors
    /// As [`Service::notification_create`]; 404 `notification`.
    pub async fn notification_update(
        &self,
        cx: &Cx,
        member: &Member,
        id: NotificationId,
        given: NotificationGiven,
    ) -> Result<Notification> {
        let old = self.notification_get(member, id).await?;
        given.check()?;
        let NotificationGiven { name, kind, url, is_active, events } = given;
        let stamp = Stamp { updated: cx.now, updated_by: member.user, ..old.stamp };
        let notification = Notification { name, kind, url, is_active, events, stamp, ..old };
        write!(self, |db| {
            name_free(db, &notification).await?;
            if !store::notification_update(db, &notification).await.map_err(name_taken)? {
                return Err(Error::not_found("notification").into());
            }
            Ok::<_, Fail>(())
        })?;
        Ok(notification)
    }

    /// Removes a notification.
    ///
    /// # Errors
    /// 404 `notification`.
    pub async fn notification_delete(&self, member: &Member, id: NotificationId) -> Result<()> {
        let team = member.team.id;
        write!(self, |db| {
            if !store::notification_delete(db, team, id).await? {
                return Err(Error::not_found("notification").into());
            }
            store::deliveries_delete_by_target(db, DeliveryKind::Notification, &target(team, id)).await?;
            Ok::<_, Fail>(())
        })?;
        Ok(())
    }

    /// Sends a test message, whether the notification is active or not.
    ///
    /// # Errors
    /// 404 `notification`; 400 `url` unless the webhook takes it.
    pub async fn notification_test(&self, member: &Member, id: NotificationId) -> Result<()> {
        let notification = self.notification_get(member, id).await?;
        let call = message(&notification.url, test_body().to_string());
        let refused =
            |reason: String| Error::invalid("url", format!("The webhook did not take the message: {reason}."));
        let answer = self.config().teams.web.send(call).await.map_err(|error| refused(error.to_string()))?;
        match answer.status {
            200 | 204 => Ok(()),
            status => Err(refused(format!("it answered with the status {status}"))),
        }
    }
}

/// The call that posts a message.
pub(crate) fn message(url: &SecretString, body: String) -> WebCall {
    WebCall {
        method: Method::POST,
        url: url.clone(),
        authorization: None,
        accept: None,
        body: Some(Bytes::from(body)),
        media_type: JSON,
        timeout: TIMEOUT,
    }
}
