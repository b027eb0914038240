//! Versions of projects. Source: `team-api.md` §3.3 and §4.3.

use std::collections::BTreeMap;

use slipway_store as store;
use slipway_store::{Db, StoreError, UniqueOn};
use slipway_team::deployment::{Deployment, Status};
use slipway_team::name::name_check;
use slipway_team::node::{Node, NodeStatus};
use slipway_team::notification::Happening;
use slipway_team::project::Project;
use slipway_team::team::person_name;
use slipway_team::version::{Flags, ProjectKind, Version, VersionKind, flags};
use slipway_team::{Error, Member, NodeId, ProjectId, Result, Stamp, VersionId};

use super::app::{app_images, app_of, app_version, app_version_of};
use super::happening::happening_record;
use super::image::{ImageView, image_views};
use super::project::{VersionItem, filled, project_of, version_item, version_items};
use super::registry::text_check;
use super::version_copy::{Copied, version_copy};
use crate::stored::{Fail, Stored, write};
use crate::{Cx, Service};

/// A version as a request has it.
#[derive(Debug, Clone)]
pub struct VersionGiven {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub kind: VersionKind,
    /// What changed.
    pub changelog: Option<String>,
}

/// What is to be changed of a version, or what the next one is called.
#[derive(Debug, Clone)]
pub struct VersionChange {
    /// Its name.
    pub name: String,
    /// What changed.
    pub changelog: Option<String>,
}

/// A deployment of a version, with its node.
#[derive(Debug, Clone)]
pub struct VersionDeployment {
    /// The deployment.
    pub deployment: Deployment,
    /// Where it is.
    pub node: Node,
    /// Whether that answers at the moment.
    pub node_status: NodeStatus,
}

/// A version with what is in it.
#[derive(Debug, Clone)]
pub struct VersionDetails {
    /// The version.
    pub version: Version,
    /// What may be done with it.
    pub flags: Flags,
    /// Its images, in their order.
    pub images: Vec<ImageView>,
    /// Its deployments, newest first.
    pub deployments: Vec<VersionDeployment>,
}

impl VersionChange {
    fn check(&self) -> Result<()> {
        name_check("name", &self.name)?;
        text_check("changelog", self.changelog.as_deref())
    }
}

/// A version of a project of the member's team.
pub(super) async fn version_of(
    db: &mut Db,
    member: &Member,
    (project, id): (ProjectId, VersionId),
) -> Result<(Project, Version), Fail> {
    let project = project_of(db, member, project).await?;
    let version = store::version_by_id(db, project.id, id).await?;
    let version = version.ok_or_else(|| Error::not_found("version"))?;
    Ok((project, version))
}

/// What may be done with a version.
async fn flags_of(db: &mut Db, project: &Project, version: &Version) -> Result<Flags, Fail> {
    let has_child = store::version_parents(db, project.id).await?.contains(&version.id);
    let statuses = store::deployment_statuses(db, project.id).await?;
    let statuses = statuses.get(&version.id).map_or(&[][..], Vec::as_slice);
    Ok(flags(project.kind, version.kind, has_child, statuses))
}

/// A version that may be changed. 412 `versionId` otherwise.
pub(super) async fn version_mutable(
    db: &mut Db,
    member: &Member,
    path: (ProjectId, VersionId),
) -> Result<(Project, Version), Fail> {
    let (project, version) = version_of(db, member, path).await?;
    if !flags_of(db, &project, &version).await?.is_mutable {
        return Err(immutable(&version, "The version cannot be changed any more."));
    }
    Ok((project, version))
}

fn immutable(version: &Version, message: &str) -> Fail {
    Error::precondition("versionId", message).value(version.id.to_string()).into()
}

/// 412 `property` for a version of a project that has one alone.
fn versionless(property: &str, value: String) -> Fail {
    Error::precondition(property, "The project has no versions.").value(value).into()
}

fn taken(error: StoreError, parent: Option<VersionId>) -> Fail {
    match (error, parent) {
        (StoreError::Conflict { what: UniqueOn::VersionName }, _) => Error::taken("name").into(),
        (StoreError::Conflict { what: UniqueOn::VersionParent }, Some(parent)) => has_child(parent),
        (other, _) => other.into(),
    }
}

fn has_child(id: VersionId) -> Fail {
    Error::conflict("id", "The next version is made already.").value(id.to_string()).into()
}

