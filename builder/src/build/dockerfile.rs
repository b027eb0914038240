//! Stack `container`: a Dockerfile, built by whichever engine this machine has.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use slipway_core::config::SecretText;
use slipway_image::{ArchiveError, ImageStore, UnpackLimits, archive_import};

use super::buildpack::{Compile, is_set};
use super::process::Tool;
use super::{BuildError, Built};

/// Engines that are looked for, first one first, and how each is asked whether it works.
const ENGINES: &[(&str, &[&str])] =
    &[("buildah", &["version"]), ("podman", &["info"]), ("docker", &["version", "--format", "{{.Server.Version}}"])];

/// Builds the Dockerfile and returns the image `slipway/<app>:git-<sha8>`; with `images` it is put there, and named by
/// digest as well.
///
/// # Errors
/// [`BuildError::Unavailable`] when no engine works, [`BuildError::Failed`] when the build fails.
pub async fn build(cx: &Compile<'_>, app: &str, images: Option<&ImageStore>) -> Result<Built, BuildError> {
    let (name, program) = engine(cx).await?;
    let short: String = cx.sha.chars().take(8).collect();
    let image = format!("slipway/{app}:git-{short}");
    cx.step(&format!("Building the Dockerfile with {name}")).await;
    let mut tool = engine_tool(cx, program.clone()).args(["build", "--tag"]).arg(&image).args(["--file", "Dockerfile"]);
    // Only the names are arguments; the engine takes the values from its environment.
    for variable in arguments(cx.env) {
        let value = cx.env.get(variable).map(|value| value.expose().replace('\0', "")).unwrap_or_default();
        tool = tool.arg("--build-arg").arg(variable).env(variable, value);
    }
    cx.run(tool.arg("."), &format!("{name} build")).await?;
    let procfile = super::read_procfile(cx.source)?.unwrap_or_default();
    let image = match images {
        Some(images) => save(cx, name, program, image, images).await?,
        None => image,
    };
    Ok(Built { image, procfile, dockerfile: "true".to_owned(), stack: "container".to_owned() })
}

/// Takes the image out of the engine that built it, and puts it where it is run from.
async fn save(
    cx: &Compile<'_>,
    name: &str,
    program: PathBuf,
    image: String,
    images: &ImageStore,
) -> Result<String, BuildError> {
    cx.step("Storing the image").await;
    let file = cx.scratch.join("image.tar");
    let tool = engine_tool(cx, program);
    let tool = match name {
        "buildah" => {
            let mut target = OsString::from("docker-archive:");
            target.push(&file);
            tool.arg("push").arg(&image).arg(target)
        }
        "podman" => tool.args(["save", "--format", "docker-archive", "--output"]).arg(&file).arg(&image),
        _ => tool.args(["save", "--output"]).arg(&file).arg(&image),
    };
    cx.run(tool, name).await?;
    let (store, reference) = (images.clone(), image);
    let stored = tokio::task::spawn_blocking(move || {
        let digest = archive_import(&store, &file, UnpackLimits::default())?;
        let reference = format!("{reference}@{}", digest.with_algorithm());
        store.note(&reference, &digest)?;
        Ok(reference)
    });
    let stored = stored.await.map_err(|error| BuildError::Internal(format!("storing the image: {error}")))?;
    stored.map_err(|error| match error {
        ArchiveError::Refused(reason) => BuildError::Failed(reason),
        error @ (ArchiveError::Io(_) | ArchiveError::Store(_)) => {
            BuildError::Internal(format!("storing the image: {}", slipway_cause::chain(&error)))
        }
    })
}

/// Names of the config values that are build arguments: none, unless the app asked for it.
pub fn arguments(env: &BTreeMap<String, SecretText>) -> impl Iterator<Item = &str> {
    let is_asked =
        ["DEIS_DOCKER_BUILD_ARGS_ENABLED", "DRYCC_DOCKER_BUILD_ARGS_ENABLED"].iter().any(|name| is_set(env, name));
    env.keys().map(String::as_str).filter(move |name| is_asked && is_build_argument(name))
}

/// A tool without the config values: those would steer the engine itself.
fn engine_tool(cx: &Compile<'_>, program: PathBuf) -> Tool {
    Tool::new(program, cx.source.dir().to_owned())
}

fn is_build_argument(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !matches!(name, "PATH" | "HOME" | "TMPDIR" | "LD_PRELOAD" | "LD_LIBRARY_PATH")
        && !["DOCKER_", "BUILDAH_", "CONTAINERS_", "CONTAINER_", "BUILDKIT_", "XDG_", "STORAGE_"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
}

async fn engine(cx: &Compile<'_>) -> Result<(&'static str, PathBuf), BuildError> {
    let mut broken = Vec::new();
    for (name, probe) in ENGINES {
        let Some(program) = cx.runner.find(name) else { continue };
        let works = cx.runner.capture(engine_tool(cx, program.clone()).args(*probe), false).await.is_ok();
        if works {
            return Ok((name, program));
        }
        broken.push(*name);
    }
    let found = match broken.as_slice() {
        [] => "none of buildah, podman and docker is installed".to_owned(),
        broken => format!("{} is installed but does not answer (is its service running?)", broken.join(" and ")),
    };
    Err(BuildError::Unavailable(format!(
        "the app has a Dockerfile, but this machine cannot build it: {found}.\n\
         Install one (apt-get install buildah), or build without the Dockerfile: add a Procfile and set\n\
         SLIPWAY_STACK=buildpack (config:set)"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engine_settings_are_no_build_arguments() {
        for (name, is) in [("GREETING", true), ("DOCKER_HOST", false), ("PATH", false), ("A=B", false), ("", false)] {
            assert_eq!(is_build_argument(name), is, "{name}");
        }
    }
}
