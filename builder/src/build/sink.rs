//! Where finished trees go: into the slug store of this machine, or into a file beside the tree for an export.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use async_trait::async_trait;
use slipway_slug::{SlugError, SlugLimits, SlugManifest, SlugStore};

use super::BuildError;
use super::local::{blocking, internal};
use super::tree;

/// A tree that is built.
#[derive(Debug)]
pub struct FinishedSlug {
    /// The tree. A sink may move it away.
    pub dir: PathBuf,
    /// A private directory of the build.
    pub scratch: PathBuf,
    /// How it is run.
    pub manifest: SlugManifest,
    /// Where links of the tree may lead outside it.
    pub system_roots: Vec<PathBuf>,
    /// Most bytes that it may have.
    pub bytes_max: u64,
}

/// Takes finished trees.
#[async_trait]
pub trait SlugSink: Send + Sync + 'static {
    /// Takes `slug`; tells what it is known by from now on.
    ///
    /// # Errors
    /// [`BuildError::Failed`] when the tree cannot be taken as it is.
    async fn take(&self, slug: FinishedSlug) -> Result<String, BuildError>;
}

/// Moves trees into a slug store; they are known as `slug@sha256:<hex>`.
#[derive(Debug)]
pub struct StoreSink {
    slugs: SlugStore,
    /// A directory on the store's file system.
    near: PathBuf,
}

impl StoreSink {
    /// A sink for `slugs`, on whose file system `near` is.
    #[must_use]
    pub fn new(slugs: SlugStore, near: PathBuf) -> Self {
        Self { slugs, near }
    }
}

#[async_trait]
impl SlugSink for StoreSink {
    async fn take(&self, slug: FinishedSlug) -> Result<String, BuildError> {
        let FinishedSlug { dir: source, scratch, manifest, system_roots, bytes_max } = slug;
        let mut limits = SlugLimits { bytes_max, ..SlugLimits::default() };
        limits.system_roots.extend(system_roots);
        let (slugs, near) = (self.slugs.clone(), self.near.clone());
        let stored = blocking(move || {
            // The store moves directories, which works within one file system only.
            let is_near = matches!((fs::metadata(&source), fs::metadata(&near)), (Ok(a), Ok(b)) if a.dev() == b.dev());
            let dir = if is_near {
                source
            } else {
                let copy = scratch.join("slug");
                tree::copy(&source, &copy).map_err(|error| internal("copying the slug", &error))?;
                copy
            };
            slugs.put(&dir, &manifest, &limits).map_err(|error| match error {
                SlugError::Refused(refusal) => BuildError::Failed(refusal.to_string()),
                error @ (SlugError::Missing(_) | SlugError::Damaged { .. } | SlugError::Io { .. }) => {
                    internal("storing the slug", &error)
                }
            })
        })
        .await??;
        Ok(format!("slug@sha256:{stored}"))
    }
}

/// Leaves trees where they are and writes their manifest to a file, for a later step that exports them.
#[derive(Debug)]
pub struct TreeSink {
    manifest: PathBuf,
}

impl TreeSink {
    /// A sink that writes the manifest to the file `manifest`.
    #[must_use]
    pub fn new(manifest: PathBuf) -> Self {
        Self { manifest }
    }
}

#[async_trait]
impl SlugSink for TreeSink {
    async fn take(&self, slug: FinishedSlug) -> Result<String, BuildError> {
        let json = serde_json::to_vec(&slug.manifest).map_err(|error| internal("writing the manifest", &error))?;
        let path = self.manifest.clone();
        blocking(move || fs::write(path, json).map_err(|error| internal("writing the manifest", &error))).await??;
        Ok("tree".to_owned())
    }
}
