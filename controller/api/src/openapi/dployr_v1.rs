//! The operations and bodies of the dployr API.

use serde_json::{Value, json};

use super::operation::{Answers, Operation, new};
use super::schema::{boolean, integer, list, map, object, reference, request, text, text_or_null, time};

const TAG: &str = "dployr v1";
/// Values of the query that cut a list.
const PAGE: &[&str] = &["limit", "offset"];

/// The description of an operation.
pub(super) fn find(operation: &str) -> Option<Operation> {
    use Answers::{Empty, Json};
    let found = match operation {
        "dployr_v1_login_refresh" => {
            new(TAG, "Spends a refresh token for another pair", Json(200, "TokenPair")).body("Refresh").also(&[401])
        }
        "dployr_v1_login_end" => new(TAG, "Ends the log-in that the token is of", Empty(204)),
        "dployr_v1_deployments_list" => new(TAG, "The caller's deployments", Json(200, "Deployments"))
            .query(&["limit", "offset", "status", "service_id", "project_id"])
            .also(&[400]),
        "dployr_v1_deployment_create" => {
            new(TAG, "Deploys a repository or an image", Json(201, "Deployment")).body("NewDeployment").also(&[409])
        }
        "dployr_v1_deployment_read" => new(TAG, "One deployment", Json(200, "Deployment")),
        "dployr_v1_deployment_update" => {
            new(TAG, "Changes what is deployed; what is not named stays", Json(200, "Deployment"))
                .body("DeploymentChange")
                .also(&[409])
        }
        "dployr_v1_deployment_delete" => {
            new(TAG, "Removes a deployment and all that it runs", Empty(204)).also(&[403, 409])
        }
        "dployr_v1_services_list" => new(TAG, "The caller's services", Json(200, "DployrServices")).query(PAGE),
        "dployr_v1_service_read" => new(TAG, "One service", Json(200, "DployrService")),
        "dployr_v1_service_status" => new(TAG, "How a service is", Json(200, "ServiceStatus")),
        "dployr_v1_service_start" => {
            new(TAG, "Starts a service with as many processes as it had", Json(200, "ServiceAction"))
        }
        "dployr_v1_service_stop" => {
            new(TAG, "Stops a service; its number of processes is remembered", Json(200, "ServiceAction"))
        }
        "dployr_v1_service_restart" => new(TAG, "Replaces a service's processes", Json(200, "ServiceAction")),
        "dployr_v1_service_logs" => new(
            TAG,
            "A service's log; with `follow` one entry a line, as long as somebody reads",
            Json(200, "LogEntries"),
        )
        .query(&["tail", "follow", "since", "until", "source"])
        .also(&[400]),
        "dployr_v1_env_list" => new(TAG, "A service's environment", Json(200, "Environment")),
        "dployr_v1_env_set" => new(TAG, "Sets a variable", Json(200, "VariableSet")).body("NewVariable").also(&[201]),
        "dployr_v1_env_unset" => new(TAG, "Unsets a variable", Empty(204)),
        "dployr_v1_instances_list" => new(TAG, "The caller's processes", Json(200, "Instances"))
            .query(&["limit", "offset", "kind", "role", "service_id"])
            .also(&[400, 403]),
        "dployr_v1_instance_read" => new(TAG, "One process", Json(200, "Instance")),
        "dployr_v1_instance_metrics" => {
            new(TAG, "What a process or a machine uses; what nobody measures is null", Json(200, "InstanceMetrics"))
        }
        "dployr_v1_routes_list" => new(TAG, "The domains of the caller's services", Json(200, "Routes")).query(&[
            "limit",
            "offset",
            "service_id",
        ]),
        "dployr_v1_route_create" => {
            new(TAG, "Lets a service answer at a domain", Json(201, "Route")).body("NewRoute").also(&[200, 404, 409])
        }
        "dployr_v1_route_delete" => new(TAG, "Takes a domain from a service", Empty(204)).also(&[403, 409]),
        "dployr_v1_projects_list" => new(TAG, "The caller's projects", Json(200, "Projects")).query(PAGE),
        "dployr_v1_project_create" => new(TAG, "Makes a project", Json(201, "Project")).body("NewProject").also(&[409]),
        "dployr_v1_project_read" => new(TAG, "One project", Json(200, "Project")),
        "dployr_v1_project_delete" => new(TAG, "Removes a project; its deployments stay", Empty(204)),
        "dployr_v1_webhooks_list" => new(TAG, "The caller's webhooks", Json(200, "Webhooks")).query(PAGE),
        "dployr_v1_webhook_create" => new(TAG, "Makes a webhook", Json(201, "Webhook")).body("NewWebhook").also(&[409]),
        "dployr_v1_webhook_read" => new(TAG, "One webhook", Json(200, "Webhook")),
        "dployr_v1_webhook_delete" => new(TAG, "Removes a webhook", Empty(204)),
        "dployr_v1_webhook_test" => new(TAG, "Tells a webhook something to see it arrive", Json(202, "Delivery")),
        "dployr_v1_deliveries_list" => {
            new(TAG, "What a webhook was told and is to be told", Json(200, "Deliveries")).query(PAGE)
        }
        "dployr_v1_delivery_replay" => new(TAG, "Tells a webhook something once more", Json(202, "Delivery")),
        _ => return None,
    };
    Some(found)
}

