//! An image that another program left as an OCI layout directory, brought to the registry. Source: OCI image
//! specification 1.1, `image-layout.md`.
//!
//! The layout was made beside code of strangers: every name in it is checked before it becomes a path.

use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::registry::{Blob, Name, Registry, Tally};
use super::{ExportError, Exported, image, layer};

/// Largest index, manifest or config that is read, in bytes.
const JSON_MAX: u64 = 4 * 1024 * 1024;
/// Most layers of an image.
const LAYERS_MAX: usize = 500;

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    #[serde(default)]
    media_type: String,
    digest: String,
    #[serde(default)]
    size: u64,
}

#[derive(Debug, Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Debug, Deserialize)]
struct Manifest {
    config: Descriptor,
    layers: Vec<Descriptor>,
}

/// Sends the only image of the layout at `dir` to `repository` with `tag`.
///
/// # Errors
/// [`ExportError`].
pub async fn export_layout(
    registry: &Registry,
    dir: &Path,
    repository: &Name,
    tag: &str,
) -> Result<Exported, ExportError> {
    let index: Index = parse(&read(dir.join("index.json"), "index.json").await?, "index.json")?;
    let [first] = index.manifests.as_slice() else {
        return Err(ExportError::Image(format!("the layout holds {} images, not one", index.manifests.len())));
    };
    let bytes = read(blob_path(dir, &first.digest)?, "the manifest").await?;
    if layer::digest_of(&bytes) != first.digest {
        return Err(ExportError::Image("the manifest is not what the index names".to_owned()));
    }
    if first.media_type != image::MANIFEST_TYPE {
        return Err(ExportError::Image("the layout holds something else than an OCI image".to_owned()));
    }
    let manifest: Manifest = parse(&bytes, "the manifest")?;
    if manifest.layers.len() > LAYERS_MAX {
        return Err(ExportError::Image(format!("the image has more than {LAYERS_MAX} layers")));
    }
    let mut tally = Tally::default();
    for blob in manifest.layers.iter().chain([&manifest.config]) {
        let path = blob_path(dir, &blob.digest)?;
        let meta = tokio::fs::symlink_metadata(&path).await.map_err(|error| unreadable(&blob.digest, &error))?;
        if !meta.is_file() || meta.len() != blob.size {
            return Err(ExportError::Image(format!("{} is not the file that the manifest names", blob.digest)));
        }
        // The registry checks the digest.
        tally += registry.ensure(repository, &Blob::file_at(blob.digest.clone(), blob.size, path)).await?;
    }
    let digest = registry.put_manifest(repository, tag, bytes, image::MANIFEST_TYPE).await?;
    Ok(Exported { digest, tally })
}

fn blob_path(dir: &Path, digest: &str) -> Result<PathBuf, ExportError> {
    let hex = digest.strip_prefix("sha256:").filter(|hex| {
        hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    });
    let hex = hex.ok_or_else(|| ExportError::Image("the layout names something by no SHA-256 digest".to_owned()))?;
    Ok(dir.join("blobs/sha256").join(hex))
}

async fn read(path: PathBuf, what: &str) -> Result<Vec<u8>, ExportError> {
    let meta = tokio::fs::symlink_metadata(&path).await.map_err(|error| unreadable(what, &error))?;
    if !meta.is_file() || meta.len() > JSON_MAX {
        return Err(ExportError::Image(format!("{what} is no file of at most {} MiB", JSON_MAX >> 20)));
    }
    tokio::fs::read(path).await.map_err(|error| unreadable(what, &error))
}

fn unreadable(what: &str, error: &io::Error) -> ExportError {
    ExportError::Image(format!("{what} of the built image cannot be read: {error}"))
}

fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8], what: &str) -> Result<T, ExportError> {
    serde_json::from_slice(bytes).map_err(|error| ExportError::Image(format!("{what} of the built image: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_that_are_paths_are_refused() {
        let good = format!("sha256:{}", "0".repeat(64));
        assert!(blob_path(Path::new("/x"), &good).unwrap().starts_with("/x/blobs/sha256"));
        for bad in ["", "sha256:", "sha256:../../etc/passwd", &format!("sha256:{}", "G".repeat(64)), &"0".repeat(64)] {
            assert!(blob_path(Path::new("/x"), bad).is_err(), "{bad}");
        }
    }
}
