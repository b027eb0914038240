//! Buildpacks: how source in one language becomes something that runs.
//!
//! Detection asks the built-in ones in the order of [`ALL`] and takes the first that recognises the source. A
//! `package.json` beside another language's manifest is mostly there for the front end, so Node.js comes after the
//! languages; static files and a bare Procfile come last.

pub mod classic;
pub mod go;
pub mod node;
pub mod node_range;
pub mod procfile;
pub mod python;
pub mod python_entry;
pub mod python_venv;
pub mod ruby;
pub mod rust;
pub mod static_files;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use slipway_core::config::SecretText;

use super::cache::Cache;
use super::process::{Runner, Tool, ToolError};
use super::source::Source;
use super::{BuildError, BuildOutput};

/// The built-in buildpacks, in the order of detection.
pub const ALL: &[&dyn Buildpack] =
    &[&ruby::Ruby, &python::Python, &go::Go, &rust::Rust, &node::Node, &static_files::StaticFiles, &procfile::Procfile];

/// The built-in buildpack called `id`, also by the names that other platforms use (`heroku/python`).
#[must_use]
pub fn by_id(id: &str) -> Option<&'static dyn Buildpack> {
    let id = id.strip_prefix("heroku/").unwrap_or(id);
    let id = if id == "nodejs" { "node" } else { id };
    ALL.iter().copied().find(|pack| pack.id() == id)
}

/// Turns source in one language into something that runs.
#[async_trait]
pub trait Buildpack: Send + Sync {
    /// Its name in `BUILDPACK_URL` and `app.json`: `python`.
    fn id(&self) -> &'static str;

    /// Its name as people write it: `Python`.
    fn name(&self) -> &'static str;

    /// What it looks for, for the message that nothing was found.
    fn looks_for(&self) -> &'static str;

    /// The file by which it recognises `source`.
    fn detect(&self, source: &Source) -> Option<String>;

    /// Makes the source runnable in place. Nothing in it may depend on where the source is now.
    ///
    /// # Errors
    /// [`BuildError::Failed`] with the reason when the source does not build.
    async fn compile(&self, cx: &Compile<'_>) -> Result<Compiled, BuildError>;
}

/// What a buildpack says about the slug it made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compiled {
    /// Commands by process type, under those of the Procfile.
    pub processes: BTreeMap<String, String>,
    /// Variables at run time; `{slug}` stands for the slug's directory.
    pub env: BTreeMap<String, String>,
    /// Directories put in front of `PATH` at run time; `{slug}` as above.
    pub path: Vec<String>,
    /// Where links of the slug may lead outside it: the prefix of a toolchain.
    pub system_roots: Vec<PathBuf>,
    /// What to put into a Procfile when there is no process type at all: `web: gunicorn app:app`.
    pub procfile_hint: String,
}

impl Compiled {
    /// With a default command for process type `web`.
    #[must_use]
    pub fn web(mut self, command: impl Into<String>) -> Self {
        self.processes.insert("web".to_owned(), command.into());
        self
    }

    /// With a variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.insert(name.to_owned(), value.into());
        self
    }
}

/// Config values that a build may not set, since they would change the tools rather than the app.
const KEPT_BACK: &[&str] =
    &["PATH", "HOME", "TMPDIR", "PORT", "GIT_DIR", "LD_PRELOAD", "LD_LIBRARY_PATH", super::process::MARKER];

/// What a buildpack works with.
pub struct Compile<'a> {
    /// The source.
    pub source: &'a Source,
    /// The app's cache.
    pub cache: &'a Cache,
    /// Runs tools.
    pub runner: &'a Runner,
    /// Where to report.
    pub output: &'a BuildOutput,
    /// The app's config values.
    pub env: &'a BTreeMap<String, SecretText>,
    /// The shell words that serve a directory on `$PORT`, without the directory.
    pub static_server: Option<&'a str>,
    /// A private directory for this build, gone after it.
    pub scratch: &'a Path,
    /// Full commit hash.
    pub sha: &'a str,
}

