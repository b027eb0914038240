//! Apps for tests.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use slipway_core::build::BuildKind;
use slipway_core::config::SecretText;
use slipway_core::{AppId, AppName, ProcessType, ReleaseVersion, VolumeId, VolumeName};
use slipway_engine::path::PathPattern;
use slipway_engine::route::Certificate;
use slipway_engine::spec::{Autoscale, Check, Limit, MountPath, PathRule, Probe, RouteSpec};
use slipway_engine::{AppSpec, Artifact, MountSpec, ProcessSpec, RegistryLogin, ReleaseSpec, VolumeSpec};

use crate::capability::Capabilities;
use crate::image::ImageFacts;
use crate::objects::{Input, Object, objects};
use crate::settings::ClusterSettings;

/// A process type with nothing special.
pub(crate) fn process(process_type: &str, replicas: u32) -> ProcessSpec {
    ProcessSpec {
        process_type: ProcessType::new(process_type).unwrap(),
        command: Some(format!("./{process_type} --port $PORT")),
        replicas,
        autoscale: None,
        is_routed: process_type == "web",
        restart_token: 0,
        memory: None,
        cpu: None,
        readiness: None,
        liveness: None,
        grace: Duration::from_secs(30),
        post_start: None,
        pre_stop: None,
        mounts: Vec::new(),
    }
}

/// An app with these process types at release v3.
pub(crate) fn app(processes: Vec<ProcessSpec>) -> AppSpec {
    let env = [("A", "1"), ("SECRET", "hunter2")];
    AppSpec {
        app: AppId::from_uuid("0198f2a1-0000-7000-8000-000000000001".parse().unwrap()),
        name: AppName::new("blog").unwrap(),
        generation: 7,
        release: Some(ReleaseSpec {
            version: ReleaseVersion(3),
            summary: "bob deployed abcdef1".to_owned(),
            artifact: Artifact::Image { reference: "registry.example.com/blog:1".to_owned() },
            kind: BuildKind::Image,
            registry: None,
            placement: BTreeMap::new(),
            env: env.map(|(name, value)| (name.to_owned(), SecretText::new(value))).into(),
            processes,
        }),
        route: RouteSpec { hosts: vec!["blog.example.com".to_owned()], is_routable: true, ..RouteSpec::default() },
        volumes: Vec::new(),
    }
}

/// A volume.
pub(crate) fn volume() -> VolumeSpec {
    let id = VolumeId::from_uuid("0198f2a1-0000-7000-8000-000000000002".parse().unwrap());
    VolumeSpec { id, name: VolumeName::new("data").unwrap(), bytes: 10 << 30 }
}

/// [`volume`] in a process.
pub(crate) fn mount(path: &str) -> MountSpec {
    let VolumeSpec { id, name, .. } = volume();
    MountSpec { volume: id, name, path: MountPath::new(path).unwrap() }
}

/// What is known of the image of [`app`].
pub(crate) fn image(port: Option<u16>) -> ImageFacts {
    let reference = format!("registry.example.com/blog@sha256:{}", "0a".repeat(32));
    ImageFacts { source: "registry.example.com/blog:1".to_owned(), reference, port, ..ImageFacts::default() }
}

/// An app that uses everything there is.
pub(crate) fn app_with_everything() -> AppSpec {
    let probe = |check| Probe {
        check,
        initial_delay: Duration::from_secs(5),
        timeout: Duration::from_secs(6),
        period: Duration::from_secs(7),
        success_threshold: 1,
        failure_threshold: 3,
    };
    let mut web = process("web", 3);
    web.restart_token = 2;
    web.memory = Some(Limit { request: Some(64 << 20), limit: 128 << 20 });
    web.cpu = Some(Limit { request: None, limit: 500 });
    web.readiness = Some(probe(Check::HttpGet {
        port: 8080,
        path: "/up".to_owned(),
        host: Some("blog.example.com".to_owned()),
        is_https: false,
        headers: vec![("X-Probe".to_owned(), "1".to_owned())],
    }));
    web.liveness = Some(probe(Check::Exec { command: vec!["./alive".to_owned(), "now".to_owned()] }));
    web.grace = Duration::from_secs(4);
    web.mounts = vec![mount("/app/data")];
    let mut worker = process("worker", 1);
    worker.autoscale = Some(Autoscale { min: 2, max: 5, cpu_percent: 60 });
    let mut clock = process("clock", 0);
    clock.cpu = Some(Limit { request: Some(100), limit: 0 });
    let mut spec = app(vec![clock, web, worker]);
    let release = spec.release.as_mut().unwrap();
    release.placement = [("disk".to_owned(), "ssd".to_owned())].into();
    release.env.insert("PORT".to_owned(), SecretText::new("8080"));
    release.env.insert("DEIS_DEPLOY_BATCHES".to_owned(), SecretText::new("2"));
    release.registry =
        Some(RegistryLogin { hostname: None, username: "bob".to_owned(), password: SecretText::new("pass") });
    spec.volumes = vec![volume()];
    spec.route = RouteSpec {
        hosts: vec!["blog.example.com".to_owned(), "www.example.org".to_owned()],
        is_routable: true,
        is_in_maintenance: true,
        is_https_enforced: true,
        allow_list: vec![([10, 0, 0, 0].into(), 8)],
        certificates: vec![Certificate {
            hosts: vec!["www.example.org".to_owned()],
            chain_pem: "CHAIN".to_owned(),
            key_pem: SecretText::new("KEY"),
        }],
        automatic_certificates: Some(false),
        ports: [("blog.example.com".to_owned(), 80), ("www.example.org".to_owned(), 9090)].into(),
        paths: [("/jobs/.*", "worker"), ("/old", "worker"), ("/", "web")]
            .map(|(pattern, process_type)| PathRule {
                pattern: PathPattern::new(pattern).unwrap(),
                process_type: ProcessType::new(process_type).unwrap(),
            })
            .into(),
    };
    spec
}

/// Settings with quotas.
pub(crate) fn settings_with_quotas() -> ClusterSettings {
    ClusterSettings {
        quota: Some(json!({"hard": {"pods": "10"}})),
        limit_ranges: Some(json!({"limits": [{"type": "Container", "default": {"memory": "256Mi"}}]})),
        ..ClusterSettings::default()
    }
}

/// The objects of an app on the newest cluster, with settings as they come.
pub(crate) fn render(spec: &AppSpec, image: &ImageFacts) -> Vec<Object> {
    let (settings, capabilities) = (ClusterSettings::default(), Capabilities::newest());
    let replicas = |_: &str| None;
    let input =
        Input { spec, image: Some(image), settings: &settings, capabilities: &capabilities, replicas: &replicas };
    objects(&input).unwrap()
}
