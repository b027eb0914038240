//! `/v2` bodies → inputs of the use cases. Shapes and the standard messages of fields are checked here; what a value
//! may be is the service layer's.

mod hook;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde_json::{Map, Value};
use slipway_core::log::LogQuery;
use slipway_core::settings::{ListName, SettingsChange, SwitchChange, TlsChange};
use slipway_service::{
    ConfigChange, MountChange, NewBuild, NewRun, NewVolume, PasswordChange, TokenScope, UserRegister,
};

use crate::call::{Call, Failure};
use crate::fields::{self, Fields};

pub use hook::{Receive, hook_build, hook_build_begin, hook_build_log, receive, wait};

/// Longest text of a user's names.
const NAME_MAX: usize = 150;
/// Longest e-mail address (RFC 5321 §4.5.3.1.3 less the brackets).
const EMAIL_MAX: usize = 254;
/// Longest commit hash. Source: `drycc-v2.md` §2.5.
const SHA_MAX: usize = 40;
/// Longest label of a key. Source: `drycc-v2.md` §2.12.
const KEY_ID_MAX: usize = 128;
/// Longest public key; the largest RSA keys in use have a fifth of it.
const KEY_MAX: usize = 16 * 1024;
/// Most lines of a log that one request gets.
const LOG_LINES_MAX: usize = 10_000;
/// The message for an app's name that is no text. Source: `drycc-v2.md` §1.4.
const NOT_SLUG: &str = "Enter a valid \"slug\" consisting of letters, numbers, underscores or hyphens.";

/// What `certs/` is sent.
pub struct NewCert {
    /// The name.
    pub name: String,
    /// The chain in PEM.
    pub certificate: String,
    /// The private key in PEM.
    pub key: SecretString,
}

/// Ends the reading of a body.
fn finish<T>(fields: Fields, value: T) -> Result<T, Failure> {
    fields.finish(value).map_err(Failure::Body)
}

/// Body of `auth/register/`.
pub fn register(call: &Call) -> Result<UserRegister, Failure> {
    let mut fields = call.fields()?;
    let new = UserRegister {
        username: fields.text("username"),
        password: SecretString::from(fields.secret("password")),
        email: fields.text_or_empty("email"),
        first_name: fields.text_or_empty("first_name"),
        last_name: fields.text_or_empty("last_name"),
    };
    fields.limit("username", &new.username, slipway_core::name::USERNAME_MAX);
    fields.limit("email", &new.email, EMAIL_MAX);
    fields.limit("first_name", &new.first_name, NAME_MAX);
    fields.limit("last_name", &new.last_name, NAME_MAX);
    finish(fields, new)
}

/// Body of `auth/login/`.
pub fn login(call: &Call) -> Result<(String, SecretString), Failure> {
    let mut fields = call.fields()?;
    let login = (fields.text("username"), SecretString::from(fields.secret("password")));
    finish(fields, login)
}

/// Body of `auth/passwd/`. The use case asks for what is missing, because the order matters.
pub fn password_change(call: &Call) -> Result<PasswordChange, Failure> {
    let mut fields = call.fields()?;
    let mut secret = |name: &str| match fields.take(name) {
        None | Some(Value::Null) => None,
        Some(value) => match fields::text_value(value, false) {
            Ok(text) => Some(text).filter(|text| !text.is_empty()).map(SecretString::from),
            Err(message) => {
                fields.fail(name, message);
                None
            }
        },
    };
    let (new_password, password) = (secret("new_password"), secret("password"));
    let username = text_or_none(&mut fields, "username");
    finish(fields, PasswordChange { new_password, password, username })
}

/// Body of `auth/tokens/`: any `all` counts, whatever it holds. Source: `drycc-v2.md` §2.1.
pub fn token_scope(call: &Call) -> Result<TokenScope, Failure> {
    let mut fields = call.fields()?;
    let scope = if fields.has("all") {
        TokenScope::All
    } else if fields.has("username") {
        TokenScope::User(fields.text("username"))
    } else {
        TokenScope::Own
    };
    finish(fields, scope)
}

/// A body that names a user.
pub fn username(call: &Call) -> Result<String, Failure> {
    let mut fields = call.fields()?;
    let username = fields.text("username");
    finish(fields, username)
}