impl Compile<'_> {
    /// Reports a step.
    pub async fn step(&self, text: &str) {
        self.output.step(text).await;
    }

    /// Reports a detail of the current step.
    pub async fn detail(&self, text: &str) {
        self.output.line(&format!("       {text}")).await;
    }

    /// Reports something that the developer should look at.
    pub async fn warn(&self, text: &str) {
        self.output.line(&format!(" !     {text}")).await;
    }

    /// Whether config value `name` is set to something that means yes.
    #[must_use]
    pub fn is_set(&self, name: &str) -> bool {
        is_set(self.env, name)
    }

    /// `program` from the `PATH`, to run in the source directory with the config values as environment.
    #[must_use]
    pub fn find(&self, program: &str) -> Option<Tool> {
        self.runner.find(program).map(|program| self.tool(program))
    }

    /// `program`, to run in the source directory with the config values as environment.
    #[must_use]
    pub fn tool(&self, program: PathBuf) -> Tool {
        let tool = Tool::new(program, self.source.dir().to_owned());
        // The tools of a build see the config values as their environment, which only their own user can read.
        self.env
            .iter()
            .filter(|(name, _)| !KEPT_BACK.contains(&name.as_str()) && is_variable(name))
            .filter(|(_, value)| !value.expose().contains('\0'))
            .fold(tool, |tool, (name, value)| tool.env(name, value.expose()))
    }

    /// Runs `tool`, called `what` in messages.
    ///
    /// # Errors
    /// [`BuildError::Failed`] saying that `what` failed.
    pub async fn run(&self, tool: Tool, what: &str) -> Result<(), BuildError> {
        self.runner.run(tool).await.map_err(|error| error.into_build_error(what))
    }

    /// Runs `tool` quietly and returns its output, without the blanks around it.
    ///
    /// # Errors
    /// As [`Compile::run`]; the end of the tool's error output is passed on then.
    pub async fn capture(&self, tool: Tool, what: &str) -> Result<String, BuildError> {
        match self.runner.capture(tool, false).await {
            Ok(text) => Ok(text.trim().to_owned()),
            Err(error) => {
                if let ToolError::Exit { tail, .. } = &error {
                    let lines: Vec<&str> = tail.lines().rev().take(20).collect();
                    for line in lines.into_iter().rev() {
                        self.detail(line).await;
                    }
                }
                Err(error.into_build_error(what))
            }
        }
    }

    /// The cache part called `name`, and whether an earlier build left something in it.
    ///
    /// # Errors
    /// [`BuildError::Internal`] when the file system refuses.
    pub fn cache_part(&self, name: &str) -> Result<(PathBuf, bool), BuildError> {
        self.cache.part(name).map_err(|error| BuildError::Internal(format!("opening the cache: {error}")))
    }

    /// Runs `tool(cache directory)`; when it fails and `suspect` says that the cache may be why, clears the cache
    /// parts `names` and runs it once more. A cache never fails a build.
    ///
    /// # Errors
    /// As [`Compile::run`].
    pub async fn run_cached(
        &self,
        names: &[&str],
        what: &str,
        suspect: Suspect,
        tool: impl Fn() -> Tool,
    ) -> Result<(), BuildError> {
        let mut is_warm = false;
        for name in names {
            is_warm |= self.cache_part(name)?.1;
        }
        let Err(error) = self.runner.run(tool()).await else { return Ok(()) };
        let is_suspect = match suspect {
            Suspect::Always => true,
            Suspect::WhenNamed => names.iter().any(|name| error.mentions(&self.cache.dir().join(name))),
        };
        if !is_warm || !is_suspect || matches!(error, ToolError::Start { .. }) {
            return Err(error.into_build_error(what));
        }
        self.step(&format!("{what} failed; trying once more with an empty cache")).await;
        for name in names {
            self.cache.clear(name).map_err(|error| BuildError::Internal(format!("clearing the cache: {error}")))?;
            self.cache_part(name)?;
        }
        self.run(tool(), what).await
    }
}

/// Whether config value `name` is set to something that means yes.
#[must_use]
pub fn is_set(env: &BTreeMap<String, SecretText>, name: &str) -> bool {
    env.get(name).is_some_and(|value| !matches!(value.expose().trim(), "" | "0" | "false" | "no"))
}

/// When a failure makes the cache suspect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suspect {
    /// Whenever it was not empty: for steps that mostly download.
    Always,
    /// When the tool's output names a path in it: for steps that compile the app's own code, which fail mostly for
    /// other reasons.
    WhenNamed,
}

/// Whether `name` can be the name of an environment variable.
fn is_variable(name: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '\0'])
}

/// Quotes a word for a POSIX shell.
#[must_use]
pub fn shell_quote(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packs_are_found_by_either_name() {
        for (id, name) in
            [("python", "Python"), ("heroku/nodejs", "Node.js"), ("node", "Node.js"), ("static", "Static")]
        {
            assert_eq!(by_id(id).unwrap().name(), name, "{id}");
        }
        assert!(by_id("cobol").is_none());
    }

    #[test]
    fn words_are_quoted() {
        for (word, quoted) in [("a/b-c", "a/b-c"), ("", "''"), ("a b", "'a b'"), ("it's", r"'it'\''s'"), ("$x", "'$x'")]
        {
            assert_eq!(shell_quote(word), quoted);
        }
    }
}
