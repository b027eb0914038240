//! The schemas of bodies and of variables. Tests hold every body that they get against them.

use serde_json::{Map, Value, json};

/// A reference to a schema by name.
#[must_use]
pub fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// A page of a list. Source: `drycc-v2.md` §1.5.
#[must_use]
pub fn page(name: &str) -> Value {
    object(&[
        ("count", json!({"type": "integer", "minimum": 0})),
        ("next", text_or_null()),
        ("previous", text_or_null()),
        ("results", list(&reference(name))),
    ])
}

/// A variable of a path. The patterns are narrower than what is taken, so that they fit every dialect.
#[must_use]
pub fn variable(name: &str) -> Value {
    let pattern = match name {
        "app" | "teamSlug" => "^[a-z0-9-]+$",
        "type" | "service" | "instance" | "route" => "^[A-Za-z0-9_.-]+$",
        "user" => "^[A-Za-z0-9_.@+-]+$",
        "version" => "^v[0-9]+$",
        "cert" | "domain" => "^[A-Za-z0-9_.*-]+$",
        "key" | "fingerprint" => "^[A-Za-z0-9_.:@-]+$",
        "templateId" => "^[A-Za-z0-9._-]+$",
        name if name.ends_with("Id") => return uuid(),
        _ => "^[A-Za-z0-9_-]+$",
    };
    json!({"type": "string", "minLength": 1, "pattern": pattern})
}

/// A value of a query.
#[must_use]
pub fn query(name: &str) -> Value {
    match name {
        "page" => json!({"type": "integer", "minimum": 1, "default": 1}),
        "limit" | "page_size" => json!({"type": "integer", "minimum": 1, "maximum": 10_000, "default": 100}),
        "offset" | "log_lines" | "skip" | "take" | "try" => json!({"type": "integer", "minimum": 0}),
        "since" | "from" | "to" => json!({"type": "string", "format": "date-time"}),
        "tail" => json!({"type": "integer", "minimum": 0, "maximum": 5000, "default": 100}),
        "follow" | "timestamps" => boolean(),
        "status" => json!({"enum": ["pending", "in_progress", "completed", "failed"]}),
        _ => text(),
    }
}

pub(super) fn text() -> Value {
    json!({"type": "string"})
}

pub(super) fn text_or_null() -> Value {
    json!({"type": ["string", "null"]})
}

pub(super) fn time() -> Value {
    json!({"type": "string", "format": "date-time"})
}

pub(super) fn uuid() -> Value {
    json!({"type": "string", "format": "uuid"})
}

pub(super) fn boolean() -> Value {
    json!({"type": "boolean"})
}

pub(super) fn integer() -> Value {
    json!({"type": "integer"})
}

pub(super) fn list(items: &Value) -> Value {
    json!({"type": "array", "items": items})
}

pub(super) fn map(values: &Value) -> Value {
    json!({"type": "object", "additionalProperties": values})
}

/// An answer: it has all of these fields and no others.
pub(super) fn object(fields: &[(&str, Value)]) -> Value {
    let required: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    let properties: Map<String, Value> =
        fields.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    json!({"type": "object", "required": required, "properties": properties, "additionalProperties": false})
}

