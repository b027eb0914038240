//! Volumes of apps.

use chrono::{DateTime, Utc};
use slipway_core::volume::{Volume, VolumeSize};
use slipway_core::{AppId, Username, VolumeId, VolumeName};

use crate::db::on;
use crate::schema::volumes;
use crate::types::{Row, UtcMicros};
use crate::{Db, StoreError};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

#[derive(Queryable, Insertable)]
#[diesel(table_name = volumes)]
struct VolumeRow {
    id: String,
    app: String,
    owner_name: String,
    name: String,
    size: String,
    created: UtcMicros,
    updated: UtcMicros,
}

impl VolumeRow {
    fn volume(self) -> Result<Volume, StoreError> {
        let row = Row { table: "volumes", id: &self.id };
        Ok(Volume {
            id: row.parse("id", &self.id)?,
            app: row.parse("app", &self.app)?,
            owner_name: row.parse("owner_name", &self.owner_name)?,
            name: row.parse("name", &self.name)?,
            size: row.parse("size", &self.size)?,
            created: self.created.utc(),
            updated: self.updated.utc(),
        })
    }
}

/// What is needed to add a volume. The fields mean what they mean in `Volume`.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each field is that of `Volume`")]
pub struct NewVolume {
    pub app: AppId,
    pub owner_name: Username,
    pub name: VolumeName,
    pub size: VolumeSize,
    pub created: DateTime<Utc>,
}

/// The volumes of an app, by name. Uses the unique index of app and name.
pub async fn volumes_by_app(db: &mut Db, app: AppId) -> Result<Vec<Volume>, StoreError> {
    let rows: Vec<VolumeRow> =
        on!(db, |conn| volumes::table.filter(volumes::app.eq(app.to_string())).order(volumes::name).load(conn).await)?;
    rows.into_iter().map(VolumeRow::volume).collect()
}

/// Adds a volume, whose name must be free in its app.
pub async fn volume_insert(db: &mut Db, new: &NewVolume) -> Result<Volume, StoreError> {
    let row = VolumeRow {
        id: VolumeId::generate().to_string(),
        app: new.app.to_string(),
        owner_name: new.owner_name.to_string(),
        name: new.name.to_string(),
        size: new.size.as_str().to_owned(),
        created: new.created.into(),
        updated: new.created.into(),
    };
    on!(db, |conn| diesel::insert_into(volumes::table).values(&row).execute(conn).await)?;
    row.volume()
}

/// Sets how much fits into a volume.
pub async fn volume_set_size(
    db: &mut Db,
    id: VolumeId,
    size: &VolumeSize,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let now = UtcMicros::from(now);
    on!(db, |conn| diesel::update(volumes::table.find(id.to_string()))
        .set((volumes::size.eq(size.as_str()), volumes::updated.eq(now)))
        .execute(conn)
        .await)?;
    Ok(())
}

/// Takes a volume away; false if it is not there.
pub async fn volume_delete(db: &mut Db, id: VolumeId) -> Result<bool, StoreError> {
    let n = on!(db, |conn| diesel::delete(volumes::table.find(id.to_string())).execute(conn).await)?;
    Ok(n > 0)
}
