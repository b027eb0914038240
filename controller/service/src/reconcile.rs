//! Makes the engine follow what is recorded.
//!
//! Woken by signals of the use cases, by changes that the engine announces, and by a timer. A pass over an app takes
//! no input but the app's id, does nothing when nothing is to be done, and may be cut off anywhere: the next pass,
//! in this process or in another, goes on from what is recorded.

mod app;
pub(crate) mod autoscale;
mod collect;
pub(crate) mod deployment;
mod expiry;
mod health;
mod outbox;
pub(crate) mod probe;
pub(crate) mod spec;
mod wait;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use slipway_core::{AppId, Error, Result};
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use self::wait::Waits;
use crate::deploy_hook::HookSender;
use crate::{Leadership, Service};

/// Pause after the first failed pass over an app; doubled by each further one.
const RETRY_MIN: Duration = Duration::from_millis(500);
/// Longest pause after failed passes.
const RETRY_MAX: Duration = Duration::from_secs(30);

/// Apps that are taken up at a time though nothing was heard of them. Whatever changes is heard of, so this is for what was
/// missed; without a limit, a platform with many apps would do little else, and in larger parts requests would wait for it.
const SWEEP_PART: usize = 5;
/// Parts in a [`ServiceConfig::reconcile_interval`](crate::ServiceConfig::reconcile_interval).
const SWEEP_PARTS: u32 = 100;
/// Shortest pause between two parts.
const SWEEP_PAUSE_MIN: Duration = Duration::from_millis(10);

/// Pause between two looks for what other controllers want to be told to others.
const OTHERS_INTERVAL: Duration = Duration::from_millis(500);
/// Shortest pause between two looks for what other controllers recorded: a user waits for it.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// How much longer than a look the pause after it is at least: with thousands of apps under way looks take long.
const LOOK_SHARE: u32 = 20;

/// The loop that makes the engine follow the database.
#[derive(Clone)]
pub struct Reconciler {
    service: Service,
    hooks: Option<Arc<dyn HookSender>>,
    leadership: Leadership,
    waits: Arc<Waits>,
}

/// What a pass over an app leaves to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing, until something changes.
    Done,
    /// Another look after this time at the latest.
    Again(Duration),
}

/// What is running, queued and due.
#[derive(Default)]
struct Agenda {
    queue: VecDeque<AppId>,
    queued: HashSet<AppId>,
    running: HashSet<AppId>,
    /// Became dirty while a pass over them was running.
    again: HashSet<AppId>,
    due: HashMap<AppId, Instant>,
    /// Generations that others wanted, as far as they were seen.
    wanted: HashMap<AppId, i64>,
    failures: HashMap<AppId, u32>,
    /// What is left of the present round over all apps.
    sweep: VecDeque<AppId>,
}

impl Agenda {
    fn add(&mut self, app: AppId) {
        self.due.remove(&app);
        if self.running.contains(&app) {
            self.again.insert(app);
        } else if self.queued.insert(app) {
            self.queue.push_back(app);
        }
    }

    /// Takes in what another controller may have recorded. An app that is due at some time keeps that time unless more
    /// is wanted of it than before: its pause is on purpose.
    fn add_wanted(&mut self, wanted: Vec<(AppId, i64)>) {
        for (app, generation) in &wanted {
            let is_new = self.wanted.get(app) != Some(generation);
            if is_new || (!self.due.contains_key(app) && !self.running.contains(app)) {
                self.add(*app);
            }
        }
        self.wanted = wanted.into_iter().collect();
    }

    /// Goes on with the round over all apps; whether that ended it.
    fn sweep(&mut self) -> bool {
        let part = self.sweep.len().min(SWEEP_PART);
        for app in self.sweep.drain(..part).collect::<Vec<_>>() {
            self.add(app);
        }
        self.sweep.is_empty()
    }

    fn due_take(&mut self, now: Instant) {
        let due: Vec<AppId> = self.due.iter().filter(|(_, at)| **at <= now).map(|(app, _)| *app).collect();
        for app in due {
            self.add(app);
        }
    }

    fn next(&mut self) -> Option<AppId> {
        let app = self.queue.pop_front()?;
        self.queued.remove(&app);
        self.running.insert(app);
        Some(app)
    }

