//! A tool of a build, and why it did not do its work.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use crate::build::BuildError;

/// A tool to run: program and arguments, never a shell line.
#[derive(Debug)]
pub struct Tool {
    pub(super) program: PathBuf,
    pub(super) args: Vec<OsString>,
    pub(super) env: BTreeMap<OsString, OsString>,
    pub(super) dir: PathBuf,
    pub(super) indent: bool,
}

impl Tool {
    /// Prepares `program` (a full path) to run in `dir`.
    #[must_use]
    pub fn new(program: PathBuf, dir: PathBuf) -> Self {
        Self { program, args: Vec::new(), env: BTreeMap::new(), dir, indent: true }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.insert(name.as_ref().to_owned(), value.as_ref().to_owned());
        self
    }

    /// Sets a variable unless it is set already.
    #[must_use]
    pub fn env_default(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.entry(name.as_ref().to_owned()).or_insert_with(|| value.as_ref().to_owned());
        self
    }

    /// Sets the working directory.
    #[must_use]
    pub fn dir(mut self, dir: &Path) -> Self {
        dir.clone_into(&mut self.dir);
        self
    }

    /// Passes the tool's lines on as they are: it writes in the style of buildpacks itself.
    #[must_use]
    pub fn unindented(mut self) -> Self {
        self.indent = false;
        self
    }
}

/// Why a tool did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// It ended with a failure. Its output has been passed on already.
    #[error("{status}")]
    Exit {
        /// How it ended.
        status: ExitStatus,
        /// The end of its output.
        tail: String,
    },
    /// It could not be started.
    #[error("cannot start {program}")]
    Start {
        /// The program.
        program: String,
        /// Why.
        source: std::io::Error,
    },
}

impl ToolError {
    /// The build's error: `what` (for example `npm ci`) failed.
    #[must_use]
    pub fn into_build_error(self, what: &str) -> BuildError {
        use std::os::unix::process::ExitStatusExt;
        match self {
            Self::Exit { status, .. } => match (status.code(), status.signal()) {
                (Some(code), _) => {
                    BuildError::Failed(format!("{what} failed (exit code {code}); see its output above"))
                }
                (None, Some(signal)) => BuildError::Failed(format!("{what} was ended by signal {signal}")),
                (None, None) => BuildError::Failed(format!("{what} failed")),
            },
            Self::Start { program, source } => BuildError::Internal(format!("starting {program}: {source}")),
        }
    }

    /// Whether the tool's output names `path`: it tripped over something in there.
    #[must_use]
    pub fn mentions(&self, path: &Path) -> bool {
        match self {
            Self::Exit { tail, .. } => path.to_str().is_some_and(|path| tail.contains(path)),
            Self::Start { .. } => false,
        }
    }
}
