//! Asking for deployments. Source: `dployr-v1.md` §4.
//!
//! A request only records what is wanted: a builder claims what is to be built (`order`), the controller deploys what is
//! an image (`deployment_loop`), and releases take their usual way.

use serde_json::{Value, json};
use slipway_core::app::App;
use slipway_core::authz::AppAction;
use slipway_core::config::SecretText;
use slipway_core::deployment::{DeploymentRequest, DeploymentSource, DeploymentStatus, DeploymentWork, slug};
use slipway_core::error::Kind;
use slipway_core::release::Release;
use slipway_core::webhook::WebhookEvent;
use slipway_core::{AppName, Error, ProjectId, Result};
use slipway_store as store;

use super::deployment_check::request_check;
use super::deployment_data::{deployment_data, request_made_up};
use super::deployment_effect::values_check;
use super::deployment_input::{DeploymentInput, Patch, request_apply, request_empty};
use super::{DeploymentView, deploy_key, views};
use crate::audit::{app_subject, event};
use crate::stored::{Fail, Stored, write};
use crate::webhook::{event_tell, id_parse};
use crate::{Cx, Page, PageQuery, Service};

/// Which deployments are wanted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    pub(crate) status: Option<DeploymentStatus>,
    pub(crate) service: Option<String>,
    pub(crate) project: Option<String>,
}

impl Service {
    /// Asks for a deployment. One of that name that the caller may use is asked for again: it is what the request says,
    /// and keeps its identity.
    ///
    /// # Errors
    /// `Invalid` by field; `Conflict` when the name is somebody else's.
    pub async fn deployment_create(&self, cx: &Cx, input: DeploymentInput) -> Result<DeploymentView> {
        cx.user()?;
        let mut draft = request_apply(request_empty(), &input);
        let given = match &input.name {
            Patch::Set(name) => name.as_str(),
            Patch::Keep | Patch::Clear => "",
        };
        let name = AppName::new(slug(given));
        match &name {
            _ if given.trim().is_empty() => draft.errors.push(("name", "This field is required.".to_owned())),
            Ok(name) if name.as_str().len() < 2 => draft.errors.push(("name", "It is too short.".to_owned())),
            Ok(_) => {}
            Err(_) => draft.errors.push(("name", "It must begin with a letter.".to_owned())),
        }
        if matches!(input.source, Patch::Keep | Patch::Clear) {
            draft.errors.push(("source", "This field is required.".to_owned()));
        }
        let (request, credentials) = request_check(draft, self.config().is_private_allowed)?;
        let name = name.map_err(Error::internal)?;
        values_check(&input)?;
        let project = self.project_of(cx, &input.project, None).await?;
        self.domain_check(&request, &name).await?;
        let app = match store::app_by_name(&mut self.read().await?, &name).await.stored()? {
            Some(app) => match self.app_for(cx, app.name.as_str(), AppAction::Use).await {
                Ok(app) => app,
                Err(Error::Forbidden(_)) => return Err(name_taken(&name)),
                Err(error) => return Err(error),
            },
            None => match self.app_create(cx, Some(name.as_str())).await {
                Err(Error::Invalid(fields)) => {
                    // Another may have been faster, or the name is one of the platform's, or an app that is going has it.
                    let text = fields.first().and_then(|field| field.messages.first()).cloned().unwrap_or_default();
                    return Err(if text == crate::APP_NAME_TAKEN {
                        name_taken(&name)
                    } else {
                        Error::invalid("name", text)
                    });
                }
                other => other?,
            },
        };
        self.values_apply(cx, &app, &request, &input, true).await?;
        self.domain_apply(cx, &app, &request).await?;
        let before = store::deployment_by_app(&mut self.read().await?, app.id).await.stored()?;
        let kept = before.map(|before| before.request.deploy_key).unwrap_or_default();
        let (request, credentials) = self.deploy_key_apply(&app, (request, credentials), &kept).await?;
        let work = work_of(&request);
        let new = Asked { project, request, credentials, work, release: None };
        self.deployment_put(cx, &app, new, WebhookEvent::DeploymentCreated).await?;
        self.view_of(app).await
    }

