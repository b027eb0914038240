//! Deployments and their instances.

use serde_json::{Value, json};

use super::{paged, time_or_null, word};
use crate::openapi::operation::{Answers, Operation, new};
use crate::openapi::schema::{list, object, reference, request, text, text_or_null, time, uuid};

pub(super) fn find(operation: &str) -> Option<Operation> {
    use Answers::{Empty, Json, List};
    const TAG: &str = "deployments of teams";
    let found = match operation {
        "team_deployments_list" => new(TAG, "The team's deployments, newest first", List("TeamDeployment"))
            .query(&["skip", "take"])
            .also(&[400]),
        "team_deployment_create" => new(TAG, "Makes a deployment of a version for a node", Json(201, "TeamDeployment"))
            .body("NewTeamDeployment")
            .also(&[404, 409, 412]),
        "team_deployment_read" => new(TAG, "A deployment with its instances", Json(200, "TeamDeploymentDetails")),
        "team_deployment_update" => {
            new(TAG, "Changes a deployment", Empty(204)).body("TeamDeploymentChange").also(&[409, 412])
        }
        "team_deployment_delete" => new(TAG, "Removes a deployment; what runs stays", Empty(204)).also(&[412]),
        "team_deployment_start" => new(TAG, "Starts a deployment, or some of its instances", Empty(204))
            .optional_body("DeploymentStart")
            .also(&[409, 412]),
        "team_deployment_copy" => new(TAG, "Copies a deployment to another place", Json(201, "TeamDeployment"))
            .body("DeploymentCopy")
            .also(&[409, 412]),
        "team_deployment_log_read" => {
            new(TAG, "What a deployment told", Json(200, "DeploymentLog")).query(&["skip", "take", "try"]).also(&[400])
        }
        "team_deployment_token_create" => {
            new(TAG, "Makes the token that starts a deployment", Json(201, "GeneratedDeploymentToken"))
                .body("NewDeploymentToken")
                .also(&[409, 412])
        }
        "team_deployment_token_delete" => new(TAG, "Makes the token of a deployment worthless", Empty(204)),
        "team_instance_read" => new(TAG, "An image in a deployment", Json(200, "DeploymentInstance")),
        "team_instance_update" => new(TAG, "Changes what an instance has otherwise than its image", Empty(204))
            .body("InstanceChange")
            .also(&[412]),
        "team_instance_secrets_read" => {
            new(TAG, "Which secrets a container has, by name", Json(200, "InstanceSecrets")).also(&[412])
        }
        _ => return None,
    };
    Some(found)
}

/// What the older generation answers in place of this.
pub(super) fn older(newer: Answers) -> Answers {
    match newer {
        Answers::List("TeamDeployment") => Answers::List("OldDeployment"),
        Answers::Json(status, "TeamDeployment") => Answers::Json(status, "OldDeployment"),
        Answers::Json(status, "TeamDeploymentDetails") => Answers::Json(status, "OldDeploymentDetails"),
        Answers::Json(status, "DeploymentInstance") => Answers::Json(status, "OldDeploymentInstance"),
        Answers::Json(status, "DeploymentLog") => Answers::Json(status, "OldDeploymentLog"),
        answers => answers,
    }
}

/// A thing by its name, of one of these kinds.
fn basic(kinds: &[&str]) -> Value {
    object(&[("id", uuid()), ("name", text()), ("type", word(kinds))])
}

/// The members of a deployment, whose project is called so and has one of these kinds, and more.
fn deployment(project: &'static str, kinds: &[&str], more: &[(&'static str, Value)]) -> Value {
    let states = ["preparing", "in-progress", "successful", "failed", "obsolete"];
    let mut members = vec![
        ("id", uuid()),
        ("prefix", text()),
        ("status", word(&states)),
        ("note", text_or_null()),
        ("audit", reference("TeamStamp")),
        (project, basic(kinds)),
        ("version", basic(&["incremental", "rolling"])),
        ("node", basic(&["docker", "k8s"])),
    ];
    members.extend_from_slice(more);
    object(&members)
}

