//! Domain values → `/v2` bodies. Each function takes its struct apart without `..`, so that a new field does not
//! compile until somebody has decided whether clients see it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use slipway_core::ProcessType;
use slipway_core::app::App;
use slipway_core::build::Build;
use slipway_core::certificate::{Certificate, CertificateFacts};
use slipway_core::config::{Config, SecretText};
use slipway_core::domain::Domain;
use slipway_core::key::Key;
use slipway_core::path_service::PathService;
use slipway_core::release::{Release, ReleaseState};
use slipway_core::settings::{AppSettings, Autoscale, Tls};
use slipway_core::user::User;
use slipway_core::volume::Volume;
use slipway_core::{Username, log};
use slipway_engine::{PodStatus, RunOutcome};
use slipway_service::{
    BuildLog, BuildLogState, Deployed, HookAppRef, HookKey, HookKeyUser, MountedVolume, Page, PageQuery,
    ReleaseProgress, log_text,
};
use slipway_wire::drycc_v2 as wire;

use crate::call::Call;
use crate::page;

/// A time. Source: `drycc-v2.md` §1.9.
#[must_use]
pub fn time(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A page of a list.
pub fn page<T, W>(call: &Call, query: PageQuery, items: &Page<T>, item: impl Fn(&T) -> W) -> wire::Page<W> {
    let Page { count, items } = items;
    let (next, previous) = page::links(call, query, *count);
    wire::Page { count: *count, next, previous, results: items.iter().map(item).collect() }
}

/// A user. The password's hash is not even in the domain's struct.
#[must_use]
pub fn user(user: &User) -> wire::User {
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
        last_login: last_login.map(time),
        is_superuser: *is_superuser,
        username: username.to_string(),
        first_name: first_name.clone(),
        last_name: last_name.clone(),
        email: email.clone(),
        is_staff: *is_superuser,
        is_active: *is_active,
        date_joined: time(*date_joined),
        groups: Vec::new(),
        user_permissions: Vec::new(),
    }
}

/// A user as an item of the list of administrators.
#[must_use]
pub fn admin(user: &User) -> wire::Admin {
    wire::Admin { username: user.username.to_string(), is_superuser: user.is_superuser }
}

/// An app, which answers at `host`.
#[must_use]
pub fn app(app: &App, host: String) -> wire::App {
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
        uuid: id.to_string(),
        id: name.to_string(),
        owner: owner_name.to_string(),
        structure: structure.iter().map(|(process_type, count)| (process_type.to_string(), *count)).collect(),
        url: host,
        created: time(*created),
        updated: time(*updated),
    }
}

/// A build of the app named `app`.
#[must_use]
pub fn build(build: &Build, app: &str) -> wire::Build {
    let Build { id, app: _, owner: _, owner_name, image, pinned: _, sha, procfile, dockerfile, stack, created } = build;
    wire::Build {
        uuid: id.to_string(),
        app: app.to_owned(),
        owner: owner_name.to_string(),
        image: image.clone(),
        sha: sha.clone(),
        procfile: procfile.iter().map(|(process_type, command)| (process_type.to_string(), command.clone())).collect(),
        dockerfile: dockerfile.clone(),
        stack: stack.clone(),
        created: time(*created),
        updated: time(*created),
    }
}

/// A build's log, without its text.
#[must_use]
pub fn build_log(log: &BuildLog, app: &str) -> wire::BuildLog {
    let BuildLog { id, owner_name, sha, state, log: _, created } = log;
    wire::BuildLog {
        uuid: id.to_string(),
        app: app.to_owned(),
        owner: owner_name.to_string(),
        sha: sha.clone(),
        state: build_log_state(*state).to_owned(),
        created: time(*created),
    }
}

/// What the builder asks of a build that is under way.
#[must_use]
pub fn hook_build_watched(log: BuildLog) -> wire::hook::BuildWatched {
    wire::hook::BuildWatched { state: build_log_state(log.state).to_owned(), log: log.log }
}

const fn build_log_state(state: BuildLogState) -> &'static str {
    match state {
        BuildLogState::Running => "running",
        BuildLogState::Canceling => "canceling",
        BuildLogState::Succeeded => "succeeded",
        BuildLogState::Failed => "failed",
        BuildLogState::Canceled => "canceled",
    }
}

