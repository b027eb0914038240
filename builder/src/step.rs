//! What runs inside a build's Job: the steps of `slipway-builder build-slug`, `fetch` and `export`.
//!
//! Each step is told by its environment ([`crate::cluster::task`]), writes for the pusher to its standard output, and
//! leaves why it failed where Kubernetes shows it.

mod desk;
mod export;
mod fetch;
mod slug;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use slipway_core::config::SecretText;
use tokio::io::AsyncWriteExt;

use crate::build::local::internal;
use crate::cluster::task::{self, Failure, Task};
use crate::{Authorities, BuildError};

use desk::DeskClient;

/// Which step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Subcommand)]
pub enum Step {
    /// In a build's Job: fetch the source and build it with buildpacks.
    BuildSlug,
    /// In a build's Job: fetch the source, and what else another program builds from.
    Fetch,
    /// In a build's Job: bring the image to the registry and report it.
    Export,
}

/// Where a step finds things; tests have their own places.
#[derive(Debug, Clone)]
pub struct Places {
    /// What the steps of a build share.
    pub workspace: PathBuf,
    /// The config values, as JSON.
    pub env_file: PathBuf,
    /// The registry's credentials.
    pub registry_file: PathBuf,
    /// Certificate authorities that are trusted besides the usual ones; there may be no such file.
    pub authorities_file: PathBuf,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            workspace: task::WORKSPACE.into(),
            env_file: task::ENV_FILE.into(),
            registry_file: task::REGISTRY_FILE.into(),
            authorities_file: task::AUTHORITIES_FILE.into(),
        }
    }
}

impl Places {
    fn source(&self) -> PathBuf {
        self.workspace.join("source")
    }

    fn data(&self) -> PathBuf {
        self.workspace.join("data")
    }

    fn manifest(&self) -> PathBuf {
        self.workspace.join("slug.json")
    }

    fn layout(&self) -> PathBuf {
        self.workspace.join("layout")
    }

    /// The cache of a build with Cloud Native Buildpacks, as it is packed.
    fn native_cache(&self) -> PathBuf {
        self.workspace.join("cache")
    }

    fn metadata(&self) -> PathBuf {
        self.workspace.join(task::CNB_LAYERS).join("config/metadata.toml")
    }

    fn authorities(&self) -> Result<Option<Authorities>, BuildError> {
        match std::fs::read_to_string(&self.authorities_file) {
            Ok(text) => Authorities::parse(&text).map(Some).map_err(BuildError::Internal),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(internal("reading the certificate authorities", &error)),
        }
    }

    fn report(&self) -> PathBuf {
        self.workspace.join(task::CNB_REPORT)
    }

    /// The config values.
    async fn env(&self) -> Result<BTreeMap<String, SecretText>, BuildError> {
        let unreadable = |error: &dyn std::error::Error| internal("reading the config values", error);
        let text = tokio::fs::read(&self.env_file).await.map_err(|error| unreadable(&error))?;
        let values: BTreeMap<String, String> = serde_json::from_slice(&text).map_err(|error| unreadable(&error))?;
        Ok(values.into_iter().map(|(name, value)| (name, SecretText::new(value))).collect())
    }
}

/// Runs `step` as told by the environment; `false` when it failed, which has been said.
pub async fn run(step: Step) -> bool {
    let task = std::env::var(task::TASK).map_err(|_| format!("{} is not set", task::TASK));
    let task = task.and_then(|text| serde_json::from_str::<Task>(&text).map_err(|error| error.to_string()));
    let token = std::env::var(task::TOKEN).map_err(|_| format!("{} is not set", task::TOKEN));
    let done = match (task, token) {
        (Ok(task), Ok(token)) => run_told(step, &task, SecretString::from(token), &Places::default()).await,
        (Err(error), _) | (_, Err(error)) => {
            Err(BuildError::Internal(format!("the step was not told its task: {error}")))
        }
    };
    let Err(error) = done else { return true };
    let message = Failure::from(&error).to_message();
    if tokio::fs::write(Path::new(task::TERMINATION_LOG), message).await.is_err() {
        // Outside a pod there is no such file.
        say(&format!(" !     {error}\n")).await;
    }
    false
}

/// Runs `step` for `task`.
///
/// # Errors
/// [`BuildError`], by whose fault it is.
pub async fn run_told(step: Step, task: &Task, token: SecretString, places: &Places) -> Result<(), BuildError> {
    let desk = DeskClient::new(task, token)?;
    match step {
        Step::BuildSlug => slug::run(task, &desk, places).await,
        Step::Fetch => fetch::run(task, &desk, places).await,
        Step::Export => export::run(task, &desk, places).await,
    }
}

/// Writes for the pusher.
async fn say(text: &str) {
    let mut out = tokio::io::stdout();
    // Without a reader there is nobody to tell.
    let _ = out.write_all(text.as_bytes()).await;
    let _ = out.flush().await;
}
