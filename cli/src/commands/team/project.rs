//! `projects`, `versions` and `templates`. Source of calls: team-api.md §3.2, §3.3 and §3.13.

use serde_json::{Value, json};
use slipway_client::segment;

use super::kind::Kind;
use super::{Found, Team, confirm, given, missing, text, yes_no};
use crate::args::team::project::{ProjectCommand, TemplateCommand, VersionCommand};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::print;

const PROJECT: Kind = Kind { one: "project", title: "Project", titles: "Projects", all: "projects" };

/// A version of a project, by its names.
#[derive(Debug)]
pub struct VersionFound {
    /// The project.
    pub project: Found,
    /// The version.
    pub version: Found,
}

/// Runs a command about a team's projects.
pub async fn project(cx: &Context, team: Option<&str>, command: ProjectCommand) -> Result {
    let team = Team::choose(cx, team).await?;
    match command {
        ProjectCommand::List => team.list(cx, PROJECT, row).await,
        ProjectCommand::Create { name, versioned, description } => {
            let mut body = json!({"name": name, "type": kind(versioned)});
            given(&mut body, &[("description", &description)]);
            let text = format!("Creating project {name} in {}...", team.slug);
            cx.work(&text, team.api.post(&team.path("projects"), &body)).await.map(drop)
        }
        ProjectCommand::Info { project } => info(cx, &team, &project).await,
        ProjectCommand::Update { project, name, description, changelog } => {
            let change = |body: &mut Value| {
                given(body, &[("name", &name), ("description", &description), ("changelog", &changelog)]);
                Ok(())
            };
            team.update(cx, PROJECT, &project, &["name", "description"], change).await
        }
        ProjectCommand::Convert { project } => {
            let found = find(&team, &project).await?;
            let text = format!("Giving project {} versions...", found.name);
            cx.work(&text, team.api.post_empty(&path(&team, &found, "/convert"))).await.map(drop)
        }
        ProjectCommand::Destroy { project, confirm: confirmed } => {
            let found = find(&team, &project).await?;
            confirm("project", &found.name, confirmed.as_deref())?;
            let text = format!("Destroying project {}...", found.name);
            cx.work(&text, team.api.delete(&path(&team, &found, ""))).await.map(drop)
        }
    }
}

fn kind(is_versioned: bool) -> &'static str {
    if is_versioned { "versioned" } else { "versionless" }
}

/// The project of this name or id.
pub async fn find(team: &Team, named: &str) -> Result<Found> {
    team.one(PROJECT, named).await
}

fn path(team: &Team, found: &Found, rest: &str) -> String {
    team.path_of(PROJECT, found, rest)
}

/// The version of this name or id, or the default one.
pub async fn find_version(team: &Team, project: &str, named: Option<&str>) -> Result<VersionFound> {
    let project = find(team, project).await?;
    let list: Vec<Value> = team.api.get(&path(team, &project, "/versions")).await?.json()?;
    let found = match named {
        None => list.iter().find(|one| one["default"] == true),
        Some(named) => {
            list.iter().find(|one| one["id"] == named).or_else(|| list.iter().find(|one| one["name"] == named))
        }
    };
    match (found, named) {
        (Some(one), _) => Ok(VersionFound { project, version: Found { id: text(one, "id"), name: text(one, "name") } }),
        (None, Some(named)) => {
            let known = list.iter().filter_map(|one| one["name"].as_str());
            Err(missing("version", named, known, &format!("versions:list {}", project.name)))
        }
        (None, None) => Err(Error::new(format!("project {} has no version", project.name))
            .hint(format!("make one with `slipway versions:create {} NAME`", project.name))),
    }
}

/// A path below a version.
pub fn version_path(team: &Team, of: &VersionFound, rest: &str) -> String {
    path(team, &of.project, &format!("/versions/{}{rest}", segment(&of.version.id)))
}

fn show_versions(list: &Value) -> Result {
    let rows = list.as_array().into_iter().flatten().map(|it| {
        let mark = if it["default"] == true { "*" } else { "" };
        vec![format!("{mark}{}", text(it, "name")), text(it, "type"), text(it, "changelog")]
    });
    print::table::rows(&rows.collect::<Vec<_>>())
}

fn row(it: &Value) -> Vec<String> {
    ["name", "type", "description"].map(|name| text(it, name)).to_vec()
}

async fn info(cx: &Context, team: &Team, named: &str) -> Result {
    let rows = |it: &Value| {
        vec![
            ("type", text(it, "type")),
            ("description", text(it, "description")),
            ("id", text(it, "id")),
            ("updated", text(&it["audit"], "updatedAt")),
        ]
    };
    let it = team.info(cx, PROJECT, named, rows).await?;
    if cx.is_json {
        return Ok(());
    }
    print::line("=== Versions (*=default)")?;
    show_versions(&it["versions"])
}

