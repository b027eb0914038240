//! What use cases give → bodies. Source: `dployr-v1.md`.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};
use slipway_core::log::LogLine;
use slipway_core::project::Project;
use slipway_core::ulid::ulid;
use slipway_core::webhook::{Delivery, DeliveryState};
use slipway_service::{
    BuildLog, DeploymentView, EnvSet, Page, PageQuery, Route, ServiceView, WebhookStatus, request_of,
};
use slipway_wire::dployr_v1 as wire;

/// A time in the form that all answers have.
pub(super) fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn filled(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

fn secrets(view: &DeploymentView) -> Vec<wire::SecretName> {
    view.secret_names().into_iter().map(|key| wire::SecretName { key }).collect()
}

/// A part of a list, under the name of what is in it.
pub(super) fn list<T, W: serde::Serialize>(
    name: &str,
    query: PageQuery,
    page: &Page<T>,
    item: impl Fn(&T) -> W,
) -> Value {
    let items: Vec<Value> = page.items.iter().map(|found| json!(item(found))).collect();
    let mut body = Map::new();
    body.insert(name.to_owned(), Value::Array(items));
    body.insert("total".to_owned(), page.count.into());
    body.insert("limit".to_owned(), query.limit.into());
    body.insert("offset".to_owned(), query.offset.into());
    Value::Object(body)
}

pub(super) fn deployment(view: &DeploymentView) -> wire::Deployment {
    let request = request_of(view);
    let found = view.deployment.as_ref();
    let commit = found.map(|found| found.commit_hash.as_str()).filter(|hash| !hash.is_empty());
    wire::Deployment {
        id: view.id(),
        name: view.app.name.to_string(),
        description: filled(&request.description),
        user_id: ulid(view.app.owner.uuid()),
        project_id: found.and_then(|found| found.project).map(|project| ulid(project.uuid())),
        kind: request.kind.to_string(),
        source: request.source.to_string(),
        runtime: filled(&request.runtime).map(|kind| wire::Runtime { kind, version: filled(&request.version) }),
        remote: filled(&request.remote).map(|url| wire::Remote {
            url,
            branch: filled(&request.branch),
            commit_hash: commit.map(str::to_owned).or_else(|| filled(&request.commit_hash)),
            deploy_key: filled(&request.deploy_key),
        }),
        build_cmd: filled(&request.build_cmd),
        run_cmd: filled(&request.run_cmd),
        port: request.port,
        working_dir: filled(&request.working_dir),
        static_dir: filled(&request.static_dir),
        image: filled(&request.image),
        domain: filled(&request.domain),
        health_check: filled(&request.health_check),
        env_vars: view.env(),
        secrets: secrets(view),
        status: view.status().to_string(),
        error: found.and_then(|found| filled(&found.error)),
        service_id: view.primary_type().map(|name| slipway_service::service_id(view.app.id, &name)),
        app: view.app.name.to_string(),
        build_id: view.build.as_ref().map(|build| ulid(build.id.uuid())),
        release: view.release.as_ref().map(|release| release.version.0),
        created_at: time(found.map_or(view.app.created, |found| found.created)),
        updated_at: time(found.map_or(view.app.updated, |found| found.updated)),
        finished_at: match found {
            Some(found) => found.finished.map(time),
            None => view.release.as_ref().filter(|release| release.state.is_final()).map(|made| time(made.updated)),
        },
        success: None,
    }
}

pub(super) fn service(service: &ServiceView) -> wire::Service {
    let ServiceView { view, process_type, status } = service;
    let made = deployment(view);
    let command = view.build.as_ref().and_then(|build| build.procfile.get(process_type).cloned());
    wire::Service {
        id: service.id(),
        name: service.name(),
        description: made.description,
        kind: process_type.to_string(),
        source: made.source,
        runtime: made.runtime.as_ref().map(|runtime| runtime.kind.clone()),
        runtime_version: made.runtime.and_then(|runtime| runtime.version),
        run_cmd: command,
        build_cmd: made.build_cmd,
        port: made.port,
        working_dir: made.working_dir,
        static_dir: made.static_dir,
        image: made.image,
        env_vars: made.env_vars,
        secrets: made.secrets,
        remote: made.remote.as_ref().map(|remote| remote.url.clone()),
        branch: made.remote.as_ref().and_then(|remote| remote.branch.clone()),
        commit_hash: made.remote.and_then(|remote| remote.commit_hash),
        deployment_id: made.id,
        status: status.health.as_str().to_owned(),
        health: status.health().to_owned(),
        health_check: made.health_check,
        replicas: status.desired,
        created_at: made.created_at,
        updated_at: made.updated_at,
    }
}

pub(super) fn service_status(service: &ServiceView, now: DateTime<Utc>) -> wire::ServiceStatus {
    let ServiceView { view, process_type: _, status } = service;
    wire::ServiceStatus {
        id: service.id(),
        name: service.name(),
        status: status.health.as_str().to_owned(),
        health: status.health().to_owned(),
        replicas: wire::Replicas { desired: status.desired, ready: status.ready },
        uptime_seconds: status.started.map(|started| (now - started).num_seconds().max(0)),
        restarts: status.restarts,
        exit_code: status.exit_code,
        url: status.url.clone(),
        deployment_id: view.id(),
        release: view.release.as_ref().map(|release| release.version.0),
        updated_at: time(view.app.updated),
    }
}

pub(super) fn service_action(service: &ServiceView, task: &str) -> wire::ServiceAction {
    wire::ServiceAction {
        id: service.id(),
        name: service.name(),
        status: service.status.health.as_str().to_owned(),
        task_id: task.to_owned(),
    }
}

/// A line of a process. A line that is JSON says its level itself.
pub(super) fn log_entry(line: &LogLine) -> wire::LogEntry {
    let (level, message) = level_of(&line.text);
    wire::LogEntry {
        timestamp: line.time.to_rfc3339_opts(SecondsFormat::Millis, true),
        source: "runtime".to_owned(),
        level: level.to_owned(),
        message,
        instance: Some(line.source.clone()),
    }
}

/// The lines of a build's log.
pub(super) fn build_entries(log: &BuildLog) -> Vec<wire::LogEntry> {
    let timestamp = log.created.to_rfc3339_opts(SecondsFormat::Millis, true);
    let entry = |line: &str| wire::LogEntry {
        timestamp: timestamp.clone(),
        source: "build".to_owned(),
        level: if line.trim_start().starts_with('!') { "error" } else { "info" }.to_owned(),
        message: line.to_owned(),
        instance: None,
    };
    log.log.lines().map(entry).collect()
}

fn level_of(text: &str) -> (&'static str, String) {
    let plain = || ("info", text.to_owned());
    let Ok(Value::Object(map)) = serde_json::from_str::<Value>(text) else { return plain() };
    let Some(message) = ["msg", "message"].iter().find_map(|name| map.get(*name)?.as_str()) else { return plain() };
    let level = map.get("level").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
    let level = match level.as_str() {
        level if level.starts_with("warn") => "warn",
        level if ["err", "fatal", "crit"].iter().any(|start| level.starts_with(start)) => "error",
        "debug" | "trace" => "debug",
        _ => "info",
    };
    (level, message.to_owned())
}

pub(super) fn route(route: &Route) -> wire::Route {
    let Route { domain, service, port, upstream, is_static, is_active, created, updated } = route;
    wire::Route {
        id: domain.clone(),
        domain: domain.clone(),
        service_id: service.clone(),
        port: *port,
        upstream: upstream.clone(),
        template: if *is_static { "static" } else { "reverse_proxy" }.to_owned(),
        status: if *is_active { "active" } else { "inactive" }.to_owned(),
        created_at: time(*created),
        updated_at: time(*updated),
    }
}

pub(super) fn project(project: &Project) -> wire::Project {
    let Project { id, owner: _, owner_name, name, description, deployment_count, created, updated } = project;
    wire::Project {
        id: ulid(id.uuid()),
        name: name.clone(),
        description: description.clone(),
        owner: owner_name.to_string(),
        deployment_count: *deployment_count,
        created_at: time(*created),
        updated_at: time(*updated),
    }
}

pub(super) fn environment(view: &DeploymentView) -> wire::Environment {
    let env = view.env();
    let updated_at = time(view.config.as_ref().map_or(view.app.created, |config| config.created));
    let variables = env.iter().map(|(key, value)| wire::Variable {
        key: key.clone(),
        value: value.clone(),
        updated_at: updated_at.clone(),
    });
    wire::Environment { variables: variables.collect(), env }
}

pub(super) fn variable_set(set: &EnvSet) -> wire::VariableSet {
    wire::VariableSet { key: set.key.clone(), value: set.value.clone(), release: set.release.0 }
}

pub(super) fn webhook(status: &WebhookStatus) -> wire::Webhook {
    let WebhookStatus { webhook, last } = status;
    wire::Webhook {
        id: ulid(webhook.id.uuid()),
        url: webhook.url.clone(),
        events: webhook.events.iter().map(ToString::to_string).collect(),
        active: webhook.is_active,
        has_secret: webhook.has_secret,
        last_delivery: last.as_ref().map(|last| wire::LastDelivery {
            status: last.state.as_str().to_owned(),
            at: time(last.log.last().map_or(last.created, |attempt| attempt.at)),
            attempts: last.attempts,
        }),
        created_at: time(webhook.created),
        updated_at: time(webhook.updated),
    }
}

pub(super) fn delivery(delivery: &Delivery) -> wire::Delivery {
    let log = delivery.log.iter().map(|attempt| wire::DeliveryAttempt {
        number: attempt.number,
        at: time(attempt.at),
        status: attempt.status,
        error: filled(&attempt.error),
    });
    wire::Delivery {
        id: ulid(delivery.id.uuid()),
        webhook_id: delivery.target.parse().map_or_else(|_| delivery.target.clone(), ulid),
        event: delivery.event.clone(),
        status: delivery.state.as_str().to_owned(),
        attempts: delivery.attempts,
        log: log.collect(),
        next_attempt_at: (delivery.state == DeliveryState::Pending).then(|| time(delivery.due)),
        payload: serde_json::from_str(&delivery.content).unwrap_or(Value::Null),
        created_at: time(delivery.created),
        finished_at: delivery.finished.map(time),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_say_their_level() {
        for (text, level, message) in [
            ("plain", "info", "plain"),
            (r#"{"level": "WARNING", "msg": "a"}"#, "warn", "a"),
            (r#"{"level": "fatal", "message": "b"}"#, "error", "b"),
            (r#"{"level": "debug", "msg": "c"}"#, "debug", "c"),
            (r#"{"level": 30, "msg": "d"}"#, "info", "d"),
            (r#"{"no": "text"}"#, "info", r#"{"no": "text"}"#),
            ("[1]", "info", "[1]"),
        ] {
            assert_eq!(level_of(text), (level, message.to_owned()), "{text}");
        }
    }
}
