//! Asking services over HTTP how they are. Source: `dployr-v1.md` §5.1.
//!
//! Asked are the services that take the requests of apps that were deployed through the dployr API, while they run and
//! have a route: each once in [`INTERVAL`], spread over it, and so many at once at most that ten thousand of them are no
//! burden. Whoever leads asks. What it found out is in the database as long as it is bad, so that every controller can
//! tell; how often in a row something was bad is in memory, and is counted anew when another leads.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt, stream};
use slipway_core::deployment::DeploymentType;
use slipway_core::structure::routed_type;
use slipway_core::webhook::WebhookEvent;
use slipway_core::{AppId, AppName, ProcessType, Result};
use slipway_engine::{HttpCheck, HttpCheckOutcome};
use slipway_store as store;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::Reconciler;
use super::health::health_told;
use super::spec::domain_host;
use crate::stored::{Fail, Stored, write};
use crate::webhook::event_tell;

/// Time between two questions to one service. Source: `dployr-v1.md` §5.1, as the two that follow.
const INTERVAL: TimeDelta = TimeDelta::seconds(30);
/// Longest time for an answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Bad answers in a row from which a service counts as degraded.
const FAILURES_MAX: u32 = 3;
/// Statuses from which an answer is bad.
const STATUS_BAD: u16 = 500;
/// The path that is asked for where none was said.
const PATH_DEFAULT: &str = "/";
/// Services that are asked at once.
const QUESTIONS_MAX: usize = 128;
/// Pause between two looks at whose turn it is.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Apps that are read at once.
const PAGE: u32 = 1000;

/// A service that is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Target {
    name: AppName,
    process_type: ProcessType,
    path: String,
    /// When it is asked next.
    due: DateTime<Utc>,
    /// Bad answers in a row.
    failures: u32,
    is_unhealthy: bool,
}

/// What an answer changes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Flip {
    /// It is degraded from now on, for this reason.
    Unhealthy(String),
    /// It is well again.
    Recovered,
}

/// The services that are asked.
#[derive(Debug, Default)]
pub(crate) struct Targets {
    services: HashMap<AppId, Target>,
    /// When they were last read.
    read: Option<DateTime<Utc>>,
}

impl Target {
    /// Takes in an answer.
    fn answered(&mut self, outcome: &HttpCheckOutcome) -> Option<Flip> {
        let problem = match outcome {
            // What was bad before was of processes that are not there any more.
            HttpCheckOutcome::Untold => {
                self.failures = 0;
                return None;
            }
            HttpCheckOutcome::Answered(status) if *status < STATUS_BAD => {
                self.failures = 0;
                return self.is_unhealthy.then_some(Flip::Recovered);
            }
            HttpCheckOutcome::Answered(status) => format!("status {status}"),
            HttpCheckOutcome::Silent(reason) => reason.clone(),
        };
        self.failures = self.failures.saturating_add(1);
        let is_new = self.failures >= FAILURES_MAX && !self.is_unhealthy;
        is_new.then(|| Flip::Unhealthy(format!("GET {}: {problem} ({} times in a row)", self.path, self.failures)))
    }

    /// Sets when it is asked again: at its own place in each interval, or when it is late for that, from `now` on.
    fn ask_again(&mut self, now: DateTime<Utc>) {
        let next = self.due + INTERVAL;
        self.due = if next > now { next } else { now + INTERVAL };
    }
}

/// The place of an app in the interval: apps shall not be asked all at once.
fn place(app: AppId) -> TimeDelta {
    let millis = app.uuid().as_u128() % u128::try_from(INTERVAL.num_milliseconds()).unwrap_or(1);
    TimeDelta::milliseconds(i64::try_from(millis).unwrap_or(0))
}