/// A body that may name something.
pub fn optional(call: &Call, name: &str) -> Result<Option<String>, Failure> {
    let mut fields = call.fields()?;
    let text = text_or_none(&mut fields, name);
    finish(fields, text)
}

/// Body of `POST run`.
pub struct Run {
    /// What is run.
    pub run: NewRun,
    /// Whether nobody waits for its end (Slipway's own).
    pub is_detached: bool,
}

/// Body of `POST run`.
pub fn run(call: &Call) -> Result<Run, Failure> {
    let mut fields = call.fields()?;
    let command = text_or_none(&mut fields, "command");
    let volumes = fields.map("volumes").unwrap_or_default();
    let volumes = directories(&mut fields, "volumes", volumes);
    let is_detached = fields.boolean_or("detach", false);
    finish(fields, Run { run: NewRun { command, volumes }, is_detached })
}

/// The directories of a map, none of which may be missing.
fn directories(fields: &mut Fields, name: &str, map: Map<String, Value>) -> BTreeMap<String, String> {
    let mut directories = BTreeMap::new();
    for (key, path) in map {
        match fields::text_value(path, true) {
            Ok(path) => drop(directories.insert(key, path)),
            Err(message) => fields.fail(name, message),
        }
    }
    directories
}

/// Body of `volumes/`.
pub fn volume(call: &Call) -> Result<NewVolume, Failure> {
    let mut fields = call.fields()?;
    let (name, size) = (fields.text("name"), fields.text("size"));
    let path = fields.map("path").unwrap_or_default();
    let path = directories(&mut fields, "path", path);
    let path = path.into_iter().map(|(process_type, path)| (process_type, Some(path))).collect();
    finish(fields, NewVolume { name, size, path })
}

/// Body of `volumes/<name>/`.
pub fn volume_size(call: &Call) -> Result<String, Failure> {
    let mut fields = call.fields()?;
    let size = fields.text("size");
    finish(fields, size)
}

/// Body of `volumes/<name>/path/`: directories by process type, null to unmount.
pub fn volume_path(call: &Call) -> Result<MountChange, Failure> {
    let mut fields = call.fields()?;
    if fields.is_void("path") {
        return Err(Failure::Body(slipway_core::Error::Rejected("path is a required field".to_owned())));
    }
    let map = fields.map("path").unwrap_or_default();
    let (nothing, map): (Map<_, _>, Map<_, _>) = map.into_iter().partition(|(_, path)| path.is_null());
    let set = directories(&mut fields, "path", map).into_iter().map(|(process_type, path)| (process_type, Some(path)));
    let unset = nothing.into_iter().map(|(process_type, _)| (process_type, None));
    let change = set.chain(unset).collect();
    finish(fields, change)
}

fn text_or_none(fields: &mut Fields, name: &str) -> Option<String> {
    if fields.is_void(name) { None } else { Some(fields.text(name)) }
}

/// Body of `POST apps/`: a name, or nothing.
pub fn app_name(call: &Call) -> Result<Option<String>, Failure> {
    let mut fields = call.fields()?;
    let name = match fields.take("id") {
        None | Some(Value::Null) => None,
        Some(value) => match fields::text_value(value, true) {
            Ok(text) if text.is_empty() => {
                fields.fail("id", fields::BLANK);
                None
            }
            Ok(text) => Some(text),
            Err(fields::NUL) => {
                fields.fail("id", fields::NUL);
                None
            }
            Err(_) => {
                fields.fail("id", NOT_SLUG);
                None
            }
        },
    };
    finish(fields, name)
}

/// Body of `scale/`: every field is a process type.
pub fn scale(call: &Call) -> Result<BTreeMap<String, Value>, Failure> {
    Ok(call.fields()?.into_map().into_iter().collect())
}

/// Body of `start/` and `stop/`. Without types the use case refuses.
pub fn types(call: &Call) -> Result<Vec<String>, Failure> {
    let mut fields = call.fields()?;
    let types = fields.texts("types").unwrap_or_default();
    finish(fields, types)
}

/// Body of `services/`: a process type and its paths.
pub fn service(call: &Call) -> Result<(String, String), Failure> {
    let mut fields = call.fields()?;
    let service = (fields.text("procfile_type"), fields.text("path_pattern"));
    finish(fields, service)
}

