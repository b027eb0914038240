//! Node.js with npm, Yarn or pnpm.

use std::path::PathBuf;

use async_trait::async_trait;
use serde_json::Value;

use super::{Buildpack, Compile, Compiled, Suspect, node_range};
use crate::build::BuildError;
use crate::build::cache;
use crate::build::process::Tool;
use crate::build::source::Source;

/// Node.js: `package.json`. Packages go to `node_modules`; development packages are there during the build only.
pub struct Node;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manager {
    Npm,
    Pnpm,
    Yarn,
}

/// Lock files and what reads them, first one first.
const LOCKS: &[(&str, Manager)] = &[
    ("package-lock.json", Manager::Npm),
    ("npm-shrinkwrap.json", Manager::Npm),
    ("pnpm-lock.yaml", Manager::Pnpm),
    ("yarn.lock", Manager::Yarn),
];

impl Manager {
    fn name(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Pnpm => "pnpm",
            Self::Yarn => "yarn",
        }
    }

    /// The package that holds the manager: in the version that `packageManager` asks for, else one that reads the
    /// lock file.
    fn package(self, wanted: Option<&str>, is_modern_lock: bool) -> String {
        let version = wanted
            .and_then(|wanted| wanted.split_once('@'))
            .filter(|(name, _)| *name == self.name())
            .map(|(_, version)| version.split('+').next().unwrap_or_default())
            .filter(|version| version.starts_with(|c: char| c.is_ascii_digit()))
            .filter(|version| version.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte)));
        match (self, version) {
            (Self::Npm | Self::Pnpm, Some(version)) => format!("{}@{version}", self.name()),
            (Self::Npm, None) => "npm".to_owned(),
            (Self::Pnpm, None) => "pnpm@9.15.0".to_owned(),
            (Self::Yarn, Some(version)) if is_classic(version) => format!("yarn@{version}"),
            (Self::Yarn, Some(version)) => format!("@yarnpkg/cli-dist@{version}"),
            (Self::Yarn, None) if is_modern_lock => "@yarnpkg/cli-dist@4.5.3".to_owned(),
            (Self::Yarn, None) => "yarn@1.22.22".to_owned(),
        }
    }
}

#[async_trait]
impl Buildpack for Node {
    fn id(&self) -> &'static str {
        "node"
    }

    fn name(&self) -> &'static str {
        "Node.js"
    }

    fn looks_for(&self) -> &'static str {
        "package.json"
    }

    fn detect(&self, source: &Source) -> Option<String> {
        source.has_file("package.json").then(|| "package.json".to_owned())
    }

    async fn compile(&self, cx: &Compile<'_>) -> Result<Compiled, BuildError> {
        let manifest = Manifest::parse(&cx.source.text("package.json")?.unwrap_or_default())?;
        let Some(node) = cx.find("node") else {
            return Err(BuildError::Unavailable(
                "Node.js is not installed on this machine: apt-get install nodejs npm".to_owned(),
            ));
        };
        let version = cx.capture(node.arg("--version"), "node --version").await?;
        cx.step(&format!("Using Node.js {}", version.trim_start_matches('v'))).await;
        if let Some(range) = &manifest.node {
            let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse().ok());
            if major.is_some_and(|major| node_range::has_major(range, major) == Some(false)) {
                let shown: String = range.chars().take(60).flat_map(char::escape_default).collect();
                cx.warn(&format!("package.json asks for Node.js {shown}, but {version} is what this machine has"))
                    .await;
            }
        }
        let present: Vec<&(&str, Manager)> = LOCKS.iter().filter(|(file, _)| cx.source.has_file(file)).collect();
        let (lock, manager) = match present.as_slice() {
            [] => {
                cx.warn("There is no lock file in the repository; add package-lock.json, so that every build uses the same versions")
                    .await;
                (None, Manager::Npm)
            }
            [first, rest @ ..] => {
                for (other, _) in rest {
                    cx.warn(&format!("{other} is ignored, since {} is there too", first.0)).await;
                }
                (Some(first.0), first.1)
            }
        };
        let packages = Packages::new(cx, manager, lock, manifest.manager.as_deref())?;
        let manager_version = cx.capture(packages.tool().arg("--version"), manager.name()).await?;
        // A node_modules directory in the repository is replaced: it was made on another machine.
        if std::fs::symlink_metadata(cx.source.dir().join("node_modules")).is_ok() {
            cx.warn("node_modules is in the repository; it is replaced. Remove it and add it to .gitignore").await;
            cx.source.remove("node_modules")?;
        }
        let key = match lock {
            Some(lock) if !manifest.has_install_script => {
                let package = cx.source.bytes("package.json")?.unwrap_or_default();
                let lock = cx.source.bytes(lock)?.unwrap_or_default();
                let npmrc = cx.source.bytes(".npmrc")?.unwrap_or_default();
                let parts = [
                    version.as_bytes(),
                    manager.name().as_bytes(),
                    manager_version.as_bytes(),
                    &package,
                    &lock,
                    &npmrc,
                ];
                cache::key(parts)
            }
            _ => String::new(),
        };
        let modules = cx.source.dir().join("node_modules");
        if cx.cache.restore("node-modules", &key, &modules).await {
            cx.step("Restored node_modules from the cache (the lock file is unchanged)").await;
        } else {
            let args = packages.install_args(&manager_version);
            let what = format!("{} {}", manager.name(), args.first().copied().unwrap_or_default());
            cx.step(&format!("Running: {} {}", manager.name(), args.join(" "))).await;
            cx.run_cached(&[packages.part()], &what, Suspect::Always, || packages.tool().args(&args)).await?;
            if !key.is_empty() && modules.is_dir() {
                cx.cache.store("node-modules", &key, &modules).await;
            }
        }
        for script in ["heroku-prebuild", "heroku-postbuild", "build"] {
            let is_replaced = script == "build" && manifest.has_script("heroku-postbuild");
            if manifest.has_script(script) && !is_replaced {
                cx.step(&format!("Running: {} run {script}", manager.name())).await;
                cx.run(packages.tool().args(["run", script]), &format!("{} run {script}", manager.name())).await?;
            }
        }
        let keeps_dev = ["NPM_CONFIG_PRODUCTION", "YARN_PRODUCTION"]
            .iter()
            .any(|name| cx.env.get(*name).is_some_and(|value| value.expose() == "false"));
        if manifest.has_dev_dependencies
            && !keeps_dev
            && let Some(args) = packages.prune_args(&manager_version)
        {
            cx.step("Removing development packages").await;
            cx.run(packages.tool().args(args), &format!("{} (removing development packages)", manager.name())).await?;
        }
        let done = Compiled {
            path: vec!["{slug}/node_modules/.bin".to_owned()],
            procfile_hint: "web: node server.js".to_owned(),
            ..Compiled::default()
        }
        .env("NODE_ENV", "production");
        Ok(if manifest.has_script("start") {
            done.web("npm start")
        } else if cx.source.has_file("server.js") {
            done.web("node server.js")
        } else {
            done
        })
    }
}

