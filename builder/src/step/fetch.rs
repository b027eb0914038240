//! Source and cache, from the builder into the workspace.

use std::collections::BTreeMap;
use std::path::Path;

use flate2::read::GzDecoder;
use slipway_core::config::SecretText;
use tokio::io::AsyncRead;
use tokio_util::io::SyncIoBridge;

use super::Places;
use super::desk::DeskClient;
use crate::BuildError;
use crate::build::cache;
use crate::build::local::{blocking, internal};
use crate::cluster::task::{self, From, Task};

/// Fetches what a build starts from that another program does.
pub(super) async fn run(task: &Task, desk: &DeskClient, places: &Places) -> Result<(), BuildError> {
    if task.image.from == From::Report {
        let env = places.env().await?;
        if !cache::is_disabled(&env) {
            fetch_cache(desk, &places.native_cache()).await?;
        }
        prepare_native(&places.workspace, env).await.map_err(|error| internal("preparing the build", &error))?;
    }
    fetch_source(desk, places).await
}

/// Makes the directories that the lifecycle wants to be there, and hands it the config values: each in a file of its name.
/// Source: Buildpacks platform specification 0.13, "User-Provided Variables".
async fn prepare_native(workspace: &Path, env: BTreeMap<String, SecretText>) -> std::io::Result<()> {
    let variables = workspace.join(task::CNB_PLATFORM).join("env");
    for dir in [&workspace.join(task::CNB_LAYERS), &workspace.join(task::CNB_CACHE), &variables] {
        tokio::fs::create_dir_all(dir).await?;
    }
    for (name, value) in env {
        // Names were checked when they were set; this one becomes a path.
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Err(std::io::Error::other(format!("'{name}' cannot be the name of a variable")));
        }
        tokio::fs::write(variables.join(name), value.expose()).await?;
    }
    Ok(())
}

/// Fetches the source. It was checked when it was checked out; unpacking still confines each entry to the directory.
pub(super) async fn fetch_source(desk: &DeskClient, places: &Places) -> Result<(), BuildError> {
    let Some(packed) = desk.get("source").await? else {
        return Err(BuildError::Internal("the builder has no source for the build".to_owned()));
    };
    unpack(packed, &places.source()).await.map_err(|error| internal("unpacking the source", &error))
}

/// Fetches the cache, if there is one. A cache that is damaged is none.
pub(super) async fn fetch_cache(desk: &DeskClient, to: &Path) -> Result<(), BuildError> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_lifecycle_finds_its_directories_and_the_config_values() {
        let dir = tempfile::tempdir().unwrap();
        let env = |name: &str| BTreeMap::from([(name.to_owned(), SecretText::new("Good day\n"))]);
        // As a cache left it.
        std::fs::create_dir_all(dir.path().join(task::CNB_CACHE)).unwrap();
        prepare_native(dir.path(), env("GREETING")).await.unwrap();
        assert_eq!(std::fs::read_to_string(dir.path().join("platform/env/GREETING")).unwrap(), "Good day\n");
        assert!(dir.path().join(task::CNB_LAYERS).is_dir());
        for name in ["", "..", "a/b"] {
            assert!(prepare_native(dir.path(), env(name)).await.is_err(), "{name}");
        }
    }
}
