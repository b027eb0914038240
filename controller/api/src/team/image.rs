//! Images of versions. Source: `team-api.md` §3.4.

use http::{Method, StatusCode};
use serde_json::Value;
use slipway_core::{Error, Result as CoreResult};
use slipway_service::{ImageChange, ImageView, ImagesGiven};
use slipway_team::ids::uuid_parse;
use slipway_team::{ImageId, RegistryId};
use slipway_wire::team as wire;

use super::body::Body;
use super::ingress;
use super::scope::{Dialect, Scope, created, scoped};
use super::version::{version_id, version_path};
use super::{route, to_wire};
use crate::call::{Answer, Failure, empty, ok};
use crate::route::Route;

/// `order` stands before the identities.
pub(super) fn routes() -> Vec<Route> {
    const ALL: &str = "/api/{teamSlug}/projects/{projectId}/versions/{versionId}/images";
    const ORDER: &str = "/api/{teamSlug}/projects/{projectId}/versions/{versionId}/images/order";
    const ONE: &str = "/api/{teamSlug}/projects/{projectId}/versions/{versionId}/images/{imageId}";
    vec![
        route(Method::GET, ALL, "team_images_list", scoped!("team_images_list", images_list)),
        route(Method::POST, ALL, "team_images_add", scoped!("team_images_add", images_add)),
        route(Method::PUT, ORDER, "team_images_order", scoped!("team_images_order", images_order)),
        route(Method::GET, ONE, "team_image_read", scoped!("team_image_read", image_read)),
        route(Method::PATCH, ONE, "team_image_update", scoped!("team_image_update", image_update)),
        route(Method::DELETE, ONE, "team_image_delete", scoped!("team_image_delete", image_delete)),
    ]
}

fn wire(views: &[ImageView], dialect: Dialect) -> CoreResult<Vec<wire::Image>> {
    views.iter().map(|view| to_wire::image(view, dialect)).collect()
}

/// What is to be added, by registry.
fn given(scope: &Scope) -> Result<Vec<ImagesGiven>, Failure> {
    let mut all = Body::new(serde_json::Map::new());
    let mut given = Vec::new();
    for item in scope.call.items()? {
        let Value::Object(map) = item else {
            all.fail("body", "must be a list of objects");
            continue;
        };
        let mut item = Body::new(map);
        let registry = item.choice("registryId", |text| text.parse::<RegistryId>().ok());
        let names = item.texts("images");
        all.close_item(item);
        given.extend(registry.map(|registry| ImagesGiven { registry, names }));
    }
    all.finish(given)
}

/// The identities of a list in the body.
fn order(scope: &Scope) -> Result<Vec<ImageId>, Failure> {
    let items = scope.call.items()?;
    let id = |item: &Value| item.as_str().and_then(|text| uuid_parse(text).ok()).map(ImageId::from_uuid);
    let ids: Option<Vec<ImageId>> = items.iter().map(id).collect();
    ids.ok_or_else(|| Failure::Body(Error::invalid("imageIds", "The body holds what is no UUID.")))
}

async fn images_list(scope: Scope) -> Answer {
    let views = scope.call.state.service.images_list(&scope.member, version_id(&scope)?).await?;
    ok(&wire(&views, scope.dialect)?)
}

async fn images_add(scope: Scope) -> Answer {
    let (path, given) = (version_id(&scope)?, given(&scope)?);
    let views = scope.call.state.service.images_add(&scope.call.cx, &scope.member, path, given).await?;
    created(&scope.location(&format!("{}/images", version_path(&scope, path))), &wire(&views, scope.dialect)?)
}

async fn image_read(scope: Scope) -> Answer {
    let view = scope.call.state.service.image_get(&scope.member, version_id(&scope)?, scope.id("imageId")?).await?;
    ok(&to_wire::image(&view, scope.dialect)?)
}

async fn image_update(scope: Scope) -> Answer {
    let (path, id): (_, ImageId) = (version_id(&scope)?, scope.id("imageId")?);
    let mut body = Body::read(&scope.call)?;
    let (tag, config) = (body.text_or_null("tag"), body.map_or_null("config"));
    let mut change = body.finish(ImageChange { tag, config })?;
    let service = &scope.call.state.service;
    if let (Dialect::Active, Some(config)) = (scope.dialect, &mut change.config) {
        let old = service.image_get(&scope.member, path, id).await?;
        ingress::from_wire(config, old.image.config.routing.as_ref());
    }
    service.image_update(&scope.member, path, id, change).await?;
    empty(StatusCode::NO_CONTENT)
}

async fn image_delete(scope: Scope) -> Answer {
    scope.call.state.service.image_delete(&scope.member, version_id(&scope)?, scope.id("imageId")?).await?;
    empty(StatusCode::NO_CONTENT)
}

async fn images_order(scope: Scope) -> Answer {
    let (path, wanted) = (version_id(&scope)?, order(&scope)?);
    scope.call.state.service.images_order(&scope.member, path, &wanted).await?;
    empty(StatusCode::NO_CONTENT)
}
