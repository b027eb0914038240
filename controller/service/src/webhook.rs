//! Webhooks: users' addresses that hear of what happens to their apps. Source: `dployr-v1.md` §9.3.
//!
//! What is to be told is written in the transaction that brings it about; see `reconcile/outbox.rs` for the telling.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use serde_json::{Value, json};
use slipway_core::authz::Actor;
use slipway_core::config::SecretText;
use slipway_core::error::Kind;
use slipway_core::ulid::{ulid, ulid_parse};
use slipway_core::webhook::{Delivery, DeliveryKind, Webhook, WebhookEvent};
use slipway_core::{AppId, DeliveryId, Error, Result, WebhookId};
use slipway_egress::{is_private_only, is_public};
use slipway_store as store;
use slipway_store::Db;
use url::{Host, Url};

use crate::audit::{Subject, event};
use crate::stored::{Fail, Stored, write};

use crate::{Cx, HookCall, HookReach, Page, PageQuery, Service};

/// Longest address.
const URL_MAX: usize = 2048;
/// Most events that one request names.
const EVENTS_MAX: usize = 50;
/// Longest secret.
const SECRET_MAX: usize = 256;
/// Most webhooks of one user.
const WEBHOOKS_MAX: u64 = 100;
/// The event of a delivery that somebody asks for to see whether it arrives.
const TEST_EVENT: &str = "webhook.test";
/// Pauses before each further try, in seconds.
const PAUSES_SECS: [u64; 5] = [10, 60, 300, 1800, 7200];

/// A webhook to be made, not yet checked.
#[derive(Debug)]
pub struct WebhookCreate {
    /// The address.
    pub url: String,
    /// Names of events; `*` for all.
    pub events: Vec<String>,
    /// What calls are signed with.
    pub secret: Option<SecretText>,
}

/// A webhook, and what it was told last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookStatus {
    /// The webhook.
    pub webhook: Webhook,
    /// The newest delivery.
    pub last: Option<Delivery>,
}

/// The pause before another try, when so many were made: ±10 %, by a number that stays the same for a delivery. `None`
/// when there is none.
pub(crate) fn retry_pause(tries: u32, random: u128) -> Option<Duration> {
    let pause = PAUSES_SECS.get(usize::try_from(tries.saturating_sub(1)).ok()?)?;
    // UUIDs end in random bits.
    let per_mille = 900 + u64::try_from(random % 201).unwrap_or(100);
    Some(Duration::from_millis(pause * per_mille))
}

impl Service {
    /// Makes a webhook of the caller's.
    ///
    /// # Errors
    /// `Invalid` by field; `Conflict` when there are too many.
    pub async fn webhook_create(&self, cx: &Cx, new: WebhookCreate) -> Result<WebhookStatus> {
        let (owner, _, _) = cx.user()?;
        let url = self.webhook_url_check(&new.url).await?;
        let events = events_check(&new.events)?;
        if let Some(secret) = &new.secret {
            let length = secret.expose().chars().count();
            if !(1..=SECRET_MAX).contains(&length) || secret.expose().contains('\0') {
                return Err(Error::invalid("secret", format!("Give 1 to {SECRET_MAX} characters.")));
            }
        }
        let row = store::NewWebhook { owner, url, events, secret: new.secret, created: cx.now };
        let webhook = write!(self, |db| {
            if store::webhooks_count(db, owner).await? >= WEBHOOKS_MAX {
                return Err(Error::Conflict(format!("There are {WEBHOOKS_MAX} webhooks already.")).into());
            }
            let webhook = store::webhook_insert(db, &row).await?;
            let names: Vec<&str> = webhook.events.iter().map(|event| event.as_str()).collect();
            let entry = event(cx, "create", webhook_subject(&webhook), Value::Null, json!({ "events": names }));
            store::event_insert(db, &entry).await?;
            Ok::<_, Fail>(webhook)
        })?;
        Ok(WebhookStatus { webhook, last: None })
    }

