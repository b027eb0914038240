//! What an engine is asked to make of a container of a deployment. Pure. Source: `team-api.md` §8.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bollard_stubs::models::{
    ContainerCreateBody, EndpointSettings, HostConfig, HostConfigLogConfig, NetworkingConfig,
    RestartPolicy as EngineRestartPolicy, RestartPolicyNameEnum,
};
use chrono::SecondsFormat;
use slipway_engine::workload::WorkloadSpec;
use slipway_engine::workload_label::labels_of;
use slipway_team::container::check::is_label;
use slipway_team::container::part::{InitContainer, Key, KeyValue};
use slipway_team::container::{LogDriver, RestartPolicy};

use crate::mount::{Directories, VolumeWish};
use crate::network::{Networks, endpoint, networks, ports};
use crate::route;
use crate::settings::DockerSettings;

/// Label with the container's name; with [`slipway_engine::workload_label::LABEL_PREFIX`] it says whose something is.
pub(crate) const LABEL_CONTAINER: &str = "slipway.io/container";
/// Label that says what something is.
pub(crate) const LABEL_ROLE: &str = "slipway.io/role";
/// [`LABEL_ROLE`] of a container that people see.
pub(crate) const ROLE_MAIN: &str = "main";
/// [`LABEL_ROLE`] of a container that runs before.
pub(crate) const ROLE_INIT: &str = "init";
/// [`LABEL_ROLE`] of a volume that stays.
pub(crate) const ROLE_VOLUME: &str = "volume";
/// [`LABEL_ROLE`] of a volume that goes with its container.
pub(crate) const ROLE_TEMPORARY: &str = "temporary-volume";
/// [`LABEL_ROLE`] of a network.
pub(crate) const ROLE_NETWORK: &str = "network";
/// Label with the time of the start that a container was made by: the same start makes it once.
pub(crate) const LABEL_STARTED_AT: &str = "slipway.io/started-at";
/// Label with the names of the secrets.
pub(crate) const LABEL_SECRETS: &str = "slipway.io/secret-keys";
/// The prefix under the label's name of the system before.
const LABEL_PREFIX_BEFORE: &str = "org.dyrectorio.container.prefix";
/// The names of the secrets under the label's name of the system before.
const LABEL_SECRETS_BEFORE: &str = "org.dyrectorio.secret.keys";
/// Longest host name. Source: RFC 1123 §2.1.
const HOSTNAME_MAX: usize = 63;
/// Where the files of an image go on their way into a volume.
const LOADER_TARGET: &str = "/targetconfig";
/// Where the files of an object store go.
const IMPORT_TARGET: &str = "/data/output";

/// Why a container cannot be made on an engine. The text is for the user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unfit(pub String);

/// A container that an engine is asked to make.
#[derive(Clone, PartialEq)]
pub(crate) struct Creation {
    /// Its name on the engine.
    pub name: String,
    /// As people know it.
    pub shown: String,
    pub body: ContainerCreateBody,
}

impl fmt::Debug for Creation {
    /// Without the body: it holds secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Creation").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Creation {
    /// What it runs.
    pub(crate) fn image(&self) -> &str {
        self.body.image.as_deref().unwrap_or_default()
    }
}

/// All that is made for a container.
#[derive(Debug)]
pub(crate) struct Plan {
    pub main: Creation,
    /// What runs before it, in this order, each to its end.
    pub init: Vec<Creation>,
    pub volumes: Vec<VolumeWish>,
    pub networks: Networks,
    /// How it is called in its networks.
    pub endpoint: EndpointSettings,
}

/// The name of a container on an engine.
pub(crate) fn full_name(prefix: &str, name: &str) -> String {
    format!("{prefix}-{name}")
}

