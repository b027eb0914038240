//! Python with pip.

use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::python_venv::{self, VENV};
use super::{Buildpack, Compile, Compiled, Suspect, python_entry};
use crate::build::BuildError;
use crate::build::cache;
use crate::build::process::Tool;
use crate::build::source::Source;

/// Python: `requirements.txt` or `pyproject.toml`. Packages go into a virtual environment inside the slug.
///
/// With a `requirements.txt` nothing else is installed. With a `pyproject.toml` alone, the dependencies that it lists
/// are installed, and the project itself when the file has a `[build-system]`.
pub struct Python;

/// Files whose content decides what is installed.
const MANIFESTS: &[&str] = &["requirements.txt", "pyproject.toml", "uv.lock", "poetry.lock", "setup.py", "setup.cfg"];

#[async_trait]
impl Buildpack for Python {
    fn id(&self) -> &'static str {
        "python"
    }

    fn name(&self) -> &'static str {
        "Python"
    }

    fn looks_for(&self) -> &'static str {
        "requirements.txt or pyproject.toml"
    }

    fn detect(&self, source: &Source) -> Option<String> {
        ["requirements.txt", "pyproject.toml"].into_iter().find(|file| source.has_file(file)).map(str::to_owned)
    }

    async fn compile(&self, cx: &Compile<'_>) -> Result<Compiled, BuildError> {
        let interpreter = Interpreter::choose(cx).await?;
        let plan = InstallPlan::read(cx.source)?;
        cx.source.own_dir(".slipway")?;
        cx.source.remove(VENV)?;
        let venv = cx.source.dir().join(VENV);
        let key = InstallPlan::key(cx.source, &interpreter)?;
        let is_restored = match &key {
            Some(key) => cx.cache.restore("venv", key, &venv).await && python_works(cx, &venv).await,
            None => false,
        };
        if is_restored {
            cx.step("Restored the installed packages from the cache (requirements are unchanged)").await;
        } else {
            cx.source.remove(VENV)?;
            cx.step("Creating a virtual environment").await;
            let create = unwritten(cx.tool(interpreter.program.clone())).args(["-m", "venv", "--symlinks"]).arg(&venv);
            cx.run(create.dir(cx.scratch), "python -m venv").await?;
            self.install(cx, &venv, &plan).await?;
            python_venv::make_relocatable(&venv, cx.source.dir())
                .map_err(|error| BuildError::Internal(format!("moving the virtual environment: {error}")))?;
            compile_all(cx, &venv, &venv).await;
            if let Some(key) = &key {
                cx.cache.store("venv", key, &venv).await;
            }
        }
        if plan.installs_project {
            cx.step("Installing the project").await;
            let (cache, _) = cx.cache_part("pip")?;
            let pip = pip(cx, &venv, &cache).args(["install", "--no-compile"]);
            // What is listed has been installed; what is not listed only the project's build system knows.
            let pip = if plan.requirements == Requirements::None { pip } else { pip.arg("--no-deps") };
            cx.run(pip.arg("."), "pip install .").await?;
            python_venv::make_relocatable(&venv, cx.source.dir())
                .map_err(|error| BuildError::Internal(format!("moving the virtual environment: {error}")))?;
        }
        let python = venv.join("bin/python3");
        collect_static(cx, &venv, &python).await?;
        compile_all(cx, &venv, cx.source.dir()).await;
        let site = python_venv::site_packages(&venv);
        let has = |package: &str| site.as_ref().is_some_and(|site| site.join(package).is_dir());
        let entry = python_entry::find(cx.source, has);
        let mut done = Compiled {
            path: vec![format!("{{slug}}/{VENV}/bin")],
            system_roots: interpreter.roots,
            procfile_hint: "web: gunicorn app:app".to_owned(),
            ..Compiled::default()
        }
        .env("PYTHONUNBUFFERED", "1")
        .env("LANG", "C.UTF-8")
        .env("VIRTUAL_ENV", format!("{{slug}}/{VENV}"));
        // The app's own modules are found even when its program lives in the virtual environment.
        done = done.env("PYTHONPATH", "{slug}");
        Ok(match entry {
            Some(command) => done.web(command),
            None => done,
        })
    }
}

