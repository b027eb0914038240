//! Git over SSH, receive-pack in process, and source to slug.
//!
//! `ssh` takes connections and knows who is at the other end; `git` speaks git's protocol and keeps repositories;
//! `push` ties a push together: policy, checkout, build, release; `build` turns source into something that runs.
//! What apps and users there are only the controller knows, and it is asked through `hook` alone.

pub mod build;
pub mod config;

pub use build::{BuildError, BuildOutput, BuildRequest, Built, SourceBuilder};
pub use config::{BuilderConfig, Limits};
