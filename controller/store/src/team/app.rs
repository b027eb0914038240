//! Apps of teams: those that a team owns, and those that its owners own.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use slipway_core::{AppId, UserId};
use slipway_team::{Role, TeamId};

use crate::db::on;
use crate::schema::{apps, team_apps, team_members};
use crate::types::{Row, UtcMicros};
use crate::{Db, StoreError};

/// Gives an app to a team, in place of the one that it was of. Belongs in a transaction.
pub async fn team_app_set(
    db: &mut Db,
    team: TeamId,
    app: AppId,
    (by, now): (UserId, DateTime<Utc>),
) -> Result<(), StoreError> {
    on!(db, |conn| diesel::delete(team_apps::table.find(app.to_string())).execute(conn).await)?;
    on!(db, |conn| diesel::insert_into(team_apps::table)
        .values((
            team_apps::app.eq(app.to_string()),
            team_apps::team.eq(team.to_string()),
            team_apps::created.eq(UtcMicros::from(now)),
            team_apps::created_by.eq(by.to_string()),
        ))
        .execute(conn)
        .await)?;
    Ok(())
}

/// Takes an app from a team; false if it is not the team's.
pub async fn team_app_remove(db: &mut Db, team: TeamId, app: AppId) -> Result<bool, StoreError> {
    let n = on!(db, |conn| diesel::delete(
        team_apps::table.filter(team_apps::app.eq(app.to_string())).filter(team_apps::team.eq(team.to_string()))
    )
    .execute(conn)
    .await)?;
    Ok(n > 0)
}

/// The user's role in the team that owns the app.
pub async fn team_app_role(db: &mut Db, app: AppId, user: UserId) -> Result<Option<Role>, StoreError> {
    let role: Option<String> = on!(db, |conn| team_members::table
        .filter(team_members::user_id.eq(user.to_string()))
        .filter(
            team_members::team
                .eq_any(team_apps::table.filter(team_apps::app.eq(app.to_string())).select(team_apps::team))
        )
        .select(team_members::role)
        .first(conn)
        .await
        .optional())?;
    let row = Row { table: "team_members", id: &user.to_string() };
    role.map(|role| row.parse("role", &role)).transpose()
}

/// The apps of a team: those that it owns, and those that no team owns and whose owner owns this team before any other.
/// Indexes: `team_apps_team`, `team_members_pkey`, `team_members_user`, `apps_owner`.
pub async fn team_app_ids(db: &mut Db, team: TeamId) -> Result<Vec<AppId>, StoreError> {
    let owner = Role::Owner.as_str();
    let mut ids: Vec<String> = on!(db, |conn| team_apps::table
        .filter(team_apps::team.eq(team.to_string()))
        .select(team_apps::app)
        .load(conn)
        .await)?;
    let owners: Vec<String> = on!(db, |conn| team_members::table
        .filter(team_members::team.eq(team.to_string()))
        .filter(team_members::role.eq(owner))
        .select(team_members::user_id)
        .load(conn)
        .await)?;
    let places: Vec<(String, String)> = on!(db, |conn| team_members::table
        .filter(team_members::user_id.eq_any(&owners))
        .filter(team_members::role.eq(owner))
        .order((team_members::created.desc(), team_members::team.desc()))
        .select((team_members::user_id, team_members::team))
        .load(conn)
        .await)?;
    // The oldest comes last, and so stays.
    let first: BTreeMap<String, String> = places.into_iter().collect();
    let team = team.to_string();
    let at_home: Vec<String> = first.into_iter().filter(|(_, of)| *of == team).map(|(user, _)| user).collect();
    let more: Vec<String> = on!(db, |conn| apps::table
        .filter(apps::owner.eq_any(&at_home))
        .filter(apps::id.ne_all(team_apps::table.select(team_apps::app)))
        .select(apps::id)
        .load(conn)
        .await)?;
    ids.extend(more);
    ids.iter().map(|id| Row { table: "apps", id }.parse("id", id)).collect()
}
