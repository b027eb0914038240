//! Images of versions, and how containers are set up.

use serde_json::{Value, json};

use super::word;
use crate::openapi::schema::{boolean, integer, list, object, reference, request, text, text_or_null, time, uuid};

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let routing = open(&[("domain", text()), ("path", text()), ("stripPath", boolean()), ("uploadLimit", text())]);
    let ingress = open(&[("name", text()), ("host", text()), ("uploadLimit", text())]);
    vec![
        ("ContainerConfig", config("routing", &routing, true)),
        ("OldContainerConfig", config("ingress", &ingress, true)),
        (
            "RegistryReference",
            object(&[
                ("id", uuid()),
                ("name", text()),
                ("type", word(&["v2", "hub", "gitlab", "github", "google", "unchecked"])),
            ]),
        ),
        ("VersionImage", image("ContainerConfig")),
        ("OldVersionImage", image("OldContainerConfig")),
        ("VersionImages", list(&reference("VersionImage"))),
        ("OldVersionImages", list(&reference("OldVersionImage"))),
        ("NewImages", list(&request(&["registryId", "images"], &[("registryId", uuid()), ("images", list(&text()))]))),
        ("ImageOrder", list(&uuid())),
        (
            "ImageChange",
            request(&[], &[("tag", text_or_null()), ("config", nullable(&config("routing", &routing, false)))]),
        ),
    ]
}

/// An image whose configuration has this schema.
fn image(config: &str) -> Value {
    object(&[
        ("id", uuid()),
        ("name", text()),
        ("tag", text_or_null()),
        ("order", json!({"type": "integer", "minimum": 0})),
        ("config", reference(config)),
        ("createdAt", time()),
        ("registry", reference("RegistryReference")),
    ])
}

/// This, or nothing.
fn nullable(schema: &Value) -> Value {
    json!({"anyOf": [schema, {"type": "null"}]})
}

/// An object whose members may be missing or nothing.
fn open(members: &[(&str, Value)]) -> Value {
    let members: Vec<(&str, Value)> = members.iter().map(|(name, schema)| (*name, nullable(schema))).collect();
    request(&[], &members)
}

/// A list of items, each with the identity that the client gave it.
fn items(members: &[(&str, Value)]) -> Value {
    let mut all = vec![("id", text())];
    all.extend_from_slice(members);
    list(&request(&[], &all))
}

fn pairs() -> Value {
    items(&[("key", text()), ("value", text())])
}

fn keys() -> Value {
    items(&[("key", text())])
}

/// How a container is set up. In an answer every member is there; in a request those that are not stay as they are.
/// Source: `team-api.md` §4.4.
fn config(route: &'static str, routing: &Value, is_answer: bool) -> Value {
    let port = || json!({"type": "integer", "minimum": 0, "maximum": 65535});
    let span = || request(&["from", "to"], &[("from", port()), ("to", port())]);
    let amount = || open(&[("cpu", text()), ("memory", text())]);
    let markers = || open(&[("service", pairs()), ("deployment", pairs()), ("ingress", pairs())]);
    let volumes = |more: &[(&'static str, Value)]| {
        let mut members = vec![("name", text()), ("path", text())];
        members.extend_from_slice(more);
        items(&members)
    };
    let kinds = json!({"enum": ["ro", "rwo", "rwx", "mem", "tmp", null]});
    let drivers = [
        "nodeDefault",
        "none",
        "gcplogs",
        "local",
        "json-file",
        "syslog",
        "journald",
        "gelf",
        "fluentd",
        "awslogs",
        "splunk",
        "etwlogs",
        "logentries",
    ];
    let always = [
        ("name", text()),
        ("expose", word(&["none", "expose", "exposeWithTls"])),
        ("user", json!({"type": "integer", "minimum": -1, "maximum": i32::MAX})),
        ("tty", boolean()),
        ("restartPolicy", word(&["always", "unlessStopped", "no", "onFailure"])),
        ("networkMode", word(&["none", "host", "bridge"])),
        ("deploymentStrategy", word(&["recreate", "rolling"])),
        ("proxyHeaders", boolean()),
        ("useLoadBalancer", boolean()),
    ];
    let maybe = [
        ("environment", pairs()),
        ("secrets", items(&[("key", text()), ("required", boolean())])),
        (route, routing.clone()),
        (
            "configContainer",
            request(
                &["image", "volume", "path"],
                &[("image", text()), ("volume", text()), ("path", text()), ("keepFiles", boolean())],
            ),
        ),
        ("ports", items(&[("internal", port()), ("external", nullable(&port()))])),
        ("portRanges", items(&[("internal", span()), ("external", span())])),
        ("volumes", volumes(&[("size", text_or_null()), ("type", kinds), ("class", text_or_null())])),
        ("commands", keys()),
        ("args", keys()),
        (
            "initContainers",
            items(&[
                ("name", text()),
                ("image", text()),
                ("command", nullable(&keys())),
                ("args", nullable(&keys())),
                ("environment", nullable(&pairs())),
                ("useParentConfig", boolean()),
                ("volumes", nullable(&volumes(&[]))),
            ]),
        ),
        ("capabilities", pairs()),
        ("storage", open(&[("storageId", text()), ("path", text()), ("bucket", text())])),
        ("logConfig", request(&["driver"], &[("driver", word(&drivers)), ("options", pairs())])),
        ("networks", keys()),
        ("dockerLabels", pairs()),
        ("customHeaders", keys()),
        ("extraLBAnnotations", pairs()),
        (
            "healthCheckConfig",
            open(&[
                ("port", integer()),
                ("livenessProbe", text()),
                ("readinessProbe", text()),
                ("startupProbe", text()),
            ]),
        ),
        ("resourceConfig", open(&[("limits", amount()), ("requests", amount())])),
        ("annotations", markers()),
        ("labels", markers()),
    ];
    let maybe = maybe.iter().map(|(name, schema)| (*name, nullable(schema)));
    let members: Vec<(&str, Value)> = if is_answer {
        always.into_iter().chain(maybe).collect()
    } else {
        always.iter().map(|(name, schema)| (*name, nullable(schema))).chain(maybe).collect()
    };
    if is_answer { object(&members) } else { request(&[], &members) }
}