/// The configuration of the app named `app`, secrets and all: who may read it may read them.
#[must_use]
pub fn config(config: &Config, app: &str) -> wire::Config {
    let Config {
        id,
        app: _,
        owner: _,
        owner_name,
        values,
        memory,
        cpu,
        tags,
        registry,
        healthcheck,
        termination_grace_period,
        lifecycle_post_start,
        lifecycle_pre_stop,
        mounts: _,
        created,
    } = config;
    let exposed = |map: &BTreeMap<String, SecretText>| {
        map.iter().map(|(name, value)| (name.clone(), value.expose().to_owned())).collect()
    };
    let by_type = |map: &BTreeMap<ProcessType, String>| {
        map.iter().map(|(process_type, text)| (process_type.to_string(), text.clone())).collect()
    };
    wire::Config {
        uuid: id.to_string(),
        owner: owner_name.to_string(),
        app: app.to_owned(),
        values: exposed(values),
        memory: by_type(memory),
        cpu: by_type(cpu),
        tags: tags.clone(),
        registry: exposed(registry),
        healthcheck: healthcheck.clone(),
        termination_grace_period: by_type(termination_grace_period),
        lifecycle_post_start: by_type(lifecycle_post_start),
        lifecycle_pre_stop: by_type(lifecycle_pre_stop),
        created: time(*created),
        updated: time(*created),
    }
}

/// A release of the app named `app`.
#[must_use]
pub fn release(release: &Release, app: &str) -> wire::Release {
    let Release {
        id,
        app: _,
        owner: _,
        owner_name,
        version,
        summary,
        config,
        build,
        state,
        exception,
        deadline: _,
        created,
        updated,
    } = release;
    wire::Release {
        uuid: id.to_string(),
        app: app.to_owned(),
        owner: owner_name.to_string(),
        version: version.0,
        summary: summary.clone(),
        failed: *state == ReleaseState::Failed,
        config: config.to_string(),
        build: build.map(|build| build.to_string()),
        exception: (!exception.is_empty()).then(|| exception.clone()),
        state: state.as_str().to_owned(),
        created: time(*created),
        updated: time(*updated),
    }
}

/// The answer to a rollback.
#[must_use]
pub const fn release_version(release: &Release) -> wire::ReleaseVersion {
    wire::ReleaseVersion { version: release.version.0 }
}

/// A process.
#[must_use]
pub fn pod(pod: &PodStatus) -> wire::Pod {
    let PodStatus {
        name,
        process_type,
        version,
        state,
        started,
        restarts: _,
        uid: _,
        cpu_millis: _,
        pid: _,
        last_exit: _,
        address: _,
        node: _,
    } = pod;
    wire::Pod {
        name: name.clone(),
        release: version.to_string(),
        started: time(*started),
        state: state.to_string(),
        process_type: process_type.to_string(),
    }
}

/// Processes as a list without paging.
#[must_use]
pub fn pods(pods: &[PodStatus]) -> wire::Pods {
    wire::Pods { results: pods.iter().map(pod).collect(), count: pods.len() as u64 }
}

/// How a one-off process ended.
#[must_use]
pub fn run(outcome: &RunOutcome) -> wire::RunResult {
    let RunOutcome { exit_code, output } = outcome;
    wire::RunResult { exit_code: *exit_code, output: String::from_utf8_lossy(output).into_owned() }
}

/// A key.
#[must_use]
pub fn key(key: &Key) -> wire::Key {
    let Key { uuid, id, owner: _, owner_name, public, fingerprint, created, updated } = key;
    wire::Key {
        uuid: uuid.to_string(),
        id: id.clone(),
        owner: owner_name.to_string(),
        public: public.clone(),
        fingerprint: fingerprint.clone(),
        created: time(*created),
        updated: time(*updated),
    }
}

/// A domain of the app named `app`.
#[must_use]
pub fn domain(domain: &Domain, app: &str) -> wire::Domain {
    let Domain { app: _, owner: _, owner_name, domain, port: _, created, updated } = domain;
    wire::Domain {
        owner: owner_name.to_string(),
        created: time(*created),
        updated: time(*updated),
        app: app.to_owned(),
        domain: domain.clone(),
    }
}

/// A certificate, without itself and its key.
#[must_use]
pub fn cert(certificate: &Certificate) -> wire::Cert {
    let Certificate { id: _, number, owner: _, owner_name, name, facts, domains, created, updated } = certificate;
    let CertificateFacts { common_name, san, fingerprint, issuer, subject, starts, expires } = facts;
    wire::Cert {
        id: *number,
        owner: owner_name.to_string(),
        name: name.clone(),
        common_name: common_name.clone(),
        san: san.clone(),
        domains: domains.clone(),
        fingerprint: fingerprint.clone(),
        starts: time(*starts),
        expires: time(*expires),
        issuer: issuer.clone(),
        subject: subject.clone(),
        created: time(*created),
        updated: time(*updated),
    }
}

