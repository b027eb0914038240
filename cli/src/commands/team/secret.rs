//! `deployments:secrets`. Source of calls: team-api.md §3.7 and §4.4. A value travels over the connection to the
//! controller, which keeps it encrypted with the key of the deployment's node.

use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use slipway_client::segment;

use super::deployment::{find, instance, path};
use super::{Found, Team, text};
use crate::args::team::deployment::DeploymentSecretCommand;
use crate::context::{self, Context};
use crate::error::{Error, Result};
use crate::print;

/// Runs a command about the secrets of a deployment's containers.
pub async fn secret(cx: &Context, team: &Team, command: DeploymentSecretCommand) -> Result {
    match command {
        DeploymentSecretCommand::List { deployment } => list(cx, team, &find(team, &deployment).await?).await,
        DeploymentSecretCommand::Set { deployment, image, name, from } => {
            let found = find(team, &deployment).await?;
            let value = context::secret(&from, "secret")?;
            let text = format!("Setting {name} of {image}...");
            change(cx, team, &found, &image, &name, value.expose_secret(), &text).await
        }
        DeploymentSecretCommand::Unset { deployment, image, name } => {
            let found = find(team, &deployment).await?;
            let text = format!("Unsetting {name} of {image}...");
            change(cx, team, &found, &image, &name, "", &text).await
        }
    }
}

/// Secrets of an instance: those that its image names, and its own.
fn secrets(instance: &Value) -> Vec<Value> {
    let of = |config: &Value| config["secrets"].as_array().cloned().unwrap_or_default();
    let mut own = of(&instance["config"]);
    for named in of(&instance["image"]["config"]) {
        if !own.iter().any(|one| one["id"] == named["id"] || one["key"] == named["key"]) {
            own.push(json!({
                "id": named["id"], "key": named["key"], "required": named["required"], "value": "", "encrypted": false,
            }));
        }
    }
    own
}

async fn details(team: &Team, found: &Found) -> Result<Vec<Value>> {
    let details: Value = team.api.get(&path(team, found, "")).await?.json()?;
    Ok(details["instances"].as_array().cloned().unwrap_or_default())
}

async fn list(cx: &Context, team: &Team, found: &Found) -> Result {
    let instances = details(team, found).await?;
    let rows = instances.iter().flat_map(|instance| {
        let image = text(&instance["image"], "name");
        secrets(instance).into_iter().map(move |one| {
            let is_set = one["value"].as_str().is_some_and(|value| !value.is_empty());
            let is_required = one["required"] == true;
            (image.clone(), text(&one, "key"), is_set, is_required)
        })
    });
    if cx.is_json {
        let list = rows.map(|(image, key, is_set, is_required)| {
            json!({"image": image, "key": key, "set": is_set, "required": is_required})
        });
        return print::json(&list.collect());
    }
    print::line(format_args!("=== {} Secrets", found.name))?;
    let rows = rows.map(|(image, key, is_set, is_required)| {
        let state = match (is_set, is_required) {
            (true, _) => "set",
            (false, true) => "missing",
            (false, false) => "not set",
        };
        vec![image, key, state.to_owned()]
    });
    print::table::rows(&rows.collect::<Vec<_>>())
}

async fn change(cx: &Context, team: &Team, found: &Found, image: &str, name: &str, value: &str, text: &str) -> Result {
    let instances = details(team, found).await?;
    let instance = instance(&instances, found, image)?;
    let mut list = secrets(instance);
    match list.iter_mut().find(|one| one["key"] == name) {
        Some(one) => {
            one["value"] = value.into();
            one["encrypted"] = false.into();
        }
        None if value.is_empty() => return Err(Error::new(format!("there is no secret {name}"))),
        None => list.push(json!({"key": name, "required": false, "value": value, "encrypted": false})),
    }
    let id = super::text(instance, "id");
    let path = path(team, found, &format!("/instances/{}", segment(&id)));
    cx.work(text, team.api.patch(&path, &json!({"config": {"secrets": list}}))).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_has_the_secrets_of_its_image_too() {
        let instance = json!({
            "image": {"config": {"secrets": [
                {"id": "1", "key": "A", "required": true}, {"id": "2", "key": "B", "required": false},
            ]}},
            "config": {"secrets": [{"id": "1", "key": "A", "required": true, "value": "x", "encrypted": true}]},
        });
        let found = secrets(&instance);
        assert_eq!(found.len(), 2);
        assert_eq!((&found[0]["value"], &found[1]["value"]), (&json!("x"), &json!("")));
        assert_eq!(secrets(&json!({"image": {"config": {"secrets": null}}, "config": null})), Vec::<Value>::new());
    }
}
