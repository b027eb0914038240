//! The Deployment of a container. Source: `team-api.md` §7.3, §7.4 and §7.7.

use chrono::SecondsFormat;
use serde_json::{Map, Value, json};
use slipway_engine::workload::WorkloadSpec;
use slipway_team::container::part::{Amount, InitContainer, Key};
use slipway_team::container::{DeploymentStrategy, VolumeType};

use super::objects::{
    ANNOTATION_RESTARTED_AT, LABEL_SELECTOR, Names, WorkloadSettings, labels_of, pairs, volume_name, volume_size,
};

/// Where the files of an image go on their way into a volume.
const LOADER_TARGET: &str = "/targetconfig";
/// Seconds that a container without a readiness probe must run before it counts: one that ends at once never runs.
const SETTLE_SECS: u32 = 3;
/// Where the files of an object store go.
const IMPORT_TARGET: &str = "/data/output";

/// The Deployment, but for its name and its labels of ours.
pub(super) fn deployment(spec: &WorkloadSpec, settings: &WorkloadSettings) -> Value {
    let config = &spec.config;
    let name = spec.name();
    let mut own_labels: Map<String, Value> = pairs(config.labels.deployment.as_deref())
        .into_iter()
        .map(|(key, value)| (key.to_owned(), json!(value)))
        .collect();
    let mut pod_labels = own_labels.clone();
    for (key, value) in labels_of(&spec.ownership, &spec.prefix) {
        pod_labels.insert(key.to_owned(), json!(value));
    }
    // The selector holds on to this one, whatever the user's labels say.
    pod_labels.insert(LABEL_SELECTOR.to_owned(), json!(name));
    own_labels.insert(LABEL_SELECTOR.to_owned(), json!(name));
    let annotations = pairs(config.annotations.deployment.as_deref());
    let mut pod_annotations: Map<String, Value> =
        annotations.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
    let started = spec.started_at.to_rfc3339_opts(SecondsFormat::Millis, true);
    pod_annotations.insert(ANNOTATION_RESTARTED_AT.to_owned(), json!(started));
    let strategy = match config.deployment_strategy {
        DeploymentStrategy::Recreate => "Recreate",
        DeploymentStrategy::Rolling => "RollingUpdate",
    };
    let mut pod = json!({
        "automountServiceAccountToken": false,
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container(spec, settings)],
    });
    let init = init_containers(spec, settings);
    if !init.is_empty() {
        pod["initContainers"] = Value::Array(init);
    }
    let volumes = volumes(spec);
    if !volumes.is_empty() {
        pod["volumes"] = Value::Array(volumes);
    }
    if spec.registry.is_some() {
        pod["imagePullSecrets"] = json!([{"name": Names::of(&spec.prefix, name).registry}]);
    }
    let health = config.health_check_config.as_ref();
    let has_check = health.is_some_and(|health| health.readiness_probe.as_ref().is_some_and(|path| !path.is_empty()));
    json!({
        "metadata": {"labels": own_labels, "annotations": annotations},
        "spec": {
            "replicas": 1,
            "minReadySeconds": if has_check { 0 } else { SETTLE_SECS },
            "selector": {"matchLabels": {LABEL_SELECTOR: name}},
            "strategy": {"type": strategy},
            "template": {"metadata": {"labels": pod_labels, "annotations": pod_annotations}, "spec": pod},
        },
    })
}

fn container(spec: &WorkloadSpec, settings: &WorkloadSettings) -> Value {
    let config = &spec.config;
    let mut container = json!({"name": spec.name(), "image": spec.image, "resources": resources(spec, settings)});
    set_words(&mut container, "command", config.commands.as_deref());
    set_words(&mut container, "args", config.args.as_deref());
    if config.tty {
        container["tty"] = json!(true);
    }
    if let Some(uid) = config.user.uid() {
        container["securityContext"] = json!({"runAsUser": uid});
    }
    let from = environment_from(spec);
    if !from.is_empty() {
        container["envFrom"] = Value::Array(from);
    }
    let ports: Vec<Value> = config
        .ports
        .iter()
        .flatten()
        .map(|port| {
            let inner = port.internal;
            json!({"name": format!("port-{inner}"), "containerPort": inner, "protocol": "TCP"})
        })
        .collect();
    if !ports.is_empty() {
        container["ports"] = Value::Array(ports);
    }
    let mounts: Vec<Value> = config
        .volumes
        .iter()
        .flatten()
        .map(|volume| {
            let is_read_only = volume.kind == Some(VolumeType::ReadOnly);
            json!({"name": volume_name(spec.name(), &volume.name), "mountPath": volume.path, "readOnly": is_read_only})
        })
        .collect();
    if !mounts.is_empty() {
        container["volumeMounts"] = Value::Array(mounts);
    }
    set_probes(&mut container, spec, settings);
    container
}

/// Later ones go before earlier ones: secret, container, deployment.
fn environment_from(spec: &WorkloadSpec) -> Vec<Value> {
    let mut from = Vec::new();
    if !spec.environment.is_empty() {
        from.push(json!({"configMapRef": {"name": Names::of(&spec.prefix, spec.name()).common}}));
    }
    if spec.config.environment.as_ref().is_some_and(|list| !list.is_empty()) {
        from.push(json!({"configMapRef": {"name": spec.name()}}));
    }
    if !spec.secrets.is_empty() {
        from.push(json!({"secretRef": {"name": spec.name()}}));
    }
    from
}

fn set_words(container: &mut Value, member: &str, words: Option<&[Key]>) {
    if let Some(words) = words.filter(|words| !words.is_empty()) {
        container[member] = words.iter().map(|word| json!(word.key)).collect();
    }
}

