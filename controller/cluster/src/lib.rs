//! The engine for Kubernetes.
//!
//! Desired apps become Deployments, Services and Secrets in a namespace of the app's own, written by server-side apply
//! under one field manager; what is comes from watches. Pure functions make the objects; everything that
//! talks to the API server stands beside them.
//!
//! Source of names, labels and states: `drycc-v2.md` §4.

pub mod apply;
pub mod capability;
mod check;
mod collect;
pub mod engine;
pub mod exec;
pub mod image;
pub mod index;
mod kept;
pub mod labels;
mod lean;
pub mod lease;
pub mod log;
pub mod objects;
pub mod observe;
pub mod outline;
pub mod plan;
pub mod pod;
mod remove;
pub mod route;
pub mod run;
pub mod settings;
pub mod status;
mod summary;
pub mod usage;
mod watch;
mod worker;
pub mod workload;

pub use engine::{ClusterEngine, ClusterError};
pub use index::{AppObjects, Index};
pub use log::Logs;
pub use observe::Observer;
pub use run::Runner;
pub use settings::ClusterSettings;
