//! What an operator decides about builds on a cluster.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::Authorities;
use crate::export::registry::{Credentials, Name};

/// Settings of a [`super::ClusterBuilder`].
#[derive(Debug, Clone)]
pub struct ClusterBuildConfig {
    /// The builder's data directory; `spool/`, `cache/` and `instance` are made in it.
    pub data: PathBuf,
    /// Where Jobs and their Secrets are made. Default `slipway-builds`.
    pub namespace: String,
    /// The stack image, as nodes pull it: what builds run in.
    pub stack: String,
    /// The image that built apps stand on; `None`: the stack image.
    pub run: Option<String>,
    /// Where images go, and how nodes name them.
    pub registry: RegistrySettings,
    /// Where sources are served and results taken.
    pub listen: SocketAddr,
    /// How Jobs reach [`ClusterBuildConfig::listen`].
    pub url: Url,
    /// What one build may use.
    pub limits: JobLimits,
    /// How many builds run at once; others wait. Default 8.
    pub concurrency: usize,
    /// How Dockerfiles are built.
    pub dockerfile: DockerfileSettings,
    /// How apps are built that ask for Cloud Native Buildpacks; `None`: not at all.
    pub buildpacks: Option<NativeSettings>,
    /// Variables that the tools of builds get: proxies, package indexes.
    pub env: BTreeMap<String, String>,
    /// Certificate authorities that builds trust besides the usual ones; `None`: no others.
    pub authorities: Option<Authorities>,
    /// Labels of the nodes that builds run on; empty: any.
    pub node_selector: BTreeMap<String, String>,
}

/// The registry of built images.
#[derive(Debug, Clone)]
pub struct RegistrySettings {
    /// Host and port as nodes name it: part of the images' names.
    pub host: String,
    /// Host and port as builder and Jobs reach it. Default: the same.
    pub push_host: String,
    /// What stands before the app's name in a repository: `apps`; empty for nothing.
    pub prefix: String,
    /// Whether it speaks plain HTTP.
    pub is_insecure: bool,
    /// User and password for it.
    pub credentials: Credentials,
}

/// What one build may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobLimits {
    /// Processor time, as Kubernetes writes it. Default `2`.
    pub cpu: String,
    /// What is set aside for a build. Default `250m`.
    pub cpu_request: String,
    /// Memory in bytes. Default 4 GiB.
    pub memory_bytes: u64,
    /// What is set aside for a build, in bytes. Default 512 MiB.
    pub memory_request_bytes: u64,
    /// Disk space in bytes. Default 8 GiB.
    pub disk_bytes: u64,
    /// Size of the slug in bytes. Default 1 GiB.
    pub slug_bytes: u64,
    /// Size of the packed cache in bytes, and most of what steps of a Dockerfile may leave in one build. Default 1 GiB.
    pub cache_bytes: u64,
    /// How long the build itself may take. Default 15 minutes.
    pub time: Duration,
    /// How long it may take until the build's container runs. Default 5 minutes.
    pub start: Duration,
    /// How long a Job is kept that nobody removed. Default 1 hour.
    pub ttl: Duration,
    /// Output that is passed on, in bytes. Default 16 MiB.
    pub output_bytes: u64,
}

impl Default for JobLimits {
    fn default() -> Self {
        Self {
            cpu: "2".to_owned(),
            cpu_request: "250m".to_owned(),
            memory_bytes: 4 << 30,
            memory_request_bytes: 512 << 20,
            disk_bytes: 8 << 30,
            slug_bytes: 1 << 30,
            cache_bytes: 1 << 30,
            time: Duration::from_mins(15),
            start: Duration::from_mins(5),
            ttl: Duration::from_hours(1),
            output_bytes: 16 << 20,
        }
    }
}

/// Which program builds Dockerfiles.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum DockerfileEngine {
    /// buildah, without privileges.
    #[default]
    Buildah,
    /// `BuildKit` without its daemon, rootless.
    Buildkit,
}