    fn finished(&mut self, app: AppId, result: Result<Outcome>, now: Instant) {
        self.running.remove(&app);
        match result {
            Ok(outcome) => {
                self.failures.remove(&app);
                if let Outcome::Again(after) = outcome {
                    self.due.insert(app, now + after);
                }
            }
            Err(error) => {
                let failures = self.failures.entry(app).or_insert(0);
                let pause = RETRY_MIN.saturating_mul(1 << (*failures).min(10)).min(RETRY_MAX);
                *failures = failures.saturating_add(1);
                self.due.insert(app, now + pause);
                error_log(app, &error);
            }
        }
        if self.again.remove(&app) {
            self.add(app);
        }
    }
}

fn error_log(app: AppId, error: &Error) {
    let context = match error {
        Error::Unavailable { context, .. } | Error::Internal { context } => context.as_str(),
        _ => "",
    };
    tracing::warn!(app.id = %app, context, "could not reconcile app {app}: {error}");
}

impl Reconciler {
    /// The reconciler of a service's apps. Run one per database.
    #[must_use]
    pub fn new(service: Service) -> Self {
        Self { service, hooks: None, leadership: Leadership::always(), waits: Arc::default() }
    }

    /// With somebody who makes the calls of hooks; without, they wait in the database.
    #[must_use]
    pub fn with_hooks(self, hooks: Arc<dyn HookSender>) -> Self {
        Self { hooks: Some(hooks), ..self }
    }

    /// With others who may lead instead; without, this one always does.
    #[must_use]
    pub fn led_by(self, leadership: Leadership) -> Self {
        Self { leadership, ..self }
    }

    pub(crate) fn service(&self) -> &Service {
        &self.service
    }

    pub(crate) fn is_shared(&self) -> bool {
        self.leadership.is_shared()
    }

