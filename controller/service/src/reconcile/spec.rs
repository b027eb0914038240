//! From recorded state to what the engine is asked for. Source: `drycc-v2.md` §4.3–4.6.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use slipway_core::ProcessType;
use slipway_core::app::{App, Structure};
use slipway_core::build::Build;
use slipway_core::certificate::AttachedCertificate;
use slipway_core::config::change::GRACE_MAX_SECS;
use slipway_core::config::{Config, SecretText};
use slipway_core::limit::{cpu_parse, memory_parse};
use slipway_core::network::network_parse;
use slipway_core::path_service::PathService;
use slipway_core::probe::{initial_delay_max, probe_of};
use slipway_core::release::Release;
use slipway_core::settings::AppSettings;
use slipway_core::structure::{routed_type, structure_default};
use slipway_core::volume::{Mounts, Volume};
use slipway_engine::route::Certificate;
use slipway_engine::spec::RouteSpec;
use slipway_engine::{AppSpec, Artifact, MountSpec, ProcessSpec, RegistryLogin, ReleaseSpec, VolumeSpec};

use crate::path_service::path_rules;

/// The port of buildpack apps, and of probes that name none.
pub(crate) const PORT_DEFAULT: u16 = 5000;
/// Time between SIGTERM and SIGKILL unless the app says otherwise.
const GRACE_DEFAULT: Duration = Duration::from_secs(30);
/// Longest time for a deploy that an app may ask for.
const DEPLOY_MAX_SECS: u64 = 60 * 60;

/// A release with what it stands for.
#[derive(Debug, Clone)]
pub(crate) struct Deployable {
    pub(crate) release: Release,
    pub(crate) build: Build,
    pub(crate) config: Config,
}

/// What is known of an app's routes.
#[derive(Debug, Clone)]
pub(crate) struct Routing {
    /// Each with the port that it leads to, if that is one of its own.
    pub(crate) domains: Vec<(String, Option<u16>)>,
    pub(crate) settings: Option<AppSettings>,
    pub(crate) certificates: Vec<AttachedCertificate>,
    pub(crate) is_https_enforced: bool,
    pub(crate) automatic_certificates: Option<bool>,
    pub(crate) services: Vec<PathService>,
    pub(crate) volumes: Vec<Volume>,
}

/// The desired state of an app that runs `deployable` with these replicas.
///
/// # Errors
/// Why the build cannot be run, for the user.
pub(crate) fn app_spec(
    app: &App,
    deployable: Option<(&Deployable, &Structure)>,
    routing: &Routing,
    platform_domain: &str,
) -> Result<AppSpec, String> {
    let release =
        deployable.map(|(deployable, structure)| release_spec(app, deployable, structure, routing)).transpose()?;
    Ok(AppSpec {
        app: app.id,
        name: app.name.clone(),
        generation: app.desired_generation,
        release,
        route: route_spec(routing, platform_domain),
        volumes: routing.volumes.iter().map(volume_spec).collect(),
    })
}

