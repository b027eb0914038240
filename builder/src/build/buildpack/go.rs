//! Go modules.

use async_trait::async_trait;

use super::{Buildpack, Compile, Compiled, Suspect};
use crate::build::BuildError;
use crate::build::process::Tool;
use crate::build::source::Source;

/// Go: `go.mod`. Every `main` package of the module is built into `bin/`.
pub struct Go;

/// Parts of the cache: downloaded modules and compiled packages.
const PARTS: &[&str] = &["go-mod", "go-build"];

#[async_trait]
impl Buildpack for Go {
    fn id(&self) -> &'static str {
        "go"
    }

    fn name(&self) -> &'static str {
        "Go"
    }

    fn looks_for(&self) -> &'static str {
        "go.mod"
    }

    fn detect(&self, source: &Source) -> Option<String> {
        source.has_file("go.mod").then(|| "go.mod".to_owned())
    }

    async fn compile(&self, cx: &Compile<'_>) -> Result<Compiled, BuildError> {
        let manifest = cx.source.text("go.mod")?.unwrap_or_default();
        let module =
            module_name(&manifest).ok_or_else(|| BuildError::Failed("go.mod: there is no 'module' line".to_owned()))?;
        let Some(go) = cx.runner.find("go") else {
            return Err(BuildError::Unavailable(
                "Go is not installed on this machine: apt-get install golang-go".to_owned(),
            ));
        };
        cx.source.own_dir("bin")?;
        let (modules, is_warm) = cx.cache_part("go-mod")?;
        let (compiled, was_built) = cx.cache_part("go-build")?;
        let flags = cx.runner.env("GOFLAGS").and_then(|flags| flags.to_str()).unwrap_or_default();
        // Without -modcacherw the cache could not be removed.
        let flags = format!("{flags} -modcacherw").trim().to_owned();
        let scratch = cx.scratch.join("go");
        let tool = || -> Tool {
            cx.tool(go.clone())
                .env("GOMODCACHE", &modules)
                .env("GOCACHE", &compiled)
                .env("GOPATH", &scratch)
                .env("GOFLAGS", &flags)
        };
        let version = cx.capture(tool().args(["env", "GOVERSION"]), "go env").await?;
        cx.step(&format!("Using {version}")).await;
        if is_warm || was_built {
            cx.step("Using the modules and packages in the cache").await;
        }
        let list = ["list", "-f", "{{if eq .Name \"main\"}}{{.ImportPath}}{{end}}", "./..."];
        let list = || tool().args(list);
        let found = match cx.runner.capture(list(), true).await {
            Err(error) if PARTS.iter().any(|part| error.mentions(&cx.cache.dir().join(part))) => {
                cx.step("go list failed; trying once more with an empty cache").await;
                for part in PARTS {
                    cx.cache
                        .clear(part)
                        .map_err(|error| BuildError::Internal(format!("clearing the cache: {error}")))?;
                    cx.cache_part(part)?;
                }
                cx.capture(list(), "go list").await?
            }
            other => other.map_err(|error| error.into_build_error("go list"))?,
        };
        let packages: Vec<&str> = found.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        if packages.is_empty() {
            return Err(BuildError::Failed("the module has no main package, so there is nothing to run".to_owned()));
        }
        cx.step(&format!("Running: go build -trimpath -o bin/ {}", packages.join(" "))).await;
        cx.run_cached(PARTS, "go build", Suspect::WhenNamed, || {
            tool().args(["build", "-trimpath", "-buildvcs=false", "-o", "bin/", "--"]).args(&packages)
        })
        .await?;
        let names: Vec<String> = packages.iter().map(|package| binary_name(package)).collect();
        for name in &names {
            cx.detail(&format!("bin/{name}")).await;
        }
        let done = Compiled {
            path: vec!["{slug}/bin".to_owned()],
            procfile_hint: format!("web: bin/{}", names.first().map_or("server", String::as_str)),
            ..Compiled::default()
        };
        Ok(match default_binary(&names, &binary_name(&module)) {
            Some(name) => done.web(format!("bin/{name}")),
            None => done,
        })
    }
}

/// The module's path: the word after `module`.
fn module_name(manifest: &str) -> Option<String> {
    manifest.lines().find_map(|line| {
        let line = line.split("//").next().unwrap_or_default().trim();
        let name = line.strip_prefix("module")?.trim_start_matches(|c: char| c != '"' && !c.is_whitespace());
        let name = name.trim().trim_matches('"');
        (!name.is_empty()).then(|| name.to_owned())
    })
}

/// What `go build` calls the program of package `path`: its last word that is not a version.
fn binary_name(path: &str) -> String {
    let mut words = path.rsplit('/');
    let last = words.next().unwrap_or(path);
    let is_version =
        last.strip_prefix('v').is_some_and(|n| !n.is_empty() && n.bytes().all(|byte| byte.is_ascii_digit()));
    match words.next() {
        Some(before) if is_version => before.to_owned(),
        _ => last.to_owned(),
    }
}

/// The program that answers requests: the only one, the module's own, or one with a telling name.
fn default_binary<'a>(names: &'a [String], module: &str) -> Option<&'a str> {
    let named = |wanted: &str| names.iter().find(|name| *name == wanted).map(String::as_str);
    match names {
        [only] => Some(only),
        _ => named(module).or_else(|| named("web")).or_else(|| named("server")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_and_programs_are_named() {
        assert_eq!(
            module_name("// x\nmodule example.org/shop/v2 // y\n\ngo 1.24\n").as_deref(),
            Some("example.org/shop/v2")
        );
        assert_eq!(module_name("module \"shop\"\n").as_deref(), Some("shop"));
        assert_eq!(module_name("go 1.24\n"), None);
        for (path, name) in [("example.org/shop/v2", "shop"), ("a/cmd/web", "web"), ("shop", "shop"), ("v2", "v2")] {
            assert_eq!(binary_name(path), name);
        }
    }

    #[test]
    fn the_default_program_is_obvious_or_none() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(default_binary(&names(&["a"]), "shop"), Some("a"));
        assert_eq!(default_binary(&names(&["a", "shop"]), "shop"), Some("shop"));
        assert_eq!(default_binary(&names(&["a", "web"]), "shop"), Some("web"));
        assert_eq!(default_binary(&names(&["a", "b"]), "shop"), None);
    }
}
