//! Recorded state as the reconciler reads and writes it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use slipway_core::app::{App, Structure};
use slipway_core::authz::Actor;
use slipway_core::build::BuildKind;
use slipway_core::release::{Release, ReleaseState};
use slipway_core::{AppId, Error, ProcessType, Result};
use slipway_store as store;

use crate::audit::{Subject, app_subject, event};
use crate::dployr::deployment_ended;
use crate::reconcile::spec::{Deployable, PORT_DEFAULT, Routing, deploy_timeout};
use crate::stored::{Fail, Stored, write};
use crate::{Cx, Service};

/// What is recorded of an app.
#[derive(Debug, Clone)]
pub(crate) struct AppState {
    pub(crate) app: App,
    /// The newest release that is on its way.
    pub(crate) pending: Option<Deployable>,
    /// Whether no release waits to be begun or to be superseded.
    pub(crate) is_taken_up: bool,
    /// The newest release that succeeded, if it has a build.
    pub(crate) good: Option<Deployable>,
    pub(crate) routing: Routing,
    /// Process types that somebody stopped.
    pub(crate) stopped: BTreeSet<ProcessType>,
}

/// States of a release that is on its way.
pub(crate) const PENDING: [ReleaseState; 2] = [ReleaseState::Created, ReleaseState::Deploying];

impl Service {
    /// Identities of all apps, those being removed too.
    pub(crate) async fn app_ids(&self) -> Result<Vec<AppId>> {
        let names = store::apps_all_names(&mut self.read().await?).await.stored()?;
        Ok(names.into_iter().map(|(id, _)| id).collect())
    }

    /// Apps of which more is wanted than was brought about, with the generation that is wanted.
    pub(crate) async fn app_ids_unsettled(&self) -> Result<Vec<(AppId, i64)>> {
        let apps = store::apps_unsettled(&mut self.read().await?).await.stored()?;
        Ok(apps.into_iter().map(|app| (app.id, app.desired_generation)).collect())
    }

    /// The generation that a controller, whichever, has given to its engine.
    pub(crate) async fn app_applied(&self, app: &App) -> Result<i64> {
        let applied = store::app_applied(&mut self.read().await?, app.id).await.stored()?;
        Ok(applied.max(app.observed_generation))
    }

    /// Records for other controllers which generation the engine was given.
    pub(crate) async fn app_applied_note(&self, app: &App, generation: i64) -> Result<()> {
        if self.app_applied(app).await? >= generation {
            return Ok(());
        }
        let id = app.id;
        write!(self, |db| {
            store::app_set_applied(db, id, generation).await?;
            Ok::<_, Fail>(())
        })?;
        self.signals().recorded(id);
        Ok(())
    }

    pub(crate) async fn app_by_id(&self, id: AppId) -> Result<Option<App>> {
        store::app_by_id(&mut self.read().await?, id).await.stored()
    }

    /// The platform's own doing, for the record.
    pub(crate) fn system_cx(&self) -> Cx {
        Cx { actor: Actor::System, request_id: String::new(), now: self.now(), remote: None }
    }

    /// Begins the newest pending release and supersedes those before it; whether anything was done.
    pub(crate) async fn releases_take_up(&self, state: &AppState, now: DateTime<Utc>) -> Result<bool> {
        if state.is_taken_up {
            return Ok(false);
        }
        let app = state.app.id;
        let timeout_default = self.config().deploy_timeout;
        let is_choosing_ports = self.engine().is_choosing_ports();
        let is_port_default = write!(self, |db| {
            let pending = store::releases_pending_by_app(db, app).await?;
            let Some(newest) = pending.iter().max_by_key(|release| release.version) else { return Ok(false) };
            if pending.len() > 1 {
                store::releases_supersede_before(db, app, newest.version, now).await?;
            }
            let config = store::config_by_id(db, newest.config)
                .await?
                .ok_or_else(|| Error::internal(format!("release {} has no config", newest.id)))?;
            let timeout = TimeDelta::from_std(deploy_timeout(&config, timeout_default)).unwrap_or(TimeDelta::MAX);
            let change = store::ReleaseChange {
                to: ReleaseState::Deploying,
                exception: "",
                deadline: Some(now.checked_add_signed(timeout).unwrap_or(now)),
                now,
            };
            let is_begun = store::release_set_state(db, newest.id, &[ReleaseState::Created], &change).await?;
            // What is not so is not told: docs/decisions/0005-log-lines-are-true.md.
            if !is_begun || is_choosing_ports || config.values.contains_key("PORT") {
                return Ok(false);
            }
            let build = match newest.build {
                Some(build) => store::build_by_id(db, build).await?,
                None => None,
            };
            Ok::<_, Fail>(build.is_some_and(|build| build.kind() == BuildKind::Buildpack))
        })?;
        if is_port_default {
            self.app_log(app, format!("INFO buildpack type detected. Defaulting to $PORT {PORT_DEFAULT}"));
        }
        self.signals().recorded(app);
        Ok(true)
    }

