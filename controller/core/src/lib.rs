//! The domain of Slipway: apps, builds, releases, configuration, and the rules about them.
//!
//! Pure values and pure functions. No async, no I/O, no clock, no serialisation of domain types: the store, the
//! wire types and the engines each convert at their own rim. A value of a type from here is valid by construction.

pub mod app;
pub mod authz;
pub mod autoscale;
pub mod build;
pub mod certificate;
pub mod command_words;
pub mod config;
pub mod deployment;
pub mod domain;
pub mod error;
pub mod event;
pub mod generated_name;
pub mod ids;
pub mod key;
pub mod limit;
pub mod log;
pub mod name;
pub mod network;
pub mod page;
pub mod path_service;
pub mod percent;
pub mod probe;
pub mod procfile;
pub mod project;
pub mod release;
pub mod settings;
pub mod structure;
pub mod ulid;
pub mod user;
pub mod volume;
pub mod webhook;

pub use error::{Error, Result};
pub use ids::{
    AppId, BuildId, BuildLogId, CertificateId, ConfigId, DeliveryId, EventId, KeyId, LoginId, ProjectId, ReleaseId,
    UserId, VolumeId, WebhookId,
};
pub use name::{AppName, ProcessType, Username, VolumeName};
pub use page::{Page, Paged};
pub use release::ReleaseVersion;