/// A request: some fields must be there, others may be, unknown ones are ignored.
pub(super) fn request(required: &[&str], fields: &[(&str, Value)]) -> Value {
    let properties: Map<String, Value> =
        fields.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    let mut schema = json!({"type": "object", "properties": properties});
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

/// All named schemas.
#[must_use]
pub fn schemas() -> Value {
    let mut schemas = Map::new();
    for (name, schema) in refusals()
        .into_iter()
        .chain(requests())
        .chain(answers())
        .chain(routing())
        .chain(volumes())
        .chain(hooks())
        .chain(super::deis_v1::schemas())
        .chain(super::team::schemas())
        .chain(super::dployr_v1::schemas())
    {
        let other = schemas.insert(name.to_owned(), schema);
        debug_assert!(other.is_none(), "two schemas are called {name}");
    }
    Value::Object(schemas)
}

fn refusals() -> Vec<(&'static str, Value)> {
    let fields = map(&list(&text()));
    vec![
        ("Any", json!({"type": "object"})),
        ("Detail", object(&[("detail", text())])),
        ("BadRequest", json!({"anyOf": [reference("Detail"), fields]})),
        ("NotFound", json!({"anyOf": [reference("Detail"), text()]})),
    ]
}

fn requests() -> Vec<(&'static str, Value)> {
    let filled = json!({"type": "string", "minLength": 1});
    let count = json!({"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^[0-9]+$"}]});
    let text_or_null = json!({"type": ["string", "null"], "pattern": "\\S"});
    let count_or_null = json!({"anyOf": [count.clone(), {"type": "null"}]});
    let value_or_null = json!({"type": ["string", "number", "null"]});
    let changes = map(&value_or_null);
    let name = json!({"type": "string", "minLength": 1, "maxLength": 128});
    vec![
        (
            "Register",
            request(
                &["username", "password"],
                &[
                    ("username", json!({"type": "string", "minLength": 1, "pattern": "^[A-Za-z0-9_.@+-]+$"})),
                    ("password", filled.clone()),
                    ("email", json!({"type": "string", "format": "email"})),
                    ("first_name", text()),
                    ("last_name", text()),
                ],
            ),
        ),
        ("Login", request(&["username", "password"], &[("username", filled.clone()), ("password", filled.clone())])),
        ("UserName", request(&["username"], &[("username", filled.clone())])),
        ("OptionalUserName", request(&[], &[("username", text())])),
        (
            "PasswordChange",
            request(&["new_password"], &[("new_password", filled.clone()), ("password", text()), ("username", text())]),
        ),
        ("TokenScope", request(&[], &[("all", boolean()), ("username", text())])),
        ("NewKey", request(&["id", "public"], &[("id", name), ("public", filled.clone())])),
        ("NewApp", request(&[], &[("id", json!({"type": ["string", "null"]}))])),
        ("Transfer", request(&["owner"], &[("owner", filled.clone())])),
        (
            "Run",
            request(
                &["command"],
                &[("command", filled.clone()), ("detach", json!({"type": "boolean"})), ("volumes", map(&mount_path()))],
            ),
        ),
        ("Scale", map(&count)),
        (
            "ConfigChange",
            request(
                &[],
                &[
                    ("values", changes.clone()),
                    ("memory", changes.clone()),
                    ("cpu", changes.clone()),
                    ("tags", changes.clone()),
                    ("registry", changes),
                    ("healthcheck", map(&json!({"type": ["object", "null"]}))),
                    ("termination_grace_period", map(&count_or_null)),
                    ("lifecycle_post_start", map(&text_or_null)),
                    ("lifecycle_pre_stop", map(&text_or_null)),
                ],
            ),
        ),
        (
            "NewBuild",
            request(
                &["image"],
                &[
                    ("image", filled),
                    ("sha", json!({"type": "string", "maxLength": 40})),
                    ("procfile", map(&text())),
                    ("dockerfile", text()),
                    ("stack", text()),
                ],
            ),
        ),
        ("Rollback", request(&[], &[("version", json!({"type": ["integer", "string", "null"]}))])),
    ]
}