/// The settings of the app named `app`.
#[must_use]
pub fn settings(settings: &AppSettings, app: &str) -> wire::Settings {
    let AppSettings {
        app: id,
        owner: _,
        owner_name,
        maintenance,
        routable,
        allowlist,
        autoscale,
        label,
        created,
        updated,
    } = settings;
    let rule = |rule: &Autoscale| {
        let Autoscale { min, max, cpu_percent } = rule;
        wire::Autoscale { min: *min, max: *max, cpu_percent: *cpu_percent }
    };
    wire::Settings {
        uuid: id.to_string(),
        app: app.to_owned(),
        owner: owner_name.to_string(),
        maintenance: *maintenance,
        routable: *routable,
        whitelist: allowlist.clone(),
        allowlist: allowlist.clone(),
        autoscale: autoscale.iter().map(|(process_type, found)| (process_type.to_string(), rule(found))).collect(),
        label: label.clone(),
        created: time(*created),
        updated: time(*updated),
    }
}

/// How the app named `app` treats plain HTTP, and where its certificates come from.
#[must_use]
pub fn tls(tls: &Tls, app: &str) -> wire::Tls {
    let Tls { app: id, owner: _, owner_name, https_enforced, certs_auto_enabled, created, updated } = tls;
    wire::Tls {
        uuid: id.to_string(),
        app: app.to_owned(),
        owner: owner_name.to_string(),
        https_enforced: *https_enforced,
        certs_auto_enabled: *certs_auto_enabled,
        created: time(*created),
        updated: time(*updated),
    }
}

/// Addresses of an allow list.
#[must_use]
pub const fn addresses(addresses: Vec<String>) -> wire::Addresses {
    wire::Addresses { addresses }
}

/// Paths of process types.
#[must_use]
pub fn services(services: &[PathService]) -> wire::Services {
    let service = |service: &PathService| {
        let PathService { process_type, path_pattern } = service;
        wire::Service { procfile_type: process_type.to_string(), path_pattern: path_pattern.clone() }
    };
    wire::Services { services: services.iter().map(service).collect() }
}

/// A volume of the app named `app`.
#[must_use]
pub fn volume(mounted: &MountedVolume, app: &str) -> wire::Volume {
    let MountedVolume { volume, paths } = mounted;
    let Volume { id, app: _, owner_name, name, size, created, updated } = volume;
    wire::Volume {
        uuid: id.to_string(),
        owner: owner_name.to_string(),
        app: app.to_owned(),
        name: name.to_string(),
        size: size.as_str().to_owned(),
        path: paths.iter().map(|(process_type, path)| (process_type.to_string(), path.to_string())).collect(),
        created: time(*created),
        updated: time(*updated),
    }
}

/// Collaborators.
#[must_use]
pub fn perms(users: &[Username]) -> wire::Perms {
    wire::Perms { users: users.iter().map(ToString::to_string).collect() }
}

/// Lines of an app's log as text, each with its end of line.
#[must_use]
pub fn log(app: &str, lines: &[log::LogLine]) -> String {
    let mut text = String::new();
    for line in lines {
        text.push_str(&log_text(app, line));
        text.push('\n');
    }
    text
}

/// Whose key it is.
#[must_use]
pub fn hook_key_user(found: &HookKeyUser) -> wire::hook::KeyUser {
    let HookKeyUser { username, apps } = found;
    wire::hook::KeyUser { username: username.to_string(), apps: apps.iter().map(ToString::to_string).collect() }
}

/// Keys by user.
#[must_use]
pub fn hook_keys(keys: &BTreeMap<Username, Vec<HookKey>>) -> BTreeMap<String, Vec<wire::hook::Key>> {
    let key = |found: &HookKey| {
        let HookKey { key, fingerprint } = found;
        wire::hook::Key { key: key.clone(), fingerprint: fingerprint.clone() }
    };
    keys.iter().map(|(user, keys)| (user.to_string(), keys.iter().map(key).collect())).collect()
}

/// An app's identity.
#[must_use]
pub fn hook_app(app: &HookAppRef) -> wire::hook::AppRef {
    let HookAppRef { id, name } = app;
    wire::hook::AppRef { uuid: id.to_string(), id: name.to_string() }
}

/// The release that a push made.
#[must_use]
pub const fn hook_build(deployed: &Deployed) -> wire::hook::BuildHookResult {
    let Deployed { build: _, release } = deployed;
    wire::hook::BuildHookResult { release: release_version(release) }
}

/// How far a release is.
#[must_use]
pub fn hook_release_progress(progress: ReleaseProgress) -> wire::hook::ReleaseProgress {
    let ReleaseProgress { state, progress, seen, reason, urls } = progress;
    wire::hook::ReleaseProgress { state: state.as_str().to_owned(), progress, seen, reason, urls }
}
