//! What a member of a team may do to the team itself. Source: `team-api.md` §1.5.

use std::str::FromStr;

/// A member's role, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// May do everything with what the team owns.
    User,
    /// May change the team and its members, too.
    Admin,
    /// May end the team, too.
    Owner,
}

/// The word is no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("role must be owner, admin or user")]
pub struct RoleError;

impl Role {
    /// All roles, weakest first.
    pub const ALL: [Self; 3] = [Self::User, Self::Admin, Self::Owner];

    /// Its name in requests, answers and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }
}

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, RoleError> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(RoleError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_ordered_and_have_names() {
        assert!(Role::Owner > Role::Admin && Role::Admin > Role::User);
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        assert!("Owner".parse::<Role>().is_err());
    }
}
