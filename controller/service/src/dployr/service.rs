//! Services: the process types of apps. Source: `dployr-v1.md` §5.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use futures::stream::BoxStream;
use slipway_core::authz::AppAction;
use slipway_core::deployment::{Deployment, DeploymentStatus, DeploymentType, DeploymentWork};
use slipway_core::log::{LogLine, LogQuery};
use slipway_core::{Error, ProcessType, Result};
use slipway_engine::{AppStatus, PodState, RolloutState};
use slipway_store as store;

use super::deployment::Wanted;
use super::{DeploymentView, service_id};
use crate::stop::Switch;
use crate::stored::Stored;
use crate::{BuildLog, Cx, Page, PageQuery, Service};

/// How a service is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Some of its processes are coming up.
    Starting,
    /// One at least answers.
    Running,
    /// None is wanted.
    Stopped,
    /// They do not come up.
    Failed,
    /// Nobody can tell.
    Unknown,
}

impl Health {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

/// A service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceView {
    /// The app that it is of.
    pub view: DeploymentView,
    /// Its process type.
    pub process_type: ProcessType,
    /// How it is.
    pub status: ServiceStatus,
}

/// How a service is, in numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceStatus {
    /// In a word.
    pub health: Health,
    /// Processes that are wanted.
    pub desired: u32,
    /// Processes that are ready.
    pub ready: u32,
    /// When the oldest that is ready was started.
    pub started: Option<DateTime<Utc>>,
    /// How often processes were restarted after they ended by themselves.
    pub restarts: u32,
    /// The exit code that one of its processes, or its job, ended with last; `None` when none did by itself, or none is
    /// left that did.
    pub exit_code: Option<i32>,
    /// Whether it was asked over HTTP and did not answer as it should.
    pub is_unhealthy: bool,
    /// Where it answers.
    pub url: Option<String>,
}

impl ServiceStatus {
    /// `healthy` or `degraded`. Source: `dployr-v1.md` §5.1.
    #[must_use]
    pub fn health(&self) -> &'static str {
        let is_well = match self.health {
            Health::Starting => true,
            Health::Running => !self.is_unhealthy,
            Health::Stopped => self.exit_code.is_none_or(|code| code == 0),
            Health::Failed | Health::Unknown => false,
        };
        if is_well { "healthy" } else { "degraded" }
    }
}

impl ServiceView {
    /// The identity that it is shown with.
    #[must_use]
    pub fn id(&self) -> String {
        service_id(self.view.app.id, &self.process_type)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> String {
        self.view.service_name(&self.process_type)
    }
}

impl Service {
    /// The services that the caller may see, newest apps first.
    ///
    /// # Errors
    /// `Unauthenticated`.
    pub async fn services_visible(&self, cx: &Cx, page: PageQuery) -> Result<Page<ServiceView>> {
        let all = self.views_list(cx, Wanted::default(), PageQuery { limit: u32::MAX, offset: 0 }).await?;
        let pairs: Vec<(DeploymentView, ProcessType)> = all
            .items
            .into_iter()
            .flat_map(|view| {
                let types = view.types();
                types.into_iter().map(move |process_type| (view.clone(), process_type))
            })
            .collect();
        let count = pairs.len() as u64;
        let mut items = Vec::new();
        for (view, process_type) in pairs.into_iter().skip(page.offset as usize).take(page.limit as usize) {
            items.push(self.service_view(view, process_type, &BTreeSet::new(), false).await?);
        }
        self.stops_apply(&mut items).await?;
        Ok(Page { count, items })
    }

    /// What of these was stopped is, and what does not answer is told of: with as many statements for all as for one.
    async fn stops_apply(&self, items: &mut [ServiceView]) -> Result<()> {
        let apps: Vec<_> = items.iter().map(|item| item.view.app.id).collect();
        let mut db = self.read().await?;
        let stops = store::stops_by_apps(&mut db, &apps).await.stored()?;
        let unhealthy = store::unhealthy_by_apps(&mut db, &apps).await.stored()?;
        drop(db);
        for item in items {
            item.status.is_unhealthy = unhealthy.contains(&(item.view.app.id, item.process_type.clone()));
            if stops.contains(&(item.view.app.id, item.process_type.clone())) {
                item.status.health = Health::Stopped;
                item.status.desired = 0;
            }
        }
        Ok(())
    }

    /// One service, by identity or name.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn service_get(&self, cx: &Cx, text: &str) -> Result<ServiceView> {
        let (view, process_type) = self.service_for(cx, text, AppAction::Use).await?;
        let mut db = self.read().await?;
        let stopped = store::stops_by_app(&mut db, view.app.id).await.stored()?;
        let unhealthy = store::unhealthy_by_apps(&mut db, &[view.app.id]).await.stored()?;
        drop(db);
        let is_unhealthy = unhealthy.contains(&(view.app.id, process_type.clone()));
        self.service_view(view, process_type, &stopped, is_unhealthy).await
    }

