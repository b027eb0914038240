//! Apps and what is desired of them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::{AppId, AppName, ProcessType, UserId, Username};

/// How many processes of each type are wanted.
pub type Structure = BTreeMap<ProcessType, u32>;

/// Most replicas of one process type that can be asked for.
pub const REPLICAS_MAX: u32 = 1000;

/// An app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    /// Its identity; repositories and directories are named by this, never by the name.
    pub id: AppId,
    /// Its name, unique among the living.
    pub name: AppName,
    /// Who owns it.
    pub owner: UserId,
    /// The owner's name, for display.
    pub owner_name: Username,
    /// Wanted replicas by process type.
    pub structure: Structure,
    /// Grows with every change that the engine must follow; never shrinks.
    pub desired_generation: i64,
    /// The last `desired_generation` that a reconciler brought about.
    pub observed_generation: i64,
    /// Grows with each restart request by process type; an empty key stands for all types.
    pub restarts: BTreeMap<String, i64>,
    /// Set when the app is to be destroyed: it is hidden from users, and the reconciler removes what is left of it.
    pub is_deleting: bool,
    /// When it was created.
    pub created: DateTime<Utc>,
    /// When it was last changed.
    pub updated: DateTime<Utc>,
}