/// What is made for the container of `spec`.
///
/// # Errors
/// [`Unfit`] when it cannot be had on an engine.
pub(crate) fn plan(spec: &WorkloadSpec, settings: &DockerSettings) -> Result<Plan, Unfit> {
    let config = &spec.config;
    let name = full_name(&spec.prefix, spec.name());
    if !is_label(&spec.prefix) || !is_label(spec.name()) || name.len() > HOSTNAME_MAX {
        return Err(Unfit(format!("{name:?} is not a host name of at most {HOSTNAME_MAX} characters")));
    }
    let directories = Directories::of(spec)?;
    let networks = networks(spec, settings)?;
    let endpoint = endpoint(spec, &name);
    let (exposed, bound) = ports(spec);
    let has_ports = networks.has_ports();
    let endpoints = networks.named.first().map(|first| NetworkingConfig {
        endpoints_config: Some(std::iter::once((first.clone(), endpoint.clone())).collect()),
    });
    let body = ContainerCreateBody {
        // The machine's network comes with the machine's name.
        hostname: (networks.mode != "host").then(|| name.clone()),
        image: Some(spec.image.clone()),
        env: Some(environment(spec)?),
        labels: Some(labels(spec, &name, settings)?.into_iter().collect()),
        user: config.user.uid().map(|uid| uid.to_string()),
        tty: Some(config.tty),
        entrypoint: words(config.commands.as_deref()),
        cmd: words(config.args.as_deref()),
        exposed_ports: (has_ports && !exposed.is_empty()).then(|| exposed.into_iter().collect()),
        host_config: Some(HostConfig {
            port_bindings: (has_ports && !bound.is_empty()).then(|| bound.into_iter().collect()),
            network_mode: Some(networks.mode.clone()),
            mounts: (!directories.mounts.is_empty()).then(|| directories.mounts.clone()),
            tmpfs: (!directories.memory.is_empty()).then(|| directories.memory.clone().into_iter().collect()),
            restart_policy: Some(restart_policy(config.restart_policy)),
            log_config: log_config(spec),
            ..HostConfig::default()
        }),
        networking_config: endpoints,
        ..ContainerCreateBody::default()
    };
    let init = init_containers(spec, &directories, &networks, settings)?;
    let main = Creation { shown: spec.name().to_owned(), name, body };
    Ok(Plan { main, init, volumes: directories.volumes, networks, endpoint })
}

/// The variables: a secret goes before the container's own, and that before the deployment's.
fn environment(spec: &WorkloadSpec) -> Result<Vec<String>, Unfit> {
    let mut all: BTreeMap<&str, &str> =
        spec.environment.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    all.extend(spec.config.environment.iter().flatten().map(|pair| (pair.key.as_str(), pair.value.as_str())));
    all.extend(spec.secrets.iter().map(|(key, value)| (key.as_str(), value.expose())));
    variables(all)
}

fn variables<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Vec<String>, Unfit> {
    let one = |(key, value): (&str, &str)| {
        if key.is_empty() || key.contains(['=', '\0']) {
            return Err(Unfit(format!("{key:?} is not the name of a variable")));
        }
        if value.contains('\0') {
            return Err(Unfit(format!("the value of {key:?} has a NUL")));
        }
        Ok(format!("{key}={value}"))
    };
    pairs.into_iter().map(one).collect()
}

fn words(words: Option<&[Key]>) -> Option<Vec<String>> {
    let words: Vec<String> = words.into_iter().flatten().map(|word| word.key.clone()).collect();
    (!words.is_empty()).then_some(words)
}

/// The user's labels go before Traefik's and those of the system before; what we look for comes last.
fn labels(spec: &WorkloadSpec, full_name: &str, settings: &DockerSettings) -> Result<BTreeMap<String, String>, Unfit> {
    let secrets: BTreeSet<&str> = spec.secrets.keys().map(String::as_str).collect();
    let secrets = secrets.into_iter().collect::<Vec<_>>().join(",");
    let mut labels = route::labels(spec, full_name, settings)?;
    labels.insert(LABEL_PREFIX_BEFORE.to_owned(), spec.prefix.clone());
    labels.insert(LABEL_SECRETS_BEFORE.to_owned(), secrets.clone());
    labels.extend(spec.config.docker_labels.iter().flatten().map(|pair| (pair.key.clone(), pair.value.clone())));
    labels.extend(own_labels(spec, ROLE_MAIN));
    let started = spec.started_at.to_rfc3339_opts(SecondsFormat::Millis, true);
    labels.insert(LABEL_STARTED_AT.to_owned(), started);
    labels.insert(LABEL_SECRETS.to_owned(), secrets);
    Ok(labels)
}

/// The labels that something of the container of `spec` is told by.
pub(crate) fn own_labels(spec: &WorkloadSpec, role: &str) -> BTreeMap<String, String> {
    let mut labels: BTreeMap<String, String> =
        labels_of(&spec.ownership, &spec.prefix).into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    labels.insert(LABEL_CONTAINER.to_owned(), spec.name().to_owned());
    labels.insert(LABEL_ROLE.to_owned(), role.to_owned());
    labels
}

