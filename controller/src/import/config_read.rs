//! Reads one configuration, and leaves out what this platform would refuse.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use slipway_core::config::{Config, ConfigChange, SecretText, change_apply};
use slipway_core::probe::{PROBE_NAMES, WEB_CMD};
use slipway_core::{AppId, ConfigId, Error, UserId, Username};

use super::table::RowRef;

/// What was left out, and why. Names keys, never values.
type Notes = Vec<(String, String)>;
/// One of the maps of a change.
type Part = fn(&mut ConfigChange) -> &mut BTreeMap<String, Value>;

/// The maps by their column.
const PARTS: [(&str, Part); 9] = [
    ("values", |change| &mut change.values),
    ("memory", |change| &mut change.memory),
    ("cpu", |change| &mut change.cpu),
    ("tags", |change| &mut change.tags),
    ("registry", |change| &mut change.registry),
    ("healthcheck", |change| &mut change.healthcheck),
    ("termination_grace_period", |change| &mut change.termination_grace_period),
    ("lifecycle_post_start", |change| &mut change.lifecycle_post_start),
    ("lifecycle_pre_stop", |change| &mut change.lifecycle_pre_stop),
];

/// Reads a row of `api_config`. Values come to text by the rules for values that a user sets.
///
/// # Errors
/// A map is not one, or all together is too large.
pub(crate) fn config_read(
    row: RowRef<'_>,
    id: ConfigId,
    app: AppId,
    owner: UserId,
    owner_name: &Username,
    now: DateTime<Utc>,
) -> Result<(Config, Notes), String> {
    let empty = Config {
        id,
        app,
        owner,
        owner_name: owner_name.clone(),
        values: BTreeMap::new(),
        memory: BTreeMap::new(),
        cpu: BTreeMap::new(),
        tags: BTreeMap::new(),
        registry: BTreeMap::new(),
        healthcheck: BTreeMap::new(),
        termination_grace_period: BTreeMap::new(),
        lifecycle_post_start: BTreeMap::new(),
        lifecycle_pre_stop: BTreeMap::new(),
        mounts: BTreeMap::new(),
        created: row.time("created")?.unwrap_or(now),
    };
    // Credentials of a registry are refused without a port; that is a rule of the whole, not of each.
    let mut with_port = empty.clone();
    with_port.values.insert("PORT".to_owned(), SecretText::new("5000"));

    let mut notes = Notes::new();
    let mut all = ConfigChange::default();
    for (column, part) in PARTS {
        let mut map = row.map(column)?;
        if column == "healthcheck" {
            map = healthcheck_modern(map);
        }
        for (key, value) in map {
            if value.is_null() {
                continue;
            }
            let mut one = ConfigChange::default();
            part(&mut one).insert(key.clone(), value.clone());
            match change_apply(&with_port, &one) {
                Ok(_) => {
                    part(&mut all).insert(key, value);
                }
                Err(error) => notes.push((format!("{column} {key}"), format!("left out: {}", reason(column, &error)))),
            }
        }
    }
    if !all.registry.is_empty() && !all.values.contains_key("PORT") {
        all.registry.clear();
        notes.push((
            "registry".to_owned(),
            "credentials of a registry need a PORT among the values: left out".to_owned(),
        ));
    }
    let config = change_apply(&empty, &all).map_err(|error| reason("", &error))?;
    Ok((config, notes))
}

/// The form before per-type probes is that of `web/cmd`. Source: `drycc-v2.md` §2.4.
fn healthcheck_modern(map: serde_json::Map<String, Value>) -> serde_json::Map<String, Value> {
    if !map.keys().any(|key| PROBE_NAMES.contains(&key.as_str())) {
        return map;
    }
    let (old, mut modern): (serde_json::Map<_, _>, serde_json::Map<_, _>) =
        map.into_iter().partition(|(key, _)| PROBE_NAMES.contains(&key.as_str()));
    modern.entry(WEB_CMD).or_insert_with(|| json!(old));
    modern
}

/// The rule that was broken. A probe's message quotes the probe, which may hold credentials.
fn reason(column: &str, error: &Error) -> String {
    match error {
        _ if column == "healthcheck" => "it is not a health check that this platform knows".to_owned(),
        Error::Invalid(fields) => {
            fields.iter().flat_map(|field| &field.messages).next().cloned().unwrap_or_else(|| error.to_string())
        }
        other => other.to_string(),
    }
}
