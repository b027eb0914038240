//! What every call about a team goes through: who the caller is there, whether the identities in the path are such, and
//! what is written down of it. Source: `team-api.md` §1.3 and §1.13.

use std::future::Future;
use std::str::FromStr;
use std::sync::Arc;

use http::{HeaderValue, Method, StatusCode, header};
use poem::Response;
use serde::Serialize;
use serde_json::Value;
use slipway_core::authz::Actor;
use slipway_service::Deed;
use slipway_team::audit::AuditContext;
use slipway_team::ids::uuid_parse;
use slipway_team::{Error, Member, Refusal, Refused, Role, TeamId};
use uuid::Uuid;

use super::active;
use crate::call::{Answer, Call, Failure, json, ok};

/// Whose names and forms an answer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `/api/{teamSlug}/…`.
    Slug,
    /// The older generation's: about the active team.
    Active,
}

/// A call about a team by one of its members.
pub(super) struct Scope {
    /// The call.
    pub(super) call: Call,
    /// The caller's place in the team.
    pub(super) member: Member,
    /// Whose names and forms the answer has.
    pub(super) dialect: Dialect,
}

impl Scope {
    /// An identity in the path.
    pub(super) fn id<T: FromStr>(&self, variable: &'static str) -> Result<T, Failure> {
        call_id(&self.call, variable)
    }

    /// `/api/<slug>/…`, or `/api/…` in the older generation, as the client sees it.
    pub(super) fn location(&self, path: &str) -> String {
        match self.dialect {
            Dialect::Slug => format!("{}/api/{}/{path}", prefix(&self.call), self.member.team.slug),
            Dialect::Active => format!("{}/api/{path}", prefix(&self.call)),
        }
    }
}

/// An identity in a path.
pub(super) fn call_id<T: FromStr>(call: &Call, variable: &'static str) -> Result<T, Failure> {
    let text = call.param(variable);
    text.parse().map_err(|_| bad_id(variable, text))
}

fn bad_id(variable: &str, given: &str) -> Failure {
    Error::from(Refusal::new(Refused::Invalid, variable, format!("{variable} is no UUID")).value(given)).into()
}

/// What a proxy says it took off the path.
fn prefix(call: &Call) -> &str {
    let given = call.headers.get("x-forwarded-prefix").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_path = given.starts_with('/')
        && !given.starts_with("//")
        && given.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte));
    if is_path { given.trim_end_matches('/') } else { "" }
}

/// 201 with a JSON body and where the new thing is, from the root: `/api/…`.
pub(super) fn created_at(call: &Call, path: &str, body: &impl Serialize) -> Answer {
    created(&format!("{}{path}", prefix(call)), body)
}

/// 201 with a JSON body and where the new thing is.
pub(super) fn created(location: &str, body: &impl Serialize) -> Answer {
    let mut response = json(StatusCode::CREATED, body)?;
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// Runs `work` for a member of the team of the path, or of the active team where the path names none.
pub(super) async fn team<F, Fut>(call: Call, operation: &str, work: F) -> Answer
where
    F: FnOnce(Scope) -> Fut,
    Fut: Future<Output = Answer>,
{
    let service = &call.state.service;
    let has_slug = call.params.iter().any(|(name, _)| *name == "teamSlug");
    let (member, dialect) = if has_slug {
        (service.team_member(&call.cx, call.param("teamSlug")).await?, Dialect::Slug)
    } else {
        match service.team_member_active(&call.cx).await {
            Err(Error::Refused(_)) if active::is_list(operation) => return ok(&[0_u8; 0]),
            other => (other?, Dialect::Active),
        }
    };
    run(Scope { call, member, dialect }, Written::Yes, work).await
}

/// Runs `work` for a member of the team that the path names by `teamId`, of at least this role.
pub(super) async fn by_id<F, Fut>(call: Call, role: Role, written: Written, work: F) -> Answer
where
    F: FnOnce(Scope) -> Fut,
    Fut: Future<Output = Answer>,
{
    let id: TeamId = call_id(&call, "teamId")?;
    let member = call.state.service.team_member_by_id(&call.cx, id, role).await?;
    run(Scope { call, member, dialect: Dialect::Slug }, written, work).await
}

/// Runs `work` for a member whose team the body names.
pub(super) async fn member_run<F, Fut>(call: Call, member: Member, dialect: Dialect, work: F) -> Answer
where
    F: FnOnce(Scope) -> Fut,
    Fut: Future<Output = Answer>,
{
    run(Scope { call, member, dialect }, Written::Yes, work).await
}

/// Whether a deed goes into the team's record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// It does, if it is one.
    Yes,
    /// It does not: there is no team any more.
    No,
}

async fn run<F, Fut>(scope: Scope, written: Written, work: F) -> Answer
where
    F: FnOnce(Scope) -> Fut,
    Fut: Future<Output = Answer>,
{
    let ids = ids(&scope.call)?;
    let (state, cx, member) = (Arc::clone(&scope.call.state), scope.call.cx.clone(), scope.member.clone());
    let is_deed = written == Written::Yes && !matches!(scope.call.method, Method::GET | Method::HEAD);
    let deed = is_deed.then(|| deed(&scope.call));
    match work(scope).await {
        Ok(response) => {
            if let Some(deed) = deed {
                record(&state.service, &cx, &member, deed, &response).await;
            }
            Ok(response)
        }
        // What the path says comes before what the body says.
        Err(failure) if failure.is_about_body() => {
            state.service.team_path_check(&member, &ids).await?;
            Err(failure)
        }
        Err(failure) => Err(failure),
    }
}

/// The identities in the path, checked for their form. Names of templates and containers are none.
fn ids(call: &Call) -> Result<Vec<(&'static str, Uuid)>, Failure> {
    call.params
        .iter()
        .filter(|(name, _)| name.ends_with("Id") && *name != "templateId")
        .map(|(name, text)| uuid_parse(text).map(|id| (*name, id)).map_err(|_| bad_id(name, text)))
        .collect()
}

/// What a call does, as the record has it.
pub(super) fn deed(call: &Call) -> Deed {
    let mut event = call.path.clone();
    if !call.query.is_empty() {
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&call.query).finish();
        event = format!("{event}?{query}");
    }
    Deed {
        context: AuditContext::Http,
        method: Some(call.method.as_str().to_ascii_lowercase()),
        is_url_secret: event.contains("/notifications"),
        event,
        data: serde_json::from_slice::<Value>(&call.content.bytes).ok(),
    }
}

/// Writes down a deed that was done. That it cannot be written undoes nothing, so it is only told.
async fn record(
    service: &slipway_service::Service,
    cx: &slipway_service::Cx,
    member: &Member,
    deed: Deed,
    response: &Response,
) {
    if !response.status().is_success() || !matches!(cx.actor, Actor::User { .. }) {
        return;
    }
    if let Err(error) = service.team_audit_write(cx, member.team.id, deed).await {
        tracing::error!(team.id = %member.team.id, "a deed is not in the team's record: {error}");
    }
}

/// A handler for a route about a team from an async function over a [`Scope`].
macro_rules! scoped {
    ($operation:literal, $function:path) => {
        |call| ::std::boxed::Box::pin($crate::team::scope::team(call, $operation, $function))
    };
}
pub(super) use scoped;
