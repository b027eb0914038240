//! Builds: what an app runs, made from source or given as an image.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::{AppId, BuildId, ProcessType, UserId, Username};

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
