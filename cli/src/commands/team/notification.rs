//! `notifications`. Source of calls: team-api.md §3.12.

use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use slipway_wire::team::{Notification, NotificationDetails};

use super::kind::Kind;
use super::{Team, given, yes_no};
use crate::args::team::notification::NotificationCommand;
use crate::context::{self, Context};
use crate::error::Result;

const NOTIFICATION: Kind =
    Kind { one: "notification", title: "Notification", titles: "Notifications", all: "notifications" };

/// What is told when nothing is said of it. Source: team-api.md §1.11.
const EVENTS: [&str; 4] = ["deployment-created", "version-created", "node-added", "user-invited"];

/// Runs a command about a team's notifications.
pub async fn notification(cx: &Context, team: Option<&str>, command: NotificationCommand) -> Result {
    let team = Team::choose(cx, team).await?;
    match command {
        NotificationCommand::List => team.list(cx, NOTIFICATION, row).await,
        NotificationCommand::Add { name, kind, url_from, events, inactive } => {
            let url = context::secret(&url_from, "address")?;
            let events = if events.is_empty() { EVENTS.map(str::to_owned).to_vec() } else { events };
            let body = json!({
                "name": name, "type": kind, "url": url.expose_secret(), "active": !inactive, "enabledEvents": events,
            });
            let text = format!("Adding notification {name} to {}...", team.slug);
            cx.work(&text, team.api.post(&team.path("notifications"), &body)).await.map(drop)
        }
        NotificationCommand::Info { notification } => team.info(cx, NOTIFICATION, &notification, rows).await.map(drop),
        NotificationCommand::Update { notification, name, url_from, events, active } => {
            let change = |body: &mut Value| {
                given(body, &[("name", &name)]);
                if let Some(active) = active {
                    body["active"] = active.into();
                }
                if !events.is_empty() {
                    body["enabledEvents"] = json!(events);
                }
                if let Some(source) = &url_from {
                    body["url"] = context::secret(source, "address")?.expose_secret().into();
                }
                Ok(())
            };
            let kept = ["name", "type", "url", "active", "enabledEvents"];
            team.update(cx, NOTIFICATION, &notification, &kept, change).await
        }
        NotificationCommand::Test { notification } => {
            let found = team.one(NOTIFICATION, &notification).await?;
            let text = format!("Testing notification {}...", found.name);
            cx.work(&text, team.api.post_empty(&team.path_of(NOTIFICATION, &found, "/test"))).await.map(drop)
        }
        NotificationCommand::Remove { notification } => team.remove(cx, NOTIFICATION, &notification).await,
    }
}

/// The host of an address that is a secret.
fn host(url: &str) -> String {
    url::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_else(|| "?".to_owned())
}

fn row(it: &Notification) -> Vec<String> {
    let state = if it.active { "active" } else { "inactive" };
    vec![it.name.clone(), it.r#type.clone(), host(&it.url), state.to_owned()]
}

fn rows(it: &NotificationDetails) -> Vec<(&'static str, String)> {
    vec![
        ("type", it.r#type.clone()),
        ("host", host(&it.url)),
        ("active", yes_no(it.active)),
        ("events", it.enabled_events.join("\n")),
        ("made by", it.creator_name.clone()),
        ("id", it.id.clone()),
    ]
}
