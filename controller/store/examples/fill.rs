//! Fills a database with as many apps, releases and users as one platform is made for. Used by `tests/bench/api`.
//!
//! Usage: `fill URL USER [IMAGE [APPS]]`, with the key of the platform that the database belongs to in `SLIPWAY_SEALING_KEY`
//! (base64). `USER` must be registered, and owns every hundredth app. With `IMAGE`, every app runs it as one process
//! `web` and one `worker`; without, no app has a build. There are 10,000 apps unless `APPS` says otherwise.

#![expect(clippy::print_stdout, reason = "a program for people and scripts")]

use std::collections::BTreeMap;
use std::error::Error;

use chrono::Utc;
use secrecy::SecretString;
use slipway_core::app::Structure;
use slipway_core::config::SecretText;
use slipway_core::release::ReleaseState;
use slipway_core::{AppName, ProcessType, UserId, Username};
use slipway_store as store;
use slipway_store::{
    Db, NewApp, NewBuild, NewConfig, NewDomain, NewRelease, NewUser, SealingKey, Store, StoreConfig, StoreError,
};

/// Apps unless another number is asked for.
const APPS_DEFAULT: usize = 10_000;
const RELEASES_EACH: usize = 10;
const USERS: usize = 1_000;
/// Apps that one transaction makes.
const PORTION: usize = 250;

/// What every app runs.
struct Run {
    image: String,
    types: Vec<ProcessType>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let (Some(url), Some(user)) = (words.next(), words.next()) else { return Err("usage: fill URL USER".into()) };
    let types = vec![ProcessType::web(), ProcessType::new("worker")?];
    let run = words.next().map(|image| Run { image, types });
    let apps = words.next().map_or(Ok(APPS_DEFAULT), |number| number.parse())?;
    let key = SealingKey::from_base64(&std::env::var("SLIPWAY_SEALING_KEY")?)?;
    let store = Store::connect(StoreConfig::new(SecretString::from(url), key)).await?;
    let owner = store::user_by_name(&mut store.read().await?, &Username::new(user)?).await?.ok_or("no such user")?;

    let mut owners = vec![owner.id];
    owners.extend(users(&store).await?);
    for first in (0..apps).step_by(PORTION) {
        let names: Vec<AppName> = (first..apps.min(first + PORTION))
            .map(|number| AppName::new(format!("app-{number:05}")))
            .collect::<Result<_, _>>()?;
        let mut transaction = store.transaction().await?;
        for (place, name) in names.iter().enumerate() {
            let number = first + place;
            let owner = if number % 100 == 0 { owners[0] } else { owners[1 + number % USERS] };
            app(transaction.db(), name, owner, run.as_ref()).await?;
        }
        transaction.commit().await?;
    }
    println!("{apps} apps, {} releases, {USERS} users", apps * RELEASES_EACH);
    Ok(())
}

async fn users(store: &Store) -> Result<Vec<UserId>, Box<dyn Error>> {
    let mut transaction = store.transaction().await?;
    let mut made = Vec::with_capacity(USERS);
    for number in 0..USERS {
        let new = NewUser {
            username: Username::new(format!("user-{number}"))?,
            email: format!("user-{number}@example.com"),
            first_name: String::new(),
            last_name: String::new(),
            // No hash: nobody logs in with it.
            password_hash: SecretString::from("!"),
            is_superuser: false,
            date_joined: Utc::now(),
        };
        made.push(store::user_insert(transaction.db(), &new).await?.id);
    }
    transaction.commit().await?;
    Ok(made)
}

/// An app as `apps:create` makes it, and a release a config change.
async fn app(db: &mut Db, name: &AppName, owner: UserId, run: Option<&Run>) -> Result<(), StoreError> {
    let now = Utc::now();
    let structure: Structure = run.iter().flat_map(|run| &run.types).map(|one| (one.clone(), 1)).collect();
    let app = store::app_insert(db, &NewApp { name: name.clone(), owner, structure, created: now }).await?;
    let build = match run {
        Some(run) => {
            let new = NewBuild {
                app: app.id,
                owner,
                image: run.image.clone(),
                pinned: None,
                sha: String::new(),
                procfile: run.types.iter().map(|one| (one.clone(), "serve".to_owned())).collect(),
                dockerfile: String::new(),
                stack: String::new(),
                created: now,
            };
            Some(store::build_insert(db, &new).await?.id)
        }
        None => None,
    };
    let mut config = NewConfig::empty(app.id, owner, now);
    let value = |number: usize| (format!("VARIABLE_{number}"), SecretText::new(format!("the value of {number}")));
    config.values = (0..10).map(value).collect::<BTreeMap<_, _>>();
    let config = store::config_insert(db, &config).await?;
    for number in 0..RELEASES_EACH {
        let new = NewRelease {
            app: app.id,
            owner,
            summary: format!("user added VARIABLE_{number}"),
            config: config.id,
            build,
            state: ReleaseState::Succeeded,
            created: now,
        };
        store::release_insert(db, &new).await?;
    }
    store::settings_insert(db, app.id, owner, now).await?;
    store::domain_insert(db, &NewDomain { app: app.id, owner, domain: name.to_string(), created: now }).await?;
    Ok(())
}
