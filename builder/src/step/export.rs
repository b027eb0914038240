//! The step that brings the image to the registry. It runs no code of the app.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use flate2::Compression;
use flate2::write::GzEncoder;
use slipway_core::ProcessType;
use slipway_slug::SlugManifest;

use super::desk::DeskClient;
use super::{Places, say};
use crate::BuildError;
use crate::build::local::{blocking, internal};
use crate::build::tree::human;
use crate::cluster::task::{From, Outcome, Task};
use crate::export::image::ImageSpec;
use crate::export::layer::LayerError;
use crate::export::registry::{Credentials, Name, Registry};
use crate::export::{self, ExportError, Exported};

pub(super) async fn run(task: &Task, desk: &DeskClient, places: &Places) -> Result<(), BuildError> {
    let text = tokio::fs::read_to_string(&places.registry_file).await;
    let text = text.map_err(|error| internal("reading the registry's credentials", &error))?;
    let credentials = Credentials::parse(&text).map_err(BuildError::Unavailable)?;
    let registry = Registry::trusting(credentials, task.image.insecure.clone(), places.authorities()?.as_ref());
    let repository = name(&task.image.repository)?;
    let started = Instant::now();
    let (exported, processes) = match task.image.from {
        From::Slug => {
            say("-----> Exporting the image\n").await;
            let manifest: SlugManifest = read_json(&places.manifest()).await?;
            let scratch = places.workspace.join("layers");
            tokio::fs::create_dir_all(&scratch).await.map_err(|error| internal("making a directory", &error))?;
            let spec = ImageSpec {
                base: name(&task.image.base)?,
                repository,
                tag: task.image.tag.clone(),
                labels: labels(task),
            };
            let done = export::export_slug(&registry, &places.source(), &scratch, &manifest, &spec).await;
            (Some(done.map_err(build_error)?), Some(manifest.processes))
        }
        From::Layout => {
            say("-----> Exporting the image\n").await;
            let done = export::layout::export_layout(&registry, &places.layout(), &repository, &task.image.tag).await;
            (Some(done.map_err(build_error)?), None)
        }
        From::Report => (None, Some(launched_processes(&places.metadata()).await?)),
    };
    let digest = match &exported {
        Some(exported) => {
            say(&summary(exported, started)).await;
            exported.digest.clone()
        }
        None => reported_digest(&places.report()).await?,
    };
    match task.image.from {
        From::Slug => {
            let app = task.app_id().map_err(BuildError::Internal)?;
            leave_cache(task, desk, places, places.data().join("cache").join(app.to_string())).await?;
        }
        From::Layout => {}
        From::Report => leave_cache(task, desk, places, places.native_cache()).await?,
    }
    desk.report(&Outcome { digest, processes }).await
}

fn summary(exported: &Exported, started: Instant) -> String {
    let tally = exported.tally;
    format!(
        "       {} of {} parts were new ({}); {:.1} s\n       {}\n",
        tally.uploaded,
        tally.uploaded + tally.mounted + tally.present,
        human(tally.uploaded_bytes),
        started.elapsed().as_secs_f32(),
        exported.digest
    )
}

fn name(text: &str) -> Result<Name, BuildError> {
    text.parse().map_err(|error| BuildError::Internal(format!("'{text}' is not the name of an image: {error}")))
}

fn labels(task: &Task) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("io.slipway.app".to_owned(), task.name.clone()),
        ("io.slipway.app-id".to_owned(), task.app.clone()),
        ("org.opencontainers.image.revision".to_owned(), task.sha.clone()),
    ])
}

fn build_error(error: ExportError) -> BuildError {
    match error {
        ExportError::Layer(error @ LayerError::Special { .. }) => BuildError::Failed(error.to_string()),
        ExportError::Layer(error) => BuildError::Internal(error.to_string()),
        ExportError::Image(text) => BuildError::Failed(text),
        ExportError::Registry(error) => {
            BuildError::Unavailable(format!("the registry: {}", slipway_cause::chain(&error)))
        }
        ExportError::Task(error) => BuildError::Internal(error.to_string()),
    }
}

