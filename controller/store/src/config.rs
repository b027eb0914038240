//! Configurations.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use slipway_core::config::{Config, SecretText};
use slipway_core::volume::{MountPath, Mounts};
use slipway_core::{AppId, ConfigId, ProcessType, UserId, VolumeName};

use crate::SealingKey;
use crate::db::on;
use crate::schema::configs;
use crate::types::{Row, UtcMicros, to_json, to_json_map};
use crate::user::user_name;
use crate::{Db, StoreError};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

#[derive(Queryable, Insertable)]
#[diesel(table_name = configs)]
struct ConfigRow {
    id: String,
    app: String,
    owner: String,
    owner_name: String,
    sealed_values: Vec<u8>,
    memory: String,
    cpu: String,
    tags: String,
    sealed_registry: Vec<u8>,
    healthcheck: String,
    created: UtcMicros,
    mounts: String,
    termination_grace_period: String,
    lifecycle_post_start: String,
    lifecycle_pre_stop: String,
}

impl ConfigRow {
    fn config(self, key: &SealingKey) -> Result<Config, StoreError> {
        let row = Row { table: "configs", id: &self.id };
        Ok(Config {
            id: row.parse("id", &self.id)?,
            app: row.parse("app", &self.app)?,
            owner: row.parse("owner", &self.owner)?,
            owner_name: row.parse("owner_name", &self.owner_name)?,
            values: open(key, row, "values", &self.sealed_values)?,
            memory: row.json_map("memory", &self.memory)?,
            cpu: row.json_map("cpu", &self.cpu)?,
            tags: row.json("tags", &self.tags)?,
            registry: open(key, row, "registry", &self.sealed_registry)?,
            healthcheck: row.json("healthcheck", &self.healthcheck)?,
            termination_grace_period: row.json_map("termination_grace_period", &self.termination_grace_period)?,
            lifecycle_post_start: row.json_map("lifecycle_post_start", &self.lifecycle_post_start)?,
            lifecycle_pre_stop: row.json_map("lifecycle_pre_stop", &self.lifecycle_pre_stop)?,
            mounts: mounts_read(row, &self.mounts)?,
            created: self.created.utc(),
        })
    }
}

fn mounts_read(row: Row<'_>, text: &str) -> Result<Mounts, StoreError> {
    let plain: BTreeMap<VolumeName, BTreeMap<String, String>> = row.json_map("mounts", text)?;
    let path = |(process_type, path): (String, String)| -> Result<_, StoreError> {
        Ok((row.parse("mounts", &process_type)?, row.parse("mounts", &path)?))
    };
    let paths = |paths: BTreeMap<String, String>| paths.into_iter().map(path).collect::<Result<_, _>>();
    plain.into_iter().map(|(name, of)| Ok((name, paths(of)?))).collect()
}

pub(crate) fn mounts_write(mounts: &Mounts) -> Result<String, StoreError> {
    let paths = |paths: &BTreeMap<ProcessType, MountPath>| -> BTreeMap<String, String> {
        paths.iter().map(|(process_type, path)| (process_type.to_string(), path.to_string())).collect()
    };
    to_json(&mounts.iter().map(|(name, of)| (name.to_string(), paths(of))).collect::<BTreeMap<_, _>>())
}

pub(crate) fn seal(
    key: &SealingKey,
    row: Row<'_>,
    column: &str,
    secrets: &BTreeMap<String, SecretText>,
) -> Result<Vec<u8>, StoreError> {
    let plain: BTreeMap<&str, &str> = secrets.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
    key.seal(row, column, to_json(&plain)?.as_bytes())
}

fn open(
    key: &SealingKey,
    row: Row<'_>,
    column: &str,
    sealed: &[u8],
) -> Result<BTreeMap<String, SecretText>, StoreError> {
    let plain = key.open(row, column, sealed)?;
    // The parser's message may quote what it read.
    let map: BTreeMap<String, String> =
        serde_json::from_slice(&plain).map_err(|_| row.corrupt(format_args!("{column} is not the JSON expected")))?;
    Ok(map.into_iter().map(|(name, value)| (name, SecretText::new(value))).collect())
}