impl Python {
    async fn install(&self, cx: &Compile<'_>, venv: &Path, plan: &InstallPlan) -> Result<(), BuildError> {
        let file = match &plan.requirements {
            Requirements::None => return Ok(()),
            Requirements::File => PathBuf::from("requirements.txt"),
            Requirements::Listed(lines) => {
                let file = cx.scratch.join("requirements.txt");
                std::fs::write(&file, lines.join("\n"))
                    .map_err(|error| BuildError::Internal(format!("writing requirements: {error}")))?;
                file
            }
        };
        let what = match plan.requirements {
            Requirements::File => "pip install -r requirements.txt",
            _ => "pip install (dependencies of pyproject.toml)",
        };
        cx.step(&format!("Running: {what}")).await;
        let (cache, _) = cx.cache_part("pip")?;
        cx.run_cached(&["pip"], what, Suspect::Always, || {
            pip(cx, venv, &cache).args(["install", "--no-compile", "-r"]).arg(&file)
        })
        .await
    }
}

fn pip(cx: &Compile<'_>, venv: &Path, cache: &Path) -> Tool {
    unwritten(cx.tool(venv.join("bin/python3")))
        .env("PIP_CACHE_DIR", cache)
        .env("PIP_PROGRESS_BAR", "off")
        .env("PIP_ROOT_USER_ACTION", "ignore")
        .args(["-m", "pip", "--disable-pip-version-check", "--no-input", "--require-virtualenv"])
}

/// Whether the interpreter of a restored environment is still there.
async fn python_works(cx: &Compile<'_>, venv: &Path) -> bool {
    cx.runner.capture(unwritten(cx.tool(venv.join("bin/python3"))).args(["-c", "pass"]), false).await.is_ok()
}

/// Keeps an interpreter from leaving compiled modules beside those that it imports: they hold times, which differ from
/// build to build, and what is installed shall be the same in an image when nothing was installed anew.
fn unwritten(tool: Tool) -> Tool {
    tool.env("PYTHONDONTWRITEBYTECODE", "1")
}

/// Compiles modules ahead, so that the first start of a process is not slower than the next. What does not compile is
/// no error: many packages hold templates with the ending `.py`.
async fn compile_all(cx: &Compile<'_>, venv: &Path, dir: &Path) {
    let mut tool = unwritten(cx.tool(venv.join("bin/python3"))).args(["-m", "compileall", "-q"]);
    // Validated by content instead of time: files get new times when a slug is unpacked.
    tool = tool.args(["--invalidation-mode", "unchecked-hash"]);
    tool = if dir == venv { tool.args(["-f", "-j", "0"]) } else { tool.args(["-x", r"/\.slipway/|/node_modules/"]) };
    let _ = cx.runner.capture(tool.arg("--").arg(dir), false).await;
}

async fn collect_static(cx: &Compile<'_>, venv: &Path, python: &Path) -> Result<(), BuildError> {
    let has_django = python_venv::site_packages(venv).is_some_and(|site| site.join("django").is_dir());
    if !cx.source.has_file("manage.py") || !has_django || cx.is_set("DISABLE_COLLECTSTATIC") {
        return Ok(());
    }
    cx.step("Running: python manage.py collectstatic --noinput").await;
    let path = std::env::join_paths(
        std::iter::once(venv.join("bin")).chain(std::env::split_paths(cx.runner.env("PATH").unwrap_or_default())),
    )
    .map_err(|error| BuildError::Internal(format!("making the search path: {error}")))?;
    let tool = cx.tool(python.to_owned()).env("PATH", path).args(["manage.py", "collectstatic", "--noinput"]);
    let result = cx.run(tool, "manage.py collectstatic").await;
    if result.is_err() {
        cx.warn("Set DISABLE_COLLECTSTATIC=1 (config:set) when the app has no static files to collect").await;
    }
    result
}

