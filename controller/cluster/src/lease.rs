//! Which of several controllers leads, by a Lease (`coordination.k8s.io/v1`).
//!
//! The holder renews the Lease; when it has not for the Lease's time, by the clock of whoever looks on, another takes it.
//! A holder that cannot renew steps down before that. On shutdown the Lease is given back, so that another takes over
//! at once.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::api::{Api, PostParams};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::settings::{FIELD_MANAGER, HERITAGE};

/// How long a Lease holds without being renewed.
pub const LEASE_TIME: Duration = Duration::from_secs(15);
/// Age of the last renewal from which the holder leads no more.
const RENEW_MAX: Duration = Duration::from_secs(10);
/// Pause between two looks, and between two renewals.
const INTERVAL: Duration = Duration::from_secs(2);
/// Longest that one call may take.
const CALL_MAX: Duration = Duration::from_secs(4);

/// Takes part in the election of a leader as `holder` until `shutdown`, and tells whether this process leads.
#[must_use]
pub fn start(
    client: &Client,
    namespace: &str,
    name: &str,
    holder: &str,
    shutdown: CancellationToken,
) -> watch::Receiver<bool> {
    let (leads, receiver) = watch::channel(false);
    let candidate = Candidate {
        api: Api::namespaced(client.clone(), namespace),
        name: name.to_owned(),
        holder: holder.to_owned(),
        seen: None,
    };
    tokio::spawn(candidate.run(leads, shutdown));
    receiver
}

struct Candidate {
    api: Api<Lease>,
    name: String,
    holder: String,
    /// The resource version that was seen last, and since when: clocks of machines are not compared.
    seen: Option<(String, Instant)>,
}

/// What a look at the Lease came to.
enum Turn {
    Held,
    Others,
}

impl Candidate {
    async fn run(mut self, leads: watch::Sender<bool>, shutdown: CancellationToken) {
        let mut renewed: Option<Instant> = None;
        let mut timer = tokio::time::interval(INTERVAL);
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                _ = timer.tick() => {}
            }
            let begun = Instant::now();
            match timeout(CALL_MAX, self.turn()).await {
                Ok(Ok(Turn::Held)) => renewed = Some(begun),
                Ok(Ok(Turn::Others)) => renewed = None,
                Ok(Err(error)) => tracing::warn!("the Lease of the leader cannot be read or renewed: {error}"),
                Err(_) => tracing::warn!("the API server does not answer about the Lease of the leader"),
            }
            let is_leading = renewed.is_some_and(|at| at.elapsed() < RENEW_MAX);
            let has_changed = leads.send_if_modified(|leads| std::mem::replace(leads, is_leading) != is_leading);
            if has_changed && is_leading {
                tracing::info!("this controller leads");
            } else if has_changed {
                tracing::warn!("this controller leads no more");
            }
        }
        leads.send_replace(false);
        if renewed.is_some() && !matches!(timeout(CALL_MAX, self.release()).await, Ok(Ok(()))) {
            tracing::info!("the Lease of the leader could not be given back; another takes it when its time is over");
        }
    }

    /// Takes or renews the Lease when that is allowed.
    async fn turn(&mut self) -> kube::Result<Turn> {
        let Some(mut lease) = self.api.get_opt(&self.name).await? else {
            let lease = Lease {
                metadata: ObjectMeta {
                    name: Some(self.name.clone()),
                    labels: Some([("app.kubernetes.io/managed-by".to_owned(), HERITAGE.to_owned())].into()),
                    ..ObjectMeta::default()
                },
                spec: Some(self.spec(None, Timestamp::now())),
            };
            return taken(self.api.create(&params(), &lease).await);
        };
        let old = lease.spec.take().unwrap_or_default();
        let is_own = old.holder_identity.as_deref() == Some(&*self.holder);
        let is_free = old.holder_identity.as_deref().is_none_or(str::is_empty);
        if !is_own && !is_free && !self.is_over(&lease, &old) {
            return Ok(Turn::Others);
        }
        lease.spec = Some(self.spec(Some(&old), Timestamp::now()));
        // With the version that was read: of two that try, one fails.
        taken(self.api.replace(&self.name, &params(), &lease).await)
    }

    /// Whether the holder has not renewed for the Lease's time while this process looked on.
    fn is_over(&mut self, lease: &Lease, spec: &LeaseSpec) -> bool {
        let version = lease.metadata.resource_version.clone().unwrap_or_default();
        let time = spec.lease_duration_seconds.and_then(|secs| u64::try_from(secs).ok());
        let time = time.map_or(LEASE_TIME, Duration::from_secs);
        match &self.seen {
            Some((seen, since)) if *seen == version => since.elapsed() >= time,
            Some(_) | None => {
                self.seen = Some((version, Instant::now()));
                false
            }
        }
    }

    fn spec(&self, old: Option<&LeaseSpec>, now: Timestamp) -> LeaseSpec {
        let before = old.filter(|old| old.holder_identity.as_deref() == Some(&*self.holder));
        LeaseSpec {
            holder_identity: Some(self.holder.clone()),
            lease_duration_seconds: i32::try_from(LEASE_TIME.as_secs()).ok(),
            acquire_time: before.map_or(Some(MicroTime(now)), |old| old.acquire_time.clone()),
            renew_time: Some(MicroTime(now)),
            lease_transitions: match (before, old) {
                (Some(old), _) => old.lease_transitions,
                (None, Some(old)) => Some(old.lease_transitions.unwrap_or(0).saturating_add(1)),
                (None, None) => Some(0),
            },
            ..LeaseSpec::default()
        }
    }

    async fn release(&self) -> kube::Result<()> {
        let Some(mut lease) = self.api.get_opt(&self.name).await? else { return Ok(()) };
        let Some(spec) = lease.spec.as_mut().filter(|spec| spec.holder_identity.as_deref() == Some(&*self.holder))
        else {
            return Ok(());
        };
        spec.holder_identity = Some(String::new());
        spec.lease_duration_seconds = Some(1);
        taken(self.api.replace(&self.name, &params(), &lease).await).map(drop)
    }
}

fn params() -> PostParams {
    PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() }
}

fn taken(written: kube::Result<Lease>) -> kube::Result<Turn> {
    match written {
        Ok(_) => Ok(Turn::Held),
        // Another was faster.
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(Turn::Others),
        Err(error) => Err(error),
    }
}
