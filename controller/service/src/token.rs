//! Tokens of users, and the builder's key.

use secrecy::SecretString;
use slipway_core::Result;
use slipway_core::authz::Actor;

use crate::{Cx, Service};

/// Whose token is made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenScope {
    /// The caller's.
    Own,
    /// That user's; for administrators.
    User(String),
    /// Everybody's; for administrators.
    All,
}

impl Service {
    /// Who holds this token.
    ///
    /// # Errors
    /// `Unauthenticated`: `Invalid token.` or `User inactive or deleted.`
    pub async fn token_authenticate(&self, key: &str) -> Result<Actor> {
        let _ = key;
        todo!()
    }

    /// Whether this is the builder's key.
    ///
    /// # Errors
    /// `Unauthenticated` when it is not.
    pub fn builder_authenticate(&self, key: &str) -> Result<Actor> {
        let _ = key;
        todo!()
    }

    /// Makes a token anew; the old one is worthless from then on. `None` for [`TokenScope::All`].
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`.
    pub async fn token_regenerate(&self, cx: &Cx, scope: TokenScope) -> Result<Option<SecretString>> {
        let _ = (cx, scope);
        todo!()
    }
}