    /// The deployments that the caller may see, newest first.
    ///
    /// # Errors
    /// `Unauthenticated`; `Invalid` for a status that is none.
    pub async fn deployments_list(
        &self,
        cx: &Cx,
        status: Option<&str>,
        service: Option<&str>,
        project: Option<&str>,
        page: PageQuery,
    ) -> Result<Page<DeploymentView>> {
        let unknown = || Error::invalid("status", "It is one of pending, in_progress, completed, failed.");
        let status = status.map(|status| status.parse().map_err(|_| unknown())).transpose()?;
        let wanted = Wanted { status, service: service.map(str::to_owned), project: project.map(str::to_owned) };
        self.views_list(cx, wanted, page).await
    }

    pub(crate) async fn views_list(&self, cx: &Cx, wanted: Wanted, page: PageQuery) -> Result<Page<DeploymentView>> {
        let (user, _, is_superuser) = cx.user()?;
        let nothing = || Ok(Page { count: 0, items: Vec::new() });
        let app = match &wanted.service {
            Some(service) => match self.service_for(cx, service, AppAction::Use).await {
                Ok((view, _)) => Some(view.app.id),
                Err(Error::NotFound { .. }) => return nothing(),
                Err(error) => return Err(error),
            },
            None => None,
        };
        let project = match &wanted.project {
            Some(project) => match id_parse(project) {
                Some(id) => Some(ProjectId::from_uuid(id)),
                None => return nothing(),
            },
            None => None,
        };
        let filter =
            store::AppFilter { visible_to: Some(user).filter(|_| !is_superuser), app, status: wanted.status, project };
        let mut db = self.read().await?;
        let found = store::apps_filter(&mut db, &filter, page.into()).await.stored()?;
        Ok(Page { count: found.total, items: views(&mut db, found.items).await? })
    }

    /// One deployment, by identity or name.
    ///
    /// # Errors
    /// `NotFound`, also for those that the caller may not see.
    pub async fn deployment_get(&self, cx: &Cx, text: &str) -> Result<DeploymentView> {
        let app = self.app_visible(cx, text, AppAction::Use, Kind::Deployment).await?;
        self.view_of(app).await
    }

    /// Changes what is asked for: what the request does not name stays. What makes it another program is built again,
    /// what it only runs with makes a release, what is only told of it makes neither.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` by field.
    pub async fn deployment_update(&self, cx: &Cx, text: &str, input: DeploymentInput) -> Result<DeploymentView> {
        let app = self.app_visible(cx, text, AppAction::Use, Kind::Deployment).await?;
        let view = self.view_of(app).await?;
        let before = view.deployment.as_ref().map_or_else(|| request_made_up(&view), |found| found.request.clone());
        let mut draft = request_apply(before.clone(), &input);
        let is_same_name = |name: &String| slug(name) == view.app.name.as_str();
        if !matches!(&input.name, Patch::Keep) && !matches!(&input.name, Patch::Set(name) if is_same_name(name)) {
            draft.errors.push(("name", "It cannot be changed.".to_owned()));
        }
        if draft.request.source != before.source || matches!(input.source, Patch::Clear) {
            draft.request.source = before.source;
            draft.errors.push(("source", "It cannot be changed.".to_owned()));
        }
        let has_new_remote = draft.remote.is_some();
        let is_made_up = view.deployment.is_none();
        let (mut request, mut credentials) = if is_made_up {
            self.made_up_check(draft)?
        } else {
            request_check(draft, self.config().is_private_allowed)?
        };
        values_check(&input)?;
        let project = view.deployment.as_ref().and_then(|found| found.project);
        let project = self.project_of(cx, &input.project, project).await?;
        self.domain_check(&request, &view.app.name).await?;
        let is_forced = std::mem::take(&mut request.is_rebuild_forced);
        let is_rebuilt = is_forced || is_other_program(&before, &request);
        request.is_rebuild_forced = is_forced;
        let mut release = self.values_apply(cx, &view.app, &request, &input, before.port != request.port).await?;
        release = self.health_apply(cx, &view.app, &before, &request).await?.or(release);
        self.domain_apply(cx, &view.app, &request).await?;
        if credentials.is_none() && !has_new_remote {
            credentials = store::deployment_credentials(&mut self.read().await?, view.app.id).await.stored()?;
        }
        let (request, credentials) =
            self.deploy_key_apply(&view.app, (request, credentials), &before.deploy_key).await?;
        let is_busy = view.deployment.as_ref().is_some_and(|found| found.work == DeploymentWork::Build);
        if is_rebuilt && !is_made_up {
            let work = work_of(&request);
            let new = Asked { project, request, credentials, work, release: None };
            self.deployment_put(cx, &view.app, new, WebhookEvent::DeploymentUpdated).await?;
        } else {
            if before.run_cmd != request.run_cmd && !is_busy {
                release = self.command_apply(cx, &view, &request).await?.or(release);
            }
            let rolled_out = release.filter(|release| release.build.is_some() && !is_busy);
            if let Some(release) = rolled_out {
                let work = if release.state.is_final() { DeploymentWork::None } else { DeploymentWork::Rollout };
                let new = Asked { project, request, credentials, work, release: Some(release) };
                self.deployment_put(cx, &view.app, new, WebhookEvent::DeploymentUpdated).await?;
            } else {
                self.deployment_describe(cx, &view, request, project).await?;
            }
        }
        let app = self.app_by_id(view.app.id).await?.ok_or_else(|| Error::not_found(Kind::Deployment))?;
        self.view_of(app).await
    }