async fn read_json(path: &Path) -> Result<SlugManifest, BuildError> {
    let bytes = tokio::fs::read(path).await.map_err(|error| internal("reading what was built", &error))?;
    serde_json::from_slice(&bytes).map_err(|error| internal("reading what was built", &error))
}

/// The digest in the lifecycle's report. Source: Buildpacks platform specification 0.13, `report.toml`.
async fn reported_digest(path: &Path) -> Result<String, BuildError> {
    let text =
        tokio::fs::read_to_string(path).await.map_err(|error| internal("reading the lifecycle's report", &error))?;
    let report: toml::Table = text.parse().map_err(|error: toml::de::Error| internal("reading the report", &error))?;
    let digest = report.get("image").and_then(|image| image.get("digest")).and_then(toml::Value::as_str);
    digest.map(str::to_owned).ok_or_else(|| BuildError::Internal("the lifecycle reported no digest".to_owned()))
}

/// Processes that Cloud Native Buildpacks found: each is started by its link to the launcher. Source: Buildpacks platform
/// specification 0.13, `metadata.toml`.
async fn launched_processes(path: &Path) -> Result<BTreeMap<String, String>, BuildError> {
    let text = match tokio::fs::read_to_string(path).await {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(internal("reading the lifecycle's metadata", &error)),
    };
    let metadata: toml::Table =
        text.parse().map_err(|error: toml::de::Error| internal("reading the metadata", &error))?;
    let processes = metadata.get("processes").and_then(toml::Value::as_array).into_iter().flatten();
    let types = processes.filter_map(|process| process.get("type")?.as_str());
    // Types that ours cannot be called are left to the image.
    let types = types.filter(|name| ProcessType::new(*name).is_ok());
    Ok(types.map(|name| (name.to_owned(), format!("/cnb/process/{name}"))).collect())
}

/// Packs the cache and leaves it with the builder. A cache is only ever a help: failing to keep it fails no build.
async fn leave_cache(task: &Task, desk: &DeskClient, places: &Places, cache: PathBuf) -> Result<(), BuildError> {
    let packed = places.workspace.join("cache.tar.gz");
    let size = blocking(move || pack(&cache, packed)).await?;
    let (packed, size) = match size {
        Ok(done) => done,
        Err(error) => {
            say(&format!("       The cache is not kept: {error}\n")).await;
            return Ok(());
        }
    };
    if size > task.limits.cache_bytes {
        say(&format!(
            "       The cache is not kept: it has {}, and {} are allowed\n",
            human(size),
            human(task.limits.cache_bytes)
        ))
        .await;
        return Ok(());
    }
    let Ok(file) = tokio::fs::File::open(&packed).await else { return Ok(()) };
    if !matches!(desk.put_cache(file, size).await, Ok(true)) {
        say("       The cache is not kept: the builder does not take it\n").await;
    }
    Ok(())
}

fn pack(cache: &Path, to: PathBuf) -> io::Result<(PathBuf, u64)> {
    let packed = GzEncoder::new(io::BufWriter::new(fs::File::create(&to)?), Compression::fast());
    let mut archive = tar::Builder::new(packed);
    archive.follow_symlinks(false);
    if cache.is_dir() {
        archive.append_dir_all("", cache)?;
    }
    let file = archive.into_inner()?.finish()?;
    file.into_inner().map_err(io::IntoInnerError::into_error)?;
    let size = fs::metadata(&to)?.len();
    Ok((to, size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn processes_are_read_from_the_lifecycles_metadata() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("metadata.toml");
        assert!(launched_processes(&path).await.unwrap().is_empty());
        let text = "[[processes]]\ntype = \"web\"\ncommand = [\"httpd\"]\n[[processes]]\ntype = \"Not one!\"\n";
        fs::write(&path, text).unwrap();
        let found = launched_processes(&path).await.unwrap();
        assert_eq!(found, BTreeMap::from([("web".to_owned(), "/cnb/process/web".to_owned())]));
        fs::write(&path, "processes = [").unwrap();
        assert!(matches!(launched_processes(&path).await, Err(BuildError::Internal(_))));
    }
}
