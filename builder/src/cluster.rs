//! Builds as Jobs on a cluster.
//!
//! The source is packed and offered to the Job over HTTP ([`listener`]); the Job ([`job`]) builds it with the same
//! buildpacks as one machine does, exports the image ([`crate::export`]) and reports its digest; its output is followed
//! ([`follow`]) as it comes.
//!
//! What a Job needs of this process is gone when this process dies, and so is the push that waits for it: nothing of a
//! build is worth taking over, and [`sweep`] removes what is left. Results come by HTTP since a result may be larger
//! than what a pod's status holds; why a step failed is in the pod's status, where the step that runs the app's code
//! can put it without a token.

pub mod job;
pub mod listener;
pub mod settings;
pub mod step_cache;
pub mod task;

mod follow;
mod spool;
mod sweep;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Secret;
use kube::api::PostParams;
use kube::{Api, Client, Resource};
use slipway_core::config::SecretText;
use slipway_core::{AppId, ProcessType};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::build::plan::{self, Plan};
use crate::build::source::Source;
use crate::build::{BuildError, BuildOutput, BuildRequest, Built, SourceBuilder, cache, dockerfile, read_procfile};
use crate::export::registry::{Name, Registry};

use follow::Followed;
use job::{BuildJob, Kind};
use listener::{Desk, Offer, Tokens};
pub use settings::{
    ClusterBuildConfig, DockerfileEngine, DockerfileSettings, DockerfileStorage, JobLimits, NativeSettings,
    RegistrySettings,
};
pub use step_cache::StepCache;
use task::{From, ImageTask, Outcome, Task, TaskLimits};

/// How long a cancelled build's objects may take to be asked away when the builder stops.
const DRAIN: Duration = Duration::from_secs(5);
/// How long the result may be under way after the last step has ended.
const RESULT_GRACE: Duration = Duration::from_secs(10);

/// Why builds on a cluster are not possible.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The data directory cannot be used.
    #[error("cannot use the data directory")]
    Data(#[source] io::Error),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A setting is wrong.
    #[error("{0}")]
    Setting(String),
}

/// Builds source on a cluster.
pub struct ClusterBuilder {
    config: ClusterBuildConfig,
    client: Client,
    desk: Desk,
    slots: Semaphore,
    instance: String,
    address: SocketAddr,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// Removes a build's Job and Secret when dropped: at the end of the build, however it ends.
struct Cleanup {
    client: Client,
    namespace: String,
    name: String,
    build: String,
    tasks: TaskTracker,
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (client, namespace, name) = (self.client.clone(), self.namespace.clone(), self.name.clone());
        let build = self.build.clone();
        self.tasks.spawn_on(async move { sweep::remove(&client, &namespace, &name, &build).await }, &runtime);
    }
}

impl ClusterBuilder {
    /// Prepares the data directory, listens for Jobs, and begins to remove what an earlier run left.
    ///
    /// # Errors
    /// [`ClusterError`].
    pub async fn open(config: ClusterBuildConfig, client: Client) -> Result<Self, ClusterError> {
        config.base().map_err(ClusterError::Setting)?;
        let data = config.data.clone();
        let instance = tokio::task::spawn_blocking(move || spool::prepare(&data)).await;
        let instance = instance.map_err(|error| ClusterError::Data(io::Error::other(error)))?;
        let instance = instance.map_err(ClusterError::Data)?;
        let listen = |source| ClusterError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let (desk, stop, tasks) = (Desk::default(), CancellationToken::new(), TaskTracker::new());
        tasks.spawn(listener::serve(listener, desk.clone(), stop.clone()));
        tasks.spawn(sweep::run(client.clone(), config.namespace.clone(), instance.clone(), desk.clone(), stop.clone()));
        let slots = Semaphore::new(config.concurrency.max(1));
        Ok(Self { config, client, desk, slots, instance, address, stop, tasks })
    }

