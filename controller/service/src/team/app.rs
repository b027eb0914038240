//! Apps of `/v2` in teams: they show as versionless projects, and a team may own them. Source: `team-api.md` §9.
//!
//! An app shows in the team that owns it, else in the first team of which its owner is an owner. Only what a team owns
//! gives its members rights: that somebody joins a team, or owns one, gives nobody anything. What stands for an app is
//! read here and changed by `/v2` alone; its project and its one version have the app's identity.

use openssl::sha::sha256;
use serde_json::{Value, json};
use slipway_core::AppId;
use slipway_core::app::App;
use slipway_core::authz::AppAction;
use slipway_core::build::Build;
use slipway_store as store;
use slipway_store::Db;
use slipway_team::container::{ImageConfig, ImageName};
use slipway_team::image::Image;
use slipway_team::project::Project;
use slipway_team::registry::{Registry, RegistryDetails, RegistryKind};
use slipway_team::version::{ProjectKind, ROLLING, Version, VersionKind};
use slipway_team::{Error, ImageId, Member, ProjectId, RegistryId, Result, Stamp, TeamId, VersionId};
use uuid::{Builder, Uuid};

use super::image::ImageView;
use crate::audit::{app_subject, event};
use crate::stored::{Fail, write};
use crate::{Cx, Service};

/// The registry of what is built here.
const REGISTRY: &str = "Platform";
/// The process of an app whose build says nothing of processes.
const PROCESS: &str = "web";

/// The app that a project of the team stands for.
pub(super) async fn app_of(db: &mut Db, member: &Member, id: ProjectId) -> Result<Option<App>, Fail> {
    let id = AppId::from_uuid(id.uuid());
    let is_ours = store::team_app_ids(db, member.team.id).await?.contains(&id);
    Ok(if is_ours { store::apps_by_ids(db, &[id]).await?.pop() } else { None })
}

/// The same, for a path with a version: 404 `version` for any but the app's one.
pub(super) async fn app_version_of(
    db: &mut Db,
    member: &Member,
    (project, version): (ProjectId, VersionId),
) -> Result<Option<App>, Fail> {
    let is_project = store::project_by_id(db, member.team.id, project).await?.is_some();
    let app = if is_project { None } else { app_of(db, member, project).await? };
    if app.as_ref().is_some_and(|app| app.id.uuid() != version.uuid()) {
        return Err(Error::not_found("version").into());
    }
    Ok(app)
}

/// What stands for an app is changed elsewhere: 412 `projectId`.
pub(super) fn read_only(app: &App) -> Fail {
    let message = format!("The project stands for the app {}, which is changed by /v2.", app.name);
    Error::precondition("projectId", message).value(app.id.to_string()).into()
}

/// All apps of a team, oldest first.
pub(super) async fn apps_of(db: &mut Db, team: TeamId) -> Result<Vec<App>, Fail> {
    let ids = store::team_app_ids(db, team).await?;
    Ok(if ids.is_empty() { Vec::new() } else { store::apps_by_ids(db, &ids).await? })
}

fn stamp(app: &App) -> Stamp {
    Stamp { created: app.created, created_by: app.owner, updated: app.updated, updated_by: app.owner }
}

/// The project that stands for an app.
pub(super) fn app_project(app: &App, team: TeamId) -> Project {
    Project {
        id: ProjectId::from_uuid(app.id.uuid()),
        team,
        name: app.name.to_string(),
        kind: ProjectKind::Versionless,
        description: None,
        stamp: stamp(app),
    }
}

/// The one version of such a project.
pub(super) fn app_version(app: &App) -> Version {
    Version {
        id: VersionId::from_uuid(app.id.uuid()),
        project: ProjectId::from_uuid(app.id.uuid()),
        name: ROLLING.to_owned(),
        kind: VersionKind::Rolling,
        changelog: None,
        is_default: true,
        parent: None,
        stamp: stamp(app),
    }
}

