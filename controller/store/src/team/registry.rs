//! Registries of teams.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use secrecy::{ExposeSecret, SecretString};
use slipway_team::registry::{Credentials, Registry, RegistryDetails};
use slipway_team::{RegistryId, TeamId};

use super::{registries_in_use, stamp};
use crate::db::on;
use crate::schema::registries;
use crate::types::{Row, UtcMicros, text, to_json};
use crate::{Db, StoreError};

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = registries, treat_none_as_null = true)]
struct RegistryRow {
    id: String,
    team: String,
    name: String,
    description: Option<String>,
    icon: Option<String>,
    kind: String,
    url: String,
    image_prefix: Option<String>,
    namespace: Option<String>,
    api_url: Option<String>,
    sealed_credentials: Option<Vec<u8>>,
    created: UtcMicros,
    created_by: String,
    updated: UtcMicros,
    updated_by: String,
}

const COLUMN: &str = "sealed_credentials";

fn seal(db: &Db, id: &str, credentials: &Credentials) -> Result<Vec<u8>, StoreError> {
    let plain = to_json(&[credentials.user.as_str(), credentials.token.expose_secret()])?;
    db.key.seal(Row { table: "registries", id }, COLUMN, plain.as_bytes())
}

fn open(db: &Db, row: Row<'_>, sealed: &[u8]) -> Result<Credentials, StoreError> {
    let plain = db.key.open(row, COLUMN, sealed)?;
    let [user, token]: [String; 2] =
        serde_json::from_slice(&plain).map_err(|_| row.corrupt("sealed_credentials do not parse"))?;
    Ok(Credentials { user, token: SecretString::from(token) })
}

impl RegistryRow {
    fn new(db: &Db, registry: &Registry) -> Result<Self, StoreError> {
        let Registry { id, team, name, description, icon, details, stamp } = registry;
        let RegistryDetails { kind, url, image_prefix, namespace, api_url, credentials } = details;
        let id = id.to_string();
        Ok(Self {
            sealed_credentials: credentials.as_ref().map(|credentials| seal(db, &id, credentials)).transpose()?,
            id,
            team: team.to_string(),
            name: text(name),
            description: description.as_deref().map(text),
            icon: icon.as_deref().map(text),
            kind: kind.as_str().to_owned(),
            url: text(url),
            image_prefix: image_prefix.as_deref().map(text),
            namespace: namespace.map(|namespace| namespace.as_str().to_owned()),
            api_url: api_url.as_deref().map(text),
            created: stamp.created.into(),
            created_by: stamp.created_by.to_string(),
            updated: stamp.updated.into(),
            updated_by: stamp.updated_by.to_string(),
        })
    }

    fn registry(self, db: &Db) -> Result<Registry, StoreError> {
        let row = Row { table: "registries", id: &self.id };
        Ok(Registry {
            id: row.parse("id", &self.id)?,
            team: row.parse("team", &self.team)?,
            details: RegistryDetails {
                kind: row.parse("kind", &self.kind)?,
                url: self.url,
                image_prefix: self.image_prefix,
                namespace: self.namespace.map(|namespace| row.parse("namespace", &namespace)).transpose()?,
                api_url: self.api_url,
                credentials: self.sealed_credentials.map(|sealed| open(db, row, &sealed)).transpose()?,
            },
            stamp: stamp(row, (self.created, &self.created_by), (self.updated, &self.updated_by))?,
            name: self.name,
            description: self.description,
            icon: self.icon,
        })
    }
}

/// Adds a registry; `Conflict` on its name.
pub async fn registry_insert(db: &mut Db, registry: &Registry) -> Result<(), StoreError> {
    let row = RegistryRow::new(db, registry)?;
    on!(db, |conn| diesel::insert_into(registries::table).values(&row).execute(conn).await)?;
    Ok(())
}

/// Replaces all of a registry but its identity, its team and when it was made; `Conflict` on its name. False if its
/// team has it no more.
pub async fn registry_update(db: &mut Db, registry: &Registry) -> Result<bool, StoreError> {
    let row = RegistryRow::new(db, registry)?;
    let n = on!(db, |conn| diesel::update(
        registries::table
            .filter(registries::id.eq(registry.id.to_string()))
            .filter(registries::team.eq(registry.team.to_string()))
    )
    .set(&row)
    .execute(conn)
    .await)?;
    Ok(n > 0)
}

/// Removes a registry; `Reference` while an image is in it, false if the team has none of this identity.
pub async fn registry_delete(db: &mut Db, team: TeamId, id: RegistryId) -> Result<bool, StoreError> {
    if registry_by_id(db, team, id).await?.is_none() {
        return Ok(false);
    }
    if !registries_in_use(db, &[id]).await?.is_empty() {
        return Err(StoreError::Reference);
    }
    let n = on!(db, |conn| diesel::delete(
        registries::table.filter(registries::id.eq(id.to_string())).filter(registries::team.eq(team.to_string()))
    )
    .execute(conn)
    .await)?;
    Ok(n > 0)
}

/// A registry of the team.
pub async fn registry_by_id(db: &mut Db, team: TeamId, id: RegistryId) -> Result<Option<Registry>, StoreError> {
    let row: Option<RegistryRow> = on!(db, |conn| registries::table
        .filter(registries::id.eq(id.to_string()))
        .filter(registries::team.eq(team.to_string()))
        .select(RegistryRow::as_select())
        .first(conn)
        .await
        .optional())?;
    row.map(|row| row.registry(db)).transpose()
}

/// Those of the registries that the team has, by identity.
pub async fn registries_by_ids(
    db: &mut Db,
    team: TeamId,
    ids: &[RegistryId],
) -> Result<BTreeMap<RegistryId, Registry>, StoreError> {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let rows: Vec<RegistryRow> = on!(db, |conn| registries::table
        .filter(registries::id.eq_any(&ids))
        .filter(registries::team.eq(team.to_string()))
        .select(RegistryRow::as_select())
        .load(conn)
        .await)?;
    rows.into_iter().map(|row| row.registry(db).map(|registry| (registry.id, registry))).collect()
}

/// The team's registries, oldest first. Index: `registries_team_name_key`.
pub async fn registries_list(db: &mut Db, team: TeamId) -> Result<Vec<Registry>, StoreError> {
    let rows: Vec<RegistryRow> = on!(db, |conn| registries::table
        .filter(registries::team.eq(team.to_string()))
        .order((registries::created, registries::id))
        .select(RegistryRow::as_select())
        .load(conn)
        .await)?;
    rows.into_iter().map(|row| row.registry(db)).collect()
}
