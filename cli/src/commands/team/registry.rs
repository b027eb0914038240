//! `registries`. Source of calls: team-api.md §3.1 and §4.2.

use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use slipway_client::segment;
use slipway_wire::team::{Registry, RegistryDetails};

use super::{Found, Team, given, yes_no};
use crate::args::team::registry::{RegistryCommand, RegistryPlace};
use crate::context::{self, Context};
use crate::error::Result;
use crate::print;

/// Runs a command about a team's registries.
pub async fn registry(cx: &Context, team: Option<&str>, command: RegistryCommand) -> Result {
    let team = Team::choose(cx, team).await?;
    match command {
        RegistryCommand::List => list(cx, &team).await,
        RegistryCommand::Add { name, kind, place } => {
            let mut body = json!({"name": name, "type": kind, "details": {}});
            fill(&mut body, &place)?;
            let text = format!("Adding registry {name} to {}...", team.slug);
            cx.work(&text, team.api.post(&team.path("registries"), &body)).await.map(drop)
        }
        RegistryCommand::Info { registry } => info(cx, &team, &registry).await,
        RegistryCommand::Update { registry, name, public, place } => {
            update(cx, &team, &registry, name, public, &place).await
        }
        RegistryCommand::Remove { registry } => {
            let found = find(&team, &registry).await?;
            let text = format!("Removing registry {} from {}...", found.name, team.slug);
            cx.work(&text, team.api.delete(&path(&team, &found))).await.map(drop)
        }
    }
}

/// The registry of this name or id.
pub async fn find(team: &Team, named: &str) -> Result<Found> {
    team.find("registry", &team.path("registries"), named, "registries").await
}

fn path(team: &Team, found: &Found) -> String {
    team.path(&format!("registries/{}", segment(&found.id)))
}

fn fill(body: &mut Value, place: &RegistryPlace) -> Result {
    let RegistryPlace { url, prefix, namespace, api_url, user, token_from, description } = place;
    given(body, &[("description", description)]);
    let details = &mut body["details"];
    given(
        details,
        &[("url", url), ("imageNamePrefix", prefix), ("namespace", namespace), ("apiUrl", api_url), ("user", user)],
    );
    if let Some(source) = token_from {
        details["token"] = context::secret(source, "token")?.expose_secret().into();
    }
    Ok(())
}

async fn list(cx: &Context, team: &Team) -> Result {
    let answer = team.api.get(&team.path("registries")).await?;
    cx.show(&answer, || {
        let registries: Vec<Registry> = answer.json()?;
        print::line(format_args!("=== {} Registries", team.slug))?;
        let rows = registries.into_iter().map(|it| vec![it.name, it.r#type, it.url]);
        print::table::rows(&rows.collect::<Vec<_>>())
    })
}

async fn info(cx: &Context, team: &Team, named: &str) -> Result {
    let found = find(team, named).await?;
    let answer = team.api.get(&path(team, &found)).await?;
    cx.show(&answer, || {
        let it: RegistryDetails = answer.json()?;
        print::line(format_args!("=== {} Registry", it.name))?;
        let login =
            if it.details.public { "none".to_owned() } else { it.details.user.unwrap_or_else(|| "yes".to_owned()) };
        let all = [
            ("type", Some(it.r#type)),
            ("host", it.details.url),
            ("prefix", it.details.image_name_prefix),
            ("namespace", it.details.namespace),
            ("api", it.details.api_url),
            ("login", Some(login)),
            ("in use", Some(yes_no(it.in_use))),
            ("description", it.description),
            ("id", Some(it.id)),
            ("created", Some(it.created_at)),
            ("updated", Some(it.updated_at)),
        ];
        print::table::pairs(
            all.into_iter().filter_map(|(name, value)| Some((name, value.filter(|it| !it.is_empty())?))),
        )
    })
}

async fn update(
    cx: &Context,
    team: &Team,
    named: &str,
    name: Option<String>,
    is_public: bool,
    place: &RegistryPlace,
) -> Result {
    let found = find(team, named).await?;
    // The call replaces everything but the password, which stays when none is sent.
    let old: Value = team.api.get(&path(team, &found)).await?.json()?;
    let mut body = json!({
        "name": old["name"], "type": old["type"], "description": old["description"], "icon": old["icon"],
        "details": old["details"],
    });
    if let Some(details) = body["details"].as_object_mut() {
        details.remove("public");
        // A name without a password would be somebody else.
        details.remove("user");
        if is_public {
            details.insert("public".to_owned(), true.into());
        }
    }
    given(&mut body, &[("name", &name)]);
    fill(&mut body, place)?;
    let text = format!("Updating registry {}...", found.name);
    cx.work(&text, team.api.put(&path(team, &found), &body)).await.map(drop)
}
