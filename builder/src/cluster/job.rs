//! The Job of a build and its Secret, rendered. Nothing here talks to the cluster.
//!
//! A Job has steps that run one after the other in one pod: init containers, and one last container. Code of the app
//! runs in a middle step only, which has no credentials but a token that is spent before; what writes to the registry
//! or to the builder runs in the last one, in a container of its own, which sees the others' files and not their
//! processes.

use std::collections::BTreeMap;
use std::path::Path;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use slipway_core::config::SecretText;
use slipway_core::{AppId, AppName};
use uuid::Uuid;

use super::listener::Tokens;
use super::settings::{ClusterBuildConfig, DockerfileEngine, DockerfileStorage, NativeSettings};
use super::step_cache;
use super::task::{self, Task};
use crate::export::registry::Credentials;

/// Value of the label `heritage`: not the controller's, which removes what it does not know.
pub const HERITAGE: &str = "slipway-builder";
/// Label with the build's id.
pub const LABEL_BUILD: &str = "slipway.io/build";
/// Label with the id of the builder's data directory: who may sweep it.
pub const LABEL_BUILDER: &str = "slipway.io/builder";
/// Label with the app's id.
pub const LABEL_APP_ID: &str = "slipway.io/app-id";
/// User and group of the steps.
const STEP_ID: i64 = 1000;
/// The container of the last step.
pub const LAST: &str = "export";
/// The name of what buildah built, in its storage.
const BUILT: &str = "localhost/slipway/built:image";
/// Where an image is left for the last step.
const LAYOUT: &str = "oci:/workspace/layout:image";

/// How an app is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// With the built-in buildpacks.
    Slug,
    /// From its Dockerfile, with config values as build arguments when it asked for that.
    Dockerfile {
        /// Names of config values that are build arguments.
        arguments: Vec<String>,
        /// Where steps find what they made in earlier builds; `None`: all are done.
        steps: Option<String>,
    },
    /// With Cloud Native Buildpacks.
    Native {
        /// Which.
        settings: NativeSettings,
        /// The image that the app was built to before, whose layers are used again when nothing in them changes.
        previous: Option<String>,
    },
}

impl Kind {
    /// The beginning of the Job's name. Source: `drycc-v2.md` §5.7.
    fn prefix(&self) -> &'static str {
        match self {
            Self::Slug => "slugbuild",
            Self::Dockerfile { .. } => "imagebuild",
            Self::Native { .. } => "cnbbuild",
        }
    }

    /// The containers of the Job in the order in which they run.
    #[must_use]
    pub fn steps(&self) -> &'static [&'static str] {
        match self {
            Self::Slug => &["build", LAST],
            Self::Dockerfile { steps: Some(_), .. } => &["fetch", "build", "pack", LAST],
            Self::Dockerfile { .. } | Self::Native { .. } => &["fetch", "build", LAST],
        }
    }
}

/// One build, as far as its Job depends on it.
#[derive(Debug, Clone)]
pub struct BuildJob<'a> {
    /// The build.
    pub build: Uuid,
    /// The builder's data directory.
    pub builder: &'a str,
    /// The app.
    pub app: AppId,
    /// Its name.
    pub name: &'a AppName,
    /// Full commit hash.
    pub sha: &'a str,
    /// How it is built.
    pub kind: &'a Kind,
    /// What its steps are told.
    pub task: &'a Task,
}

