//! What the controller does by itself for deployments, and what the end of a release means to them.

use std::sync::Arc;
use std::time::Duration;

use slipway_core::app::App;
use slipway_core::authz::Actor;
use slipway_core::deployment::{Deployment, DeploymentType, DeploymentWork};
use slipway_core::release::{Release, ReleaseState};
use slipway_core::webhook::WebhookEvent;
use slipway_core::{Error, Result};
use slipway_store as store;
use slipway_store::Db;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::OrderDone;
use super::deployment_data::deployment_data;
use crate::reconcile::Reconciler;
use crate::stored::{Fail, Stored, write};
use crate::webhook::event_tell;
use crate::{Cx, NewBuild, Service};

/// Most deployments that are looked at in one turn.
const TURN_MAX: u32 = 100;
/// Pause between two looks while something is under way.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Pause while nothing is.
const IDLE_INTERVAL: Duration = Duration::from_secs(30);
/// Why a deployment failed that another release took the place of.
const REPLACED: &str = "A later release took its place before it was ready.";

impl Reconciler {
    /// Does what is to be done for deployments until `shutdown`.
    pub(crate) async fn deployments_run(self: Arc<Self>, shutdown: CancellationToken) {
        // Ended with this future; what ran with an earlier one is gone.
        let mut jobs = JoinSet::new();
        while let Err(error) = self.service().jobs_lost().await {
            tracing::warn!("could not look for jobs that ran before: {error}");
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(LOOK_INTERVAL) => {}
            }
        }
        loop {
            while jobs.try_join_next().is_some() {}
            let pause = match self.service().deployments_turn(&mut jobs).await {
                Ok(true) => LOOK_INTERVAL,
                Ok(false) => IDLE_INTERVAL,
                Err(error) => {
                    tracing::warn!("could not look after deployments: {error}");
                    LOOK_INTERVAL
                }
            };
            // What other controllers record is told to nobody here.
            let pause = if self.is_shared() { pause.min(LOOK_INTERVAL) } else { pause };
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.service().signals().deployed() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }
}

impl Service {
    /// Looks once after deployments; whether any is under way.
    pub(crate) async fn deployments_turn(&self, jobs: &mut JoinSet<()>) -> Result<bool> {
        let images = self.deployments_of(DeploymentWork::Image).await?;
        for deployment in &images {
            self.image_deploy(deployment).await?;
        }
        let rolling = self.deployments_of(DeploymentWork::Rollout).await?;
        for deployment in &rolling {
            self.rollout_look(deployment).await?;
        }
        self.jobs_begin(jobs).await?;
        Ok(!images.is_empty() || !rolling.is_empty())
    }

    pub(super) async fn deployments_of(&self, work: DeploymentWork) -> Result<Vec<Deployment>> {
        store::deployments_by_work(&mut self.read().await?, work, TURN_MAX).await.stored()
    }

    /// Makes a release of the image that was asked for.
    async fn image_deploy(&self, deployment: &Deployment) -> Result<()> {
        let Some((cx, app)) = self.deployment_cx(deployment).await? else { return Ok(()) };
        self.deployment_started(&cx, &app, deployment).await?;
        let request = &deployment.request;
        let command = Some(request.run_cmd.clone()).filter(|command| !command.is_empty());
        let process_type = request.kind.process_type();
        let procfile = command.map(|command| (process_type.to_string(), Some(command)));
        let new =
            NewBuild { image: request.image.clone(), procfile: procfile.into_iter().collect(), ..NewBuild::default() };
        let done = OrderDone::of_image(deployment);
        match self.build_release(&cx, &app, new, Some(&done)).await {
            // A conflict: asked for again meanwhile. The next turn has the new request.
            Ok(_) | Err(Error::Conflict(_)) => Ok(()),
            Err(error @ (Error::Unavailable { .. } | Error::Internal { .. })) => Err(error),
            Err(error) => self.deployment_fail(&cx, &app, deployment, &error.to_string()).await,
        }
    }

    /// Notes the end of a release that nobody noted with the release itself.
    async fn rollout_look(&self, deployment: &Deployment) -> Result<()> {
        let mut db = self.read().await?;
        let Some(app) = store::app_by_id(&mut db, deployment.app).await.stored()? else { return Ok(()) };
        let release = match deployment.release {
            Some(id) => store::release_by_id(&mut db, id).await.stored()?,
            None => None,
        };
        let Some(release) = release else {
            drop(db);
            return self.deployment_fail(&self.system_cx(), &app, deployment, REPLACED).await;
        };
        let error = match release.state {
            ReleaseState::Created | ReleaseState::Deploying => return Ok(()),
            ReleaseState::Succeeded => String::new(),
            ReleaseState::Failed => release.exception.clone(),
            ReleaseState::Canceled => "The deploy was canceled.".to_owned(),
            ReleaseState::Superseded => {
                // A change of the configuration, say: the same program goes on under another number.
                let later = match release.build {
                    Some(build) => store::release_latest_of_build(&mut db, app.id, build).await.stored()?,
                    None => None,
                };
                if let Some(later) = later.filter(|later| later.version > release.version) {
                    drop(db);
                    let now = self.now();
                    write!(self, |db| {
                        store::deployment_follow(db, app.id, later.id, now).await?;
                        Ok::<_, Fail>(())
                    })?;
                    self.signals().told();
                    return Ok(());
                }
                REPLACED.to_owned()
            }
        };
        drop(db);
        let cx = self.system_cx();
        write!(self, |db| {
            deployment_ended(db, &cx, &app, &release, &error).await?;
            Ok::<_, Fail>(())
        })?;
        self.signals().told();
        Ok(())
    }

