//! Which images a registry has, and their tags, for those who choose one. Source: `team-api.md` §6 (socket), §4.2.

use secrecy::SecretString;
use serde_json::Value;
use slipway_team::container::ImageName;
use slipway_team::registry::{Namespace, RegistryDetails, RegistryKind};
use slipway_team::{Error, Member, Refusal, Refused, RegistryId, Result};

use super::port::WebAnswer;
use super::registry_probe::{GITHUB_API, GITLAB_API, HUB_API, bearer};
use crate::{Cx, Service};

/// Most images that a search gives.
const IMAGES_MAX: usize = 100;
/// Most tags of an image.
const TAGS_MAX: usize = 1000;
/// Most images whose tags are asked for at once.
const ASKED_MAX: usize = 20;

/// An image of a registry and its tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageTags {
    /// The image, as it was asked for.
    pub name: String,
    /// Its tags, in the registry's order.
    pub tags: Vec<String>,
}

impl Service {
    /// The names of a registry's images that contain `filter`, at most a hundred.
    ///
    /// # Errors
    /// 404 `registry`; 401 with the code `registryUnauthorized`; 400 with the code `registryRateLimit`, or when the registry
    /// cannot be asked.
    pub async fn registry_images_find(
        &self,
        cx: &Cx,
        member: &Member,
        id: RegistryId,
        filter: &str,
    ) -> Result<Vec<String>> {
        let details = self.registry_get(member, id).await?.registry.details;
        let credentials = details.credentials.as_ref();
        let prefix = details.image_prefix.as_deref().unwrap_or_default();
        let mut found: Vec<String> = match details.kind {
            RegistryKind::Unchecked if details.url.is_empty() => return Ok(Vec::new()),
            RegistryKind::Unchecked | RegistryKind::V2 => {
                let (host, path) = place(&details);
                let scope = "registry:catalog:*";
                let answer = self.distribution_ask(host, "_catalog?n=1000", credentials, Some(scope)).await?;
                let inside = if path.is_empty() { String::new() } else { format!("{path}/") };
                let mut names = texts(&judged(&answer)?, "/repositories", None);
                names.retain(|name| name.starts_with(&inside));
                names.iter().map(|name| name[inside.len()..].to_owned()).collect()
            }
            RegistryKind::Hub => {
                let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("name", filter).finish();
                let url = format!("https://{HUB_API}/v2/repositories/{prefix}/?page_size=100&{query}");
                texts(&judged(&self.ask("url", &url, None).await?)?, "/results", Some("name"))
            }
            RegistryKind::Gitlab => {
                let api = details.api_url.as_deref().unwrap_or(GITLAB_API);
                let group = if details.namespace == Some(Namespace::Project) { "projects" } else { "groups" };
                let owner = prefix.replace('/', "%2F");
                let url = format!("https://{api}/api/v4/{group}/{owner}/registry/repositories?per_page=100");
                texts(&judged(&self.ask("url", &url, credentials.map(bearer)).await?)?, "", Some("path"))
            }
            RegistryKind::Github => {
                let owner = if details.namespace == Some(Namespace::User) { "users" } else { "orgs" };
                let url = format!("https://{GITHUB_API}/{owner}/{prefix}/packages?package_type=container&per_page=100");
                texts(&judged(&self.ask("url", &url, credentials.map(bearer)).await?)?, "", Some("name"))
            }
            RegistryKind::Google => {
                let answer = self.google_ask(cx, &details, prefix).await?;
                texts(&judged(&answer)?, "/child", None)
            }
        };
        found.retain(|name| name.contains(filter));
        found.sort_unstable();
        found.truncate(IMAGES_MAX);
        Ok(found)
    }

    /// The tags of images of a registry.
    ///
    /// # Errors
    /// As [`Service::registry_images_find`]; 400 `images` for what is no image's name, or too many.
    pub async fn registry_image_tags(
        &self,
        cx: &Cx,
        member: &Member,
        id: RegistryId,
        images: &[String],
    ) -> Result<Vec<ImageTags>> {
        if images.len() > ASKED_MAX {
            return Err(Error::invalid("images", format!("images must be at most {ASKED_MAX}")));
        }
        let details = self.registry_get(member, id).await?.registry.details;
        let mut all = Vec::new();
        for image in images {
            let name = ImageName::parse("images", image)?.name;
            let name = name.split('@').next().unwrap_or_default();
            // It becomes part of an address.
            if name.split('/').any(|part| part.bytes().all(|byte| byte == b'.')) {
                return Err(Error::invalid("images", format!("{image:?} is not the name of an image")));
            }
            let mut tags = self.tags(cx, &details, name).await?;
            tags.truncate(TAGS_MAX);
            all.push(ImageTags { name: image.clone(), tags });
        }
        Ok(all)
    }