/// What matters of a `package.json`.
#[derive(Debug)]
struct Manifest {
    scripts: Vec<String>,
    node: Option<String>,
    /// `packageManager`: `pnpm@9.15.0`.
    manager: Option<String>,
    has_dev_dependencies: bool,
    /// Installing runs a script of the app itself, which may write anywhere: what it made cannot be restored.
    has_install_script: bool,
}

impl Manifest {
    fn parse(text: &str) -> Result<Self, BuildError> {
        let text = text.trim_start_matches('\u{feff}');
        let value: Value =
            serde_json::from_str(text).map_err(|error| BuildError::Failed(format!("package.json: {error}")))?;
        if !value.is_object() {
            return Err(BuildError::Failed("package.json: expected an object".to_owned()));
        }
        let names = |field: &str| -> Result<Vec<String>, BuildError> {
            match value.get(field) {
                None | Some(Value::Null) => Ok(Vec::new()),
                Some(Value::Object(map)) => Ok(map.keys().cloned().collect()),
                Some(_) => Err(BuildError::Failed(format!("package.json: '{field}' must be an object"))),
            }
        };
        let scripts = names("scripts")?;
        let is_install = |name: &String| matches!(name.as_str(), "preinstall" | "install" | "postinstall" | "prepare");
        Ok(Self {
            has_install_script: scripts.iter().any(is_install),
            manager: value.get("packageManager").and_then(Value::as_str).map(str::to_owned),
            node: value.pointer("/engines/node").and_then(Value::as_str).map(str::to_owned),
            has_dev_dependencies: !names("devDependencies")?.is_empty(),
            scripts,
        })
    }

    fn has_script(&self, name: &str) -> bool {
        self.scripts.iter().any(|script| script == name)
    }
}

/// Runs the package manager.
struct Packages<'a> {
    cx: &'a Compile<'a>,
    manager: Manager,
    program: PathBuf,
    /// Arguments in front of the manager's own.
    prefix: Vec<String>,
    cache: PathBuf,
    has_lock: bool,
}

impl<'a> Packages<'a> {
    fn new(
        cx: &'a Compile<'a>,
        manager: Manager,
        lock: Option<&str>,
        wanted: Option<&str>,
    ) -> Result<Self, BuildError> {
        let lock_text = lock.map(|lock| cx.source.text(lock)).transpose()?.flatten().unwrap_or_default();
        let is_modern_lock = lock_text.contains("__metadata:");
        let name = manager.name();
        let (program, mut prefix) = if let Some(program) = cx.runner.find(name) {
            (program, Vec::new())
        } else if manager == Manager::Npm {
            return Err(BuildError::Unavailable(
                "npm is not installed on this machine: apt-get install npm".to_owned(),
            ));
        } else if let Some(npm) = cx.runner.find("npm") {
            // npm fetches the other managers like any package, so that its own settings for reaching the index hold.
            let package = format!("--package={}", manager.package(wanted, is_modern_lock));
            (npm, ["exec", "--yes", &package, "--", name].map(str::to_owned).to_vec())
        } else {
            return Err(BuildError::Unavailable(format!(
                "{name} is not installed on this machine: apt-get install npm"
            )));
        };
        let (cache, _) = cx.cache_part(name)?;
        if manager == Manager::Pnpm {
            prefix.push(format!("--config.store-dir={}", cache.join("store").display()));
        }
        Ok(Self { cx, manager, program, prefix, cache, has_lock: lock.is_some() })
    }