/// How buildah keeps the file systems of steps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum DockerfileStorage {
    /// Each as what differs from the one before; what steps made is kept for the next build. Wants Linux 5.13.
    #[default]
    Overlay,
    /// As one whole copy, made at the end; every step is done in every build.
    Vfs,
}

/// How Dockerfiles are built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DockerfileSettings {
    /// With what.
    pub engine: DockerfileEngine,
    /// The image that has it.
    pub image: String,
    /// Of buildah: how file systems are kept.
    pub storage: DockerfileStorage,
}

impl DockerfileSettings {
    /// `engine`, from the image that its project publishes.
    #[must_use]
    pub fn published(engine: DockerfileEngine) -> Self {
        let image = match engine {
            DockerfileEngine::Buildah => "quay.io/buildah/stable:v1.41",
            DockerfileEngine::Buildkit => "docker.io/moby/buildkit:v0.24.0-rootless",
        };
        Self { engine, image: image.to_owned(), storage: DockerfileStorage::default() }
    }
}

/// How Cloud Native Buildpacks are run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NativeSettings {
    /// The builder image: buildpacks, lifecycle and build image in one. Its lifecycle is 0.19 or newer.
    pub builder: String,
    /// User that the builder image runs as (its `CNB_USER_ID`). Default 1000, as most have it.
    pub user: i64,
    /// Group that it runs as (its `CNB_GROUP_ID`). Default: as the user.
    pub group: i64,
    /// The image that built apps stand on, as nodes pull it; `None`: the one that the builder image names.
    pub run: Option<String>,
}

impl ClusterBuildConfig {
    /// Name of the repository of `app`'s images, at the address that builder and Jobs use.
    #[must_use]
    pub fn push_repository(&self, app: &str) -> Name {
        self.registry.repository(&self.registry.push_host, app)
    }

    /// As [`ClusterBuildConfig::push_repository`], as nodes name it.
    #[must_use]
    pub fn pull_repository(&self, app: &str) -> Name {
        self.registry.repository(&self.registry.host, app)
    }

    /// What steps of Dockerfiles speak to for what earlier builds kept: `HOST[:PORT]` of [`ClusterBuildConfig::url`]. `None`
    /// where they cannot: another program, no layers, or an address with a path, which no registry has.
    #[must_use]
    pub fn step_cache_host(&self) -> Option<String> {
        let is_able = (self.dockerfile.engine, self.dockerfile.storage)
            == (DockerfileEngine::Buildah, DockerfileStorage::Overlay);
        let host = self.url.host_str().filter(|_| is_able && self.url.path() == "/")?;
        Some(self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
    }

    /// The image that built apps stand on, at the address that Jobs use.
    ///
    /// # Errors
    /// When the setting is no name of an image.
    pub fn base(&self) -> Result<Name, String> {
        self.reached(self.run.as_ref().unwrap_or(&self.stack))
    }

    /// The image `text` at the address that Jobs use.
    ///
    /// # Errors
    /// When it is no name of an image.
    pub fn reached(&self, text: &str) -> Result<Name, String> {
        let name: Name = text.parse().map_err(|error| format!("'{text}' is not the name of an image: {error}"))?;
        if name.registry() != self.registry.host {
            return Ok(name);
        }
        let (host, repository) = (self.registry.push_host.clone(), name.repository().to_owned());
        Ok(match (name.digest(), name.tag()) {
            (Some(digest), _) => Name::with_digest(host, repository, digest.to_owned()),
            (None, tag) => Name::with_tag(host, repository, tag.unwrap_or("latest").to_owned()),
        })
    }

    /// Registries that speak plain HTTP.
    #[must_use]
    pub fn insecure(&self) -> Vec<String> {
        if self.registry.is_insecure {
            vec![self.registry.host.clone(), self.registry.push_host.clone()]
        } else {
            Vec::new()
        }
    }
}

impl RegistrySettings {
    fn repository(&self, host: &str, app: &str) -> Name {
        let prefix = self.prefix.trim_matches('/');
        let repository = if prefix.is_empty() { app.to_owned() } else { format!("{prefix}/{app}") };
        Name::with_tag(host.to_owned(), repository, "latest".to_owned())
    }
}
