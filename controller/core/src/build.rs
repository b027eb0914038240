//! Builds: what an app runs, made from source or given as an image.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::{AppId, BuildId, BuildLogId, ProcessType, UserId, Username};

/// The commands by process type.
pub type Procfile = BTreeMap<ProcessType, String>;

/// Where a build came from. Source: `drycc-v2.md` §2.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuildKind {
    /// A ready image.
    Image,
    /// An image from a Dockerfile in the source.
    Dockerfile,
    /// A slug (or image) from buildpacks.
    Buildpack,
}

/// A build. Immutable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// Its identity.
    pub id: BuildId,
    /// The app it is of.
    pub app: AppId,
    /// Who pushed it.
    pub owner: UserId,
    /// That user's name.
    pub owner_name: Username,
    /// What runs: an image reference, or `slug@sha256:<hex>` for a slug in the local store.
    pub image: String,
    /// The same by digest, as the tag stood when the build was made: a build runs the same for ever. `None` while that is
    /// not known.
    pub pinned: Option<String>,
    /// Short commit hash (8 characters) for builds from source, else empty.
    pub sha: String,
    /// Commands by process type; empty when none were given.
    pub procfile: Procfile,
    /// Non-empty for builds from a Dockerfile.
    pub dockerfile: String,
    /// Name of the stack it was built with (`buildpack`, `container`), or empty.
    pub stack: String,
    /// When it was made.
    pub created: DateTime<Utc>,
}

impl Build {
    /// What its processes are started from.
    #[must_use]
    pub fn artifact(&self) -> &str {
        self.pinned.as_deref().unwrap_or(&self.image)
    }

    /// Which way it was made.
    #[must_use]
    pub fn kind(&self) -> BuildKind {
        if !self.dockerfile.is_empty() {
            BuildKind::Dockerfile
        } else if !self.sha.is_empty() {
            BuildKind::Buildpack
        } else {
            BuildKind::Image
        }
    }
}

/// How an attempt to build came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BuildOutcome {
    /// It has none yet.
    Running,
    /// It has none yet, and somebody wants it ended.
    Canceling,
    /// There is a build.
    Succeeded,
    /// The source did not build.
    Failed,
    /// It was stopped: the client left, or somebody asked.
    Canceled,
}

impl BuildOutcome {
    /// The name under which it is stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Canceling => "canceling",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }

    /// Whether nothing more comes.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Running | Self::Canceling => false,
            Self::Succeeded | Self::Failed | Self::Canceled => true,
        }
    }
}

impl std::str::FromStr for BuildOutcome {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Running, Self::Canceling, Self::Succeeded, Self::Failed, Self::Canceled]
            .into_iter()
            .find(|outcome| outcome.as_str() == text)
            .ok_or(())
    }
}

/// The log of one attempt to build, also of one that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildLog {
    /// Its identity.
    pub id: BuildLogId,
    /// The app it is of.
    pub app: AppId,
    /// Who pushed.
    pub owner: UserId,
    /// That user's name.
    pub owner_name: Username,
    /// Hash of the commit that was built.
    pub sha: String,
    /// How it came out.
    pub outcome: BuildOutcome,
    /// When it was made.
    pub created: DateTime<Utc>,
}
