//! Source and cache, from the builder into the workspace.

use std::path::Path;

use flate2::read::GzDecoder;
use tokio::io::AsyncRead;
use tokio_util::io::SyncIoBridge;

use super::Places;
use super::desk::DeskClient;
use crate::BuildError;
use crate::build::local::{blocking, internal};

/// Fetches the source. It was checked when it was checked out; unpacking still confines each entry to the directory.
pub(super) async fn source(desk: &DeskClient, places: &Places) -> Result<(), BuildError> {
    let Some(packed) = desk.get("source").await? else {
        return Err(BuildError::Internal("the builder has no source for the build".to_owned()));
    };
    unpack(packed, &places.source()).await.map_err(|error| internal("unpacking the source", &error))
}

/// Fetches the cache, if there is one. A cache that is damaged is none.
pub(super) async fn cache(desk: &DeskClient, to: &Path) -> Result<(), BuildError> {
    let Some(packed) = desk.get("cache").await? else { return Ok(()) };
    if let Err(error) = unpack(packed, to).await {
        super::say(&format!("       The cache is damaged and not used: {error}\n")).await;
        let to = to.to_owned();
        blocking(move || crate::build::tree::remove(&to).map_err(|error| internal("clearing the cache", &error)))
            .await??;
    }
    Ok(())
}

async fn unpack(packed: impl AsyncRead + Send + Unpin + 'static, to: &Path) -> std::io::Result<()> {
    let to = to.to_owned();
    let reader = SyncIoBridge::new(packed);
    let work = move || {
        std::fs::create_dir_all(&to)?;
        let mut archive = tar::Archive::new(GzDecoder::new(reader));
        archive.set_preserve_permissions(true);
        archive.set_preserve_mtime(true);
        archive.unpack(&to)
    };
    tokio::task::spawn_blocking(work).await.map_err(std::io::Error::other)?
}
