//! Instances of deployments. Source: `team-api.md` §3.7.

use http::{Method, StatusCode};
use slipway_team::{DeploymentId, InstanceId};

use super::body::Body;
use super::ingress;
use super::scope::{Dialect, Scope, scoped};
use super::{route, to_wire};
use crate::call::{Answer, Failure, empty, ok};
use crate::route::Route;

const ONE: &str = "/api/{teamSlug}/deployments/{deploymentId}/instances/{instanceId}";
const SECRETS: &str = "/api/{teamSlug}/deployments/{deploymentId}/instances/{instanceId}/secrets";

pub(super) fn routes() -> Vec<Route> {
    vec![
        route(Method::GET, ONE, "team_instance_read", scoped!("team_instance_read", instance_read)),
        route(Method::PATCH, ONE, "team_instance_update", scoped!("team_instance_update", instance_update)),
        route(Method::GET, SECRETS, "team_instance_secrets_read", scoped!("team_instance_secrets_read", secrets_read)),
    ]
}

fn ids(scope: &Scope) -> Result<(DeploymentId, InstanceId), Failure> {
    Ok((scope.id("deploymentId")?, scope.id("instanceId")?))
}

async fn instance_read(scope: Scope) -> Answer {
    let (deployment, id) = ids(&scope)?;
    let view = scope.call.state.service.team_instance_get(&scope.member, deployment, id).await?;
    ok(&to_wire::instance(&view, scope.dialect, None)?)
}

async fn instance_update(scope: Scope) -> Answer {
    let (deployment, id) = ids(&scope)?;
    let mut body = Body::read(&scope.call)?;
    if !body.has("config") {
        body.fail("config", "is missing");
    }
    let patch = body.map_or_null("config");
    let mut patch = body.finish(patch)?.unwrap_or_default();
    let service = &scope.call.state.service;
    if scope.dialect == Dialect::Active {
        let old = service.team_instance_get(&scope.member, deployment, id).await?;
        ingress::from_wire(&mut patch, old.instance.config.as_ref().and_then(|config| config.routing.as_ref()));
    }
    service.team_instance_update(&scope.call.cx, &scope.member, deployment, id, &patch).await?;
    empty(StatusCode::NO_CONTENT)
}

async fn secrets_read(scope: Scope) -> Answer {
    let (deployment, id) = ids(&scope)?;
    let secrets = scope.call.state.service.team_instance_secrets(&scope.member, deployment, id).await?;
    ok(&to_wire::instance_secrets(secrets))
}
