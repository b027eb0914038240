//! What every use case is given beside its input.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use slipway_core::authz::Actor;
use slipway_core::{Error, Result, UserId, Username};

/// Who asks, when, and under which request id.
#[derive(Debug, Clone)]
pub struct Cx {
    /// Who asks.
    pub actor: Actor,
    /// The request's id, for log and audit.
    pub request_id: String,
    /// When the request came in (whole microseconds).
    pub now: DateTime<Utc>,
    /// The address it came from, if it came over the network. Log-in failures are counted by it.
    pub remote: Option<IpAddr>,
}

impl Cx {
    /// The user who asks.
    ///
    /// # Errors
    /// `Unauthenticated` for nobody, `Forbidden` for actors that are no users.
    pub fn user(&self) -> Result<(UserId, &Username, bool)> {
        match &self.actor {
            Actor::User { id, name, is_superuser } => Ok((*id, name, *is_superuser)),
            Actor::Anonymous => Err(Error::Unauthenticated("Authentication credentials were not provided.".to_owned())),
            Actor::Builder | Actor::System => Err(Error::forbidden()),
        }
    }

    /// The administrator who asks.
    ///
    /// # Errors
    /// As [`Cx::user`]; `Forbidden` for users who are none.
    pub fn admin(&self) -> Result<(UserId, &Username)> {
        let (id, name, is_superuser) = self.user()?;
        if is_superuser { Ok((id, name)) } else { Err(Error::forbidden()) }
    }
}

/// Which part of a list is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageQuery {
    /// At most this many. Default 100.
    pub limit: u32,
    /// How many to pass over. Default 0.
    pub offset: u32,
}

impl Default for PageQuery {
    fn default() -> Self {
        Self { limit: 100, offset: 0 }
    }
}

/// Part of a list, and how long the whole is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// How many there are in all.
    pub count: u64,
    /// The wanted ones.
    pub items: Vec<T>,
}

impl From<PageQuery> for slipway_core::Page {
    fn from(query: PageQuery) -> Self {
        Self { limit: query.limit, offset: u64::from(query.offset) }
    }
}

impl<T> From<slipway_core::Paged<T>> for Page<T> {
    fn from(paged: slipway_core::Paged<T>) -> Self {
        Self { count: paged.total, items: paged.items }
    }
}
