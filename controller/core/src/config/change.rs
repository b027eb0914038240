//! Changing a configuration: checking what was asked for, and merging it. Source: `drycc-v2.md` §2.4.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Config, SecretText};
use crate::error::FieldError;
use crate::limit::{CPU_RULE, MEMORY_RULE, cpu_parse, memory_parse};
use crate::name::PROCESS_TYPE_RULE;
use crate::probe::{PROBE_NAME_RULE, PROBE_NAMES, WEB_CMD, probe_check, probes_from_legacy};
use crate::{Error, ProcessType, Result};

/// A change of configuration as requested, not yet checked; `null` unsets. A map that the request lacks is empty.
#[derive(Clone, Default)]
pub struct ConfigChange {
    /// Environment variables.
    pub values: BTreeMap<String, Value>,
    /// Memory limits by process type.
    pub memory: BTreeMap<String, Value>,
    /// CPU limits by process type.
    pub cpu: BTreeMap<String, Value>,
    /// Node labels.
    pub tags: BTreeMap<String, Value>,
    /// Registry credentials.
    pub registry: BTreeMap<String, Value>,
    /// Probes by process type.
    pub healthcheck: BTreeMap<String, Value>,
    /// Seconds that processes may take to end, by process type.
    pub termination_grace_period: BTreeMap<String, Value>,
    /// Commands after a process's start, by process type.
    pub lifecycle_post_start: BTreeMap<String, Value>,
    /// Commands before a process's stop, by process type.
    pub lifecycle_pre_stop: BTreeMap<String, Value>,
}

impl ConfigChange {
    /// Leaves out what would unset something that `current` does not have.
    #[must_use]
    pub fn without_idle_unsets(mut self, current: &Config) -> Self {
        let keep = |change: &mut BTreeMap<String, Value>, has: &dyn Fn(&str) -> bool| {
            change.retain(|key, value| !value.is_null() || has(key));
        };
        keep(&mut self.values, &|key| current.values.contains_key(key));
        keep(&mut self.memory, &|key| current.memory.contains_key(key));
        keep(&mut self.cpu, &|key| current.cpu.contains_key(key));
        keep(&mut self.tags, &|key| current.tags.contains_key(key));
        keep(&mut self.registry, &|key| current.registry.contains_key(&key.to_ascii_lowercase()));
        keep(&mut self.healthcheck, &|key| current.healthcheck.contains_key(key));
        keep(&mut self.termination_grace_period, &|key| current.termination_grace_period.contains_key(key));
        keep(&mut self.lifecycle_post_start, &|key| current.lifecycle_post_start.contains_key(key));
        keep(&mut self.lifecycle_pre_stop, &|key| current.lifecycle_pre_stop.contains_key(key));
        self
    }
}

/// Most bytes of one variable, name and value together: what Linux takes in one string of an environment.
pub const VARIABLE_MAX_BYTES: usize = 128 * 1024 - 2;
/// Most bytes of all variables of an app together: what fits in one Secret.
pub const VARIABLES_MAX_BYTES: usize = 1_000_000;

/// Longest time between SIGTERM and SIGKILL that an app may ask for, in seconds.
pub const GRACE_MAX_SECS: u64 = 60 * 60;

/// Longest command that runs after a start or before a stop, in bytes.
pub const HOOK_MAX_BYTES: usize = 16 * 1024;

const GRACE_RULE: &str = "Termination Grace Period format: <value>, where value must be a numeric";
const KEY_RULE: &str = "Config keys must start with a letter or underscore and only contain [A-z0-9_]";
const TAG_PREFIX_LENGTH_RULE: &str = "Tag key prefixes must 253 characters or less.";
const TAG_PREFIX_RULE: &str = "Tag key prefixes must be DNS subdomains.";
const TAG_KEY_RULE: &str = "Tag keys must be alphanumeric or \"-_.\", and 1-63 characters.";
const TAG_VALUE_RULE: &str = "Tag values must be alphanumeric or \"-_.\", and 1-63 characters.";

