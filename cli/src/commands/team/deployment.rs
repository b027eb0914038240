//! `deployments`. Source of calls: team-api.md §3.7 and §4.5.

use serde_json::{Value, json};
use slipway_client::segment;

use super::container_log::Place;
use super::deployment_log::{self, Ended};
use super::{Found, Team, given, missing, node, project, text};
use crate::args::team::deployment::{DeploymentCommand, DeploymentTokenCommand};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::print;

/// Runs a command about a team's deployments.
pub async fn deployment(cx: &Context, team: Option<&str>, command: DeploymentCommand) -> Result {
    let team = Team::choose(cx, team).await?;
    match command {
        DeploymentCommand::List { project } => list(cx, &team, project.as_deref()).await,
        DeploymentCommand::Create { project, version, node, prefix, note } => {
            let of = project::find_version(&team, &project, version.as_deref()).await?;
            let node = node::find(&team, &node).await?;
            let mut body = json!({"versionId": of.version.id, "nodeId": node.id, "prefix": prefix});
            given(&mut body, &[("note", &note)]);
            let text = format!("Preparing {} {} as {prefix} on {}...", of.project.name, of.version.name, node.name);
            made(cx, &text, team.api.post(&team.path("deployments"), &body)).await
        }
        DeploymentCommand::Info { deployment } => info(cx, &team, &deployment).await,
        DeploymentCommand::Update { deployment, note, prefix, env, unset } => {
            let found = find(&team, &deployment).await?;
            let mut body = json!({});
            given(&mut body, &[("note", &note), ("prefix", &prefix)]);
            if !env.is_empty() || !unset.is_empty() {
                let old: Value = team.api.get(&path(&team, &found, "")).await?.json()?;
                body["environment"] = environment(&old["environment"], &env, &unset)?;
            }
            let text = format!("Updating deployment {}...", found.name);
            cx.work(&text, team.api.patch(&path(&team, &found, ""), &body)).await.map(drop)
        }
        DeploymentCommand::Start { deployment, image, followed } => {
            let found = find(&team, &deployment).await?;
            start(cx, &team, &found, &image, !followed.detach).await
        }
        DeploymentCommand::Rollback { deployment, followed } => {
            let found = find(&team, &deployment).await?;
            let now: Value = team.api.get(&path(&team, &found, "")).await?.json()?;
            if now["status"] != "obsolete" {
                return Err(Error::new(format!("deployment {} is {}, not obsolete", found.name, text(&now, "status")))
                    .hint(
                        "only what another deployment took the place of can be gone back to: `slipway deployments`",
                    ));
            }
            start(cx, &team, &found, &[], !followed.detach).await
        }
        DeploymentCommand::Log { deployment, follow, attempt } => {
            deployment_log::log(cx, &team, &find(&team, &deployment).await?, attempt, follow).await
        }
        DeploymentCommand::Logs { deployment, images, lines } => {
            let found = find(&team, &deployment).await?;
            place(&team, &found, &images).await?.show(cx, &team, &lines).await
        }
        DeploymentCommand::Copy { deployment, node, prefix, note } => {
            let found = find(&team, &deployment).await?;
            let node = if let Some(node) = node {
                node::find(&team, &node).await?.id
            } else {
                let old: Value = team.api.get(&path(&team, &found, "")).await?.json()?;
                text(&old["node"], "id")
            };
            let mut body = json!({"nodeId": node, "prefix": prefix});
            given(&mut body, &[("note", &note)]);
            let text = format!("Copying {} to {prefix}...", found.name);
            made(cx, &text, team.api.post(&path(&team, &found, "/copy"), &body)).await
        }
        DeploymentCommand::Secrets(command) => super::secret::secret(cx, &team, command).await,
        DeploymentCommand::Token(command) => token(cx, &team, command).await,
        DeploymentCommand::Remove { deployment } => {
            let found = find(&team, &deployment).await?;
            let text = format!("Removing deployment {}...", found.name);
            cx.work(&text, team.api.delete(&path(&team, &found, ""))).await.map(drop)
        }
    }
}

/// Tells of a deployment that is made, with its id.
async fn made(cx: &Context, text: &str, call: impl Future<Output = Result<slipway_client::Answer>>) -> Result {
    let progress = cx.progress(text)?;
    let answer = call.await?;
    progress.done(&format!("done, {}", super::text(&answer.json()?, "id")))?;
    cx.show(&answer, || Ok(()))
}

/// The deployment of this id, of an id that begins so, or of this prefix where one alone has it.
pub async fn find(team: &Team, named: &str) -> Result<Found> {
    let list: Vec<Value> = team.api.get(&team.path("deployments")).await?.json()?;
    pick(&list, named)
}

