//! Waiting for a rollout, which the reconciler brings about. Source: `drycc-v2.md` §3.5.

use std::time::Duration;

use slipway_core::app::App;
use slipway_core::error::Kind;
use slipway_core::release::{Release, ReleaseState};
use slipway_core::{Error, Result};
use slipway_engine::{AppStatus, RolloutState};
use slipway_store as store;
use tokio::time::Instant;

use crate::Service;
use crate::reconcile::spec::deploy_timeout;
use crate::stored::Stored;

/// Time on top of a deploy's own, for the reconciler to record its end.
const SLACK: Duration = Duration::from_secs(20);

/// Longest that a change of routes is waited for.
const ROUTES_TIMEOUT: Duration = Duration::from_secs(30);

/// What a person waits for.
pub(crate) enum Settled {
    /// It is as wanted.
    Done,
    /// It will not become so.
    Failed(String),
    /// It took too long.
    TimedOut,
}

impl Service {
    /// Time that a deploy of the app's current configuration may take.
    pub(crate) async fn deploy_timeout_of(&self, app: &App) -> Result<Duration> {
        let mut db = self.read().await?;
        let Some(release) = store::release_latest_good(&mut db, app.id).await.stored()? else {
            return Ok(self.config().deploy_timeout);
        };
        let config = store::config_by_id(&mut db, release.config).await.stored()?;
        let default = self.config().deploy_timeout;
        Ok(config.map_or(default, |config| deploy_timeout(&config, default)))
    }

    /// Waits until a release is final, and tells how it ended.
    ///
    /// # Errors
    /// `DeployFailed` when it failed or was replaced; `Unavailable` when its end was not recorded in time.
    pub(crate) async fn release_wait(&self, app: &App, release: Release) -> Result<Release> {
        if release.state == ReleaseState::Succeeded {
            return Ok(release);
        }
        let until = Instant::now() + self.deploy_timeout_of(app).await? + SLACK;
        let (id, version) = (release.id, release.version);
        let mut watch = self.signals().watch(app.id, until);
        let release = loop {
            let release = store::release_by_id(&mut self.read().await?, id).await.stored()?;
            let release = release.ok_or_else(|| Error::not_found(Kind::App))?;
            if release.state.is_final() {
                break release;
            }
            if self.app_by_id(app.id).await?.is_none_or(|app| app.is_deleting) {
                return Err(Error::not_found(Kind::App));
            }
            if !watch.next().await {
                return Err(Error::Unavailable {
                    public: format!("The deploy of {version} goes on; its end was not seen in time"),
                    context: "no reconciler recorded the end of a deploy".to_owned(),
                });
            }
        };
        match release.state {
            ReleaseState::Failed => Err(Error::DeployFailed(release.exception)),
            ReleaseState::Superseded => {
                Err(Error::DeployFailed(format!("{version} was replaced by a later release before it was ready")))
            }
            ReleaseState::Canceled => Err(Error::DeployFailed(format!("The deploy of {version} was canceled"))),
            ReleaseState::Created | ReleaseState::Deploying | ReleaseState::Succeeded => Ok(release),
        }
    }

    /// Tells the reconciler that an app's routes are to change, and waits until they have: until the engine was given
    /// what is wanted at `generation`. Nothing is waited for when the app is going.
    ///
    /// # Errors
    /// `Unavailable` when the engine was not reached in time; the change is recorded and comes later.
    pub(crate) async fn routes_wait(&self, app: &App, generation: Option<i64>) -> Result<()> {
        self.signals().desired(app.id);
        let Some(generation) = generation else { return Ok(()) };
        let mut watch = self.signals().watch(app.id, Instant::now() + ROUTES_TIMEOUT);
        loop {
            let status = self.engine().app_status(app.id).await.unwrap_or_default();
            if status.applied_generation.is_some_and(|applied| applied >= generation) {
                return Ok(());
            }
            let Some(current) = self.app_by_id(app.id).await?.filter(|app| !app.is_deleting) else { return Ok(()) };
            // Another controller may be the one that leads.
            if self.app_applied(&current).await? >= generation {
                return Ok(());
            }
            if !watch.next().await {
                return Err(Error::Unavailable {
                    public: "The change is recorded, but is not in effect yet".to_owned(),
                    context: "the engine was not given an app's new routes in time".to_owned(),
                });
            }
        }
    }

    /// Waits until the engine runs what is wanted at `generation`.
    pub(crate) async fn settled_wait(&self, app: &App, generation: i64) -> Result<Settled> {
        let until = Instant::now() + self.deploy_timeout_of(app).await?;
        let mut watch = self.signals().watch(app.id, until);
        loop {
            let current = self.app_by_id(app.id).await?.filter(|app| !app.is_deleting);
            let current = current.ok_or_else(|| Error::not_found(Kind::App))?;
            if current.observed_generation >= generation {
                return Ok(Settled::Done);
            }
            let mut status = self.engine().app_status(app.id).await.unwrap_or_default();
            status.applied_generation = status.applied_generation.max(Some(self.app_applied(&current).await?));
            if let Some(reason) = failure_of(&status, generation) {
                return Ok(Settled::Failed(reason));
            }
            if !watch.next().await {
                return Ok(Settled::TimedOut);
            }
        }
    }
}

/// Why what is wanted at `generation` will not come, if it will not.
fn failure_of(status: &AppStatus, generation: i64) -> Option<String> {
    let rollout = status.rollout.as_ref()?;
    let is_applied = status.applied_generation.is_some_and(|applied| applied >= generation);
    match &rollout.state {
        RolloutState::Failing(reason) if is_applied => Some(reason.clone()),
        RolloutState::Failing(_) | RolloutState::Progressing(_) | RolloutState::Ready => None,
    }
}