    /// The part of the cache that holds downloads.
    fn part(&self) -> &'static str {
        self.manager.name()
    }

    fn tool(&self) -> Tool {
        let tool = self.cx.tool(self.program.clone()).args(&self.prefix);
        // pnpm asks questions otherwise. For the others it would turn warnings of some build tools into errors.
        let tool = match self.manager {
            Manager::Pnpm => tool.env_default("CI", "true"),
            Manager::Npm | Manager::Yarn => tool,
        };
        tool.env_default("NODE_ENV", "production")
            .env("NPM_CONFIG_CACHE", &self.cache)
            .env("NPM_CONFIG_UPDATE_NOTIFIER", "false")
            .env("YARN_CACHE_FOLDER", &self.cache)
            .env("YARN_ENABLE_TELEMETRY", "0")
            .env("YARN_ENABLE_GLOBAL_CACHE", "false")
            .env("YARN_NODE_LINKER", "node-modules")
    }

    fn install_args(&self, version: &str) -> Vec<&'static str> {
        match self.manager {
            Manager::Npm if self.has_lock => vec!["ci", "--include=dev", "--no-audit", "--no-fund"],
            Manager::Npm => vec!["install", "--include=dev", "--no-audit", "--no-fund", "--no-package-lock"],
            Manager::Pnpm => vec!["install", "--frozen-lockfile", "--prod=false", "--package-import-method=copy"],
            Manager::Yarn if is_classic(version) => {
                vec!["install", "--frozen-lockfile", "--production=false", "--non-interactive"]
            }
            Manager::Yarn => vec!["install", "--immutable"],
        }
    }

    fn prune_args(&self, version: &str) -> Option<Vec<&'static str>> {
        match self.manager {
            Manager::Npm => Some(vec!["prune", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"]),
            Manager::Pnpm => Some(vec!["prune", "--prod", "--ignore-scripts"]),
            Manager::Yarn if is_classic(version) => Some(vec![
                "install",
                "--production=true",
                "--ignore-scripts",
                "--frozen-lockfile",
                "--prefer-offline",
                "--non-interactive",
            ]),
            // Later Yarns can only do it with a plugin that not every version has.
            Manager::Yarn => None,
        }
    }
}

/// Whether a Yarn is of the first generation.
fn is_classic(version: &str) -> bool {
    version.starts_with("1.") || version.starts_with("0.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_are_read() {
        let text =
            r#"{"scripts":{"start":"node .","postinstall":"x"},"engines":{"node":"20.x"},"devDependencies":{"a":"1"}}"#;
        let manifest = Manifest::parse(text).unwrap();
        assert!(manifest.has_script("start") && !manifest.has_script("build"));
        assert!(manifest.has_dev_dependencies && manifest.has_install_script);
        assert_eq!(manifest.node.as_deref(), Some("20.x"));
    }

    #[test]
    fn managers_are_fetched_in_the_right_version() {
        for (manager, wanted, is_modern, package) in [
            (Manager::Pnpm, Some("pnpm@10.1.0+sha512.abc"), false, "pnpm@10.1.0"),
            (Manager::Pnpm, Some("yarn@4.0.0"), false, "pnpm@9.15.0"),
            (Manager::Yarn, Some("yarn@4.1.0"), false, "@yarnpkg/cli-dist@4.1.0"),
            (Manager::Yarn, Some("yarn@1.22.19"), false, "yarn@1.22.19"),
            (Manager::Yarn, Some("yarn@https://evil/x"), false, "yarn@1.22.22"),
            (Manager::Yarn, Some("yarn@1 --x"), true, "@yarnpkg/cli-dist@4.5.3"),
        ] {
            assert_eq!(manager.package(wanted, is_modern), package, "{wanted:?}");
        }
    }

    #[test]
    fn bad_manifests_are_named() {
        let deep = "[".repeat(100_000);
        for bad in ["", "[]", "{", r#"{"scripts":[]}"#, r#"{"devDependencies":"x"}"#, &deep] {
            let Err(BuildError::Failed(text)) = Manifest::parse(bad) else { panic!("{bad:.20}") };
            assert!(text.starts_with("package.json: "), "{text}");
        }
        assert!(Manifest::parse(r#"{"engines":"x","scripts":null}"#).is_ok());
    }
}
