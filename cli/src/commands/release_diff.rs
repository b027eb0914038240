//! `releases:diff`: Slipway's own.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use slipway_wire::drycc_v2::{Config, Page, Release};

use super::release::number;
use crate::api::Api;
use crate::context::{Context, app_path};
use crate::error::{Error, Result};
use crate::print;

/// A release with its configuration.
struct Whole {
    release: Release,
    config: Config,
}

/// Shows what differs between two releases. Values of variables are secrets, and shown only with `has_values`.
pub async fn diff(cx: &Context, from: &str, to: Option<&str>, has_values: bool) -> Result {
    let (api, app) = (cx.api()?, cx.app()?);
    let from = number(from)?;
    let to = match to {
        Some(to) => number(to)?,
        None => newest(&api, &app).await?,
    };
    let (from, to) = (whole(&api, &app, from).await?, whole(&api, &app, to).await?);
    let changes = changes(&from, &to);
    if cx.is_json {
        let shown = |value: &Option<String>, is_secret: bool| match value {
            Some(_) if is_secret && !has_values => json!("[hidden]"),
            value => json!(value),
        };
        let changes: Vec<Value> = changes
            .iter()
            .map(|change| {
                json!({
                    "part": change.part, "name": change.name,
                    "from": shown(&change.from, change.is_secret), "to": shown(&change.to, change.is_secret),
                })
            })
            .collect();
        return print::json(&json!({"from": from.release.version, "to": to.release.version, "changes": changes}));
    }
    print::line(format_args!("=== {app} v{} to v{}", from.release.version, to.release.version))?;
    if changes.is_empty() {
        return print::line("Nothing differs.");
    }
    let mut part = "";
    for change in &changes {
        if change.part != part {
            part = change.part;
            print::line(format_args!("--- {part}"))?;
        }
        print::line(change.text(has_values))?;
    }
    Ok(())
}

async fn newest(api: &Api, app: &str) -> Result<u32> {
    let page: Page<Release> = api.get(&app_path(app, "releases/?limit=1")).await?.json()?;
    page.results.first().map(|release| release.version).ok_or_else(|| Error::new(format!("{app} has no release")))
}

async fn whole(api: &Api, app: &str, number: u32) -> Result<Whole> {
    let missing = |error: Error| {
        if !error.is_missing() || error.is_missing_app() {
            return error;
        }
        error.hint(format!("{app} has no v{number}: `slipway releases -a {app}` lists the releases"))
    };
    let release = api.get(&app_path(app, &format!("releases/v{number}/"))).await.map_err(missing)?.json()?;
    let config = api.get(&app_path(app, &format!("config/?version=v{number}"))).await?.json()?;
    Ok(Whole { release, config })
}

/// One thing that is not the same in both.
#[derive(Debug, PartialEq, Eq)]
struct Change {
    part: &'static str,
    name: String,
    from: Option<String>,
    to: Option<String>,
    is_secret: bool,
}

impl Change {
    fn text(&self, has_values: bool) -> String {
        let is_hidden = self.is_secret && !has_values;
        match (&self.from, &self.to) {
            (None, Some(_)) if is_hidden => format!("+ {}", self.name),
            (Some(_), None) if is_hidden => format!("- {}", self.name),
            _ if is_hidden => format!("~ {}", self.name),
            (None, Some(to)) => format!("+ {}={}", self.name, on_a_line(to)),
            (Some(from), None) => format!("- {}={}", self.name, on_a_line(from)),
            (from, to) => {
                let text = |value: &Option<String>| on_a_line(value.as_deref().unwrap_or_default());
                format!("~ {}: {} -> {}", self.name, text(from), text(to))
            }
        }
    }
}

/// A value as it is, or quoted where it would not be seen where it ends.
fn on_a_line(value: &str) -> String {
    if value.chars().any(char::is_control) { json!(value).to_string() } else { value.to_owned() }
}

fn changes(from: &Whole, to: &Whole) -> Vec<Change> {
    let mut changes = Vec::new();
    let build = |whole: &Whole| {
        BTreeMap::from_iter(whole.release.build.as_ref().map(|build| ("build".to_owned(), build.clone())))
    };
    compare(&mut changes, "Build", false, &build(from), &build(to));
    let (one, other) = (&from.config, &to.config);
    compare(&mut changes, "Config", true, &one.values, &other.values);
    compare(&mut changes, "Memory", false, &one.memory, &other.memory);
    compare(&mut changes, "CPU", false, &one.cpu, &other.cpu);
    compare(&mut changes, "Tags", false, &one.tags, &other.tags);
    compare(&mut changes, "Registry", true, &one.registry, &other.registry);
    let checks = |config: &Config| -> BTreeMap<String, String> {
        config.healthcheck.iter().map(|(name, probes)| (name.clone(), json!(probes).to_string())).collect()
    };
    compare(&mut changes, "Healthchecks", false, &checks(one), &checks(other));
    let timeouts = (&one.termination_grace_period, &other.termination_grace_period);
    compare(&mut changes, "Timeouts", false, timeouts.0, timeouts.1);
    changes
}

fn compare(
    changes: &mut Vec<Change>,
    part: &'static str,
    is_secret: bool,
    from: &BTreeMap<String, String>,
    to: &BTreeMap<String, String>,
) {
    let names: BTreeSet<&String> = from.keys().chain(to.keys()).collect();
    for name in names {
        let (from, to) = (from.get(name).cloned(), to.get(name).cloned());
        if from != to {
            changes.push(Change { part, name: name.clone(), from, to, is_secret });
        }
    }
}
