//! What a container of a deployment is on this machine. Pure.

use std::collections::BTreeMap;

use slipway_core::build::BuildKind;
use slipway_core::config::SecretText;
use slipway_core::volume::MountPath;
use slipway_core::{AppId, AppName, ProcessType, ReleaseVersion, VolumeId, VolumeName};
use slipway_engine::spec::{Limit, ProcessSpec, ReleaseSpec, RouteSpec, VolumeSpec};
use slipway_engine::workload::WorkloadSpec;
use slipway_engine::{AppSpec, Artifact, EngineError, MountSpec, RegistryLogin};
use slipway_team::container::part::Key;
use slipway_team::container::{Expose, VolumeType, quantity};

use super::record::{KeptVolume, Record, stamp, volume_id};

/// What a volume holds that says nothing, in bytes.
const VOLUME_BYTES: f64 = 1e9;
/// Time between SIGTERM and SIGKILL.
const GRACE: std::time::Duration = std::time::Duration::from_secs(10);
/// Where the files of an image go on their way into a volume.
const LOADER_TARGET: &str = "/targetconfig";
/// Where the files of an object store go.
const IMPORT_TARGET: &str = "/data/output";
/// The image with `rclone`.
const IMPORT_IMAGE: &str = "docker.io/rclone/rclone:1.57.0";

/// Something that runs to its end before the container.
#[derive(Debug, Clone)]
pub(crate) struct Before {
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) line: String,
    pub(crate) env: BTreeMap<String, SecretText>,
    /// Volumes by name, and where it finds them.
    pub(crate) links: Vec<(String, String)>,
}

fn rejected(text: String) -> EngineError {
    EngineError::Rejected(text)
}

/// Words as a line that a shell takes apart into the same words.
pub(crate) fn line(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("'{}'", word.replace('\'', r"'\''"))).collect();
    quoted.join(" ")
}

fn keys(list: Option<&[Key]>) -> Vec<&str> {
    list.into_iter().flatten().map(|key| key.key.as_str()).collect()
}

/// Refuses what this machine cannot give. What is for Kubernetes alone, or for container engines alone, is passed over,
/// as every other kind of node does.
fn refuse(spec: &WorkloadSpec) -> Result<(), EngineError> {
    let config = &spec.config;
    let name = spec.name();
    let fault = if config.user.uid().is_some() {
        "runs as the user that its image names: set user to -1"
    } else if config.ports.iter().flatten().any(|port| port.external.is_some())
        || config.port_ranges.iter().flatten().next().is_some()
    {
        "cannot have outer ports: expose it with a domain"
    } else if config.routing.iter().any(|routing| {
        routing.path.as_deref().is_some_and(|path| !matches!(path, "" | "/"))
            || routing.upload_limit.as_deref().is_some_and(|limit| !limit.is_empty())
    }) {
        "can be routed by its domain alone: leave routing.path and routing.uploadLimit empty"
    } else if config.volumes.iter().flatten().any(|volume| volume.kind == Some(VolumeType::Memory)) {
        "cannot have a volume in memory"
    } else if config.expose != Expose::None && config.ports.iter().flatten().next().is_none() {
        "is exposed and has no port"
    } else {
        return Ok(());
    };
    Err(rejected(format!("on this node the container {name} {fault}")))
}

/// The hosts of an exposed container.
fn hosts(spec: &WorkloadSpec, root: Option<&str>) -> Result<Vec<String>, EngineError> {
    if spec.config.expose == Expose::None {
        return Ok(Vec::new());
    }
    let domain = spec.config.routing.as_ref().and_then(|routing| routing.domain.as_deref());
    let host = match (domain.filter(|domain| !domain.is_empty()), root) {
        (Some(domain), _) if domain.contains('.') => domain.to_owned(),
        (Some(domain), _) | (None, Some(domain)) => format!("{}.{}.{domain}", spec.name(), spec.prefix),
        (None, None) => {
            return Err(rejected(format!("{} is exposed, and neither it nor the node has a domain", spec.name())));
        }
    };
    Ok(vec![host.to_ascii_lowercase()])
}

