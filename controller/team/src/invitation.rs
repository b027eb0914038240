//! Invitations to teams. Source: `team-api.md` §4.1.

use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use slipway_core::UserId;

use crate::TeamId;

/// Time for which an invitation is good.
pub const LIFETIME: TimeDelta = TimeDelta::days(7);

/// What became of an invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InvitationStatus {
    /// Nothing yet.
    Pending,
    /// It was not taken up in time.
    Expired,
    /// The user declined it.
    Declined,
}

/// The word is no state of an invitation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a state of an invitation")]
pub struct InvitationStatusError;

impl InvitationStatus {
    /// Its name in answers and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Expired => "expired",
            Self::Declined => "declined",
        }
    }
}

impl FromStr for InvitationStatus {
    type Err = InvitationStatusError;

    fn from_str(text: &str) -> Result<Self, InvitationStatusError> {
        [Self::Pending, Self::Expired, Self::Declined]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or(InvitationStatusError)
    }
}

/// One user's invitation to one team; there is never more than one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// The team.
    pub team: TeamId,
    /// Who was invited.
    pub user: UserId,
    /// The address it was sent to.
    pub email: String,
    /// What is recorded of it; [`Invitation::status_at`] says what holds.
    pub status: InvitationStatus,
    /// When it was sent.
    pub created: DateTime<Utc>,
}

impl Invitation {
    /// What holds of it at `now`: one that nobody took up in time is expired, recorded so or not.
    #[must_use]
    pub fn status_at(&self, now: DateTime<Utc>) -> InvitationStatus {
        match self.status {
            InvitationStatus::Pending if now - self.created > LIFETIME => InvitationStatus::Expired,
            status => status,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pending_invitations_expire_after_seven_days() {
        let created = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let invitation = |status| Invitation {
            team: TeamId::generate(),
            user: UserId::generate(),
            email: String::new(),
            status,
            created,
        };
        let pending = invitation(InvitationStatus::Pending);
        assert_eq!(pending.status_at(created + LIFETIME), InvitationStatus::Pending);
        assert_eq!(pending.status_at(created + LIFETIME + TimeDelta::milliseconds(1)), InvitationStatus::Expired);
        let declined = invitation(InvitationStatus::Declined);
        assert_eq!(declined.status_at(created + LIFETIME * 2), InvitationStatus::Declined);
        for status in [InvitationStatus::Pending, InvitationStatus::Expired, InvitationStatus::Declined] {
            assert_eq!(status.as_str().parse(), Ok(status));
        }
    }
}