    /// Where Jobs are answered.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Stops answering Jobs, and waits a moment until those of cancelled builds are asked away. Builds that are under
    /// way must have been dropped before.
    pub async fn close(&self) {
        self.stop.cancel();
        self.tasks.close();
        let _ = tokio::time::timeout(DRAIN, self.tasks.wait()).await;
    }

    fn cache_file(&self, app: AppId) -> PathBuf {
        self.config.data.join("cache").join(format!("{app}.tar.gz"))
    }

    /// Where the image is named that Cloud Native Buildpacks made of the app last.
    fn previous_file(&self, app: AppId) -> PathBuf {
        self.config.data.join("cache").join(format!("{app}.image"))
    }

    /// How to build; mistakes are told before a Job is made.
    async fn kind(&self, request: &BuildRequest, source: &Source) -> Result<Kind, BuildError> {
        let wants_native = ["SLIPWAY_BUILDER", "DRYCC_BUILDER"]
            .iter()
            .any(|name| request.env.get(*name).is_some_and(|value| matches!(value.expose().trim(), "cnb" | "native")));
        if wants_native {
            return match &self.config.buildpacks {
                Some(settings) => {
                    let is_wanted = !cache::is_disabled(&request.env);
                    // As with every cache: without it all is made anew.
                    let previous = tokio::fs::read_to_string(self.previous_file(request.app)).await.ok();
                    // A write that was cut short names none.
                    let is_whole = |image: &String| Name::from_str(image).is_ok_and(|name| name.digest().is_some());
                    let previous = previous.filter(|image| is_wanted && is_whole(image));
                    Ok(Kind::Native { settings: settings.clone(), previous })
                }
                None => Err(BuildError::Failed(
                    "SLIPWAY_BUILDER asks for Cloud Native Buildpacks, which this platform is not set up for; \
                     config:unset SLIPWAY_BUILDER"
                        .to_owned(),
                )),
            };
        }
        match plan::choose(source, &request.env, &BTreeMap::new())? {
            Plan::Buildpacks(_) => Ok(Kind::Slug),
            Plan::Dockerfile => Ok(Kind::Dockerfile {
                arguments: dockerfile::arguments(&request.env).map(str::to_owned).collect(),
                steps: self.config.step_cache_host().filter(|_| !cache::is_disabled(&request.env)),
            }),
        }
    }

    fn task(&self, request: &BuildRequest, build: Uuid, kind: &Kind) -> Result<Task, BuildError> {
        let limits = &self.config.limits;
        let repository = self.config.push_repository(request.name.as_str());
        let base = match kind {
            Kind::Native { settings: NativeSettings { run: Some(run), .. }, .. } => self.config.reached(run),
            _ => self.config.base(),
        };
        let base = base.map_err(BuildError::Unavailable)?;
        let short: String = request.sha.chars().take(8).collect();
        Ok(Task {
            build,
            app: request.app.to_string(),
            name: request.name.to_string(),
            sha: request.sha.clone(),
            url: self.config.url.clone(),
            image: ImageTask {
                repository: format!("{}/{}", repository.registry(), repository.repository()),
                tag: format!("git-{short}"),
                base: base.whole(),
                insecure: self.config.insecure(),
                from: match kind {
                    Kind::Slug => From::Slug,
                    Kind::Dockerfile { .. } => From::Layout,
                    Kind::Native { .. } => From::Report,
                },
            },
            limits: TaskLimits {
                time_secs: limits.time.as_secs(),
                // Some is for the step itself, so that it lives to tell what happened.
                memory_bytes: limits.memory_bytes.saturating_sub(limits.memory_bytes / 16),
                disk_bytes: limits.disk_bytes.saturating_sub(limits.disk_bytes / 16),
                slug_bytes: limits.slug_bytes,
                cache_bytes: limits.cache_bytes,
                output_bytes: limits.output_bytes,
            },
        })
    }