    /// Removes a deployment: its app with everything that it runs.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`; `Conflict` while it is in progress.
    pub async fn deployment_delete(&self, cx: &Cx, text: &str) -> Result<()> {
        let app = self.app_visible(cx, text, AppAction::Manage, Kind::Deployment).await?;
        let found = store::deployment_by_app(&mut self.read().await?, app.id).await.stored()?;
        if found.is_some_and(|found| found.work != DeploymentWork::None) {
            return Err(Error::Conflict("The deployment is in progress.".to_owned()));
        }
        self.app_destroy_record(cx, &app).await
    }

    /// Gives a repository that is reached by SSH a key of its own: the one that it has, else a new one.
    async fn deploy_key_apply(
        &self,
        app: &App,
        (mut request, credentials): (DeploymentRequest, Option<SecretText>),
        kept: &str,
    ) -> Result<(DeploymentRequest, Option<SecretText>)> {
        if !request.remote.starts_with("ssh://") {
            request.deploy_key.clear();
            return Ok((request, credentials));
        }
        if !kept.is_empty()
            && let Some(key) = store::deployment_credentials(&mut self.read().await?, app.id).await.stored()?
        {
            kept.clone_into(&mut request.deploy_key);
            return Ok((request, Some(key)));
        }
        let (public, private) = deploy_key::generate(&app.name)?;
        request.deploy_key = public;
        Ok((request, Some(private)))
    }

    async fn deployment_put(&self, cx: &Cx, app: &App, new: Asked, told: WebhookEvent) -> Result<()> {
        let (_, owner, _) = cx.user()?;
        let status = match (new.work, &new.release) {
            (DeploymentWork::None, _) => DeploymentStatus::Completed,
            _ => DeploymentStatus::Pending,
        };
        let row = store::NewDeployment {
            app: app.id,
            owner: owner.clone(),
            project: new.project,
            request: new.request,
            credentials: new.credentials,
            status,
            work: new.work,
            release: new.release.as_ref().map(|release| release.id),
            now: cx.now,
        };
        write!(self, |db| {
            let current = store::app_by_id(db, app.id).await?.filter(|app| !app.is_deleting);
            current.ok_or_else(|| Error::not_found(Kind::Deployment))?;
            let made = store::deployment_put(db, &row).await?;
            let after = json!({"status": made.status.as_str(), "attempt": made.attempt});
            store::event_insert(db, &event(cx, "deployment", app_subject(app), Value::Null, after)).await?;
            event_tell(db, cx, app.id, told, deployment_data(app, Some(&made), None)).await?;
            Ok::<_, Fail>(())
        })?;
        self.app_log(app.id, format!("INFO {owner} asked for a deployment"));
        self.signals().told();
        if row.work == DeploymentWork::Build {
            self.signals().builder_wanted();
        }
        Ok(())
    }