/// The images of such a version: one for each type of process of the build that runs or is to run, in their order.
pub(super) async fn app_images(db: &mut Db, team: TeamId, app: &App) -> Result<Vec<ImageView>, Fail> {
    let release = store::release_latest_good(db, app.id).await?;
    let Some(build) = release.and_then(|release| release.build) else { return Ok(Vec::new()) };
    let Some(build) = store::build_by_id(db, build).await? else { return Ok(Vec::new()) };
    let mut types: Vec<String> = build.procfile.keys().map(ToString::to_string).collect();
    if types.is_empty() {
        types.push(PROCESS.to_owned());
    }
    let (name, tag) = image_name(app, &build);
    let registry = registry(team, app);
    let view = |(order, process): (u32, String)| {
        let image = Image {
            id: image_id(app, &process),
            version: VersionId::from_uuid(app.id.uuid()),
            registry: registry.id,
            name: name.clone(),
            tag: tag.clone(),
            order,
            config: ImageConfig::bare(&process),
            created: build.created,
        };
        ImageView { image, registry: registry.clone() }
    };
    Ok((0..).zip(types).map(view).collect())
}

/// What a build is called as an image: what was built from source by app and commit, an image by its own name.
fn image_name(app: &App, build: &Build) -> (String, Option<String>) {
    if !build.sha.is_empty() {
        return (app.name.to_string(), Some(build.sha.clone()));
    }
    match ImageName::parse("image", &build.image) {
        Ok(ImageName { name, tag }) => (name, tag),
        Err(_) => (build.image.clone(), None),
    }
}

/// An identity that stays the same for a type of process of an app.
fn image_id(app: &App, process: &str) -> ImageId {
    let digest = sha256(format!("{}/{process}", app.id).as_bytes());
    let mut bytes = [0_u8; 16];
    bytes.iter_mut().zip(digest).for_each(|(byte, from)| *byte = from);
    ImageId::from_uuid(Builder::from_random_bytes(bytes).into_uuid())
}

fn registry(team: TeamId, app: &App) -> Registry {
    let details = RegistryDetails {
        kind: RegistryKind::Unchecked,
        url: String::new(),
        image_prefix: None,
        namespace: None,
        api_url: None,
        credentials: None,
    };
    Registry {
        id: RegistryId::from_uuid(Uuid::nil()),
        team,
        name: REGISTRY.to_owned(),
        description: None,
        icon: None,
        details,
        stamp: stamp(app),
    }
}

impl Service {
    /// Gives an app to the member's team: its owners and administrators may do everything with it, its other members use
    /// it. It leaves the team that it was of.
    ///
    /// # Errors
    /// 404 for an app that is not there; 403 for one that the caller may not give away.
    pub async fn team_app_adopt(&self, cx: &Cx, member: &Member, app: &str) -> Result<()> {
        let app = self.app_for(cx, app, AppAction::Manage).await?;
        write!(self, |db| {
            store::team_app_set(db, member.team.id, app.id, (member.user, cx.now)).await?;
            let after = json!({"team": member.team.slug.as_str()});
            store::event_insert(db, &event(cx, "adopt", app_subject(&app), Value::Null, after)).await?;
            Ok::<_, Fail>(())
        })?;
        Ok(())
    }

    /// Takes an app from the member's team, so that it is its owner's alone again.
    ///
    /// # Errors
    /// As [`Service::team_app_adopt`]; 404 `app` for one that is not the team's.
    pub async fn team_app_release(&self, cx: &Cx, member: &Member, app: &str) -> Result<()> {
        let app = self.app_for(cx, app, AppAction::Manage).await?;
        write!(self, |db| {
            if !store::team_app_remove(db, member.team.id, app.id).await? {
                return Err(Error::not_found("app").into());
            }
            let before = json!({"team": member.team.slug.as_str()});
            store::event_insert(db, &event(cx, "release", app_subject(&app), before, Value::Null)).await?;
            Ok::<_, Fail>(())
        })?;
        Ok(())
    }
}