fn answers() -> Vec<(&'static str, Value)> {
    let texts = map(&text());
    let made = [("created", time()), ("updated", time())];
    let with = |fields: &[(&'static str, Value)]| object(&[fields, &made].concat());
    let owned = [("uuid", uuid()), ("app", text()), ("owner", text())];
    vec![
        (
            "User",
            object(&[
                ("id", integer()),
                ("last_login", json!({"type": ["string", "null"], "format": "date-time"})),
                ("is_superuser", boolean()),
                ("username", text()),
                ("first_name", text()),
                ("last_name", text()),
                ("email", text()),
                ("is_staff", boolean()),
                ("is_active", boolean()),
                ("date_joined", time()),
                ("groups", list(&text())),
                ("user_permissions", list(&text())),
            ]),
        ),
        ("Token", object(&[("token", json!({"type": "string", "pattern": "^[0-9a-f]{40}$"}))])),
        ("TokenOrNothing", json!({"anyOf": [reference("Token"), {"type": "string", "maxLength": 0}]})),
        ("PasswordChanged", object(&[("status", text())])),
        ("Platform", object(&[("ssh", text_or_null()), ("domain", text()), ("router", text_or_null())])),
        ("Admin", object(&[("username", text()), ("is_superuser", boolean())])),
        (
            "Key",
            with(&[
                ("uuid", uuid()),
                ("id", text()),
                ("owner", text()),
                ("public", text()),
                ("fingerprint", json!({"type": "string", "pattern": "^([0-9a-f]{2}:){15}[0-9a-f]{2}$"})),
            ]),
        ),
        (
            "App",
            with(&[
                ("uuid", uuid()),
                ("id", text()),
                ("owner", text()),
                ("structure", map(&json!({"type": "integer", "minimum": 0}))),
                ("url", text()),
            ]),
        ),
        ("RunResult", object(&[("exit_code", integer()), ("output", text())])),
        (
            "Pod",
            object(&[
                ("name", text()),
                ("release", json!({"type": "string", "pattern": "^v[0-9]+$"})),
                ("started", time()),
                ("state", text()),
                ("type", text()),
            ]),
        ),
        ("Pods", object(&[("results", list(&reference("Pod"))), ("count", integer())])),
        ("Domain", with(&[("owner", text()), ("app", text()), ("domain", text())])),
        ("Perms", object(&[("users", list(&text()))])),
        (
            "Config",
            with(
                &[
                    &owned[..],
                    &[
                        ("values", texts.clone()),
                        ("memory", texts.clone()),
                        ("cpu", texts.clone()),
                        ("tags", texts.clone()),
                        ("registry", texts.clone()),
                        ("healthcheck", json!({"type": "object"})),
                        ("termination_grace_period", texts.clone()),
                        ("lifecycle_post_start", texts.clone()),
                        ("lifecycle_pre_stop", texts.clone()),
                    ],
                ]
                .concat(),
            ),
        ),
        (
            "Build",
            with(
                &[
                    &owned[..],
                    &[
                        ("image", text()),
                        ("sha", text()),
                        ("procfile", texts),
                        ("dockerfile", text()),
                        ("stack", text()),
                    ],
                ]
                .concat(),
            ),
        ),
        ("BuildLog", object(&[&owned[..], &[("sha", text()), ("state", build_state()), ("created", time())]].concat())),
        (
            "Release",
            with(
                &[
                    &owned[..],
                    &[
                        ("version", json!({"type": "integer", "minimum": 1})),
                        ("summary", text()),
                        ("failed", boolean()),
                        ("config", uuid()),
                        ("build", json!({"type": ["string", "null"], "format": "uuid"})),
                        ("exception", text_or_null()),
                        ("state", release_state()),
                    ],
                ]
                .concat(),
            ),
        ),
        ("ReleaseVersion", object(&[("version", json!({"type": "integer", "minimum": 1}))])),
    ]
}

fn routing() -> Vec<(&'static str, Value)> {
    let owned = [("owner", text()), ("created", time()), ("updated", time())];
    let of_app = [("uuid", uuid()), ("app", text())];
    let count = json!({"type": "integer", "minimum": 0});
    let autoscale = object(&[("min", count.clone()), ("max", count.clone()), ("cpu_percent", count)]);
    let flag = json!({"type": ["boolean", "null"]});
    let tls = [("https_enforced", flag.clone()), ("certs_auto_enabled", flag.clone())];
    let service = [("procfile_type", text()), ("path_pattern", text())];
    let filled = json!({"type": "string", "minLength": 1});
    let cert = [
        ("id", integer()),
        ("name", text()),
        ("common_name", text_or_null()),
        ("san", list(&text())),
        ("domains", list(&text())),
        ("fingerprint", json!({"type": "string", "pattern": "^([0-9A-F]{2}:){31}[0-9A-F]{2}$"})),
        ("starts", time()),
        ("expires", time()),
        ("issuer", text()),
        ("subject", text()),
    ];
    let settings = [
        ("maintenance", boolean()),
        ("routable", boolean()),
        ("whitelist", list(&text())),
        ("allowlist", list(&text())),
        ("autoscale", map(&autoscale)),
        ("label", map(&text())),
    ];
    vec![
        ("NewDomain", request(&["domain"], &[("domain", filled.clone())])),
        ("Commit", request(&[], &[("sha", json!({"type": "string", "maxLength": 40}))])),
        ("OptionalDomain", request(&[], &[("domain", text())])),
        (
            "NewCert",
            request(
                &["name", "certificate", "key"],
                &[("name", filled.clone()), ("certificate", filled.clone()), ("key", filled)],
            ),
        ),
        (
            "SettingsChange",
            request(
                &[],
                &[
                    ("maintenance", flag.clone()),
                    ("routable", flag),
                    ("whitelist", list(&text())),
                    ("allowlist", list(&text())),
                    ("autoscale", map(&json!({"type": ["object", "null"]}))),
                    ("label", map(&json!({"type": ["string", "number", "null"]}))),
                ],
            ),
        ),
        ("TlsChange", request(&[], &tls)),
        ("NewAddresses", request(&["addresses"], &[("addresses", list(&text()))])),
        ("Cert", object(&[&owned[..], &cert].concat())),
        ("Settings", object(&[&owned[..], &of_app, &settings].concat())),
        ("Tls", object(&[&owned[..], &of_app, &tls].concat())),
        ("Addresses", object(&[("addresses", list(&text()))])),
        ("Types", request(&["types"], &[("types", list(&text()))])),
        ("Service", request(&["procfile_type", "path_pattern"], &service)),
        ("ServiceType", request(&["procfile_type"], &service[..1])),
        ("Services", object(&[("services", list(&object(&service)))])),
    ]
}

fn mount_path() -> Value {
    json!({"type": "string", "pattern": "^/[A-Za-z0-9_.+-]+(/[A-Za-z0-9_.+-]+)*$", "maxLength": 255})
}

fn volumes() -> Vec<(&'static str, Value)> {
    let name = json!({"type": "string", "pattern": "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", "maxLength": 63});
    let size = json!({"type": "string", "pattern": "^[1-9][0-9]*[MG]$"});
    let path_or_null = json!({"anyOf": [mount_path(), {"type": "null"}]});
    let own = [("name", name), ("size", size.clone()), ("path", map(&mount_path()))];
    let answer = [
        &[("uuid", uuid()), ("owner", text()), ("app", text())][..],
        &own,
        &[("created", time()), ("updated", time())],
    ];
    vec![
        ("Volume", object(&answer.concat())),
        ("NewVolume", request(&["name", "size"], &own)),
        ("VolumeSize", request(&["size"], &[("size", size)])),
        ("VolumePath", request(&["path"], &[("path", map(&path_or_null))])),
    ]
}

/// How far a build from source is.
fn build_state() -> Value {
    json!({"enum": ["running", "canceling", "succeeded", "failed", "canceled"]})
}

fn release_state() -> Value {
    json!({"enum": ["created", "deploying", "succeeded", "failed", "superseded", "canceled"]})
}

fn hooks() -> Vec<(&'static str, Value)> {
    let filled = json!({"type": "string", "minLength": 1});
    let receive = [("receive_user", filled.clone()), ("receive_repo", filled.clone())];
    let sha = json!({"type": "string", "minLength": 1, "maxLength": 40});
    let key = object(&[("key", text()), ("fingerprint", text())]);
    vec![
        ("Receive", request(&["receive_user", "receive_repo"], &receive)),
        (
            "HookBuild",
            request(
                &["receive_user", "receive_repo", "image"],
                &[
                    &receive[..],
                    &[
                        ("image", filled),
                        ("sha", json!({"type": "string", "maxLength": 40})),
                        ("procfile", map(&text())),
                        ("dockerfile", text()),
                        ("stack", text()),
                        ("wait", boolean()),
                    ],
                ]
                .concat(),
            ),
        ),
        (
            "HookBuildLog",
            request(
                &["receive_user", "receive_repo", "sha", "state"],
                &[
                    &receive[..],
                    &[
                        ("sha", sha.clone()),
                        ("state", json!({"enum": ["succeeded", "failed", "canceled"]})),
                        ("log", text()),
                        ("build", text()),
                    ],
                ]
                .concat(),
            ),
        ),
        (
            "HookBuildBegin",
            request(&["receive_user", "receive_repo", "sha"], &[&receive[..], &[("sha", sha)]].concat()),
        ),
        ("HookBuildBegun", object(&[("uuid", uuid())])),
        ("HookBuildWatched", object(&[("state", build_state()), ("log", text())])),
        ("HookKeyUser", object(&[("username", text()), ("apps", list(&text()))])),
        ("HookKeys", map(&list(&key))),
        ("AppRef", object(&[("uuid", uuid()), ("id", text())])),
        ("AppRefs", object(&[("apps", list(&reference("AppRef")))])),
        ("HookBuilt", object(&[("release", reference("ReleaseVersion"))])),
        (
            "ReleaseProgress",
            object(&[
                ("state", release_state()),
                ("progress", list(&text())),
                ("seen", text()),
                ("reason", text()),
                ("urls", list(&text())),
            ]),
        ),
    ]
}
