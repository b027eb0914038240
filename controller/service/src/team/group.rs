//! Teams. Source: `team-api.md` §3.5.

use slipway_store as store;
use slipway_store::{StoreError, UniqueOn};
use slipway_team::name::name_check;
use slipway_team::registry::{Registry, RegistryDetails};
use slipway_team::team::{Statistics, TeamUser, person_name};
use slipway_team::{Error, Member, RegistryId, Result, Role, Slug, Stamp, Team, TeamId};

use super::node::platform_node_insert;
use crate::stored::{Fail, Stored, write};
use crate::{Cx, Service};

/// The registry that every team begins with.
const LIBRARY: &str = "Docker Hub Library";
/// Most tries to derive a slug that nobody has.
const SLUG_ATTEMPTS: u32 = 1000;

/// A team as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamView {
    /// The team.
    pub team: Team,
    /// How many things it has.
    pub statistics: Statistics,
}

/// A team with those who belong to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamDetails {
    /// The team and how many things it has.
    pub view: TeamView,
    /// Members first, then those invited.
    pub users: Vec<TeamUser>,
}

impl Service {
    /// The caller's teams, oldest first.
    ///
    /// # Errors
    /// `Unauthenticated`.
    pub async fn teams_list(&self, cx: &Cx) -> Result<Vec<TeamView>> {
        let (user, _, _) = cx.user()?;
        let members = store::members_by_user(&mut self.read().await?, user).await.stored()?;
        let ids: Vec<TeamId> = members.iter().map(|member| member.team.id).collect();
        let mut statistics = self.team_statistics(&ids).await?;
        let view = |member: Member| TeamView {
            statistics: statistics.remove(&member.team.id).unwrap_or_default(),
            team: member.team,
        };
        Ok(members.into_iter().map(view).collect())
    }

    /// Makes a team whose owner the caller is, with a registry to begin with. Without a slug, one is derived from the
    /// name, for clients of the older generation.
    ///
    /// # Errors
    /// 400 for name or slug; 409 when one of them is taken.
    pub async fn team_create(&self, cx: &Cx, name: &str, slug: Option<&str>) -> Result<TeamView> {
        let (user, _, _) = cx.user()?;
        name_check("name", name)?;
        let slug = slug.map(str::parse::<Slug>).transpose()?;
        let stamp = Stamp::new(user, cx.now);
        let team = write!(self, |db| {
            let slug = match slug {
                Some(slug) => slug,
                None => slug_derive(db, name).await?,
            };
            let team = Team { id: TeamId::generate(), name: name.to_owned(), slug, stamp };
            taken_check(db, &team).await?;
            store::team_insert(db, &team).await.map_err(team_taken)?;
            store::member_insert(db, team.id, user, Role::Owner, cx.now).await?;
            let library = Registry {
                id: RegistryId::generate(),
                team: team.id,
                name: LIBRARY.to_owned(),
                description: None,
                icon: None,
                details: RegistryDetails::library(),
                stamp,
            };
            store::registry_insert(db, &library).await?;
            if let Some(node) = self.platform_node(team.id, stamp)? {
                platform_node_insert(db, node).await?;
            }
            Ok::<_, Fail>(team)
        })?;
        self.team_view(team).await
    }

    /// The member's team with those who belong to it.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn team_get(&self, cx: &Cx, member: &Member) -> Result<TeamDetails> {
        let view = self.team_view(member.team.clone()).await?;
        let mut db = self.read().await?;
        let mut members = store::members_by_teams(&mut db, &[member.team.id]).await.stored()?;
        let invitations = store::invitations_by_team(&mut db, member.team.id).await.stored()?;
        let members = members.remove(&member.team.id).unwrap_or_default().into_iter().map(|(user, role)| TeamUser {
            id: user.id,
            name: person_name(&user),
            role,
            invitation: None,
            last_login: user.last_login,
            email: user.email,
        });
        let invited = invitations.into_iter().map(|(invitation, user)| TeamUser {
            id: user.id,
            name: person_name(&user),
            role: Role::User,
            invitation: Some(invitation.status_at(cx.now)),
            last_login: user.last_login,
            email: invitation.email,
        });
        Ok(TeamDetails { view, users: members.chain(invited).collect() })
    }

    /// Gives the member's team another name and slug. Without a slug the one that it has stays, so that paths go
    /// on working.
    ///
    /// # Errors
    /// 400 for name or slug; 403 for members who are no administrators; 409 when one of them is taken.
    pub async fn team_update(&self, cx: &Cx, member: &Member, name: &str, slug: Option<&str>) -> Result<()> {
        member.require(Role::Admin)?;
        name_check("name", name)?;
        let given = slug.map(str::parse::<Slug>).transpose()?;
        let old = &member.team;
        write!(self, |db| {
            let slug = given.unwrap_or_else(|| old.slug.clone());
            let team = Team { name: name.to_owned(), slug, ..old.clone() };
            taken_check(db, &team).await?;
            let by = (member.user, cx.now);
            if !store::team_update(db, team.id, (&team.name, &team.slug), by).await.map_err(team_taken)? {
                return Err(Error::not_found("team").into());
            }
            Ok::<_, Fail>(())
        })?;
        Ok(())
    }

    /// Ends the member's team with all that it owns.
    ///
    /// # Errors
    /// 403 for members who are no owners; 404 when it is gone.
    pub async fn team_delete(&self, member: &Member) -> Result<()> {
        member.require(Role::Owner)?;
        let id = member.team.id;
        write!(self, |db| {
            let members = store::members_by_teams(db, &[id]).await?.remove(&id).unwrap_or_default();
            if !store::team_delete(db, id).await? {
                return Err(Error::not_found("team").into());
            }
            for (user, _) in members {
                store::member_active_ensure(db, user.id).await?;
            }
            Ok::<_, Fail>(())
        })?;
        Ok(())
    }

    async fn team_view(&self, team: Team) -> Result<TeamView> {
        let statistics = self.team_statistics(&[team.id]).await?.remove(&team.id).unwrap_or_default();
        Ok(TeamView { team, statistics })
    }
}

/// Asked before writing, because of two collisions each database tells another one.
async fn taken_check(db: &mut store::Db, team: &Team) -> std::result::Result<(), Fail> {
    let (by_name, by_slug) = store::team_taken(db, &team.name, &team.slug).await?;
    if by_name.is_some_and(|id| id != team.id) {
        return Err(Error::taken("name").into());
    }
    if by_slug.is_some_and(|id| id != team.id) {
        return Err(Error::taken("slug").into());
    }
    Ok(())
}

/// A slug for a name, one that nobody has.
async fn slug_derive(db: &mut store::Db, name: &str) -> std::result::Result<Slug, Fail> {
    for attempt in 0..SLUG_ATTEMPTS {
        let slug = Slug::derive(name, attempt);
        let (_, taken) = store::team_taken(db, "", &slug).await?;
        if taken.is_none() {
            return Ok(slug);
        }
    }
    Err(Error::taken("slug").into())
}

fn team_taken(error: StoreError) -> Fail {
    match error {
        StoreError::Conflict { what: UniqueOn::TeamName } => Error::taken("name").into(),
        StoreError::Conflict { what: UniqueOn::TeamSlug } => Error::taken("slug").into(),
        other => other.into(),
    }
}