/// What is needed to add a configuration. The fields mean what they mean in `Config`.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each field is that of `Config`")]
pub struct NewConfig {
    pub app: AppId,
    pub owner: UserId,
    pub values: BTreeMap<String, SecretText>,
    pub memory: BTreeMap<ProcessType, String>,
    pub cpu: BTreeMap<ProcessType, String>,
    pub tags: BTreeMap<String, String>,
    pub registry: BTreeMap<String, SecretText>,
    pub healthcheck: BTreeMap<String, serde_json::Value>,
    pub termination_grace_period: BTreeMap<ProcessType, String>,
    pub lifecycle_post_start: BTreeMap<ProcessType, String>,
    pub lifecycle_pre_stop: BTreeMap<ProcessType, String>,
    pub mounts: Mounts,
    pub created: DateTime<Utc>,
}

impl NewConfig {
    /// A configuration in which nothing is set: every app begins with one.
    #[must_use]
    pub const fn empty(app: AppId, owner: UserId, created: DateTime<Utc>) -> Self {
        Self {
            app,
            owner,
            values: BTreeMap::new(),
            memory: BTreeMap::new(),
            cpu: BTreeMap::new(),
            tags: BTreeMap::new(),
            registry: BTreeMap::new(),
            healthcheck: BTreeMap::new(),
            termination_grace_period: BTreeMap::new(),
            lifecycle_post_start: BTreeMap::new(),
            lifecycle_pre_stop: BTreeMap::new(),
            mounts: BTreeMap::new(),
            created,
        }
    }
}

/// Adds a configuration.
pub async fn config_insert(db: &mut Db, new: &NewConfig) -> Result<Config, StoreError> {
    let id = ConfigId::generate().to_string();
    let place = Row { table: "configs", id: &id };
    let row = ConfigRow {
        app: new.app.to_string(),
        owner: new.owner.to_string(),
        owner_name: user_name(db, new.owner).await?,
        sealed_values: seal(&db.key, place, "values", &new.values)?,
        memory: to_json_map(&new.memory)?,
        cpu: to_json_map(&new.cpu)?,
        tags: to_json(&new.tags)?,
        sealed_registry: seal(&db.key, place, "registry", &new.registry)?,
        healthcheck: to_json(&new.healthcheck)?,
        created: new.created.into(),
        mounts: mounts_write(&new.mounts)?,
        termination_grace_period: to_json_map(&new.termination_grace_period)?,
        lifecycle_post_start: to_json_map(&new.lifecycle_post_start)?,
        lifecycle_pre_stop: to_json_map(&new.lifecycle_pre_stop)?,
        id,
    };
    on!(db, |conn| diesel::insert_into(configs::table).values(&row).execute(conn).await)?;
    row.config(&db.key)
}

/// The configuration of this identity.
pub async fn config_by_id(db: &mut Db, id: ConfigId) -> Result<Option<Config>, StoreError> {
    let row: Option<ConfigRow> = on!(db, |conn| configs::table.find(id.to_string()).first(conn).await.optional())?;
    row.map(|row| row.config(&db.key)).transpose()
}

/// The configurations of these identities.
pub async fn configs_by_ids(db: &mut Db, ids: &[ConfigId]) -> Result<Vec<Config>, StoreError> {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let rows: Vec<ConfigRow> = on!(db, |conn| configs::table.filter(configs::id.eq_any(&ids)).load(conn).await)?;
    rows.into_iter().map(|row| row.config(&db.key)).collect()
}

/// The newest configuration of an app, whatever became of its release.
pub async fn config_latest(db: &mut Db, app: AppId) -> Result<Option<Config>, StoreError> {
    let row: Option<ConfigRow> = on!(db, |conn| configs::table
        .filter(configs::app.eq(app.to_string()))
        .order((configs::created.desc(), configs::id.desc()))
        .first(conn)
        .await
        .optional())?;
    row.map(|row| row.config(&db.key)).transpose()
}