fn release_spec(
    app: &App,
    deployable: &Deployable,
    structure: &Structure,
    routing: &Routing,
) -> Result<ReleaseSpec, String> {
    let Deployable { release, build, config } = deployable;
    let autoscale = routing.settings.as_ref().map(|settings| &settings.autoscale);
    let mut mounts = mount_specs(&config.mounts, &routing.volumes)?;
    let wanted = structure.iter().filter(|(_, replicas)| **replicas > 0).map(|(process_type, _)| process_type.clone());
    let types: BTreeSet<ProcessType> =
        build.procfile.keys().cloned().chain(structure_default(build).into_keys()).chain(wanted).collect();
    // A Procfile may name a `web` that was never run: the first build of an app of old runs its `cmd` instead.
    let is_cmd_only = !structure.contains_key("web") && structure.get("cmd").is_some_and(|replicas| *replicas > 0);
    let routed = if is_cmd_only { Some(ProcessType::cmd()) } else { routed_type(&types) };
    let grace_of_all = config.values.get("KUBERNETES_POD_TERMINATION_GRACE_PERIOD_SECONDS").map(SecretText::expose);
    let grace = |process_type: &ProcessType| {
        let own = config.termination_grace_period.get(process_type).map(String::as_str);
        let secs = own.or(grace_of_all).and_then(|text| text.trim().parse::<u64>().ok());
        secs.map_or(GRACE_DEFAULT, |secs| Duration::from_secs(secs.min(GRACE_MAX_SECS)))
    };
    let port = config.values.get("PORT").and_then(|port| port.expose().parse().ok()).unwrap_or(PORT_DEFAULT);
    let restarts = |key: &str| app.restarts.get(key).copied().unwrap_or(0);
    let replicas = |process_type: &ProcessType| structure.get(process_type).copied().unwrap_or(0);
    let processes = types
        .into_iter()
        .map(|process_type| ProcessSpec {
            command: build.procfile.get(&process_type).cloned(),
            replicas: replicas(&process_type),
            // What nobody wants to run is not to grow by itself.
            autoscale: autoscale
                .and_then(|by_type| by_type.get(&process_type))
                .filter(|_| replicas(&process_type) > 0)
                .copied(),
            is_routed: routed.as_ref() == Some(&process_type),
            restart_token: restarts("") + restarts(process_type.as_str()),
            memory: config.memory.get(&process_type).and_then(|text| memory_parse(text)),
            cpu: config.cpu.get(&process_type).and_then(|text| cpu_parse(text)),
            readiness: probe_of(&config.healthcheck, &process_type, "readinessProbe", port),
            liveness: probe_of(&config.healthcheck, &process_type, "livenessProbe", port),
            grace: grace(&process_type),
            post_start: config.lifecycle_post_start.get(&process_type).cloned(),
            pre_stop: config.lifecycle_pre_stop.get(&process_type).cloned(),
            mounts: mounts.remove(&process_type).unwrap_or_default(),
            process_type,
        })
        .collect();
    Ok(ReleaseSpec {
        version: release.version,
        summary: release.summary.clone(),
        artifact: build.artifact().parse::<Artifact>()?,
        kind: build.kind(),
        registry: registry_login(&config.registry),
        placement: config.tags.clone(),
        env: environment(app, deployable),
        processes,
    })
}

fn volume_spec(volume: &Volume) -> VolumeSpec {
    VolumeSpec { id: volume.id, name: volume.name.clone(), bytes: volume.size.bytes() }
}

/// The volumes of each process type.
fn mount_specs(mounts: &Mounts, volumes: &[Volume]) -> Result<BTreeMap<ProcessType, Vec<MountSpec>>, String> {
    let mut specs: BTreeMap<ProcessType, Vec<MountSpec>> = BTreeMap::new();
    for (name, paths) in mounts {
        let volume = volumes.iter().find(|volume| volume.name == *name);
        let volume = volume.ok_or_else(|| format!("the volume {name}, which it mounts, was deleted"))?;
        for (process_type, path) in paths {
            let mount = MountSpec { volume: volume.id, name: name.clone(), path: path.clone() };
            specs.entry(process_type.clone()).or_default().push(mount);
        }
    }
    Ok(specs)
}

/// The credentials in an app's `registry` map, once both halves are there. Source: `drycc-v2.md` §4.6.
pub(crate) fn registry_login(registry: &BTreeMap<String, SecretText>) -> Option<RegistryLogin> {
    Some(RegistryLogin {
        hostname: registry.get("hostname").map(|text| text.expose().to_owned()),
        username: registry.get("username")?.expose().to_owned(),
        password: registry.get("password")?.clone(),
    })
}