impl Service {
    /// The versions of a project whose name holds `name_contains`, oldest first.
    ///
    /// # Errors
    /// 404 `project`.
    pub async fn versions_list(
        &self,
        member: &Member,
        project: ProjectId,
        name_contains: Option<&str>,
    ) -> Result<Vec<VersionItem>> {
        let mut db = self.read().await?;
        let Some(project) = store::project_by_id(&mut db, member.team.id, project).await.stored()? else {
            let app = app_of(&mut db, member, project).await.map_err(Error::from)?;
            let version = app_version(&app.ok_or_else(|| Error::not_found("project"))?);
            let is_wanted = name_contains.is_none_or(|part| version.name.contains(part));
            return Ok(is_wanted.then_some(VersionItem { version, is_increasable: false }).into_iter().collect());
        };
        let versions = store::versions_list(&mut db, project.id, name_contains).await.stored()?;
        let links = store::version_parents(&mut db, project.id).await.stored()?;
        Ok(version_items(project.kind, versions, &links))
    }

    /// Makes a version. The first of a project becomes its default; others begin with the images and deployments of
    /// the default.
    ///
    /// # Errors
    /// 400 by member; 404 `project`; 409 `name`; 412 `projectId` when the project is versionless.
    pub async fn version_create(
        &self,
        cx: &Cx,
        member: &Member,
        project: ProjectId,
        given: VersionGiven,
    ) -> Result<VersionItem> {
        let VersionGiven { name, kind, changelog } = given;
        let change = VersionChange { name, changelog };
        change.check()?;
        let who = person_name(&self.user_of(member.user).await?);
        let stamp = Stamp::new(member.user, cx.now);
        let version = write!(self, |db| {
            let project = project_of(db, member, project).await?;
            if project.kind == ProjectKind::Versionless {
                return Err(versionless("projectId", project.id.to_string()));
            }
            let model = store::version_default(db, project.id).await?;
            let VersionChange { name, changelog } = change;
            let version = Version {
                id: VersionId::generate(),
                project: project.id,
                name,
                kind,
                changelog: filled(changelog),
                is_default: model.is_none(),
                parent: None,
                stamp,
            };
            store::version_insert(db, &version).await.map_err(|error| taken(error, None))?;
            if let Some(model) = model {
                version_copy(db, model.id, version.id, Copied { stamp, statuses: &Status::ALL }).await?;
            }
            happening_record(db, member.team.id, &made(who, &project, &version), cx.now).await?;
            Ok::<_, Fail>(version)
        })?;
        self.happening_told();
        Ok(VersionItem { is_increasable: version.kind == VersionKind::Incremental, version })
    }

    /// A version with its images and deployments.
    ///
    /// # Errors
    /// 404 `project` or `version`.
    pub async fn version_get(&self, member: &Member, path: (ProjectId, VersionId)) -> Result<VersionDetails> {
        let mut db = self.read().await?;
        if let Some(app) = app_version_of(&mut db, member, path).await.map_err(Error::from)? {
            return Ok(VersionDetails {
                version: app_version(&app),
                flags: Flags { is_increasable: false, is_mutable: false, is_deletable: false },
                images: app_images(&mut db, member.team.id, &app).await.map_err(Error::from)?,
                deployments: Vec::new(),
            });
        }
        let (project, version) = version_of(&mut db, member, path).await.map_err(Error::from)?;
        let deployments = store::deployments_by_versions(&mut db, &[version.id]).await.stored()?;
        let deployments = deployments.into_values().next().unwrap_or_default();
        let statuses: Vec<Status> = deployments.iter().map(|deployment| deployment.status).collect();
        let has_child = store::version_parents(&mut db, project.id).await.stored()?.contains(&version.id);
        let images = image_views(&mut db, member, version.id).await.map_err(Error::from)?;
        let nodes: BTreeMap<NodeId, Node> = if deployments.is_empty() {
            BTreeMap::new()
        } else {
            let nodes = store::nodes_list(&mut db, member.team.id).await.stored()?;
            nodes.into_iter().map(|node| (node.id, node)).collect()
        };
        let placed = |deployment: Deployment| {
            let node = nodes.get(&deployment.node)?.clone();
            let node_status = self.node_live(&node).status;
            Some(VersionDeployment { deployment, node, node_status })
        };
        Ok(VersionDetails {
            flags: flags(project.kind, version.kind, has_child, &statuses),
            version,
            images,
            deployments: deployments.into_iter().filter_map(placed).collect(),
        })
    }