impl BuildJob<'_> {
    /// Name of Job and Secret: `slugbuild-<app>-<sha8>-<id8>`, at most 63 characters.
    #[must_use]
    pub fn object_name(&self) -> String {
        let app: String = self.name.as_str().chars().take(30).collect();
        let sha: String = self.sha.chars().take(8).collect();
        let id = self.build.simple().to_string();
        format!("{}-{}-{sha}-{}", self.kind.prefix(), app.trim_end_matches('-'), &id[id.len() - 8..])
    }

    fn labels(&self) -> BTreeMap<&'static str, String> {
        BTreeMap::from([
            ("heritage", HERITAGE.to_owned()),
            ("app", self.name.to_string()),
            ("type", self.kind.prefix().to_owned()),
            ("app.kubernetes.io/managed-by", HERITAGE.to_owned()),
            ("app.kubernetes.io/component", "build".to_owned()),
            (LABEL_APP_ID, self.app.to_string()),
            (LABEL_BUILD, self.build.to_string()),
            (LABEL_BUILDER, self.builder.to_owned()),
        ])
    }

    /// The Secret with what the steps must keep to themselves; it goes with its `owner`, the Job.
    ///
    /// # Errors
    /// When the object cannot be made, which would be a fault of ours.
    pub fn secret(
        &self,
        config: &ClusterBuildConfig,
        owner: &OwnerReference,
        tokens: &Tokens,
        env: &BTreeMap<String, SecretText>,
    ) -> Result<Secret, serde_json::Error> {
        let values: BTreeMap<&String, &str> = env.iter().map(|(name, value)| (name, value.expose())).collect();
        let mut data = json!({
            "fetch-token": tokens.fetch.expose_secret(),
            "report-token": tokens.report.expose_secret(),
            "env.json": serde_json::to_string(&values)?,
            "config.json": config.registry.credentials.to_docker_config(),
        });
        if let Kind::Dockerfile { arguments, steps } = self.kind {
            data["registries.conf"] = json!(registries(config, steps.as_deref()));
            if let Some(host) = steps {
                let credentials = Credentials::one(host, &self.build.to_string(), tokens.steps.expose_secret());
                data["steps.json"] = json!(credentials.to_docker_config());
            }
            for name in arguments {
                // A key of its own for each: the engine takes values from its environment.
                let value = env.get(name).map(SecretText::expose).unwrap_or_default();
                data[format!("argument.{name}")] = json!(value);
            }
        }
        if let Some(authorities) = &config.authorities {
            data["authorities.crt"] = json!(authorities.pem());
        }
        if let Kind::Native { .. } = self.kind {
            data["cnb-auth"] = json!(registry_headers(config));
        }
        serde_json::from_value(json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": self.object_name(),
                "namespace": config.namespace,
                "labels": self.labels(),
                "ownerReferences": [owner],
            },
            "type": "Opaque",
            "immutable": true,
            "stringData": data,
        }))
    }

    /// The Job.
    ///
    /// # Errors
    /// When the object cannot be made, which would be a fault of ours.
    pub fn job(&self, config: &ClusterBuildConfig) -> Result<Job, serde_json::Error> {
        let limits = &config.limits;
        let steps = match self.kind {
            Kind::Slug => vec![self.own_step(config, "build", "build-slug", "fetch-token")?],
            Kind::Dockerfile { arguments, steps } => {
                let mut all = vec![
                    self.own_step(config, "fetch", "fetch", "fetch-token")?,
                    self.dockerfile_step(config, arguments, steps.as_deref()),
                ];
                all.extend(steps.as_ref().map(|_| pack_step(config)));
                all
            }
            Kind::Native { settings, previous } => {
                let build = self.native_step(config, settings, previous.as_deref());
                vec![self.own_step(config, "fetch", "fetch", "fetch-token")?, build]
            }
        };
        let last = self.own_step(config, LAST, "export", "report-token")?;
        let name = self.object_name();
        let deadline = limits.start + limits.time * 2;
        let (user, group) = match self.kind {
            Kind::Native { settings, .. } => (settings.user, settings.group),
            Kind::Slug | Kind::Dockerfile { .. } => (STEP_ID, STEP_ID),
        };
        let mut pod = json!({
            "restartPolicy": "Never",
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            // A build that is cancelled has nothing to finish.
            "terminationGracePeriodSeconds": 1,
            "securityContext": {
                "runAsNonRoot": true, "runAsUser": user, "runAsGroup": group, "fsGroup": group,
                "seccompProfile": { "type": "RuntimeDefault" },
            },
            "initContainers": steps,
            "containers": [last],
            "volumes": [
                { "name": "workspace", "emptyDir": { "sizeLimit": limits.disk_bytes.to_string() } },
                { "name": "tmp", "emptyDir": { "sizeLimit": limits.disk_bytes.to_string() } },
                {
                    "name": "env",
                    "secret": { "secretName": name, "items": [{ "key": "env.json", "path": "env.json" }] },
                },
                {
                    "name": "registry",
                    "secret": { "secretName": name, "items": [{ "key": "config.json", "path": "config.json" }] },
                },
            ],
        });
        if let (Kind::Dockerfile { steps, .. }, Some(volumes)) = (self.kind, pod["volumes"].as_array_mut()) {
            let mut items = vec![json!({ "key": "registries.conf", "path": "registries.conf" })];
            items.extend(steps.as_ref().map(|_| json!({ "key": "steps.json", "path": "steps.json" })));
            volumes.push(json!({ "name": "registries", "secret": { "secretName": name, "items": items } }));
        }
        if let (Some(_), Some(volumes)) = (&config.authorities, pod["volumes"].as_array_mut()) {
            let items = json!([{ "key": "authorities.crt", "path": "authorities.crt" }]);
            volumes.push(json!({ "name": "authorities", "secret": { "secretName": name, "items": items } }));
        }
        if !config.node_selector.is_empty() {
            pod["nodeSelector"] = json!(config.node_selector);
        }
        serde_json::from_value(json!({
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": { "name": name, "namespace": config.namespace, "labels": self.labels() },
            "spec": {
                "backoffLimit": 0,
                "completions": 1,
                "parallelism": 1,
                "activeDeadlineSeconds": deadline.as_secs(),
                "ttlSecondsAfterFinished": limits.ttl.as_secs(),
                "template": { "metadata": { "labels": self.labels() }, "spec": pod },
            },
        }))
    }

    /// A step of this program, from the stack image.
    fn own_step(
        &self,
        config: &ClusterBuildConfig,
        name: &str,
        command: &str,
        token: &str,
    ) -> Result<Value, serde_json::Error> {
        let mut env = vec![
            json!({ "name": task::TASK, "value": serde_json::to_string(self.task)? }),
            json!({
                "name": task::TOKEN,
                "valueFrom": { "secretKeyRef": { "name": self.object_name(), "key": token } },
            }),
            json!({ "name": "HOME", "value": "/tmp" }),
        ];
        let mut mounts = vec![
            json!({ "name": "workspace", "mountPath": task::WORKSPACE }),
            json!({ "name": "tmp", "mountPath": "/tmp" }),
        ];
        if name == LAST {
            mounts.push(json!({ "name": "registry", "mountPath": "/secrets/registry", "readOnly": true }));
        } else if matches!(self.kind, Kind::Slug | Kind::Native { .. }) {
            mounts.push(json!({ "name": "env", "mountPath": "/secrets/env", "readOnly": true }));
        }
        if command == "build-slug" {
            env.extend(config.env.iter().map(|(name, value)| json!({ "name": name, "value": value })));
        }
        mounts.extend(authorities_mount(config));
        let mut step = container(config, name, &config.stack);
        step["command"] = json!(["slipway-builder", command]);
        step["env"] = json!(env);
        step["volumeMounts"] = json!(mounts);
        Ok(step)
    }

    /// Builds the Dockerfile into an OCI layout; without the registry's credentials, since it runs the app's code. With
    /// `steps`, into the storage: buildah 1.28 cannot keep what the last step makes while it goes into a layout.
    fn dockerfile_step(&self, config: &ClusterBuildConfig, arguments: &[String], steps: Option<&str>) -> Value {
        let settings = &config.dockerfile;
        let mut step = container(config, "build", &settings.image);
        let mut env = vec![json!({ "name": "HOME", "value": "/tmp" })];
        env.extend(foreign_environment(config));
        let command = match settings.engine {
            DockerfileEngine::Buildah => {
                env.extend([
                    json!({ "name": "BUILDAH_ISOLATION", "value": "chroot" }),
                    json!({ "name": "CONTAINERS_REGISTRIES_CONF", "value": "/secrets/registries/registries.conf" }),
                ]);
                let mut command = buildah(settings.storage);
                let options = ["build", "--isolation", "chroot", "--format", "oci"];
                command.extend(options.map(str::to_owned));
                command.extend(["--file", "/workspace/source/Dockerfile", "--tag"].map(str::to_owned));
                match steps {
                    Some(host) => {
                        let repository = format!("{host}/{}", step_cache::REPOSITORY);
                        command.extend([BUILT.to_owned(), "--layers".to_owned()]);
                        command.push(format!("--cache-from={repository}"));
                        command.push(format!("--cache-to={repository}"));
                        env.push(json!({ "name": "REGISTRY_AUTH_FILE", "value": "/secrets/registries/steps.json" }));
                    }
                    None => command.push(LAYOUT.to_owned()),
                }
                // Only the name: the value is in the environment.
                command.extend(arguments.iter().flat_map(|name| ["--build-arg".to_owned(), name.clone()]));
                command.push("/workspace/source".to_owned());
                command
            }
            DockerfileEngine::Buildkit => {
                env.push(json!({ "name": "BUILDKITD_FLAGS", "value": "--oci-worker-no-process-sandbox" }));
                let mut command: Vec<String> = [
                    "buildctl-daemonless.sh",
                    "build",
                    "--progress=plain",
                    "--frontend=dockerfile.v0",
                    "--local=context=/workspace/source",
                    "--local=dockerfile=/workspace/source",
                    "--output=type=oci,tar=false,dest=/workspace/layout",
                ]
                .map(str::to_owned)
                .into();
                // Kubernetes puts the value in: this command has no way to take it from the environment.
                command.extend(arguments.iter().map(|name| format!("--opt=build-arg:{name}=$({name})")));
                command
            }
        };
        env.extend(arguments.iter().map(|name| {
            let key = format!("argument.{name}");
            json!({ "name": name, "valueFrom": { "secretKeyRef": { "name": self.object_name(), "key": key } } })
        }));
        step["command"] = json!(command);
        step["workingDir"] = json!("/workspace/source");
        step["env"] = json!(env);
        let mut mounts = vec![
            json!({ "name": "workspace", "mountPath": task::WORKSPACE }),
            json!({ "name": "tmp", "mountPath": "/tmp" }),
            json!({ "name": "registries", "mountPath": "/secrets/registries", "readOnly": true }),
        ];
        mounts.extend(authorities_mount(config));
        step["volumeMounts"] = json!(mounts);
        step["securityContext"] = namespaces();
        step
    }

    /// Runs the lifecycle of the builder image. It takes the registry's credentials out of its environment before it
    /// starts a buildpack. Source: Buildpacks platform specification 0.13, `creator`: the first that may be told of
    /// registries without TLS.
    fn native_step(&self, config: &ClusterBuildConfig, native: &NativeSettings, previous: Option<&str>) -> Value {
        let image = format!("{}:{}", self.task.image.repository, self.task.image.tag);
        let mut command: Vec<String> =
            ["/cnb/lifecycle/creator", "-app=/workspace/source", "-log-level=info"].map(str::to_owned).into();
        for (flag, path) in [
            ("-layers", task::CNB_LAYERS),
            ("-platform", task::CNB_PLATFORM),
            ("-cache-dir", task::CNB_CACHE),
            ("-report", task::CNB_REPORT),
        ] {
            command.push(format!("{flag}={}/{path}", task::WORKSPACE));
        }
        command.push(format!("-uid={}", native.user));
        command.push(format!("-gid={}", native.group));
        command.extend(self.task.image.insecure.iter().map(|host| format!("-insecure-registry={host}")));
        command.extend(previous.map(|image| format!("-previous-image={image}")));
        if native.run.is_some() {
            command.push(format!("-run-image={}", self.task.image.base));
        }
        command.push(image);
        let mut env = vec![
            json!({ "name": "CNB_PLATFORM_API", "value": "0.13" }),
            json!({
                "name": "CNB_REGISTRY_AUTH",
                "valueFrom": { "secretKeyRef": { "name": self.object_name(), "key": "cnb-auth" } },
            }),
            json!({ "name": "HOME", "value": "/tmp" }),
        ];
        env.extend(foreign_environment(config));
        let mut step = container(config, "build", &native.builder);
        step["command"] = json!(command);
        step["env"] = json!(env);
        let mut mounts = vec![
            json!({ "name": "workspace", "mountPath": task::WORKSPACE }),
            json!({ "name": "tmp", "mountPath": "/tmp" }),
        ];
        mounts.extend(authorities_mount(config));
        step["volumeMounts"] = json!(mounts);
        step
    }
}