fn restart_policy(policy: RestartPolicy) -> EngineRestartPolicy {
    let name = match policy {
        RestartPolicy::Always => RestartPolicyNameEnum::ALWAYS,
        RestartPolicy::UnlessStopped => RestartPolicyNameEnum::UNLESS_STOPPED,
        RestartPolicy::No => RestartPolicyNameEnum::NO,
        RestartPolicy::OnFailure => RestartPolicyNameEnum::ON_FAILURE,
    };
    EngineRestartPolicy { name: Some(name), maximum_retry_count: None }
}

fn log_config(spec: &WorkloadSpec) -> Option<HostConfigLogConfig> {
    let config = spec.config.log_config.as_ref().filter(|config| config.driver != LogDriver::NodeDefault)?;
    let options = config.options.iter().map(|pair| (pair.key.clone(), pair.value.clone())).collect();
    Some(HostConfigLogConfig { typ: Some(config.driver.as_str().to_owned()), config: Some(options) })
}

/// What runs before the container: its files, its import, then what the user wants. Source: `team-api.md` §7.7.
fn init_containers(
    spec: &WorkloadSpec,
    directories: &Directories,
    networks: &Networks,
    settings: &DockerSettings,
) -> Result<Vec<Creation>, Unfit> {
    let config = &spec.config;
    let mut all = Vec::new();
    let mut add = |name: &str, image: &str, mut body: ContainerCreateBody, mounts: Vec<_>| {
        body.image = Some(image.to_owned());
        body.labels = Some(own_labels(spec, ROLE_INIT).into_iter().collect());
        body.host_config = Some(HostConfig {
            network_mode: Some(networks.mode.clone()),
            mounts: (!mounts.is_empty()).then_some(mounts),
            ..HostConfig::default()
        });
        // A dot is in no name of a container of a deployment.
        let full_name = format!("{}.{name}", full_name(&spec.prefix, spec.name()));
        all.push(Creation { name: full_name, shown: name.to_owned(), body });
    };
    if let Some(loader) = &config.config_container {
        let mut command = vec!["rsync".to_owned(), "--archive".to_owned()];
        if !loader.keep_files {
            command.push("--delete".to_owned());
        }
        let from = format!("{}/", loader.path.trim_end_matches('/'));
        command.extend(["--".to_owned(), from, format!("{LOADER_TARGET}/")]);
        let body = ContainerCreateBody { entrypoint: Some(command), ..ContainerCreateBody::default() };
        add("config-loader", &loader.image, body, vec![directories.link(&loader.volume, LOADER_TARGET)?]);
    }
    if let (Some(storage), Some(access)) = (&config.storage, &spec.storage)
        && let (Some(volume), Some(bucket)) = (&storage.path, &storage.bucket)
    {
        let mut env = vec![
            ("RCLONE_CONFIG_S3_TYPE", "s3"),
            ("RCLONE_CONFIG_S3_PROVIDER", "Other"),
            ("RCLONE_CONFIG_S3_ENDPOINT", &access.endpoint),
        ];
        if let Some((key, secret)) = &access.credentials {
            env.push(("RCLONE_CONFIG_S3_ACCESS_KEY_ID", key));
            env.push(("RCLONE_CONFIG_S3_SECRET_ACCESS_KEY", secret.expose()));
        }
        let args = vec!["sync".to_owned(), format!("s3:{bucket}"), IMPORT_TARGET.to_owned()];
        let body =
            ContainerCreateBody { cmd: Some(args), env: Some(variables(env)?), ..ContainerCreateBody::default() };
        add("import", &settings.import_image, body, vec![directories.link(volume, IMPORT_TARGET)?]);
    }
    for init in config.init_containers.iter().flatten() {
        let links = init.volumes.iter().flatten().map(|link| directories.link(&link.name, &link.path));
        let body = ContainerCreateBody {
            entrypoint: words(init.command.as_deref()),
            cmd: words(init.args.as_deref()),
            env: Some(init_environment(spec, init)?),
            ..ContainerCreateBody::default()
        };
        add(&init.name, &init.image, body, links.collect::<Result<_, _>>()?);
    }
    Ok(all)
}

fn init_environment(spec: &WorkloadSpec, init: &InitContainer) -> Result<Vec<String>, Unfit> {
    let pair = |pair: &KeyValue| (pair.key.clone(), pair.value.clone());
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    if init.use_parent_config {
        all.extend(spec.environment.clone());
        all.extend(spec.config.environment.iter().flatten().map(pair));
        all.extend(spec.secrets.iter().map(|(key, value)| (key.clone(), value.expose().to_owned())));
    }
    all.extend(init.environment.iter().flatten().map(pair));
    variables(all.iter().map(|(key, value)| (key.as_str(), value.as_str())))
}
