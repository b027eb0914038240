//! What an engine says of a container, in our words. Pure. Source: `team-api.md` §4.7.

use chrono::{DateTime, TimeDelta, Utc};
use slipway_engine::workload::{Container, ContainerState};
use slipway_engine::workload_label::LABEL_PREFIX;

use crate::answer::{Inspected, Listed, State};
use crate::failure::shown;
use crate::plan::{LABEL_CONTAINER, LABEL_ROLE, ROLE_MAIN, full_name};

/// How long a container must run before it counts: one that ends at once never runs.
pub(crate) const SETTLE: TimeDelta = TimeDelta::seconds(3);
/// How long an engine may take to start again what ended.
const AGAIN: TimeDelta = TimeDelta::seconds(30);
/// Starts after which one that keeps ending is given up.
const RESTARTS: i64 = 3;

/// How far a container is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stand {
    /// Not yet.
    Coming(ContainerState, String),
    /// It runs, or did what it was there for.
    Up,
    /// It will not come up; why.
    Stuck(String),
}

/// How far the container is at `now`.
pub(crate) fn stand(inspected: &Inspected, now: DateTime<Utc>) -> Stand {
    let state = &inspected.state;
    let ends = inspected.restart_count >= RESTARTS;
    match state.status.as_str() {
        "running" if ends && !is_settled(state, now) => Stand::Stuck(ended(state, true)),
        "running" if is_settled(state, now) => Stand::Up,
        "running" => Stand::Coming(ContainerState::Running, "Started".to_owned()),
        "restarting" if ends => Stand::Stuck(ended(state, true)),
        "exited" | "stopped" | "dead" if state.exit_code == 0 && state.error.is_empty() && !is_kept(inspected) => {
            Stand::Up
        }
        // One that is kept running is started again in a moment.
        "exited" | "stopped" if is_kept(inspected) && !ends && state.error.is_empty() && !is_left(state, now) => {
            Stand::Coming(ContainerState::Waiting, ended(state, false))
        }
        "exited" | "stopped" | "dead" => Stand::Stuck(ended(state, false)),
        "created" | "configured" if !state.error.is_empty() => Stand::Stuck(shown(&state.error)),
        other => Stand::Coming(ContainerState::Waiting, shown(other)),
    }
}

/// Whether the engine starts it again whatever it ends with.
fn is_kept(inspected: &Inspected) -> bool {
    matches!(inspected.host_config.restart_policy.name.as_str(), "always" | "unless-stopped")
}

/// Whether it ended so long ago that the engine will not start it again.
fn is_left(state: &State, now: DateTime<Utc>) -> bool {
    state.finished_at.parse::<DateTime<Utc>>().is_ok_and(|finished| now - finished > AGAIN)
}

/// Whether it has run long enough. The engine's clock may differ from ours: a time that is not past says nothing.
fn is_settled(state: &State, now: DateTime<Utc>) -> bool {
    match state.started_at.parse::<DateTime<Utc>>() {
        Ok(started) => !(TimeDelta::zero()..SETTLE).contains(&(now - started)),
        Err(_) => true,
    }
}

fn ended(state: &State, again: bool) -> String {
    let what = if again { "keeps ending" } else { "ended" };
    let mut reason = format!("the container {what} with exit code {}", state.exit_code);
    if state.is_out_of_memory {
        reason.push_str(", out of memory");
    }
    if !state.error.is_empty() {
        reason = format!("{reason}: {}", shown(&state.error));
    }
    reason
}

/// A state of an engine as one of ours.
pub(crate) fn container_state(status: &str) -> ContainerState {
    match status {
        "running" => ContainerState::Running,
        "exited" | "dead" | "stopped" => ContainerState::Exited,
        _ => ContainerState::Waiting,
    }
}

/// One of the engine's containers, if people see it and it is where its labels say.
pub(crate) fn container(listed: &Listed) -> Option<Container> {
    let label = |name: &str| listed.labels.get(name).map(String::as_str);
    let (prefix, name) = (label(LABEL_PREFIX)?, label(LABEL_CONTAINER)?);
    let expected = full_name(prefix, name);
    let is_there = listed.names.iter().any(|name| name.trim_start_matches('/') == expected);
    if label(LABEL_ROLE) != Some(ROLE_MAIN) || !is_there {
        return None;
    }
    let (image_name, image_tag) = image_split(&listed.image);
    let mut ports: Vec<(u16, Option<u16>)> = listed
        .ports
        .iter()
        .map(|port| (port.private_port, (port.public_port > 0).then_some(port.public_port)))
        .collect();
    // Each address of the machine has an entry.
    ports.sort_unstable();
    ports.dedup();
    Some(Container {
        prefix: prefix.to_owned(),
        name: name.to_owned(),
        command: command(&listed.command),
        created_at: created(&listed.created),
        state: container_state(&listed.state),
        reason: shown(&listed.status),
        image_name: shown(image_name),
        image_tag: shown(image_tag),
        ports,
    })
}

/// A line from Docker, words from Podman.
fn command(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(line) => shown(line),
        serde_json::Value::Array(words) => {
            let words: Vec<&str> = words.iter().filter_map(serde_json::Value::as_str).collect();
            shown(&words.join(" "))
        }
        _ => String::new(),
    }
}

fn created(value: &serde_json::Value) -> DateTime<Utc> {
    let seconds = value.as_i64().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    seconds.or_else(|| value.as_str()?.parse().ok()).unwrap_or_default()
}

/// Name and tag; a digest stays with the name.
fn image_split(image: &str) -> (&str, &str) {
    if image.contains('@') {
        return (image, "");
    }
    let path = image.rfind('/').map_or(0, |at| at + 1);
    match image[path..].rfind(':') {
        Some(at) => (&image[..path + at], &image[path + at + 1..]),
        None => (image, "latest"),
    }
}
