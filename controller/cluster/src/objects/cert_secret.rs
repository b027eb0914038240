//! Certificates.

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use slipway_core::AppName;
use slipway_engine::route::Certificate;

use super::{Object, RenderError};
use crate::index::Kind;
use crate::labels::{LABEL_TYPE, TYPE_CERT, cert_secret_name};

/// The Secret with a certificate and its key, named by what is in it.
pub(super) fn cert_secret(app: &AppName, certificate: &Certificate) -> Result<Object, RenderError> {
    let (chain, key) = (certificate.chain_pem.as_str(), certificate.key_pem.expose());
    let mut metadata = super::metadata(app, cert_secret_name(chain, key));
    metadata.labels.get_or_insert_default().insert(LABEL_TYPE.to_owned(), TYPE_CERT.to_owned());
    let data = [("tls.crt", chain), ("tls.key", key)]
        .map(|(name, text)| (name.to_owned(), ByteString(text.as_bytes().to_vec())));
    let secret =
        Secret { metadata, type_: Some("kubernetes.io/tls".to_owned()), data: Some(data.into()), ..Secret::default() };
    Object::new(Kind::Secret, &secret)
}
