//! Settings of an app that make no release: routing, addresses, automatic scaling, labels, TLS.

mod change;
mod tls;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::{AppId, ProcessType, UserId, Username};

pub use change::{ListName, SettingsChange, allowlist_add, allowlist_remove, settings_apply};
pub use tls::{SwitchChange, Tls, TlsChange, tls_apply};

/// When and how far a process type is scaled by the platform itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Autoscale {
    /// Fewest replicas.
    pub min: u32,
    /// Most replicas.
    pub max: u32,
    /// Processor use in per cent of the request above which replicas are added.
    pub cpu_percent: u32,
}

/// The settings of an app. Source: `drycc-v2.md` §2.10.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppSettings {
    /// The app.
    pub app: AppId,
    /// Who owns them.
    pub owner: UserId,
    /// That user's name.
    pub owner_name: Username,
    /// Whether requests get a maintenance page. Default false.
    pub maintenance: bool,
    /// Whether requests reach the app at all. Default true.
    pub routable: bool,
    /// Addresses and networks that may call; empty allows all.
    pub allowlist: Vec<String>,
    /// Automatic scaling by process type.
    pub autoscale: BTreeMap<ProcessType, Autoscale>,
    /// Labels of the user's own.
    pub label: BTreeMap<String, String>,
    /// When they were made, with the app.
    pub created: DateTime<Utc>,
    /// When they were last changed.
    pub updated: DateTime<Utc>,
}
