//! The domain's values as the team API has them.

use chrono::{DateTime, SecondsFormat, Utc};
use slipway_service::{TeamDetails, TeamView};
use slipway_team::audit::{AuditActor, AuditEntry};
use slipway_team::team::{Statistics, TeamUser};
use slipway_team::{Stamp, Team};
use slipway_wire::team as wire;

/// A time. Source: `team-api.md` §1.9.
pub(super) fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// When and by whom something was made and changed.
pub(super) fn audit(stamp: &Stamp) -> wire::Audit {
    let Stamp { created, created_by, updated, updated_by } = stamp;
    wire::Audit {
        created_at: time(*created),
        created_by: created_by.to_string(),
        updated_at: time(*updated),
        updated_by: updated_by.to_string(),
    }
}

fn statistics(statistics: &Statistics) -> wire::Statistics {
    let Statistics { users, projects, nodes, versions, deployments } = *statistics;
    wire::Statistics { users, projects, products: projects, nodes, versions, deployments }
}

pub(super) fn team(view: &TeamView) -> wire::Team {
    let TeamView { team: Team { id, name, slug, stamp: _ }, statistics: counts } = view;
    wire::Team { id: id.to_string(), name: name.clone(), slug: slug.to_string(), statistics: statistics(counts) }
}

pub(super) fn team_details(details: &TeamDetails) -> wire::TeamDetails {
    let TeamDetails { view, users } = details;
    let wire::Team { id, name, slug, statistics } = team(view);
    wire::TeamDetails { id, name, slug, statistics, users: users.iter().map(user).collect() }
}

pub(super) fn user(user: &TeamUser) -> wire::User {
    let TeamUser { id, name, email, role, invitation, last_login } = user;
    wire::User {
        id: id.to_string(),
        name: name.clone(),
        email: email.clone(),
        role: role.as_str().to_owned(),
        status: invitation.map_or("verified", |status| status.as_str()).to_owned(),
        last_login: last_login.map(time),
    }
}

pub(super) fn audit_entry(entry: &AuditEntry) -> wire::AuditEntry {
    let AuditEntry { created, actor, context, method, event, data } = entry;
    let (name, user) = match actor {
        AuditActor::User { id, name, email } => {
            (name.clone(), Some(wire::AuditUser { id: id.clone(), email: email.clone() }))
        }
        AuditActor::DeploymentToken { id: _, name } => (name.clone(), None),
    };
    wire::AuditEntry {
        created_at: time(*created),
        actor_type: actor.kind().to_owned(),
        context: context.as_str().to_owned(),
        method: method.clone(),
        event: event.clone(),
        name,
        user,
        data: data.clone(),
    }
}

/// The same in the older generation.
pub(super) fn service_call(entry: &AuditEntry) -> wire::ServiceCall {
    let AuditEntry { created, actor, context: _, method: _, event, data } = entry;
    let (user_id, email) = match actor {
        AuditActor::User { id, name: _, email } => (id.clone(), email.clone()),
        AuditActor::DeploymentToken { id, name: _ } => (id.clone(), String::new()),
    };
    wire::ServiceCall { created_at: time(*created), user_id, email, service_call: event.clone(), data: data.clone() }
}
