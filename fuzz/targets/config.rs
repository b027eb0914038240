//! The body of `POST apps/<app>/config/`: read, checked, merged, and used as a rollout would use it.

#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};
use slipway_api::fields::Fields;
use slipway_core::config::{Config, ConfigChange, change_apply};
use slipway_core::limit::{cpu_parse, memory_parse};
use slipway_core::probe::{initial_delay_max, probe_parse};
use slipway_core::{AppId, ConfigId, UserId, Username};

fn empty() -> Config {
    Config {
        id: ConfigId::generate(),
        app: AppId::generate(),
        owner: UserId::generate(),
        owner_name: Username::new("owner").expect("a user name"),
        values: BTreeMap::new(),
        memory: BTreeMap::new(),
        cpu: BTreeMap::new(),
        tags: BTreeMap::new(),
        registry: BTreeMap::new(),
        healthcheck: BTreeMap::new(),
        created: chrono::DateTime::UNIX_EPOCH,
    }
}

/// A body as the API reads it.
fn read(body: &[u8]) -> Option<ConfigChange> {
    let mut fields = Fields::new(serde_json::from_slice(body).ok()?).ok()?;
    let mut map =
        |name: &str| -> BTreeMap<String, Value> { fields.map(name).unwrap_or_else(Map::new).into_iter().collect() };
    let change = ConfigChange {
        values: map("values"),
        memory: map("memory"),
        cpu: map("cpu"),
        tags: map("tags"),
        registry: map("registry"),
        healthcheck: map("healthcheck"),
    };
    fields.finish(change).ok()
}

/// The change that takes away all there is.
fn unset_all(config: &Config) -> ConfigChange {
    fn nulls<'a>(keys: impl Iterator<Item = &'a str>) -> BTreeMap<String, Value> {
        keys.map(|key| (key.to_owned(), Value::Null)).collect()
    }
    ConfigChange {
        values: nulls(config.values.keys().map(String::as_str)),
        memory: nulls(config.memory.keys().map(AsRef::as_ref)),
        cpu: nulls(config.cpu.keys().map(AsRef::as_ref)),
        tags: nulls(config.tags.keys().map(String::as_str)),
        registry: nulls(config.registry.keys().map(String::as_str)),
        healthcheck: nulls(config.healthcheck.keys().map(String::as_str)),
    }
}

fuzz_target!(|data: &[u8]| {
    let Some(change) = read(data) else { return };
    let base = empty();
    let Ok(next) = change_apply(&base, &change) else { return };
    for limit in next.memory.values() {
        assert!(memory_parse(limit).is_some(), "a stored memory limit cannot be read: {limit:?}");
    }
    for limit in next.cpu.values() {
        assert!(cpu_parse(limit).is_some(), "a stored CPU limit cannot be read: {limit:?}");
    }
    let _ = initial_delay_max(&next.healthcheck);
    for probe in next.healthcheck.values().filter_map(Value::as_object).flat_map(Map::values) {
        let _ = probe_parse(probe, 5000);
    }
    for (key, value) in &next.values {
        assert!(!key.is_empty() && !key.contains(['=', '\0']) && !value.expose().contains('\0'), "{key:?}");
    }
    // What was set can be taken away, and nothing is left of it.
    let back = change_apply(&next, &unset_all(&next)).expect("what is set can be unset");
    assert!(back == base, "something was left");
    assert!(change_apply(&back, &unset_all(&next)).is_err() || next == base, "what is not set was unset");
});
