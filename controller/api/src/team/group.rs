//! Teams. Source: `team-api.md` §3.5.

use http::{Method, StatusCode};
use slipway_team::Role;

use super::body::Body;
use super::scope::{Scope, Written, by_id, created_at};
use super::{route, to_wire};
use crate::call::{Answer, Call, Failure, empty, ok};
use crate::handler;
use crate::route::Route;

pub(super) fn routes() -> Vec<Route> {
    vec![
        route(Method::GET, "/api/teams", "team_teams_list", handler!(teams_list)),
        route(Method::POST, "/api/teams", "team_team_create", handler!(team_create)),
        route(Method::GET, "/api/teams/{teamId}", "team_team_read", handler!(team_read)),
        route(Method::PUT, "/api/teams/{teamId}", "team_team_update", handler!(team_update)),
        route(Method::DELETE, "/api/teams/{teamId}", "team_team_delete", handler!(team_delete)),
    ]
}

async fn teams_list(call: Call) -> Answer {
    let teams = call.state.service.teams_list(&call.cx).await?;
    ok(&teams.iter().map(to_wire::team).collect::<Vec<_>>())
}

/// Name and slug; clients of the older generation give no slug. Source: `team-api.md` §5.
fn named(call: &Call) -> Result<(String, Option<String>), Failure> {
    let mut body = Body::read(call)?;
    let (name, slug) = (body.text("name"), body.text_or_null("slug"));
    body.finish((name, slug))
}

async fn team_create(call: Call) -> Answer {
    let (name, slug) = named(&call)?;
    let view = call.state.service.team_create(&call.cx, &name, slug.as_deref()).await?;
    created_at(&call, &format!("/api/teams/{}", view.team.id), &to_wire::team(&view))
}

async fn team_read(call: Call) -> Answer {
    by_id(call, Role::User, Written::Yes, async |scope: Scope| {
        let details = scope.call.state.service.team_get(&scope.call.cx, &scope.member).await?;
        ok(&to_wire::team_details(&details))
    })
    .await
}

async fn team_update(call: Call) -> Answer {
    by_id(call, Role::Admin, Written::Yes, async |scope: Scope| {
        let (name, slug) = named(&scope.call)?;
        let service = &scope.call.state.service;
        service.team_update(&scope.call.cx, &scope.member, &name, slug.as_deref()).await?;
        empty(StatusCode::NO_CONTENT)
    })
    .await
}

async fn team_delete(call: Call) -> Answer {
    by_id(call, Role::Owner, Written::No, async |scope: Scope| {
        scope.call.state.service.team_delete(&scope.member).await?;
        empty(StatusCode::NO_CONTENT)
    })
    .await
}
