//! `nodes`. Source of calls: team-api.md §3.9 and §3.10.

use chrono::{SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};
use slipway_client::segment;

use super::{Found, Team, confirm, given, text, yes_no};
use crate::args::team::node::{ContainerCommand, NodeCommand, OfContainer};
use crate::commands::heading;
use crate::context::Context;
use crate::error::Result;
use crate::print;

/// Runs a command about a team's nodes.
pub async fn node(cx: &Context, team: Option<&str>, command: NodeCommand) -> Result {
    let team = Team::choose(cx, team).await?;
    match command {
        NodeCommand::List => list(cx, &team).await,
        NodeCommand::Add { name, description } => {
            let mut body = json!({"name": name});
            given(&mut body, &[("description", &description)]);
            let text = format!("Adding node {name} to {}...", team.slug);
            cx.work(&text, team.api.post(&team.path("nodes"), &body)).await.map(drop)
        }
        NodeCommand::Info { node } => info(cx, &team, &node).await,
        NodeCommand::Update { node, name, description } => {
            let found = find(&team, &node).await?;
            let old: Value = team.api.get(&path(&team, &found, "")).await?.json()?;
            let mut body = json!({"name": old["name"], "description": old["description"], "icon": old["icon"]});
            given(&mut body, &[("name", &name), ("description", &description)]);
            let text = format!("Updating node {}...", found.name);
            cx.work(&text, team.api.put(&path(&team, &found, ""), &body)).await.map(drop)
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
        NodeCommand::Containers(command) => container(cx, &team, command).await,
        NodeCommand::Remove { node } => {
            let found = find(&team, &node).await?;
            let text = format!("Removing node {} from {}...", found.name, team.slug);
            cx.work(&text, team.api.delete(&path(&team, &found, ""))).await.map(drop)
        }
    }
}

/// The node of this name or id.
pub async fn find(team: &Team, named: &str) -> Result<Found> {
    team.find("node", &team.path("nodes"), named, "nodes").await
}

fn path(team: &Team, found: &Found, rest: &str) -> String {
    team.path(&format!("nodes/{}{rest}", segment(&found.id)))
}

async fn list(cx: &Context, team: &Team) -> Result {
    let answer = team.api.get(&team.path("nodes")).await?;
    cx.show(&answer, || {
        let list: Vec<Value> = answer.json()?;
        print::line(format_args!("=== {} Nodes", team.slug))?;
        let rows =
            list.iter().map(|it| vec![text(it, "name"), text(it, "type"), text(it, "status"), text(it, "version")]);
        print::table::rows(&rows.collect::<Vec<_>>())
    })
}

async fn info(cx: &Context, team: &Team, named: &str) -> Result {
    let found = find(team, named).await?;
    let answer = team.api.get(&path(team, &found, "")).await?;
    cx.show(&answer, || {
        let it: Value = answer.json()?;
        print::line(format_args!("=== {} Node", found.name))?;
        print::table::pairs([
            ("type", text(&it, "type")),
            ("status", text(&it, "status")),
            ("version", text(&it, "version")),
            ("address", text(&it, "address")),
            ("description", text(&it, "description")),
            ("installed", yes_no(it["hasToken"] == true)),
            ("in use", yes_no(it["inUse"] == true)),
            ("id", text(&it, "id")),
        ])
    })
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