/// What buildah is begun with: where it keeps things, for all steps that use it.
fn buildah(storage: DockerfileStorage) -> Vec<String> {
    let driver = match storage {
        DockerfileStorage::Overlay => "overlay",
        DockerfileStorage::Vfs => "vfs",
    };
    let words = ["buildah", "--root", "/workspace/storage", "--runroot", "/tmp/storage", "--storage-driver", driver];
    words.map(str::to_owned).into()
}

/// Brings what buildah built from its storage into the layout. It runs nothing of the app's.
fn pack_step(config: &ClusterBuildConfig) -> Value {
    let settings = &config.dockerfile;
    let mut step = container(config, "pack", &settings.image);
    let mut command = buildah(settings.storage);
    command.extend(["push", "--quiet", BUILT, LAYOUT].map(str::to_owned));
    step["command"] = json!(command);
    step["env"] = json!([{ "name": "HOME", "value": "/tmp" }, { "name": "BUILDAH_ISOLATION", "value": "chroot" }]);
    step["volumeMounts"] =
        json!([{ "name": "workspace", "mountPath": task::WORKSPACE }, { "name": "tmp", "mountPath": "/tmp" }]);
    step["securityContext"] = namespaces();
    step
}

/// Engines without a daemon make namespaces of their own, which the default profile forbids. newuidmap and newgidmap are
/// programs with a capability each; nothing else is given.
fn namespaces() -> Value {
    json!({
        "allowPrivilegeEscalation": true,
        "capabilities": { "drop": ["ALL"], "add": ["SETGID", "SETUID"] },
        "seccompProfile": { "type": "Unconfined" },
    })
}

