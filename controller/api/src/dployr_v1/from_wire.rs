//! Requests → what use cases take. Texts are texts here: a number is none. Source: `dployr-v1.md` §1.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use serde_json::Value;
use slipway_core::Error;
use slipway_core::config::SecretText;
use slipway_service::{DeploymentInput, PageQuery, Patch, WebhookCreate};

use crate::call::{Call, Failure};
use crate::fields::{BLANK, Fields, NOT_BOOLEAN, NOT_MAP, NOT_TEXT, NUL, NULL, REQUIRED};

/// A text that may be absent or null, as it came.
pub(super) fn text_or_none(fields: &mut Fields, name: &str) -> Option<String> {
    match fields.take(name)? {
        Value::Null => None,
        Value::String(text) if text.contains('\0') => {
            fields.fail(name, NUL);
            None
        }
        Value::String(text) => Some(text),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            fields.fail(name, NOT_TEXT);
            None
        }
    }
}

/// A text that must be there and not be empty, as it came.
pub(super) fn text(fields: &mut Fields, name: &str) -> String {
    if !fields.has(name) {
        fields.fail(name, REQUIRED);
    } else if !fields.is_given(name) {
        fields.fail(name, NULL);
    } else if let Some(text) = text_or_none(fields, name) {
        if text.is_empty() {
            fields.fail(name, BLANK);
        }
        return text;
    }
    String::new()
}

/// An e-mail address and a password.
pub(super) fn login(call: &Call) -> Result<(String, SecretString), Failure> {
    let mut fields = call.fields()?;
    let email = text(&mut fields, "email");
    let password = SecretString::from(text(&mut fields, "password"));
    fields.finish((email, password)).map_err(Failure::Body)
}

/// A refresh token.
pub(super) fn refresh(call: &Call) -> Result<SecretString, Failure> {
    let mut fields = call.fields()?;
    let token = SecretString::from(text(&mut fields, "refresh_token"));
    fields.finish(token).map_err(Failure::Body)
}

/// Items of a page when the request does not say. Source: `dployr-v1.md` §1.
const LIMIT_DEFAULT: u32 = 20;
/// Most items of a page.
const LIMIT_MAX: u32 = 100;
/// Lines of a log when the request does not say.
const TAIL_DEFAULT: usize = 100;
/// Most lines.
const TAIL_MAX: usize = 5000;

/// The page that a request asks for: `limit` and `offset`, or `page` and `pageSize`. Nonsense asks for the first.
pub(super) fn page(call: &Call) -> PageQuery {
    let number = |names: [&str; 2]| {
        let given = names.into_iter().find_map(|name| call.query(name));
        given.and_then(|text| text.trim().parse::<u32>().ok()).filter(|number| *number > 0)
    };
    let limit = number(["limit", "pageSize"]).map_or(LIMIT_DEFAULT, |limit| limit.min(LIMIT_MAX));
    let offset = number(["offset", "offset"]).or_else(|| number(["page", "page"])?.checked_sub(1)?.checked_mul(limit));
    // Databases count rows in signed numbers.
    PageQuery { limit, offset: offset.unwrap_or(0).min(i32::MAX.unsigned_abs()) }
}

/// A value of the query that is not empty, under any of its names.
pub(super) fn query<'a>(call: &'a Call, names: &[&str]) -> Option<&'a str> {
    names.iter().find_map(|name| call.query(name)).map(str::trim).filter(|text| !text.is_empty())
}

/// A field under its name or one of its other names.
fn take(fields: &mut Fields, names: &[&str]) -> Option<Value> {
    names.iter().find_map(|name| fields.take(name))
}

/// A text that may be absent or null, under the first of its names in refusals.
fn patch(fields: &mut Fields, names: &[&str]) -> Patch<String> {
    let name = names.first().copied().unwrap_or_default();
    match take(fields, names) {
        None => Patch::Keep,
        Some(Value::Null) => Patch::Clear,
        Some(Value::String(text)) if text.contains('\0') => {
            fields.fail(name, NUL);
            Patch::Keep
        }
        Some(Value::String(text)) => Patch::Set(text),
        Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            fields.fail(name, NOT_TEXT);
            Patch::Keep
        }
    }
}

/// As [`patch`]; a number is its text.
fn patch_number_or_text(fields: &mut Fields, names: &[&str]) -> Patch<String> {
    match take(fields, names) {
        None => Patch::Keep,
        Some(value) => patch_value(fields, names.first().copied().unwrap_or_default(), value),
    }
}