/// The variables of a release's processes: the platform's, with the user's over them. Source: `drycc-v2.md` §4.4,
/// `deis-v1.md` §6.
pub(crate) fn environment(app: &App, deployable: &Deployable) -> BTreeMap<String, SecretText> {
    let Deployable { release, build, config } = deployable;
    let mut env = BTreeMap::new();
    let mut set = |name: &str, value: String| {
        env.insert(name.to_owned(), SecretText::new(value));
    };
    for name in ["DEIS_APP", "DRYCC_APP", "SLIPWAY_APP"] {
        set(name, app.name.to_string());
    }
    for name in ["DEIS_RELEASE", "DRYCC_RELEASE", "SLIPWAY_RELEASE", "WORKFLOW_RELEASE"] {
        set(name, release.version.to_string());
    }
    set("WORKFLOW_RELEASE_SUMMARY", release.summary.clone());
    set("WORKFLOW_RELEASE_CREATED_AT", release.created.format("%Y-%m-%dT%H:%M:%SZ").to_string());
    if !build.sha.is_empty() {
        set("SOURCE_VERSION", build.sha.clone());
    }
    if matches!(build.kind(), slipway_core::build::BuildKind::Buildpack) {
        set("PORT", PORT_DEFAULT.to_string());
    }
    env.extend(config.values.iter().map(|(name, value)| (name.clone(), value.clone())));
    env
}

fn route_spec(routing: &Routing, platform_domain: &str) -> RouteSpec {
    let host = |domain: &str| domain_host(domain, platform_domain);
    let hosts: BTreeSet<String> = routing.domains.iter().map(|(domain, _)| host(domain)).collect();
    let ports = routing.domains.iter().filter_map(|(domain, port)| Some((host(domain), (*port)?)));
    let settings = routing.settings.as_ref();
    RouteSpec {
        hosts: hosts.into_iter().collect(),
        paths: path_rules(&routing.services),
        ports: ports.collect(),
        is_routable: settings.is_none_or(|settings| settings.routable),
        is_in_maintenance: settings.is_some_and(|settings| settings.maintenance),
        is_https_enforced: routing.is_https_enforced,
        automatic_certificates: routing.automatic_certificates,
        allow_list: settings
            .into_iter()
            .flat_map(|settings| &settings.allowlist)
            .filter_map(|text| network_parse(text))
            .collect(),
        certificates: routing.certificates.iter().map(|attached| certificate(attached, platform_domain)).collect(),
    }
}

/// The full name under which a domain answers: an app's own is below the platform's.
pub(crate) fn domain_host(domain: &str, platform_domain: &str) -> String {
    let host = if domain.contains('.') { domain.to_owned() } else { format!("{domain}.{platform_domain}") };
    host.to_ascii_lowercase()
}

fn certificate(attached: &AttachedCertificate, platform_domain: &str) -> Certificate {
    let AttachedCertificate { domains, chain_pem, key_pem } = attached;
    Certificate {
        hosts: domains.iter().map(|domain| domain_host(domain, platform_domain)).collect(),
        chain_pem: chain_pem.clone(),
        key_pem: key_pem.clone(),
    }
}