    async fn tags(&self, cx: &Cx, details: &RegistryDetails, name: &str) -> Result<Vec<String>> {
        let prefix = details.image_prefix.as_deref().unwrap_or_default();
        let credentials = details.credentials.as_ref();
        let (host, path) = place(details);
        let whole = match details.kind {
            RegistryKind::Unchecked if details.url.is_empty() => return Ok(Vec::new()),
            RegistryKind::Hub => {
                let url = format!("https://{HUB_API}/v2/repositories/{prefix}/{name}/tags?page_size=100");
                let answer = self.ask("url", &url, None).await?;
                return Ok(texts(&judged(&answer)?, "/results", Some("name")));
            }
            RegistryKind::Google => {
                let answer = self.google_ask(cx, details, &format!("{prefix}/{name}")).await?;
                return Ok(texts(&judged(&answer)?, "/tags", None));
            }
            RegistryKind::Github => format!("{prefix}/{name}"),
            RegistryKind::Gitlab | RegistryKind::V2 | RegistryKind::Unchecked if path.is_empty() => name.to_owned(),
            RegistryKind::Gitlab | RegistryKind::V2 | RegistryKind::Unchecked => format!("{path}/{name}"),
        };
        let scope = format!("repository:{whole}:pull");
        let answer =
            self.distribution_ask(host, &format!("{whole}/tags/list?n={TAGS_MAX}"), credentials, Some(&scope)).await?;
        Ok(texts(&judged(&answer)?, "/tags", None))
    }

    /// Google tells images and tags in one list.
    async fn google_ask(&self, cx: &Cx, details: &RegistryDetails, name: &str) -> Result<WebAnswer> {
        let bearer: Option<SecretString> = match &details.credentials {
            Some(credentials) => Some(self.google_token(cx, credentials).await?),
            None => None,
        };
        self.ask("url", &format!("https://{}/v2/{name}/tags/list", details.url), bearer).await
    }
}

/// A registry's host, and the path within it.
fn place(details: &RegistryDetails) -> (&str, &str) {
    details.url.split_once('/').unwrap_or((&details.url, ""))
}

/// The texts of a list in an answer: its items, or a member of each.
fn texts(answer: &Value, pointer: &str, member: Option<&str>) -> Vec<String> {
    let items = answer.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let text = |item: &Value| match member {
        Some(member) => item.get(member)?.as_str().map(str::to_owned),
        None => item.as_str().map(str::to_owned),
    };
    items.iter().filter_map(text).collect()
}

/// What a registry answered, or why that is of no use. Source: `team-api.md` §1.6 (429).
fn judged(answer: &WebAnswer) -> Result<Value> {
    let coded = |kind, message: &str, code| -> Error { Refusal::new(kind, "registryId", message).code(code).into() };
    match answer.status {
        200..=299 => serde_json::from_slice(&answer.body)
            .map_err(|_| Error::invalid("registryId", "The registry's answer is not understood.")),
        401 | 403 => Err(coded(Refused::Unauthorized, "The registry refuses the credentials.", "registryUnauthorized")),
        429 => Err(coded(Refused::Invalid, "The registry is asked too often.", "registryRateLimit")),
        404 => Err(Error::not_found("image")),
        status => Err(Error::invalid("registryId", format!("The registry answers with the status {status}."))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_are_found_in_answers() {
        let answer = json!({"results": [{"name": "a"}, {"name": 1}, {}], "tags": ["1", 2, "3"]});
        assert_eq!(texts(&answer, "/results", Some("name")), ["a"]);
        assert_eq!(texts(&answer, "/tags", None), ["1", "3"]);
        assert_eq!(texts(&answer, "/none", None), [""; 0]);
        assert_eq!(texts(&json!([{"path": "x/y"}]), "", Some("path")), ["x/y"]);
    }
}
