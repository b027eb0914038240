//! What errors of registries mean to users.

use oci_client::errors::{OciDistributionError, OciErrorCode};
use slipway_cause::chain;

use crate::fetch::FetchError;

/// What an error of the registry means to the user. Its own texts are not shown: they may quote what was sent.
pub(crate) fn refusal(image: &str, error: &OciDistributionError) -> FetchError {
    let missing = || {
        FetchError::Rejected(format!(
            "the image '{image}' does not exist, or its registry wants credentials (registry:set username=… password=…)"
        ))
    };
    let forbidden = || {
        FetchError::Rejected(format!(
            "the registry refuses '{image}': wrong or missing credentials (registry:set username=… password=…)"
        ))
    };
    match error {
        OciDistributionError::ImageManifestNotFoundError(_) | OciDistributionError::ServerError { code: 404, .. } => {
            missing()
        }
        OciDistributionError::UnauthorizedError { .. }
        | OciDistributionError::AuthenticationFailure(_)
        | OciDistributionError::ServerError { code: 401 | 403, .. } => forbidden(),
        OciDistributionError::RegistryError { envelope, .. } => {
            let has = |code: &OciErrorCode| envelope.errors.iter().any(|error| error.code == *code);
            if has(&OciErrorCode::Unauthorized) || has(&OciErrorCode::Denied) {
                forbidden()
            } else if has(&OciErrorCode::ManifestUnknown)
                || has(&OciErrorCode::NameUnknown)
                || has(&OciErrorCode::NotFound)
                || has(&OciErrorCode::BlobUnknown)
            {
                missing()
            } else {
                FetchError::Unavailable {
                    public: format!("the registry cannot give '{image}' now"),
                    context: chain(error),
                }
            }
        }
        OciDistributionError::UnsupportedMediaTypeError(_)
        | OciDistributionError::UnsupportedSchemaVersionError(_)
        | OciDistributionError::VersionedParsingError(_)
        | OciDistributionError::ManifestParsingError(_)
        | OciDistributionError::ManifestEncodingError(_)
        | OciDistributionError::DigestError(_)
        | OciDistributionError::SpecViolationError(_) => {
            FetchError::Rejected(format!("'{image}' is no image that can run here: {error}"))
        }
        other => FetchError::Unavailable {
            public: format!("the registry of '{image}' does not answer"),
            context: chain(other),
        },
    }
}
