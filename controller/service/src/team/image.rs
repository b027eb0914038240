//! Images of versions. Source: `team-api.md` §3.4 and §4.4.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use slipway_store as store;
use slipway_store::Db;
use slipway_team::container::part::Storage;
use slipway_team::container::reference::tag_check;
use slipway_team::container::{ImageConfig, ImageName};
use slipway_team::deployment::Instance;
use slipway_team::image::Image;
use slipway_team::registry::Registry;
use slipway_team::version::Version;
use slipway_team::{
    Error, ImageId, InstanceId, Member, ProjectId, Refusal, Refused, RegistryId, Result, StorageId, TeamId, VersionId,
};

use super::app::{app_images, app_version_of};
use super::version::{version_mutable, version_of};
use crate::stored::{Fail, Stored, write};
use crate::{Cx, Service};

/// Most images of a version.
const IMAGES_MAX: usize = 1000;

/// Images to be added, all in one registry.
#[derive(Debug, Clone)]
pub struct ImagesGiven {
    /// The registry.
    pub registry: RegistryId,
    /// Names, with tags or digests.
    pub names: Vec<String>,
}

/// What is to be changed of an image.
#[derive(Debug, Clone, Default)]
pub struct ImageChange {
    /// Its tag; nothing leaves it.
    pub tag: Option<String>,
    /// Members of its configuration; those that are not named stay.
    pub config: Option<Map<String, Value>>,
}

/// An image, and the registry that it is in.
#[derive(Debug, Clone)]
pub struct ImageView {
    /// The image.
    pub image: Image,
    /// Its registry.
    pub registry: Registry,
}

/// The images of a version in their order, with their registries; two statements, however many images.
pub(super) async fn image_views(db: &mut Db, member: &Member, version: VersionId) -> Result<Vec<ImageView>, Fail> {
    let images = store::images_by_versions(db, &[version]).await?.remove(&version).unwrap_or_default();
    if images.is_empty() {
        return Ok(Vec::new());
    }
    let registries = registries_of(db, member.team.id).await?;
    let view = |image: Image| {
        let registry = registries.get(&image.registry)?.clone();
        Some(ImageView { image, registry })
    };
    Ok(images.into_iter().filter_map(view).collect())
}

async fn registries_of(db: &mut Db, team: TeamId) -> Result<BTreeMap<RegistryId, Registry>, Fail> {
    Ok(store::registries_list(db, team).await?.into_iter().map(|registry| (registry.id, registry)).collect())
}

/// An image of a version.
pub(super) async fn image_of(db: &mut Db, version: &Version, id: ImageId) -> Result<Image, Fail> {
    let image = store::image_by_id(db, version.id, id).await?;
    Ok(image.ok_or_else(|| Error::not_found("image"))?)
}

/// Refuses the name of a storage that the team has not: what is fetched from it would be another team's.
pub(super) async fn storage_named_check(db: &mut Db, team: TeamId, storage: Option<&Storage>) -> Result<(), Fail> {
    let Some(name) = storage.and_then(|storage| storage.storage_id.as_deref()) else { return Ok(()) };
    let is_there = match name.parse::<StorageId>() {
        Ok(id) => store::storage_by_id(db, team, id).await?.is_some(),
        Err(_) => false,
    };
    if is_there {
        return Ok(());
    }
    let message = "config.storage.storageId names no storage of the team";
    Err(Refusal::new(Refused::Invalid, "config.storage.storageId", message).value(name).into())
}

/// The names of images in a request, each with its registry.
fn names_parse(given: &[ImagesGiven]) -> Result<Vec<(RegistryId, ImageName)>> {
    let mut names = Vec::new();
    for ImagesGiven { registry, names: texts } in given {
        for text in texts {
            names.push((*registry, ImageName::parse("images", text)?));
        }
    }
    Ok(names)
}

/// Checks that `wanted` is an order of `images`. Source: `team-api.md` §3.4.
fn order_check(images: &[ImageId], wanted: &[ImageId]) -> Result<()> {
    if wanted.len() != images.len() {
        let message = format!("The version has {} images, and {} are named.", images.len(), wanted.len());
        return Err(Error::invalid("body", message));
    }
    let named: BTreeSet<ImageId> = wanted.iter().copied().collect();
    if named.len() != wanted.len() {
        return Err(Error::conflict("body", "An image is named twice.").into());
    }
    let missing: Vec<String> = images.iter().filter(|image| !named.contains(image)).map(ToString::to_string).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Refusal::new(Refused::Invalid, "imageIds", "Images of the version are not named.").value(missing).into())
}

impl Service {
    /// The images of a version, in their order.
    ///
    /// # Errors
    /// 404 `project` or `version`.
    pub async fn images_list(&self, member: &Member, path: (ProjectId, VersionId)) -> Result<Vec<ImageView>> {
        let mut db = self.read().await?;
        if let Some(app) = app_version_of(&mut db, member, path).await.map_err(Error::from)? {
            return app_images(&mut db, member.team.id, &app).await.map_err(Error::from);
        }
        let (_, version) = version_of(&mut db, member, path).await.map_err(Error::from)?;
        image_views(&mut db, member, version.id).await.map_err(Error::from)
    }