/// Runs a command about a project's versions.
pub async fn version(cx: &Context, team: Option<&str>, command: VersionCommand) -> Result {
    let team = Team::choose(cx, team).await?;
    match command {
        VersionCommand::List { project, filter } => {
            let found = find(&team, &project).await?;
            let filter = filter.map(|text| format!("?nameContains={}", segment(&text))).unwrap_or_default();
            let answer = team.api.get(&path(&team, &found, &format!("/versions{filter}"))).await?;
            cx.show(&answer, || {
                print::line(format_args!("=== {} Versions (*=default)", found.name))?;
                show_versions(&answer.json()?)
            })
        }
        VersionCommand::Create { project, name, rolling, changelog } => {
            let found = find(&team, &project).await?;
            let mut body = json!({"name": name, "type": if rolling { "rolling" } else { "incremental" }});
            given(&mut body, &[("changelog", &changelog)]);
            let text = format!("Creating version {name} of {}...", found.name);
            cx.work(&text, team.api.post(&path(&team, &found, "/versions"), &body)).await.map(drop)
        }
        VersionCommand::Info { project, version } => {
            version_info(cx, &team, &find_version(&team, &project, version.as_deref()).await?).await
        }
        VersionCommand::Update { project, version, name, changelog } => {
            let of = find_version(&team, &project, Some(&version)).await?;
            let old: Value = team.api.get(&version_path(&team, &of, "")).await?.json()?;
            let mut body = json!({"name": old["name"], "changelog": old["changelog"]});
            given(&mut body, &[("name", &name), ("changelog", &changelog)]);
            let text = format!("Updating version {} of {}...", of.version.name, of.project.name);
            cx.work(&text, team.api.put(&version_path(&team, &of, ""), &body)).await.map(drop)
        }
        VersionCommand::Default { project, version } => {
            let of = find_version(&team, &project, Some(&version)).await?;
            let text = format!("Making {} the default version of {}...", of.version.name, of.project.name);
            cx.work(&text, team.api.put(&version_path(&team, &of, "/default"), &json!({}))).await.map(drop)
        }
        VersionCommand::Increase { project, version, name, changelog } => {
            let of = find_version(&team, &project, Some(&version)).await?;
            let mut body = json!({"name": name});
            given(&mut body, &[("changelog", &changelog)]);
            let text = format!("Creating version {name} of {} after {}...", of.project.name, of.version.name);
            cx.work(&text, team.api.post(&version_path(&team, &of, "/increase"), &body)).await.map(drop)
        }
        VersionCommand::Destroy { project, version, confirm: confirmed } => {
            let of = find_version(&team, &project, Some(&version)).await?;
            confirm("version", &of.version.name, confirmed.as_deref())?;
            let text = format!("Destroying version {} of {}...", of.version.name, of.project.name);
            cx.work(&text, team.api.delete(&version_path(&team, &of, ""))).await.map(drop)
        }
    }
}

async fn version_info(cx: &Context, team: &Team, of: &VersionFound) -> Result {
    let answer = team.api.get(&version_path(team, of, "")).await?;
    cx.show(&answer, || {
        let it: Value = answer.json()?;
        print::line(format_args!("=== {} {} Version", of.project.name, of.version.name))?;
        print::table::pairs([
            ("type", text(&it, "type")),
            ("default", yes_no(it["default"] == true)),
            ("changelog", text(&it, "changelog")),
            ("can be changed", yes_no(it["mutable"] == true)),
            ("can be increased", yes_no(it["increasable"] == true)),
            ("id", text(&it, "id")),
        ])?;
        print::line("=== Images")?;
        super::image::show(&it["images"])?;
        print::line("=== Deployments")?;
        let rows = it["deployments"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|one| vec![text(one, "id"), text(one, "prefix"), text(&one["node"], "name"), text(one, "status")]);
        print::table::rows(&rows.collect::<Vec<_>>())
    })
}

/// Runs a command about templates.
pub async fn template(cx: &Context, team: Option<&str>, command: TemplateCommand) -> Result {
    match command {
        TemplateCommand::List => {
            // They are everybody's, but a team that is named is to be there.
            if team.is_some() {
                Team::choose(cx, team).await?;
            }
            let answer = cx.api()?.get("/api/templates").await?;
            cx.show(&answer, || {
                let list: Vec<Value> = answer.json()?;
                print::line("=== Templates")?;
                let rows = list.iter().map(|it| {
                    let technologies = it["technologies"].as_array().into_iter().flatten().filter_map(Value::as_str);
                    vec![text(it, "id"), text(it, "name"), technologies.collect::<Vec<_>>().join(",")]
                });
                print::table::rows(&rows.collect::<Vec<_>>())
            })
        }
        TemplateCommand::Use { template, name, versioned, description } => {
            let team = Team::choose(cx, team).await?;
            let mut body = json!({"id": template, "teamSlug": team.slug, "name": name, "type": kind(versioned)});
            given(&mut body, &[("description", &description)]);
            let text = format!("Creating project {name} in {} from {template}...", team.slug);
            cx.work(&text, team.api.post("/api/templates", &body)).await.map(drop)
        }
    }
}
