//! What a socket was opened with.

use http::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use slipway_core::authz::Actor;
use slipway_core::{Error, Result};
use slipway_service::Service;

use super::super::auth;
use crate::call::Call;

/// What a socket was opened with.
pub(super) enum Credentials {
    /// Cookie or `Authorization`.
    Headers(HeaderMap),
    /// A token in the query.
    Token(SecretString),
}

impl Credentials {
    pub(super) fn of(call: &Call) -> Self {
        if let Some(token) = call.query("token") {
            Self::Token(SecretString::from(token))
        } else {
            let kept = [http::header::COOKIE, http::header::AUTHORIZATION];
            let own = call.headers.iter().filter(|(name, _)| kept.contains(name));
            Self::Headers(own.map(|(name, value)| (name.clone(), value.clone())).collect())
        }
    }

    /// Whose they are, if they are good.
    pub(super) async fn actor(&self, service: &Service) -> Result<Actor> {
        match self {
            Self::Headers(headers) => auth::user(service, headers).await,
            Self::Token(token) => service.bearer_authenticate(token.expose_secret()).await,
        }
    }

    /// Whether they still are good, and `known`'s.
    pub(super) async fn are_of(&self, service: &Service, known: &Actor) -> bool {
        let actor = self.actor(service).await;
        // A database that is away for a moment ends nothing.
        !matches!(actor, Err(Error::Unauthenticated(_))) && actor.map_or(true, |actor| is_same(&actor, known))
    }
}

/// Whether two callers are the same.
fn is_same(one: &Actor, other: &Actor) -> bool {
    matches!((one, other), (Actor::User { id: one, .. }, Actor::User { id: other, .. }) if one == other)
}