/// Body of `services/` for a removal.
pub fn service_type(call: &Call) -> Result<String, Failure> {
    let mut fields = call.fields()?;
    let process_type = fields.text("procfile_type");
    finish(fields, process_type)
}

/// Body of `config/`.
pub fn config_change(call: &Call) -> Result<ConfigChange, Failure> {
    let mut fields = call.fields()?;
    let mut map = |name: &str| -> BTreeMap<String, Value> {
        let map = fields.map(name).unwrap_or_default();
        if has_nul(&map) {
            fields.fail(name, fields::NUL);
        }
        map.into_iter().collect()
    };
    let change = ConfigChange {
        values: map("values"),
        memory: map("memory"),
        cpu: map("cpu"),
        tags: map("tags"),
        registry: map("registry"),
        healthcheck: map("healthcheck"),
        termination_grace_period: map("termination_grace_period"),
        lifecycle_post_start: map("lifecycle_post_start"),
        lifecycle_pre_stop: map("lifecycle_pre_stop"),
    };
    finish(fields, change)
}

/// Whether any text in a map, however deep, holds a character that no database column and no environment takes.
fn has_nul(map: &Map<String, Value>) -> bool {
    fn in_value(value: &Value) -> bool {
        match value {
            Value::String(text) => text.contains('\0'),
            Value::Array(items) => items.iter().any(in_value),
            Value::Object(map) => has_nul(map),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }
    map.iter().any(|(name, value)| name.contains('\0') || in_value(value))
}

/// Body of `domains/`.
pub fn domain(call: &Call) -> Result<String, Failure> {
    let mut fields = call.fields()?;
    let domain = fields.text("domain");
    finish(fields, domain)
}

/// Body of `settings/`: any subset. The list of addresses may have its old or its new name; the new one wins.
pub fn settings_change(call: &Call) -> Result<SettingsChange, Failure> {
    let mut fields = call.fields()?;
    let mut list = |name: ListName| fields.texts(name.as_str()).map(|addresses| (name, addresses));
    let (old, new) = (list(ListName::Whitelist), list(ListName::Allowlist));
    let mut map = |name: &str| -> BTreeMap<String, Value> {
        let map = fields.map(name).unwrap_or_default();
        if has_nul(&map) {
            fields.fail(name, fields::NUL);
        }
        map.into_iter().collect()
    };
    let (autoscale, label) = (map("autoscale"), map("label"));
    let change = SettingsChange {
        maintenance: fields.boolean_or_null("maintenance"),
        routable: fields.boolean_or_null("routable"),
        allowlist: new.or(old),
        autoscale,
        label,
    };
    finish(fields, change)
}

/// Body of `tls/`.
pub fn tls_change(call: &Call) -> Result<TlsChange, Failure> {
    let mut fields = call.fields()?;
    let mut switch = |name: &str| {
        if !fields.has(name) {
            return SwitchChange::Keep;
        }
        fields.boolean_or_null(name).map_or(SwitchChange::Unset, SwitchChange::To)
    };
    let change =
        TlsChange { https_enforced: switch("https_enforced"), certs_auto_enabled: switch("certs_auto_enabled") };
    finish(fields, change)
}

/// Body of `whitelist/` and `allowlist/`.
pub fn addresses(call: &Call) -> Result<Vec<String>, Failure> {
    let mut fields = call.fields()?;
    if !fields.has("addresses") {
        fields.fail("addresses", fields::REQUIRED);
    }
    let addresses = fields.texts("addresses").unwrap_or_default();
    finish(fields, addresses)
}

/// Body of `builds/`.
pub fn build(call: &Call) -> Result<NewBuild, Failure> {
    let mut fields = call.fields()?;
    let new = build_fields(&mut fields);
    finish(fields, new)
}

pub(super) fn build_fields(fields: &mut Fields) -> NewBuild {
    let new = NewBuild {
        image: fields.text("image"),
        sha: fields.text_or_empty("sha"),
        procfile: procfile(fields),
        dockerfile: dockerfile(fields),
        stack: fields.text_or_empty("stack"),
        ..NewBuild::default()
    };
    fields.limit("sha", &new.sha, SHA_MAX);
    new
}

fn procfile(fields: &mut Fields) -> BTreeMap<String, Option<String>> {
    if fields.is_void("procfile") {
        return BTreeMap::new();
    }
    let map = fields.map("procfile").unwrap_or_default();
    let mut commands = BTreeMap::new();
    for (process_type, command) in map {
        match command {
            Value::Null => {
                commands.insert(process_type, None);
            }
            command => match fields::text_value(command, true) {
                Ok(_) if process_type.contains('\0') => fields.fail("procfile", fields::NUL),
                Ok(command) => {
                    commands.insert(process_type, Some(command));
                }
                Err(message) => fields.fail("procfile", message),
            },
        }
    }
    commands
}

/// The text of a Dockerfile, or a flag that there is one.
fn dockerfile(fields: &mut Fields) -> String {
    match fields.take("dockerfile") {
        None | Some(Value::Null | Value::Bool(false)) => String::new(),
        Some(Value::Bool(true)) => "true".to_owned(),
        Some(value) => fields::text_value(value, false).unwrap_or_else(|message| {
            fields.fail("dockerfile", message);
            String::new()
        }),
    }
}

/// Body of `releases/rollback/`: the version as it came. The use case has the messages.
pub fn rollback_version(call: &Call) -> Result<Option<Value>, Failure> {
    let mut fields = call.fields()?;
    let version = if fields.is_void("version") { None } else { fields.take("version") };
    finish(fields, version)
}

/// Body of `keys/`.
pub fn key(call: &Call) -> Result<(String, String), Failure> {
    let mut fields = call.fields()?;
    let (id, public) = (fields.text("id"), fields.text("public"));
    fields.limit("id", &id, KEY_ID_MAX);
    fields.limit("public", &public, KEY_MAX);
    finish(fields, (id, public))
}

/// Body of `certs/`.
pub fn cert(call: &Call) -> Result<NewCert, Failure> {
    let mut fields = call.fields()?;
    let new = NewCert {
        name: fields.text("name"),
        certificate: fields.text("certificate"),
        key: SecretString::from(fields.secret("key")),
    };
    finish(fields, new)
}

/// The domain that `certs/<name>/domain/` is about: of the body, else of the path; empty when neither names one.
pub fn cert_domain(call: &Call) -> Result<String, Failure> {
    let mut fields = call.fields()?;
    let domain = if fields.is_void("domain") { call.param("domain").to_owned() } else { fields.text("domain") };
    finish(fields, domain)
}

/// Query of `logs/`. Nonsense asks for the usual.
#[must_use]
pub fn log_query(call: &Call) -> LogQuery {
    let usual = LogQuery::default();
    let lines = call.query("log_lines").and_then(|text| text.trim().parse::<usize>().ok());
    LogQuery {
        lines: lines.map_or(usual.lines, |lines| lines.min(LOG_LINES_MAX)),
        process_type: call.query("process_type").filter(|text| !text.is_empty()).map(str::to_owned),
    }
}

/// Whether `logs/` goes on with new lines.
#[must_use]
pub fn is_following(call: &Call) -> bool {
    call.method == http::Method::GET && call.query("follow").is_some_and(|text| matches!(text, "true" | "True" | "1"))
}

/// `since` of `logs/`: lines up to this time are known to the client.
pub fn since(call: &Call) -> Result<Option<DateTime<Utc>>, Failure> {
    let Some(text) = call.query("since") else { return Ok(None) };
    // A plus sign that was not encoded arrives as a blank.
    match DateTime::parse_from_rfc3339(&text.replace(' ', "+")) {
        Ok(time) => Ok(Some(time.with_timezone(&Utc))),
        Err(_) => {
            Err(Failure::Body(slipway_core::Error::invalid("since", "Enter a time such as 2026-01-31T12:00:00Z.")))
        }
    }
}

/// Body of `builds/cancel/`: a commit, if one is named.
pub fn build_cancel(call: &Call) -> Result<Option<String>, Failure> {
    let mut fields = call.fields()?;
    let sha = fields.text_or_empty("sha");
    fields.limit("sha", &sha, SHA_MAX);
    finish(fields, Some(sha).filter(|sha| !sha.is_empty()))
}
