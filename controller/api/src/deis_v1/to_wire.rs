//! Domain values → `/v1` bodies. Each function takes its struct apart without `..`, so that a new field does not
//! compile until somebody has decided whether clients see it.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use slipway_core::Username;
use slipway_core::app::App;
use slipway_core::build::Build;
use slipway_core::config::Config;
use slipway_core::domain::Domain;
use slipway_core::key::Key;
use slipway_core::log::LogLine;
use slipway_core::release::Release;
use slipway_core::user::User;
use slipway_engine::{PodState, PodStatus, RunOutcome};
use slipway_service::Deployed;
use slipway_wire::deis_v1 as wire;
use uuid::Uuid;

use super::container::Container;
use super::units;

/// A time. Source: `deis-v1.md` §1.
fn time(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%SUTC").to_string()
}

/// A time of a user.
fn user_time(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// A user. The password's hash is not even in the domain's struct.
pub(super) fn user(user: &User) -> wire::User {
    let User {
        id: _,
        number,
        username,
        email,
        first_name,
        last_name,
        is_superuser,
        is_active,
        key_generation: _,
        last_login,
        date_joined,
    } = user;
    wire::User {
        id: *number,
        last_login: user_time(last_login.unwrap_or(*date_joined)),
        is_superuser: *is_superuser,
        username: username.to_string(),
        first_name: first_name.clone(),
        last_name: last_name.clone(),
        email: email.clone(),
        is_staff: *is_superuser,
        is_active: *is_active,
        date_joined: user_time(*date_joined),
        groups: Vec::new(),
        user_permissions: Vec::new(),
    }
}

/// A user as an item of the list of administrators.
pub(super) fn admin(user: &User) -> wire::Admin {
    wire::Admin { username: user.username.to_string(), is_superuser: user.is_superuser }
}

/// An app, which answers at `host`.
pub(super) fn app(app: &App, host: String) -> wire::App {
    let App {
        id,
        name,
        owner: _,
        owner_name,
        structure,
        desired_generation: _,
        observed_generation: _,
        restarts: _,
        is_deleting: _,
        created,
        updated,
    } = app;
    wire::App {
        created: time(*created),
        id: name.to_string(),
        owner: owner_name.to_string(),
        structure: structure.iter().map(|(process_type, count)| (process_type.to_string(), *count)).collect(),
        updated: time(*updated),
        url: host,
        uuid: id.to_string(),
    }
}

/// How a one-off process ended: exit code and output.
pub(super) fn run(outcome: &RunOutcome) -> wire::RunPair {
    let RunOutcome { exit_code, output } = outcome;
    wire::RunPair(*exit_code, String::from_utf8_lossy(output).into_owned())
}

/// A container of an app.
pub(super) fn container(app: &App, container: &Container) -> wire::Container {
    let Container { num, pod } = container;
    let PodStatus {
        name,
        process_type,
        version,
        state,
        started,
        restarts: _,
        uid,
        cpu_millis: _,
        pid: _,
        last_exit: _,
        address: _,
        node: _,
    } = pod;
    wire::Container {
        owner: app.owner_name.to_string(),
        app: app.name.to_string(),
        release: version.to_string(),
        created: time(*started),
        updated: time(*started),
        uuid: container_uuid(app, name, uid.as_deref()).to_string(),
        process_type: process_type.to_string(),
        num: *num,
        state: container_state(state).to_owned(),
    }
}

/// The engine's identity of a process, or one that its name stands for.
fn container_uuid(app: &App, name: &str, uid: Option<&str>) -> Uuid {
    if let Some(uuid) = uid.and_then(|uid| uid.parse().ok()) {
        return uuid;
    }
    let digest = Sha256::new().chain_update(app.id.to_string()).chain_update([0]).chain_update(name).finalize();
    let mut bytes = [0; 16];
    for (byte, from) in bytes.iter_mut().zip(digest) {
        *byte = from;
    }
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

/// Source: `deis-v1.md` §5.
const fn container_state(state: &PodState) -> &'static str {
    match state {
        PodState::Initializing => "initialized",
        PodState::Creating | PodState::Starting => "created",
        PodState::Up => "up",
        PodState::Terminating | PodState::Down => "down",
        PodState::Destroyed => "destroyed",
        PodState::Crashed => "crashed",
        PodState::Error | PodState::Other(_) => "error",
    }
}

/// A configuration of the app named `app`, secrets and all: who may read it may read them. What 1.x has no word for is
/// left out. In 1.x it stays with the `owner` that the first one had, whoever changes it.
pub(super) fn config(config: &Config, app: &str, owner: &Username) -> wire::Config {
    let Config {
        id,
        app: _,
        owner: _,
        owner_name: _,
        values,
        memory,
        cpu,
        tags,
        registry: _,
        healthcheck: _,
        termination_grace_period: _,
        lifecycle_post_start: _,
        lifecycle_pre_stop: _,
        mounts: _,
        created,
    } = config;
    let values = values.iter().map(|(name, value)| (name.clone(), value.expose().to_owned()));
    let memory = memory.iter().filter_map(|(key, text)| Some((key.to_string(), units::memory_of_limit(text)?)));
    let cpu = cpu.iter().filter_map(|(key, text)| Some((key.to_string(), units::shares_of_cpu(text)?)));
    let mut values: std::collections::BTreeMap<String, String> = values.collect();
    values.retain(|name, _| !matches!(name.as_str(), APP_VARIABLE | RELEASE_VARIABLE));
    wire::Config {
        owner: owner.to_string(),
        app: app.to_owned(),
        values,
        memory: memory.collect(),
        cpu: cpu.collect(),
        tags: tags.clone(),
        created: time(*created),
        updated: time(*created),
        uuid: id.to_string(),
    }
}

/// Variables that the platform gives to containers, and names in the answer to a change.
const APP_VARIABLE: &str = "DEIS_APP";
const RELEASE_VARIABLE: &str = "DEIS_RELEASE";

/// A configuration as the answer to the change that made `release`. Source: `deis-v1.md` §6.
pub(super) fn config_changed(changed: &Config, app: &App, release: &Release) -> wire::Config {
    let mut body = config(changed, app.name.as_str(), &app.owner_name);
    body.values.insert(APP_VARIABLE.to_owned(), app.name.to_string());
    body.values.insert(RELEASE_VARIABLE.to_owned(), release.version.to_string());
    body
}

/// A domain of the app named `app`.
pub(super) fn domain(domain: &Domain, app: &str) -> wire::Domain {
    let Domain { app: _, owner: _, owner_name, domain, port: _, created, updated } = domain;
    wire::Domain {
        app: app.to_owned(),
        created: time(*created),
        domain: domain.clone(),
        owner: owner_name.to_string(),
        updated: time(*updated),
    }
}

/// A build of the app named `app`.
pub(super) fn build(build: &Build, app: &str) -> wire::Build {
    let Build { id, app: _, owner: _, owner_name, image, sha, procfile, dockerfile, stack: _, created, pinned: _ } =
        build;
    wire::Build {
        app: app.to_owned(),
        created: time(*created),
        dockerfile: dockerfile.clone(),
        image: image.clone(),
        owner: owner_name.to_string(),
        procfile: procfile.iter().map(|(process_type, command)| (process_type.to_string(), command.clone())).collect(),
        sha: sha.clone(),
        updated: time(*created),
        uuid: id.to_string(),
    }
}

/// A release of the app named `app`.
pub(super) fn release(release: &Release, app: &str) -> wire::Release {
    let Release {
        id,
        app: _,
        owner: _,
        owner_name,
        version,
        summary,
        config,
        build,
        state: _,
        exception: _,
        deadline: _,
        created,
        updated,
    } = release;
    wire::Release {
        app: app.to_owned(),
        build: build.map(|build| build.to_string()),
        config: config.to_string(),
        created: time(*created),
        owner: owner_name.to_string(),
        summary: summary.clone(),
        updated: time(*updated),
        uuid: id.to_string(),
        version: version.0,
    }
}

/// The answer to a rollback.
pub(super) const fn release_version(release: &Release) -> wire::ReleaseVersion {
    wire::ReleaseVersion { version: release.version.0 }
}

/// A key.
pub(super) fn key(key: &Key) -> wire::Key {
    let Key { uuid, id, owner: _, owner_name, public, fingerprint: _, created, updated } = key;
    wire::Key {
        created: time(*created),
        id: id.clone(),
        owner: owner_name.to_string(),
        public: public.clone(),
        updated: time(*updated),
        uuid: uuid.to_string(),
    }
}

/// Collaborators.
pub(super) fn perms(users: &[Username]) -> wire::Perms {
    wire::Perms { users: users.iter().map(ToString::to_string).collect() }
}

/// Lines of an app's log as text, each with its end of line. The platform's own are named as 1.x names them, and have
/// no level. Source: `deis-v1.md` §4.1.
pub(super) fn log(app: &str, lines: &[LogLine]) -> String {
    lines.iter().fold(String::new(), |text, line| text + &log_line(app, line) + "\n")
}

fn log_line(app: &str, line: &LogLine) -> String {
    let LogLine { time: written, source, text } = line;
    let written = time(*written);
    match source.strip_prefix("slipway[").and_then(|part| part.strip_suffix(']')) {
        Some(part) => {
            let part = if part == "controller" { "api" } else { part };
            let text =
                ["INFO ", "WARNING ", "ERROR "].iter().find_map(|level| text.strip_prefix(level)).unwrap_or(text);
            format!("{written} deis[{part}]: {text}")
        }
        None => format!("{written} {app}[{source}]: {text}"),
    }
}

/// The release that a push made, and where it answers.
pub(super) fn hook_build(deployed: &Deployed, host: String) -> wire::BuildHookResult {
    let Deployed { build: _, release } = deployed;
    wire::BuildHookResult { release: release_version(release), domains: vec![host] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_the_names_of_1_x() {
        let line = |source: &str, text: &str| {
            let written = "2014-01-01T16:51:14.5Z".parse().unwrap();
            log("go", &[LogLine { time: written, source: source.to_owned(), text: text.to_owned() }])
        };
        assert_eq!(
            line("slipway[controller]", "INFO test created initial release"),
            "2014-01-01T16:51:14UTC deis[api]: test created initial release\n"
        );
        assert_eq!(line("slipway[router]", "GET /"), "2014-01-01T16:51:14UTC deis[router]: GET /\n");
        assert_eq!(line("web.1", "INFO up"), "2014-01-01T16:51:14UTC go[web.1]: INFO up\n");
    }

    #[test]
    fn every_state_has_a_name_of_1_x() {
        for (state, expect) in [
            (PodState::Initializing, "initialized"),
            (PodState::Creating, "created"),
            (PodState::Starting, "created"),
            (PodState::Up, "up"),
            (PodState::Terminating, "down"),
            (PodState::Down, "down"),
            (PodState::Destroyed, "destroyed"),
            (PodState::Crashed, "crashed"),
            (PodState::Error, "error"),
            (PodState::Other("ImagePullBackOff".to_owned()), "error"),
        ] {
            assert_eq!(container_state(&state), expect);
        }
    }
}