fn set_probes(container: &mut Value, spec: &WorkloadSpec, settings: &WorkloadSettings) {
    let Some(health) = &spec.config.health_check_config else { return };
    let first = spec.config.ports.iter().flatten().next().map(|port| port.internal);
    let Some(port) = health.port.or(first) else { return };
    let probes = [
        ("livenessProbe", &health.liveness_probe),
        ("readinessProbe", &health.readiness_probe),
        ("startupProbe", &health.startup_probe),
    ];
    for (member, path) in probes {
        if let Some(path) = path.as_deref().filter(|path| !path.is_empty()) {
            container[member] = json!({
                "httpGet": {"path": path, "port": port},
                "initialDelaySeconds": settings.probe_delay_secs,
                "failureThreshold": settings.probe_failures,
            });
        }
    }
}

fn resources(spec: &WorkloadSpec, settings: &WorkloadSettings) -> Value {
    let resources = spec.config.resource_config.clone().unwrap_or_default();
    let amount = |given: Option<Amount>, (cpu, memory): &(String, String)| {
        let given = given.unwrap_or_default();
        let filled = |text: Option<String>, default: &str| {
            text.filter(|text| !text.is_empty()).unwrap_or_else(|| default.to_owned())
        };
        (filled(given.cpu, cpu), filled(given.memory, memory))
    };
    let (cpu, memory) = amount(resources.limits, &settings.limits);
    let mut limits = json!({"memory": memory});
    // "0" takes the limit away. Source: `team-api.md` §7.3.
    if cpu != "0" {
        limits["cpu"] = json!(cpu);
    }
    let (cpu, memory) = amount(resources.requests, &settings.requests);
    json!({"limits": limits, "requests": {"cpu": cpu, "memory": memory}})
}

fn volumes(spec: &WorkloadSpec) -> Vec<Value> {
    let of = |volume: &slipway_team::container::part::Volume| {
        let name = volume_name(spec.name(), &volume.name);
        match volume.kind.unwrap_or_default() {
            VolumeType::Memory => {
                json!({"name": name, "emptyDir": {"medium": "Memory", "sizeLimit": volume_size(volume)}})
            }
            VolumeType::Temporary => json!({"name": name, "emptyDir": {"sizeLimit": volume_size(volume)}}),
            VolumeType::ReadOnly | VolumeType::ReadWriteOnce | VolumeType::ReadWriteMany => {
                json!({"name": name, "persistentVolumeClaim": {"claimName": name}})
            }
        }
    };
    spec.config.volumes.iter().flatten().map(of).collect()
}

/// What runs before the container: its files, its import, then what the user wants.
fn init_containers(spec: &WorkloadSpec, settings: &WorkloadSettings) -> Vec<Value> {
    let config = &spec.config;
    let name = spec.name();
    let mut all = Vec::new();
    if let Some(loader) = &config.config_container {
        let mut command = vec!["rsync".to_owned(), "--archive".to_owned()];
        if !loader.keep_files {
            command.push("--delete".to_owned());
        }
        command.extend([
            "--".to_owned(),
            format!("{}/", loader.path.trim_end_matches('/')),
            format!("{LOADER_TARGET}/"),
        ]);
        all.push(json!({
            "name": "config-loader", "image": loader.image, "imagePullPolicy": "Always", "command": command,
            "volumeMounts": [{"name": volume_name(name, &loader.volume), "mountPath": LOADER_TARGET}],
        }));
    }
    if let (Some(storage), Some(access)) = (&config.storage, &spec.storage)
        && let (Some(volume), Some(bucket)) = (&storage.path, &storage.bucket)
    {
        let mut env = vec![
            json!({"name": "RCLONE_CONFIG_S3_TYPE", "value": "s3"}),
            json!({"name": "RCLONE_CONFIG_S3_PROVIDER", "value": "Other"}),
            json!({"name": "RCLONE_CONFIG_S3_ENDPOINT", "value": access.endpoint}),
        ];
        if access.credentials.is_some() {
            let secret = Names::of(&spec.prefix, name).import;
            let of = |name: &str, key: &str| json!({"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}});
            env.push(of("RCLONE_CONFIG_S3_ACCESS_KEY_ID", "key"));
            env.push(of("RCLONE_CONFIG_S3_SECRET_ACCESS_KEY", "secret"));
        }
        all.push(json!({
            "name": "import", "image": settings.import_image, "imagePullPolicy": "Always",
            "args": ["sync", format!("s3:{bucket}"), IMPORT_TARGET], "env": env,
            "volumeMounts": [{"name": volume_name(name, volume), "mountPath": IMPORT_TARGET}],
        }));
    }
    all.extend(config.init_containers.iter().flatten().map(|init| init_container(spec, init)));
    all
}

fn init_container(spec: &WorkloadSpec, init: &InitContainer) -> Value {
    let mut container = json!({"name": init.name, "image": init.image, "imagePullPolicy": "Always"});
    set_words(&mut container, "command", init.command.as_deref());
    set_words(&mut container, "args", init.args.as_deref());
    let env: Vec<Value> =
        init.environment.iter().flatten().map(|pair| json!({"name": pair.key, "value": pair.value})).collect();
    if !env.is_empty() {
        container["env"] = Value::Array(env);
    }
    if init.use_parent_config {
        container["envFrom"] = Value::Array(environment_from(spec));
    }
    let mounts: Vec<Value> = init
        .volumes
        .iter()
        .flatten()
        .map(|link| json!({"name": volume_name(spec.name(), &link.name), "mountPath": link.path}))
        .collect();
    if !mounts.is_empty() {
        container["volumeMounts"] = Value::Array(mounts);
    }
    container
}
