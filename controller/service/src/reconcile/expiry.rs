//! Warning of certificates that will soon be worth nothing.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use slipway_core::Result;
use slipway_core::certificate::Certificate;
use slipway_store as store;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::Reconciler;
use crate::audit::event;
use crate::certificate::subject;
use crate::stored::{Fail, Stored, write};

/// How long before its end a certificate is warned of.
const WARNED_BEFORE: TimeDelta = TimeDelta::days(14);
/// Time between two warnings of one certificate.
const WARNED_EVERY: TimeDelta = TimeDelta::days(1);
/// Time between two looks.
const LOOK_INTERVAL: Duration = Duration::from_hours(1);
/// The word for it in the record.
const ACTION: &str = "expiring";

impl Reconciler {
    /// Looks at all certificates again and again until `shutdown`.
    pub(super) async fn expiry_run(self: Arc<Self>, shutdown: CancellationToken) {
        let mut timer = tokio::time::interval(LOOK_INTERVAL);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = timer.tick() => {}
            }
            if let Err(error) = self.expiry_warn().await {
                tracing::warn!("could not look for certificates that expire: {error}");
            }
        }
    }

    /// Warns of every certificate in use that ends soon and was not warned of today: in the log of each app that is
    /// served with it, in the platform's, and in the record, which keeps when that was.
    pub(crate) async fn expiry_warn(&self) -> Result<()> {
        let service = &self.service;
        let now = service.now();
        let mut db = service.read().await?;
        let ending = store::certificates_expiring(&mut db, now + WARNED_BEFORE).await.stored()?;
        drop(db);
        for certificate in ending {
            let id = certificate.id.to_string();
            let apps = write!(service, |db| {
                let last = store::event_latest(db, "certificate", &id, ACTION).await?;
                if last.is_some_and(|last| now - last.created < WARNED_EVERY) {
                    return Ok(Vec::new());
                }
                let after = json!({"expires": certificate.facts.expires.to_rfc3339(), "domains": certificate.domains});
                let entry = event(&service.system_cx(), ACTION, subject(&certificate), Value::Null, after);
                store::event_insert(db, &entry).await?;
                Ok::<_, Fail>(store::certificate_apps(db, certificate.id).await?)
            })?;
            if !apps.is_empty() {
                let text = warning(&certificate, now);
                tracing::warn!(certificate.name = certificate.name, "{text}");
                for app in apps {
                    service.app_log(app, format!("WARN {text}"));
                }
            }
        }
        Ok(())
    }
}

fn warning(certificate: &Certificate, now: DateTime<Utc>) -> String {
    let Certificate { name, facts, domains, .. } = certificate;
    let (end, hosts) = (facts.expires.format("%Y-%m-%d"), domains.join(", "));
    match (facts.expires - now).num_days() {
        _ if facts.expires <= now => format!("certificate {name} for {hosts} expired on {end}"),
        0 => format!("certificate {name} for {hosts} expires within a day, on {end}"),
        days => format!("certificate {name} for {hosts} expires in {days} days, on {end}"),
    }
}
