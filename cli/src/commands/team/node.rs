//! `nodes`. Source of calls: team-api.md §3.9 and §3.10.

use chrono::{SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};
use slipway_client::segment;

use super::container_log::Place;
use super::kind::Kind;
use super::{Found, Team, confirm, given, text, yes_no};
use crate::args::team::node::{ContainerCommand, NodeCommand, NodeWay, OfContainer};
use crate::commands::{cert, heading};
use crate::context::Context;
use crate::error::Result;
use crate::{input, print};

const NODE: Kind = Kind { one: "node", title: "Node", titles: "Nodes", all: "nodes" };

/// Runs a command about a team's nodes.
pub async fn node(cx: &Context, team: Option<&str>, command: NodeCommand) -> Result {
    let team = Team::choose(cx, team).await?;
    match command {
        NodeCommand::List => team.list(cx, NODE, row).await,
        NodeCommand::Add { name, description } => {
            let mut body = json!({"name": name});
            given(&mut body, &[("description", &description)]);
            let text = format!("Adding node {name} to {}...", team.slug);
            cx.work(&text, team.api.post(&team.path("nodes"), &body)).await.map(drop)
        }
        NodeCommand::Info { node } => team.info(cx, NODE, &node, rows).await.map(drop),
        NodeCommand::Update { node, name, description } => {
            let change = |body: &mut Value| {
                given(body, &[("name", &name), ("description", &description)]);
                Ok(())
            };
            team.update(cx, NODE, &node, &["name", "description", "icon"], change).await
        }
        NodeCommand::Script { node, discard: true, .. } => {
            let found = find(&team, &node).await?;
            let text = format!("Discarding the script of {}...", found.name);
            cx.work(&text, team.api.delete(&path(&team, &found, "/script"))).await.map(drop)
        }
        NodeCommand::Script { node, kind, powershell, root_path, print, discard: false } => {
            let found = find(&team, &node).await?;
            let mut body = json!({"type": kind, "scriptType": if powershell { "powershell" } else { "shell" }});
            given(&mut body, &[("rootPath", &root_path)]);
            let answer = team.api.post(&path(&team, &found, "/script"), &body).await?;
            cx.show(&answer, || {
                let made: Value = answer.json()?;
                if print {
                    return print::line(text(&made, "script").trim_end());
                }
                print::note(format_args!("Run this on the node until {}:", text(&made, "expireAt")));
                print::line(text(&made, "command"))
            })
        }
        NodeCommand::Join { node, way } => {
            let (place, body) = joining(&way)?;
            let found = find(&team, &node).await?;
            let text = format!("Joining {}...", found.name);
            cx.work(&text, team.api.put(&path(&team, &found, place), &body)).await.map(drop)
        }
        NodeCommand::Disconnect { node } => {
            let found = find(&team, &node).await?;
            let text = format!("Disconnecting {}...", found.name);
            cx.work(&text, team.api.delete(&path(&team, &found, "/token"))).await.map(drop)
        }
        NodeCommand::Audit { node, since, limit } => {
            let found = find(&team, &node).await?;
            let time = |time: chrono::DateTime<Utc>| segment(&time.to_rfc3339_opts(SecondsFormat::Millis, true));
            let since = time(since.unwrap_or_else(|| Utc::now() - TimeDelta::days(30)));
            let until = time(Utc::now() + TimeDelta::days(1));
            let query = format!("/audit?skip=0&take={}&from={since}&to={until}", cx.limit(limit.limit));
            let answer = team.api.get(&path(&team, &found, &query)).await?;
            cx.show(&answer, || {
                let page: Value = answer.json()?;
                let items = page["items"].as_array().map_or(&[][..], Vec::as_slice);
                let total = page["total"].as_u64().unwrap_or_default();
                print::line(heading(&format!("{} Audit", found.name), items.len(), total))?;
                let rows = items.iter().map(|one| {
                    let data = if one["data"].is_null() { String::new() } else { one["data"].to_string() };
                    vec![text(one, "createdAt"), text(one, "event"), data]
                });
                print::table::rows(&rows.collect::<Vec<_>>())
            })
        }
        NodeCommand::Logs { of: OfContainer { node, container, prefix }, lines } => {
            let found = find(&team, &node).await?;
            let place = Place { node: found.id, prefix, names: vec![container], title: found.name };
            place.show(cx, &team, &lines).await
        }
        NodeCommand::Containers(command) => container(cx, &team, command).await,
        NodeCommand::Remove { node } => team.remove(cx, NODE, &node).await,
    }
}