/// An installed Python.
#[derive(Debug)]
struct Interpreter {
    program: PathBuf,
    version: String,
    roots: Vec<PathBuf>,
}

impl Interpreter {
    async fn choose(cx: &Compile<'_>) -> Result<Self, BuildError> {
        let wanted = wanted_version(cx.source)?;
        let candidates = candidates(cx, wanted.as_ref().map(|(version, _)| version.as_str()));
        let mut seen = Vec::new();
        for program in &candidates {
            let Some(found) = Self::probe(cx, program).await else { continue };
            let is_right = wanted.as_ref().is_none_or(|(version, _)| is_version(&found.version, version));
            if is_right {
                let why = wanted.map(|(_, file)| format!(" (from {file})")).unwrap_or_default();
                cx.step(&format!("Using Python {}{why}", found.version)).await;
                return Ok(found);
            }
            seen.push(found.version);
        }
        let Some((version, file)) = wanted else {
            return Err(BuildError::Unavailable(
                "Python is not installed on this machine: apt-get install python3 python3-venv".to_owned(),
            ));
        };
        for program in all_candidates(cx) {
            if let Some(found) = Self::probe(cx, &program).await {
                seen.push(found.version);
            }
        }
        seen.sort_by_key(|version| version_numbers(version));
        seen.dedup();
        let seen = if seen.is_empty() { "none".to_owned() } else { seen.join(", ") };
        Err(BuildError::Failed(format!(
            "{file} asks for Python {version}, which is not installed on this machine; available: {seen}"
        )))
    }

    /// Asks a program what Python it is. Programs without the parts that are needed count as absent.
    async fn probe(cx: &Compile<'_>, program: &Path) -> Option<Self> {
        let script = "import sys, os, venv, ensurepip; print(sys.version.split()[0]); \
             print(os.path.realpath(sys.executable)); print(sys.base_prefix)";
        // Not in the source directory: modules and version files there must not change the answer.
        let tool = Tool::new(program.to_owned(), cx.scratch.to_owned()).args(["-I", "-c", script]);
        let text = cx.runner.capture(tool, false).await.ok()?;
        let mut lines = text.lines();
        let (version, executable, prefix) = (lines.next()?, lines.next()?, lines.next()?);
        (version_numbers(version) >= vec![3]).then(|| Self {
            program: PathBuf::from(executable),
            version: version.to_owned(),
            roots: vec![PathBuf::from(prefix)],
        })
    }
}

/// The version that the repository asks for, and the file that says so.
fn wanted_version(source: &Source) -> Result<Option<(String, &'static str)>, BuildError> {
    for file in [".python-version", "runtime.txt"] {
        let Some(text) = source.text(file)? else { continue };
        let Some(line) = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#')) else {
            continue;
        };
        let version = line.strip_prefix("python-").unwrap_or(line);
        let is_version = version.len() <= 20
            && version.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
        if !is_version {
            let shown: String = line.chars().take(40).flat_map(char::escape_default).collect();
            return Err(BuildError::Failed(format!("{file}: expected a version like 3.12 or 3.12.1, found '{shown}'")));
        }
        return Ok(Some((version.to_owned(), file)));
    }
    Ok(None)
}

fn version_numbers(version: &str) -> Vec<u32> {
    version.split('.').map_while(|part| part.parse().ok()).collect()
}

/// Whether the installed version `have` is what `want` asks for: equal as far as `want` goes.
fn is_version(have: &str, want: &str) -> bool {
    version_numbers(have).starts_with(&version_numbers(want))
}

/// Programs that may be the wanted Python, best first.
fn candidates(cx: &Compile<'_>, wanted: Option<&str>) -> Vec<PathBuf> {
    let mut found = Vec::new();
    if let Some(wanted) = wanted {
        let numbers = version_numbers(wanted);
        if let [major, minor, ..] = numbers.as_slice() {
            found.extend(cx.runner.find_all(&format!("python{major}.{minor}")));
        }
        found.extend(
            pyenv_versions(cx).into_iter().filter(|(version, _)| is_version(version, wanted)).map(|(_, at)| at),
        );
    }
    found.extend(cx.runner.find_all("python3"));
    found
}