    /// Starts a service: as many processes as there were, and one at least. It is not waited for.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn service_start(&self, cx: &Cx, text: &str) -> Result<ServiceView> {
        self.service_switch(cx, text, Switch::StartAny).await
    }

    /// Stops a service; how many processes there were is remembered. It is not waited for.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn service_stop(&self, cx: &Cx, text: &str) -> Result<ServiceView> {
        self.service_switch(cx, text, Switch::Stop).await
    }

    async fn service_switch(&self, cx: &Cx, text: &str, switch: Switch) -> Result<ServiceView> {
        let (view, process_type) = self.service_for(cx, text, AppAction::Use).await?;
        if let Some(job) = job_of(&view, &process_type) {
            if matches!(switch, Switch::StartAny) {
                self.job_again(&view.app, job).await?;
            }
            return self.service_get(cx, text).await;
        }
        let types = BTreeSet::from([process_type]);
        self.types_switch_record(cx, &view.app, &types, switch).await?;
        self.service_get(cx, text).await
    }

    /// Replaces the processes of a service, as a rollout does. It is not waited for.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn service_restart(&self, cx: &Cx, text: &str) -> Result<ServiceView> {
        let (view, process_type) = self.service_for(cx, text, AppAction::Use).await?;
        if let Some(job) = job_of(&view, &process_type) {
            self.job_again(&view.app, job).await?;
            return self.service_get(cx, text).await;
        }
        self.types_restart_record(cx, &view.app, Some(&process_type)).await?;
        self.service_get(cx, text).await
    }

    /// The newest lines of a service's log, oldest first.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn service_logs(&self, cx: &Cx, text: &str, lines: usize) -> Result<Vec<LogLine>> {
        let (view, process_type) = self.service_for(cx, text, AppAction::Use).await?;
        self.app_logs(cx, view.app.name.as_str(), query(&process_type, lines)).await
    }

    /// The lines of `service_logs`, then each new one until dropped.
    ///
    /// # Errors
    /// As `service_logs`.
    pub async fn service_logs_follow(&self, cx: &Cx, text: &str, lines: usize) -> Result<BoxStream<'static, LogLine>> {
        let (view, process_type) = self.service_for(cx, text, AppAction::Use).await?;
        self.app_logs_follow(cx, view.app.name.as_str(), query(&process_type, lines)).await
    }

    /// The log of the newest build from source of a service's app, or of a deployment that has no service yet.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn service_build_log(&self, cx: &Cx, text: &str) -> Result<Option<BuildLog>> {
        let app = match self.service_for(cx, text, AppAction::Use).await {
            Ok((view, _)) => view.app,
            Err(Error::NotFound { kind }) => self.app_visible(cx, text, AppAction::Use, kind).await?,
            Err(error) => return Err(error),
        };
        let logs = self.build_logs_list(cx, app.name.as_str(), PageQuery { limit: 1, offset: 0 }).await?;
        match logs.items.first() {
            Some(newest) => self.build_log_get(cx, app.name.as_str(), &newest.id.to_string()).await.map(Some),
            None => Ok(None),
        }
    }

    async fn service_view(
        &self,
        view: DeploymentView,
        process_type: ProcessType,
        stopped: &BTreeSet<ProcessType>,
        is_unhealthy: bool,
    ) -> Result<ServiceView> {
        let replicas = view.app.structure.get(&process_type).copied().unwrap_or(0);
        let desired = if stopped.contains(&process_type) { 0 } else { replicas };
        let found = self.engine().app_status(view.app.id).await.ok();
        let is_static = view.deployment.as_ref().is_some_and(|found| found.request.kind == DeploymentType::Static);
        let mut status = status_of(found.as_ref(), &process_type, desired);
        status.is_unhealthy = is_unhealthy;
        if is_static && desired > 0 && status.health == Health::Starting {
            status.health = Health::Running;
        }
        if let Some(job) = job_of(&view, &process_type) {
            status.health = match (job.work, job.status) {
                (DeploymentWork::JobRuns, _) => Health::Running,
                (DeploymentWork::None, DeploymentStatus::Failed) => Health::Failed,
                (DeploymentWork::None, _) => Health::Stopped,
                _ => Health::Starting,
            };
            status.exit_code = job.exit_code;
            return Ok(ServiceView { view, process_type, status });
        }
        if view.primary_type().as_ref() == Some(&process_type) && process_type.as_str() != "worker" {
            status.url = self.domain_url(view.app.name.as_str());
        }
        Ok(ServiceView { view, process_type, status })
    }
}

/// The deployment of a service whose command is run once, and not kept running.
fn job_of<'a>(view: &'a DeploymentView, process_type: &ProcessType) -> Option<&'a Deployment> {
    let is_job = |found: &&Deployment| {
        found.request.kind == DeploymentType::Job && found.request.kind.process_type() == *process_type
    };
    view.deployment.as_ref().filter(is_job)
}