    /// What the steps of a Dockerfile find from earlier builds of the app, and leave for later ones.
    fn step_cache(&self, request: &BuildRequest, kind: &Kind) -> Option<Arc<StepCache>> {
        let Kind::Dockerfile { steps: Some(_), .. } = kind else { return None };
        let config = &self.config;
        let images = config.push_repository(request.name.as_str());
        let name = slipway_image::step_cache::repository(images.repository(), &request.app.to_string());
        let repository = Name::with_tag(images.registry().to_owned(), name, "latest".to_owned());
        let (credentials, authorities) = (config.registry.credentials.clone(), config.authorities.as_ref());
        let registry = Registry::trusting(credentials, config.insecure(), authorities);
        let spool = config.data.join("spool");
        Some(Arc::new(StepCache::new(registry, repository, spool, config.limits.cache_bytes)))
    }

    async fn build_with_slot(&self, request: BuildRequest, output: &BuildOutput) -> Result<Built, BuildError> {
        let source = Source::new(request.source.clone());
        let kind = self.kind(&request, &source).await?;
        let procfile = read_procfile(&source)?;
        let build = Uuid::now_v7();
        let task = self.task(&request, build, &kind)?;
        let packed = spool::pack(&self.config.data, build, &request.source).await?;
        let limits = &self.config.limits;
        let step_cache = self.step_cache(&request, &kind);
        let offer = Offer {
            source: packed.to_path_buf(),
            cache: self.cache_file(request.app),
            cache_max: limits.cache_bytes,
            steps: step_cache.clone(),
            lifetime: limits.start + limits.time * 2,
        };
        let registered = self.desk.register(build, offer);
        let (_registration, tokens, result) = registered.map_err(|error| failed("making a token", &error))?;
        let job = BuildJob {
            build,
            builder: &self.instance,
            app: request.app,
            name: &request.name,
            sha: &request.sha,
            kind: &kind,
            task: &task,
        };
        let name = job.object_name();
        let object = job.job(&self.config).map_err(|error| failed("making a Job", &error))?;
        let namespace = self.config.namespace.as_str();
        let _cleanup = Cleanup {
            client: self.client.clone(),
            namespace: namespace.to_owned(),
            name: name.clone(),
            build: build.to_string(),
            tasks: self.tasks.clone(),
        };
        self.create(&job, &object, &tokens, &request.env).await?;
        let started = tokio::time::Instant::now();
        tracing::info!(app.id = %request.app, build = %build, job = name, "build started");
        let steps = kind.steps();
        let followed = Followed { client: &self.client, namespace, job: &name, build, steps, limits };
        followed.run(output).await?;
        if let Some(why) = step_cache.and_then(|cache| cache.trouble()) {
            // The reason may name what is inside of the platform: it is in its log.
            output.line("       What the steps made could not be kept: the next build makes it again").await;
            tracing::info!(app.id = %request.app, build = %build, "the steps of a Dockerfile were not kept: {why}");
        }
        let outcome = tokio::time::timeout(RESULT_GRACE, result).await;
        let duration_ms = started.elapsed().as_millis();
        tracing::info!(app.id = %request.app, build = %build, duration_ms, "build ended in {duration_ms} ms");
        let Ok(Ok(outcome)) = outcome else {
            return Err(BuildError::Internal("the build ended well, but told no result".to_owned()));
        };
        let repository = task.image.repository.as_str();
        let built = self.built(&request, &kind, procfile, outcome)?;
        if let (Kind::Native { .. }, Some((_, digest))) = (&kind, built.image.split_once('@')) {
            let written = tokio::fs::write(self.previous_file(request.app), format!("{repository}@{digest}")).await;
            if let Err(error) = written {
                tracing::warn!(app.id = %request.app, %error, "which image an app was built to cannot be kept");
            }
        }
        Ok(built)
    }