fn key_value() -> Value {
    object(&[("id", text()), ("key", text()), ("value", text())])
}

/// An event, in which the states of containers are called so.
fn event(kind: &str, member: &'static str) -> Value {
    let state = object(&[("instanceId", uuid()), ("state", word(&["running", "waiting", "exited", "removed"]))]);
    json!({
        "type": "object",
        "required": ["type", "createdAt"],
        "properties": {
            "type": word(&["log", "deployment-status", kind]),
            "createdAt": time(),
            "log": list(&text()),
            "deploymentStatus": word(&["in-progress", "successful", "failed"]),
            member: state,
        },
        "additionalProperties": false,
    })
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let (newer, older) = (["versionless", "versioned"], ["simple", "complex"]);
    let any = json!({"type": "object"});
    let instance = |image: &str| {
        object(&[
            ("id", uuid()),
            ("updatedAt", time()),
            ("image", reference(image)),
            ("config", json!({"type": ["object", "null"]})),
        ])
    };
    let mut old_instance = instance("OldVersionImage");
    old_instance["properties"]["state"] = word(&["running", "waiting", "exited"]);
    let token = vec![("id", uuid()), ("name", text()), ("createdAt", time()), ("expiresAt", time_or_null())];
    let mut generated = token.clone();
    generated.extend([("token", text()), ("curl", text())]);
    let details = |instance: &str| {
        [
            ("environment", list(&key_value())),
            ("publicKey", text_or_null()),
            ("instances", list(&reference(instance))),
            ("lastTry", json!({"type": "integer", "minimum": 0})),
            ("token", json!({"anyOf": [reference("DeploymentToken"), {"type": "null"}]})),
        ]
    };
    let variables =
        json!({"type": ["array", "null"], "items": request(&["key"], &[("key", text()), ("value", text())])});
    let place = [("nodeId", uuid()), ("prefix", text()), ("note", text_or_null())];
    let mut new_deployment = place.to_vec();
    new_deployment.push(("versionId", uuid()));
    let container = object(&[("prefix", text()), ("name", text())]);
    vec![
        ("TeamDeployment", deployment("project", &newer, &[])),
        ("OldDeployment", deployment("product", &older, &[])),
        ("TeamDeploymentDetails", deployment("project", &newer, &details("DeploymentInstance"))),
        ("OldDeploymentDetails", deployment("product", &older, &details("OldDeploymentInstance"))),
        ("DeploymentInstance", instance("VersionImage")),
        ("OldDeploymentInstance", old_instance),
        ("DeploymentToken", object(&token)),
        ("GeneratedDeploymentToken", object(&generated)),
        (
            "InstanceSecrets",
            object(&[
                ("container", container),
                ("publicKey", text_or_null()),
                ("keys", json!({"type": ["array", "null"], "items": text()})),
            ]),
        ),
        ("DeploymentLog", paged(&event("container-state", "containerState"))),
        ("OldDeploymentLog", paged(&event("container-status", "containerStatus"))),
        ("NewTeamDeployment", request(&["versionId", "nodeId", "prefix"], &new_deployment)),
        ("DeploymentCopy", request(&["nodeId", "prefix"], &place)),
        (
            "TeamDeploymentChange",
            request(&[], &[("prefix", text_or_null()), ("note", text_or_null()), ("environment", variables)]),
        ),
        ("DeploymentStart", request(&[], &[("instances", json!({"type": ["array", "null"], "items": uuid()}))])),
        (
            "NewDeploymentToken",
            request(
                &["name"],
                &[("name", text()), ("expirationInDays", json!({"type": ["integer", "null"], "minimum": 1}))],
            ),
        ),
        ("InstanceChange", request(&["config"], &[("config", any)])),
    ]
}