/// The node of this name or id.
pub async fn find(team: &Team, named: &str) -> Result<Found> {
    team.one(NODE, named).await
}

fn path(team: &Team, found: &Found, rest: &str) -> String {
    team.path_of(NODE, found, rest)
}

fn row(it: &Value) -> Vec<String> {
    ["name", "type", "status", "version"].map(|name| text(it, name)).to_vec()
}

fn rows(it: &Value) -> Vec<(&'static str, String)> {
    vec![
        ("type", text(it, "type")),
        ("status", text(it, "status")),
        ("version", text(it, "version")),
        ("address", text(it, "address")),
        ("description", text(it, "description")),
        ("installed", yes_no(it["hasToken"] == true)),
        ("in use", yes_no(it["inUse"] == true)),
        ("id", text(it, "id")),
    ]
}

/// Where a way to a node is given, and what.
fn joining(way: &NodeWay) -> Result<(&'static str, Value)> {
    if let Some(file) = &way.kubeconfig {
        return Ok(("/kubeconfig", json!({"kubeconfig": input::text(file)?})));
    }
    let mut body = json!({"address": way.docker});
    if let (Some(authority), Some(certificate), Some(key)) = (&way.tls_ca, &way.tls_cert, &way.tls_key) {
        let public = |file| cert::read_public(file, "the key is of --tls-key alone");
        body["tls"] = json!({
            "certificateAuthority": public(authority)?, "certificate": public(certificate)?,
            "clientKey": cert::read(key)?,
        });
    }
    Ok(("/docker", body))
}

async fn container(cx: &Context, team: &Team, command: ContainerCommand) -> Result {
    match command {
        ContainerCommand::List { node, prefix } => {
            let found = find(team, &node).await?;
            let query = prefix.map(|prefix| format!("?prefix={}", segment(&prefix))).unwrap_or_default();
            let answer = team.api.get(&path(team, &found, &format!("/containers{query}"))).await?;
            cx.show(&answer, || {
                let list: Vec<Value> = answer.json()?;
                print::line(format_args!("=== {} Containers", found.name))?;
                let rows = list.iter().map(|it| {
                    let image = format!("{}:{}", text(it, "imageName"), text(it, "imageTag"));
                    let id = &it["id"];
                    vec![text(id, "prefix"), text(id, "name"), image, text(it, "state"), text(it, "reason")]
                });
                print::table::rows(&rows.collect::<Vec<_>>())
            })
        }
        ContainerCommand::Start(of) => act(cx, team, &of, "Starting", "/start").await,
        ContainerCommand::Stop(of) => act(cx, team, &of, "Stopping", "/stop").await,
        ContainerCommand::Restart(of) => act(cx, team, &of, "Restarting", "/restart").await,
        ContainerCommand::Remove(of) => {
            let path = container_path(team, &of, "").await?;
            cx.work(&format!("Removing {}...", of.container), team.api.delete(&path)).await.map(drop)
        }
        ContainerCommand::Clear { node, prefix, confirm: confirmed } => {
            let found = find(team, &node).await?;
            confirm("containers with the prefix", &prefix, confirmed.as_deref())?;
            let path = path(team, &found, &format!("/{}/containers", segment(&prefix)));
            cx.work(&format!("Removing all of {prefix}..."), team.api.delete(&path)).await.map(drop)
        }
    }
}

async fn container_path(team: &Team, of: &OfContainer, rest: &str) -> Result<String> {
    let found = find(team, &of.node).await?;
    let prefix = of.prefix.as_deref().map(|prefix| format!("/{}", segment(prefix))).unwrap_or_default();
    Ok(path(team, &found, &format!("{prefix}/containers/{}{rest}", segment(&of.container))))
}

async fn act(cx: &Context, team: &Team, of: &OfContainer, doing: &str, rest: &str) -> Result {
    let path = container_path(team, of, rest).await?;
    cx.work(&format!("{doing} {}...", of.container), team.api.post_empty(&path)).await.map(drop)
}