    /// Gives a release that is being deployed its whole time again.
    pub(crate) async fn release_deadline_renew(&self, pending: &Deployable, now: DateTime<Utc>) -> Result<()> {
        let timeout = deploy_timeout(&pending.config, self.config().deploy_timeout);
        let timeout = TimeDelta::from_std(timeout).unwrap_or(TimeDelta::MAX);
        let change = store::ReleaseChange {
            to: ReleaseState::Deploying,
            exception: "",
            deadline: Some(now.checked_add_signed(timeout).unwrap_or(now)),
            now,
        };
        let id = pending.release.id;
        write!(self, |db| {
            store::release_set_state(db, id, &[ReleaseState::Deploying], &change).await?;
            Ok::<_, Fail>(())
        })?;
        Ok(())
    }

    /// All that is recorded of an app; `None` when it is gone.
    pub(crate) async fn app_state(&self, id: AppId) -> Result<Option<AppState>> {
        let mut db = self.read().await?;
        let Some(app) = store::app_by_id(&mut db, id).await.stored()? else { return Ok(None) };
        let pending = store::releases_pending_by_app(&mut db, id).await.stored()?;
        let is_taken_up = pending.len() <= 1 && pending.iter().all(|release| release.state == ReleaseState::Deploying);
        let pending = match pending.into_iter().max_by_key(|release| release.version) {
            Some(release) => deployable(&mut db, release, &self.config().default_tags).await?,
            None => None,
        };
        let good = match store::release_latest_succeeded(&mut db, id).await.stored()? {
            Some(release) => deployable(&mut db, release, &self.config().default_tags).await?,
            None => None,
        };
        let domains = store::domains_by_app(&mut db, id).await.stored()?;
        let settings = store::settings_by_app(&mut db, id).await.stored()?;
        let tls = store::tls_by_app(&mut db, id).await.stored()?;
        let certificates = store::certificates_by_app(&mut db, id).await.stored()?;
        let services = store::services_by_app(&mut db, id).await.stored()?;
        let volumes = store::volumes_by_app(&mut db, id).await.stored()?;
        let stopped = store::stops_by_app(&mut db, id).await.stored()?;
        let (https_enforced, automatic_certificates) =
            tls.map(|tls| (tls.https_enforced, tls.certs_auto_enabled)).unwrap_or_default();
        let routing = Routing {
            services,
            volumes,
            domains,
            settings,
            certificates,
            is_https_enforced: https_enforced.unwrap_or(false),
            automatic_certificates,
        };
        Ok(Some(AppState { app, pending, is_taken_up, good, routing, stopped }))
    }

