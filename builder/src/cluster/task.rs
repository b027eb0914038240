//! What a Job is told and what it tells, as JSON. No secret is in a [`Task`]: it stands in the Job for all to read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use slipway_core::AppId;
use url::Url;
use uuid::Uuid;

use crate::BuildError;

/// Variable with the [`Task`].
pub const TASK: &str = "SLIPWAY_BUILD_TASK";
/// Variable with the token of a step.
pub const TOKEN: &str = "SLIPWAY_BUILD_TOKEN";
/// Where steps find each other's work.
pub const WORKSPACE: &str = "/workspace";
/// Where the config values of the app are mounted.
pub const ENV_FILE: &str = "/secrets/env/env.json";
/// Where the registry's credentials are mounted.
pub const REGISTRY_FILE: &str = "/secrets/registry/config.json";
/// Where certificate authorities are mounted that are trusted besides the usual ones, if there are any.
pub const AUTHORITIES_FILE: &str = "/secrets/authorities/authorities.crt";
/// Where Cloud Native Buildpacks leave layers and what they found, in the workspace.
pub const CNB_LAYERS: &str = "layers";
/// Where they find the config values of the app, in the workspace.
pub const CNB_PLATFORM: &str = "platform";
/// Where their cache is, in the workspace: a directory of its own in the app's cache.
pub const CNB_CACHE: &str = "cache/cnb";
/// Where the lifecycle reports the image, in the workspace.
pub const CNB_REPORT: &str = "report.toml";
/// Where a step leaves why it failed; Kubernetes shows it in the pod's status.
pub const TERMINATION_LOG: &str = "/dev/termination-log";
/// Longest message there that Kubernetes takes whole, in bytes.
pub const TERMINATION_MAX: usize = 4000;

/// Everything that the steps of a build need to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// The build.
    pub build: Uuid,
    /// The app.
    pub app: AppIdText,
    /// Its name, for display.
    pub name: String,
    /// Full commit hash.
    pub sha: String,
    /// Where the builder answers.
    pub url: Url,
    /// What becomes of the result.
    pub image: ImageTask,
    /// Limits.
    pub limits: TaskLimits,
}

/// An app's id as text; it names a directory, so it is parsed before.
pub type AppIdText = String;

impl Task {
    /// The app.
    ///
    /// # Errors
    /// When it is no id.
    pub fn app_id(&self) -> Result<AppId, String> {
        self.app.parse().map_err(|_| "the task names no app".to_owned())
    }
}

/// Where the image goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageTask {
    /// Registry and repository.
    pub repository: String,
    /// Its tag.
    pub tag: String,
    /// The image that it stands on.
    pub base: String,
    /// Registries that speak plain HTTP.
    pub insecure: Vec<String>,
    /// What is exported.
    pub from: From,
}

/// What is exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum From {
    /// A tree and its manifest.
    Slug,
    /// An OCI layout.
    Layout,
    /// An image that is in the registry already, told by the lifecycle's report.
    Report,
}

/// What a build may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskLimits {
    /// Seconds.
    pub time_secs: u64,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Bytes of disk.
    pub disk_bytes: u64,
    /// Bytes of the slug.
    pub slug_bytes: u64,
    /// Bytes of the packed cache.
    pub cache_bytes: u64,
    /// Bytes of output.
    pub output_bytes: u64,
}

/// How a build went well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Digest of the image.
    pub digest: String,
    /// Commands by process type; `None` when the builder knows them from the source alone.
    pub processes: Option<BTreeMap<String, String>>,
}

/// Why a step failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Whose fault it is.
    pub kind: FailureKind,
    /// What is shown to the pusher.
    pub text: String,
}

/// The kinds of [`BuildError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// [`BuildError::Failed`].
    Failed,
    /// [`BuildError::Limit`].
    Limit,
    /// [`BuildError::Unavailable`].
    Unavailable,
    /// [`BuildError::Internal`].
    Internal,
}

impl std::convert::From<&BuildError> for Failure {
    fn from(error: &BuildError) -> Self {
        let kind = match error {
            BuildError::Failed(_) => FailureKind::Failed,
            BuildError::Limit(_) => FailureKind::Limit,
            BuildError::Unavailable(_) => FailureKind::Unavailable,
            BuildError::Internal(_) => FailureKind::Internal,
        };
        Self { kind, text: error.to_string() }
    }
}

impl std::convert::From<Failure> for BuildError {
    fn from(failure: Failure) -> Self {
        match failure.kind {
            FailureKind::Failed => Self::Failed(failure.text),
            FailureKind::Limit => Self::Limit(failure.text),
            FailureKind::Unavailable => Self::Unavailable(failure.text),
            FailureKind::Internal => Self::Internal(failure.text),
        }
    }
}

impl Failure {
    /// As the text of a termination message: JSON, cut so that Kubernetes takes it whole.
    #[must_use]
    pub fn to_message(&self) -> String {
        let mut text = self.text.clone();
        loop {
            let cut = Self { kind: self.kind, text: text.clone() };
            let json = serde_json::to_string(&cut).unwrap_or_default();
            if json.len() <= TERMINATION_MAX {
                return json;
            }
            // What the form adds depends on the text; each turn comes closer.
            let mut end = (text.len() * TERMINATION_MAX / json.len()).min(text.len().saturating_sub(1));
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text.truncate(end);
        }
    }

    /// Reads a termination message; `None` when it is none of ours.
    #[must_use]
    pub fn from_message(message: &str) -> Option<Self> {
        serde_json::from_str(message).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_pass_through_a_short_message() {
        let long = Failure::from(&BuildError::Failed("\u{1F600}\"\n".repeat(3000)));
        let message = long.to_message();
        assert!(message.len() <= TERMINATION_MAX && message.len() > TERMINATION_MAX / 2);
        let back = Failure::from_message(&message).unwrap();
        assert!(back.kind == FailureKind::Failed && long.text.starts_with(&back.text));
        let short = Failure::from(&BuildError::Limit("too much".to_owned()));
        assert_eq!(
            BuildError::from(Failure::from_message(&short.to_message()).unwrap()),
            BuildError::Limit("too much".to_owned())
        );
        assert_eq!(Failure::from_message("panicked at x"), None);
    }
}
