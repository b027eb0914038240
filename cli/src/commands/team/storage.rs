//! `storages`. Source of calls: team-api.md §3.14.

use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use slipway_wire::team::{Storage, StorageDetails};

use super::kind::Kind;
use super::{Team, given, yes_no};
use crate::args::team::storage::{StorageCommand, StorageRest};
use crate::context::{self, Context};
use crate::error::Result;

const STORAGE: Kind = Kind { one: "storage", title: "Storage", titles: "Storages", all: "storages" };

/// Runs a command about a team's storages.
pub async fn storage(cx: &Context, team: Option<&str>, command: StorageCommand) -> Result {
    let team = Team::choose(cx, team).await?;
    match command {
        StorageCommand::List => team.list(cx, STORAGE, row).await,
        StorageCommand::Add { name, url, rest } => {
            let mut body = json!({"name": name, "url": url});
            fill(&mut body, &rest)?;
            let text = format!("Adding storage {name} to {}...", team.slug);
            cx.work(&text, team.api.post(&team.path("storages"), &body)).await.map(drop)
        }
        StorageCommand::Info { storage } => team.info(cx, STORAGE, &storage, rows).await.map(drop),
        StorageCommand::Update { storage, name, url, rest } => {
            // The secret stays when none is sent.
            let kept = ["name", "url", "description", "icon", "accessKey"];
            let change = |body: &mut Value| {
                given(body, &[("name", &name), ("url", &url)]);
                fill(body, &rest)
            };
            team.update(cx, STORAGE, &storage, &kept, change).await
        }
        StorageCommand::Remove { storage } => team.remove(cx, STORAGE, &storage).await,
    }
}

fn fill(body: &mut Value, rest: &StorageRest) -> Result {
    given(body, &[("description", &rest.description), ("accessKey", &rest.access_key)]);
    if let Some(source) = &rest.secret_key_from {
        body["secretKey"] = context::secret(source, "secret key")?.expose_secret().into();
    }
    Ok(())
}

fn row(it: &Storage) -> Vec<String> {
    vec![it.name.clone(), it.url.clone(), it.description.clone().unwrap_or_default()]
}

fn rows(it: &StorageDetails) -> Vec<(&'static str, String)> {
    let secret = if it.secret_key.is_some() { "set" } else { "none" };
    vec![
        ("url", it.url.clone()),
        ("access key", it.access_key.clone().unwrap_or_else(|| "none".to_owned())),
        ("secret key", secret.to_owned()),
        ("in use", yes_no(it.in_use)),
        ("id", it.id.clone()),
    ]
}
