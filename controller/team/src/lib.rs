//! The domain of teams: who belongs to them and what they own, and the rules about it.
//!
//! Pure values and pure functions beside those of `slipway-core`: no I/O, no clock, no async. Unlike there, some
//! values are documents as much as they are types (a container's configuration is kept and merged as it was
//! written), so that serde may be used for those.

pub mod audit;
pub mod container;
pub mod deployment;
pub mod error;
pub mod ids;
pub mod image;
pub mod invitation;
pub mod name;
pub mod node;
pub mod notification;
pub mod project;
pub mod registry;
pub mod role;
pub mod slug;
pub mod stamp;
pub mod storage;
pub mod team;
pub mod template;
pub mod user_token;
pub mod version;

pub use error::{Error, Refusal, Refused, Result};
pub use ids::{
    DeploymentId, DeploymentTokenId, ImageId, InstanceId, NodeId, NotificationId, ProjectId, RegistryId, StorageId,
    TeamId, UserTokenId, VersionId,
};
pub use role::Role;
pub use slug::Slug;
pub use stamp::Stamp;
pub use team::{Member, Team};
