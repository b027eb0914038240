//! Storages. Source: `team-api.md` §3.14.

use http::{Method, StatusCode};
use secrecy::SecretString;
use slipway_service::StorageGiven;
use slipway_team::StorageId;

use super::body::Body;
use super::scope::{Scope, created, scoped};
use super::{route, to_wire};
use crate::call::{Answer, Failure, empty, ok};
use crate::route::Route;

/// `options` stands before the identities.
pub(super) fn routes() -> Vec<Route> {
    const ALL: &str = "/api/{teamSlug}/storages";
    const OPTIONS: &str = "/api/{teamSlug}/storages/options";
    const ONE: &str = "/api/{teamSlug}/storages/{storageId}";
    vec![
        route(Method::GET, ALL, "team_storages_list", scoped!("team_storages_list", storages_list)),
        route(Method::POST, ALL, "team_storage_create", scoped!("team_storage_create", storage_create)),
        route(
            Method::GET,
            OPTIONS,
            "team_storage_options_list",
            scoped!("team_storage_options_list", storage_options_list),
        ),
        route(Method::GET, ONE, "team_storage_read", scoped!("team_storage_read", storage_read)),
        route(Method::PUT, ONE, "team_storage_update", scoped!("team_storage_update", storage_update)),
        route(Method::DELETE, ONE, "team_storage_delete", scoped!("team_storage_delete", storage_delete)),
    ]
}

fn given(scope: &Scope) -> Result<StorageGiven, Failure> {
    let mut body = Body::read(&scope.call)?;
    let given = StorageGiven {
        name: body.text("name"),
        description: body.text_or_null("description"),
        icon: body.text_or_null("icon"),
        url: body.text("url"),
        access_key: body.text_or_null("accessKey"),
        secret_key: body.text_or_null("secretKey").map(SecretString::from),
    };
    body.finish(given)
}

async fn storages_list(scope: Scope) -> Answer {
    let storages = scope.call.state.service.storages_list(&scope.member).await?;
    ok(&storages.iter().map(to_wire::storage).collect::<Vec<_>>())
}

async fn storage_options_list(scope: Scope) -> Answer {
    let storages = scope.call.state.service.storages_list(&scope.member).await?;
    ok(&storages.iter().map(to_wire::storage_option).collect::<Vec<_>>())
}

async fn storage_create(scope: Scope) -> Answer {
    let given = given(&scope)?;
    let view = scope.call.state.service.storage_create(&scope.call.cx, &scope.member, given).await?;
    created(&scope.location(&format!("storages/{}", view.storage.id)), &to_wire::storage_details(&view))
}

async fn storage_read(scope: Scope) -> Answer {
    let id: StorageId = scope.id("storageId")?;
    ok(&to_wire::storage_details(&scope.call.state.service.storage_get(&scope.member, id).await?))
}

async fn storage_update(scope: Scope) -> Answer {
    let (id, given): (StorageId, _) = (scope.id("storageId")?, given(&scope)?);
    scope.call.state.service.storage_update(&scope.call.cx, &scope.member, id, given).await?;
    empty(StatusCode::NO_CONTENT)
}

async fn storage_delete(scope: Scope) -> Answer {
    scope.call.state.service.storage_delete(&scope.member, scope.id("storageId")?).await?;
    empty(StatusCode::NO_CONTENT)
}
