//! Configuration: environment, limits, placement, registry credentials and health checks of an app.

pub mod change;

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

use crate::volume::Mounts;
use crate::{AppId, ConfigId, ProcessType, UserId, Username};

pub use change::{ConfigChange, change_apply};

/// The value of a config variable. Printing it shows nothing; comparing works.
#[derive(Clone)]
pub struct SecretText(SecretString);

impl SecretText {
    /// Wraps a value.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// The value itself. Name the reason where you call it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl PartialEq for SecretText {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for SecretText {}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// One immutable state of an app's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Its identity.
    pub id: ConfigId,
    /// The app it is of.
    pub app: AppId,
    /// Who made it.
    pub owner: UserId,
    /// That user's name.
    pub owner_name: Username,
    /// Environment variables. Encrypted at rest.
    pub values: BTreeMap<String, SecretText>,
    /// Memory limit by process type, as written (`512M`, `256M/1G`).
    pub memory: BTreeMap<ProcessType, String>,
    /// CPU limit by process type, as written (`500m`, `0.5/2`).
    pub cpu: BTreeMap<ProcessType, String>,
    /// Node labels that the app's pods need.
    pub tags: BTreeMap<String, String>,
    /// Credentials of a private registry. Encrypted at rest.
    pub registry: BTreeMap<String, SecretText>,
    /// Probes by process type (or `web/cmd`), as given and validated.
    pub healthcheck: BTreeMap<String, serde_json::Value>,
    /// Seconds between SIGTERM and SIGKILL by process type, as written (`60`).
    pub termination_grace_period: BTreeMap<ProcessType, String>,
    /// A line for the app's shell that runs beside a process once that was started, by process type.
    pub lifecycle_post_start: BTreeMap<ProcessType, String>,
    /// The same before a process is told to stop; it has what it takes of the time for stopping.
    pub lifecycle_pre_stop: BTreeMap<ProcessType, String>,
    /// Where volumes are mounted.
    pub mounts: Mounts,
    /// When it was made.
    pub created: DateTime<Utc>,
}
