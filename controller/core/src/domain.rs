//! Host names under which an app answers.

mod name;

use chrono::{DateTime, Utc};

use crate::{AppId, UserId, Username};

pub use name::{RESERVED, TAKEN, domain_parse, is_of_platform};

/// A host name of an app: the app's own name (answering below the platform's domain) or a full name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    /// The app that answers.
    pub app: AppId,
    /// Who added it.
    pub owner: UserId,
    /// That user's name.
    pub owner_name: Username,
    /// The name in lower case, unique on the platform; a leading `*.` stands for any one label.
    pub domain: String,
    /// The port that requests for it go to; `None` for the one that the app's processes are told to listen on.
    pub port: Option<u16>,
    /// When it was added.
    pub created: DateTime<Utc>,
    /// When it was last changed.
    pub updated: DateTime<Utc>,
}