    async fn deployment_describe(
        &self,
        cx: &Cx,
        view: &DeploymentView,
        request: DeploymentRequest,
        project: Option<ProjectId>,
    ) -> Result<()> {
        let Some(before) = &view.deployment else {
            let new = Asked { project, request, credentials: None, work: DeploymentWork::None, release: None };
            return self.deployment_put(cx, &view.app, new, WebhookEvent::DeploymentUpdated).await;
        };
        if before.request == request && before.project == project {
            return Ok(());
        }
        write!(self, |db| {
            store::deployment_describe(db, view.app.id, &request, project, cx.now).await?;
            let made = store::deployment_by_app(db, view.app.id).await?;
            let data = deployment_data(&view.app, made.as_ref(), None);
            event_tell(db, cx, view.app.id, WebhookEvent::DeploymentUpdated, data).await?;
            Ok::<_, Fail>(())
        })?;
        self.signals().told();
        Ok(())
    }

    /// The project that a request names, which must be the caller's.
    async fn project_of(&self, cx: &Cx, asked: &Patch<String>, before: Option<ProjectId>) -> Result<Option<ProjectId>> {
        match asked {
            Patch::Keep => Ok(before),
            Patch::Clear => Ok(None),
            Patch::Set(text) if text.is_empty() => Ok(None),
            Patch::Set(text) => match self.project_get(cx, text).await {
                Ok(project) => Ok(Some(project.id)),
                Err(Error::NotFound { .. }) => Err(Error::invalid("project_id", "There is no such project.")),
                Err(error) => Err(error),
            },
        }
    }

    /// Checks a change of an app that was not made through this API: it has no repository to be built again.
    fn made_up_check(&self, draft: super::deployment_input::Draft) -> Result<(DeploymentRequest, Option<SecretText>)> {
        let mut draft = draft;
        let made_up = draft.request.clone();
        if draft.remote.is_some() || !made_up.branch.is_empty() || !made_up.build_cmd.is_empty() {
            draft.remote = None;
            draft
                .errors
                .push(("remote", "This app is deployed by other means; make a deployment of its name.".to_owned()));
        }
        // What runs now may be no image that could be asked for.
        draft.request.source = DeploymentSource::Image;
        if draft.request.image.is_empty() || draft.request.image.starts_with("slug@") {
            "image".clone_into(&mut draft.request.image);
        }
        let (mut request, credentials) = request_check(draft, self.config().is_private_allowed)?;
        request.image = made_up.image;
        Ok((request, credentials))
    }
}

/// A deployment as it is asked for.
struct Asked {
    project: Option<ProjectId>,
    request: DeploymentRequest,
    credentials: Option<SecretText>,
    work: DeploymentWork,
    release: Option<Release>,
}

fn name_taken(name: &AppName) -> Error {
    Error::Conflict(format!("The name {name} is taken."))
}

fn work_of(request: &DeploymentRequest) -> DeploymentWork {
    match request.source {
        DeploymentSource::Remote => DeploymentWork::Build,
        DeploymentSource::Image => DeploymentWork::Image,
    }
}

/// Whether what is built differs. Source: `dployr-v1.md` §4.3.
fn is_other_program(before: &DeploymentRequest, after: &DeploymentRequest) -> bool {
    before.runtime != after.runtime
        || before.version != after.version
        || before.remote != after.remote
        || before.branch != after.branch
        || before.commit_hash != after.commit_hash
        || before.build_cmd != after.build_cmd
        || before.working_dir != after.working_dir
        || before.static_dir != after.static_dir
        || before.image != after.image
        || (before.kind != after.kind && after.source == DeploymentSource::Remote)
}
