//! Settings and TLS of apps.

use chrono::{DateTime, Utc};
use slipway_core::settings::{AppSettings, Tls};
use slipway_core::{AppId, UserId};

use crate::db::on;
use crate::schema::{apps, settings, tls};
use crate::types::{Row, UtcMicros, to_json, to_json_map};
use crate::user::user_name;
use crate::{Db, StoreError};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize};
use slipway_core::ProcessType;
use slipway_core::settings::Autoscale;
use std::collections::BTreeMap;

#[derive(Queryable, Insertable)]
#[diesel(table_name = settings)]
struct SettingsRow {
    app: String,
    owner: String,
    owner_name: String,
    maintenance: bool,
    routable: bool,
    allowlist: String,
    autoscale: String,
    label: String,
    created: UtcMicros,
    updated: UtcMicros,
}

/// `Autoscale` as it lies in the column.
#[derive(Serialize, Deserialize)]
struct AutoscaleJson {
    min: u32,
    max: u32,
    cpu_percent: u32,
}

impl SettingsRow {
    fn settings(self) -> Result<AppSettings, StoreError> {
        let row = Row { table: "settings", id: &self.app };
        let autoscale: BTreeMap<ProcessType, AutoscaleJson> = row.json_map("autoscale", &self.autoscale)?;
        Ok(AppSettings {
            app: row.parse("app", &self.app)?,
            owner: row.parse("owner", &self.owner)?,
            owner_name: row.parse("owner_name", &self.owner_name)?,
            maintenance: self.maintenance,
            routable: self.routable,
            allowlist: row.json("allowlist", &self.allowlist)?,
            autoscale: autoscale
                .into_iter()
                .map(|(name, AutoscaleJson { min, max, cpu_percent })| (name, Autoscale { min, max, cpu_percent }))
                .collect(),
            label: row.json("label", &self.label)?,
            created: self.created.utc(),
            updated: self.updated.utc(),
        })
    }
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = tls)]
struct TlsRow {
    app: String,
    owner: String,
    owner_name: String,
    https_enforced: Option<bool>,
    created: UtcMicros,
    updated: UtcMicros,
    certs_auto_enabled: Option<bool>,
}

impl TlsRow {
    fn tls(self) -> Result<Tls, StoreError> {
        let row = Row { table: "tls", id: &self.app };
        Ok(Tls {
            app: row.parse("app", &self.app)?,
            owner: row.parse("owner", &self.owner)?,
            owner_name: row.parse("owner_name", &self.owner_name)?,
            https_enforced: self.https_enforced,
            certs_auto_enabled: self.certs_auto_enabled,
            created: self.created.utc(),
            updated: self.updated.utc(),
        })
    }
}

/// Adds the default settings and the TLS row of a new app.
pub async fn settings_insert(db: &mut Db, app: AppId, owner: UserId, now: DateTime<Utc>) -> Result<(), StoreError> {
    let owner_name = user_name(db, owner).await?;
    let row = SettingsRow {
        app: app.to_string(),
        owner: owner.to_string(),
        owner_name: owner_name.clone(),
        maintenance: false,
        routable: true,
        allowlist: "[]".to_owned(),
        autoscale: "{}".to_owned(),
        label: "{}".to_owned(),
        created: now.into(),
        updated: now.into(),
    };
    on!(db, |conn| diesel::insert_into(settings::table).values(&row).execute(conn).await)?;
    let row = TlsRow {
        app: app.to_string(),
        owner: owner.to_string(),
        owner_name,
        https_enforced: None,
        created: now.into(),
        updated: now.into(),
        certs_auto_enabled: None,
    };
    on!(db, |conn| diesel::insert_into(tls::table).values(&row).execute(conn).await)?;
    Ok(())
}

/// The settings of an app.
pub async fn settings_by_app(db: &mut Db, app: AppId) -> Result<Option<AppSettings>, StoreError> {
    let row: Option<SettingsRow> = on!(db, |conn| settings::table.find(app.to_string()).first(conn).await.optional())?;
    row.map(SettingsRow::settings).transpose()
}

