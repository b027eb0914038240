//! Use cases about teams and what they own.
//!
//! Whoever wants something of a team first gets a [`Member`], which is refused to all others; use cases take it in
//! place of an actor. Their errors are those of `slipway-team`. Source: `team-api.md`.

mod audit;
mod group;
mod jwt;
mod member;
mod path_check;
mod session;
mod settings;
mod statistics;
mod user_token;

pub use audit::{AuditQuery, Deed};
pub use group::{TeamDetails, TeamView};
pub use session::{BrowserSession, SESSION_LIFETIME};
pub use settings::TeamSettings;

use crate::Service;
use jwt::Jwt;

impl Service {
    /// Signs and checks tokens.
    pub(crate) fn jwt(&self) -> Jwt {
        let config = self.config();
        Jwt::new(&config.server_key, config.teams.public_url.clone())
    }
}