    /// The caller's webhooks, newest first.
    ///
    /// # Errors
    /// `Unauthenticated`.
    pub async fn webhooks_list(&self, cx: &Cx, page: PageQuery) -> Result<Page<WebhookStatus>> {
        let (owner, _, _) = cx.user()?;
        let mut db = self.read().await?;
        let found = store::webhooks_list(&mut db, owner, page.into()).await.stored()?;
        let targets: Vec<String> = found.items.iter().map(|webhook| webhook.id.to_string()).collect();
        let latest = store::deliveries_latest(&mut db, DeliveryKind::Webhook, &targets).await.stored()?;
        let items = found.items.into_iter().map(|webhook| {
            let last = latest.iter().find(|delivery| delivery.target == webhook.id.to_string()).cloned();
            WebhookStatus { webhook, last }
        });
        Ok(Page { count: found.total, items: items.collect() })
    }

    /// One of the caller's webhooks.
    ///
    /// # Errors
    /// `NotFound`, also for those of others.
    pub async fn webhook_get(&self, cx: &Cx, id: &str) -> Result<WebhookStatus> {
        let webhook = self.webhook_for(cx, id).await?;
        let targets = [webhook.id.to_string()];
        let latest = store::deliveries_latest(&mut self.read().await?, DeliveryKind::Webhook, &targets).await;
        Ok(WebhookStatus { webhook, last: latest.stored()?.pop() })
    }