/// The settings of all apps.
pub async fn settings_all(db: &mut Db) -> Result<Vec<AppSettings>, StoreError> {
    let rows: Vec<SettingsRow> = on!(db, |conn| settings::table.order(settings::app).load(conn).await)?;
    rows.into_iter().map(SettingsRow::settings).collect()
}

/// The settings of apps of which a process type is scaled by the platform, but those being removed. Index:
/// `settings_autoscaled`.
pub async fn settings_autoscaled(db: &mut Db) -> Result<Vec<AppSettings>, StoreError> {
    let going = apps::table.filter(apps::is_deleting).select(apps::id);
    let rows: Vec<SettingsRow> = on!(db, |conn| settings::table
        // As the index has it: with a bound value neither database would know that the index is enough.
        .filter(diesel::dsl::sql::<diesel::sql_types::Bool>("settings.autoscale <> '{}'"))
        .filter(settings::app.ne_all(going))
        .order(settings::app)
        .load(conn)
        .await)?;
    rows.into_iter().map(SettingsRow::settings).collect()
}

/// Stores the settings of `changed.app`; `created` is left alone. False if the app has none.
pub async fn settings_update(db: &mut Db, changed: &AppSettings) -> Result<bool, StoreError> {
    let AppSettings { app, owner, owner_name, maintenance, routable, allowlist, autoscale, label, created: _, updated } =
        changed;
    let autoscale: BTreeMap<&ProcessType, AutoscaleJson> = autoscale
        .iter()
        .map(|(name, Autoscale { min, max, cpu_percent })| {
            (name, AutoscaleJson { min: *min, max: *max, cpu_percent: *cpu_percent })
        })
        .collect();
    let (allowlist, autoscale, label) = (to_json(allowlist)?, to_json_map(&autoscale)?, to_json(label)?);
    let n = on!(db, |conn| diesel::update(settings::table.find(app.to_string()))
        .set((
            settings::owner.eq(owner.to_string()),
            settings::owner_name.eq(owner_name.as_str()),
            settings::maintenance.eq(*maintenance),
            settings::routable.eq(*routable),
            settings::allowlist.eq(&allowlist),
            settings::autoscale.eq(&autoscale),
            settings::label.eq(&label),
            settings::updated.eq(UtcMicros::from(*updated)),
        ))
        .execute(conn)
        .await)?;
    Ok(n > 0)
}

/// The TLS row of an app.
pub async fn tls_by_app(db: &mut Db, app: AppId) -> Result<Option<Tls>, StoreError> {
    let row: Option<TlsRow> = on!(db, |conn| tls::table.find(app.to_string()).first(conn).await.optional())?;
    row.map(TlsRow::tls).transpose()
}

/// The TLS rows of all apps.
pub async fn tls_all(db: &mut Db) -> Result<Vec<Tls>, StoreError> {
    let rows: Vec<TlsRow> = on!(db, |conn| tls::table.order(tls::app).load(conn).await)?;
    rows.into_iter().map(TlsRow::tls).collect()
}

/// Stores the TLS row of `changed.app`; `created` is left alone. False if the app has none.
pub async fn tls_update(db: &mut Db, changed: &Tls) -> Result<bool, StoreError> {
    let Tls { app, owner, owner_name, https_enforced, certs_auto_enabled, created: _, updated } = changed;
    let n = on!(db, |conn| diesel::update(tls::table.find(app.to_string()))
        .set((
            tls::owner.eq(owner.to_string()),
            tls::owner_name.eq(owner_name.as_str()),
            tls::https_enforced.eq(*https_enforced),
            tls::certs_auto_enabled.eq(*certs_auto_enabled),
            tls::updated.eq(UtcMicros::from(*updated)),
        ))
        .execute(conn)
        .await)?;
    Ok(n > 0)
}