impl Reconciler {
    /// Asks services until `shutdown`.
    pub(super) async fn probe_run(self: Arc<Self>, shutdown: CancellationToken) {
        let mut targets = Targets::default();
        let mut timer = tokio::time::interval(LOOK_INTERVAL);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = timer.tick() => {}
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                told = self.probe_turn(&mut targets) => if let Err(error) = told {
                    tracing::warn!("could not look whether services answer: {error}");
                }
            }
        }
    }

    /// Asks every service whose turn it is.
    pub(crate) async fn probe_turn(&self, targets: &mut Targets) -> Result<()> {
        let now = self.service.now();
        if targets.read.is_none_or(|read| now - read >= INTERVAL) {
            self.targets_read(targets, now).await?;
            targets.read = Some(now);
        }
        let mut due = Vec::new();
        for (app, target) in targets.services.iter_mut().filter(|(_, target)| target.due <= now) {
            target.ask_again(now);
            let host = domain_host(target.name.as_str(), self.service.platform_domain());
            let (name, path) = (target.name.clone(), target.path.clone());
            due.push(HttpCheck { app: *app, name, path, host: Some(host), timeout: TIMEOUT });
        }
        let engine = self.service.engine();
        let ask = async |check: HttpCheck| (check.app, engine.http_check(&check).await);
        let mut answers = stream::iter(due).map(ask).buffer_unordered(QUESTIONS_MAX);
        while let Some((app, outcome)) = answers.next().await {
            let Some(target) = targets.services.get_mut(&app) else { continue };
            let Some(flip) = target.answered(&outcome) else { continue };
            // One that cannot be recorded is found out again with the next answer.
            match self.flip_record(app, &target.process_type, &flip).await {
                Ok(()) => target.is_unhealthy = flip != Flip::Recovered,
                Err(error) => tracing::warn!(app.id = %app, "could not record how a service is: {error}"),
            }
        }
        Ok(())
    }

    /// Reads which services are to be asked, and forgets what was found out about others.
    async fn targets_read(&self, targets: &mut Targets, now: DateTime<Utc>) -> Result<()> {
        let service = self.service();
        let mut db = service.read().await?;
        let unhealthy = store::unhealthy_all(&mut db).await.stored()?;
        let mut found = HashMap::new();
        let mut after = None;
        loop {
            let page = store::deployed_apps(&mut db, after, PAGE).await.stored()?;
            let ids: Vec<AppId> = page.iter().map(|one| one.app).collect();
            let stops = store::stops_by_apps(&mut db, &ids).await.stored()?;
            for store::DeployedApp { app, name, structure, request } in page {
                let runs = |(process_type, replicas): &(&ProcessType, &u32)| {
                    **replicas > 0 && !stops.contains(&(app, (*process_type).clone()))
                };
                let routed = routed_type(structure.iter().filter(runs).map(|(process_type, _)| process_type));
                let is_for_requests = matches!(request.kind, DeploymentType::Web | DeploymentType::Static);
                let Some(process_type) = routed.filter(|_| is_for_requests) else { continue };
                let path = Some(request.health_check).filter(|path| !path.is_empty());
                let path = path.unwrap_or_else(|| PATH_DEFAULT.to_owned());
                let is_unhealthy = unhealthy.contains(&(app, process_type.clone()));
                let (due, failures) = match targets.services.remove(&app) {
                    Some(known) if known.path == path => (known.due, known.failures),
                    Some(known) => (known.due, 0),
                    None => (now + place(app), 0),
                };
                found.insert(app, Target { name, process_type, path, due, failures, is_unhealthy });
            }
            after = ids.last().copied();
            if ids.len() < PAGE as usize {
                break;
            }
        }
        drop(db);
        targets.services = found;
        for (app, process_type) in unhealthy {
            if targets.services.get(&app).is_none_or(|target| target.process_type != process_type) {
                write!(service, |db| { Ok::<_, Fail>(store::unhealthy_delete(db, app, &process_type).await?) })?;
            }
        }
        Ok(())
    }

    /// Records that a service answers no more, or again, and tells of it.
    async fn flip_record(&self, id: AppId, process_type: &ProcessType, flip: &Flip) -> Result<()> {
        let service = self.service();
        let cx = service.system_cx();
        let is_told = write!(service, |db| {
            let Some(app) = store::app_by_id(db, id).await?.filter(|app| !app.is_deleting) else { return Ok(false) };
            let (is_new, event, reason) = match flip {
                Flip::Unhealthy(reason) => {
                    let is_new = store::unhealthy_insert(db, id, process_type, reason, cx.now).await?;
                    (is_new, WebhookEvent::ServiceUnhealthy, Some(reason))
                }
                Flip::Recovered => {
                    (store::unhealthy_delete(db, id, process_type).await?, WebhookEvent::ServiceRecovered, None)
                }
            };
            if is_new {
                let mut data = health_told(&app, process_type, "running", event);
                if let Some(reason) = reason {
                    data["reason"] = reason.as_str().into();
                }
                event_tell(db, &cx, id, event, data).await?;
            }
            Ok::<_, Fail>(is_new)
        })?;
        if is_told {
            let line = match flip {
                Flip::Unhealthy(reason) => format!("WARN {process_type} does not answer as it should: {reason}"),
                Flip::Recovered => format!("INFO {process_type} answers again"),
            };
            service.app_log(id, line);
            service.signals().told();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> Target {
        let name = AppName::new("blog").unwrap();
        let path = "/health".to_owned();
        let process_type = ProcessType::web();
        Target { name, process_type, path, due: DateTime::UNIX_EPOCH, failures: 0, is_unhealthy: false }
    }

    #[test]
    fn three_bad_answers_in_a_row_degrade_and_one_good_one_recovers() {
        use HttpCheckOutcome::{Answered, Silent, Untold};
        let mut target = target();
        let silent = || Silent("no answer within 5 s".to_owned());
        for outcome in [Answered(200), Answered(500), silent(), Answered(499), Answered(503), silent(), Untold] {
            assert_eq!(target.answered(&outcome), None, "{outcome:?}");
        }
        assert_eq!((target.answered(&silent()), target.answered(&Answered(502))), (None, None));
        let reason = "GET /health: status 503 (3 times in a row)".to_owned();
        assert_eq!(target.answered(&Answered(503)), Some(Flip::Unhealthy(reason)));
        assert!(matches!(target.answered(&Answered(503)), Some(Flip::Unhealthy(_))), "it was not recorded");
        target.is_unhealthy = true;
        assert_eq!((target.answered(&silent()), target.answered(&Untold)), (None, None));
        assert_eq!(target.answered(&Answered(404)), Some(Flip::Recovered));
        target.is_unhealthy = false;
        assert_eq!(target.answered(&Answered(200)), None);
    }

    #[test]
    fn each_has_its_place_in_the_interval_and_keeps_it() {
        let mut target = target();
        let start = target.due;
        target.ask_again(start + TimeDelta::seconds(2));
        assert_eq!(target.due, start + INTERVAL);
        let late = start + TimeDelta::seconds(100);
        target.ask_again(late);
        assert_eq!(target.due, late + INTERVAL, "what was missed is not made up for");
        let places: Vec<TimeDelta> = (0..1000).map(|_| place(AppId::generate())).collect();
        assert!(places.iter().all(|place| *place >= TimeDelta::zero() && *place < INTERVAL));
        for third in 0..3 {
            let (from, to) = (TimeDelta::seconds(third * 10), TimeDelta::seconds(third * 10 + 10));
            let number = places.iter().filter(|place| **place >= from && **place < to).count();
            assert!(number > 200, "{number} of 1000 in a third of the interval");
        }
    }
}
