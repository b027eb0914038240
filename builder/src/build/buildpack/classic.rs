//! Buildpacks of others, through the classic interface: the programs `bin/detect`, `bin/compile` and `bin/release`.
//!
//! They are called as `detect BUILD_DIR`, `compile BUILD_DIR CACHE_DIR ENV_DIR` and `release BUILD_DIR`. Config values
//! are files in `ENV_DIR` and not in the environment. `STACK` is the config value of that name, else [`STACK`];
//! `SOURCE_VERSION` is the commit.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Compile, Compiled};
use crate::build::BuildError;
use crate::build::process::{Tool, is_executable};

/// What buildpacks are told to build for when the config does not say.
pub const STACK: &str = "heroku-24";

/// Runs the buildpack in `dir`, called `name` in messages.
///
/// # Errors
/// [`BuildError::Failed`] when it is none, does not recognise the source, or fails.
pub async fn compile(cx: &Compile<'_>, name: &str, dir: &Path) -> Result<(String, Compiled), BuildError> {
    let program = |which: &str| -> Result<PathBuf, BuildError> {
        let file = dir.join("bin").join(which);
        if is_executable(&file) {
            Ok(file)
        } else {
            Err(BuildError::Failed(format!("{name} is no buildpack: it has no program bin/{which}")))
        }
    };
    let (detect, build) = (program("detect")?, program("compile")?);
    let stack = cx.env.get("STACK").map_or(STACK, |stack| stack.expose());
    let tool = |program: PathBuf| {
        Tool::new(program, cx.source.dir().to_owned())
            .env("STACK", stack.replace('\0', ""))
            .env("SOURCE_VERSION", cx.sha)
            .unindented()
            .arg(cx.source.dir())
    };
    let found = cx.runner.capture(tool(detect), true).await.map_err(|error| match error {
        super::ToolError::Exit { .. } => {
            BuildError::Failed(format!("the buildpack {name} does not recognise the source of this app"))
        }
        error @ super::ToolError::Start { .. } => start_error(name, "detect", &error),
    })?;
    let title: String = found.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).take(80).collect();
    let title = if title.trim().is_empty() { name.to_owned() } else { title.trim().to_owned() };
    cx.step(&format!("{title} app detected")).await;
    let values = env_dir(cx)?;
    let (cache, _) = cx.cache_part("classic")?;
    let result = cx.runner.run(tool(build).arg(&cache).arg(&values)).await;
    let _ = fs::remove_dir_all(&values);
    result.map_err(|error| match error {
        super::ToolError::Exit { .. } => error.into_build_error("bin/compile of the buildpack"),
        super::ToolError::Start { .. } => start_error(name, "compile", &error),
    })?;
    let Ok(release) = program("release") else { return Ok((title, Compiled::default())) };
    let text = cx.runner.capture(tool(release), true).await;
    let text = text.map_err(|error| error.into_build_error("bin/release of the buildpack"))?;
    Ok((title, parse_release(&text)?))
}

fn start_error(name: &str, which: &str, error: &super::ToolError) -> BuildError {
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    BuildError::Failed(format!("bin/{which} of the buildpack {name} cannot be started: {cause}"))
}

/// Writes the config values as files that only this user can read.
fn env_dir(cx: &Compile<'_>) -> Result<PathBuf, BuildError> {
    let dir = cx.scratch.join("env");
    let write = || -> std::io::Result<()> {
        fs::DirBuilder::new().mode(0o700).create(&dir)?;
        for (name, value) in cx.env {
            // A name is a file name here, so it must be one.
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                continue;
            }
            let mut options = fs::OpenOptions::new();
            let mut file = options.write(true).create_new(true).mode(0o600).open(dir.join(name))?;
            std::io::Write::write_all(&mut file, value.expose().as_bytes())?;
        }
        Ok(())
    };
    match write() {
        Ok(()) => Ok(dir),
        Err(error) => Err(BuildError::Internal(format!("writing the config values: {error}"))),
    }
}

/// Reads the output of `bin/release`.
fn parse_release(text: &str) -> Result<Compiled, BuildError> {
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Release {
        default_process_types: Option<BTreeMap<String, String>>,
        config_vars: Option<BTreeMap<String, String>>,
    }
    if text.trim().trim_start_matches("---").trim().is_empty() {
        return Ok(Compiled::default());
    }
    let release: Release = serde_saphyr::from_str(text).map_err(|error| {
        let first = error.to_string().lines().next().unwrap_or_default().to_owned();
        BuildError::Failed(format!("bin/release of the buildpack wrote no YAML that is understood: {first}"))
    })?;
    Ok(Compiled {
        processes: release.default_process_types.unwrap_or_default(),
        env: release.config_vars.unwrap_or_default(),
        procfile_hint: "web: ./server".to_owned(),
        ..Compiled::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn release_output_is_read() {
        let text = "---\naddons: []\ndefault_process_types:\n  web: bin/server --port $PORT\nconfig_vars:\n  LANG: C\n";
        let compiled = parse_release(text).unwrap();
        assert_eq!(compiled.processes["web"], "bin/server --port $PORT");
        assert_eq!(compiled.env["LANG"], "C");
        for empty in ["", "---\n", "--- {}\n"] {
            assert_eq!(parse_release(empty).unwrap().processes.len(), 0, "{empty:?}");
        }
        assert!(parse_release("default_process_types: [a]").is_err());
    }
}