    /// Removes a webhook, with what it was still to be told.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn webhook_delete(&self, cx: &Cx, id: &str) -> Result<()> {
        let webhook = self.webhook_for(cx, id).await?;
        write!(self, |db| {
            store::webhook_delete(db, webhook.id).await?;
            store::deliveries_delete_by_target(db, DeliveryKind::Webhook, &webhook.id.to_string()).await?;
            let entry = event(cx, "delete", webhook_subject(&webhook), Value::Null, Value::Null);
            store::event_insert(db, &entry).await?;
            Ok::<_, Fail>(())
        })?;
        Ok(())
    }

    /// Has something told to a webhook that means nothing, to see whether it arrives; makes it active again.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn webhook_test(&self, cx: &Cx, id: &str) -> Result<Delivery> {
        let webhook = self.webhook_for(cx, id).await?;
        let data = json!({ "webhook_id": ulid(webhook.id.uuid()) });
        let new = delivery_new(&webhook, lane_own(), TEST_EVENT, &data, cx.now);
        self.delivery_add(cx, &webhook, new).await
    }

    /// What a webhook was told and is to be told, newest first.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn webhook_deliveries(&self, cx: &Cx, id: &str, page: PageQuery) -> Result<Page<Delivery>> {
        let target = self.webhook_for(cx, id).await?.id.to_string();
        let mut db = self.read().await?;
        let found = store::deliveries_by_target(&mut db, DeliveryKind::Webhook, &target, page.into()).await;
        found.stored().map(Page::from)
    }

    /// Has something told once more, as it was, without regard to what else the webhook is to hear; makes it active
    /// again.
    ///
    /// # Errors
    /// `NotFound` for the webhook, then for the delivery.
    pub async fn webhook_replay(&self, cx: &Cx, id: &str, delivery: &str) -> Result<Delivery> {
        let webhook = self.webhook_for(cx, id).await?;
        let missing = || Error::Missing("There is no such delivery.".to_owned());
        let delivery = id_parse(delivery).map(DeliveryId::from_uuid).ok_or_else(missing)?;
        let found = store::delivery_by_id(&mut self.read().await?, delivery).await.stored()?;
        let is_its =
            |delivery: &Delivery| delivery.kind == DeliveryKind::Webhook && delivery.target == webhook.id.to_string();
        let old = found.filter(is_its).ok_or_else(missing)?;
        let new = store::NewDelivery {
            id: DeliveryId::generate(),
            kind: DeliveryKind::Webhook,
            target: old.target,
            app: lane_own(),
            event: old.event,
            content: old.content,
            created: cx.now,
        };
        self.delivery_add(cx, &webhook, new).await
    }

    async fn delivery_add(&self, cx: &Cx, webhook: &Webhook, new: store::NewDelivery) -> Result<Delivery> {
        let id = new.id;
        let added = write!(self, |db| {
            if !webhook.is_active {
                store::webhook_set_active(db, webhook.id, true, cx.now).await?;
            }
            store::delivery_insert(db, &new).await?;
            let added = store::delivery_by_id(db, id).await?;
            Ok::<_, Fail>(added.ok_or_else(|| Error::internal("the new delivery is gone"))?)
        })?;
        self.signals().told();
        Ok(added)
    }

    /// The call by which a delivery is told; `None` when its webhook is gone, or not called any more.
    pub(crate) async fn webhook_call(&self, delivery: &Delivery, attempt: u32) -> Result<Option<HookCall>> {
        let Ok(id) = delivery.target.parse::<WebhookId>() else { return Ok(None) };
        let mut db = self.read().await?;
        let webhook = store::webhook_by_id(&mut db, id).await.stored()?;
        let Some(webhook) = webhook.filter(|webhook| webhook.is_active) else { return Ok(None) };
        let secret = store::webhook_secret(&mut db, id).await.stored()?;
        let url: Url =
            webhook.url.parse().map_err(|error| Error::internal(format!("webhook {}: {error}", webhook.id)))?;
        let timestamp = self.now().timestamp();
        let mut headers = vec![
            ("x-dployr-event", delivery.event.clone()),
            ("x-dployr-delivery", ulid(delivery.id.uuid())),
            ("x-dployr-timestamp", timestamp.to_string()),
            ("x-slipway-attempt", attempt.to_string()),
        ];
        if let Some(secret) = secret {
            let body = delivery.content.as_bytes();
            headers.push(("x-dployr-signature", format!("sha256={}", signature(&secret, &[body])?)));
            let timed = signature(&secret, &[timestamp.to_string().as_bytes(), b".", body])?;
            headers.push(("x-slipway-signature", format!("t={timestamp},v1={timed}")));
        }
        let body = Some(delivery.content.clone());
        Ok(Some(HookCall { url, authorization: None, headers, body, reach: HookReach::Public }))
    }

    async fn webhook_for(&self, cx: &Cx, id: &str) -> Result<Webhook> {
        let (owner, _, _) = cx.user()?;
        let missing = || Error::not_found(Kind::Webhook);
        let id = id_parse(id).map(WebhookId::from_uuid).ok_or_else(missing)?;
        let webhook = store::webhook_by_id(&mut self.read().await?, id).await.stored()?;
        webhook.filter(|webhook| webhook.owner == owner).ok_or_else(missing)
    }

    /// Checks an address, and gives it in its normal form.
    async fn webhook_url_check(&self, text: &str) -> Result<String> {
        let fail = |issue: &str| Err(Error::invalid("url", issue));
        if text.len() > URL_MAX {
            return fail("Ensure this field has no more than 2048 characters.");
        }
        let Ok(mut url) = text.trim().parse::<Url>() else {
            return fail("Give an address such as https://example.com/webhook.");
        };
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return fail("Give an address that begins with http:// or https://.");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return fail("The address must hold no user name and no password.");
        }
        url.set_fragment(None);
        if self.config().is_private_allowed {
            return Ok(url.into());
        }
        let is_private = match url.host() {
            Some(Host::Ipv4(v4)) => !is_public(IpAddr::V4(v4)),
            Some(Host::Ipv6(v6)) => !is_public(IpAddr::V6(v6)),
            Some(Host::Domain(name)) => is_private_only(name, url.port_or_known_default().unwrap_or(443)).await,
            None => true,
        };
        if is_private {
            return fail("The address is private; the operator can allow such with SLIPWAY_ALLOW_PRIVATE_ADDRESSES=1.");
        }
        Ok(url.into())
    }
}

/// Has everybody told who wants to hear of an event of an app. Called in the transaction that brings it about. `data`
/// holds no secret.
pub(crate) async fn event_tell(
    db: &mut Db,
    cx: &Cx,
    app: AppId,
    event: WebhookEvent,
    mut data: Value,
) -> Result<(), Fail> {
    let webhooks = store::webhooks_by_app(db, app).await?;
    let (actor_id, actor_type) = match &cx.actor {
        Actor::User { id, .. } => (Value::from(ulid(id.uuid())), "user"),
        Actor::Anonymous | Actor::Builder | Actor::System => (Value::Null, "headless"),
    };
    if let Value::Object(data) = &mut data {
        data.insert("actor_id".to_owned(), actor_id);
        data.insert("actor_type".to_owned(), Value::from(actor_type));
    }
    for webhook in webhooks.iter().filter(|webhook| webhook.events.contains(&event)) {
        store::delivery_insert(db, &delivery_new(webhook, app, event.as_str(), &data, cx.now)).await?;
    }
    Ok(())
}

