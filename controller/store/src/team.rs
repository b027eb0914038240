//! Teams and what they own. Functions about a team's things take the team's identity too: what belongs to another is
//! not found.

mod app;
mod audit;
mod dashboard;
mod deployment;
mod deployment_event;
mod deployment_listed;
mod deployment_start;
mod deployment_token;
mod image;
mod instance;
mod invitation;
mod member;
mod node;
mod node_event;
mod node_installer;
mod notification;
mod oidc;
mod project;
mod registry;
mod session;
mod storage;
mod usage;
mod user_token;
mod version;

pub use app::*;
pub use audit::*;
pub use dashboard::*;
pub use deployment::*;
pub use deployment_event::*;
pub use deployment_listed::*;
pub use deployment_start::*;
pub use deployment_token::*;
pub use image::*;
pub use instance::*;
pub use invitation::*;
pub use member::*;
pub use node::*;
pub use node_event::*;
pub use node_installer::*;
pub use notification::*;
pub use oidc::*;
pub use project::*;
pub use registry::*;
pub use session::*;
pub use storage::*;
pub use usage::*;
pub use user_token::*;
pub use version::*;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use slipway_core::UserId;
use slipway_team::{Slug, Stamp, Team, TeamId};

use crate::db::on;
use crate::schema::teams;
use crate::types::{Row, UtcMicros, text};
use crate::{Db, StoreError};

/// A row of `teams`.
#[derive(Queryable, Selectable)]
#[diesel(table_name = teams)]
pub(crate) struct TeamRow {
    id: String,
    name: String,
    slug: String,
    created: UtcMicros,
    created_by: String,
    updated: UtcMicros,
    updated_by: String,
}

impl TeamRow {
    pub(crate) fn team(self) -> Result<Team, StoreError> {
        let row = Row { table: "teams", id: &self.id };
        Ok(Team {
            id: row.parse("id", &self.id)?,
            slug: Slug::from_stored(&self.slug).ok_or_else(|| row.corrupt("slug does not parse"))?,
            stamp: stamp(row, (self.created, &self.created_by), (self.updated, &self.updated_by))?,
            name: self.name,
        })
    }
}

/// Reads when and by whom something was made and changed.
pub(crate) fn stamp(row: Row<'_>, created: (UtcMicros, &str), updated: (UtcMicros, &str)) -> Result<Stamp, StoreError> {
    Ok(Stamp {
        created: created.0.utc(),
        created_by: row.parse("created_by", created.1)?,
        updated: updated.0.utc(),
        updated_by: row.parse("updated_by", updated.1)?,
    })
}

/// Adds a team without members; `Conflict` on name or slug.
pub async fn team_insert(db: &mut Db, team: &Team) -> Result<(), StoreError> {
    on!(db, |conn| diesel::insert_into(teams::table)
        .values((
            teams::id.eq(team.id.to_string()),
            teams::name.eq(text(&team.name)),
            teams::slug.eq(team.slug.as_str()),
            teams::created.eq(UtcMicros::from(team.stamp.created)),
            teams::created_by.eq(team.stamp.created_by.to_string()),
            teams::updated.eq(UtcMicros::from(team.stamp.updated)),
            teams::updated_by.eq(team.stamp.updated_by.to_string()),
        ))
        .execute(conn)
        .await)?;
    Ok(())
}

/// Gives a team another name and slug; `Conflict` on either. False if it is not there.
pub async fn team_update(
    db: &mut Db,
    id: TeamId,
    (name, slug): (&str, &Slug),
    (by, now): (UserId, DateTime<Utc>),
) -> Result<bool, StoreError> {
    let n = on!(db, |conn| diesel::update(teams::table.filter(teams::id.eq(id.to_string())))
        .set((
            teams::name.eq(text(name)),
            teams::slug.eq(slug.as_str()),
            teams::updated.eq(UtcMicros::from(now)),
            teams::updated_by.eq(by.to_string()),
        ))
        .execute(conn)
        .await)?;
    Ok(n > 0)
}

/// Removes a team with all that it owns; false if it is not there.
pub async fn team_delete(db: &mut Db, id: TeamId) -> Result<bool, StoreError> {
    let n = on!(db, |conn| diesel::delete(teams::table.filter(teams::id.eq(id.to_string()))).execute(conn).await)?;
    Ok(n > 0)
}

/// The team of this identity.
pub async fn team_by_id(db: &mut Db, id: TeamId) -> Result<Option<Team>, StoreError> {
    let row: Option<TeamRow> = on!(db, |conn| teams::table
        .filter(teams::id.eq(id.to_string()))
        .select(TeamRow::as_select())
        .first(conn)
        .await
        .optional())?;
    row.map(TeamRow::team).transpose()
}

/// Whether a team has this name, and whether one has this slug. Index: `teams_name_key`, `teams_slug_key`.
pub async fn team_taken(db: &mut Db, name: &str, slug: &Slug) -> Result<(Option<TeamId>, Option<TeamId>), StoreError> {
    let rows: Vec<(String, String, String)> = on!(db, |conn| teams::table
        .filter(teams::name.eq(text(name)).or(teams::slug.eq(slug.as_str())))
        .select((teams::id, teams::name, teams::slug))
        .load(conn)
        .await)?;
    let id = |found: Option<&(String, String, String)>| {
        found.map(|(id, _, _)| Row { table: "teams", id }.parse("id", id)).transpose()
    };
    Ok((
        id(rows.iter().find(|(_, own, _)| *own == text(name)))?,
        id(rows.iter().find(|(_, _, own)| own == slug.as_str()))?,
    ))
}
