//! Members of teams.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use slipway_core::UserId;
use slipway_core::user::User;
use slipway_team::{Member, Role, Slug, TeamId};

use super::TeamRow;
use crate::db::on;
use crate::schema::{team_invitations, team_members, teams, users};
use crate::types::{Row, UtcMicros, count};
use crate::user::UserRow;
use crate::{Db, StoreError};

type MemberRow = (TeamRow, String, String, bool);

fn member((team, user, role, is_active): MemberRow) -> Result<Member, StoreError> {
    let row = Row { table: "team_members", id: &user };
    Ok(Member { team: team.team()?, user: row.parse("user_id", &user)?, role: row.parse("role", &role)?, is_active })
}

macro_rules! members {
    ($user:expr) => {
        team_members::table.inner_join(teams::table).filter(team_members::user_id.eq($user.to_string())).select((
            TeamRow::as_select(),
            team_members::user_id,
            team_members::role,
            team_members::is_active,
        ))
    };
}

/// Adds a member. The first team of a user becomes the active one.
pub async fn member_insert(
    db: &mut Db,
    team: TeamId,
    user: UserId,
    role: Role,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let is_active = member_active(db, user).await?.is_none();
    on!(db, |conn| diesel::insert_into(team_members::table)
        .values((
            team_members::team.eq(team.to_string()),
            team_members::user_id.eq(user.to_string()),
            team_members::role.eq(role.as_str()),
            team_members::is_active.eq(is_active),
            team_members::created.eq(UtcMicros::from(now)),
        ))
        .execute(conn)
        .await)?;
    Ok(())
}

/// The user's place in the team of this slug. Index: `teams_slug_key`.
pub async fn member_by_slug(db: &mut Db, user: UserId, slug: &Slug) -> Result<Option<Member>, StoreError> {
    let row: Option<MemberRow> =
        on!(db, |conn| members!(user).filter(teams::slug.eq(slug.as_str())).first(conn).await.optional())?;
    row.map(member).transpose()
}

/// The user's place in a team.
pub async fn member_by_team(db: &mut Db, user: UserId, team: TeamId) -> Result<Option<Member>, StoreError> {
    let row: Option<MemberRow> =
        on!(db, |conn| members!(user).filter(teams::id.eq(team.to_string())).first(conn).await.optional())?;
    row.map(member).transpose()
}

/// The user's place in the active team. Index: `team_members_active`.
pub async fn member_active(db: &mut Db, user: UserId) -> Result<Option<Member>, StoreError> {
    let row: Option<MemberRow> =
        on!(db, |conn| members!(user).filter(team_members::is_active).first(conn).await.optional())?;
    row.map(member).transpose()
}

/// The user's places in all teams, oldest team first. Index: `team_members_user`.
pub async fn members_by_user(db: &mut Db, user: UserId) -> Result<Vec<Member>, StoreError> {
    let rows: Vec<MemberRow> = on!(db, |conn| members!(user).order((teams::created, teams::id)).load(conn).await)?;
    rows.into_iter().map(member).collect()
}

/// The members of teams by team, in the order in which they came.
pub async fn members_by_teams(
    db: &mut Db,
    teams: &[TeamId],
) -> Result<BTreeMap<TeamId, Vec<(User, Role)>>, StoreError> {
    let ids: Vec<String> = teams.iter().map(ToString::to_string).collect();
    let rows: Vec<(String, String, UserRow)> = on!(db, |conn| team_members::table
        .inner_join(users::table)
        .filter(team_members::team.eq_any(&ids))
        .order((team_members::created, users::number))
        .select((team_members::team, team_members::role, UserRow::as_select()))
        .load(conn)
        .await)?;
    let mut found: BTreeMap<TeamId, Vec<(User, Role)>> = BTreeMap::new();
    for (team, role, user) in rows {
        let row = Row { table: "team_members", id: &team };
        found.entry(row.parse("team", &team)?).or_default().push((user.user()?, row.parse("role", &role)?));
    }
    Ok(found)
}

