//! The configuration of a container in a project's version and in its deployments.
//!
//! [`choice`] has the members with a fixed set of values, [`part`] the structures, [`config`] the whole with its
//! merging, [`check`] what must hold before it is deployed.

pub mod check;
pub mod choice;
pub mod config;
pub mod part;
mod quantity;
pub mod reference;

pub use choice::{DeploymentStrategy, Expose, LogDriver, NetworkMode, RestartPolicy, VolumeType};
pub use config::{Effective, ImageConfig, InstanceConfig, User};
pub use quantity::quantity;
pub use reference::ImageName;

#[cfg(test)]
mod tests;
