//! Storages of teams.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use secrecy::{ExposeSecret, SecretString};
use slipway_team::storage::Storage;
use slipway_team::{StorageId, TeamId};

use super::stamp;
use crate::db::on;
use crate::schema::storages;
use crate::types::{Row, UtcMicros, text};
use crate::{Db, StoreError};

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = storages, treat_none_as_null = true)]
struct StorageRow {
    id: String,
    team: String,
    name: String,
    description: Option<String>,
    icon: Option<String>,
    url: String,
    access_key: Option<String>,
    sealed_secret_key: Option<Vec<u8>>,
    created: UtcMicros,
    created_by: String,
    updated: UtcMicros,
    updated_by: String,
}

const COLUMN: &str = "sealed_secret_key";

impl StorageRow {
    fn new(db: &Db, storage: &Storage) -> Result<Self, StoreError> {
        let Storage { id, team, name, description, icon, url, access_key, secret_key, stamp } = storage;
        let id = id.to_string();
        let row = Row { table: "storages", id: &id };
        let seal = |key: &SecretString| db.key.seal(row, COLUMN, key.expose_secret().as_bytes());
        Ok(Self {
            sealed_secret_key: secret_key.as_ref().map(seal).transpose()?,
            team: team.to_string(),
            name: text(name),
            description: description.as_deref().map(text),
            icon: icon.as_deref().map(text),
            url: text(url),
            access_key: access_key.as_deref().map(text),
            created: stamp.created.into(),
            created_by: stamp.created_by.to_string(),
            updated: stamp.updated.into(),
            updated_by: stamp.updated_by.to_string(),
            id,
        })
    }

    fn storage(self, db: &Db) -> Result<Storage, StoreError> {
        let row = Row { table: "storages", id: &self.id };
        let open = |sealed: Vec<u8>| {
            let plain = db.key.open(row, COLUMN, &sealed)?;
            String::from_utf8(plain).map(SecretString::from).map_err(|_| row.corrupt("sealed_secret_key is no text"))
        };
        Ok(Storage {
            id: row.parse("id", &self.id)?,
            team: row.parse("team", &self.team)?,
            secret_key: self.sealed_secret_key.map(open).transpose()?,
            stamp: stamp(row, (self.created, &self.created_by), (self.updated, &self.updated_by))?,
            name: self.name,
            description: self.description,
            icon: self.icon,
            url: self.url,
            access_key: self.access_key,
        })
    }
}

/// Adds a storage; `Conflict` on its name.
pub async fn storage_insert(db: &mut Db, storage: &Storage) -> Result<(), StoreError> {
    let row = StorageRow::new(db, storage)?;
    on!(db, |conn| diesel::insert_into(storages::table).values(&row).execute(conn).await)?;
    Ok(())
}

/// Replaces all of a storage but its identity and its team; `Conflict` on its name. False if its team has it no more.
pub async fn storage_update(db: &mut Db, storage: &Storage) -> Result<bool, StoreError> {
    let row = StorageRow::new(db, storage)?;
    let n = on!(db, |conn| diesel::update(
        storages::table
            .filter(storages::id.eq(storage.id.to_string()))
            .filter(storages::team.eq(storage.team.to_string()))
    )
    .set(&row)
    .execute(conn)
    .await)?;
    Ok(n > 0)
}

/// Removes a storage; false if the team has none of this identity.
pub async fn storage_delete(db: &mut Db, team: TeamId, id: StorageId) -> Result<bool, StoreError> {
    let n = on!(db, |conn| diesel::delete(
        storages::table.filter(storages::id.eq(id.to_string())).filter(storages::team.eq(team.to_string()))
    )
    .execute(conn)
    .await)?;
    Ok(n > 0)
}

/// A storage of the team.
pub async fn storage_by_id(db: &mut Db, team: TeamId, id: StorageId) -> Result<Option<Storage>, StoreError> {
    let row: Option<StorageRow> = on!(db, |conn| storages::table
        .filter(storages::id.eq(id.to_string()))
        .filter(storages::team.eq(team.to_string()))
        .select(StorageRow::as_select())
        .first(conn)
        .await
        .optional())?;
    row.map(|row| row.storage(db)).transpose()
}

/// The team's storages, oldest first. Index: `storages_team_name_key`.
pub async fn storages_list(db: &mut Db, team: TeamId) -> Result<Vec<Storage>, StoreError> {
    let rows: Vec<StorageRow> = on!(db, |conn| storages::table
        .filter(storages::team.eq(team.to_string()))
        .order((storages::created, storages::id))
        .select(StorageRow::as_select())
        .load(conn)
        .await)?;
    rows.into_iter().map(|row| row.storage(db)).collect()
}