/// What an instance uses. Source: `dployr-v1.md` §6.1.
fn metrics() -> Value {
    let number = || json!({"type": ["number", "null"]});
    let whole = || json!({"type": ["integer", "null"], "minimum": 0});
    let load = object(&["one_minute", "five_minute", "fifteen_minute"].map(|name| (name, json!({"type": "number"}))));
    let bytes = |names: &[&'static str]| object(&names.iter().map(|name| (*name, whole())).collect::<Vec<_>>());
    object(&[
        ("instance_id", text()),
        ("timestamp", time()),
        ("uptime_seconds", integer()),
        ("source", json!({"enum": ["process", "cgroup", "metrics-server"]})),
        (
            "cpu",
            object(&[
                ("count", whole()),
                ("user_percent", number()),
                ("system_percent", number()),
                ("idle_percent", number()),
                ("iowait_percent", number()),
                ("load_average", json!({"anyOf": [load, {"type": "null"}]})),
                ("usage_millicores", whole()),
                ("limit_millicores", whole()),
            ]),
        ),
        (
            "memory",
            bytes(&["total_bytes", "used_bytes", "free_bytes", "available_bytes", "buffer_cache_bytes", "limit_bytes"]),
        ),
        ("swap", bytes(&["total_bytes", "used_bytes", "free_bytes", "available_bytes"])),
        (
            "disks",
            list(&object(&[
                ("filesystem", text()),
                ("mount_point", text_or_null()),
                ("total_bytes", integer()),
                ("used_bytes", integer()),
                ("available_bytes", integer()),
            ])),
        ),
        ("processes", object(&[("summary", bytes(&["total", "running", "sleeping", "stopped", "zombie"]))])),
        ("network", bytes(&["rx_bytes", "tx_bytes"])),
    ])
}

fn part(name: &str, items: &str) -> Value {
    let count = || json!({"type": "integer", "minimum": 0});
    object(&[(name, list(&reference(items))), ("total", count()), ("limit", count()), ("offset", count())])
}

/// The fields of a request for a deployment.
fn deployment_fields() -> Vec<(&'static str, Value)> {
    let nullable = text_or_null;
    let values = map(&json!({"type": ["string", "number", "boolean", "null"]}));
    let or_object = |value: Value| json!({"anyOf": [value, {"type": "object"}]});
    let mut fields: Vec<(&str, Value)> = [
        "description",
        "branch",
        "commit_hash",
        "build_cmd",
        "run_cmd",
        "working_dir",
        "static_dir",
        "image",
        "domain",
        "health_check",
        "project_id",
    ]
    .into_iter()
    .map(|name| (name, nullable()))
    .collect();
    fields.extend([
        ("source", json!({"enum": ["remote", "image"]})),
        ("type", json!({"enum": ["web", "worker", "static", "job", null]})),
        ("runtime", or_object(nullable())),
        ("version", json!({"type": ["string", "number", "null"]})),
        ("remote", or_object(nullable())),
        ("port", json!({"type": ["integer", "null"], "minimum": 1, "maximum": 65535})),
        ("env", values.clone()),
        ("secrets", values),
        ("force_rebuild", boolean()),
    ]);
    fields
}

/// The schemas of the bodies.
pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let texts = || map(&text());
    let count = || json!({"type": "integer", "minimum": 0});
    let maybe = |kind: &str| json!({"type": [kind, "null"]});
    let maybe_time = || json!({"type": ["string", "null"], "format": "date-time"});
    let secret = || list(&object(&[("key", text())]));
    let status = || json!({"enum": ["pending", "in_progress", "completed", "failed"]});
    let service_state = || json!({"enum": ["starting", "running", "stopped", "failed", "unknown"]});
    let health = || json!({"enum": ["healthy", "degraded"]});
    let made = || [("created_at", time()), ("updated_at", time())];
    let or_null = |schema: Value| json!({"anyOf": [schema, {"type": "null"}]});
    let runtime = or_null(object(&[("type", text()), ("version", text_or_null())]));
    let remote = or_null(object(&[
        ("url", text()),
        ("branch", text_or_null()),
        ("commit_hash", text_or_null()),
        ("deploy_key", text_or_null()),
    ]));
    let mut deployment = object(
        &[
            &[
                ("id", text()),
                ("name", text()),
                ("description", text_or_null()),
                ("user_id", text()),
                ("project_id", text_or_null()),
                ("type", text()),
                ("source", text()),
                ("runtime", runtime),
                ("remote", remote),
                ("build_cmd", text_or_null()),
                ("run_cmd", text_or_null()),
                ("port", integer()),
                ("working_dir", text_or_null()),
                ("static_dir", text_or_null()),
                ("image", text_or_null()),
                ("domain", text_or_null()),
                ("health_check", text_or_null()),
                ("env_vars", texts()),
                ("secrets", secret()),
                ("status", status()),
                ("error", text_or_null()),
                ("service_id", text_or_null()),
                ("app", text()),
                ("build_id", text_or_null()),
                ("release", maybe("integer")),
                ("finished_at", maybe_time()),
            ][..],
            &made(),
        ]
        .concat(),
    );
    deployment["properties"]["success"] = boolean();
    let mut new_deployment = deployment_fields();
    new_deployment.push(("name", json!({"type": "string", "minLength": 1})));
    let delivery_state = || json!({"enum": ["pending", "delivered", "failed"]});
    let attempt =
        object(&[("number", count()), ("at", time()), ("status", maybe("integer")), ("error", text_or_null())]);
    let last = or_null(object(&[("status", delivery_state()), ("at", time()), ("attempts", count())]));
    let filled = || json!({"type": "string", "minLength": 1});
    let level = json!({"enum": ["debug", "info", "warn", "error"]});
    vec![
        (
            "TokenPair",
            object(&[
                ("access_token", text()),
                ("refresh_token", text()),
                ("token_type", text()),
                ("expires_in", integer()),
            ]),
        ),
        ("LoginAnswer", json!({"anyOf": [reference("Token"), reference("TokenPair")]})),
        ("Refresh", request(&["refresh_token"], &[("refresh_token", filled())])),
        ("Deployment", deployment),
        ("Deployments", part("deployments", "Deployment")),
        ("NewDeployment", request(&["name", "source"], &new_deployment)),
        ("DeploymentChange", request(&[], &deployment_fields())),
        (
            "DployrService",
            object(
                &[
                    &[
                        ("id", text()),
                        ("name", text()),
                        ("description", text_or_null()),
                        ("type", text()),
                        ("source", text()),
                        ("runtime", text_or_null()),
                        ("runtime_version", text_or_null()),
                        ("run_cmd", text_or_null()),
                        ("build_cmd", text_or_null()),
                        ("port", integer()),
                        ("working_dir", text_or_null()),
                        ("static_dir", text_or_null()),
                        ("image", text_or_null()),
                        ("env_vars", texts()),
                        ("secrets", secret()),
                        ("remote", text_or_null()),
                        ("branch", text_or_null()),
                        ("commit_hash", text_or_null()),
                        ("deployment_id", text()),
                        ("status", service_state()),
                        ("health", health()),
                        ("health_check", text_or_null()),
                        ("replicas", count()),
                    ][..],
                    &made(),
                ]
                .concat(),
            ),
        ),
        ("DployrServices", part("services", "DployrService")),
        (
            "ServiceStatus",
            object(&[
                ("id", text()),
                ("name", text()),
                ("status", service_state()),
                ("health", health()),
                ("replicas", object(&[("desired", count()), ("ready", count())])),
                ("uptime_seconds", maybe("integer")),
                ("restarts", count()),
                ("exit_code", maybe("integer")),
                ("url", text_or_null()),
                ("deployment_id", text()),
                ("release", maybe("integer")),
                ("updated_at", time()),
            ]),
        ),
        (
            "ServiceAction",
            object(&[("id", text()), ("name", text()), ("status", service_state()), ("task_id", text())]),
        ),
        (
            "LogEntries",
            list(&object(&[
                ("timestamp", text()),
                ("source", json!({"enum": ["build", "runtime"]})),
                ("level", level),
                ("message", text()),
                ("instance", text_or_null()),
            ])),
        ),
        (
            "Environment",
            object(&[
                ("env", texts()),
                ("variables", list(&object(&[("key", text()), ("value", text()), ("updated_at", time())]))),
            ]),
        ),
        ("VariableSet", object(&[("key", text()), ("value", text()), ("release", count())])),
        (
            "NewVariable",
            request(
                &["key", "value"],
                &[("key", filled()), ("value", json!({"type": ["string", "number", "boolean"]}))],
            ),
        ),
        (
            "Instance",
            object(
                &[
                    &[
                        ("id", text()),
                        ("tag", text()),
                        ("kind", text()),
                        ("role", text()),
                        ("service_id", text_or_null()),
                        ("deployment_id", text_or_null()),
                        ("release", maybe("integer")),
                        ("type", text_or_null()),
                        ("address", text_or_null()),
                        ("region", text_or_null()),
                        ("status", text()),
                        ("version", text_or_null()),
                        ("os", text_or_null()),
                        ("arch", text_or_null()),
                        ("cpu_count", maybe("integer")),
                        ("memory_total_bytes", maybe("integer")),
                        ("started_at", time()),
                    ][..],
                    &made(),
                ]
                .concat(),
            ),
        ),
        ("Instances", part("instances", "Instance")),
        ("InstanceMetrics", metrics()),
        (
            "Route",
            object(
                &[
                    &[
                        ("id", text()),
                        ("domain", text()),
                        ("service_id", text_or_null()),
                        ("port", integer()),
                        ("upstream", text()),
                        ("template", text()),
                        ("status", text()),
                    ][..],
                    &made(),
                ]
                .concat(),
            ),
        ),
        ("Routes", part("routes", "Route")),
        (
            "NewRoute",
            request(
                &["domain", "service_id"],
                &[
                    ("domain", filled()),
                    ("service_id", filled()),
                    ("port", json!({"type": ["integer", "null"], "minimum": 1, "maximum": 65535})),
                ],
            ),
        ),
        (
            "Project",
            object(
                &[
                    &[
                        ("id", text()),
                        ("name", text()),
                        ("description", text()),
                        ("owner", text()),
                        ("deployment_count", count()),
                    ][..],
                    &made(),
                ]
                .concat(),
            ),
        ),
        ("Projects", part("projects", "Project")),
        ("NewProject", request(&["name"], &[("name", filled()), ("description", text_or_null())])),
        (
            "Webhook",
            object(
                &[
                    &[
                        ("id", text()),
                        ("url", text()),
                        ("events", list(&text())),
                        ("active", boolean()),
                        ("has_secret", boolean()),
                        ("last_delivery", last),
                    ][..],
                    &made(),
                ]
                .concat(),
            ),
        ),
        ("Webhooks", part("webhooks", "Webhook")),
        (
            "NewWebhook",
            request(&["url", "events"], &[("url", filled()), ("events", list(&text())), ("secret", text_or_null())]),
        ),
        (
            "Delivery",
            object(&[
                ("id", text()),
                ("webhook_id", text()),
                ("event", text()),
                ("status", delivery_state()),
                ("attempts", count()),
                ("log", list(&attempt)),
                ("next_attempt_at", maybe_time()),
                ("payload", json!({"type": ["object", "null"]})),
                ("created_at", time()),
                ("finished_at", maybe_time()),
            ]),
        ),
        ("Deliveries", part("deliveries", "Delivery")),
        ("NewOrderClaim", request(&[], &[("wait", count())])),
        ("Order", json!({"type": "object"})),
        ("OrderRenew", request(&["app", "claim"], &[("app", filled()), ("claim", filled())])),
        (
            "OrderFinish",
            request(&["app", "claim", "outcome"], &[("app", filled()), ("claim", filled()), ("outcome", text())]),
        ),
        ("OrderFinished", object(&[("release", maybe("integer"))])),
    ]
}