/// The configuration that comes of `current` by `change`; only the maps differ.
///
/// # Errors
/// `Invalid` by field for what breaks a rule; `Unprocessable` for removing what is not there; `Rejected` when a private
/// registry lacks a `PORT`.
pub fn change_apply(current: &Config, change: &ConfigChange) -> Result<Config> {
    check(change)?;
    let mut next = current.clone();
    merge(&mut next.values, &change.values, "values", |value| Some(SecretText::new(text_of(value))))?;
    let mut registry = BTreeMap::new();
    for (key, value) in &change.registry {
        registry.insert(key.to_ascii_lowercase(), value.clone());
    }
    merge(&mut next.memory, &change.memory, "memory", plain_text)?;
    merge(&mut next.cpu, &change.cpu, "cpu", plain_text)?;
    merge(&mut next.tags, &change.tags, "tags", plain_text)?;
    merge(&mut next.registry, &registry, "registry", |value| Some(SecretText::new(text_of(value))))?;
    healthcheck_merge(&mut next.healthcheck, &change.healthcheck)?;
    let grace = &change.termination_grace_period;
    merge(&mut next.termination_grace_period, grace, "termination_grace_period", plain_text)?;
    let command = |value: &Value| value.as_str().map(str::to_owned);
    merge(&mut next.lifecycle_post_start, &change.lifecycle_post_start, "lifecycle_post_start", command)?;
    merge(&mut next.lifecycle_pre_stop, &change.lifecycle_pre_stop, "lifecycle_pre_stop", command)?;
    legacy_convert(&mut next);
    let total: usize = next.values.iter().map(|(key, value)| key.len() + value.expose().len() + 2).sum();
    if total > VARIABLES_MAX_BYTES {
        return Err(Error::invalid(
            "values",
            format!("All values together are larger than {VARIABLES_MAX_BYTES} bytes"),
        ));
    }
    if !next.registry.is_empty() && !next.values.contains_key("PORT") {
        return Err(Error::Rejected("PORT needs to be set in the config when using a private registry".to_owned()));
    }
    Ok(next)
}

/// A value as the text that it is kept as: `1.5` and `True` as Python shows them, lists and maps as JSON.
fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// The text of a value that may be a text or a number.
fn plain_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn merge<K, T>(
    into: &mut BTreeMap<K, T>,
    change: &BTreeMap<String, Value>,
    field: &str,
    convert: impl Fn(&Value) -> Option<T>,
) -> Result<()>
where
    K: Ord + std::borrow::Borrow<str> + std::str::FromStr,
{
    for (key, value) in change {
        if value.is_null() {
            into.remove(key.as_str()).ok_or_else(|| missing(key, field))?;
        } else {
            let not_a_key = |_| Error::invalid(field, PROCESS_TYPE_RULE);
            let value = convert(value).ok_or_else(|| Error::invalid(field, "Not a valid string."))?;
            into.insert(key.parse().map_err(not_a_key)?, value);
        }
    }
    Ok(())
}

fn missing(key: &str, field: &str) -> Error {
    Error::Unprocessable(format!("{} does not exist under {field}", shorten(key)))
}

fn healthcheck_merge(into: &mut BTreeMap<String, Value>, change: &BTreeMap<String, Value>) -> Result<()> {
    for (process_type, probes) in change {
        let Some(probes) = probes.as_object() else {
            into.remove(process_type).ok_or_else(|| missing(process_type, "healthcheck"))?;
            continue;
        };
        let mut entry = into.get(process_type).and_then(Value::as_object).cloned().unwrap_or_default();
        for (name, probe) in probes {
            if probe.is_null() {
                entry.remove(name).ok_or_else(|| missing(name, "healthcheck"))?;
            } else {
                entry.insert(name.clone(), probe.clone());
            }
        }
        if entry.is_empty() {
            into.remove(process_type);
        } else {
            into.insert(process_type.clone(), Value::Object(entry));
        }
    }
    Ok(())
}

