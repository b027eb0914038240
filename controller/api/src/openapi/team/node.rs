//! The operations and bodies of nodes and their containers.

use serde_json::{Value, json};

use super::super::operation::{Answers, Operation, new};
use super::super::schema::{boolean, list, object, reference, request, text, text_or_null, time, uuid};

pub(super) fn find(operation: &str) -> Option<Operation> {
    use Answers::{Empty, Json, List, Text};
    let nodes = |summary, answers| new("nodes", summary, answers);
    let found = match operation {
        "team_nodes_list" => nodes("The team's nodes, the platform's own among them", List("Node")),
        "team_node_create" => nodes("Adds a node, which then joins", Json(201, "Node")).body("NewNode").also(&[409]),
        "team_node_read" => nodes("One node", Json(200, "NodeDetails")),
        "team_node_update" => nodes("Renames a node", Empty(204)).body("NewNode").also(&[409]),
        "team_node_delete" => nodes("Removes a node that no deployment is on", Empty(204)).also(&[412]),
        "team_node_script_create" => {
            nodes("Makes a script by which a node joins, good for ten minutes", Json(201, "NodeInstall"))
                .body("NewNodeScript")
                .also(&[409, 412])
        }
        "team_node_script_read" => nodes("The script", Text("text/plain")).also(&[400, 401]),
        "team_node_script_delete" => nodes("Makes the script worthless", Empty(204)),
        "team_node_script_join" => {
            nodes("For the script: tells how the node is reached", Empty(204)).body("NodeJoin").also(&[401])
        }
        "team_node_kubeconfig_set" => {
            nodes("Has a cluster join by its kubeconfig", Empty(204)).body("NodeKubeconfig").also(&[412])
        }
        "team_node_docker_set" => {
            nodes("Has a container engine join by its address", Empty(204)).body("NodeEngine").also(&[412])
        }
        "team_node_token_delete" => nodes("Forgets how a node is reached", Empty(204)).also(&[412]),
        "team_node_agent_update" => nodes("Asks a node anew what it is", Empty(204)).also(&[412]),
        "team_node_audit_read" => nodes("What happened at a node, newest first", Json(200, "NodeAudit"))
            .query(&["skip", "take", "from", "to", "filterEventType"])
            .also(&[400]),
        "team_containers_list" => {
            nodes("The containers at a node", List("NodeContainer")).query(&["prefix"]).also(&[412, 503])
        }
        "team_container_start" | "team_prefix_container_start" => {
            nodes("Starts a container", Empty(204)).also(&[412, 503])
        }
        "team_container_stop" | "team_prefix_container_stop" => {
            nodes("Stops a container", Empty(204)).also(&[412, 503])
        }
        "team_container_restart" | "team_prefix_container_restart" => {
            nodes("Restarts a container", Empty(204)).also(&[412, 503])
        }
        "team_container_delete" | "team_prefix_container_delete" => {
            nodes("Removes a container; its volumes stay", Empty(204)).also(&[412, 503])
        }
        "team_container_log_read" | "team_prefix_container_log_read" => {
            nodes("The last lines that a container wrote, oldest first", Json(200, "ContainerLog"))
                .query(&["take", "since", "timestamps"])
                .also(&[400, 412, 503])
        }
        "team_prefix_containers_delete" => {
            nodes("Removes everything with a prefix, volumes too", Empty(204)).also(&[412, 503])
        }
        _ => return None,
    };
    Some(found)
}

fn or_null(schema: &Value) -> Value {
    json!({"anyOf": [schema, {"type": "null"}]})
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let kind = || json!({"type": "string", "enum": ["docker", "k8s"]});
    let node = || {
        vec![
            ("id", uuid()),
            ("name", text()),
            ("type", kind()),
            ("status", json!({"type": "string", "enum": ["unreachable", "connected", "outdated"]})),
            ("description", text_or_null()),
            ("icon", text_or_null()),
            ("address", text_or_null()),
            ("connectedAt", or_null(&time())),
            ("version", text_or_null()),
            ("updating", boolean()),
        ]
    };
    let mut details = node();
    details.extend([
        ("hasToken", boolean()),
        ("install", or_null(&reference("NodeInstall"))),
        ("inUse", boolean()),
        ("publicKey", text_or_null()),
    ]);
    let mut details = object(&details);
    without_required(&mut details, &["inUse"]);
    let port = json!({"type": "integer", "minimum": 0, "maximum": 65535});
    let mut container = object(&[
        ("id", object(&[("prefix", text()), ("name", text())])),
        ("command", text()),
        ("createdAt", time()),
        ("state", json!({"type": "string", "enum": ["running", "waiting", "exited"]})),
        ("reason", text()),
        ("status", text()),
        ("imageName", text()),
        ("imageTag", text()),
        ("ports", list(&object(&[("internal", port.clone()), ("external", or_null(&port))]))),
    ]);
    // The one is of the newer generation, the other of the older.
    without_required(&mut container, &["reason", "status"]);
    let kinds = ["connected", "left", "kicked", "update", "containerCommand"];
    let event =
        object(&[("createdAt", time()), ("event", json!({"type": "string", "enum": kinds})), ("data", json!({}))]);
    let tls = request(
        &["certificateAuthority", "certificate", "clientKey"],
        &[("certificateAuthority", text()), ("certificate", text()), ("clientKey", text())],
    );
    vec![
        ("Node", object(&node())),
        ("NodeDetails", details),
        ("NodeInstall", object(&[("command", text()), ("script", text()), ("expireAt", time())])),
        ("NewNode", request(&["name"], &[("name", text()), ("description", text_or_null()), ("icon", text_or_null())])),
        (
            "NewNodeScript",
            request(
                &["type", "scriptType"],
                &[
                    ("type", kind()),
                    ("scriptType", json!({"type": "string", "enum": ["shell", "powershell"]})),
                    ("rootPath", text_or_null()),
                    ("dagentTraefik", or_null(&request(&["acmeEmail"], &[("acmeEmail", text())]))),
                ],
            ),
        ),
        (
            "NodeJoin",
            request(
                &["secret", "certificateAuthority"],
                &[
                    ("secret", text()),
                    ("server", text_or_null()),
                    ("token", text_or_null()),
                    ("address", text_or_null()),
                    ("certificateAuthority", text()),
                    ("certificate", text_or_null()),
                    ("clientKey", text_or_null()),
                ],
            ),
        ),
        ("NodeKubeconfig", request(&["kubeconfig"], &[("kubeconfig", text())])),
        ("NodeEngine", request(&["address"], &[("address", text()), ("tls", or_null(&tls))])),
        ("NodeAudit", super::paged(&event)),
        ("NodeContainer", container),
        ("ContainerLog", list(&text())),
    ]
}

/// Takes members out of those that are always there.
fn without_required(schema: &mut Value, members: &[&str]) {
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|member| !member.as_str().is_some_and(|member| members.contains(&member)));
    }
}
