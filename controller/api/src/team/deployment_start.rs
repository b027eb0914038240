//! Starting a deployment: by a member of the team, or by whoever has its token. Source: `team-api.md` §1.2 and §4.5.

use std::collections::BTreeSet;

use http::{Method, StatusCode};
use slipway_core::authz::Actor;
use slipway_team::audit::AuditActor;
use slipway_team::deployment::DeploymentToken;
use slipway_team::{DeploymentId, Error, InstanceId, Refusal, Refused};

use super::auth;
use super::body::Body;
use super::scope::{Scope, deed, team};
use crate::call::{Answer, Call, Failure, Handler, empty};
use crate::handler;
use crate::route::{Access, Generation, Route};

const START: &str = "/api/{teamSlug}/deployments/{deploymentId}/start";

pub(super) fn routes() -> Vec<Route> {
    let handler: Handler = handler!(deployment_start);
    vec![Route::new(Generation::Team, Method::POST, START, "team_deployment_start", Access::Starter, handler)]
}

async fn deployment_start(call: Call) -> Answer {
    let has_slug = call.params.iter().any(|(name, _)| *name == "teamSlug");
    if matches!(call.cx.actor, Actor::User { .. }) || !has_slug {
        return team(call, "team_deployment_start", start_by_member).await;
    }
    let Some(token) = token(&call).await? else {
        let message = "The token of this deployment is missing, or is none.".to_owned();
        let refusal = Refusal { kind: Refused::Unauthorized, message, property: None, value: None, code: None };
        return Err(Error::from(refusal).into());
    };
    let (service, instances) = (&call.state.service, instances(&call)?);
    service.team_deployment_start_by_token(&token, instances).await?;
    let actor = AuditActor::DeploymentToken { id: token.id.to_string(), name: token.name.clone() };
    // That it cannot be written undoes nothing, so it is only told.
    if let Err(error) = service.team_audit_write_by(token.team, (actor, call.cx.now), deed(&call)).await {
        tracing::error!(team.id = %token.team, "a start is not in the team's record: {error}");
    }
    empty(StatusCode::NO_CONTENT)
}

/// The token that the request carries, if it is that of the deployment of the path.
async fn token(call: &Call) -> Result<Option<DeploymentToken>, Failure> {
    let id = call.param("deploymentId").parse::<DeploymentId>();
    let (Some(bearer), Ok(id)) = (auth::token(&call.headers), id) else { return Ok(None) };
    Ok(call.state.service.team_deployment_token_of(bearer, call.param("teamSlug"), id).await?)
}

async fn start_by_member(scope: Scope) -> Answer {
    let id: DeploymentId = scope.id("deploymentId")?;
    let instances = instances(&scope.call)?;
    scope.call.state.service.team_deployment_start(&scope.call.cx, &scope.member, id, instances).await?;
    empty(StatusCode::NO_CONTENT)
}

/// The instances that are to be started; nothing for all.
fn instances(call: &Call) -> Result<Option<BTreeSet<InstanceId>>, Failure> {
    let mut body = Body::read(call)?;
    let is_part = body.has("instances");
    let instances = if is_part { body.words::<InstanceId>("instances") } else { Vec::new() };
    let instances: Vec<InstanceId> = body.finish(instances)?;
    Ok(is_part.then(|| instances.into_iter().collect()))
}