fn query(process_type: &ProcessType, lines: usize) -> LogQuery {
    LogQuery { lines, process_type: Some(process_type.to_string()) }
}

/// Reads a service's state from what the engine knows; `None` when it cannot be asked.
pub(crate) fn status_of(found: Option<&AppStatus>, process_type: &ProcessType, desired: u32) -> ServiceStatus {
    let mut status = ServiceStatus {
        health: Health::Unknown,
        desired,
        ready: 0,
        started: None,
        restarts: 0,
        exit_code: None,
        is_unhealthy: false,
        url: None,
    };
    let Some(found) = found else { return status };
    let pods: Vec<_> = found.pods.iter().filter(|pod| pod.process_type == *process_type).collect();
    let ready = pods.iter().filter(|pod| pod.state == PodState::Up);
    status.ready = u32::try_from(ready.clone().count()).unwrap_or(u32::MAX);
    status.started = ready.map(|pod| pod.started).min();
    // Where one does not know when, the others are later.
    let last = pods.iter().filter_map(|pod| pod.last_exit).max_by_key(|exit| exit.time);
    status.exit_code = last.map(|exit| exit.code);
    status.restarts = pods.iter().map(|pod| pod.restarts).fold(0, u32::saturating_add);
    let is_failing =
        pods.iter().any(|pod| match &pod.state {
            PodState::Crashed | PodState::Error => true,
            PodState::Other(reason) => reason.contains("BackOff") || reason.contains("Err"),
            PodState::Initializing
            | PodState::Creating
            | PodState::Starting
            | PodState::Up
            | PodState::Terminating
            | PodState::Down
            | PodState::Destroyed => false,
        }) || found.rollout.as_ref().is_some_and(|rollout| matches!(rollout.state, RolloutState::Failing(_)));
    status.health = match (desired, status.ready) {
        (0, _) => Health::Stopped,
        (_, 1..) => Health::Running,
        (_, 0) if is_failing => Health::Failed,
        (_, 0) => Health::Starting,
    };
    status
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use slipway_core::ReleaseVersion;
    use slipway_engine::{LastExit, PodStatus};

    use super::*;

    #[test]
    fn the_word_follows_the_processes() {
        let pod = |state: PodState| PodStatus {
            name: "blog-web-v1-a".to_owned(),
            process_type: ProcessType::web(),
            version: ReleaseVersion(1),
            state,
            started: Utc::now(),
            restarts: 2,
            uid: None,
            cpu_millis: None,
            pid: None,
            last_exit: None,
            address: None,
            node: None,
        };
        let of = |pods: Vec<PodStatus>, desired| {
            status_of(Some(&AppStatus { pods, ..AppStatus::default() }), &ProcessType::web(), desired).health
        };
        assert_eq!(of(vec![], 0), Health::Stopped);
        assert_eq!(of(vec![], 1), Health::Starting);
        assert_eq!(of(vec![pod(PodState::Starting)], 1), Health::Starting);
        assert_eq!(of(vec![pod(PodState::Up), pod(PodState::Crashed)], 2), Health::Running);
        assert_eq!(of(vec![pod(PodState::Crashed)], 1), Health::Failed);
        assert_eq!(of(vec![pod(PodState::Other("ImagePullBackOff".to_owned()))], 1), Health::Failed);
        assert_eq!(status_of(None, &ProcessType::web(), 1).health, Health::Unknown);

        let now = Utc::now();
        let ended = |code, time| PodStatus { last_exit: Some(LastExit { code, time }), ..pod(PodState::Up) };
        let earlier = Some(now - TimeDelta::seconds(1));
        let pods = vec![ended(2, Some(now)), pod(PodState::Up), ended(1, earlier), ended(3, None)];
        let status = status_of(Some(&AppStatus { pods, ..AppStatus::default() }), &ProcessType::web(), 4);
        assert_eq!((status.exit_code, status.health()), (Some(2), "healthy"), "it runs again");
        assert_eq!(status_of(Some(&AppStatus::default()), &ProcessType::web(), 1).exit_code, None);
    }

    #[test]
    fn health_is_told_of_what_runs_and_of_how_the_rest_ended() {
        for (health, exit_code, is_unhealthy, expect) in [
            (Health::Running, None, false, "healthy"),
            (Health::Running, Some(1), false, "healthy"),
            (Health::Running, None, true, "degraded"),
            (Health::Starting, Some(1), true, "healthy"),
            (Health::Stopped, None, true, "healthy"),
            (Health::Stopped, Some(0), false, "healthy"),
            (Health::Stopped, Some(143), false, "degraded"),
            (Health::Failed, None, false, "degraded"),
            (Health::Unknown, None, false, "degraded"),
        ] {
            let status = ServiceStatus { health, exit_code, is_unhealthy, ..status_of(None, &ProcessType::web(), 1) };
            assert_eq!(status.health(), expect, "{health:?} {exit_code:?} {is_unhealthy}");
        }
    }
}
