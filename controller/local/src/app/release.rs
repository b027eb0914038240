//! A release on this machine: its private copy of the slug, made once for all its processes.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use slipway_core::build::BuildKind;
use slipway_core::config::SecretText;
use slipway_core::{AppId, ReleaseVersion};
use slipway_engine::spec::{Artifact, ProcessSpec, RegistryLogin, ReleaseSpec};
use slipway_engine::{EngineError, MountSpec};
use slipway_slug::{Digest, SlugError, SlugManifest};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OnceCell;

use super::Shared;
use crate::image::ImageRelease;
use crate::workdir::WorkDir;

/// A release, as far as it decides what its processes are.
#[derive(Debug)]
pub(crate) struct Release {
    pub(crate) version: ReleaseVersion,
    pub(crate) artifact: Artifact,
    pub(crate) kind: BuildKind,
    pub(crate) registry: Option<RegistryLogin>,
    pub(crate) env: BTreeMap<String, SecretText>,
    /// By the volumes that are linked into a copy.
    prepared: Mutex<BTreeMap<Vec<MountSpec>, Arc<SharedCopy>>>,
}

/// Files that the first who needs them makes.
type SharedCopy = OnceCell<Arc<Prepared>>;

/// A release's files, ready to run.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) work: WorkDir,
    pub(crate) contents: Contents,
}

/// What a release's files are.
#[derive(Debug)]
pub(crate) enum Contents {
    /// A slug, run by the machine's own shell.
    Slug(SlugManifest),
    /// An image, run in a container.
    Image(ImageRelease),
}

/// Which files a process needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) app: AppId,
    pub(crate) artifact: &'a Artifact,
    pub(crate) registry: Option<&'a RegistryLogin>,
    pub(crate) mounts: &'a [MountSpec],
}

/// What decides what a process is; processes with equal plans may stand for each other.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) release: Arc<Release>,
    /// Without `replicas` and `autoscale`: how many there are changes nothing for each.
    pub(crate) process: ProcessSpec,
    /// Whether requests go there, by whatever path. Not compared: a process that runs need not be another for it.
    pub(crate) takes_requests: bool,
}

impl PartialEq for Plan {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.release, &other.release) && self.process == other.process
    }
}

impl Release {
    pub(crate) fn new(spec: &ReleaseSpec) -> Self {
        Self {
            version: spec.version,
            artifact: spec.artifact.clone(),
            kind: spec.kind,
            registry: spec.registry.clone(),
            env: spec.env.clone(),
            prepared: Mutex::default(),
        }
    }

    pub(crate) fn is_of(&self, spec: &ReleaseSpec) -> bool {
        self.version == spec.version
            && self.artifact == spec.artifact
            && self.kind == spec.kind
            && self.registry == spec.registry
            && self.env == spec.env
    }

    /// The private copy for processes with these volumes; the first caller makes it. A failure is tried anew by the next
    /// caller. Containers have their volumes mounted, and share one copy whatever volumes they have.
    pub(crate) async fn prepared(
        &self,
        shared: &Shared,
        app: AppId,
        mounts: &[MountSpec],
    ) -> Result<Arc<Prepared>, EngineError> {
        let linked = match self.artifact {
            Artifact::Slug { .. } => mounts,
            Artifact::Image { .. } => &[],
        };
        let cell = {
            let mut all = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(all.entry(linked.to_vec()).or_default())
        };
        let make = || async {
            let dir = shared.app_dir(app).join(format!("{}-{}", self.version, super::suffix()));
            let wanted = Wanted { app, artifact: &self.artifact, registry: self.registry.as_ref(), mounts };
            prepare(shared, wanted, dir).await.map(Arc::new)
        };
        cell.get_or_try_init(make).await.cloned()
    }
}

/// Reads which slug `artifact` is.
pub(crate) fn digest_of(artifact: &Artifact) -> Result<Digest, EngineError> {
    match artifact {
        Artifact::Slug { digest } => digest
            .parse()
            .map_err(|_| EngineError::Rejected(format!("'slug@sha256:{digest}' is not the name of a slug"))),
        Artifact::Image { reference } => Err(EngineError::Rejected(format!("'{reference}' is an image, not a slug"))),
    }
}

/// What an error of the slug store means to the caller of the engine.
pub(crate) fn slug_error(error: SlugError) -> EngineError {
    match error {
        SlugError::Missing(digest) => EngineError::Missing(format!("slug {digest}")),
        SlugError::Refused(refusal) => EngineError::Rejected(refusal.to_string()),
        SlugError::Damaged { .. } | SlugError::Io { .. } => unavailable("the slug cannot be read", &error),
    }
}

/// An `Unavailable` with the whole chain of causes for the log.
pub(crate) fn unavailable(public: &str, error: &dyn std::error::Error) -> EngineError {
    let mut context = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        context.push_str(": ");
        context.push_str(&next.to_string());
        cause = next.source();
    }
    EngineError::Unavailable { public: public.to_owned(), context }
}

/// Copies the slug or image that is wanted to `dir`.
pub(crate) async fn prepare(shared: &Shared, wanted: Wanted<'_>, dir: PathBuf) -> Result<Prepared, EngineError> {
    if let Artifact::Image { reference } = wanted.artifact {
        let (work, image) = crate::image::prepare(shared, wanted, reference, dir).await?;
        return Ok(Prepared { work, contents: Contents::Image(image) });
    }
    let digest = digest_of(wanted.artifact)?;
    let slugs = shared.config.slugs.clone();
    let (volumes, app, mounts) = (shared.volumes.clone(), wanted.app, wanted.mounts.to_vec());
    let made = tokio::task::spawn_blocking(move || {
        let manifest = slugs.manifest(&digest).map_err(slug_error)?;
        let tree = slugs.path(&digest).map_err(slug_error)?;
        let work = WorkDir::create(dir, &tree).map_err(|error| unavailable("the slug cannot be unpacked", &error))?;
        volumes.link(app, &mounts, &work.app()).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidInput => EngineError::Rejected(error.to_string()),
            _ => unavailable("the volumes cannot be prepared", &error),
        })?;
        Ok(Prepared { work, contents: Contents::Slug(manifest) })
    });
    made.await.map_err(|error| unavailable("the slug cannot be unpacked", &error))?
}