/// The record of a container that is deployed; `known` is the one before, and `pinned` its image by digest.
///
/// # Errors
/// [`EngineError::Rejected`] for what this machine cannot give.
pub(crate) fn record(
    spec: &WorkloadSpec,
    known: Option<&Record>,
    pinned: &str,
    root: Option<&str>,
) -> Result<Record, EngineError> {
    refuse(spec)?;
    let config = &spec.config;
    let mut env = spec.environment.clone();
    env.extend(config.environment.iter().flatten().map(|pair| (pair.key.clone(), pair.value.clone())));
    env.extend(spec.secrets.iter().map(|(key, value)| (key.clone(), value.expose().to_owned())));
    let (command, args) = (keys(config.commands.as_deref()), keys(config.args.as_deref()));
    let words: Vec<&str> = command.iter().chain(&args).copied().collect();
    let (process_type, text) = match (command.is_empty(), args.is_empty()) {
        (true, true) => (ProcessType::cmd(), None),
        (true, false) => (ProcessType::cmd(), Some(line(&words))),
        (false, _) => (ProcessType::web(), Some(format!("exec {}", line(&words)))),
    };
    let before = known.map(|known| known.volumes.as_slice()).unwrap_or_default();
    let mut volumes: Vec<KeptVolume> = config
        .volumes
        .iter()
        .flatten()
        .map(|volume| KeptVolume {
            id: volume_id(before, &volume.name),
            name: volume.name.clone(),
            path: Some(volume.path.clone()),
        })
        .collect();
    let gone = before.iter().filter(|old| !volumes.iter().any(|volume| volume.name == old.name));
    let gone: Vec<KeptVolume> = gone.map(|old| KeptVolume { path: None, ..old.clone() }).collect();
    volumes.extend(gone);
    let limits = config.resource_config.as_ref().and_then(|resources| resources.limits.as_ref());
    let amount = |text: Option<&String>, factor: f64| {
        let value = text.map(|text| quantity(text) * factor).filter(|value| *value >= 1.0)?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is at least 1, and casts stop at the end"
        )]
        let value = value as u64;
        Some(value)
    };
    Ok(Record {
        app: known.map_or_else(|| AppId::generate().to_string(), |known| known.app.clone()),
        team: spec.ownership.team.to_string(),
        prefix: spec.prefix.clone(),
        name: spec.name().to_owned(),
        image: spec.image.clone(),
        pinned: pinned.to_owned(),
        env,
        secret_keys: spec.secrets.keys().cloned().collect(),
        process_type: process_type.to_string(),
        line: text,
        command: command.join(" "),
        is_routed: config.expose != Expose::None,
        hosts: hosts(spec, root)?,
        volumes,
        memory: amount(limits.and_then(|limits| limits.memory.as_ref()), 1.0),
        cpu_millis: amount(limits.and_then(|limits| limits.cpu.as_ref()), 1000.0),
        created_at: stamp(chrono::Utc::now()),
        started_at: stamp(spec.started_at),
        generation: known.map_or(0, |known| known.generation) + 1,
        version: known.map_or(0, |known| known.version).saturating_add(1),
        restarts: 0,
        is_running: true,
        is_deleted: false,
    })
}

/// What runs before the container, in this order.
///
/// # Errors
/// [`EngineError::Rejected`] for one that names no command: it is run by a line.
pub(crate) fn before(spec: &WorkloadSpec, record: &Record) -> Result<Vec<Before>, EngineError> {
    let config = &spec.config;
    let mut all = Vec::new();
    if let Some(loader) = &config.config_container {
        let from = format!("{}/", loader.path.trim_end_matches('/'));
        let mut words = vec!["rsync", "--archive"];
        if !loader.keep_files {
            words.push("--delete");
        }
        let target = format!("{LOADER_TARGET}/");
        words.extend(["--", &from, &target]);
        all.push(Before {
            name: "config-loader".to_owned(),
            image: loader.image.clone(),
            line: format!("exec {}", line(&words)),
            env: BTreeMap::new(),
            links: vec![(loader.volume.clone(), LOADER_TARGET.to_owned())],
        });
    }
    if let (Some(storage), Some(access)) = (&config.storage, &spec.storage)
        && let (Some(volume), Some(bucket)) = (&storage.path, &storage.bucket)
    {
        let mut env = BTreeMap::from([
            ("RCLONE_CONFIG_S3_TYPE".to_owned(), SecretText::new("s3")),
            ("RCLONE_CONFIG_S3_PROVIDER".to_owned(), SecretText::new("Other")),
            ("RCLONE_CONFIG_S3_ENDPOINT".to_owned(), SecretText::new(&access.endpoint)),
        ]);
        if let Some((key, secret)) = &access.credentials {
            env.insert("RCLONE_CONFIG_S3_ACCESS_KEY_ID".to_owned(), SecretText::new(key));
            env.insert("RCLONE_CONFIG_S3_SECRET_ACCESS_KEY".to_owned(), secret.clone());
        }
        all.push(Before {
            name: "import".to_owned(),
            image: IMPORT_IMAGE.to_owned(),
            line: format!("exec {}", line(&["rclone", "sync", &format!("s3:{bucket}"), IMPORT_TARGET])),
            env,
            links: vec![(volume.clone(), IMPORT_TARGET.to_owned())],
        });
    }
    for init in config.init_containers.iter().flatten() {
        let command = keys(init.command.as_deref());
        if command.is_empty() {
            let reason = "needs a command on this node: it cannot be left to its image";
            return Err(rejected(format!("{}, which runs before the container, {reason}", init.name)));
        }
        let words: Vec<&str> = command.into_iter().chain(keys(init.args.as_deref())).collect();
        let mut env: BTreeMap<String, SecretText> = BTreeMap::new();
        if init.use_parent_config {
            env.extend(record.env.iter().map(|(key, value)| (key.clone(), SecretText::new(value))));
        }
        env.extend(init.environment.iter().flatten().map(|pair| (pair.key.clone(), SecretText::new(&pair.value))));
        all.push(Before {
            name: init.name.clone(),
            image: init.image.clone(),
            line: format!("exec {}", line(&words)),
            env,
            links: init.volumes.iter().flatten().map(|link| (link.name.clone(), link.path.clone())).collect(),
        });
    }
    Ok(all)
}