    /// Makes Job and Secret. The Secret comes second, so that it is owned from its first moment: the pod waits for it.
    async fn create(
        &self,
        job: &BuildJob<'_>,
        object: &Job,
        tokens: &Tokens,
        env: &BTreeMap<String, SecretText>,
    ) -> Result<(), BuildError> {
        let namespace = self.config.namespace.as_str();
        let jobs: Api<Job> = Api::namespaced(self.client.clone(), namespace);
        let made = jobs.create(&PostParams::default(), object).await.map_err(|error| refused(&error))?;
        let Some(owner) = made.owner_ref(&()) else {
            return Err(BuildError::Internal("the cluster made a Job without an id".to_owned()));
        };
        let secret = job.secret(&self.config, &owner, tokens, env);
        let secret = secret.map_err(|error| failed("making a Secret", &error))?;
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        secrets.create(&PostParams::default(), &secret).await.map(drop).map_err(|error| refused(&error))
    }

    /// Checks what a Job told: it ran beside code of strangers.
    fn built(
        &self,
        request: &BuildRequest,
        kind: &Kind,
        procfile: Option<BTreeMap<String, String>>,
        outcome: Outcome,
    ) -> Result<Built, BuildError> {
        let Outcome { digest, processes } = outcome;
        let hex = digest.strip_prefix("sha256:").unwrap_or_default();
        if hex.len() != 64 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(BuildError::Internal("the build told no digest of an image".to_owned()));
        }
        let procfile = match (kind, processes) {
            // What buildpacks found, and what the app says over it.
            (Kind::Native { .. }, Some(mut found)) => {
                found.extend(procfile.unwrap_or_default());
                found
            }
            (_, processes) => processes.or(procfile).unwrap_or_default(),
        };
        for (name, command) in &procfile {
            ProcessType::new(name.as_str())
                .map_err(|error| BuildError::Failed(format!("the build's process type '{name}': {error}")))?;
            if command.trim().is_empty() || command.contains(['\0', '\n']) {
                return Err(BuildError::Failed(format!("the build's command for '{name}' must be one line")));
            }
        }
        let repository = self.config.pull_repository(request.name.as_str());
        let image = format!("{}/{}@{digest}", repository.registry(), repository.repository());
        let (dockerfile, stack) = match kind {
            Kind::Dockerfile { .. } => ("true", "container"),
            Kind::Slug | Kind::Native { .. } => ("", "buildpack"),
        };
        Ok(Built { image, procfile, dockerfile: dockerfile.to_owned(), stack: stack.to_owned() })
    }
}

/// Why the cluster does not make an object, as far as it is the pusher's to know.
fn refused(error: &kube::Error) -> BuildError {
    tracing::warn!("making a build's objects failed: {}", slipway_cause::chain(error));
    match error {
        // Quotas answer so, and what is too large, for instance config values of a megabyte.
        kube::Error::Api(status) if matches!(status.code, 403 | 413 | 422) => {
            BuildError::Unavailable(format!("the cluster does not allow the build: {}", status.message))
        }
        _ => BuildError::Unavailable("the cluster cannot be reached just now".to_owned()),
    }
}

fn failed(doing: &str, error: &dyn std::error::Error) -> BuildError {
    tracing::error!("{doing} failed: {}", slipway_cause::chain(error));
    BuildError::Internal(format!("{doing} failed; the platform's log says why"))
}

#[async_trait]
impl SourceBuilder for ClusterBuilder {
    async fn build(&self, request: BuildRequest, output: BuildOutput) -> Result<Built, BuildError> {
        let slot = if let Ok(slot) = self.slots.try_acquire() {
            slot
        } else {
            let count = self.config.concurrency.max(1);
            output.step(&format!("Waiting: as many builds as the platform takes ({count}) are running")).await;
            let waited = self.slots.acquire().await;
            waited.map_err(|_| BuildError::Unavailable("the platform is shutting down".to_owned()))?
        };
        let result = self.build_with_slot(request, &output).await;
        drop(slot);
        result
    }

    async fn forget(&self, app: AppId) {
        for file in [self.cache_file(app), self.previous_file(app)] {
            match tokio::fs::remove_file(file).await {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(app.id = %app, %error, "the build cache of a destroyed app could not be removed");
                }
                _ => {}
            }
        }
    }
}
