//! What the dployr API sees of apps: deployments, services, instances, routes, projects. Source: `dployr-v1.md` §2.
//!
//! An app is a deployment, and each of its process types a service. An app that was made otherwise is one too: its
//! deployment is made up from what it runs.

mod deploy_key;
mod deployment;
mod deployment_check;
mod deployment_data;
mod deployment_effect;
mod deployment_input;
mod deployment_loop;
mod env;
mod instance;
mod job;
mod order;
mod project;
mod remote;
mod route;
mod service;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Value, json};
use slipway_core::app::App;
use slipway_core::authz::AppAction;
use slipway_core::build::Build;
use slipway_core::config::Config;
use slipway_core::deployment::{Deployment, DeploymentRequest, DeploymentStatus};
use slipway_core::error::Kind;
use slipway_core::release::{Release, ReleaseState};
use slipway_core::structure::{routed_type, structure_default};
use slipway_core::ulid::{ULID_LENGTH, ulid};
use slipway_core::{AppId, AppName, Error, ProcessType, Result};
use slipway_store as store;
use slipway_store::Db;

use crate::stored::Stored;
use crate::webhook::id_parse;
use crate::{Cx, Service};

pub use deployment_input::{DeploymentInput, Patch};
pub use env::EnvSet;
pub use instance::{Instance, InstanceFilter, InstanceMetrics, InstanceView, instance_state};
pub use order::{Order, OrderOutcome, OrderResult};
pub use route::Route;
pub use service::{Health, ServiceStatus, ServiceView};

pub(crate) use deployment_loop::deployment_ended;
pub(crate) use instance::instance_id;
pub(crate) use order::OrderDone;
pub(crate) use service::status_of;

/// An app with all that is told of its deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentView {
    /// The app.
    pub app: App,
    /// What was asked for through this API, if anything was.
    pub deployment: Option<Deployment>,
    /// The newest release that did not fail.
    pub release: Option<Release>,
    /// Its build.
    pub build: Option<Build>,
    /// Its configuration.
    pub config: Option<Config>,
}

impl DeploymentView {
    /// The identity that a deployment is shown with.
    #[must_use]
    pub fn id(&self) -> String {
        ulid(self.app.id.uuid())
    }

    /// How far it is.
    #[must_use]
    pub fn status(&self) -> DeploymentStatus {
        match (&self.deployment, &self.release) {
            (Some(deployment), _) => deployment.status,
            (None, Some(release)) if release.build.is_some() => match release.state {
                ReleaseState::Created | ReleaseState::Deploying => DeploymentStatus::InProgress,
                ReleaseState::Succeeded => DeploymentStatus::Completed,
                ReleaseState::Failed | ReleaseState::Superseded | ReleaseState::Canceled => DeploymentStatus::Failed,
            },
            (None, Some(_) | None) => DeploymentStatus::Pending,
        }
    }

    /// The process types that are services: those of the build, and those that were scaled.
    #[must_use]
    pub fn types(&self) -> BTreeSet<ProcessType> {
        let Some(build) = &self.build else { return BTreeSet::new() };
        let scaled = self.app.structure.iter().filter(|(_, replicas)| **replicas > 0).map(|(name, _)| name.clone());
        build.procfile.keys().cloned().chain(structure_default(build).into_keys()).chain(scaled).collect()
    }

    /// The process type that goes by the app's name.
    #[must_use]
    pub fn primary_type(&self) -> Option<ProcessType> {
        let types = self.types();
        let asked = self.deployment.as_ref().map(|deployment| deployment.request.kind.process_type());
        asked.filter(|asked| types.contains(asked)).or_else(|| routed_type(&types)).or_else(|| types.into_iter().next())
    }

    /// The name of a service: the app's, for others than the primary one with the type behind it.
    #[must_use]
    pub fn service_name(&self, process_type: &ProcessType) -> String {
        if self.primary_type().as_ref() == Some(process_type) {
            self.app.name.to_string()
        } else {
            format!("{}.{process_type}", self.app.name)
        }
    }

    /// The names of config values that are not shown.
    fn secrets(&self) -> &[String] {
        self.deployment.as_ref().map_or(&[], |deployment| &deployment.request.secrets)
    }

    /// The environment as it is shown: without secrets, and without what the platform sets.
    #[must_use]
    pub fn env(&self) -> BTreeMap<String, String> {
        let secrets = self.secrets();
        let values = self.config.iter().flat_map(|config| &config.values);
        values
            .filter(|(key, _)| !secrets.contains(key) && !env::is_injected(key))
            .map(|(key, value)| (key.clone(), value.expose().to_owned()))
            .collect()
    }

    /// The names of the secrets that are set.
    #[must_use]
    pub fn secret_names(&self) -> Vec<String> {
        let values = self.config.as_ref().map(|config| &config.values);
        let is_set = |name: &&String| values.is_some_and(|values| values.contains_key(*name));
        self.secrets().iter().filter(is_set).cloned().collect()
    }
}

/// What was asked for, or of an app that was made otherwise, what may be said to have been.
#[must_use]
pub fn request_of(view: &DeploymentView) -> DeploymentRequest {
    view.deployment.as_ref().map_or_else(|| deployment_data::request_made_up(view), |found| found.request.clone())
}