fn pick(list: &[Value], named: &str) -> Result<Found> {
    /// So short a beginning of an id is none.
    const BEGINNING: usize = 4;
    let all = |is_it: &dyn Fn(&&Value) -> bool| list.iter().filter(is_it).collect::<Vec<_>>();
    let mut found = all(&|one| one["id"] == named);
    if found.is_empty() && named.len() >= BEGINNING {
        found = all(&|one| text(one, "id").starts_with(named));
    }
    if found.is_empty() {
        found = all(&|one| one["prefix"] == named);
        if found.len() > 1 {
            found.retain(|one| one["status"] != "obsolete");
        }
    }
    match found.as_slice() {
        [one] => Ok(Found { id: text(one, "id"), name: text(one, "prefix") }),
        [] => Err(missing("deployment", named, list.iter().filter_map(|one| one["prefix"].as_str()), "deployments")),
        _ => Err(Error::new(format!("several deployments are meant by {named}"))
            .hint("name one by its id: `slipway deployments` lists them")),
    }
}

/// The instance whose image has this name.
pub fn instance<'a>(instances: &'a [Value], found: &Found, image: &str) -> Result<&'a Value> {
    let images: Vec<Value> = instances.iter().map(|one| one["image"].clone()).collect();
    let image = super::image::named(&images, image, &format!("deployments:info {}", found.name))?;
    let of = instances.iter().find(|one| one["image"]["id"] == image["id"]);
    of.ok_or_else(|| Error::new("the deployment has no container of that image"))
}

/// The name of an instance's container.
pub fn container(instance: &Value) -> &str {
    instance["config"]["name"].as_str().or(instance["image"]["config"]["name"].as_str()).unwrap_or_default()
}

/// Where the containers of these images run; of all when none is named.
async fn place(team: &Team, found: &Found, images: &[String]) -> Result<Place> {
    let details: Value = team.api.get(&path(team, found, "")).await?.json()?;
    let instances = details["instances"].as_array().map_or(&[][..], Vec::as_slice);
    let meant: Vec<&Value> = if images.is_empty() {
        instances.iter().collect()
    } else {
        images.iter().map(|image| instance(instances, found, image)).collect::<Result<_>>()?
    };
    Ok(Place {
        node: text(&details["node"], "id"),
        prefix: Some(text(&details, "prefix")),
        names: meant.into_iter().map(|one| container(one).to_owned()).collect(),
        title: found.name.clone(),
    })
}

/// A path below a deployment.
pub fn path(team: &Team, found: &Found, rest: &str) -> String {
    team.path(&format!("deployments/{}{rest}", segment(&found.id)))
}

/// The variables as they are, with those given in place and those named taken away.
fn environment(old: &Value, set: &[String], unset: &[String]) -> Result<Value> {
    let set = crate::commands::setting::pairs(set)?;
    let mut list: Vec<Value> = old.as_array().cloned().unwrap_or_default();
    list.retain(|one| !unset.contains(&text(one, "key")));
    for (name, value) in set {
        match list.iter_mut().find(|one| one["key"] == name.as_str()) {
            Some(one) => one["value"] = value,
            None => list.push(json!({"key": name, "value": value})),
        }
    }
    Ok(list.into())
}

async fn list(cx: &Context, team: &Team, project: Option<&str>) -> Result {
    let project = match project {
        Some(named) => Some(project::find(team, named).await?),
        None => None,
    };
    let answer = team.api.get(&team.path("deployments")).await?;
    let mut list: Vec<Value> = answer.json()?;
    if let Some(project) = &project {
        list.retain(|one| one["project"]["id"] == project.id.as_str());
    }
    if cx.is_json {
        return print::json(&list.into());
    }
    print::line(format_args!("=== {} Deployments", team.slug))?;
    let rows = list.iter().map(|it| {
        let what = format!("{} {}", text(&it["project"], "name"), text(&it["version"], "name"));
        vec![text(it, "id"), text(it, "prefix"), what, text(&it["node"], "name"), text(it, "status")]
    });
    print::table::rows(&rows.collect::<Vec<_>>())
}