    /// Records that a deployment failed, if it is still what it was.
    pub(crate) async fn deployment_fail(
        &self,
        cx: &Cx,
        app: &App,
        deployment: &Deployment,
        reason: &str,
    ) -> Result<()> {
        let is_done = write!(self, |db| {
            let current = store::deployment_by_app(db, app.id).await?;
            let is_it =
                |current: &Deployment| current.attempt == deployment.attempt && current.work != DeploymentWork::None;
            if !current.as_ref().is_some_and(is_it) {
                return Ok(false);
            }
            finish(db, cx, app, reason, None).await?;
            Ok::<_, Fail>(true)
        })?;
        if is_done {
            for line in reason.lines() {
                self.app_log(app.id, format!("ERROR {line}"));
            }
            self.signals().told();
        }
        Ok(())
    }

    /// Tells that somebody began to work on a deployment, the first time.
    pub(crate) async fn deployment_started(&self, cx: &Cx, app: &App, deployment: &Deployment) -> Result<()> {
        if deployment.status != slipway_core::deployment::DeploymentStatus::Pending {
            return Ok(());
        }
        write!(self, |db| {
            let Some(current) = store::deployment_by_app(db, app.id).await? else { return Ok(()) };
            if current.attempt == deployment.attempt
                && current.status == slipway_core::deployment::DeploymentStatus::Pending
            {
                store::deployment_begin(db, app.id, cx.now).await?;
                let current = store::deployment_by_app(db, app.id).await?;
                let data = deployment_data(app, current.as_ref(), None);
                event_tell(db, cx, app.id, WebhookEvent::DeploymentStarted, data).await?;
            }
            Ok::<_, Fail>(())
        })?;
        self.signals().told();
        Ok(())
    }

    /// The user in whose name a deployment is made, and its app. A deployment whose user may no longer do it fails.
    pub(crate) async fn deployment_cx(&self, deployment: &Deployment) -> Result<Option<(Cx, App)>> {
        let Some(app) = self.app_by_id(deployment.app).await?.filter(|app| !app.is_deleting) else { return Ok(None) };
        let cx = Cx { actor: Actor::Builder, ..self.system_cx() };
        match self.hook_user(&cx, deployment.owner.as_str(), app.name.as_str()).await {
            Ok(found) => Ok(Some(found)),
            Err(Error::Forbidden(_) | Error::NotFound { .. }) => {
                let text = format!("{} may no longer deploy {}.", deployment.owner, app.name);
                self.deployment_fail(&self.system_cx(), &app, deployment, &text).await?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// Takes note of the end of a release: of the deployment that it is of, or of an app that is deployed by other means.
/// Called in the transaction that records the end. `error` is empty when the release runs.
pub(crate) async fn deployment_ended(
    db: &mut Db,
    cx: &Cx,
    app: &App,
    release: &Release,
    error: &str,
) -> Result<(), Fail> {
    match store::deployment_by_app(db, app.id).await? {
        Some(found) if found.work == DeploymentWork::Rollout && found.release == Some(release.id) => {
            if found.request.kind == DeploymentType::Job && error.is_empty() {
                // Its command is run now, and ends it.
                let work = (DeploymentWork::Rollout, DeploymentWork::Job);
                store::deployment_work_set(db, app.id, found.attempt, work, cx.now).await?;
                return Ok(());
            }
            finish(db, cx, app, error, Some(release)).await
        }
        Some(found) if found.work != DeploymentWork::None => Ok(()),
        _ if release.build.is_none() => Ok(()),
        _ => {
            let state = if error.is_empty() { ReleaseState::Succeeded } else { ReleaseState::Failed };
            let mut data = deployment_data(app, None, Some(&Release { state, ..release.clone() }));
            if let Some(text) = Some(error).filter(|error| !error.is_empty()) {
                data["error"] = text.into();
            }
            event_tell(db, cx, app.id, ended(error), data).await
        }
    }
}

pub(super) async fn finish(
    db: &mut Db,
    cx: &Cx,
    app: &App,
    error: &str,
    release: Option<&Release>,
) -> Result<(), Fail> {
    store::deployment_finish(db, app.id, error, cx.now).await?;
    let found = store::deployment_by_app(db, app.id).await?;
    event_tell(db, cx, app.id, ended(error), deployment_data(app, found.as_ref(), release)).await
}

fn ended(error: &str) -> WebhookEvent {
    if error.is_empty() { WebhookEvent::DeploymentFinished } else { WebhookEvent::DeploymentFailed }
}