/// Turns the old `HEALTHCHECK_*` variables into probes of `web/cmd` once `HEALTHCHECK_URL` is among them.
fn legacy_convert(config: &mut Config) {
    let Some(path) = config.values.get("HEALTHCHECK_URL").cloned() else { return };
    let probes = probes_from_legacy(path.expose(), |name| {
        config.values.get(&format!("HEALTHCHECK_{name}")).and_then(|value| value.expose().parse().ok())
    });
    config.healthcheck.insert(WEB_CMD.to_owned(), probes);
    config.values.retain(|key, _| !key.starts_with("HEALTHCHECK_"));
}

fn check(change: &ConfigChange) -> Result<()> {
    let mut fields = Vec::new();
    let mut check_map = |field: &str, map: &BTreeMap<String, Value>, rule: fn(&str, &Value) -> Result<(), String>| {
        let mut messages: Vec<String> = Vec::new();
        for (key, value) in map.iter().filter(|(_, value)| !value.is_null()) {
            if let Err(message) = rule(key, value)
                && !messages.contains(&message)
                && messages.len() < 20
            {
                messages.push(message);
            }
        }
        if !messages.is_empty() {
            fields.push(FieldError { field: field.to_owned(), messages });
        }
    };
    check_map("values", &change.values, value_check);
    check_map("memory", &change.memory, |key, value| {
        process_type_check(key)?;
        plain_text(value).and_then(|text| memory_parse(&text)).map(drop).ok_or_else(|| MEMORY_RULE.to_owned())
    });
    check_map("cpu", &change.cpu, |key, value| {
        process_type_check(key)?;
        plain_text(value).and_then(|text| cpu_parse(&text)).map(drop).ok_or_else(|| CPU_RULE.to_owned())
    });
    check_map("tags", &change.tags, tag_check);
    check_map("registry", &change.registry, |key, value| {
        key_check(key)?;
        size_check(key, &text_of(value))
    });
    check_map("healthcheck", &change.healthcheck, healthcheck_check);
    check_map("termination_grace_period", &change.termination_grace_period, grace_check);
    check_map("lifecycle_post_start", &change.lifecycle_post_start, hook_check);
    check_map("lifecycle_pre_stop", &change.lifecycle_pre_stop, hook_check);
    if fields.is_empty() { Ok(()) } else { Err(Error::Invalid(fields)) }
}

fn process_type_check(key: &str) -> Result<(), String> {
    ProcessType::new(key).map(drop).map_err(|error| error.0.to_owned())
}

fn key_check(key: &str) -> Result<(), String> {
    let mut bytes = key.bytes();
    let starts_well = bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_');
    if starts_well && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        Ok(())
    } else {
        Err(KEY_RULE.to_owned())
    }
}

fn size_check(key: &str, text: &str) -> Result<(), String> {
    if text.contains('\0') {
        return Err(format!("{} holds a NUL character, which no environment can", shorten(key)));
    }
    if key.len() + text.len() > VARIABLE_MAX_BYTES {
        return Err(format!("{} is larger than {VARIABLE_MAX_BYTES} bytes", shorten(key)));
    }
    Ok(())
}

fn value_check(key: &str, value: &Value) -> Result<(), String> {
    key_check(key)?;
    let text = text_of(value);
    size_check(key, &text)?;
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match key {
        "PORT" if !is_number => Err("PORT can only be a numeric value".to_owned()),
        "PORT" if !text.parse::<u16>().is_ok_and(|port| port > 0) => {
            Err("PORT needs to be between 1 and 65535".to_owned())
        }
        "HEALTHCHECK_URL" => path_check(&text),
        _ if key.starts_with("HEALTHCHECK_") && !is_number => Err(format!("{key} can only be a numeric value")),
        _ => Ok(()),
    }
}

