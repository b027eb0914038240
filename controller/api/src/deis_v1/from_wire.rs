//! `/v1` bodies → inputs of the use cases: the rules of 1.x that are narrower than those of the use cases, and its
//! units. Bodies that 1.x and 2.x have in common are read as in 2.x.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde_json::{Value, json};
use slipway_core::Error;
use slipway_core::log::LogQuery;
use slipway_core::structure::FirstStructure;
use slipway_service::{ConfigChange, NewBuild, UserRegister};
use slipway_wire::deis_v1 as wire;

use super::units;
use crate::call::{Call, Failure};
use crate::drycc_v2::from_wire as v2;
use crate::fields::{self, Fields};

pub(super) use v2::{
    app_name, domain as domain_text, key, login, optional, password_change, receive, rollback_version, token_scope,
    username,
};

/// Longest names of users. Source: `deis-v1.md` §3.1.
const NAME_MAX: usize = 30;
/// Longest e-mail address (RFC 5321 §4.5.3.1.3 less the brackets).
const EMAIL_MAX: usize = 254;
/// Longest image reference. Source: `deis-v1.md` §8.
const IMAGE_MAX: usize = 256;
/// Lines of a log when the request does not say, and most that it may ask for.
const LOG_LINES: (usize, usize) = (1000, 10_000);
/// Variables that the platform gives, which are not taken from users.
const PLATFORM_VARIABLES: [&str; 2] = ["DEIS_APP", "DEIS_RELEASE"];

const MEMORY_RULE: &str = "Limit format: <number><unit>, where unit = B, K, M or G";
const CPU_RULE: &str = "CPU shares must be an integer";
const CPU_RANGE: &str = "CPU shares must be between 0 and 1024";
const TYPE_RULE: &str = "Process types must begin with a lower-case letter";
const TAG_KEY_RULE: &str = "Tag keys can only contain letters";
const TAG_VALUE_RULE: &str = "Invalid tag value";

/// Ends the reading of a body.
fn finish<T>(fields: Fields, value: T) -> Result<T, Failure> {
    fields.finish(value).map_err(Failure::Body)
}

/// Body of `auth/register/`.
pub(super) fn register(call: &Call) -> Result<UserRegister, Failure> {
    let mut fields = call.fields()?;
    let new = UserRegister {
        username: fields.text("username"),
        password: SecretString::from(fields.secret("password")),
        email: fields.text_or_empty("email"),
        first_name: fields.text_or_empty("first_name"),
        last_name: fields.text_or_empty("last_name"),
    };
    fields.limit("username", &new.username, NAME_MAX);
    fields.limit("email", &new.email, EMAIL_MAX);
    fields.limit("first_name", &new.first_name, NAME_MAX);
    fields.limit("last_name", &new.last_name, NAME_MAX);
    finish(fields, new)
}

/// Body of `scale/`: every field is a process type. Numbers come before everything else.
pub(super) fn scale(call: &Call) -> Result<BTreeMap<String, Value>, Failure> {
    let wanted = call.fields()?.into_map();
    let refuse = |text: &str| Err(Failure::Body(Error::Rejected(text.to_owned())));
    let mut counts = BTreeMap::new();
    for (process_type, count) in wanted {
        let number = match &count {
            Value::Number(number) => number.to_string().parse::<i64>().ok(),
            Value::String(text) => text.trim().parse::<i64>().ok(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        };
        match number {
            None => return refuse("Invalid scaling format"),
            Some(..0) => return refuse("Invalid scaling format: Must be greater than or equal to zero"),
            Some(number) => counts.insert(process_type, json!(number)),
        };
    }
    Ok(counts)
}

/// Body of `config/`, in the units of the use case.
pub(super) fn config_change(call: &Call) -> Result<ConfigChange, Failure> {
    let mut fields = call.fields()?;
    let mut map = |name: &str, rule: fn(&str, Value) -> Result<Value, &'static str>| -> BTreeMap<String, Value> {
        let map = fields.map(name).unwrap_or_default();
        let mut messages: Vec<String> = Vec::new();
        let mut change = BTreeMap::new();
        for (key, value) in map {
            let value = if value.is_null() { Ok(value) } else { rule(&key, value) };
            match value {
                _ if has_nul(&key) => messages.push(fields::NUL.to_owned()),
                Ok(value) => {
                    change.insert(key, value);
                }
                Err(message) => messages.push(message.to_owned()),
            }
        }
        messages.sort();
        messages.dedup();
        if !messages.is_empty() {
            fields.fail_all(name, messages);
        }
        change
    };
    let mut change = ConfigChange {
        values: map("values", value_rule),
        memory: map("memory", memory_rule),
        cpu: map("cpu", cpu_rule),
        tags: map("tags", tag_rule),
        ..ConfigChange::default()
    };
    change.values.retain(|name, _| !PLATFORM_VARIABLES.contains(&name.as_str()));
    finish(fields, change)
}

