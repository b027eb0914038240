//! `storages`. Source of calls: team-api.md §3.14.

use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use slipway_client::segment;
use slipway_wire::team::{Storage, StorageDetails};

use super::{Found, Team, given, yes_no};
use crate::args::team::storage::{StorageCommand, StorageRest};
use crate::context::{self, Context};
use crate::error::Result;
use crate::print;

/// Runs a command about a team's storages.
pub async fn storage(cx: &Context, team: Option<&str>, command: StorageCommand) -> Result {
    let team = Team::choose(cx, team).await?;
    match command {
        StorageCommand::List => list(cx, &team).await,
        StorageCommand::Add { name, url, rest } => {
            let mut body = json!({"name": name, "url": url});
            fill(&mut body, &rest)?;
            let text = format!("Adding storage {name} to {}...", team.slug);
            cx.work(&text, team.api.post(&team.path("storages"), &body)).await.map(drop)
        }
        StorageCommand::Info { storage } => info(cx, &team, &storage).await,
        StorageCommand::Update { storage, name, url, rest } => {
            let found = find(&team, &storage).await?;
            // The call replaces everything but the secret, which stays when none is sent.
            let old: Value = team.api.get(&path(&team, &found)).await?.json()?;
            let mut body = json!({
                "name": old["name"], "url": old["url"], "description": old["description"], "icon": old["icon"],
                "accessKey": old["accessKey"],
            });
            given(&mut body, &[("name", &name), ("url", &url)]);
            fill(&mut body, &rest)?;
            let text = format!("Updating storage {}...", found.name);
            cx.work(&text, team.api.put(&path(&team, &found), &body)).await.map(drop)
        }
        StorageCommand::Remove { storage } => {
            let found = find(&team, &storage).await?;
            let text = format!("Removing storage {} from {}...", found.name, team.slug);
            cx.work(&text, team.api.delete(&path(&team, &found))).await.map(drop)
        }
    }
}

async fn find(team: &Team, named: &str) -> Result<Found> {
    team.find("storage", &team.path("storages"), named, "storages").await
}

fn path(team: &Team, found: &Found) -> String {
    team.path(&format!("storages/{}", segment(&found.id)))
}

fn fill(body: &mut Value, rest: &StorageRest) -> Result {
    given(body, &[("description", &rest.description), ("accessKey", &rest.access_key)]);
    if let Some(source) = &rest.secret_key_from {
        body["secretKey"] = context::secret(source, "secret key")?.expose_secret().into();
    }
    Ok(())
}

async fn list(cx: &Context, team: &Team) -> Result {
    let answer = team.api.get(&team.path("storages")).await?;
    cx.show(&answer, || {
        let storages: Vec<Storage> = answer.json()?;
        print::line(format_args!("=== {} Storages", team.slug))?;
        let rows = storages.into_iter().map(|it| vec![it.name, it.url, it.description.unwrap_or_default()]);
        print::table::rows(&rows.collect::<Vec<_>>())
    })
}

async fn info(cx: &Context, team: &Team, named: &str) -> Result {
    let found = find(team, named).await?;
    let answer = team.api.get(&path(team, &found)).await?;
    cx.show(&answer, || {
        let it: StorageDetails = answer.json()?;
        print::line(format_args!("=== {} Storage", it.name))?;
        let secret = if it.secret_key.is_some() { "set" } else { "none" };
        print::table::pairs([
            ("url", it.url),
            ("access key", it.access_key.unwrap_or_else(|| "none".to_owned())),
            ("secret key", secret.to_owned()),
            ("in use", yes_no(it.in_use)),
            ("id", it.id),
        ])
    })
}
