//! Who may do what. One decision function; every use case asks it first.

use crate::app::App;
use crate::{Error, Result, UserId, Username};

/// Who is asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// Nobody: no credentials were given.
    Anonymous,
    /// A user with a valid token.
    User {
        /// The user.
        id: UserId,
        /// The user's name.
        name: Username,
        /// Whether the user is an administrator.
        is_superuser: bool,
    },
    /// The builder, with the key it shares with the controller.
    Builder,
    /// The platform itself (reconcilers, start-up).
    System,
}

/// What is asked for on an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppAction {
    /// Read it, deploy to it, configure it, scale it, run in it.
    Use,
    /// Remove something of it by `DELETE` (a domain, an address of the allow list).
    Remove,
    /// Grant others, transfer it, destroy it.
    Manage,
}

/// What of an app is somebody's who does not own it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// Nothing.
    None,
    /// Its use: it was granted, or the app is of a team in which one is a plain member.
    Use,
    /// All of it: the app is of a team in which one is an owner or an administrator.
    All,
}

/// Decides whether `actor` may do `action` on `app`.
///
/// `share` says what of the app is the actor's who does not own it. Those who have its use may do everything but
/// remove and manage. Source: `drycc-v2.md` §1.11, `team-api.md` §9.
///
/// # Errors
/// `Unauthenticated` for nobody, `Forbidden` for somebody without the right.
pub fn app_allow(actor: &Actor, action: AppAction, app: &App, share: Share) -> Result<()> {
    match actor {
        Actor::System => Ok(()),
        Actor::Anonymous => Err(Error::Unauthenticated("Authentication credentials were not provided.".to_owned())),
        Actor::Builder => Err(Error::forbidden()),
        Actor::User { id, is_superuser, .. } => {
            let is_owner = *id == app.owner || share == Share::All;
            let allowed = match action {
                AppAction::Use => is_owner || *is_superuser || share == Share::Use,
                AppAction::Remove | AppAction::Manage => is_owner || *is_superuser,
            };
            if allowed { Ok(()) } else { Err(Error::forbidden()) }
        }
    }
}