    /// Runs until `shutdown`, whenever this process leads. Passes that are under way when it ends, or when another takes
    /// over, are dropped; the next start, or the other, goes on.
    pub async fn run(self, shutdown: CancellationToken) {
        let this = Arc::new(self);
        while !shutdown.is_cancelled() {
            this.service.signals().led_elsewhere(!this.leadership.is_leading());
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = this.leadership.wait(true) => {}
            }
            this.service.signals().led_elsewhere(false);
            let term = shutdown.child_token();
            let ends = async {
                this.leadership.wait(false).await;
                term.cancel();
                std::future::pending::<()>().await;
            };
            tokio::select! {
                () = Arc::clone(&this).lead(term.clone()) => {}
                () = ends => {}
            }
            if !shutdown.is_cancelled() {
                // The engine must not go on with wishes that are another's now.
                this.service.engine().wishes_forget().await;
            }
        }
    }

    /// Runs until `shutdown`, or until another leads.
    async fn lead(self: Arc<Self>, shutdown: CancellationToken) {
        let this = self;
        let mut agenda = Agenda::default();
        let mut passes: JoinSet<(AppId, Result<Outcome>)> = JoinSet::new();
        let mut upkeep: JoinSet<()> = JoinSet::new();
        let _beside = this.beside(&shutdown);
        tokio::select! {
            () = shutdown.cancelled() => return,
            // Every app would be read in vain, again and again.
            () = this.service.engine().ready() => {}
        }
        let mut changes = this.service.engine().changes();
        let mut timer = tokio::time::interval(this.service.config().reconcile_interval);
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let pause = this.service.config().reconcile_interval / SWEEP_PARTS;
        let mut sweep = tokio::time::interval(pause.max(SWEEP_PAUSE_MIN));
        sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let signals = this.service.signals();
        let (mut is_engine_gone, mut is_begun) = (false, false);
        // What another controller recorded is not signalled here.
        let mut look_at = Instant::now();
        loop {
            agenda.due_take(Instant::now());
            while passes.len() < this.service.config().reconcile_concurrency.max(1) {
                let Some(app) = agenda.next() else { break };
                let this = Arc::clone(&this);
                passes.spawn(async move { (app, this.app_reconcile(app).await) });
            }
            let next_due = agenda.due.values().min().copied();
            let due = async {
                match next_due {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = signals.wake() => {
                    for app in signals.dirty_take() {
                        agenda.add(app);
                    }
                }
                change = changes.recv(), if !is_engine_gone => match change {
                    Ok(app) => agenda.add(app),
                    Err(RecvError::Lagged(_)) => is_begun = this.all_add(&mut agenda).await,
                    Err(RecvError::Closed) => is_engine_gone = true,
                },
                _ = timer.tick() => {
                    if this.some_add(&mut agenda, &mut is_begun).await {
                        this.upkeep_start(&mut upkeep);
                    }
                }
                _ = sweep.tick(), if !agenda.sweep.is_empty() => {
                    if agenda.sweep() {
                        this.upkeep_start(&mut upkeep);
                    }
                }
                () = sleep_until(look_at), if this.leadership.is_shared() => {
                    let begun = Instant::now();
                    this.unsettled_add(&mut agenda).await;
                    look_at = Instant::now() + LOOK_INTERVAL.max(begun.elapsed() * LOOK_SHARE);
                }
                Some(_) = upkeep.join_next() => {}
                Some(finished) = passes.join_next() => match finished {
                    Ok((app, result)) => agenda.finished(app, result, Instant::now()),
                    // A panic: which app it was is lost, so every one that runs is taken up again.
                    Err(error) => {
                        tracing::error!("a pass over an app ended early: {error}");
                        passes.abort_all();
                        while passes.join_next().await.is_some() {}
                        for app in std::mem::take(&mut agenda.running) {
                            agenda.finished(app, Err(Error::internal("the pass ended early")), Instant::now());
                        }
                    }
                },
                () = due => {}
            }
        }
    }

    /// What goes on beside the passes over apps; ends when dropped.
    fn beside(self: &Arc<Self>, shutdown: &CancellationToken) -> JoinSet<()> {
        let mut beside = JoinSet::new();
        let (this, token) = (Arc::clone(self), shutdown.clone());
        beside.spawn(kept("scaling by use", move || Arc::clone(&this).autoscale_run(token.clone())));
        let (this, token) = (Arc::clone(self), shutdown.clone());
        beside.spawn(kept("telling hooks", move || Arc::clone(&this).hooks_run(token.clone())));
        let (this, token) = (Arc::clone(self), shutdown.clone());
        beside.spawn(kept("looking after deployments", move || Arc::clone(&this).deployments_run(token.clone())));
        let (this, token) = (Arc::clone(self), shutdown.clone());
        beside.spawn(kept("telling how apps are", move || Arc::clone(&this).health_run(token.clone())));
        let (this, token) = (Arc::clone(self), shutdown.clone());
        beside.spawn(kept("asking services", move || Arc::clone(&this).probe_run(token.clone())));
        let (this, token) = (Arc::clone(self), shutdown.clone());
        beside.spawn(kept("carrying out deployments of teams", move || {
            Arc::clone(&this).team_deployments_run(token.clone())
        }));
        let (this, token) = (Arc::clone(self), shutdown.clone());
        beside.spawn(kept("looking for certificates that expire", move || Arc::clone(&this).expiry_run(token.clone())));
        beside
    }

    /// Adds apps of which more is wanted than was brought about, unless their turn is known already.
    async fn unsettled_add(&self, agenda: &mut Agenda) {
        match self.service.app_ids_unsettled().await {
            Ok(wanted) => agenda.add_wanted(wanted),
            Err(error) => tracing::warn!("could not list apps to reconcile: {error}"),
        }
    }

    /// Begins what is due after each round over all apps, unless it still goes on.
    fn upkeep_start(self: &Arc<Self>, upkeep: &mut JoinSet<()>) {
        if upkeep.is_empty() {
            let this = Arc::clone(self);
            upkeep.spawn(async move { this.collect().await });
        }
    }

    /// Adds what the timer is for: at first all apps, then what is unsettled and a part of the others, which go on in
    /// parts until the next tick. Whether a round over all apps ended.
    async fn some_add(&self, agenda: &mut Agenda, is_begun: &mut bool) -> bool {
        if !*is_begun {
            *is_begun = self.all_add(agenda).await;
            return *is_begun;
        }
        match self.service.app_ids_unsettled().await {
            Ok(unsettled) => unsettled.into_iter().for_each(|(app, _)| agenda.add(app)),
            Err(error) => tracing::warn!("could not list apps to reconcile: {error}"),
        }
        if agenda.sweep.is_empty() {
            match self.service.app_ids().await {
                Ok(apps) => agenda.sweep = apps.into(),
                Err(error) => {
                    tracing::warn!("could not list apps to reconcile: {error}");
                    return false;
                }
            }
        }
        agenda.sweep()
    }

    /// Adds all apps; whether they are known.
    async fn all_add(&self, agenda: &mut Agenda) -> bool {
        match self.service.app_ids().await {
            Ok(apps) => {
                for app in apps {
                    agenda.add(app);
                }
                true
            }
            Err(error) => {
                tracing::warn!("could not list apps to reconcile: {error}");
                false
            }
        }
    }
}