fn patch_value(fields: &mut Fields, name: &str, value: Value) -> Patch<String> {
    match value {
        Value::Null => Patch::Clear,
        Value::String(text) if !text.contains('\0') => Patch::Set(text),
        Value::Number(number) => Patch::Set(number.to_string()),
        _ => {
            fields.fail(name, NOT_TEXT);
            Patch::Keep
        }
    }
}

fn values(fields: &mut Fields, names: &[&str]) -> BTreeMap<String, Value> {
    match take(fields, names) {
        None | Some(Value::Null) => BTreeMap::new(),
        Some(Value::Object(map)) => map.into_iter().collect(),
        Some(_) => {
            fields.fail(names.first().copied().unwrap_or_default(), NOT_MAP);
            BTreeMap::new()
        }
    }
}

fn number(fields: &mut Fields, name: &str) -> Patch<i64> {
    match fields.take(name) {
        None => Patch::Keep,
        Some(Value::Null) => Patch::Clear,
        Some(Value::Number(number)) => match number.as_i64() {
            Some(number) => Patch::Set(number),
            // Out of any range.
            None => Patch::Set(i64::MIN),
        },
        Some(_) => {
            fields.fail(name, "It is a number.");
            Patch::Keep
        }
    }
}

/// What a request says of a deployment. Source: `dployr-v1.md` §4.1.
pub(super) fn deployment(call: &Call) -> Result<DeploymentInput, Failure> {
    let mut fields = call.fields()?;
    let f = &mut fields;
    let mut input = DeploymentInput {
        name: patch(f, &["name"]),
        description: patch(f, &["description"]),
        kind: patch(f, &["type"]),
        source: patch(f, &["source"]),
        branch: patch(f, &["branch", "remoteBranch"]),
        commit_hash: patch(f, &["commit_hash", "remoteCommitHash"]),
        build_cmd: patch(f, &["build_cmd", "buildCmd"]),
        run_cmd: patch(f, &["run_cmd", "runCmd"]),
        working_dir: patch(f, &["working_dir", "workingDir"]),
        static_dir: patch(f, &["static_dir", "staticDir"]),
        health_check: patch(f, &["health_check", "healthCheck"]),
        image: patch(f, &["image"]),
        domain: patch(f, &["domain"]),
        project: patch(f, &["project_id", "projectId"]),
        port: number(f, "port"),
        env: values(f, &["env", "env_vars", "envVars"]),
        secrets: values(f, &["secrets"]),
        ..DeploymentInput::default()
    };
    // A runtime is a name, or a name with a version.
    match take(f, &["runtime", "runtimeType"]) {
        Some(Value::Object(mut runtime)) => {
            let name = runtime.remove("type").unwrap_or(Value::Null);
            input.runtime = patch_value(f, "runtime", name);
            if let Some(version) = runtime.remove("version") {
                input.version = patch_value(f, "version", version);
            }
        }
        Some(Value::Number(_)) => f.fail("runtime", NOT_TEXT),
        Some(name) => input.runtime = patch_value(f, "runtime", name),
        None => {}
    }
    match patch_number_or_text(f, &["version", "runtimeVersion"]) {
        Patch::Keep => {}
        version => input.version = version,
    }
    // A repository is an address, or an address with a branch and a commit.
    match take(f, &["remote", "remoteUrl"]) {
        Some(Value::Object(mut remote)) => {
            let url = remote.remove("url").unwrap_or(Value::Null);
            input.remote = secret(f, url);
            for (name, to) in [("branch", &mut input.branch), ("commit_hash", &mut input.commit_hash)] {
                if let Some(value) = remote.remove(name) {
                    *to = patch_value(f, name, value);
                }
            }
        }
        Some(url) => input.remote = secret(f, url),
        None => {}
    }
    match take(f, &["force_rebuild", "forceRebuild"]) {
        None | Some(Value::Null) => {}
        Some(Value::Bool(is_forced)) => input.is_rebuild_forced = is_forced,
        Some(_) => f.fail("force_rebuild", NOT_BOOLEAN),
    }
    fields.finish(input).map_err(Failure::Body)
}

/// An address, which may hold a password.
fn secret(fields: &mut Fields, value: Value) -> Patch<SecretText> {
    match value {
        Value::Null => Patch::Clear,
        Value::String(text) => Patch::Set(SecretText::new(text)),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            fields.fail("remote", NOT_TEXT);
            Patch::Keep
        }
    }
}

/// Name and value of a variable.
pub(super) fn variable(call: &Call) -> Result<(String, Value), Failure> {
    let mut fields = call.fields()?;
    let key = text(&mut fields, "key");
    let value = match fields.take("value") {
        None => {
            fields.fail("value", REQUIRED);
            Value::Null
        }
        Some(Value::Null) => {
            fields.fail("value", NULL);
            Value::Null
        }
        Some(value) => value,
    };
    fields.finish((key, value)).map_err(Failure::Body)
}