async fn info(cx: &Context, team: &Team, named: &str) -> Result {
    let found = find(team, named).await?;
    let answer = team.api.get(&path(team, &found, "")).await?;
    cx.show(&answer, || {
        let it: Value = answer.json()?;
        print::line(format_args!("=== {} Deployment", found.name))?;
        let token = it["token"]["name"].as_str().map_or_else(|| "none".to_owned(), str::to_owned);
        print::table::pairs([
            ("status", text(&it, "status")),
            ("project", text(&it["project"], "name")),
            ("version", text(&it["version"], "name")),
            ("node", text(&it["node"], "name")),
            ("note", text(&it, "note")),
            ("tries", it["lastTry"].to_string()),
            ("token", token),
            ("id", text(&it, "id")),
            ("updated", text(&it["audit"], "updatedAt")),
        ])?;
        print::line("=== Containers")?;
        let rows = it["instances"].as_array().into_iter().flatten().map(|one| {
            let image = &one["image"];
            vec![container(one).to_owned(), text(image, "name"), text(image, "tag")]
        });
        print::table::rows(&rows.collect::<Vec<_>>())?;
        print::line("=== Environment")?;
        let pairs: Vec<(String, String)> = it["environment"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|one| (text(one, "key"), text(one, "value")))
            .collect();
        print::table::pairs(pairs.iter().map(|(name, value)| (name.as_str(), value.clone())))
    })
}

async fn start(cx: &Context, team: &Team, found: &Found, images: &[String], is_followed: bool) -> Result {
    let mut body = json!({});
    if !images.is_empty() {
        let details: Value = team.api.get(&path(team, found, "")).await?.json()?;
        let instances = details["instances"].as_array().cloned().unwrap_or_default();
        let of: Vec<Value> = instances.iter().map(|one| one["image"].clone()).collect();
        let mut ids = Vec::new();
        for name in images {
            let image = super::image::named(&of, name, &format!("deployments:info {}", found.name))?;
            ids.extend(instances.iter().filter(|one| one["image"]["id"] == image["id"]).map(|one| one["id"].clone()));
        }
        body["instances"] = ids.into();
    }
    let progress = cx.progress(&format!("Starting deployment {}...", found.name))?;
    team.api.post(&path(team, found, "/start"), &body).await?;
    progress.done("accepted")?;
    if !is_followed {
        print::note(format_args!("`slipway deployments:log --follow {}` shows what becomes of it.", found.id));
        return Ok(());
    }
    match deployment_log::follow(cx, team, found).await? {
        Ended::Successful => Ok(()),
        Ended::Otherwise(status) => Err(Error::new(format!("deployment {} is {status}", found.name))
            .hint(format!("`slipway deployments:log {}` shows it again", found.id))),
    }
}

async fn token(cx: &Context, team: &Team, command: DeploymentTokenCommand) -> Result {
    match command {
        DeploymentTokenCommand::Create { deployment, name, days } => {
            let found = find(team, &deployment).await?;
            let mut body = json!({"name": name});
            if let Some(days) = days {
                body["expirationInDays"] = days.into();
            }
            let answer = team.api.put(&path(team, &found, "/token"), &body).await?;
            cx.show(&answer, || {
                let made: Value = answer.json()?;
                print::note("The token is shown this once.");
                print::table::pairs([("token", text(&made, "token")), ("call", text(&made, "curl"))])
            })
        }
        DeploymentTokenCommand::Revoke { deployment } => {
            let found = find(team, &deployment).await?;
            let text = format!("Revoking the token of {}...", found.name);
            cx.work(&text, team.api.delete(&path(team, &found, "/token"))).await.map(drop)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deployments_are_named_by_what_is_unique() {
        let one = |id: &str, prefix: &str, status: &str| json!({"id": id, "prefix": prefix, "status": status});
        let list = [
            one("aaaa1", "shop", "obsolete"),
            one("aaaa2", "shop", "successful"),
            one("bbbb1", "wiki", "obsolete"),
            one("cccc1", "test", "failed"),
            one("cccc2", "test", "preparing"),
        ];
        let id = |named: &str| pick(&list, named).ok().map(|found| found.id);
        for (named, want) in [
            ("aaaa1", Some("aaaa1")),
            ("aaaa", None),
            ("bbbb", Some("bbbb1")),
            ("bbb", None),
            ("shop", Some("aaaa2")),
            ("wiki", Some("bbbb1")),
            ("test", None),
            ("none", None),
        ] {
            assert_eq!(id(named).as_deref(), want, "{named}");
        }
    }

    #[test]
    fn variables_keep_their_identity() {
        let old = json!([{"id": "1", "key": "A", "value": "a"}, {"id": "2", "key": "B", "value": "b"}]);
        let new = environment(&old, &["A=x".to_owned(), "C=c".to_owned()], &["B".to_owned()]).unwrap();
        assert_eq!(new[0], json!({"id": "1", "key": "A", "value": "x"}));
        assert_eq!((text(&new[1], "key"), text(&new[1], "value")), ("C".to_owned(), "c".to_owned()));
        assert_eq!(new.as_array().unwrap().len(), 2);
        assert!(environment(&old, &["A".to_owned()], &[]).is_err());
    }
}
