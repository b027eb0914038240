//! Credentials of a private registry. Source: `drycc-v2.md` §4.6.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use serde_json::json;
use slipway_core::AppName;
use slipway_engine::RegistryLogin;

use super::{Object, RenderError, Running};
use crate::index::Kind;
use crate::labels::{LABEL_TYPE, PULL_SECRET, TYPE_PULL};
use slipway_image::registry_of;

/// Under which the container runtimes look for Docker Hub's credentials.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// Type of Secrets that images are pulled with.
pub(crate) const DOCKER_CONFIG_TYPE: &str = "kubernetes.io/dockerconfigjson";
/// What such a Secret holds.
pub(crate) const DOCKER_CONFIG_KEY: &str = ".dockerconfigjson";

/// What container runtimes read credentials from. They are for the registry that `login` names, else for that of `image`.
pub(crate) fn docker_config(login: &RegistryLogin, image: &str) -> String {
    let registry = login.hostname.clone().filter(|host| !host.is_empty());
    let registry = registry.or_else(|| registry_of(image)).unwrap_or_default();
    let is_hub = registry.ends_with("docker.io") || registry == "hub.docker.com";
    let registry = if is_hub { DOCKER_HUB.to_owned() } else { registry };
    let (user, password) = (login.username.as_str(), login.password.expose());
    let auth = STANDARD.encode(format!("{user}:{password}"));
    json!({"auths": {registry: {"username": user, "password": password, "auth": auth}}}).to_string()
}

/// The Secret that the release's image is pulled with, when its registry wants credentials.
pub(super) fn pull_secret(app: &AppName, running: &Running<'_>) -> Result<Option<Object>, RenderError> {
    let Some(login) = &running.release.registry else { return Ok(None) };
    let mut metadata = super::metadata(app, PULL_SECRET.to_owned());
    metadata.labels.get_or_insert_default().insert(LABEL_TYPE.to_owned(), TYPE_PULL.to_owned());
    let secret = Secret {
        metadata,
        type_: Some(DOCKER_CONFIG_TYPE.to_owned()),
        data: Some(
            [(DOCKER_CONFIG_KEY.to_owned(), ByteString(docker_config(login, &running.image.reference).into_bytes()))]
                .into(),
        ),
        ..Secret::default()
    };
    Object::new(Kind::Secret, &secret).map(Some)
}
