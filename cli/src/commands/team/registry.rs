//! `registries`. Source of calls: team-api.md §3.1 and §4.2.

use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use slipway_wire::team::{Registry, RegistryDetails};

use super::kind::Kind;
use super::{Found, Team, given, yes_no};
use crate::args::team::registry::{RegistryCommand, RegistryPlace};
use crate::context::{self, Context};
use crate::error::Result;

const REGISTRY: Kind = Kind { one: "registry", title: "Registry", titles: "Registries", all: "registries" };

/// Runs a command about a team's registries.
pub async fn registry(cx: &Context, team: Option<&str>, command: RegistryCommand) -> Result {
    let team = Team::choose(cx, team).await?;
    match command {
        RegistryCommand::List => team.list(cx, REGISTRY, row).await,
        RegistryCommand::Add { name, kind, place } => {
            let mut body = json!({"name": name, "type": kind, "details": {}});
            fill(&mut body, &place)?;
            let text = format!("Adding registry {name} to {}...", team.slug);
            cx.work(&text, team.api.post(&team.path("registries"), &body)).await.map(drop)
        }
        RegistryCommand::Info { registry } => team.info(cx, REGISTRY, &registry, rows).await.map(drop),
        RegistryCommand::Update { registry, name, public, place } => {
            let change = |body: &mut Value| {
                if let Some(details) = body["details"].as_object_mut() {
                    details.remove("public");
                    // A name without a password would be somebody else.
                    details.remove("user");
                    if public {
                        details.insert("public".to_owned(), true.into());
                    }
                }
                given(body, &[("name", &name)]);
                fill(body, &place)
            };
            // The password stays when none is sent.
            team.update(cx, REGISTRY, &registry, &["name", "type", "description", "icon", "details"], change).await
        }
        RegistryCommand::Remove { registry } => team.remove(cx, REGISTRY, &registry).await,
    }
}

/// The registry of this name or id.
pub async fn find(team: &Team, named: &str) -> Result<Found> {
    team.one(REGISTRY, named).await
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

fn row(it: &Registry) -> Vec<String> {
    vec![it.name.clone(), it.r#type.clone(), it.url.clone()]
}

fn rows(it: &RegistryDetails) -> Vec<(&'static str, String)> {
    let it = it.clone();
    let login = if it.details.public { "none".to_owned() } else { it.details.user.unwrap_or_else(|| "yes".to_owned()) };
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
    all.into_iter().filter_map(|(name, value)| Some((name, value.filter(|it| !it.is_empty())?))).collect()
}
