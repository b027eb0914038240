//! Rust programs.

use std::fs;

use async_trait::async_trait;

use super::{Buildpack, Compile, Compiled, Suspect};
use crate::build::BuildError;
use crate::build::process::Tool;
use crate::build::source::Source;

/// Rust: `Cargo.toml`. Every program of the workspace is built in release mode and copied to `bin/`.
pub struct Rust;

/// Parts of the cache: cargo's downloads and the target directory.
const PARTS: &[&str] = &["cargo", "cargo-target"];

#[async_trait]
impl Buildpack for Rust {
    fn id(&self) -> &'static str {
        "rust"
    }

    fn name(&self) -> &'static str {
        "Rust"
    }

    fn looks_for(&self) -> &'static str {
        "Cargo.toml"
    }

    fn detect(&self, source: &Source) -> Option<String> {
        source.has_file("Cargo.toml").then(|| "Cargo.toml".to_owned())
    }

    async fn compile(&self, cx: &Compile<'_>) -> Result<Compiled, BuildError> {
        let Some(cargo) = cx.runner.find("cargo") else {
            return Err(BuildError::Unavailable(
                "Rust is not installed on this machine: apt-get install cargo".to_owned(),
            ));
        };
        let bin = cx.source.own_dir("bin")?;
        let (home, _) = cx.cache_part("cargo")?;
        let (target, is_warm) = cx.cache_part("cargo-target")?;
        let tool = || -> Tool {
            cx.tool(cargo.clone())
                .env("CARGO_HOME", &home)
                .env("CARGO_TARGET_DIR", &target)
                .env("CARGO_TERM_PROGRESS_WHEN", "never")
        };
        let version = cx.capture(tool().arg("--version"), "cargo --version").await?;
        cx.step(&format!("Using {version}")).await;
        if is_warm {
            cx.step("Using the compiled dependencies in the cache").await;
        }
        let is_locked = cx.source.has_file("Cargo.lock");
        if !is_locked {
            cx.warn("There is no Cargo.lock in the repository; add it, so that every build uses the same versions")
                .await;
        }
        let mut args = vec!["build", "--release"];
        if is_locked {
            args.push("--locked");
        }
        cx.step(&format!("Running: cargo {}", args.join(" "))).await;
        cx.run_cached(PARTS, "cargo build", Suspect::WhenNamed, || tool().args(&args)).await?;
        let metadata =
            cx.capture(tool().args(["metadata", "--no-deps", "--format-version", "1"]), "cargo metadata").await?;
        let programs =
            programs(&metadata).map_err(|error| BuildError::Internal(format!("reading cargo's metadata: {error}")))?;
        let mut names = Vec::new();
        for name in programs {
            let built = target.join("release").join(&name);
            if built.is_file() {
                super::super::tree::remove(&bin.join(&name))
                    .and_then(|()| fs::copy(&built, bin.join(&name)))
                    .map_err(|error| BuildError::Internal(format!("copying {name}: {error}")))?;
                cx.detail(&format!("bin/{name}")).await;
                names.push(name);
            }
        }
        let Some(first) = names.first() else {
            return Err(BuildError::Failed("the package has no program, so there is nothing to run".to_owned()));
        };
        let done = Compiled {
            path: vec!["{slug}/bin".to_owned()],
            procfile_hint: format!("web: bin/{first}"),
            ..Compiled::default()
        };
        Ok(match names.as_slice() {
            [only] => done.web(format!("bin/{only}")),
            _ => match names.iter().find(|name| matches!(name.as_str(), "web" | "server")) {
                Some(name) => done.web(format!("bin/{name}")),
                None => done,
            },
        })
    }
}

/// Names of the programs in the output of `cargo metadata`. A name that is more than a file name is left out.
fn programs(metadata: &str) -> Result<Vec<String>, serde_json::Error> {
    #[derive(serde::Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    #[derive(serde::Deserialize)]
    struct Package {
        targets: Vec<Target>,
    }
    #[derive(serde::Deserialize)]
    struct Target {
        name: String,
        kind: Vec<String>,
    }
    let metadata: Metadata = serde_json::from_str(metadata)?;
    let targets = metadata.packages.into_iter().flat_map(|package| package.targets);
    Ok(targets
        .filter(|target| target.kind.iter().any(|kind| kind == "bin") && !target.name.contains(['/', '\0']))
        .map(|target| target.name)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_read_from_metadata() {
        let metadata = r#"{"packages":[{"targets":[{"name":"shop","kind":["bin"]},{"name":"lib","kind":["lib"]},
            {"name":"../x","kind":["bin"]}]}],"version":1}"#;
        assert_eq!(programs(metadata).unwrap(), ["shop"]);
        assert!(programs("[]").is_err());
    }
}
