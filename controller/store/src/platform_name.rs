//! Names on what the platform itself runs on: of apps, and of teams' deployments.
//!
//! Both become namespaces, or names of containers, in one place; what one has, the other cannot get.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use slipway_core::AppId;
use slipway_team::TeamId;

use crate::db::on;
use crate::schema::{deployments, nodes, platform_names};
use crate::types::{Row, UtcMicros};
use crate::{Db, StoreError};

/// Whose a name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameOwner {
    /// An app.
    App(AppId),
    /// A team, for the prefix of its deployments.
    Team(TeamId),
}

/// Whose a name is, if it is anybody's.
pub async fn platform_name_owner(db: &mut Db, name: &str) -> Result<Option<NameOwner>, StoreError> {
    let found: Option<(Option<String>, Option<String>)> = on!(db, |conn| platform_names::table
        .filter(platform_names::name.eq(name))
        .select((platform_names::app, platform_names::team))
        .first(conn)
        .await
        .optional())?;
    let row = Row { table: "platform_names", id: name };
    match found {
        None => Ok(None),
        Some((Some(app), None)) => Ok(Some(NameOwner::App(row.parse("app", &app)?))),
        Some((None, Some(team))) => Ok(Some(NameOwner::Team(row.parse("team", &team)?))),
        Some(_) => Err(row.corrupt("it has no owner, or two")),
    }
}

/// Takes a name for an owner. False if it is another's; true if it is the owner's, now or before.
pub async fn platform_name_take(
    db: &mut Db,
    name: &str,
    owner: NameOwner,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    // Writers go one after the other, so that nobody takes it in between.
    if let Some(has) = platform_name_owner(db, name).await? {
        return Ok(has == owner);
    }
    let (app, team) = match owner {
        NameOwner::App(app) => (Some(app.to_string()), None),
        NameOwner::Team(team) => (None, Some(team.to_string())),
    };
    on!(db, |conn| diesel::insert_into(platform_names::table)
        .values((
            platform_names::name.eq(name),
            platform_names::app.eq(&app),
            platform_names::team.eq(&team),
            platform_names::created.eq(UtcMicros::from(now)),
        ))
        .execute(conn)
        .await)?;
    Ok(true)
}

/// Gives a prefix of a team back, unless a deployment has it. For when nothing runs under it any more.
pub async fn platform_name_release(db: &mut Db, name: &str, team: TeamId) -> Result<(), StoreError> {
    let used: Option<String> = on!(db, |conn| deployments::table
        .inner_join(nodes::table)
        .filter(deployments::prefix.eq(name))
        .filter(deployments::team.eq(team.to_string()))
        .filter(nodes::access.eq("platform"))
        .select(deployments::id)
        .first(conn)
        .await
        .optional())?;
    if used.is_none() {
        let own = platform_names::table
            .filter(platform_names::name.eq(name))
            .filter(platform_names::team.eq(team.to_string()));
        on!(db, |conn| diesel::delete(own).execute(conn).await)?;
    }
    Ok(())
}

/// The prefixes that a team has. Index: `platform_names_team`.
pub async fn platform_names_by_team(db: &mut Db, team: TeamId) -> Result<Vec<String>, StoreError> {
    let names = on!(db, |conn| platform_names::table
        .filter(platform_names::team.eq(team.to_string()))
        .order(platform_names::name)
        .select(platform_names::name)
        .load(conn)
        .await)?;
    Ok(names)
}
