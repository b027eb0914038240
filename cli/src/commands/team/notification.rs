//! `notifications`. Source of calls: team-api.md §3.12.

use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use slipway_client::segment;
use slipway_wire::team::{Notification, NotificationDetails};

use super::{Found, Team, given, yes_no};
use crate::args::team::notification::NotificationCommand;
use crate::context::{self, Context};
use crate::error::Result;
use crate::print;

/// What is told when nothing is said of it. Source: team-api.md §1.11.
const EVENTS: [&str; 4] = ["deployment-created", "version-created", "node-added", "user-invited"];

/// Runs a command about a team's notifications.
pub async fn notification(cx: &Context, team: Option<&str>, command: NotificationCommand) -> Result {
    let team = Team::choose(cx, team).await?;
    match command {
        NotificationCommand::List => list(cx, &team).await,
        NotificationCommand::Add { name, kind, url_from, events, inactive } => {
            let url = context::secret(&url_from, "address")?;
            let events = if events.is_empty() { EVENTS.map(str::to_owned).to_vec() } else { events };
            let body = json!({
                "name": name, "type": kind, "url": url.expose_secret(), "active": !inactive, "enabledEvents": events,
            });
            let text = format!("Adding notification {name} to {}...", team.slug);
            cx.work(&text, team.api.post(&team.path("notifications"), &body)).await.map(drop)
        }
        NotificationCommand::Info { notification } => info(cx, &team, &notification).await,
        NotificationCommand::Update { notification, name, url_from, events, active } => {
            let found = find(&team, &notification).await?;
            // The call replaces everything.
            let old: Value = team.api.get(&path(&team, &found, "")).await?.json()?;
            let mut body = json!({
                "name": old["name"], "type": old["type"], "url": old["url"],
                "active": active.map_or_else(|| old["active"].clone(), Value::from),
                "enabledEvents": if events.is_empty() { old["enabledEvents"].clone() } else { json!(events) },
            });
            given(&mut body, &[("name", &name)]);
            if let Some(source) = url_from {
                body["url"] = context::secret(&source, "address")?.expose_secret().into();
            }
            let text = format!("Updating notification {}...", found.name);
            cx.work(&text, team.api.put(&path(&team, &found, ""), &body)).await.map(drop)
        }
        NotificationCommand::Test { notification } => {
            let found = find(&team, &notification).await?;
            let text = format!("Testing notification {}...", found.name);
            cx.work(&text, team.api.post_empty(&path(&team, &found, "/test"))).await.map(drop)
        }
        NotificationCommand::Remove { notification } => {
            let found = find(&team, &notification).await?;
            let text = format!("Removing notification {} from {}...", found.name, team.slug);
            cx.work(&text, team.api.delete(&path(&team, &found, ""))).await.map(drop)
        }
    }
}

async fn find(team: &Team, named: &str) -> Result<Found> {
    team.find("notification", &team.path("notifications"), named, "notifications").await
}

fn path(team: &Team, found: &Found, rest: &str) -> String {
    team.path(&format!("notifications/{}{rest}", segment(&found.id)))
}

/// The host of an address that is a secret.
fn host(url: &str) -> String {
    url::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_else(|| "?".to_owned())
}

async fn list(cx: &Context, team: &Team) -> Result {
    let answer = team.api.get(&team.path("notifications")).await?;
    cx.show(&answer, || {
        let notifications: Vec<Notification> = answer.json()?;
        print::line(format_args!("=== {} Notifications", team.slug))?;
        let rows = notifications.into_iter().map(|it| {
            let state = if it.active { "active" } else { "inactive" };
            vec![it.name, it.r#type, host(&it.url), state.to_owned()]
        });
        print::table::rows(&rows.collect::<Vec<_>>())
    })
}

async fn info(cx: &Context, team: &Team, named: &str) -> Result {
    let found = find(team, named).await?;
    let answer = team.api.get(&path(team, &found, "")).await?;
    cx.show(&answer, || {
        let it: NotificationDetails = answer.json()?;
        print::line(format_args!("=== {} Notification", it.name))?;
        print::table::pairs([
            ("type", it.r#type),
            ("host", host(&it.url)),
            ("active", yes_no(it.active)),
            ("events", it.enabled_events.join("\n")),
            ("made by", it.creator_name),
            ("id", it.id),
        ])
    })
}
