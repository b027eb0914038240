//! Rows that many tests need.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeZone, Utc};
use secrecy::SecretString;
use slipway_core::app::App;
use slipway_core::build::Build;
use slipway_core::config::{Config, SecretText};
use slipway_core::release::{Release, ReleaseState};
use slipway_core::user::User;
use slipway_core::{AppId, BuildId, ConfigId, UserId};
use slipway_store::{
    Db, NewApp, NewBuild, NewConfig, NewRelease, NewUser, app_insert, build_insert, config_insert, release_insert,
    user_insert,
};

/// A time, so many seconds after noon.
pub fn at(seconds: i64) -> DateTime<Utc> {
    Utc.timestamp_opt(1_800_000_000 + seconds, 123_456_789).unwrap()
}

pub fn new_user(name: &str) -> NewUser {
    NewUser {
        username: name.parse().unwrap(),
        email: format!("{name}@example.com"),
        first_name: String::new(),
        last_name: String::new(),
        password_hash: SecretString::from("$argon2id$".to_owned()),
        is_superuser: false,
        date_joined: at(0),
    }
}

pub async fn user(db: &mut Db, name: &str) -> User {
    user_insert(db, &new_user(name)).await.unwrap()
}

pub fn new_app(owner: UserId, name: &str) -> NewApp {
    NewApp { name: name.parse().unwrap(), owner, structure: BTreeMap::new(), created: at(0) }
}

pub async fn app(db: &mut Db, owner: UserId, name: &str) -> App {
    app_insert(db, &new_app(owner, name)).await.unwrap()
}

pub fn new_config(app: AppId, owner: UserId, values: &[(&str, &str)]) -> NewConfig {
    NewConfig {
        app,
        owner,
        values: values.iter().map(|(name, value)| ((*name).to_owned(), SecretText::new(*value))).collect(),
        memory: BTreeMap::new(),
        cpu: BTreeMap::new(),
        tags: BTreeMap::new(),
        registry: BTreeMap::new(),
        healthcheck: BTreeMap::new(),
        termination_grace_period: BTreeMap::new(),
        lifecycle_post_start: BTreeMap::new(),
        lifecycle_pre_stop: BTreeMap::new(),
        mounts: BTreeMap::new(),
        created: at(0),
    }
}

pub async fn config(db: &mut Db, app: &App) -> Config {
    config_insert(db, &new_config(app.id, app.owner, &[])).await.unwrap()
}

pub async fn build(db: &mut Db, app: &App, image: &str, seconds: i64) -> Build {
    let new = NewBuild {
        app: app.id,
        owner: app.owner,
        image: image.to_owned(),
        pinned: None,
        sha: "0123abcd".to_owned(),
        procfile: BTreeMap::from([("web".parse().unwrap(), "run\0me".to_owned())]),
        dockerfile: String::new(),
        stack: "buildpack".to_owned(),
        created: at(seconds),
    };
    build_insert(db, &new).await.unwrap()
}

pub fn new_release(app: &App, config: ConfigId, build: Option<BuildId>, state: ReleaseState) -> NewRelease {
    NewRelease { app: app.id, owner: app.owner, summary: "test".to_owned(), config, build, state, created: at(1) }
}

pub async fn release(db: &mut Db, app: &App, config: &Config, build: Option<BuildId>, state: ReleaseState) -> Release {
    release_insert(db, &new_release(app, config.id, build, state)).await.unwrap()
}
