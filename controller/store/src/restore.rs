//! Adding rows that come with their identity and their history from elsewhere, as they were there.
//!
//! Everything else that adds a row makes its identity, number and times itself; only taking over another platform's
//! data does not. Whether a row is there already is for the caller to ask first: a statement that fails ends the
//! transaction.

use secrecy::{ExposeSecret, SecretString};
use slipway_core::app::App;
use slipway_core::build::Build;
use slipway_core::config::Config;
use slipway_core::domain::Domain;
use slipway_core::key::Key;
use slipway_core::release::Release;
use slipway_core::user::User;
use slipway_core::{CertificateId, UserId};

use crate::config::{mounts_write, seal};
use crate::db::on;
use crate::platform_name::{NameOwner, platform_name_take};
use crate::schema::{apps, builds, certs, configs, domains, keys, releases, users};
use crate::types::{Row, UtcMicros, can_be_stored, text, to_json, to_json_map};
use crate::{Db, StoreError, UniqueOn};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

/// Adds a user; `number` is given by the store, whatever `user` says, and there is no token until the first login.
pub async fn user_restore(db: &mut Db, user: &User, password_hash: &SecretString) -> Result<(), StoreError> {
    on!(db, |conn| diesel::insert_into(users::table)
        .values((
            users::id.eq(user.id.to_string()),
            users::username.eq(user.username.as_str()),
            users::email.eq(text(&user.email)),
            users::first_name.eq(text(&user.first_name)),
            users::last_name.eq(text(&user.last_name)),
            users::password_hash.eq(text(password_hash.expose_secret())),
            users::is_superuser.eq(user.is_superuser),
            users::is_active.eq(user.is_active),
            users::key_generation.eq(user.key_generation),
            users::last_login.eq(user.last_login.map(UtcMicros::from)),
            users::date_joined.eq(UtcMicros::from(user.date_joined)),
        ))
        .execute(conn)
        .await)?;
    Ok(())
}

/// Whether a key of anybody has this label.
pub async fn key_label_is_taken(db: &mut Db, label: &str) -> Result<bool, StoreError> {
    if !can_be_stored(label) {
        return Ok(false);
    }
    let total: i64 = on!(db, |conn| keys::table.filter(keys::id.eq(label)).count().get_result(conn).await)?;
    Ok(total > 0)
}

/// Adds an SSH key.
pub async fn key_restore(db: &mut Db, key: &Key) -> Result<(), StoreError> {
    on!(db, |conn| diesel::insert_into(keys::table)
        .values((
            keys::uuid.eq(key.uuid.to_string()),
            keys::id.eq(text(&key.id)),
            keys::owner.eq(key.owner.to_string()),
            keys::public.eq(text(&key.public)),
            keys::fingerprint.eq(text(&key.fingerprint)),
            keys::created.eq(UtcMicros::from(key.created)),
            keys::updated.eq(UtcMicros::from(key.updated)),
        ))
        .execute(conn)
        .await)?;
    Ok(())
}

/// Whose certificate has this name, its identity and its fingerprint.
pub async fn certificate_of_anybody(
    db: &mut Db,
    name: &str,
) -> Result<Option<(CertificateId, UserId, String)>, StoreError> {
    if !can_be_stored(name) {
        return Ok(None);
    }
    let row: Option<(String, String, String)> = on!(db, |conn| certs::table
        .filter(certs::name.eq(name))
        .select((certs::id, certs::owner, certs::fingerprint))
        .first(conn)
        .await
        .optional())?;
    row.map(|(id, owner, fingerprint)| {
        let row = Row { table: "certs", id: &id };
        Ok((row.parse("id", &id)?, row.parse("owner", &owner)?, fingerprint))
    })
    .transpose()
}

/// Adds an app.
pub async fn app_restore(db: &mut Db, app: &App) -> Result<(), StoreError> {
    let (structure, restarts) = (to_json_map(&app.structure)?, to_json(&app.restarts)?);
    on!(db, |conn| diesel::insert_into(apps::table)
        .values((
            apps::id.eq(app.id.to_string()),
            apps::name.eq(app.name.as_str()),
            apps::owner.eq(app.owner.to_string()),
            apps::structure.eq(&structure),
            apps::desired_generation.eq(app.desired_generation),
            apps::observed_generation.eq(app.observed_generation),
            apps::restarts.eq(&restarts),
            apps::is_deleting.eq(app.is_deleting),
            apps::created.eq(UtcMicros::from(app.created)),
            apps::updated.eq(UtcMicros::from(app.updated)),
        ))
        .execute(conn)
        .await)?;
    if !platform_name_take(db, app.name.as_str(), NameOwner::App(app.id), app.created).await? {
        return Err(StoreError::Conflict { what: UniqueOn::AppName });
    }
    Ok(())
}

