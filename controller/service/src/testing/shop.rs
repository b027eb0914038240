//! A team's project with images, and nodes to deploy it to, for tests about deployments.

use serde_json::{Map, Value, json};
use slipway_core::Username;
use slipway_store as store;
use slipway_team::container::ImageConfig;
use slipway_team::image::Image;
use slipway_team::node::{Access, Node, NodeKeys, NodeKind};
use slipway_team::project::Project;
use slipway_team::registry::{Credentials, Registry, RegistryDetails, RegistryKind};
use slipway_team::version::{ProjectKind, Version, VersionKind};
use slipway_team::{Error, ImageId, NodeId, ProjectId, RegistryId, Result, Slug, Stamp, VersionId};

use crate::Service;
use crate::stored::{Fail, write};

/// Something to deploy and nodes to deploy it to.
#[derive(Debug, Clone)]
pub struct Shop {
    /// The project.
    pub project: ProjectId,
    /// Its version: the rolling one, or the first of two incremental ones.
    pub version: VersionId,
    /// The version that was made from that one, where it is incremental.
    pub child: Option<VersionId>,
    /// The images `web` and `db` of the version, in this order. `web` wants the secret `PASSWORD`.
    pub images: Vec<ImageId>,
    /// What the platform itself runs on, as a node.
    pub node: NodeId,
    /// A node that nobody has said how to reach.
    pub nowhere: NodeId,
    /// The key of both nodes.
    pub public_key: String,
}

fn config(name: &str, patch: &Value) -> Result<ImageConfig> {
    ImageConfig::bare(name).patch(patch.as_object().unwrap_or(&Map::new()))
}

/// The image `web` or `db` of a version.
fn image(version: VersionId, registry: RegistryId, order: u32, service: &Service) -> Result<Image> {
    let (name, patch) = if order == 0 {
        let secret = |id: &str, key: &str, required: bool| json!({"id": id, "key": key, "required": required});
        let patch = json!({
            "environment": [{"id": "e1", "key": "MODE", "value": "shop"}],
            "secrets": [secret("s1", "PASSWORD", true), secret("s2", "EXTRA", false)],
            "ports": [{"id": "p1", "internal": 8080, "external": null}],
        });
        ("web", patch)
    } else {
        ("db", json!({}))
    };
    Ok(Image {
        id: ImageId::generate(),
        version,
        registry,
        name: format!("acme/{name}"),
        tag: Some("1".to_owned()),
        order,
        config: config(name, &patch)?,
        created: service.now(),
    })
}

/// Gives the team of this slug something to deploy, made by one of its members.
///
/// # Errors
/// When there is no such member, or when the team has it already.
pub async fn shop(service: &Service, (member, slug): (&str, &str), kind: VersionKind) -> Result<Shop> {
    let internal = |what: &str| Error::from(slipway_core::Error::internal(what.to_owned()));
    let name = Username::new(member).map_err(|_| internal("no user's name"))?;
    let slug = Slug::from_stored(slug).ok_or_else(|| internal("no slug"))?;
    let keys = slipway_openpgp::generate("node").map_err(slipway_core::Error::internal)?;
    let versioned = matches!(kind, VersionKind::Incremental);
    let made = write!(service, |db| {
        let user = store::user_by_name(db, &name).await?.ok_or_else(|| internal("no such user"))?;
        let member = store::member_by_slug(db, user.id, &slug).await?.ok_or_else(|| internal("no such member"))?;
        let (team, stamp) = (member.team.id, Stamp::new(user.id, service.now()));
        let details = RegistryDetails {
            kind: RegistryKind::V2,
            url: "registry.example:5000".to_owned(),
            image_prefix: None,
            namespace: None,
            api_url: None,
            credentials: Some(Credentials { user: "puller".to_owned(), token: "PULLTOKEN".into() }),
        };
        let registry = Registry {
            id: RegistryId::generate(),
            team,
            name: format!("for {}", kind.as_str()),
            description: None,
            icon: None,
            details,
            stamp,
        };
        store::registry_insert(db, &registry).await?;
        let project = Project {
            id: ProjectId::generate(),
            team,
            name: format!("shop {}", kind.as_str()),
            kind: if versioned { ProjectKind::Versioned } else { ProjectKind::Versionless },
            description: None,
            stamp,
        };
        store::project_insert(db, &project).await?;
        let version = |name: &str, parent: Option<VersionId>| Version {
            id: VersionId::generate(),
            project: project.id,
            name: name.to_owned(),
            kind,
            changelog: None,
            is_default: parent.is_none(),
            parent,
            stamp,
        };
        let first = version(if versioned { "1.0" } else { "rolling" }, None);
        let child = versioned.then(|| version("2.0", Some(first.id)));
        let mut images = Vec::new();
        for version in std::iter::once(&first).chain(&child) {
            store::version_insert(db, version).await?;
            for order in 0..2 {
                let image = image(version.id, registry.id, order, service)?;
                store::image_insert(db, &image).await?;
                images.push(image.id);
            }
        }
        images.truncate(2);
        let node = |name: &str, access: Access| Node {
            id: NodeId::generate(),
            team,
            name: format!("{name} {}", kind.as_str()),
            description: None,
            icon: None,
            kind: NodeKind::Kubernetes,
            access,
            keys: Some(NodeKeys { public: keys.public.clone(), secret: keys.secret.clone() }),
            stamp,
        };
        let (here, nowhere) = (node("here", Access::Platform), node("nowhere", Access::None));
        store::node_insert(db, &here).await?;
        store::node_insert(db, &nowhere).await?;
        Ok::<_, Fail>(Shop {
            project: project.id,
            version: first.id,
            child: child.map(|child| child.id),
            images,
            node: here.id,
            nowhere: nowhere.id,
            public_key: keys.public.clone(),
        })
    })?;
    service.nodes_check().await?;
    Ok(made)
}