/// Runs a loop to its end, and anew should it panic.
async fn kept<F: Future<Output = ()> + Send + 'static>(what: &'static str, make: impl Fn() -> F) {
    while let Err(error) = AbortOnDropHandle::new(tokio::spawn(make())).await {
        tracing::error!("{what} ended early: {error}");
        tokio::time::sleep(RETRY_MAX).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_is_never_run_twice_at_once_and_never_forgotten() {
        let mut agenda = Agenda::default();
        let (app, now) = (AppId::generate(), Instant::now());
        agenda.add(app);
        agenda.add(app);
        assert_eq!(agenda.next(), Some(app));
        assert_eq!(agenda.next(), None);
        agenda.add(app);
        assert_eq!(agenda.next(), None);
        agenda.finished(app, Ok(Outcome::Done), now);
        assert_eq!(agenda.next(), Some(app));
        agenda.finished(app, Ok(Outcome::Done), now);
        assert_eq!(agenda.next(), None);
        assert!(agenda.due.is_empty());
    }

    #[test]
    fn the_timer_takes_up_every_app_in_rounds() {
        let apps: Vec<AppId> = (0..SWEEP_PART + 2).map(|_| AppId::generate()).collect();
        let mut agenda = Agenda { sweep: apps.clone().into(), ..Agenda::default() };
        assert!(!agenda.sweep());
        assert_eq!(agenda.queue.len(), SWEEP_PART);
        assert!(agenda.sweep());
        assert_eq!(agenda.queue, apps);
        assert!(agenda.sweep(), "a platform without apps has its rounds too");
    }

    #[test]
    fn what_others_want_wakes_once_a_generation() {
        let mut agenda = Agenda::default();
        let (app, now) = (AppId::generate(), Instant::now());
        let mut turn = |generation: i64, is_due: bool| {
            agenda.add_wanted(vec![(app, generation)]);
            let next = agenda.next();
            if next.is_some() {
                let outcome = if is_due { Outcome::Again(RETRY_MAX) } else { Outcome::Done };
                agenda.finished(app, Ok(outcome), now);
            }
            next.is_some()
        };
        assert!(turn(1, true));
        assert!(!turn(1, true), "it is due later");
        assert!(turn(2, false));
        assert!(turn(2, false), "nothing is due, and it is not settled");
    }

    #[test]
    fn failures_are_retried_with_growing_pauses() {
        let mut agenda = Agenda::default();
        let (app, now) = (AppId::generate(), Instant::now());
        let mut pauses = Vec::new();
        for _ in 0..8 {
            agenda.add(app);
            assert_eq!(agenda.next(), Some(app));
            agenda.finished(app, Err(Error::internal("x")), now);
            pauses.push(agenda.due[&app] - now);
        }
        assert_eq!(pauses[..3], [RETRY_MIN, RETRY_MIN * 2, RETRY_MIN * 4]);
        assert_eq!(pauses.last(), Some(&RETRY_MAX));
        agenda.due_take(now + RETRY_MAX);
        assert_eq!(agenda.next(), Some(app));
        agenda.finished(app, Ok(Outcome::Again(RETRY_MIN)), now);
        assert_eq!(agenda.due[&app], now + RETRY_MIN);
    }
}