    /// Adds images at the end of a version, and an instance of each to every deployment of it.
    ///
    /// # Errors
    /// 400 `images`; 404 `project`, `version` or `registry`; 412 `versionId` when it cannot be changed any more.
    pub async fn images_add(
        &self,
        cx: &Cx,
        member: &Member,
        path: (ProjectId, VersionId),
        given: Vec<ImagesGiven>,
    ) -> Result<Vec<ImageView>> {
        let names = names_parse(&given)?;
        let views = write!(self, |db| {
            let (_, version) = version_mutable(db, member, path).await?;
            let registries = registries_of(db, member.team.id).await?;
            if given.iter().any(|given| !registries.contains_key(&given.registry)) {
                return Err(Error::not_found("registry").into());
            }
            let there = store::images_by_versions(db, &[version.id]).await?.remove(&version.id).unwrap_or_default();
            if there.len().saturating_add(names.len()) > IMAGES_MAX {
                return Err(Error::invalid("images", format!("a version has at most {IMAGES_MAX} images")).into());
            }
            let deployments = store::deployments_by_versions(db, &[version.id]).await?;
            let deployments = deployments.into_values().next().unwrap_or_default();
            let mut order = there.iter().map(|image| image.order.saturating_add(1)).max().unwrap_or_default();
            let mut views = Vec::new();
            for (registry, name) in names {
                let Some(registry) = registries.get(&registry).cloned() else { continue };
                let config = ImageConfig::bare(&name.container_name());
                let ImageName { name, tag } = name;
                let (id, version, created) = (ImageId::generate(), version.id, cx.now);
                let image = Image { id, version, registry: registry.id, name, tag, order, config, created };
                order = order.saturating_add(1);
                store::image_insert(db, &image).await?;
                for deployment in &deployments {
                    let (id, updated) = (InstanceId::generate(), cx.now);
                    let instance = Instance { id, deployment: deployment.id, image: image.id, config: None, updated };
                    store::instance_insert(db, &instance).await?;
                }
                views.push(ImageView { image, registry });
            }
            Ok::<_, Fail>(views)
        })?;
        Ok(views)
    }

    /// An image of a version.
    ///
    /// # Errors
    /// 404 `project`, `version` or `image`.
    pub async fn image_get(&self, member: &Member, path: (ProjectId, VersionId), id: ImageId) -> Result<ImageView> {
        let mut db = self.read().await?;
        if let Some(app) = app_version_of(&mut db, member, path).await.map_err(Error::from)? {
            let images = app_images(&mut db, member.team.id, &app).await.map_err(Error::from)?;
            let image = images.into_iter().find(|view| view.image.id == id);
            return image.ok_or_else(|| Error::not_found("image"));
        }
        let (_, version) = version_of(&mut db, member, path).await.map_err(Error::from)?;
        let image = image_of(&mut db, &version, id).await.map_err(Error::from)?;
        let registry = store::registry_by_id(&mut db, member.team.id, image.registry).await.stored()?;
        let registry = registry.ok_or_else(|| Error::not_found("registry"))?;
        Ok(ImageView { image, registry })
    }

    /// Changes the tag and the configuration of an image; what is not named stays.
    ///
    /// # Errors
    /// 400 by member; 404 `project`, `version` or `image`; 412 `versionId` when the version cannot be changed any more.
    pub async fn image_update(
        &self,
        member: &Member,
        path: (ProjectId, VersionId),
        id: ImageId,
        change: ImageChange,
    ) -> Result<()> {
        let ImageChange { tag, config } = change;
        if let Some(tag) = &tag {
            tag_check(tag).map_err(|reason| Error::invalid("tag", reason))?;
        }
        write!(self, |db| {
            let (_, version) = version_mutable(db, member, path).await?;
            let mut image = image_of(db, &version, id).await?;
            if tag.is_some() && image.name.contains('@') {
                return Err(Error::invalid("tag", "an image that is named by its digest has no tag").into());
            }
            image.tag = tag.or(image.tag);
            if let Some(patch) = &config {
                image.config = image.config.patch(patch)?;
                if patch.contains_key("storage") {
                    storage_named_check(db, member.team.id, image.config.storage.as_ref()).await?;
                }
            }
            store::image_update(db, &image).await?;
            Ok::<_, Fail>(())
        })?;
        Ok(())
    }

    /// Removes an image, and its instances of all deployments.
    ///
    /// # Errors
    /// 404 `project`, `version` or `image`; 412 `versionId` when the version cannot be changed any more.
    pub async fn image_delete(&self, member: &Member, path: (ProjectId, VersionId), id: ImageId) -> Result<()> {
        write!(self, |db| {
            let (_, version) = version_mutable(db, member, path).await?;
            image_of(db, &version, id).await?;
            store::image_delete(db, version.id, id).await?;
            Ok::<_, Fail>(())
        })?;
        Ok(())
    }

    /// Puts the images of a version into this order.
    ///
    /// # Errors
    /// 400 `body` for another number of images, `imageIds` with those that are not named; 404 `project` or `version`;
    /// 409 `body` for one that is named twice; 412 `versionId` when the version cannot be changed any more.
    pub async fn images_order(&self, member: &Member, path: (ProjectId, VersionId), wanted: &[ImageId]) -> Result<()> {
        write!(self, |db| {
            let (_, version) = version_mutable(db, member, path).await?;
            let images = store::images_by_versions(db, &[version.id]).await?.remove(&version.id).unwrap_or_default();
            let ids: Vec<ImageId> = images.iter().map(|image| image.id).collect();
            order_check(&ids, wanted)?;
            for (order, id) in (0..).zip(wanted) {
                store::image_set_order(db, version.id, *id, order).await?;
            }
            Ok::<_, Fail>(())
        })?;
        Ok(())
    }
}
