//! Search in registries.

use serde_json::{Value, json};
use slipway_team::{Error, Member, RegistryId};

use super::super::body::Body;
use super::connection::Message;
use crate::State;
use crate::call::Failure;
use slipway_service::Cx;

/// Longest text that is searched for, in characters.
const FILTER_MAX: usize = 128;

/// Answers a message: the word of the answer, and its data.
pub(super) async fn answer(
    state: &State,
    cx: &Cx,
    member: &Member,
    message: Message,
) -> Result<(&'static str, Value), Failure> {
    let mut body = Body::new(message.data);
    let id: Option<RegistryId> = body.word("registryId");
    match message.word.as_str() {
        "find-image" => {
            let filter = body.text("filter");
            if filter.chars().count() > FILTER_MAX {
                body.fail("filter", "is too long");
            }
            let (id, filter) = (body.finish(id)?.ok_or_else(no_registry)?, filter);
            let found = state.service.registry_images_find(cx, member, id, &filter).await?;
            let images: Vec<Value> = found.iter().map(|name| json!({ "name": name })).collect();
            Ok(("find-image-result", json!({ "registryId": id.to_string(), "images": images })))
        }
        "fetch-image-tags" => {
            let images: Vec<String> = body.words("images");
            let id = body.finish(id)?.ok_or_else(no_registry)?;
            let found = state.service.registry_image_tags(cx, member, id, &images).await?;
            let images: Vec<Value> =
                found.iter().map(|image| json!({ "name": image.name, "tags": image.tags })).collect();
            Ok(("registry-image-tags", json!({ "registryId": id.to_string(), "images": images })))
        }
        _ => Err(super::no_such_message()),
    }
}

fn no_registry() -> Failure {
    Error::invalid("registryId", "registryId is no UUID").into()
}
