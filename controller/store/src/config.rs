//! Configurations.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use slipway_core::config::{Config, SecretText};
use slipway_core::{AppId, ConfigId, ProcessType, UserId};

use crate::{Db, StoreError};

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
    pub created: DateTime<Utc>,
}

/// Adds a configuration.
pub async fn config_insert(db: &mut Db<'_>, new: &NewConfig) -> Result<Config, StoreError> {
    todo!()
}

/// The configuration of this identity.
pub async fn config_by_id(db: &mut Db<'_>, id: ConfigId) -> Result<Option<Config>, StoreError> {
    todo!()
}

/// The newest configuration of an app, whatever became of its release.
pub async fn config_latest(db: &mut Db<'_>, app: AppId) -> Result<Option<Config>, StoreError> {
    todo!()
}