/// Whether a text is the path of a URI and nothing else.
fn path_check(text: &str) -> Result<(), String> {
    let path_end = text.find(['?', '#', ';']).unwrap_or(text.len());
    let (before, extra) = text.split_at(path_end);
    let scheme_end = before.find(':').filter(|end| {
        before.as_bytes().first().is_some_and(u8::is_ascii_alphabetic)
            && before[..*end].bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
    });
    let after_scheme = scheme_end.map_or(before, |end| &before[end + 1..]);
    let authority = after_scheme.strip_prefix("//");
    let path = authority.map_or(after_scheme, |rest| rest.find('/').map_or("", |start| &rest[start..]));
    if path.is_empty() {
        return Err("HEALTHCHECK_URL is missing a URI path (such as /healthz). Without it no health check can be done"
            .to_owned());
    }
    if scheme_end.is_some() || authority.is_some() || !extra.is_empty() || text.chars().any(char::is_control) {
        return Err("HEALTHCHECK_URL can only be a URI path (such as /healthz) that does not contain other things such as query params".to_owned());
    }
    Ok(())
}

/// `^(?:[a-zA-Z\d][-\.\w]{0,61})?[a-zA-Z\d]$` in ASCII.
fn is_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    bytes.len() <= 63
        && is_end(bytes.first())
        && is_end(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
}

fn tag_check(key: &str, value: &Value) -> Result<(), String> {
    let name = match key.rsplit_once('/') {
        Some((prefix, name)) => {
            if prefix.len() > 253 {
                return Err(TAG_PREFIX_LENGTH_RULE.to_owned());
            }
            let is_dns = |label: &str| is_label(label) && !label.contains('_');
            if !prefix.split('.').all(is_dns) {
                return Err(TAG_PREFIX_RULE.to_owned());
            }
            name
        }
        None => key,
    };
    if !is_label(name) {
        return Err(TAG_KEY_RULE.to_owned());
    }
    let is_good = plain_text(value).is_some_and(|text| text.is_empty() || is_label(&text));
    if is_good { Ok(()) } else { Err(TAG_VALUE_RULE.to_owned()) }
}

fn healthcheck_check(key: &str, value: &Value) -> Result<(), String> {
    if PROBE_NAMES.contains(&key) {
        return Err(PROBE_NAME_RULE.to_owned());
    }
    if key != WEB_CMD {
        process_type_check(key)?;
    }
    let probes = value.as_object().ok_or_else(|| {
        format!("could not validate {}: the probes of a process type are a map", shorten(&value.to_string()))
    })?;
    for (name, probe) in probes {
        if probe.is_null() {
            if !PROBE_NAMES.contains(&name.as_str()) {
                return Err(PROBE_NAME_RULE.to_owned());
            }
        } else {
            probe_check(name, probe)?;
        }
    }
    Ok(())
}

fn grace_check(key: &str, value: &Value) -> Result<(), String> {
    process_type_check(key)?;
    let text = plain_text(value).filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
    let text = text.ok_or_else(|| GRACE_RULE.to_owned())?;
    let secs = text.parse::<u64>().ok().filter(|secs| *secs <= GRACE_MAX_SECS);
    secs.map(drop).ok_or_else(|| format!("Termination Grace Period is not in allowed range: 0~{GRACE_MAX_SECS}"))
}

fn hook_check(key: &str, value: &Value) -> Result<(), String> {
    process_type_check(key)?;
    match value.as_str() {
        Some(command) if command.trim().is_empty() => Err(format!("The command of {} is empty", shorten(key))),
        Some(command) if command.len() > HOOK_MAX_BYTES => {
            Err(format!("The command of {} is larger than {HOOK_MAX_BYTES} bytes", shorten(key)))
        }
        Some(_) => Ok(()),
        None => Err("Not a valid string.".to_owned()),
    }
}

/// Cuts a piece of hostile input to what fits in a message.
fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(100).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests;
