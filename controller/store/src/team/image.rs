//! Images of versions.

use std::collections::{BTreeMap, BTreeSet};

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use slipway_team::container::ImageConfig;
use slipway_team::container::part::Storage;
use slipway_team::image::Image;
use slipway_team::{ImageId, RegistryId, StorageId, VersionId};

use crate::db::on;
use crate::schema::{instances, version_images};
use crate::types::{Row, UtcMicros, text, to_json};
use crate::{Db, StoreError};

const COLUMN: &str = "sealed_config";
const TABLE: &str = "version_images";

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = version_images, treat_none_as_null = true)]
struct ImageRow {
    id: String,
    version: String,
    registry: String,
    name: String,
    tag: Option<String>,
    place: i32,
    storage: Option<String>,
    sealed_config: Vec<u8>,
    created: UtcMicros,
}

impl ImageRow {
    fn new(db: &Db, image: &Image) -> Result<Self, StoreError> {
        let Image { id, version, registry, name, tag, order, config, created } = image;
        let id = id.to_string();
        let storage = config.storage.as_ref().and_then(storage_column);
        let config = to_json(config)?;
        Ok(Self {
            storage,
            sealed_config: db.key.seal(Row { table: TABLE, id: &id }, COLUMN, config.as_bytes())?,
            id,
            version: version.to_string(),
            registry: registry.to_string(),
            name: text(name),
            tag: tag.as_deref().map(text),
            place: place(*order)?,
            created: (*created).into(),
        })
    }

    fn image(self, db: &Db) -> Result<Image, StoreError> {
        let row = Row { table: TABLE, id: &self.id };
        let plain = db.key.open(row, COLUMN, &self.sealed_config)?;
        let config: ImageConfig =
            serde_json::from_slice(&plain).map_err(|_| row.corrupt("sealed_config does not parse"))?;
        Ok(Image {
            id: row.parse("id", &self.id)?,
            version: row.parse("version", &self.version)?,
            registry: row.parse("registry", &self.registry)?,
            order: u32::try_from(self.place).map_err(|_| row.corrupt("place is negative"))?,
            name: self.name,
            tag: self.tag,
            config,
            created: self.created.utc(),
        })
    }
}

/// The storage that a configuration names, if that is an identity at all.
pub(super) fn storage_column(storage: &Storage) -> Option<String> {
    let id: StorageId = storage.storage_id.as_deref()?.parse().ok()?;
    Some(id.to_string())
}

fn place(order: u32) -> Result<i32, StoreError> {
    i32::try_from(order).map_err(|_| StoreError::Internal("an image's place is out of range".to_owned()))
}

/// Adds an image; `Reference` if its registry or its version is not there.
pub async fn image_insert(db: &mut Db, image: &Image) -> Result<(), StoreError> {
    let row = ImageRow::new(db, image)?;
    on!(db, |conn| diesel::insert_into(version_images::table).values(&row).execute(conn).await)?;
    Ok(())
}

/// Replaces all of an image but its identity and its version. False if its version has it no more.
pub async fn image_update(db: &mut Db, image: &Image) -> Result<bool, StoreError> {
    let row = ImageRow::new(db, image)?;
    let n = on!(db, |conn| diesel::update(
        version_images::table
            .filter(version_images::id.eq(image.id.to_string()))
            .filter(version_images::version.eq(image.version.to_string()))
    )
    .set(&row)
    .execute(conn)
    .await)?;
    Ok(n > 0)
}

/// Puts an image at a place.
pub async fn image_set_order(db: &mut Db, version: VersionId, id: ImageId, order: u32) -> Result<bool, StoreError> {
    let place = place(order)?;
    let n = on!(db, |conn| diesel::update(
        version_images::table
            .filter(version_images::id.eq(id.to_string()))
            .filter(version_images::version.eq(version.to_string()))
    )
    .set(version_images::place.eq(place))
    .execute(conn)
    .await)?;
    Ok(n > 0)
}

/// Removes an image, and its instances; false if the version has none of this identity.
pub async fn image_delete(db: &mut Db, version: VersionId, id: ImageId) -> Result<bool, StoreError> {
    let n = on!(db, |conn| diesel::delete(
        version_images::table
            .filter(version_images::id.eq(id.to_string()))
            .filter(version_images::version.eq(version.to_string()))
    )
    .execute(conn)
    .await)?;
    Ok(n > 0)
}

/// An image of the version.
pub async fn image_by_id(db: &mut Db, version: VersionId, id: ImageId) -> Result<Option<Image>, StoreError> {
    let row: Option<ImageRow> = on!(db, |conn| version_images::table
        .filter(version_images::id.eq(id.to_string()))
        .filter(version_images::version.eq(version.to_string()))
        .select(ImageRow::as_select())
        .first(conn)
        .await
        .optional())?;
    row.map(|row| row.image(db)).transpose()
}

/// The images of versions, each version's in their order. Index: `version_images_version`.
pub async fn images_by_versions(
    db: &mut Db,
    versions: &[VersionId],
) -> Result<BTreeMap<VersionId, Vec<Image>>, StoreError> {
    let ids: Vec<String> = versions.iter().map(ToString::to_string).collect();
    let rows: Vec<ImageRow> = on!(db, |conn| version_images::table
        .filter(version_images::version.eq_any(&ids))
        .order((version_images::place, version_images::created, version_images::id))
        .select(ImageRow::as_select())
        .load(conn)
        .await)?;
    let mut all: BTreeMap<VersionId, Vec<Image>> = BTreeMap::new();
    for row in rows {
        let image = row.image(db)?;
        all.entry(image.version).or_default().push(image);
    }
    Ok(all)
}

/// Those of the registries that images are in. Index: `version_images_registry`.
pub async fn registries_in_use(db: &mut Db, registries: &[RegistryId]) -> Result<BTreeSet<RegistryId>, StoreError> {
    let ids: Vec<String> = registries.iter().map(ToString::to_string).collect();
    let found: Vec<String> = on!(db, |conn| version_images::table
        .filter(version_images::registry.eq_any(&ids))
        .select(version_images::registry)
        .distinct()
        .load(conn)
        .await)?;
    found.iter().map(|id| Row { table: TABLE, id }.parse("registry", id)).collect()
}

/// Those of the storages that the configurations of images and of instances name. Indexes: `version_images_storage`,
/// `instances_storage`.
pub async fn storages_in_use(db: &mut Db, storages: &[StorageId]) -> Result<BTreeSet<StorageId>, StoreError> {
    let ids: Vec<String> = storages.iter().map(ToString::to_string).collect();
    let of_images: Vec<Option<String>> = on!(db, |conn| version_images::table
        .filter(version_images::storage.eq_any(&ids))
        .select(version_images::storage)
        .distinct()
        .load(conn)
        .await)?;
    let of_instances: Vec<Option<String>> = on!(db, |conn| instances::table
        .filter(instances::storage.eq_any(&ids))
        .select(instances::storage)
        .distinct()
        .load(conn)
        .await)?;
    let named = of_images.iter().chain(&of_instances).flatten();
    named.map(|id| Row { table: TABLE, id }.parse("storage", id)).collect()
}
