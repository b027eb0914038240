//! What concerns the caller alone. Source: `team-api.md` §3.6 and §5.

use slipway_core::user::User;
use slipway_store as store;
use slipway_team::invitation::InvitationStatus;
use slipway_team::{Error, Member, Result, Team, TeamId};

use crate::stored::{Fail, Stored, write};
use crate::{Cx, Service};

/// The caller's account, teams and invitations.
#[derive(Debug, Clone)]
pub struct Me {
    /// The account.
    pub user: User,
    /// The caller's places in teams, oldest team first.
    pub teams: Vec<Member>,
    /// Teams whose invitation can be accepted.
    pub invitations: Vec<Team>,
    /// Whether the tips for beginners are hidden.
    pub is_onboarding_hidden: bool,
}

impl Service {
    /// The caller's account, teams and invitations.
    ///
    /// # Errors
    /// `Unauthenticated`.
    pub async fn me(&self, cx: &Cx) -> Result<Me> {
        let user = self.caller(cx).await?;
        let mut db = self.read().await?;
        let teams = store::members_by_user(&mut db, user.id).await.stored()?;
        let invitations = store::invitations_by_user(&mut db, user.id).await.stored()?;
        let invitations = invitations
            .into_iter()
            .filter(|(invitation, _)| invitation.status_at(cx.now) == InvitationStatus::Pending)
            .map(|(_, team)| team)
            .collect();
        let is_onboarding_hidden = store::onboarding_is_hidden(&mut db, user.id).await.stored()?;
        Ok(Me { user, teams, invitations, is_onboarding_hidden })
    }

    /// Says which team calls of the older generation are about.
    ///
    /// # Errors
    /// 404 `team` for those who are no members.
    pub async fn active_team_set(&self, cx: &Cx, team: TeamId) -> Result<()> {
        let (user, _, _) = cx.user()?;
        write!(self, |db| {
            if !store::member_set_active(db, team, user).await? {
                return Err(Error::not_found("team").into());
            }
            Ok::<_, Fail>(())
        })?;
        Ok(())
    }

    /// Hides the tips for beginners from the caller, or shows them.
    ///
    /// # Errors
    /// `Unauthenticated`.
    pub async fn onboarding_set(&self, cx: &Cx, is_hidden: bool) -> Result<()> {
        let (user, _, _) = cx.user()?;
        write!(self, |db| {
            store::onboarding_set(db, user, is_hidden).await?;
            Ok::<_, Fail>(())
        })?;
        Ok(())
    }
}
