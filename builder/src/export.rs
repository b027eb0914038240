//! From a built tree to an image in a registry, without a daemon and without privileges.
//!
//! [`layer`] makes layers that are the same, byte by byte, for the same tree; [`split`] says which file goes into which;
//! [`image`] writes config and manifest; [`registry`] brings blobs there, each at most once; [`layout`] does the same
//! with what another program built.

pub mod image;
pub mod layer;
pub mod layout;
pub mod registry;
pub mod split;

use std::path::Path;

use slipway_slug::SlugManifest;

use image::ImageSpec;
use layer::{Layer, LayerError};
use registry::{Blob, Credentials, Registry, RegistryError, Tally};
use split::Part;

/// Where the app lies in its image.
pub const APP_DIR: &str = "/app";
/// The program in the image that starts the app's processes: one argument, a line for the shell.
pub const START: &str = "/slipway/start";
/// User and group that the app runs as.
pub const APP_ID: u64 = 1000;
/// Port that the app is told to listen on.
pub const APP_PORT: u16 = 5000;

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The tree cannot become layers.
    #[error(transparent)]
    Layer(#[from] LayerError),
    /// The registry did not do its part.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The base image, or an image that was built, is not what it should be.
    #[error("{0}")]
    Image(String),
    /// A blocking task died.
    #[error("a task of the export died")]
    Task(#[from] tokio::task::JoinError),
}

/// An image in the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// Digest of its manifest: `sha256:…`.
    pub digest: String,
    /// What had to be sent.
    pub tally: Tally,
}

/// Exports the tree at `root` as an image on top of `base`, to `repository` with `tag`.
///
/// `scratch` takes the layers while they are sent; it needs as much room as they have.
///
/// # Errors
/// [`ExportError`].
pub async fn export_slug(
    registry: &Registry,
    root: &Path,
    scratch: &Path,
    manifest: &SlugManifest,
    spec: &ImageSpec,
) -> Result<Exported, ExportError> {
    let layers = layers(root, scratch).await?;
    let base = registry.pull_base(&spec.base).await?;
    let config = image::config(&base.config, &layers, manifest, spec).map_err(ExportError::Image)?;
    let config_digest = layer::digest_of(&config);
    let image = image::manifest(&base, &layers, &config_digest, config.len() as u64);
    let mut tally = Tally::default();
    for blob in &base.layers {
        tally += registry.ensure(&spec.repository, &Blob::remote(blob, &spec.base)).await?;
    }
    for layer in &layers {
        tally += registry.ensure(&spec.repository, &Blob::file(layer)).await?;
    }
    tally += registry.ensure(&spec.repository, &Blob::bytes(config_digest, config)).await?;
    let digest = registry.put_manifest(&spec.repository, &spec.tag, image, image::MANIFEST_TYPE).await?;
    Ok(Exported { digest, tally })
}

/// The layers of the tree at `root`, lowest first: what starts the app, its dependencies, its code.
///
/// # Errors
/// [`ExportError::Layer`].
pub async fn layers(root: &Path, scratch: &Path) -> Result<Vec<Layer>, ExportError> {
    let (root, scratch) = (root.to_owned(), scratch.to_owned());
    let layers = tokio::task::spawn_blocking(move || {
        std::thread::scope(|scope| {
            let part = |part: Part| {
                let to = scratch.join(format!("{}.tar.gz", part.name()));
                let root = &root;
                scope.spawn(move || layer::write_tree(root, APP_DIR, part, &to))
            };
            let (dependencies, code) = (part(Part::Dependencies), part(Part::Code));
            let mut layers = vec![layer::write_start(&scratch.join("start.tar.gz"))?];
            for thread in [dependencies, code] {
                let layer = thread.join().map_err(|_| LayerError::Panicked)??;
                // Without dependencies there is no layer for them.
                if layer.entries > 0 {
                    layers.push(layer);
                }
            }
            Ok::<_, LayerError>(layers)
        })
    })
    .await??;
    Ok(layers)
}

/// What a `config.json` in Docker's form says about registries; an empty text says nothing.
///
/// # Errors
/// What is wrong with it; the text holds nothing of the file.
pub fn credentials(docker_config: &str) -> Result<Credentials, String> {
    Credentials::parse(docker_config)
}