/// Domain, service and port of a route.
pub(super) fn route(call: &Call) -> Result<(String, String, Option<i64>), Failure> {
    let mut fields = call.fields()?;
    let domain = text(&mut fields, "domain");
    let service = match take(&mut fields, &["service_id", "serviceId"]) {
        Some(Value::String(text)) if !text.is_empty() => text,
        Some(Value::String(_)) => {
            fields.fail("service_id", BLANK);
            String::new()
        }
        Some(_) => {
            fields.fail("service_id", NOT_TEXT);
            String::new()
        }
        None => {
            fields.fail("service_id", REQUIRED);
            String::new()
        }
    };
    let port = number(&mut fields, "port").value();
    if port.is_some_and(|port| !(1..=65_535).contains(&port)) {
        fields.fail("port", "It is a number from 1 to 65535.");
    }
    fields.finish((domain, service, port)).map_err(Failure::Body)
}

/// Name and description of a project.
pub(super) fn project(call: &Call) -> Result<(String, String), Failure> {
    let mut fields = call.fields()?;
    let name = text(&mut fields, "name");
    let description = text_or_none(&mut fields, "description").unwrap_or_default();
    fields.finish((name, description)).map_err(Failure::Body)
}

/// A webhook.
pub(super) fn webhook(call: &Call) -> Result<WebhookCreate, Failure> {
    let mut fields = call.fields()?;
    let url = text(&mut fields, "url");
    let events = match fields.take("events") {
        None => {
            fields.fail("events", REQUIRED);
            Vec::new()
        }
        Some(Value::Array(items)) if items.iter().all(Value::is_string) => {
            items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        Some(_) => {
            fields.fail("events", "It is a list of names.");
            Vec::new()
        }
    };
    let secret = text_or_none(&mut fields, "secret").map(SecretText::new);
    fields.finish(WebhookCreate { url, events, secret }).map_err(Failure::Body)
}

/// How far back a log goes when nothing is said. Source: `dployr-v1.md` §7, as the next.
const SINCE: TimeDelta = TimeDelta::hours(24);
/// The same when it is followed.
const SINCE_FOLLOWING: TimeDelta = TimeDelta::minutes(15);

/// Which lines of a log are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LogWanted {
    /// How many, the newest.
    pub(super) tail: usize,
    /// Whether new ones are wanted as they come.
    pub(super) is_following: bool,
    /// Not before. Where none is given, a day back, and a quarter of an hour when new ones are wanted.
    pub(super) since: DateTime<Utc>,
    /// Not after.
    pub(super) until: Option<DateTime<Utc>>,
    /// `build`, `runtime`, or both.
    pub(super) source: Option<LogSource>,
}

/// Who wrote a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LogSource {
    /// A build.
    Build,
    /// A process.
    Runtime,
}

/// Which lines of a log are wanted. Source: `dployr-v1.md` §7.
pub(super) fn log(call: &Call) -> Result<LogWanted, Failure> {
    let is_following = matches!(call.query("follow"), Some("true" | "1"));
    let fail = |field: &str, issue: &str| Failure::Body(Error::invalid(field, issue));
    let tail = match query(call, &["tail", "limit"]) {
        None => TAIL_DEFAULT,
        Some(text) => {
            let tail = text.parse::<usize>().map_err(|_| fail("tail", "It is a number from 0 to 5000."))?;
            if tail == 0 && !is_following {
                return Err(fail("tail", "0 is for following only."));
            }
            tail.min(TAIL_MAX)
        }
    };
    let time = |name: &str| {
        query(call, &[name])
            .map(|text| time_parse(text).ok_or_else(|| fail(name, "Give milliseconds since 1970, or RFC 3339.")))
            .transpose()
    };
    let source = match query(call, &["source"]) {
        None | Some("all") => None,
        Some("build") => Some(LogSource::Build),
        Some("runtime") => Some(LogSource::Runtime),
        Some(_) => return Err(fail("source", "It is build, runtime or all.")),
    };
    let back = if is_following { SINCE_FOLLOWING } else { SINCE };
    let since = time("since")?.unwrap_or_else(|| call.cx.now - back);
    Ok(LogWanted { tail, is_following, since, until: time("until")?, source })
}

fn time_parse(text: &str) -> Option<DateTime<Utc>> {
    match text.parse::<i64>() {
        Ok(millis) => DateTime::from_timestamp_millis(millis),
        // A plus in a query is a blank.
        Err(_) => DateTime::parse_from_rfc3339(&text.replace(' ', "+")).ok().map(|time| time.to_utc()),
    }
}
