//! The engine for one machine: supervised processes, log files, health checks.
//!
//! Implements [`slipway_engine::Engine`] with nothing but child processes of this one: no container engine, no root. Only
//! apps that come as images need a container runtime, `crun`, `runc` or `podman`.
//! The only crate that starts processes of apps. What is desired lives with the caller and is applied anew after every
//! start; on disk are only logs, private copies of slugs, and records by which strays are found after a crash.
//!
//! - [`engine`]: the port itself, one supervisor per app behind it.
//! - `app`: the supervisor (what should run), its members (one process each, restarted for ever), their checks.
//! - `image`, `container`: releases that come as images, and the runtime in front of their processes.
//! - `child`, `group`, `limits`, `cgroup`, `port`, `workdir`: one operating-system process and what it stands on.
//! - `volume`: directories that outlive processes.
//! - `journal`: log files. `record`: finding strays. `oneoff`: `run`. `usage`, `disk`, `network`,
//!   `machine`: what processes and the machine use.
//! - [`node`]: the machine as a node of teams, whose containers are apps that no database knows.
//! - `session`, `terminal`: processes that somebody talks to, and what they are talked to through.
//!
//! # Invariants
//! - A process of an app is in its own process group, and no group outlives its member.
//! - Routes name a process only while it is ready, and stop naming it before it is asked to end.
//! - Nothing of the platform's own environment reaches an app.

mod app;
mod cgroup;
mod child;
pub mod config;
mod container;
mod disk;
pub mod engine;
mod group;
mod image;
mod journal;
mod limits;
mod machine;
mod network;
pub mod node;
mod oneoff;
mod port;
mod record;
mod registry;
mod session;
mod terminal;
mod usage;
mod volume;
mod workdir;

pub use config::LocalConfig;
pub use engine::{LocalEngine, LocalError};
pub use node::LocalNode;
pub use slipway_image::{FetchSettings, ImageStore};
