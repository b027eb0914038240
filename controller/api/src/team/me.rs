//! What concerns the caller alone: account, invitations, tokens. Source: `team-api.md` §3.6, §3.8 and §5.

use http::{Method, StatusCode};
use slipway_team::TeamId;

use super::body::Body;
use super::scope::{call_id, created_at};
use super::{route, to_wire};
use crate::call::{Answer, Call, empty, ok};
use crate::handler;
use crate::route::Route;

pub(super) fn routes() -> Vec<Route> {
    let (get, post, put, delete) = (Method::GET, Method::POST, Method::PUT, Method::DELETE);
    vec![
        route(post.clone(), "/api/users/me", "team_me_read", handler!(me_read)),
        route(post.clone(), "/api/users/me/active-team", "team_team_activate", handler!(active_set)),
        route(
            post.clone(),
            "/api/users/me/invitations/{teamId}",
            "team_invitation_accept",
            handler!(invitation_accept),
        ),
        route(
            delete.clone(),
            "/api/users/me/invitations/{teamId}",
            "team_invitation_decline",
            handler!(invitation_decline),
        ),
        route(put, "/api/users/me/preferences/onboarding", "team_onboarding_show", handler!(onboarding_show)),
        route(
            delete.clone(),
            "/api/users/me/preferences/onboarding",
            "team_onboarding_hide",
            handler!(onboarding_hide),
        ),
        route(get.clone(), "/api/tokens", "team_tokens_list", handler!(tokens_list)),
        route(post, "/api/tokens", "team_token_create", handler!(token_create)),
        route(get, "/api/tokens/{tokenId}", "team_token_read", handler!(token_read)),
        route(delete, "/api/tokens/{tokenId}", "team_token_delete", handler!(token_delete)),
    ]
}

async fn me_read(call: Call) -> Answer {
    ok(&to_wire::me(&call.state.service.me(&call.cx).await?))
}

async fn active_set(call: Call) -> Answer {
    let mut body = Body::read(&call)?;
    let team = body.word::<TeamId>("teamId");
    if let Some(team) = body.finish(team)? {
        call.state.service.active_team_set(&call.cx, team).await?;
    }
    empty(StatusCode::NO_CONTENT)
}

async fn invitation_accept(call: Call) -> Answer {
    call.state.service.invitation_accept(&call.cx, call_id(&call, "teamId")?).await?;
    empty(StatusCode::NO_CONTENT)
}

async fn invitation_decline(call: Call) -> Answer {
    call.state.service.invitation_decline(&call.cx, call_id(&call, "teamId")?).await?;
    empty(StatusCode::NO_CONTENT)
}

async fn onboarding_show(call: Call) -> Answer {
    call.state.service.onboarding_set(&call.cx, false).await?;
    empty(StatusCode::NO_CONTENT)
}

async fn onboarding_hide(call: Call) -> Answer {
    call.state.service.onboarding_set(&call.cx, true).await?;
    empty(StatusCode::NO_CONTENT)
}

async fn tokens_list(call: Call) -> Answer {
    let tokens = call.state.service.user_tokens_list(&call.cx).await?;
    ok(&tokens.iter().map(to_wire::token).collect::<Vec<_>>())
}

async fn token_create(call: Call) -> Answer {
    let mut body = Body::read(&call)?;
    let (name, days) = (body.text("name"), body.number("expirationInDays", 0));
    let (name, days) = body.finish((name, days))?;
    let (token, signed) = call.state.service.user_token_create(&call.cx, &name, days).await?;
    created_at(&call, &format!("/api/tokens/{}", token.id), &to_wire::generated_token(&token, &signed))
}

async fn token_read(call: Call) -> Answer {
    ok(&to_wire::token(&call.state.service.user_token_get(&call.cx, call_id(&call, "tokenId")?).await?))
}

async fn token_delete(call: Call) -> Answer {
    call.state.service.user_token_delete(&call.cx, call_id(&call, "tokenId")?).await?;
    empty(StatusCode::NO_CONTENT)
}