fn all_candidates(cx: &Compile<'_>) -> Vec<PathBuf> {
    let by_minor = (8..30).flat_map(|minor| cx.runner.find_all(&format!("python3.{minor}")));
    by_minor.chain(pyenv_versions(cx).into_iter().map(|(_, program)| program)).collect()
}

/// The versions that pyenv has, whichever of them is active.
fn pyenv_versions(cx: &Compile<'_>) -> Vec<(String, PathBuf)> {
    let Some(root) = cx.runner.env("PYENV_ROOT") else { return Vec::new() };
    let entries = std::fs::read_dir(Path::new(root).join("versions")).into_iter().flatten().flatten();
    let mut found: Vec<(String, PathBuf)> = entries
        .filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path().join("bin/python3"))))
        .filter(|(_, program)| program.is_file())
        .collect();
    found.sort_by_key(|(version, _)| std::cmp::Reverse(version_numbers(version)));
    found
}

/// What is to be installed.
#[derive(Debug)]
struct InstallPlan {
    requirements: Requirements,
    installs_project: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Requirements {
    /// Nothing but the project itself.
    None,
    /// `requirements.txt`.
    File,
    /// The dependencies of `pyproject.toml`.
    Listed(Vec<String>),
}

impl InstallPlan {
    fn read(source: &Source) -> Result<Self, BuildError> {
        if source.has_file("requirements.txt") {
            return Ok(Self { requirements: Requirements::File, installs_project: false });
        }
        let text = source.text("pyproject.toml")?.unwrap_or_default();
        Self::from_pyproject(&text)
    }