/// An app's identity that is no app's. What a webhook hears of one app comes in order; what somebody asks for now, to see
/// it arrive, must not wait for the next try of what did not.
fn lane_own() -> AppId {
    AppId::generate()
}

fn delivery_new(webhook: &Webhook, app: AppId, event: &str, data: &Value, now: DateTime<Utc>) -> store::NewDelivery {
    let id = DeliveryId::generate();
    let content = json!({
        "id": ulid(id.uuid()),
        "event": event,
        "timestamp": now.to_rfc3339_opts(SecondsFormat::Secs, true),
        "data": data,
    });
    store::NewDelivery {
        id,
        kind: DeliveryKind::Webhook,
        target: webhook.id.to_string(),
        app,
        event: event.to_owned(),
        content: content.to_string(),
        created: now,
    }
}

/// An identity as the API shows it, or as a UUID.
pub(crate) fn id_parse(text: &str) -> Option<uuid::Uuid> {
    ulid_parse(text).or_else(|| uuid::Uuid::parse_str(text).ok())
}

fn events_check(names: &[String]) -> Result<BTreeSet<WebhookEvent>> {
    let fail = |issue: String| Err(Error::invalid("events", issue));
    if names.is_empty() || names.len() > EVENTS_MAX {
        return fail(format!("Name 1 to {EVENTS_MAX} events."));
    }
    let mut events = BTreeSet::new();
    for name in names {
        if name == "*" {
            events.extend(WebhookEvent::ALL);
            continue;
        }
        let Ok(event) = name.parse() else {
            let shown: String = name.chars().filter(|c| !c.is_control()).take(60).collect();
            return fail(format!("There is no event '{shown}'."));
        };
        events.insert(event);
    }
    Ok(events)
}

/// HMAC-SHA-256 over the parts, one after the other, in hex digits.
fn signature(secret: &SecretText, parts: &[&[u8]]) -> Result<String> {
    let failed = |error: openssl::error::ErrorStack| Error::internal(format!("could not sign a webhook: {error}"));
    let key = PKey::hmac(secret.expose().as_bytes()).map_err(failed)?;
    let mut signer = Signer::new(MessageDigest::sha256(), &key).map_err(failed)?;
    for part in parts {
        signer.update(part).map_err(failed)?;
    }
    Ok(hex::encode(signer.sign_to_vec().map_err(failed)?))
}

fn webhook_subject(webhook: &Webhook) -> Subject<'static> {
    // The address may hold a secret in its path or query.
    let host = webhook.url.parse::<Url>().ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    Subject { kind: "webhook", id: webhook.id.to_string(), name: host }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        for (tries, secs) in [(1, 10), (2, 60), (5, 7200)] {
            for random in [0, 100, 200, u128::MAX] {
                let pause = retry_pause(tries, random).unwrap();
                assert!(pause >= Duration::from_millis(secs * 900) && pause <= Duration::from_millis(secs * 1100));
            }
        }
        assert_eq!(retry_pause(6, 0), None);
        assert_eq!(retry_pause(1, 100), Some(Duration::from_secs(10)));
    }

    #[test]
    fn events_are_known_by_name() {
        let check = |names: &[&str]| events_check(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(check(&["deployment.created", "deployment.created"]).unwrap().len(), 1);
        assert_eq!(check(&["*"]).unwrap().len(), WebhookEvent::ALL.len());
        assert!(check(&[]).is_err());
        assert!(check(&["deployment.exploded"]).unwrap_err().to_string().contains("deployment.exploded"));
    }

    #[test]
    fn signatures_are_hmac_sha_256() {
        // The vector of RFC 4231 §4.3.
        let mac = signature(&SecretText::new("Jefe"), &[b"what do ya want ", b"for nothing?"]).unwrap();
        assert_eq!(mac, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
}
