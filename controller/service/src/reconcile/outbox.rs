//! Telling addresses outside what is to be told: deploy hooks, webhooks.
//!
//! The number of an attempt is written down before the attempt is made. Whatever dies in between, the next attempt has
//! the next number: what is to be told is told, and never twice under one number.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use slipway_core::webhook::{Delivery, DeliveryAttempt, DeliveryKind, DeliveryState};
use slipway_core::{Error, Result};
use slipway_store as store;
use tokio_util::sync::CancellationToken;

use super::{OTHERS_INTERVAL, Reconciler};
use crate::deploy_hook::{self, HookCall, HookSender};
use crate::stored::{Fail, Stored, write};
use crate::webhook;

/// Most calls that are under way at once.
const CALLS_MAX: usize = 64;
/// Most of them to one address. Source: `dployr-v1.md` §9.3.
const CALLS_MAX_PER_TARGET: usize = 5;
/// Time after which a call that was begun counts as lost; longer than a call may take.
const CALL_LOST: TimeDelta = TimeDelta::seconds(15);
/// Longest time without a look at what is due.
const LOOK_INTERVAL: Duration = Duration::from_secs(30);
/// Shortest.
const LOOK_INTERVAL_MIN: Duration = Duration::from_millis(50);
/// How long what was told is remembered.
const MEMORY: TimeDelta = TimeDelta::days(7);
/// Longest reason that is kept.
const REASON_MAX: usize = 300;

/// How a call ended.
enum Told {
    /// It was taken.
    Yes,
    /// It was refused, and would be again.
    Never(String),
    /// As `Never`, and nothing more is to be told there.
    Gone(String),
    /// A later try may work.
    NotYet(String),
}

/// What is to be called, and how that is named in logs.
struct Target {
    call: HookCall,
    shown: String,
}

