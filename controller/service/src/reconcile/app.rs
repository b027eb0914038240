//! One pass over one app.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use slipway_core::app::App;
use slipway_core::release::Release;
use slipway_core::release::summary::{FailedWith, summary_failed};
use slipway_core::structure::structure_next;
use slipway_core::{AppId, Error, ReleaseVersion, Result};
use slipway_engine::{AppStatus, EngineError, PodState, RolloutState};

use super::spec::{Deployable, app_spec, deploy_timeout};
use super::wait::{Awaited, Wait};
use super::{Outcome, Reconciler};
use crate::engine_error::engine_error;
use crate::state::AppState;
use crate::stop::running;

/// Pause between two looks at something that is under way and announces nothing.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// How long the release that served before may take to come back after the engine's start before a release that is
/// being deployed goes first.
const COME_BACK_MAX: TimeDelta = TimeDelta::seconds(30);
/// Pause before what the engine refused is tried again.
const REFUSED_INTERVAL: Duration = Duration::from_secs(30);

impl Reconciler {
    /// One pass: looks at what is recorded, asks the engine for it, records what came of it.
    pub(crate) async fn app_reconcile(&self, id: AppId) -> Result<Outcome> {
        let service = &self.service;
        let now = service.now();
        let Some(mut state) = service.app_state(id).await? else { return Ok(Outcome::Done) };
        if state.app.is_deleting {
            return self.app_remove(&state.app).await;
        }
        if service.releases_take_up(&state, now).await? {
            let Some(begun) = service.app_state(id).await? else { return Ok(Outcome::Done) };
            state = begun;
        }
        let outcome = match &state.pending {
            Some(pending) => self.deploy(&state, pending, now).await?,
            None => self.keep(&state, now).await?,
        };
        if outcome == Outcome::Done {
            self.waits.over(id);
        }
        Ok(outcome)
    }

    async fn app_remove(&self, app: &App) -> Result<Outcome> {
        self.waits.over(app.id);
        self.service.engine().app_remove(app.id, &app.name).await.map_err(engine_error)?;
        self.service.app_forget(app).await?;
        Ok(Outcome::Done)
    }

    /// After the engine's start nothing runs: what served before must serve again while a new release comes up beside
    /// it, which may take long or fail. Gives what to do until it does; `None` when the new release may be begun.
    async fn come_back(&self, state: &AppState, pending: &Deployable, now: DateTime<Utc>) -> Result<Option<Outcome>> {
        let service = &self.service;
        let Some(good) = &state.good else { return Ok(None) };
        let status = service.engine().app_status(state.app.id).await.map_err(engine_error)?;
        if status.applied_generation.is_none() {
            let structure = running(&state.app.structure, &state.stopped);
            let running = Some((good, &structure));
            let spec = app_spec(&state.app, running, &state.routing, service.platform_domain());
            let Ok(spec) = spec else { return Ok(None) };
            return match service.engine().app_apply(spec).await {
                // The time in which nothing ran is not the new release's.
                Ok(()) => {
                    service.release_deadline_renew(pending, now).await?;
                    Ok(Some(Outcome::Again(LOOK_INTERVAL)))
                }
                Err(EngineError::Rejected(_) | EngineError::Missing(_)) => Ok(None),
                Err(error @ (EngineError::Unavailable { .. } | EngineError::TimedOut(_))) => Err(engine_error(error)),
            };
        }
        let is_coming = status.serving.is_none()
            && status.rollout.is_some_and(|rollout| {
                rollout.version == good.release.version && matches!(rollout.state, RolloutState::Progressing(_))
            });
        let has_time = now - pending.release.updated < COME_BACK_MAX;
        Ok((is_coming && has_time).then_some(Outcome::Again(LOOK_INTERVAL)))
    }

    /// Brings up a release that is not running yet.
    async fn deploy(&self, state: &AppState, pending: &Deployable, now: DateTime<Utc>) -> Result<Outcome> {
        let service = &self.service;
        if let Some(outcome) = self.come_back(state, pending, now).await? {
            return Ok(outcome);
        }
        let previous = state.good.as_ref();
        let structure = structure_next(
            &state.app.structure,
            previous.map(|good| &good.build),
            &pending.build,
            service.config().is_missing_procfile_type_removed,
        );
        let wanted = running(&structure, &state.stopped);
        let spec = app_spec(&state.app, Some((pending, &wanted)), &state.routing, service.platform_domain());
        let spec = match spec {
            Ok(spec) => spec,
            Err(reason) => return self.fail(state, pending, &reason).await,
        };
        let is_over = pending.release.deadline.is_some_and(|deadline| now > deadline);
        match service.engine().app_apply(spec).await {
            Ok(()) => {}
            Err(EngineError::Unavailable { public, context }) if !is_over => {
                tracing::warn!(app.id = %state.app.id, context, "the engine did not take {}: {public}", state.app.name);
                return Ok(Outcome::Again(LOOK_INTERVAL));
            }
            Err(error) => return self.fail(state, pending, &error.to_string()).await,
        }
        let status = match service.engine().app_status(state.app.id).await {
            Ok(status) => status,
            Err(_) if !is_over => return Ok(Outcome::Again(LOOK_INTERVAL)),
            Err(error) => return self.fail(state, pending, &error.to_string()).await,
        };
        self.applied_note(&state.app, &status).await?;
        let in_service = in_service(&status, pending.release.version);
        let rollout = status.rollout.filter(|rollout| rollout.version == pending.release.version);
        match rollout.map(|rollout| rollout.state) {
            Some(RolloutState::Ready) => {
                service.release_succeed(state, pending, &structure).await?;
                // Whatever came in between is taken up at once.
                Ok(Outcome::Again(Duration::ZERO))
            }
            Some(RolloutState::Failing(reason)) => self.fail(state, pending, &reason).await,
            Some(RolloutState::Progressing(progress)) if is_over => {
                let secs = deploy_timeout(&pending.config, service.config().deploy_timeout).as_secs();
                let output = self.last_output(state.app.id).await;
                self.fail(state, pending, &format!("Timed out after {secs} seconds: {progress}{output}")).await
            }
            None if is_over => self.fail(state, pending, "Timed out: the release was not begun").await,
            Some(RolloutState::Progressing(_)) => {
                let longest = deploy_timeout(&pending.config, service.config().deploy_timeout);
                let wait =
                    Wait { awaited: Awaited::Release(pending.release.id), since: pending.release.updated, longest };
                self.wait_tell(state.app.id, wait, now, in_service);
                Ok(look_again(pending, now))
            }
            None => Ok(look_again(pending, now)),
        }
    }

