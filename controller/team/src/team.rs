//! Teams and those who belong to them. Source: `team-api.md` §4.1.

use chrono::{DateTime, Utc};
use slipway_core::UserId;
use slipway_core::user::User;

use crate::invitation::InvitationStatus;
use crate::{Error, Role, Slug, Stamp, TeamId};

/// A team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Team {
    /// Its identity.
    pub id: TeamId,
    /// Its name, unique on the platform.
    pub name: String,
    /// The word that names it in paths, unique on the platform.
    pub slug: Slug,
    /// When and by whom it was made.
    pub stamp: Stamp,
}

/// A user's place in a team: what every call about the team's things is made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The team.
    pub team: Team,
    /// The user.
    pub user: UserId,
    /// What the user may do to the team itself.
    pub role: Role,
    /// Whether it is the team that the user's calls of the older generation are about.
    pub is_active: bool,
}

impl Member {
    /// Checks that the member is at least this.
    ///
    /// # Errors
    /// 403.
    pub fn require(&self, role: Role) -> Result<(), Error> {
        if self.role >= role {
            Ok(())
        } else {
            Err(Error::forbidden(format!("This takes the role {}.", role.as_str())))
        }
    }
}

/// Somebody of a team, or invited to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamUser {
    /// The user.
    pub id: UserId,
    /// Full name, or the address.
    pub name: String,
    /// E-mail address; of those invited the one that they were invited by.
    pub email: String,
    /// The role; those invited will be users.
    pub role: Role,
    /// `None` for members.
    pub invitation: Option<InvitationStatus>,
    /// When the user last logged in.
    pub last_login: Option<DateTime<Utc>>,
}

/// How many things a team has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Members and invitations, whatever became of those.
    pub users: u64,
    /// Projects.
    pub projects: u64,
    /// Nodes.
    pub nodes: u64,
    /// Versions of all projects.
    pub versions: u64,
    /// Deployments of all projects.
    pub deployments: u64,
}

/// What a person is called: the full name, else the address, else the name to log in with.
#[must_use]
pub fn person_name(user: &User) -> String {
    let full = format!("{} {}", user.first_name.trim(), user.last_name.trim());
    [full.trim(), user.email.trim(), user.username.as_str()]
        .into_iter()
        .find(|name| !name.is_empty())
        .unwrap_or_default()
        .to_owned()
}