/// Time that the deploy of a release may take: what the app says, else `default`, and the longest delay of its
/// probes on top. Source: `drycc-v2.md` §4.10.
pub(crate) fn deploy_timeout(config: &Config, default: Duration) -> Duration {
    let said = ["SLIPWAY_DEPLOY_TIMEOUT", "DRYCC_DEPLOY_TIMEOUT", "DEIS_DEPLOY_TIMEOUT"]
        .iter()
        .find_map(|name| config.values.get(*name)?.expose().trim().parse::<u64>().ok())
        .map(|secs| Duration::from_secs(secs.clamp(1, DEPLOY_MAX_SECS)));
    let delay = initial_delay_max(&config.healthcheck).min(Duration::from_secs(DEPLOY_MAX_SECS));
    said.unwrap_or(default) + delay
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use serde_json::json;
    use slipway_core::release::ReleaseState;
    use slipway_core::volume::{MountPath, VolumeSize};
    use slipway_core::{
        AppId, AppName, BuildId, ConfigId, ReleaseId, ReleaseVersion, UserId, Username, VolumeId, VolumeName,
    };

    use super::*;

    fn fixture() -> (App, Deployable) {
        let (app, owner, name) = (AppId::generate(), UserId::generate(), Username::new("bob").unwrap());
        let created: DateTime<Utc> = "2026-01-02T03:04:05Z".parse().unwrap();
        let process = |name: &str| ProcessType::new(name).unwrap();
        let build = Build {
            id: BuildId::generate(),
            app,
            owner,
            owner_name: name.clone(),
            image: format!("slug@sha256:{}", "0a".repeat(32)),
            pinned: None,
            sha: "abcdef12".to_owned(),
            procfile: [(process("web"), "serve".to_owned()), (process("worker"), "work".to_owned())].into(),
            dockerfile: String::new(),
            stack: String::new(),
            created,
        };
        let config = Config {
            id: ConfigId::generate(),
            app,
            owner,
            owner_name: name.clone(),
            values: [("A", "1"), ("DEIS_APP", "mine"), ("KUBERNETES_POD_TERMINATION_GRACE_PERIOD_SECONDS", "7")]
                .map(|(key, value)| (key.to_owned(), SecretText::new(value)))
                .into(),
            memory: [(process("web"), "64M".to_owned())].into(),
            cpu: [(process("worker"), "0.5/1".to_owned())].into(),
            tags: BTreeMap::new(),
            registry: BTreeMap::new(),
            termination_grace_period: [(process("worker"), "90".to_owned())].into(),
            lifecycle_post_start: [(process("worker"), "bin/announce".to_owned())].into(),
            lifecycle_pre_stop: [(process("worker"), "bin/leave".to_owned())].into(),
            mounts: BTreeMap::new(),
            healthcheck: [("web/cmd".to_owned(), json!({"readinessProbe": {"httpGet": {"path": "/up"}}}))].into(),
            created,
        };
        let release = Release {
            id: ReleaseId::generate(),
            app,
            owner,
            owner_name: name.clone(),
            version: ReleaseVersion(3),
            summary: "bob deployed abcdef1".to_owned(),
            config: config.id,
            build: Some(build.id),
            state: ReleaseState::Created,
            exception: String::new(),
            deadline: None,
            created,
            updated: created,
        };
        let app = App {
            id: app,
            name: AppName::new("blog").unwrap(),
            owner,
            owner_name: name,
            structure: Structure::new(),
            desired_generation: 9,
            observed_generation: 8,
            restarts: [(String::new(), 2), ("web".to_owned(), 3)].into(),
            is_deleting: false,
            created,
            updated: created,
        };
        (app, Deployable { release, build, config })
    }

    fn routing(domains: &[&str]) -> Routing {
        Routing {
            domains: domains.iter().map(|domain| ((*domain).to_owned(), None)).collect(),
            settings: None,
            certificates: Vec::new(),
            is_https_enforced: false,
            automatic_certificates: None,
            services: Vec::new(),
            volumes: Vec::new(),
        }
    }

    #[test]
    fn a_release_is_spelled_out() {
        let (app, deployable) = fixture();
        let structure = Structure::from([(ProcessType::web(), 2)]);
        let spec = app_spec(&app, Some((&deployable, &structure)), &routing(&["blog", "www.example.com"]), "localhost")
            .unwrap();
        assert_eq!(spec.generation, 9);
        assert_eq!(spec.route.hosts, ["blog.localhost", "www.example.com"]);
        assert!(spec.route.ports.is_empty());
        assert!(spec.route.is_routable);
        let release = spec.release.unwrap();
        let env: BTreeMap<&str, &str> = release.env.iter().map(|(key, value)| (key.as_str(), value.expose())).collect();
        for (key, value) in [
            ("A", "1"),
            ("DEIS_APP", "mine"),
            ("DRYCC_APP", "blog"),
            ("SLIPWAY_APP", "blog"),
            ("DEIS_RELEASE", "v3"),
            ("DRYCC_RELEASE", "v3"),
            ("SLIPWAY_RELEASE", "v3"),
            ("WORKFLOW_RELEASE", "v3"),
            ("WORKFLOW_RELEASE_SUMMARY", "bob deployed abcdef1"),
            ("WORKFLOW_RELEASE_CREATED_AT", "2026-01-02T03:04:05Z"),
            ("SOURCE_VERSION", "abcdef12"),
            ("PORT", "5000"),
        ] {
            assert_eq!(env.get(key), Some(&value), "{key}");
        }
        let [web, worker] = release.processes.as_slice() else { panic!("{:?}", release.processes) };
        assert_eq!((web.replicas, web.is_routed, web.restart_token), (2, true, 5));
        assert_eq!((worker.replicas, worker.is_routed, worker.restart_token), (0, false, 2));
        assert_eq!(web.command.as_deref(), Some("serve"));
        assert_eq!(web.memory.unwrap().limit, 64 << 20);
        assert_eq!(worker.cpu.unwrap().request, Some(500));
        assert_eq!((web.grace, worker.grace), (Duration::from_secs(7), Duration::from_secs(90)));
        assert!(web.readiness.is_some() && worker.readiness.is_none());
    }

    #[test]
    fn volumes_are_mounted_by_process_type() {
        let (app, mut deployable) = fixture();
        let name = VolumeName::new("data").unwrap();
        let path = MountPath::new("/app/data").unwrap();
        deployable.config.mounts = [(name.clone(), [(ProcessType::web(), path.clone())].into())].into();
        let volume = Volume {
            id: VolumeId::generate(),
            app: app.id,
            owner_name: app.owner_name.clone(),
            name: name.clone(),
            size: VolumeSize::new("2G").unwrap(),
            created: app.created,
            updated: app.created,
        };
        let mut routing = routing(&[]);
        let spec = |routing: &Routing| app_spec(&app, Some((&deployable, &Structure::new())), routing, "localhost");
        assert_eq!(spec(&routing).unwrap_err(), "the volume data, which it mounts, was deleted");
        routing.volumes.push(volume.clone());
        let spec = spec(&routing).unwrap();
        assert_eq!(spec.volumes, [VolumeSpec { id: volume.id, name: name.clone(), bytes: 2 << 30 }]);
        let release = spec.release.unwrap();
        let [web, worker] = release.processes.as_slice() else { panic!("{:?}", release.processes) };
        assert_eq!(web.mounts, [MountSpec { volume: volume.id, name, path }]);
        assert_eq!(worker.mounts, []);
        // Nothing runs, and nothing is lost.
        assert_eq!(app_spec(&app, None, &routing, "localhost").unwrap().volumes.len(), 1);
    }

    #[test]
    fn a_bad_slug_is_refused() {
        let (app, mut deployable) = fixture();
        deployable.build.image = "slug@sha256:../../etc".to_owned();
        let error = app_spec(&app, Some((&deployable, &Structure::new())), &routing(&[]), "localhost").unwrap_err();
        assert_eq!(error, "a slug is named slug@sha256: and 64 hexadecimal digits");
    }

    #[test]
    fn an_app_may_choose_its_deploy_timeout() {
        let (_, mut deployable) = fixture();
        let default = Duration::from_mins(2);
        let extra = Duration::from_secs(50);
        assert_eq!(deploy_timeout(&deployable.config, default), default + extra);
        for (text, secs) in [("5", 5), ("0", 1), ("99999999", DEPLOY_MAX_SECS)] {
            deployable.config.values.insert("DEIS_DEPLOY_TIMEOUT".to_owned(), SecretText::new(text));
            assert_eq!(deploy_timeout(&deployable.config, default), Duration::from_secs(secs) + extra, "{text}");
        }
        deployable.config.values.insert("SLIPWAY_DEPLOY_TIMEOUT".to_owned(), SecretText::new("9"));
        deployable.config.healthcheck.clear();
        assert_eq!(deploy_timeout(&deployable.config, default), Duration::from_secs(9));
    }
}
