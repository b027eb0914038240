//! The Slipway controller: the APIs, the desired state, and the reconcilers that make the engine follow it.
//!
//! This package only puts the parts together: settings from the environment ([`config`]), the platform's own secrets
//! ([`secrets`]), logging ([`telemetry`]), start and stop ([`run`]). It has no rules of its own. `slipway up` uses it
//! as a library; the binary `slipway-controller` is for everything else.

pub mod command;
pub mod config;
mod hook_sender;
pub mod images;
pub mod import;
mod mail;
mod nodes;
mod outbound;
pub mod run;
pub mod secrets;
pub mod telemetry;
mod templates;

pub use config::{Config, ConfigError, UpOptions};
pub use run::{Controller, StartError};
pub use secrets::{Secrets, SecretsError};
pub use slipway_service::RouterEndpoint;
pub use templates::TemplatesError;