/// Adds a configuration; its values and credentials are sealed.
pub async fn config_restore(db: &mut Db, config: &Config) -> Result<(), StoreError> {
    let id = config.id.to_string();
    let row = Row { table: "configs", id: &id };
    let sealed_values = seal(&db.key, row, "values", &config.values)?;
    let sealed_registry = seal(&db.key, row, "registry", &config.registry)?;
    let (memory, cpu) = (to_json_map(&config.memory)?, to_json_map(&config.cpu)?);
    let (tags, healthcheck) = (to_json(&config.tags)?, to_json(&config.healthcheck)?);
    let (mounts, grace) = (mounts_write(&config.mounts)?, to_json_map(&config.termination_grace_period)?);
    let (post_start, pre_stop) = (to_json_map(&config.lifecycle_post_start)?, to_json_map(&config.lifecycle_pre_stop)?);
    on!(db, |conn| diesel::insert_into(configs::table)
        .values((
            configs::id.eq(&id),
            configs::app.eq(config.app.to_string()),
            configs::owner.eq(config.owner.to_string()),
            configs::owner_name.eq(config.owner_name.as_str()),
            configs::sealed_values.eq(&sealed_values),
            configs::memory.eq(&memory),
            configs::cpu.eq(&cpu),
            configs::tags.eq(&tags),
            configs::sealed_registry.eq(&sealed_registry),
            configs::healthcheck.eq(&healthcheck),
            configs::mounts.eq(&mounts),
            configs::termination_grace_period.eq(&grace),
            configs::lifecycle_post_start.eq(&post_start),
            configs::lifecycle_pre_stop.eq(&pre_stop),
            configs::created.eq(UtcMicros::from(config.created)),
        ))
        .execute(conn)
        .await)?;
    Ok(())
}

/// Adds a build.
pub async fn build_restore(db: &mut Db, build: &Build) -> Result<(), StoreError> {
    let procfile = to_json_map(&build.procfile)?;
    on!(db, |conn| diesel::insert_into(builds::table)
        .values((
            builds::id.eq(build.id.to_string()),
            builds::app.eq(build.app.to_string()),
            builds::owner.eq(build.owner.to_string()),
            builds::owner_name.eq(build.owner_name.as_str()),
            builds::image.eq(text(&build.image)),
            builds::sha.eq(text(&build.sha)),
            builds::procfile.eq(&procfile),
            builds::dockerfile.eq(text(&build.dockerfile)),
            builds::stack.eq(text(&build.stack)),
            builds::created.eq(UtcMicros::from(build.created)),
        ))
        .execute(conn)
        .await)?;
    Ok(())
}

/// Adds a release under the number that it had.
pub async fn release_restore(db: &mut Db, release: &Release) -> Result<(), StoreError> {
    on!(db, |conn| diesel::insert_into(releases::table)
        .values((
            releases::id.eq(release.id.to_string()),
            releases::app.eq(release.app.to_string()),
            releases::owner.eq(release.owner.to_string()),
            releases::owner_name.eq(release.owner_name.as_str()),
            releases::version.eq(i64::from(release.version.0)),
            releases::summary.eq(text(&release.summary)),
            releases::config.eq(release.config.to_string()),
            releases::build.eq(release.build.map(|build| build.to_string())),
            releases::state.eq(release.state.as_str()),
            releases::exception.eq(text(&release.exception)),
            releases::deadline.eq(release.deadline.map(UtcMicros::from)),
            releases::created.eq(UtcMicros::from(release.created)),
            releases::updated.eq(UtcMicros::from(release.updated)),
        ))
        .execute(conn)
        .await)?;
    Ok(())
}

/// Adds a domain.
pub async fn domain_restore(db: &mut Db, domain: &Domain) -> Result<(), StoreError> {
    on!(db, |conn| diesel::insert_into(domains::table)
        .values((
            domains::domain.eq(text(&domain.domain)),
            domains::app.eq(domain.app.to_string()),
            domains::owner.eq(domain.owner.to_string()),
            domains::owner_name.eq(domain.owner_name.as_str()),
            domains::created.eq(UtcMicros::from(domain.created)),
            domains::updated.eq(UtcMicros::from(domain.updated)),
            domains::port.eq(domain.port.map(i32::from)),
        ))
        .execute(conn)
        .await)?;
    Ok(())
}
