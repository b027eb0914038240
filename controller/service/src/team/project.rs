//! Projects of teams. Source: `team-api.md` §3.2 and §4.3.

use std::collections::{BTreeMap, BTreeSet};

use slipway_store as store;
use slipway_store::{Db, StoreError, UniqueOn};
use slipway_team::deployment::Status;
use slipway_team::project::Project;
use slipway_team::version::{ProjectKind, ROLLING, Version, VersionKind, flags};
use slipway_team::{Error, Member, ProjectId, Result, Stamp, VersionId};

use super::app::{app_of, app_project, app_version, apps_of, read_only};
use super::registry::{about_check, text_check};
use crate::stored::{Fail, Stored, write};
use crate::{Cx, Service};

/// A project as a request has it.
#[derive(Debug, Clone)]
pub struct ProjectGiven {
    /// Its name.
    pub name: String,
    /// How it keeps its versions.
    pub kind: ProjectKind,
    /// For people.
    pub description: Option<String>,
    /// What changed in its one version; passed over when it is versioned.
    pub changelog: Option<String>,
}

/// What is to be changed of a project.
#[derive(Debug, Clone)]
pub struct ProjectChange {
    /// Its name.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// What changed in its one version; nothing leaves it as it is, an empty text removes it.
    pub changelog: Option<String>,
}

/// A project as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectItem {
    /// The project.
    pub project: Project,
    /// How many versions it has.
    pub version_count: u64,
}

/// A version as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionItem {
    /// The version.
    pub version: Version,
    /// Whether the next version may be made from it.
    pub is_increasable: bool,
}

/// A project with its versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectView {
    /// The project.
    pub project: Project,
    /// Whether none of its deployments is on its way.
    pub is_deletable: bool,
    /// Its versions, oldest first.
    pub versions: Vec<VersionItem>,
}

/// A text without characters is none.
pub(super) fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// The project of the member's team; 412 `projectId` when it stands for an app.
pub(super) async fn project_of(db: &mut Db, member: &Member, id: ProjectId) -> Result<Project, Fail> {
    match store::project_by_id(db, member.team.id, id).await? {
        Some(project) => Ok(project),
        None => match app_of(db, member, id).await? {
            Some(app) => Err(read_only(&app)),
            None => Err(Error::not_found("project").into()),
        },
    }
}

/// A project's versions, and which of them may be increased. `links` are the versions that have a child.
pub(super) fn version_items(
    kind: ProjectKind,
    versions: Vec<Version>,
    links: &BTreeSet<VersionId>,
) -> Vec<VersionItem> {
    versions.into_iter().map(|version| version_item(kind, version, links)).collect()
}

/// One of them.
pub(super) fn version_item(kind: ProjectKind, version: Version, links: &BTreeSet<VersionId>) -> VersionItem {
    let is_increasable = flags(kind, version.kind, links.contains(&version.id), &[]).is_increasable;
    VersionItem { version, is_increasable }
}

/// Whether a project whose deployments have these states may be deleted. Source: `team-api.md` §3.2.
fn is_deletable(statuses: &BTreeMap<VersionId, Vec<Status>>) -> bool {
    !statuses.values().flatten().any(|status| *status == Status::InProgress)
}

pub(super) fn name_taken(error: StoreError) -> Fail {
    match error {
        StoreError::Conflict { what: UniqueOn::ProjectName } => Error::taken("name").into(),
        other => other.into(),
    }
}

