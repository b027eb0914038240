//! `deployments:log`: what happens when something is deployed. Source of the call: team-api.md §3.7.

use std::time::Duration;

use serde_json::Value;

use super::deployment::{container, path};
use super::{Found, Team, text};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::print;

/// Pause between two looks.
const INTERVAL: Duration = Duration::from_millis(500);
/// Most events that are asked for at once.
const EVENTS: u64 = 1000;

/// How a deployment ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    /// It runs.
    Successful,
    /// Its status.
    Otherwise(String),
}

/// Shows the events of a try; with `is_followed` until there are no more.
pub async fn log(cx: &Context, team: &Team, found: &Found, attempt: Option<u32>, is_followed: bool) -> Result {
    if is_followed && attempt.is_none() {
        return match follow(cx, team, found).await? {
            Ended::Successful => Ok(()),
            Ended::Otherwise(status) => Err(Error::new(format!("deployment {} is {status}", found.name))),
        };
    }
    let now: Value = team.api.get(&path(team, found, "")).await?.json()?;
    let attempt = attempt.map_or_else(|| now["lastTry"].as_u64().unwrap_or_default(), u64::from);
    let names = names(&now);
    for event in events(team, found, attempt, 0).await? {
        show(cx, &event, &names)?;
    }
    Ok(())
}

/// Shows the events of the newest try until it has ended.
pub async fn follow(cx: &Context, team: &Team, found: &Found) -> Result<Ended> {
    let mut shown = 0;
    loop {
        let now: Value = team.api.get(&path(team, found, "")).await?.json()?;
        let attempt = now["lastTry"].as_u64().unwrap_or_default();
        let names = names(&now);
        // After the status: whatever it was told of is among the events then.
        for event in events(team, found, attempt, shown).await? {
            shown += 1;
            show(cx, &event, &names)?;
        }
        match now["status"].as_str().unwrap_or_default() {
            "in-progress" => {}
            "successful" => return Ok(Ended::Successful),
            other => return Ok(Ended::Otherwise(other.to_owned())),
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// The events of a try after those that were shown, oldest first. Pages are cut from the newest.
async fn events(team: &Team, found: &Found, attempt: u64, shown: usize) -> Result<Vec<Value>> {
    let mut all: Vec<Value> = Vec::new();
    loop {
        let skip = all.len();
        let query = format!("/log?skip={skip}&take={EVENTS}&try={attempt}");
        let page: Value = team.api.get(&path(team, found, &query)).await?.json()?;
        let items = page["items"].as_array().cloned().unwrap_or_default();
        let total = usize::try_from(page["total"].as_u64().unwrap_or_default()).unwrap_or(usize::MAX);
        let is_last = items.is_empty();
        all.splice(0..0, items);
        if is_last || all.len() + shown >= total {
            let known = shown.saturating_sub(total.saturating_sub(all.len()));
            return Ok(all.split_off(known.min(all.len())));
        }
    }
}

/// Names of containers by the identity of their instance.
fn names(details: &Value) -> Vec<(String, String)> {
    let instances = details["instances"].as_array().into_iter().flatten();
    instances.map(|one| (text(one, "id"), container(one).to_owned())).collect()
}

fn show(cx: &Context, event: &Value, names: &[(String, String)]) -> Result {
    if cx.is_json {
        return print::line(event);
    }
    match event["type"].as_str().unwrap_or_default() {
        "log" => {
            let lines = event["log"].as_array().into_iter().flatten().filter_map(Value::as_str);
            lines.flat_map(str::lines).try_for_each(|line| print::line(print::log::safe(line)))
        }
        "deployment-status" => print::line(format_args!("deployment {}", text(event, "deploymentStatus"))),
        "container-state" => {
            let state = &event["containerState"];
            let id = text(state, "instanceId");
            let name = names.iter().find(|(known, _)| *known == id).map_or(id.as_str(), |(_, name)| name.as_str());
            print::line(format_args!("container {name} {}", text(state, "state")))
        }
        _ => Ok(()),
    }
}
