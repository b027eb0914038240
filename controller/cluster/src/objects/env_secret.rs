//! The environment of a release. Source: `drycc-v2.md` §4.4.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use slipway_core::AppName;

use super::{Object, RenderError, Running};
use crate::index::Kind;
use crate::labels::{ANNOTATION_IMAGE, LABEL_TYPE, LABEL_VERSION, TYPE_ENV, env_secret_name};

/// Most bytes that a Secret may hold, all values together. Source: Kubernetes, `core.MaxSecretSize`.
const SIZE_MAX_BYTES: usize = 1024 * 1024;

/// The Secret with all variables of a release, names unchanged. It is immutable, and carries what was found out about
/// the release's image, so that a release goes on running what it ran first.
pub(super) fn env_secret(app: &AppName, running: &Running<'_>) -> Result<Object, RenderError> {
    let Running { release, image, port } = running;
    let bytes = |text: &str| ByteString(text.as_bytes().to_vec());
    let mut data: BTreeMap<String, ByteString> =
        release.env.iter().map(|(name, value)| (name.clone(), bytes(value.expose()))).collect();
    if let Some(port) = port {
        data.entry("PORT".to_owned()).or_insert_with(|| bytes(&port.to_string()));
    }
    let size: usize = data.values().map(|value| value.0.len()).sum();
    if size > SIZE_MAX_BYTES {
        return Err(RenderError::Refused(format!(
            "the environment is too large for the cluster: {size} bytes, at most {SIZE_MAX_BYTES}"
        )));
    }
    let mut metadata = super::metadata(app, env_secret_name(app, release.version));
    let labels = metadata.labels.get_or_insert_default();
    labels.insert(LABEL_TYPE.to_owned(), TYPE_ENV.to_owned());
    labels.insert(LABEL_VERSION.to_owned(), release.version.to_string());
    let secret = Secret {
        metadata,
        type_: Some("Opaque".to_owned()),
        immutable: Some(true),
        data: Some(data),
        ..Secret::default()
    };
    let facts = serde_json::to_string(image).map_err(|source| RenderError::Json { source })?;
    Ok(Object::new(Kind::Secret, &secret)?.annotated(ANNOTATION_IMAGE, &facts))
}
