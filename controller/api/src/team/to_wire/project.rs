//! Projects and what belongs to them.

use serde::Serialize;
use serde_json::Value;
use slipway_core::Result;
use slipway_service::{ImageView, ProjectItem, ProjectView, VersionDeployment, VersionDetails, VersionItem};
use slipway_team::Stamp;
use slipway_team::container::part::Routing;
use slipway_team::image::Image;
use slipway_team::project::Project;
use slipway_team::version::{Flags, ProjectKind, Version};
use slipway_wire::team as wire;

use super::time;
use crate::team::ingress;
use crate::team::scope::Dialect;

pub(super) fn audit(stamp: &Stamp) -> wire::Audit {
    let Stamp { created, created_by, updated, updated_by } = stamp;
    wire::Audit {
        created_at: time(*created),
        created_by: created_by.to_string(),
        updated_at: time(*updated),
        updated_by: updated_by.to_string(),
    }
}

/// The kind of a project; the older generation has other words. Source: `team-api.md` §5.
pub(in crate::team) const fn project_kind(kind: ProjectKind, dialect: Dialect) -> &'static str {
    match (kind, dialect) {
        (kind, Dialect::Slug) => kind.as_str(),
        (ProjectKind::Versionless, Dialect::Active) => "simple",
        (ProjectKind::Versioned, Dialect::Active) => "complex",
    }
}

fn project(project: &Project, dialect: Dialect) -> wire::Project {
    let Project { id, team: _, name, kind, description, stamp } = project;
    wire::Project {
        id: id.to_string(),
        name: name.clone(),
        r#type: project_kind(*kind, dialect).to_owned(),
        description: description.clone(),
        audit: audit(stamp),
    }
}

pub(in crate::team) fn project_item(item: &ProjectItem, dialect: Dialect) -> wire::ProjectItem {
    let ProjectItem { project: own, version_count } = item;
    wire::ProjectItem { project: project(own, dialect), version_count: *version_count }
}

pub(in crate::team) fn project_details(view: &ProjectView, dialect: Dialect) -> wire::ProjectDetails {
    let ProjectView { project: own, is_deletable, versions } = view;
    wire::ProjectDetails {
        project: project(own, dialect),
        deletable: *is_deletable,
        versions: versions.iter().map(version).collect(),
    }
}

pub(in crate::team) fn version(item: &VersionItem) -> wire::Version {
    let VersionItem { version, is_increasable } = item;
    version_of(version, *is_increasable)
}

fn version_of(version: &Version, is_increasable: bool) -> wire::Version {
    let Version { id, project: _, name, kind, changelog, is_default, parent: _, stamp } = version;
    wire::Version {
        id: id.to_string(),
        name: name.clone(),
        r#type: kind.as_str().to_owned(),
        changelog: changelog.clone(),
        default: *is_default,
        increasable: is_increasable,
        audit: audit(stamp),
    }
}

pub(in crate::team) fn version_details(details: &VersionDetails, dialect: Dialect) -> Result<wire::VersionDetails> {
    let VersionDetails { version, flags, images, deployments } = details;
    let Flags { is_increasable, is_mutable, is_deletable } = *flags;
    Ok(wire::VersionDetails {
        version: version_of(version, is_increasable),
        mutable: is_mutable,
        deletable: is_deletable,
        images: images.iter().map(|view| image(view, dialect)).collect::<Result<_>>()?,
        deployments: deployments.iter().map(deployment_with_node).collect(),
    })
}

fn deployment_with_node(own: &VersionDeployment) -> wire::DeploymentWithNode {
    let VersionDeployment { deployment, node, node_status } = own;
    wire::DeploymentWithNode {
        id: deployment.id.to_string(),
        prefix: deployment.prefix.clone(),
        status: deployment.status.as_str().to_owned(),
        note: deployment.note.clone(),
        updated_at: time(deployment.stamp.updated),
        node: wire::NodeOfDeployment {
            id: node.id.to_string(),
            name: node.name.clone(),
            r#type: node.kind.as_str().to_owned(),
            status: node_status.as_str().to_owned(),
        },
    }
}

pub(in crate::team) fn image(view: &ImageView, dialect: Dialect) -> Result<wire::Image> {
    let ImageView { image: Image { id, version: _, registry: _, name, tag, order, config: own, created }, registry } =
        view;
    Ok(wire::Image {
        id: id.to_string(),
        name: name.clone(),
        tag: tag.clone(),
        order: *order,
        config: config(own, own.routing.as_ref(), dialect)?,
        created_at: time(*created),
        registry: wire::Basic {
            id: registry.id.to_string(),
            name: registry.name.clone(),
            r#type: registry.details.kind.as_str().to_owned(),
        },
    })
}

/// The configuration of a container is a document; the older generation says otherwise where requests come in.
pub(super) fn config(config: &impl Serialize, routing: Option<&Routing>, dialect: Dialect) -> Result<Value> {
    let mut document = serde_json::to_value(config).map_err(slipway_core::Error::internal)?;
    if let (Dialect::Active, Some(members)) = (dialect, document.as_object_mut()) {
        ingress::to_wire(members, routing);
    }
    Ok(document)
}