    /// What the process that is waited for printed last, each line after an end of line. Nothing when that is not
    /// known: a reason without it is better than none.
    async fn last_output(&self, app: AppId) -> String {
        let lines = self.service.engine().rollout_output(app).await.unwrap_or_default();
        lines.iter().fold(String::new(), |text, line| text + "\n" + line)
    }

    /// Records that a release failed; the next pass goes back to what ran before.
    async fn fail(&self, state: &AppState, failed: &Deployable, reason: &str) -> Result<Outcome> {
        let exception = exception_text(&failed.release, state.good.as_ref().map(|good| &good.release), reason);
        let what = failed_with(&failed.release, failed, state.good.as_ref());
        let summary = summary_failed(&failed.release.owner_name, what);
        self.service.release_fail(state, failed, &exception, &summary).await?;
        Ok(Outcome::Again(Duration::ZERO))
    }

    /// Tells other controllers, whose engines were given nothing, what this one's was.
    async fn applied_note(&self, app: &App, status: &AppStatus) -> Result<()> {
        match status.applied_generation {
            Some(applied) if self.leadership.is_shared() => self.service.app_applied_note(app, applied).await,
            Some(_) | None => Ok(()),
        }
    }

    /// Keeps what runs as it is wanted.
    async fn keep(&self, state: &AppState, now: DateTime<Utc>) -> Result<Outcome> {
        let service = &self.service;
        let structure = running(&state.app.structure, &state.stopped);
        let running = state.good.as_ref().map(|good| (good, &structure));
        let spec = app_spec(&state.app, running, &state.routing, service.platform_domain()).map_err(Error::internal)?;
        let generation = spec.generation;
        match service.engine().app_apply(spec).await {
            Ok(()) => {}
            Err(EngineError::Rejected(reason) | EngineError::Missing(reason)) => {
                tracing::warn!(app.id = %state.app.id, "the engine refused what runs of {}: {reason}", state.app.name);
                return Ok(Outcome::Again(REFUSED_INTERVAL));
            }
            Err(error @ (EngineError::Unavailable { .. } | EngineError::TimedOut(_))) => {
                return Err(engine_error(error));
            }
        }
        if state.app.observed_generation >= generation {
            return Ok(Outcome::Done);
        }
        let status = service.engine().app_status(state.app.id).await.map_err(engine_error)?;
        self.applied_note(&state.app, &status).await?;
        if is_settled(&status, generation) {
            service.app_observed(state.app.id, generation).await?;
            return Ok(Outcome::Done);
        }
        if let (Some(good), Some(rollout)) = (&state.good, &status.rollout)
            && matches!(rollout.state, RolloutState::Progressing(_))
        {
            let longest = deploy_timeout(&good.config, service.config().deploy_timeout);
            let wait = Wait { awaited: Awaited::Generation(generation), since: now, longest };
            self.wait_tell(state.app.id, wait, now, in_service(&status, good.release.version));
        }
        Ok(Outcome::Again(LOOK_INTERVAL))
    }
}

/// When to look next at a release that is coming up.
fn look_again(pending: &Deployable, now: DateTime<Utc>) -> Outcome {
    let left = pending.release.deadline.and_then(|deadline| (deadline - now).to_std().ok());
    Outcome::Again(left.map_or(LOOK_INTERVAL, |left| left.min(LOOK_INTERVAL)))
}

/// How many processes of a release do their work.
fn in_service(status: &AppStatus, version: ReleaseVersion) -> usize {
    status.pods.iter().filter(|pod| pod.version == version && pod.state == PodState::Up).count()
}

fn is_settled(status: &AppStatus, generation: i64) -> bool {
    status.is_settled && status.applied_generation.is_some_and(|applied| applied >= generation)
}

/// What the user is told of a failed deploy. Source: `drycc-v2.md` §3.5.
fn exception_text(failed: &Release, previous: Option<&Release>, reason: &str) -> String {
    match previous {
        Some(previous) => format!(
            "(app::deploy): There was a problem deploying {}. Rolling back process types to release {}.\n{reason}",
            failed.version, previous.version
        ),
        None => format!("(app::deploy): {reason}"),
    }
}

/// What a failed release was about.
fn failed_with<'a>(release: &Release, failed: &'a Deployable, good: Option<&Deployable>) -> FailedWith<'a> {
    if release.summary.starts_with(&format!("{} rolled back to v", release.owner_name)) {
        FailedWith::Rollback
    } else if let Some(good) = good.filter(|good| good.build.id == failed.build.id) {
        if good.config.mounts == failed.config.mounts { FailedWith::Config } else { FailedWith::Volume }
    } else {
        FailedWith::Build(&failed.build)
    }
}
