//! The record of what was done in teams.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use slipway_team::TeamId;
use slipway_team::audit::{AuditActor, AuditContext, AuditEntry};

use super::lower;
use crate::db::{on, paged};
use crate::schema::team_audit;
use crate::types::{Row, UtcMicros, count, text, to_json};
use crate::{Db, Page, Paged, StoreError};

#[derive(Queryable, Selectable)]
#[diesel(table_name = team_audit)]
struct AuditRow {
    number: i64,
    created: UtcMicros,
    actor_kind: String,
    actor_id: String,
    actor_name: String,
    actor_email: String,
    context: String,
    method: Option<String>,
    event: String,
    data: Option<String>,
}

impl AuditRow {
    fn entry(self) -> Result<AuditEntry, StoreError> {
        let number = self.number.to_string();
        let row = Row { table: "team_audit", id: &number };
        let actor = match self.actor_kind.as_str() {
            "user" => AuditActor::User { id: self.actor_id, name: self.actor_name, email: self.actor_email },
            "deployment-token" => AuditActor::DeploymentToken { id: self.actor_id, name: self.actor_name },
            _ => return Err(row.corrupt("actor_kind does not parse")),
        };
        let context = [AuditContext::Http, AuditContext::Ws].into_iter().find(|one| one.as_str() == self.context);
        Ok(AuditEntry {
            created: self.created.utc(),
            actor,
            context: context.ok_or_else(|| row.corrupt("context does not parse"))?,
            method: self.method,
            event: self.event,
            data: self.data.map(|data| row.json("data", &data)).transpose()?,
        })
    }
}

/// Adds an entry.
pub async fn team_audit_insert(db: &mut Db, team: TeamId, new: &AuditEntry) -> Result<(), StoreError> {
    let (id, name, email) = match &new.actor {
        AuditActor::User { id, name, email } => (id.as_str(), name.as_str(), email.as_str()),
        AuditActor::DeploymentToken { id, name } => (id.as_str(), name.as_str(), ""),
    };
    let data = new.data.as_ref().map(to_json).transpose()?;
    on!(db, |conn| diesel::insert_into(team_audit::table)
        .values((
            team_audit::team.eq(team.to_string()),
            team_audit::created.eq(UtcMicros::from(new.created)),
            team_audit::actor_kind.eq(new.actor.kind()),
            team_audit::actor_id.eq(id),
            team_audit::actor_name.eq(text(name)),
            team_audit::actor_email.eq(text(email)),
            team_audit::context.eq(new.context.as_str()),
            team_audit::method.eq(&new.method),
            team_audit::event.eq(text(&new.event)),
            team_audit::data.eq(&data),
        ))
        .execute(conn)
        .await)?;
    Ok(())
}

/// Which entries are wanted.
#[derive(Debug, Clone)]
pub struct AuditQuery {
    /// Not before this.
    pub from: DateTime<Utc>,
    /// Not after this.
    pub to: DateTime<Utc>,
    /// Part of the event, of the actor's name or of the actor's address; letters' case does not matter.
    pub filter: Option<String>,
    /// Which part of the list.
    pub page: Page,
}

/// The entries of a team, newest first. Index: `team_audit_team_created`.
pub async fn team_audit_list(db: &mut Db, team: TeamId, query: &AuditQuery) -> Result<Paged<AuditEntry>, StoreError> {
    let (from, to) = (UtcMicros::from(query.from), UtcMicros::from(query.to));
    let own = || {
        team_audit::table.filter(team_audit::team.eq(team.to_string())).filter(team_audit::created.between(from, to))
    };
    let order = || (team_audit::created.desc(), team_audit::number.desc());
    match &query.filter {
        None => paged!(db, query.page, own(), order(), AuditRow::as_select(), AuditRow, AuditRow::entry),
        Some(filter) => {
            let pattern = format!("%{}%", like_escape(&filter.to_lowercase()));
            let like = || {
                own().filter(
                    lower(team_audit::event)
                        .like(pattern.clone())
                        .escape('\\')
                        .or(lower(team_audit::actor_email).like(pattern.clone()).escape('\\'))
                        .or(lower(team_audit::actor_name).like(pattern.clone()).escape('\\')),
                )
            };
            paged!(db, query.page, like(), order(), AuditRow::as_select(), AuditRow, AuditRow::entry)
        }
    }
}

/// How many entries a team has.
pub async fn team_audit_count(db: &mut Db, team: TeamId) -> Result<u64, StoreError> {
    let n: i64 =
        on!(db, |conn| team_audit::table.filter(team_audit::team.eq(team.to_string())).count().get_result(conn).await)?;
    Ok(count(n))
}

/// Text in which `%` and `_` stand for themselves.
fn like_escape(text: &str) -> String {
    text.chars()
        .flat_map(|c| matches!(c, '%' | '_' | '\\').then_some('\\').into_iter().chain([c]))
        .filter(|c| *c != '\0')
        .collect()
}