/// A volume of the record, mounted at `path`.
pub(crate) fn mount(record: &Record, name: &str, path: &str) -> Result<MountSpec, EngineError> {
    let found = record.volumes.iter().find(|volume| volume.name == name);
    let volume = found.ok_or_else(|| rejected(format!("there is no volume {name:?}")))?;
    let wrong = |reason: String| rejected(format!("the volume {name:?} cannot be at {path:?}: {reason}"));
    Ok(MountSpec {
        volume: volume_parse(volume)?,
        name: VolumeName::new(name).map_err(|error| wrong(error.to_string()))?,
        path: MountPath::new(path.trim_end_matches('/')).map_err(|error| wrong(error.to_owned()))?,
    })
}

fn volume_parse(volume: &KeptVolume) -> Result<VolumeId, EngineError> {
    volume.id.parse().map_err(|_| rejected(format!("the record of the volume {:?} is broken", volume.name)))
}

/// The name of what the engine runs: it begins with a letter, and is no longer than a name may be.
pub(crate) fn app_name(record: &Record) -> Result<AppName, EngineError> {
    let name = format!("{}-{}", record.prefix, record.name);
    let name = if name.starts_with(|first: char| first.is_ascii_digit()) { format!("c-{name}") } else { name };
    AppName::new(name.clone()).map_err(|error| rejected(format!("{name:?} cannot be a container's name here: {error}")))
}

/// What the engine is to bring about.
///
/// # Errors
/// [`EngineError::Rejected`] when a path or a name is none that it takes.
pub(crate) fn app(record: &Record, login: Option<&RegistryLogin>) -> Result<AppSpec, EngineError> {
    let app = record.app().ok_or_else(|| rejected(format!("the record of {} is broken", record.name)))?;
    let mut volumes = Vec::new();
    let mut mounts = Vec::new();
    for volume in &record.volumes {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a constant")]
        let bytes = VOLUME_BYTES as u64;
        let name = VolumeName::new(&volume.name).map_err(|error| rejected(error.to_string()))?;
        volumes.push(VolumeSpec { id: volume_parse(volume)?, name, bytes });
        if let Some(path) = &volume.path {
            mounts.push(mount(record, &volume.name, path)?);
        }
    }
    let limit = |limit: Option<u64>| limit.map(|limit| Limit { request: None, limit });
    let process = ProcessSpec {
        process_type: ProcessType::new(&record.process_type).map_err(|error| rejected(error.to_string()))?,
        command: record.line.clone(),
        replicas: u32::from(record.is_running),
        autoscale: None,
        is_routed: record.is_routed,
        restart_token: record.restarts,
        memory: limit(record.memory),
        cpu: limit(record.cpu_millis),
        readiness: None,
        liveness: None,
        grace: GRACE,
        mounts,
        post_start: None,
        pre_stop: None,
    };
    let release = ReleaseSpec {
        version: ReleaseVersion(record.version),
        summary: format!("deployment of {}", record.image),
        artifact: Artifact::Image { reference: record.pinned.clone() },
        kind: BuildKind::Image,
        registry: login.cloned(),
        placement: BTreeMap::new(),
        env: record.env.iter().map(|(key, value)| (key.clone(), SecretText::new(value))).collect(),
        processes: vec![process],
    };
    let route = RouteSpec { hosts: record.hosts.clone(), is_routable: record.is_routed, ..RouteSpec::default() };
    Ok(AppSpec {
        app,
        name: app_name(record)?,
        generation: record.generation,
        release: (!record.is_deleted).then_some(release),
        route: if record.is_deleted { RouteSpec::default() } else { route },
        volumes,
    })
}
