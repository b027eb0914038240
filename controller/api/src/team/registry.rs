//! Registries. Source: `team-api.md` §3.1.

use http::{Method, StatusCode};
use secrecy::SecretString;
use slipway_service::RegistryGiven;
use slipway_team::RegistryId;
use slipway_team::registry::{DetailsGiven, RegistryKind};

use super::body::Body;
use super::scope::{Scope, created, scoped};
use super::{route, to_wire};
use crate::call::{Answer, Failure, empty, ok};
use crate::route::Route;

pub(super) fn routes() -> Vec<Route> {
    const ALL: &str = "/api/{teamSlug}/registries";
    const ONE: &str = "/api/{teamSlug}/registries/{registryId}";
    vec![
        route(Method::GET, ALL, "team_registries_list", scoped!("team_registries_list", registries_list)),
        route(Method::POST, ALL, "team_registry_create", scoped!("team_registry_create", registry_create)),
        route(Method::GET, ONE, "team_registry_read", scoped!("team_registry_read", registry_read)),
        route(Method::PUT, ONE, "team_registry_update", scoped!("team_registry_update", registry_update)),
        route(Method::DELETE, ONE, "team_registry_delete", scoped!("team_registry_delete", registry_delete)),
    ]
}

fn given(scope: &Scope) -> Result<RegistryGiven, Failure> {
    let mut body = Body::read(&scope.call)?;
    let name = body.text("name");
    let (description, icon) = (body.text_or_null("description"), body.text_or_null("icon"));
    let kind = body.word("type");
    let mut inner = body.open("details");
    let details = DetailsGiven {
        url: inner.text_or_null("url"),
        image_prefix: inner.text_or_null("imageNamePrefix"),
        namespace: inner.word_or_null("namespace"),
        api_url: inner.text_or_null("apiUrl"),
        user: inner.text_or_null("user"),
        token: inner.text_or_null("token").map(SecretString::from),
        is_public: inner.flag_or_null("public"),
    };
    body.close(inner);
    // A kind that is none was noted, so that this one is never used.
    let kind = kind.unwrap_or(RegistryKind::Unchecked);
    body.finish(RegistryGiven { name, description, icon, kind, details })
}

async fn registries_list(scope: Scope) -> Answer {
    let registries = scope.call.state.service.registries_list(&scope.member).await?;
    ok(&registries.iter().map(to_wire::registry).collect::<Vec<_>>())
}

async fn registry_create(scope: Scope) -> Answer {
    let given = given(&scope)?;
    let view = scope.call.state.service.registry_create(&scope.call.cx, &scope.member, given).await?;
    created(&scope.location(&format!("registries/{}", view.registry.id)), &to_wire::registry_details(&view))
}

async fn registry_read(scope: Scope) -> Answer {
    let id: RegistryId = scope.id("registryId")?;
    ok(&to_wire::registry_details(&scope.call.state.service.registry_get(&scope.member, id).await?))
}

async fn registry_update(scope: Scope) -> Answer {
    let (id, given): (RegistryId, _) = (scope.id("registryId")?, given(&scope)?);
    scope.call.state.service.registry_update(&scope.call.cx, &scope.member, id, given).await?;
    empty(StatusCode::NO_CONTENT)
}

async fn registry_delete(scope: Scope) -> Answer {
    scope.call.state.service.registry_delete(&scope.member, scope.id("registryId")?).await?;
    empty(StatusCode::NO_CONTENT)
}
