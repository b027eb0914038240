//! Persistence on SQLite and PostgreSQL; the only crate that names diesel.
//!
//! Free functions `<resource>_<verb>` take a [`Db`] and domain types and give domain types back. Reads run on a
//! handle from [`Store::read`]; whatever changes something runs inside [`Store::write`], one transaction, and one
//! at a time on either database, so that a rule which reads and then writes holds on both alike.
//!
//! No rule about who may do what, no clock (times come in as arguments), no network beyond the database.

mod app;
mod build;
mod build_log;
mod canary;
mod certificate;
mod config;
mod db;
mod delivery;
mod domain;
mod dployr_deployment;
mod dployr_project;
mod error;
mod event;
mod foreign;
mod key;
mod lead;
mod log_line;
mod login;
mod path_service;
mod perm;
mod platform_name;
mod postgres;
mod release;
mod request_count;
mod restore;
mod schema;
mod seal;
mod settings;
mod sqlite;
mod stop;
mod store;
mod team;
#[cfg(feature = "testing")]
pub mod testing;
mod types;
mod unhealthy;
mod user;
mod volume;
mod webhook;

pub use app::*;
pub use build::*;
pub use build_log::*;
pub use certificate::*;
pub use config::*;
pub use db::Db;
pub use delivery::*;
pub use domain::*;
pub use dployr_deployment::*;
pub use dployr_project::*;
pub use error::{StoreError, UniqueOn};
pub use event::*;
pub use foreign::Foreign;
pub use key::*;
pub use lead::Lead;
pub use log_line::*;
pub use login::*;
pub use path_service::*;
pub use perm::*;
pub use platform_name::*;
pub use release::*;
pub use request_count::*;
pub use restore::*;
pub use seal::{SealingKey, SealingKeyError};
pub use settings::*;
pub use slipway_core::{Page, Paged};
pub use stop::*;
pub use store::{Store, StoreConfig, Transaction};
pub use team::*;
pub use unhealthy::*;
pub use user::*;
pub use volume::*;
pub use webhook::*;