    /// Records that a pending release runs, with the structure that it runs with.
    pub(crate) async fn release_succeed(
        &self,
        state: &AppState,
        done: &Deployable,
        structure: &Structure,
    ) -> Result<()> {
        let now = self.now();
        let app = state.app.id;
        let is_done = write!(self, |db| {
            let change = store::ReleaseChange { to: ReleaseState::Succeeded, exception: "", deadline: None, now };
            if !store::release_set_state(db, done.release.id, &[ReleaseState::Deploying], &change).await? {
                return Ok(false);
            }
            // Somebody may have scaled since: what they asked for stays.
            let current = store::app_by_id(db, app).await?;
            if let Some(current) = current.filter(|current| current.structure == state.app.structure)
                && current.structure != *structure
            {
                store::app_update_structure(db, app, structure, now).await?;
            }
            store::app_set_observed(db, app, state.app.desired_generation).await?;
            let cx = self.system_cx();
            let after = json!({"state": ReleaseState::Succeeded.as_str()});
            let before = json!({"state": ReleaseState::Deploying.as_str()});
            store::event_insert(db, &event(&cx, "deploy", release_subject(&done.release), before, after)).await?;
            deployment_ended(db, &cx, &state.app, &done.release, "").await?;
            Ok::<_, Fail>(true)
        })?;
        if is_done {
            self.app_log(app, format!("INFO release {} is running", done.release.version));
            self.signals().told();
        }
        self.signals().recorded(app);
        Ok(())
    }

    /// Records that a pending release failed.
    pub(crate) async fn release_fail(
        &self,
        state: &AppState,
        failed: &Deployable,
        exception: &str,
        summary: &str,
    ) -> Result<()> {
        let now = self.now();
        let app = state.app.id;
        let is_done = write!(self, |db| {
            let change = store::ReleaseChange { to: ReleaseState::Failed, exception, deadline: None, now };
            if !store::release_set_state(db, failed.release.id, &PENDING, &change).await? {
                return Ok(false);
            }
            store::release_set_summary(db, failed.release.id, summary).await?;
            // What ran before is to be applied again.
            store::app_bump_desired(db, app, now).await?;
            let cx = self.system_cx();
            let before = json!({"state": failed.release.state.as_str()});
            let after = json!({"state": ReleaseState::Failed.as_str(), "reason": exception});
            store::event_insert(db, &event(&cx, "deploy", release_subject(&failed.release), before, after)).await?;
            deployment_ended(db, &cx, &state.app, &failed.release, exception).await?;
            Ok::<_, Fail>(true)
        })?;
        if is_done {
            for line in exception.lines() {
                self.app_log(app, format!("ERROR {line}"));
            }
            self.signals().told();
        }
        self.signals().recorded(app);
        Ok(())
    }

    /// Records that the engine runs what was wanted at `generation`.
    pub(crate) async fn app_observed(&self, app: AppId, generation: i64) -> Result<()> {
        write!(self, |db| {
            store::app_set_observed(db, app, generation).await?;
            Ok::<_, Fail>(())
        })?;
        self.signals().recorded(app);
        Ok(())
    }

    /// Removes the last of an app that is being destroyed.
    pub(crate) async fn app_forget(&self, app: &App) -> Result<()> {
        write!(self, |db| {
            if store::app_delete(db, app.id).await? {
                let entry = event(
                    &self.system_cx(),
                    "delete",
                    app_subject(app),
                    json!({"owner": app.owner_name.as_str()}),
                    serde_json::Value::Null,
                );
                store::event_insert(db, &entry).await?;
            }
            Ok::<_, Fail>(())
        })?;
        self.signals().recorded(app.id);
        Ok(())
    }
}

/// A release as the subject of an entry of the record.
pub(crate) fn release_subject(release: &Release) -> Subject<'static> {
    Subject { kind: "release", id: release.id.to_string(), name: release.version.to_string() }
}

/// A release with its build and configuration; `None` without a build. An app without tags of its own has those that
/// the platform gives. Source: `drycc-v2.md` §2.4.
pub(crate) async fn deployable(
    db: &mut store::Db,
    release: Release,
    default_tags: &BTreeMap<String, String>,
) -> Result<Option<Deployable>> {
    let Some(build) = release.build else { return Ok(None) };
    let missing = |what: &str| Error::internal(format!("release {} has no {what}", release.id));
    let build = store::build_by_id(db, build).await.stored()?.ok_or_else(|| missing("build"))?;
    let mut config = store::config_by_id(db, release.config).await.stored()?.ok_or_else(|| missing("config"))?;
    if config.tags.is_empty() {
        config.tags.clone_from(default_tags);
    }
    Ok(Some(Deployable { release, build, config }))
}
