//! Images of a version.

use chrono::{DateTime, Utc};

use crate::container::ImageConfig;
use crate::{ImageId, RegistryId, VersionId};

/// An image of a version, with the configuration of the container that is made of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    /// Its identity.
    pub id: ImageId,
    /// The version that it is of.
    pub version: VersionId,
    /// The registry that it is in.
    pub registry: RegistryId,
    /// Its name there, with a digest if it has one.
    pub name: String,
    /// Its tag.
    pub tag: Option<String>,
    /// Its place among the version's images, from 0.
    pub order: u32,
    /// How its container is set up.
    pub config: ImageConfig,
    /// When it was added.
    pub created: DateTime<Utc>,
}
