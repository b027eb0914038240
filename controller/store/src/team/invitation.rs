//! Invitations to teams.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use slipway_core::UserId;
use slipway_core::user::User;
use slipway_team::invitation::{Invitation, InvitationStatus};
use slipway_team::{Team, TeamId};

use super::TeamRow;
use crate::db::on;
use crate::schema::{team_invitations, teams, users};
use crate::types::{Row, UtcMicros, can_be_stored, text};
use crate::user::UserRow;
use crate::{Db, StoreError};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = team_invitations)]
struct InvitationRow {
    team: String,
    user_id: String,
    email: String,
    status: String,
    created: UtcMicros,
}

impl InvitationRow {
    fn invitation(self) -> Result<Invitation, StoreError> {
        let row = Row { table: "team_invitations", id: &self.team };
        Ok(Invitation {
            team: row.parse("team", &self.team)?,
            user: row.parse("user_id", &self.user_id)?,
            status: row.parse("status", &self.status)?,
            email: self.email,
            created: self.created.utc(),
        })
    }
}

macro_rules! of {
    ($team:expr, $user:expr) => {
        team_invitations::table
            .filter(team_invitations::team.eq($team.to_string()))
            .filter(team_invitations::user_id.eq($user.to_string()))
    };
}

diesel::define_sql_function! {
    /// The text in lower case, as the database sees it.
    fn lower(text: diesel::sql_types::Text) -> diesel::sql_types::Text;
}

/// The user of this address who registered first; letters' case does not matter.
pub async fn user_by_email(db: &mut Db, email: &str) -> Result<Option<User>, StoreError> {
    if !can_be_stored(email) {
        return Ok(None);
    }
    let row: Option<UserRow> = on!(db, |conn| users::table
        .filter(lower(users::email).eq(lower(email)))
        .order(users::number)
        .select(UserRow::as_select())
        .first(conn)
        .await
        .optional())?;
    row.map(UserRow::user).transpose()
}

/// Adds an invitation; the user must have none to this team.
pub async fn invitation_insert(db: &mut Db, new: &Invitation) -> Result<(), StoreError> {
    let row = InvitationRow {
        team: new.team.to_string(),
        user_id: new.user.to_string(),
        email: text(&new.email),
        status: new.status.as_str().to_owned(),
        created: new.created.into(),
    };
    on!(db, |conn| diesel::insert_into(team_invitations::table).values(&row).execute(conn).await)?;
    Ok(())
}

/// The user's invitation to this team.
pub async fn invitation_by_user(db: &mut Db, team: TeamId, user: UserId) -> Result<Option<Invitation>, StoreError> {
    let row: Option<InvitationRow> =
        on!(db, |conn| of!(team, user).select(InvitationRow::as_select()).first(conn).await.optional())?;
    row.map(InvitationRow::invitation).transpose()
}

/// The invitations to a team with those invited, oldest first.
pub async fn invitations_by_team(db: &mut Db, team: TeamId) -> Result<Vec<(Invitation, User)>, StoreError> {
    let rows: Vec<(InvitationRow, UserRow)> = on!(db, |conn| team_invitations::table
        .inner_join(users::table)
        .filter(team_invitations::team.eq(team.to_string()))
        .order((team_invitations::created, users::number))
        .select((InvitationRow::as_select(), UserRow::as_select()))
        .load(conn)
        .await)?;
    rows.into_iter().map(|(row, user)| Ok((row.invitation()?, user.user()?))).collect()
}

/// The user's invitations with the teams, oldest first. Index: `team_invitations_user`.
pub async fn invitations_by_user(db: &mut Db, user: UserId) -> Result<Vec<(Invitation, Team)>, StoreError> {
    let rows: Vec<(InvitationRow, TeamRow)> = on!(db, |conn| team_invitations::table
        .inner_join(teams::table)
        .filter(team_invitations::user_id.eq(user.to_string()))
        .order((team_invitations::created, teams::id))
        .select((InvitationRow::as_select(), TeamRow::as_select()))
        .load(conn)
        .await)?;
    rows.into_iter().map(|(row, team)| Ok((row.invitation()?, team.team()?))).collect()
}

/// Records what became of an invitation; false if there is none.
pub async fn invitation_set_status(
    db: &mut Db,
    team: TeamId,
    user: UserId,
    status: InvitationStatus,
) -> Result<bool, StoreError> {
    let n = on!(db, |conn| diesel::update(of!(team, user))
        .set(team_invitations::status.eq(status.as_str()))
        .execute(conn)
        .await)?;
    Ok(n > 0)
}

/// Removes an invitation; false if there is none.
pub async fn invitation_delete(db: &mut Db, team: TeamId, user: UserId) -> Result<bool, StoreError> {
    let n = on!(db, |conn| diesel::delete(of!(team, user)).execute(conn).await)?;
    Ok(n > 0)
}
