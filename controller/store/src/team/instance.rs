//! Instances: images in deployments.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use slipway_team::container::InstanceConfig;
use slipway_team::deployment::Instance;
use slipway_team::{DeploymentId, InstanceId};

use super::image::storage_column;
use crate::db::on;
use crate::schema::{instances, version_images};
use crate::types::{Row, UtcMicros, to_json};
use crate::{Db, StoreError};

const TABLE: &str = "instances";
const COLUMN: &str = "sealed_config";

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = instances, treat_none_as_null = true)]
struct InstanceRow {
    id: String,
    deployment: String,
    image: String,
    storage: Option<String>,
    sealed_config: Option<Vec<u8>>,
    updated: UtcMicros,
}

impl InstanceRow {
    fn new(db: &Db, instance: &Instance) -> Result<Self, StoreError> {
        let Instance { id, deployment, image, config, updated } = instance;
        let id = id.to_string();
        let row = Row { table: TABLE, id: &id };
        let seal = |config: &InstanceConfig| db.key.seal(row, COLUMN, to_json(config)?.as_bytes());
        let storage = config.as_ref().and_then(|config| config.storage.as_ref());
        Ok(Self {
            storage: storage.and_then(storage_column),
            sealed_config: config.as_ref().map(seal).transpose()?,
            deployment: deployment.to_string(),
            image: image.to_string(),
            updated: (*updated).into(),
            id,
        })
    }

    fn instance(self, db: &Db) -> Result<Instance, StoreError> {
        let row = Row { table: TABLE, id: &self.id };
        let open = |sealed: Vec<u8>| -> Result<InstanceConfig, StoreError> {
            let plain = db.key.open(row, COLUMN, &sealed)?;
            serde_json::from_slice(&plain).map_err(|_| row.corrupt("sealed_config does not parse"))
        };
        Ok(Instance {
            id: row.parse("id", &self.id)?,
            deployment: row.parse("deployment", &self.deployment)?,
            image: row.parse("image", &self.image)?,
            config: self.sealed_config.map(open).transpose()?,
            updated: self.updated.utc(),
        })
    }
}

/// Adds an instance; `Conflict` if the deployment has one of the image.
pub async fn instance_insert(db: &mut Db, instance: &Instance) -> Result<(), StoreError> {
    let row = InstanceRow::new(db, instance)?;
    on!(db, |conn| diesel::insert_into(instances::table).values(&row).execute(conn).await)?;
    Ok(())
}

/// Replaces the configuration of an instance. False if its deployment has it no more.
pub async fn instance_update(db: &mut Db, instance: &Instance) -> Result<bool, StoreError> {
    let row = InstanceRow::new(db, instance)?;
    let n = on!(db, |conn| diesel::update(
        instances::table.filter(instances::id.eq(&row.id)).filter(instances::deployment.eq(&row.deployment))
    )
    .set((
        instances::storage.eq(&row.storage),
        instances::sealed_config.eq(&row.sealed_config),
        instances::updated.eq(row.updated),
    ))
    .execute(conn)
    .await)?;
    Ok(n > 0)
}

/// An instance of the deployment.
pub async fn instance_by_id(
    db: &mut Db,
    deployment: DeploymentId,
    id: InstanceId,
) -> Result<Option<Instance>, StoreError> {
    let row: Option<InstanceRow> = on!(db, |conn| instances::table
        .filter(instances::id.eq(id.to_string()))
        .filter(instances::deployment.eq(deployment.to_string()))
        .select(InstanceRow::as_select())
        .first(conn)
        .await
        .optional())?;
    row.map(|row| row.instance(db)).transpose()
}

/// The instances of deployments, each deployment's in the order of their images.
pub async fn instances_by_deployments(
    db: &mut Db,
    deployments: &[DeploymentId],
) -> Result<BTreeMap<DeploymentId, Vec<Instance>>, StoreError> {
    let ids: Vec<String> = deployments.iter().map(ToString::to_string).collect();
    let rows: Vec<InstanceRow> = on!(db, |conn| instances::table
        .inner_join(version_images::table)
        .filter(instances::deployment.eq_any(&ids))
        .order((version_images::place, version_images::created, version_images::id))
        .select(InstanceRow::as_select())
        .load(conn)
        .await)?;
    let mut all: BTreeMap<DeploymentId, Vec<Instance>> = BTreeMap::new();
    for row in rows {
        let instance = row.instance(db)?;
        all.entry(instance.deployment).or_default().push(instance);
    }
    Ok(all)
}