/// The identity of a service: that of the app and the type, so that it stays whatever is deployed.
#[must_use]
pub fn service_id(app: AppId, process_type: &ProcessType) -> String {
    format!("{}-{process_type}", ulid(app.uuid()))
}

/// What is told of a service to webhooks.
pub(crate) fn service_data(app: &App, process_type: &ProcessType) -> Value {
    json!({
        "id": service_id(app.id, process_type),
        "service_id": service_id(app.id, process_type),
        "service_name": app.name.as_str(),
        "name": app.name.as_str(),
        "type": process_type.as_str(),
        "deployment_id": ulid(app.id.uuid()),
    })
}

/// Everything that is told of some apps, in their order; as many statements for many as for one.
async fn views(db: &mut Db, apps: Vec<App>) -> Result<Vec<DeploymentView>> {
    let ids: Vec<AppId> = apps.iter().map(|app| app.id).collect();
    let deployments = store::deployments_by_apps(db, &ids).await.stored()?;
    let mut deployments: HashMap<AppId, Deployment> = deployments.into_iter().map(|found| (found.app, found)).collect();
    let releases = store::releases_latest_good(db, &ids).await.stored()?;
    let build_ids: Vec<_> = releases.iter().filter_map(|release| release.build).collect();
    let builds = store::builds_by_ids(db, &build_ids).await.stored()?;
    let config_ids: Vec<_> = releases.iter().map(|release| release.config).collect();
    let configs = store::configs_by_ids(db, &config_ids).await.stored()?;
    let mut releases: HashMap<AppId, Release> = releases.into_iter().map(|found| (found.app, found)).collect();
    let mut builds: HashMap<AppId, Build> = builds.into_iter().map(|found| (found.app, found)).collect();
    let mut configs: HashMap<AppId, Config> = configs.into_iter().map(|found| (found.app, found)).collect();
    let view = |app: App| DeploymentView {
        deployment: deployments.remove(&app.id),
        release: releases.remove(&app.id),
        build: builds.remove(&app.id),
        config: configs.remove(&app.id),
        app,
    };
    Ok(apps.into_iter().map(view).collect())
}

impl Service {
    /// The app that an identity or a name stands for, if the caller may use it; `kind` is what is said to be missing
    /// otherwise.
    async fn app_visible(&self, cx: &Cx, text: &str, action: AppAction, kind: Kind) -> Result<App> {
        cx.user()?;
        let missing = || Error::not_found(kind);
        let mut db = self.read().await?;
        let mut app = match id_parse(text) {
            Some(id) => store::app_by_id(&mut db, AppId::from_uuid(id)).await.stored()?,
            None => None,
        };
        if app.is_none()
            && let Ok(name) = AppName::new(text)
        {
            app = store::app_by_name(&mut db, &name).await.stored()?;
        }
        drop(db);
        let app = app.filter(|app| !app.is_deleting).ok_or_else(missing)?;
        match self.app_for(cx, app.name.as_str(), AppAction::Use).await {
            // Who may not see it does not learn that it is there.
            Err(Error::Forbidden(_) | Error::NotFound { .. }) => return Err(missing()),
            other => other?,
        };
        self.app_for(cx, app.name.as_str(), action).await
    }

    async fn view_of(&self, app: App) -> Result<DeploymentView> {
        let found = views(&mut self.read().await?, vec![app]).await?;
        found.into_iter().next().ok_or_else(|| Error::internal("an app without a view"))
    }

    /// The service that an identity or a name stands for.
    async fn service_for(&self, cx: &Cx, text: &str, action: AppAction) -> Result<(DeploymentView, ProcessType)> {
        let missing = || Error::not_found(Kind::Service);
        let by_id = text.split_at_checked(ULID_LENGTH).filter(|(id, _)| id_parse(id).is_some());
        let (app, process_type) = match (by_id, text.split_once('.')) {
            (Some((id, "")), _) => (id, None),
            (Some((id, rest)), _) if rest.starts_with('-') => (id, rest.strip_prefix('-')),
            (_, Some((name, process_type))) => (name, Some(process_type)),
            (_, None) => (text, None),
        };
        let found = match self.app_visible(cx, app, action, Kind::Service).await {
            // What looks like an identity may be a name.
            Err(Error::NotFound { .. }) if process_type.is_some() => {
                return match self.app_visible(cx, text, action, Kind::Service).await {
                    Ok(app) => self.primary(app).await,
                    Err(error) => Err(error),
                };
            }
            other => other?,
        };
        let Some(process_type) = process_type else { return self.primary(found).await };
        let view = self.view_of(found).await?;
        let process_type = ProcessType::new(process_type).map_err(|_| missing())?;
        if view.types().contains(&process_type) { Ok((view, process_type)) } else { Err(missing()) }
    }

    async fn primary(&self, app: App) -> Result<(DeploymentView, ProcessType)> {
        let view = self.view_of(app).await?;
        let process_type = view.primary_type().ok_or_else(|| Error::not_found(Kind::Service))?;
        Ok((view, process_type))
    }
}
