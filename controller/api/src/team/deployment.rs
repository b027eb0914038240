//! Deployments. Source: `team-api.md` §3.7.

use http::{Method, StatusCode};
use serde::Deserialize;
use slipway_core::Page;
use slipway_service::{CopyGiven, DeploymentChange, DeploymentGiven};
use slipway_team::container::part::KeyValue;
use slipway_team::{DeploymentId, NodeId, VersionId};
use slipway_wire::team as wire;

use super::body::Body;
use super::scope::{Dialect, Scope, created, scoped};
use super::{query, route, to_wire};
use crate::call::{Answer, empty, ok};
use crate::route::Route;

const ALL: &str = "/api/{teamSlug}/deployments";
const ONE: &str = "/api/{teamSlug}/deployments/{deploymentId}";
const COPY: &str = "/api/{teamSlug}/deployments/{deploymentId}/copy";
const LOG: &str = "/api/{teamSlug}/deployments/{deploymentId}/log";
const TOKEN: &str = "/api/{teamSlug}/deployments/{deploymentId}/token";

pub(super) fn routes() -> Vec<Route> {
    vec![
        route(Method::GET, ALL, "team_deployments_list", scoped!("team_deployments_list", deployments_list)),
        route(Method::POST, ALL, "team_deployment_create", scoped!("team_deployment_create", deployment_create)),
        route(Method::GET, ONE, "team_deployment_read", scoped!("team_deployment_read", deployment_read)),
        route(Method::PATCH, ONE, "team_deployment_update", scoped!("team_deployment_update", deployment_update)),
        route(Method::DELETE, ONE, "team_deployment_delete", scoped!("team_deployment_delete", deployment_delete)),
        route(Method::POST, COPY, "team_deployment_copy", scoped!("team_deployment_copy", deployment_copy)),
        route(Method::GET, LOG, "team_deployment_log_read", scoped!("team_deployment_log_read", log_read)),
        route(Method::PUT, TOKEN, "team_deployment_token_create", {
            scoped!("team_deployment_token_create", token_create)
        }),
        route(Method::DELETE, TOKEN, "team_deployment_token_delete", {
            scoped!("team_deployment_token_delete", token_delete)
        }),
    ]
}

/// All of them, or the part that `skip` and `take` ask for, which newer clients do.
async fn deployments_list(scope: Scope) -> Answer {
    let number = |name: &str| match scope.call.query(name) {
        Some(_) => query::number(&scope.call, name).map(Some),
        None => Ok(None),
    };
    let (skip, take) = (number("skip")?, number("take")?);
    let limit = take.and_then(|take| u32::try_from(take).ok()).unwrap_or(u32::MAX);
    let page = Page { limit, offset: skip.unwrap_or(0) };
    let list = scope.call.state.service.team_deployments_list(&scope.member, page).await?;
    ok(&list.iter().map(|listed| to_wire::deployment(listed, scope.dialect)).collect::<Vec<_>>())
}

async fn deployment_create(scope: Scope) -> Answer {
    let mut body = Body::read(&scope.call)?;
    let (version, node) = (body.word::<VersionId>("versionId"), body.word::<NodeId>("nodeId"));
    let (prefix, note) = (body.text("prefix"), body.text_or_null("note"));
    // What is none was noted, so that these are never used.
    let (version, node) = (version.unwrap_or_else(VersionId::generate), node.unwrap_or_else(NodeId::generate));
    let given = body.finish(DeploymentGiven { version, node, prefix, note })?;
    let listed = scope.call.state.service.team_deployment_create(&scope.call.cx, &scope.member, given).await?;
    created(&scope.location(&format!("deployments/{}", listed.id)), &to_wire::deployment(&listed, scope.dialect))
}

async fn deployment_read(scope: Scope) -> Answer {
    let id: DeploymentId = scope.id("deploymentId")?;
    let service = &scope.call.state.service;
    let details = service.team_deployment_get(&scope.member, id).await?;
    let states = match scope.dialect {
        Dialect::Slug => std::collections::BTreeMap::new(),
        Dialect::Active => service.team_deployment_states(&scope.member, &details).await?,
    };
    ok(&to_wire::deployment_details(&details, scope.dialect, &states)?)
}

/// A list of variables that may be missing or null.
fn environment(body: &mut Body) -> Option<Vec<KeyValue>> {
    let given = body.take("environment")?;
    match Vec::<KeyValue>::deserialize(&given) {
        Ok(pairs) => Some(pairs),
        Err(error) => {
            body.fail("environment", &format!("is not a list of variables: {error}"));
            None
        }
    }
}

async fn deployment_update(scope: Scope) -> Answer {
    let id: DeploymentId = scope.id("deploymentId")?;
    let mut body = Body::read(&scope.call)?;
    let (prefix, note) = (body.text_or_null("prefix"), body.text_or_null("note"));
    let environment = environment(&mut body);
    let change = body.finish(DeploymentChange { prefix, note, environment })?;
    scope.call.state.service.team_deployment_update(&scope.call.cx, &scope.member, id, change).await?;
    empty(StatusCode::NO_CONTENT)
}

async fn deployment_delete(scope: Scope) -> Answer {
    scope.call.state.service.team_deployment_delete(&scope.member, scope.id("deploymentId")?).await?;
    empty(StatusCode::NO_CONTENT)
}

async fn deployment_copy(scope: Scope) -> Answer {
    let id: DeploymentId = scope.id("deploymentId")?;
    let mut body = Body::read(&scope.call)?;
    let node = body.word::<NodeId>("nodeId");
    let (prefix, note) = (body.text("prefix"), body.text_or_null("note"));
    let given = body.finish(CopyGiven { node: node.unwrap_or_else(NodeId::generate), prefix, note })?;
    let listed = scope.call.state.service.team_deployment_copy(&scope.call.cx, &scope.member, id, given).await?;
    created(&scope.location(&format!("deployments/{}", listed.id)), &to_wire::deployment(&listed, scope.dialect))
}

async fn log_read(scope: Scope) -> Answer {
    let Scope { call, member, dialect } = &scope;
    let id: DeploymentId = scope.id("deploymentId")?;
    let page = query::page(call)?;
    let attempt = match call.query("try") {
        Some(_) => Some(u32::try_from(query::number(call, "try")?).unwrap_or(u32::MAX)),
        None => None,
    };
    let found = call.state.service.team_deployment_log(member, id, attempt, page).await?;
    let items = found.items.iter().map(|event| to_wire::deployment_event(event, *dialect)).collect();
    ok(&wire::Paged { items, total: found.total })
}

async fn token_create(scope: Scope) -> Answer {
    let id: DeploymentId = scope.id("deploymentId")?;
    let mut body = Body::read(&scope.call)?;
    let name = body.text("name");
    let days = if body.has("expirationInDays") { Some(body.number("expirationInDays", 1)) } else { None };
    let (name, days) = body.finish((name, days))?;
    let service = &scope.call.state.service;
    let made = service.team_deployment_token_create(&scope.call.cx, &scope.member, id, (&name, days)).await?;
    created(&scope.location(&format!("deployments/{id}/token")), &to_wire::generated_deployment_token(&made))
}

async fn token_delete(scope: Scope) -> Answer {
    scope.call.state.service.team_deployment_token_delete(&scope.member, scope.id("deploymentId")?).await?;
    empty(StatusCode::NO_CONTENT)
}
