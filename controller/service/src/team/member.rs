//! From a caller to a member of a team. Source: `team-api.md` §1.4.

use slipway_core::UserId;
use slipway_core::authz::Actor;
use slipway_core::user::User;
use slipway_store as store;
use slipway_team::{Error, Member, Result, Role, Slug, TeamId};

use crate::stored::Stored;
use crate::{Cx, Service};

/// The text for those who are not in a team: whether there is such a team is not told.
const NOT_IN_TEAM: &str = "There is no such team for you.";

impl Service {
    /// The caller's place in the team of this slug.
    ///
    /// # Errors
    /// 403 for everybody who has none, and when there is no such team.
    pub async fn team_member(&self, cx: &Cx, slug: &str) -> Result<Member> {
        let (user, _, _) = cx.user()?;
        let refused = || Error::forbidden(NOT_IN_TEAM);
        let slug = Slug::from_stored(slug).ok_or_else(refused)?;
        store::member_by_slug(&mut self.read().await?, user, &slug).await.stored()?.ok_or_else(refused)
    }

    /// The caller's place in the active team, which calls of the older generation are about.
    ///
    /// # Errors
    /// 404 `team` when there is none.
    pub async fn team_member_active(&self, cx: &Cx) -> Result<Member> {
        let (user, _, _) = cx.user()?;
        let member = store::member_active(&mut self.read().await?, user).await.stored()?;
        member.ok_or_else(|| Error::not_found("team"))
    }

    /// The caller's place in a team, of at least this role.
    ///
    /// # Errors
    /// 404 `team` for everybody who has none; 403 for a weaker role.
    pub async fn team_member_by_id(&self, cx: &Cx, team: TeamId, role: Role) -> Result<Member> {
        let (user, _, _) = cx.user()?;
        let member = store::member_by_team(&mut self.read().await?, user, team).await.stored()?;
        let member = member.ok_or_else(|| Error::not_found("team"))?;
        member.require(role)?;
        Ok(member)
    }

    /// The caller's account.
    pub(crate) async fn caller(&self, cx: &Cx) -> Result<User> {
        let (id, _, _) = cx.user()?;
        self.user_of(id).await
    }

    /// The account of a user who is there.
    pub(crate) async fn user_of(&self, id: UserId) -> Result<User> {
        let user = store::user_by_id(&mut self.read().await?, id).await.stored()?;
        let gone = || slipway_core::Error::Unauthenticated("User inactive or deleted.".to_owned());
        Ok(user.ok_or_else(gone)?)
    }

    /// The actor that a user is.
    pub(crate) fn actor(user: &User) -> Actor {
        Actor::User { id: user.id, name: user.username.clone(), is_superuser: user.is_superuser }
    }
}