impl Service {
    /// The projects of the member's team, and those that stand for its apps, oldest first.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn team_projects_list(&self, member: &Member) -> Result<Vec<ProjectItem>> {
        let mut db = self.read().await?;
        let projects = store::projects_list(&mut db, member.team.id).await.stored()?;
        let counts = store::project_version_counts(&mut db, member.team.id).await.stored()?;
        let item = |project: Project| {
            let version_count = counts.get(&project.id).copied().unwrap_or_default();
            ProjectItem { project, version_count }
        };
        let mut items: Vec<ProjectItem> = projects.into_iter().map(item).collect();
        let apps = apps_of(&mut db, member.team.id).await.map_err(Error::from)?;
        items
            .extend(apps.iter().map(|app| ProjectItem { project: app_project(app, member.team.id), version_count: 1 }));
        items.sort_by_key(|item| item.project.stamp.created);
        Ok(items)
    }

    /// Makes a project; a versionless one with its one version, which is rolling and the default.
    ///
    /// # Errors
    /// 400 by member; 409 `name`.
    pub async fn team_project_create(&self, cx: &Cx, member: &Member, given: ProjectGiven) -> Result<ProjectItem> {
        let ProjectGiven { name, kind, description, changelog } = given;
        about_check(&name, description.as_deref(), None)?;
        text_check("changelog", changelog.as_deref())?;
        let stamp = Stamp::new(member.user, cx.now);
        let project = Project { id: ProjectId::generate(), team: member.team.id, name, kind, description, stamp };
        let rolling = (kind == ProjectKind::Versionless).then(|| Version {
            id: VersionId::generate(),
            project: project.id,
            name: ROLLING.to_owned(),
            kind: VersionKind::Rolling,
            changelog: filled(changelog),
            is_default: true,
            parent: None,
            stamp,
        });
        write!(self, |db| {
            store::project_insert(db, &project).await.map_err(name_taken)?;
            if let Some(rolling) = &rolling {
                store::version_insert(db, rolling).await?;
            }
            Ok::<_, Fail>(())
        })?;
        Ok(ProjectItem { project, version_count: rolling.map_or(0, |_| 1) })
    }

    /// A project of the member's team.
    ///
    /// # Errors
    /// 404 `project`.
    pub async fn team_project_get(&self, member: &Member, id: ProjectId) -> Result<ProjectView> {
        let mut db = self.read().await?;
        let Some(project) = store::project_by_id(&mut db, member.team.id, id).await.stored()? else {
            let app = app_of(&mut db, member, id).await.map_err(Error::from)?;
            let app = app.ok_or_else(|| Error::not_found("project"))?;
            let versions = vec![VersionItem { version: app_version(&app), is_increasable: false }];
            return Ok(ProjectView { project: app_project(&app, member.team.id), is_deletable: false, versions });
        };
        let versions = store::versions_list(&mut db, id, None).await.stored()?;
        let links = store::version_parents(&mut db, id).await.stored()?;
        let statuses = store::deployment_statuses(&mut db, id).await.stored()?;
        Ok(ProjectView {
            is_deletable: is_deletable(&statuses),
            versions: version_items(project.kind, versions, &links),
            project,
        })
    }

    /// Changes a project. What changed is written to the one version of a versionless project.
    ///
    /// # Errors
    /// 400 by member; 404 `project`; 409 `name`; 412 `changelog` when the project is versioned.
    pub async fn team_project_update(
        &self,
        cx: &Cx,
        member: &Member,
        id: ProjectId,
        change: ProjectChange,
    ) -> Result<()> {
        let ProjectChange { name, description, changelog } = change;
        about_check(&name, description.as_deref(), None)?;
        text_check("changelog", changelog.as_deref())?;
        write!(self, |db| {
            let old = project_of(db, member, id).await?;
            let stamp = |stamp: Stamp| Stamp { updated: cx.now, updated_by: member.user, ..stamp };
            match (old.kind, changelog) {
                (_, None) => {}
                (ProjectKind::Versioned, Some(changelog)) if changelog.is_empty() => {}
                (ProjectKind::Versioned, Some(_)) => {
                    let message = "What changed is written to the versions of a versioned project.";
                    return Err(Error::precondition("changelog", message).into());
                }
                (ProjectKind::Versionless, given) => {
                    for version in store::versions_list(db, id, None).await? {
                        let changelog = filled(given.clone());
                        let version = Version { changelog, stamp: stamp(version.stamp), ..version };
                        store::version_update(db, &version).await?;
                    }
                }
            }
            let project = Project { name, description, stamp: stamp(old.stamp), ..old };
            store::project_update(db, &project).await.map_err(name_taken)?;
            Ok::<_, Fail>(())
        })?;
        Ok(())
    }

    /// Removes a project with its versions and their deployments. What runs goes on running.
    ///
    /// # Errors
    /// 404 `project`; 412 `projectId` while one of its deployments is on its way.
    pub async fn team_project_delete(&self, member: &Member, id: ProjectId) -> Result<()> {
        write!(self, |db| {
            project_of(db, member, id).await?;
            if !is_deletable(&store::deployment_statuses(db, id).await?) {
                let refusal = Error::precondition("projectId", "A deployment of the project is on its way.");
                return Err(refusal.value(id.to_string()).into());
            }
            store::project_delete(db, member.team.id, id).await?;
            Ok::<_, Fail>(())
        })?;
        Ok(())
    }

    /// Makes a versionless project versioned; its version stays, and stays the default. Nothing happens to one that is.
    ///
    /// # Errors
    /// 404 `project`.
    pub async fn team_project_convert(&self, cx: &Cx, member: &Member, id: ProjectId) -> Result<()> {
        write!(self, |db| {
            let old = project_of(db, member, id).await?;
            if old.kind == ProjectKind::Versionless {
                let stamp = Stamp { updated: cx.now, updated_by: member.user, ..old.stamp };
                store::project_update(db, &Project { kind: ProjectKind::Versioned, stamp, ..old }).await?;
            }
            Ok::<_, Fail>(())
        })?;
        Ok(())
    }
}
