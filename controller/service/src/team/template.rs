//! Templates, and projects that are made of them. Source: `team-api.md` §3.13 and §4.9.

use std::collections::BTreeMap;

use slipway_store as store;
use slipway_store::{StoreError, UniqueOn};
use slipway_team::image::Image;
use slipway_team::project::Project;
use slipway_team::registry::Registry;
use slipway_team::template::Template;
use slipway_team::version::{ProjectKind, ROLLING, Version, VersionKind};
use slipway_team::{Error, ImageId, Member, ProjectId, RegistryId, Result, Stamp, VersionId};

use super::project::{ProjectItem, name_taken};
use super::registry::about_check;
use crate::stored::{Fail, write};
use crate::{Cx, Service};

/// The name of the first version of a versioned project.
const FIRST_VERSION: &str = "1.0.0";

/// A project that is to be made of a template.
#[derive(Debug, Clone)]
pub struct TemplateUse {
    /// The template.
    pub id: String,
    /// The project's name.
    pub name: String,
    /// How the project keeps its versions.
    pub kind: ProjectKind,
    /// For people.
    pub description: Option<String>,
}

impl Service {
    /// All templates, by their identities.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        self.config().teams.templates.iter()
    }

    /// One template.
    ///
    /// # Errors
    /// 404 `template`.
    pub fn template(&self, id: &str) -> Result<&Template> {
        self.config().teams.templates.find(id).ok_or_else(|| Error::not_found("template"))
    }

    /// Makes a project of a template, with the registries that the team lacks, a version and its images: all or nothing.
    /// Registries are not asked: a template's are public.
    ///
    /// # Errors
    /// 400 by member; 404 `template`; 409 `name`.
    pub async fn template_use(&self, cx: &Cx, member: &Member, given: TemplateUse) -> Result<ProjectItem> {
        let TemplateUse { id, name, kind, description } = given;
        let template = self.template(&id)?;
        about_check(&name, description.as_deref(), None)?;
        let stamp = Stamp::new(member.user, cx.now);
        let project = Project { id: ProjectId::generate(), team: member.team.id, name, kind, description, stamp };
        let (name, version_kind) = match kind {
            ProjectKind::Versionless => (ROLLING, VersionKind::Rolling),
            ProjectKind::Versioned => (FIRST_VERSION, VersionKind::Incremental),
        };
        let version = Version {
            id: VersionId::generate(),
            project: project.id,
            name: name.to_owned(),
            kind: version_kind,
            changelog: None,
            is_default: true,
            parent: None,
            stamp,
        };
        write!(self, |db| {
            store::project_insert(db, &project).await.map_err(name_taken)?;
            store::version_insert(db, &version).await?;
            let registries = registries(db, member, template, stamp).await?;
            for (order, own) in (0..).zip(&template.images) {
                let registry = registries.get(own.registry.as_str()).copied();
                let image = Image {
                    id: ImageId::generate(),
                    version: version.id,
                    registry: registry.ok_or_else(|| slipway_core::Error::internal("a template without registry"))?,
                    name: own.name.clone(),
                    tag: own.tag.clone(),
                    order,
                    config: own.config.clone(),
                    created: cx.now,
                };
                store::image_insert(db, &image).await?;
            }
            Ok::<_, Fail>(())
        })?;
        Ok(ProjectItem { project, version_count: 1 })
    }
}

/// The team's registries for the names that a template gives; those that it lacks are made.
async fn registries<'a>(
    db: &mut store::Db,
    member: &Member,
    template: &'a Template,
    stamp: Stamp,
) -> std::result::Result<BTreeMap<&'a str, RegistryId>, Fail> {
    let own = store::registries_list(db, member.team.id).await?;
    let mut found = BTreeMap::new();
    for wanted in &template.registries {
        let id = if let Some(registry) = own.iter().find(|registry| registry.name == wanted.name) {
            registry.id
        } else {
            let registry = Registry {
                id: RegistryId::generate(),
                team: member.team.id,
                name: wanted.name.clone(),
                description: wanted.description.clone(),
                icon: wanted.icon.clone(),
                details: wanted.details.clone(),
                stamp,
            };
            store::registry_insert(db, &registry).await.map_err(registry_taken)?;
            registry.id
        };
        found.insert(wanted.name.as_str(), id);
    }
    Ok(found)
}

fn registry_taken(error: StoreError) -> Fail {
    match error {
        StoreError::Conflict { what: UniqueOn::RegistryName } => Error::taken("registries").into(),
        other => other.into(),
    }
}