    /// Gives a version another name and another text about what changed.
    ///
    /// # Errors
    /// 400 by member; 404 `project` or `version`; 409 `name`; 412 `versionId` when it cannot be changed any more, `id`
    /// when the project is versionless.
    pub async fn version_update(
        &self,
        cx: &Cx,
        member: &Member,
        path: (ProjectId, VersionId),
        change: VersionChange,
    ) -> Result<()> {
        change.check()?;
        write!(self, |db| {
            let (project, old) = version_mutable(db, member, path).await?;
            if project.kind == ProjectKind::Versionless {
                return Err(versionless("id", old.id.to_string()));
            }
            let VersionChange { name, changelog } = change;
            let stamp = Stamp { updated: cx.now, updated_by: member.user, ..old.stamp };
            let version = Version { name, changelog: filled(changelog), stamp, ..old };
            store::version_update(db, &version).await.map_err(|error| taken(error, None))?;
            Ok::<_, Fail>(())
        })?;
        Ok(())
    }

    /// Removes a version with its images and deployments. When it was the default, the oldest that is left becomes it.
    ///
    /// # Errors
    /// 404 `project` or `version`; 412 `versionId` unless it may be deleted.
    pub async fn version_delete(&self, cx: &Cx, member: &Member, path: (ProjectId, VersionId)) -> Result<()> {
        write!(self, |db| {
            let (project, version) = version_of(db, member, path).await?;
            let flags = flags_of(db, &project, &version).await?;
            if !flags.is_mutable || !flags.is_deletable {
                return Err(immutable(&version, "The version cannot be deleted."));
            }
            store::version_delete(db, project.id, version.id).await?;
            let oldest = store::versions_list(db, project.id, None).await?.into_iter().next();
            if let Some(oldest) = oldest.filter(|_| version.is_default) {
                store::version_set_default(db, project.id, oldest.id, (member.user, cx.now)).await?;
            }
            Ok::<_, Fail>(())
        })?;
        Ok(())
    }

    /// Makes a version the one that new ones of the project begin as.
    ///
    /// # Errors
    /// 404 `project` or `version`.
    pub async fn version_set_default(&self, cx: &Cx, member: &Member, path: (ProjectId, VersionId)) -> Result<()> {
        write!(self, |db| {
            let (project, version) = version_of(db, member, path).await?;
            if !version.is_default {
                store::version_set_default(db, project.id, version.id, (member.user, cx.now)).await?;
            }
            Ok::<_, Fail>(())
        })?;
        Ok(())
    }

    /// Makes the next version from one that is incremental: with its images, and with the deployments that run, failed
    /// or were never started, of each node and prefix the one that was changed last.
    ///
    /// # Errors
    /// 400 by member; 404 `project` or `version`; 409 `id` when the next is made already, `name`; 412 `id` when it is
    /// rolling or the project versionless.
    pub async fn version_increase(
        &self,
        cx: &Cx,
        member: &Member,
        path: (ProjectId, VersionId),
        change: VersionChange,
    ) -> Result<VersionItem> {
        change.check()?;
        let who = person_name(&self.user_of(member.user).await?);
        let stamp = Stamp::new(member.user, cx.now);
        let (project, version) = write!(self, |db| {
            let (project, parent) = version_of(db, member, path).await?;
            if project.kind == ProjectKind::Versionless || parent.kind == VersionKind::Rolling {
                let refusal = Error::precondition("id", "Only versions of the incremental kind are increased.");
                return Err(refusal.value(parent.id.to_string()).into());
            }
            if store::version_parents(db, project.id).await?.contains(&parent.id) {
                return Err(has_child(parent.id));
            }
            let VersionChange { name, changelog } = change;
            let version = Version {
                id: VersionId::generate(),
                project: project.id,
                name,
                kind: parent.kind,
                changelog: filled(changelog),
                is_default: false,
                parent: Some(parent.id),
                stamp,
            };
            store::version_insert(db, &version).await.map_err(|error| taken(error, Some(parent.id)))?;
            let statuses = &[Status::Successful, Status::Preparing, Status::Failed];
            version_copy(db, parent.id, version.id, Copied { stamp, statuses }).await?;
            happening_record(db, member.team.id, &made(who, &project, &version), cx.now).await?;
            Ok::<_, Fail>((project, version))
        })?;
        self.happening_told();
        Ok(version_item(project.kind, version, &std::collections::BTreeSet::new()))
    }
}

fn made(who: String, project: &Project, version: &Version) -> Happening {
    Happening::VersionCreated { who, version: version.name.clone(), project: project.name.clone() }
}