/// Where a step finds the authorities that are trusted besides the usual ones.
fn authorities_mount(config: &ClusterBuildConfig) -> Option<Value> {
    let path = Path::new(task::AUTHORITIES_FILE).parent()?;
    config.authorities.is_some().then(|| json!({ "name": "authorities", "mountPath": path, "readOnly": true }))
}

/// What the programs of other projects' images are told. They are Go's, which reads the certificates of directories in
/// this variable besides the file that the image has.
fn foreign_environment(config: &ClusterBuildConfig) -> Vec<Value> {
    let mut env = config.env.clone();
    if let Some(path) = Path::new(task::AUTHORITIES_FILE).parent().filter(|_| config.authorities.is_some()) {
        env.insert("SSL_CERT_DIR".to_owned(), format!("/etc/ssl/certs:{}", path.display()));
    }
    env.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
}

/// What all steps have in common.
fn container(config: &ClusterBuildConfig, name: &str, image: &str) -> Value {
    let limits = &config.limits;
    json!({
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "terminationMessagePath": task::TERMINATION_LOG,
        "terminationMessagePolicy": "File",
        "resources": {
            "requests": {
                "cpu": limits.cpu_request,
                // A request above the limit is refused.
                "memory": limits.memory_request_bytes.min(limits.memory_bytes).to_string(),
            },
            "limits": {
                "cpu": limits.cpu,
                "memory": limits.memory_bytes.to_string(),
                "ephemeral-storage": limits.disk_bytes.to_string(),
            },
        },
        "securityContext": { "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } },
    })
}

/// How the built images' registry is reached, for programs of the containers project: a Dockerfile names it as nodes do.
/// Source: `containers-registries.conf(5)`.
fn registries(config: &ClusterBuildConfig, steps: Option<&str>) -> String {
    let registry = &config.registry;
    let mut text = "unqualified-search-registries = [\"docker.io\"]\n".to_owned();
    let mut table = |prefix: &str, location: &str, is_insecure: bool| {
        let table = format!("[[registry]]\nprefix = {prefix:?}\nlocation = {location:?}\ninsecure = {is_insecure}\n");
        text.push_str(&table);
    };
    let mut names = vec![&registry.host];
    names.extend((registry.push_host != registry.host).then_some(&registry.push_host));
    for prefix in names {
        // A host holds nothing that the format would have to escape: the settings were checked.
        table(prefix, &registry.push_host, registry.is_insecure);
    }
    if let Some(host) = steps {
        table(host, host, config.url.scheme() == "http");
    }
    text
}

/// The registry's credentials in the form of `CNB_REGISTRY_AUTH`: authorization headers by registry.
fn registry_headers(config: &ClusterBuildConfig) -> String {
    let docker: Value = serde_json::from_str(&config.registry.credentials.to_docker_config()).unwrap_or_default();
    let auths = docker.get("auths").and_then(Value::as_object).into_iter().flatten();
    let headers: serde_json::Map<String, Value> = auths
        .filter_map(|(host, entry)| Some((host.clone(), json!(format!("Basic {}", entry.get("auth")?.as_str()?)))))
        .collect();
    Value::Object(headers).to_string()
}

#[cfg(test)]
mod tests;