    fn from_pyproject(text: &str) -> Result<Self, BuildError> {
        let table: toml::Table = text
            .parse()
            .map_err(|error: toml::de::Error| BuildError::Failed(format!("pyproject.toml: {}", error.message())))?;
        let listed = table.get("project").and_then(|project| project.get("dependencies"));
        let lines = match listed {
            None => Vec::new(),
            Some(list) => list
                .as_array()
                .and_then(|list| list.iter().map(|line| line.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>())
                .filter(|lines| lines.iter().all(|line| is_requirement(line)))
                .ok_or_else(|| {
                    BuildError::Failed("pyproject.toml: project.dependencies must be a list of requirements".to_owned())
                })?,
        };
        let installs_project = table.contains_key("build-system");
        let poetry =
            table.get("tool").and_then(|tool| tool.get("poetry")).and_then(|poetry| poetry.get("dependencies"));
        let needs_poetry =
            poetry.and_then(toml::Value::as_table).is_some_and(|list| list.keys().any(|name| name != "python"));
        if needs_poetry && listed.is_none() && !installs_project {
            return Err(BuildError::Failed(
                "pyproject.toml: the dependencies are listed for Poetry alone; move them to project.dependencies, or \
                 export them: poetry export -o requirements.txt"
                    .to_owned(),
            ));
        }
        let requirements = if lines.is_empty() { Requirements::None } else { Requirements::Listed(lines) };
        Ok(Self { requirements, installs_project })
    }

    /// What the installed packages depend on; `None` when they depend on the source itself and cannot be reused.
    fn key(source: &Source, interpreter: &Interpreter) -> Result<Option<String>, BuildError> {
        let mut parts =
            vec![interpreter.version.clone().into_bytes(), interpreter.program.display().to_string().into()];
        let mut files: Vec<String> = MANIFESTS.iter().map(|file| (*file).to_owned()).collect();
        // Files that requirements.txt may include.
        let is_list = |name: &str| is_text(name) && (name.contains("requirements") || name.contains("constraints"));
        files.extend(source.list("", is_list));
        if source.has_dir("requirements") {
            let inner = source.list("requirements", is_text);
            files.extend(inner.into_iter().map(|name| format!("requirements/{name}")));
        }
        files.sort();
        files.dedup();
        for file in files {
            let Some(content) = source.bytes(&file)? else { continue };
            if is_text(&file) && !is_reusable(&String::from_utf8_lossy(&content), &file) {
                return Ok(None);
            }
            parts.push(file.into_bytes());
            parts.push(content);
        }
        Ok(Some(cache::key(parts.iter().map(Vec::as_slice))))
    }
}

fn is_text(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|ending| ending == "txt")
}

/// One line, and no option of pip's.
fn is_requirement(line: &str) -> bool {
    !line.contains(['\n', '\r', '\0']) && !line.trim_start().starts_with('-') && !line.trim().is_empty()
}

/// Whether what a requirements file asks for depends on nothing but that file and those hashed with it.
fn is_reusable(text: &str, file: &str) -> bool {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).all(|line| {
        let mut words = line.split_whitespace();
        let first = words.next().unwrap_or_default();
        match first {
            "-e" | "--editable" => false,
            "-r" | "--requirement" | "-c" | "--constraint" => {
                let name = words.next().unwrap_or_default();
                let is_hashed = name.contains("requirements") || name.contains("constraints") || file.contains('/');
                is_hashed && is_text(name) && !name.contains("..") && name.matches('/').count() <= 1
            }
            _ => {
                !first.starts_with(['.', '/'])
                    && !first.starts_with("-e")
                    && !first.starts_with("-r")
                    && !first.starts_with("-c")
                    && !line.contains("file:")
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_match_as_far_as_they_are_given() {
        for (have, want, is) in
            [("3.11.7", "3.11", true), ("3.11.7", "3.11.7", true), ("3.11.7", "3.1", false), ("3.11.7", "3", true)]
        {
            assert_eq!(is_version(have, want), is, "{have} {want}");
        }
    }

    #[test]
    fn version_files_are_checked() {
        let root = tempfile::tempdir().unwrap();
        let source = Source::new(root.path().to_owned());
        assert_eq!(wanted_version(&source).unwrap(), None);
        std::fs::write(root.path().join("runtime.txt"), "python-3.12.1\r\n").unwrap();
        assert_eq!(wanted_version(&source).unwrap(), Some(("3.12.1".to_owned(), "runtime.txt")));
        std::fs::write(root.path().join(".python-version"), "# ours\n3.11\n").unwrap();
        assert_eq!(wanted_version(&source).unwrap(), Some(("3.11".to_owned(), ".python-version")));
        for bad in ["../../bin/x", "3.x", "3.11; rm", "-m"] {
            std::fs::write(root.path().join(".python-version"), bad).unwrap();
            assert!(matches!(wanted_version(&source), Err(BuildError::Failed(_))), "{bad}");
        }
    }

    #[test]
    fn pyproject_is_read() {
        let plan = InstallPlan::from_pyproject("[project]\nname='a'\ndependencies=['flask==3.1.0']\n").unwrap();
        assert_eq!(plan.requirements, Requirements::Listed(vec!["flask==3.1.0".to_owned()]));
        assert!(!plan.installs_project);
        let plan = InstallPlan::from_pyproject("[build-system]\nrequires=[]\n").unwrap();
        assert!(plan.installs_project && plan.requirements == Requirements::None);
        for bad in [
            "[",
            "[project]\ndependencies='x'",
            "[project]\ndependencies=['-r /etc/passwd']",
            "[project]\ndependencies=[1]",
            "[tool.poetry.dependencies]\nflask='*'",
        ] {
            assert!(matches!(InstallPlan::from_pyproject(bad), Err(BuildError::Failed(_))), "{bad}");
        }
    }

    #[test]
    fn only_closed_requirements_are_reused() {
        for good in ["flask==3.1.0\n# c\n\ngunicorn", "-r requirements/base.txt", "-c constraints.txt", "--no-binary x"]
        {
            assert!(is_reusable(good, "requirements.txt"), "{good}");
        }
        for bad in ["-e .", ".", "./lib", "/lib", "x @ file:///y", "-r other/base.in", "-r ../requirements.txt"] {
            assert!(!is_reusable(bad, "requirements.txt"), "{bad}");
        }
    }
}