/// How many members and invitations (whatever became of those) each of these teams has.
pub async fn team_user_counts(db: &mut Db, teams: &[TeamId]) -> Result<BTreeMap<TeamId, u64>, StoreError> {
    let ids: Vec<String> = teams.iter().map(ToString::to_string).collect();
    let members: Vec<(String, i64)> = on!(db, |conn| team_members::table
        .filter(team_members::team.eq_any(&ids))
        .group_by(team_members::team)
        .select((team_members::team, diesel::dsl::count_star()))
        .load(conn)
        .await)?;
    let invitations: Vec<(String, i64)> = on!(db, |conn| team_invitations::table
        .filter(team_invitations::team.eq_any(&ids))
        .group_by(team_invitations::team)
        .select((team_invitations::team, diesel::dsl::count_star()))
        .load(conn)
        .await)?;
    let mut found = BTreeMap::new();
    for (team, n) in members.into_iter().chain(invitations) {
        let team: TeamId = Row { table: "team_members", id: &team }.parse("team", &team)?;
        *found.entry(team).or_insert(0) += count(n);
    }
    Ok(found)
}

/// How many owners a team has.
pub async fn team_owner_count(db: &mut Db, team: TeamId) -> Result<u64, StoreError> {
    let n: i64 = on!(db, |conn| team_members::table
        .filter(team_members::team.eq(team.to_string()))
        .filter(team_members::role.eq(Role::Owner.as_str()))
        .count()
        .get_result(conn)
        .await)?;
    Ok(count(n))
}

/// The teams that the user owns and nobody else does, oldest first.
pub async fn teams_owned_alone(db: &mut Db, user: UserId) -> Result<Vec<Member>, StoreError> {
    let mut own = members_by_user(db, user).await?;
    own.retain(|member| member.role == Role::Owner);
    let ids: Vec<String> = own.iter().map(|member| member.team.id.to_string()).collect();
    let shared: Vec<String> = on!(db, |conn| team_members::table
        .filter(team_members::team.eq_any(&ids))
        .filter(team_members::role.eq(Role::Owner.as_str()))
        .filter(team_members::user_id.ne(user.to_string()))
        .select(team_members::team)
        .load(conn)
        .await)?;
    own.retain(|member| !shared.contains(&member.team.id.to_string()));
    Ok(own)
}

/// Gives a member another role; false if there is no such member.
pub async fn member_set_role(db: &mut Db, team: TeamId, user: UserId, role: Role) -> Result<bool, StoreError> {
    let n = on!(db, |conn| diesel::update(
        team_members::table
            .filter(team_members::team.eq(team.to_string()))
            .filter(team_members::user_id.eq(user.to_string()))
    )
    .set(team_members::role.eq(role.as_str()))
    .execute(conn)
    .await)?;
    Ok(n > 0)
}

/// Makes this the user's active team, and no other; false if the user is no member.
pub async fn member_set_active(db: &mut Db, team: TeamId, user: UserId) -> Result<bool, StoreError> {
    let own = || team_members::table.filter(team_members::user_id.eq(user.to_string()));
    on!(db, |conn| diesel::update(own()).set(team_members::is_active.eq(false)).execute(conn).await)?;
    let n = on!(db, |conn| diesel::update(own().filter(team_members::team.eq(team.to_string())))
        .set(team_members::is_active.eq(true))
        .execute(conn)
        .await)?;
    Ok(n > 0)
}

/// Makes the user's oldest team the active one, if none is.
pub async fn member_active_ensure(db: &mut Db, user: UserId) -> Result<(), StoreError> {
    if member_active(db, user).await?.is_some() {
        return Ok(());
    }
    if let Some(oldest) = members_by_user(db, user).await?.into_iter().next() {
        member_set_active(db, oldest.team.id, user).await?;
    }
    Ok(())
}

/// Takes a member out of a team; false if there is no such member. If it was the active team, the oldest of the rest
/// becomes that.
pub async fn member_delete(db: &mut Db, team: TeamId, user: UserId) -> Result<bool, StoreError> {
    let n = on!(db, |conn| diesel::delete(
        team_members::table
            .filter(team_members::team.eq(team.to_string()))
            .filter(team_members::user_id.eq(user.to_string()))
    )
    .execute(conn)
    .await)?;
    member_active_ensure(db, user).await?;
    Ok(n > 0)
}