impl Reconciler {
    /// Tells whatever is due until `shutdown`.
    pub(super) async fn hooks_run(self: Arc<Self>, shutdown: CancellationToken) {
        let Some(sender) = self.hooks.clone() else { return };
        loop {
            let pause = match self.hooks_deliver(sender.as_ref()).await {
                Ok(pause) => pause,
                Err(error) => {
                    tracing::warn!("could not tell hooks: {error}");
                    LOOK_INTERVAL
                }
            };
            // What other controllers record is told to nobody here.
            let pause = if self.leadership.is_shared() { pause.min(OTHERS_INTERVAL) } else { pause };
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.service.signals().released() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Tells all that is due now, and gives the time until something else is.
    pub(crate) async fn hooks_deliver(&self, sender: &dyn HookSender) -> Result<Duration> {
        let service = &self.service;
        let mut calls = FuturesUnordered::new();
        let mut busy: HashMap<String, usize> = HashMap::new();
        loop {
            let free = CALLS_MAX.saturating_sub(calls.len());
            let due = match u32::try_from(free) {
                Ok(free) if free > 0 => {
                    store::deliveries_due(&mut service.read().await?, service.now(), free).await.stored()?
                }
                _ => Vec::new(),
            };
            for delivery in due {
                let of_target = busy.entry(delivery.target.clone()).or_default();
                if *of_target < CALLS_MAX_PER_TARGET && self.delivery_begin(&delivery).await? {
                    *of_target += 1;
                    calls.push(async move {
                        let done = self.deliver(sender, &delivery).await;
                        (delivery.target, done)
                    });
                }
            }
            let Some((target, done)) = calls.next().await else { break };
            done?;
            if let Some(of_target) = busy.get_mut(&target) {
                *of_target = of_target.saturating_sub(1);
            }
        }
        let (mut db, now) = (service.read().await?, service.now());
        let next = store::deliveries_next(&mut db).await.stored()?;
        let Some(next) = next else { return Ok(LOOK_INTERVAL) };
        // What became due meanwhile is in the past.
        let left = (next - now).to_std().unwrap_or_default();
        Ok(left.clamp(LOOK_INTERVAL_MIN, LOOK_INTERVAL))
    }

    /// Notes that the next attempt begins; false when somebody else began it.
    async fn delivery_begin(&self, delivery: &Delivery) -> Result<bool> {
        let service = &self.service;
        let pause = retry_pause(delivery, delivery.tries + 1).unwrap_or_default().max(CALL_LOST);
        let due = service.now() + pause;
        write!(service, |db| { Ok::<_, Fail>(store::delivery_begin(db, delivery, due).await?) }).map_err(Error::from)
    }

    async fn deliver(&self, sender: &dyn HookSender, delivery: &Delivery) -> Result<()> {
        let service = &self.service;
        let (number, tries) = (delivery.attempts + 1, delivery.tries + 1);
        let target = match delivery.kind {
            DeliveryKind::DeployHook => {
                service.config().deploy_hooks.call(delivery)?.map(|(call, shown)| Target { call, shown })
            }
            DeliveryKind::Webhook => service
                .webhook_call(delivery, number)
                .await?
                .map(|call| Target { call, shown: format!("webhook {}", delivery.target) }),
            DeliveryKind::Notification => service
                .notification_call(delivery)
                .await?
                .map(|call| Target { call, shown: format!("notification {}", delivery.target) }),
        };
        let Some(Target { call, shown }) = target else {
            tracing::warn!(app.id = %delivery.app, "a hook was taken away before it heard of {}", delivery.event);
            return self.delivery_forget(delivery).await;
        };
        let sent = sender.send(&call).await;
        let status = sent.as_ref().ok().copied();
        let told = match sent {
            Ok(200..=299) => Told::Yes,
            Ok(status @ (408 | 425 | 429 | 500..)) => Told::NotYet(format!("it answered {status}")),
            Ok(410) if delivery.kind == DeliveryKind::Webhook => Told::Gone("it answered 410".to_owned()),
            Ok(status) => Told::Never(format!("it answered {status}")),
            Err(reason) => Told::NotYet(reason),
        };
        let now = service.now();
        let pause = retry_pause(delivery, tries);
        let (state, error) = match (&told, pause) {
            (Told::Yes, _) => (DeliveryState::Delivered, ""),
            (Told::NotYet(reason), Some(_)) => (DeliveryState::Pending, reason.as_str()),
            (Told::NotYet(reason) | Told::Never(reason) | Told::Gone(reason), _) => {
                (DeliveryState::Failed, reason.as_str())
            }
        };
        let error: String = error.chars().take(REASON_MAX).collect();
        let attempt = DeliveryAttempt { number, at: now, status, error: error.clone() };
        let due = now + pause.unwrap_or_default();
        write!(service, |db| {
            if delivery.kind == DeliveryKind::DeployHook && state != DeliveryState::Pending {
                store::delivery_delete(db, delivery.number).await?;
            } else {
                store::delivery_end(db, delivery, attempt, state, due).await?;
            }
            if let (Told::Gone(_), Ok(id)) = (&told, delivery.target.parse()) {
                store::webhook_set_active(db, id, false, now).await?;
            }
            if state != DeliveryState::Pending {
                store::deliveries_delete_finished(db, now - MEMORY).await?;
            }
            Ok::<_, Fail>(())
        })
        .map_err(Error::from)?;
        match state {
            DeliveryState::Delivered if delivery.kind == DeliveryKind::DeployHook => {
                self.hook_log(delivery, format!("INFO Deploy hook sent to {shown}")).await?;
            }
            DeliveryState::Failed if delivery.kind == DeliveryKind::DeployHook => {
                let text = format!("An error occurred while sending the deploy hook to {shown}: {error}");
                tracing::warn!(app.id = %delivery.app, "{text}");
                self.hook_log(delivery, format!("ERROR {text}")).await?;
            }
            DeliveryState::Delivered | DeliveryState::Failed | DeliveryState::Pending => {
                tracing::debug!(app.id = %delivery.app, attempt = number, "{shown}: {} {error}", state.as_str());
            }
        }
        Ok(())
    }

    async fn delivery_forget(&self, delivery: &Delivery) -> Result<()> {
        write!(self.service, |db| {
            store::delivery_delete(db, delivery.number).await?;
            Ok::<_, Fail>(())
        })
        .map_err(Error::from)
    }

    /// Writes to the log of the app, unless that is gone by now.
    async fn hook_log(&self, delivery: &Delivery, text: String) -> Result<()> {
        if self.service.app_by_id(delivery.app).await?.is_some() {
            self.service.app_log(delivery.app, text);
        }
        Ok(())
    }
}

/// The pause before another try, when so many were made; `None` when there is none.
fn retry_pause(delivery: &Delivery, tries: u32) -> Option<TimeDelta> {
    let pause = match delivery.kind {
        DeliveryKind::DeployHook => deploy_hook::retry_pause(tries),
        DeliveryKind::Webhook | DeliveryKind::Notification => webhook::retry_pause(tries, delivery.id.uuid().as_u128()),
    };
    pause.and_then(|pause| TimeDelta::from_std(pause).ok())
}
