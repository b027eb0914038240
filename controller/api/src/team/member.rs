//! Members of teams and those invited. Source: `team-api.md` §3.5.

use http::{Method, StatusCode};
use slipway_core::UserId;
use slipway_service::Invite;
use slipway_team::Role;
use slipway_team::ids::uuid_parse;

use super::body::Body;
use super::scope::{Scope, Written, by_id, created_at};
use super::{route, to_wire};
use crate::call::{Answer, Call, Failure, empty};
use crate::handler;
use crate::route::Route;

pub(super) fn routes() -> Vec<Route> {
    vec![
        route(Method::POST, "/api/teams/{teamId}/users", "team_user_invite", handler!(user_invite)),
        route(Method::DELETE, "/api/teams/{teamId}/users/leave", "team_user_leave", handler!(user_leave)),
        route(Method::DELETE, "/api/teams/{teamId}/users/{userId}", "team_user_delete", handler!(user_delete)),
        route(Method::PUT, "/api/teams/{teamId}/users/{userId}/role", "team_user_role_set", handler!(user_role_set)),
        route(
            Method::POST,
            "/api/teams/{teamId}/users/{userId}/reinvite",
            "team_user_reinvite",
            handler!(user_reinvite),
        ),
    ]
}

/// The user that the path names.
fn user(scope: &Scope) -> Result<UserId, Failure> {
    let text = scope.call.param("userId");
    uuid_parse(text).map(UserId::from_uuid).map_err(|_| slipway_team::Error::not_found("userId").into())
}

async fn user_invite(call: Call) -> Answer {
    by_id(call, Role::Admin, Written::Yes, async |scope: Scope| {
        let mut body = Body::read(&scope.call)?;
        let invite = Invite {
            email: body.text("email"),
            first_name: body.text("firstName"),
            last_name: body.text_or_null("lastName").unwrap_or_default(),
        };
        let invite = body.finish(invite)?;
        let Scope { call, member, .. } = &scope;
        let invited = call.state.service.team_user_invite(&call.cx, member, invite).await?;
        created_at(call, &format!("/api/teams/{}/users/{}", member.team.id, invited.id), &to_wire::user(&invited))
    })
    .await
}

async fn user_leave(call: Call) -> Answer {
    by_id(call, Role::User, Written::Yes, async |scope: Scope| {
        scope.call.state.service.team_leave(&scope.member).await?;
        empty(StatusCode::NO_CONTENT)
    })
    .await
}

async fn user_delete(call: Call) -> Answer {
    by_id(call, Role::Admin, Written::Yes, async |scope: Scope| {
        scope.call.state.service.team_user_delete(&scope.member, user(&scope)?).await?;
        empty(StatusCode::NO_CONTENT)
    })
    .await
}

async fn user_role_set(call: Call) -> Answer {
    by_id(call, Role::Admin, Written::Yes, async |scope: Scope| {
        let mut body = Body::read(&scope.call)?;
        let role = body.word("role");
        let Some(role) = body.finish(role)? else { return empty(StatusCode::NO_CONTENT) };
        scope.call.state.service.team_user_role_set(&scope.member, user(&scope)?, role).await?;
        empty(StatusCode::NO_CONTENT)
    })
    .await
}

async fn user_reinvite(call: Call) -> Answer {
    by_id(call, Role::Admin, Written::Yes, async |scope: Scope| {
        let Scope { call, member, .. } = &scope;
        call.state.service.team_user_reinvite(&call.cx, member, user(&scope)?).await?;
        empty(StatusCode::NO_CONTENT)
    })
    .await
}