fn has_nul(text: &str) -> bool {
    text.contains('\0')
}

fn value_rule(_: &str, value: Value) -> Result<Value, &'static str> {
    fn is_clean(value: &Value) -> bool {
        match value {
            Value::String(text) => !has_nul(text),
            Value::Array(items) => items.iter().all(is_clean),
            Value::Object(map) => map.iter().all(|(name, value)| !has_nul(name) && is_clean(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => true,
        }
    }
    if is_clean(&value) { Ok(value) } else { Err(fields::NUL) }
}

fn type_check(key: &str) -> Result<(), &'static str> {
    key.bytes().next().filter(u8::is_ascii_lowercase).map(drop).ok_or(TYPE_RULE)
}

fn memory_rule(key: &str, value: Value) -> Result<Value, &'static str> {
    type_check(key)?;
    match value {
        Value::String(text) if units::is_memory(text.trim()) => Ok(json!(text.trim())),
        _ => Err(MEMORY_RULE),
    }
}

fn cpu_rule(key: &str, value: Value) -> Result<Value, &'static str> {
    type_check(key)?;
    let text = fields::text_value(value, true).map_err(|_| CPU_RULE)?;
    let number = text.parse::<i128>().map_err(|_| CPU_RULE)?;
    let shares = u32::try_from(number).ok().filter(|shares| u64::from(*shares) <= units::SHARES_MAX);
    shares.map(|shares| json!(units::cpu_of_shares(shares))).ok_or(CPU_RANGE)
}

fn tag_rule(key: &str, value: Value) -> Result<Value, &'static str> {
    if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return Err(TAG_KEY_RULE);
    }
    let text = fields::text_value(value, true).map_err(|_| TAG_VALUE_RULE)?;
    let is_word = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_word { Ok(json!(text)) } else { Err(TAG_VALUE_RULE) }
}

/// Body of `domains/`: host names as 1.x takes them.
pub(super) fn domain(call: &Call) -> Result<String, Failure> {
    let name = domain_text(call)?;
    domain_rule(&name).map_err(|message| Failure::Body(Error::invalid("domain", message)))?;
    Ok(name)
}

fn domain_rule(name: &str) -> Result<(), &'static str> {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.contains('*') {
        return Err("Hostname does not look valid. Wildcards are not supported.");
    }
    if !name.split('.').all(is_label) {
        return Err("Hostname does not look valid. Only lowercase characters, digits and hyphens are allowed.");
    }
    match name.rsplit_once('.') {
        Some((_, last)) if last.len() >= 2 => Ok(()),
        Some(_) | None => Err("Hostname does not look valid. It needs a top-level domain."),
    }
}

/// Body of `builds/`.
pub(super) fn build(call: &Call) -> Result<NewBuild, Failure> {
    let mut new = v2::build(call)?;
    if new.image.chars().count() > IMAGE_MAX {
        let text = format!("Ensure this field has no more than {IMAGE_MAX} characters.");
        return Err(Failure::Body(Error::invalid("image", text)));
    }
    new.stack = String::new();
    new.first = FirstStructure::One;
    Ok(new)
}

/// Query of `logs/`. Nonsense asks for the usual.
#[must_use]
pub(super) fn log_query(call: &Call) -> LogQuery {
    let (usual, max) = LOG_LINES;
    let lines = call.query("log_lines").and_then(|text| text.trim().parse::<usize>().ok());
    LogQuery { lines: lines.map_or(usual, |lines| lines.min(max)), process_type: None }
}

/// Body of `hooks/push/`.
pub(super) fn hook_push(call: &Call) -> Result<wire::PushHook, Failure> {
    let mut fields = call.fields()?;
    let push = wire::PushHook {
        receive_user: fields.text("receive_user"),
        receive_repo: fields.text("receive_repo"),
        sha: fields.text_or_empty("sha"),
        fingerprint: fields.text_or_empty("fingerprint"),
        ssh_connection: fields.text_or_empty("ssh_connection"),
        ssh_original_command: fields.text_or_empty("ssh_original_command"),
    };
    finish(fields, push)
}

/// Body of `hooks/build/`.
pub(super) fn hook_build(call: &Call) -> Result<(v2::Receive, NewBuild), Failure> {
    let (receive, new, _) = v2::hook_build(call)?;
    Ok((receive, NewBuild { stack: String::new(), first: FirstStructure::One, ..new }))
}
