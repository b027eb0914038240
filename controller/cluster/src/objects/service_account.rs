//! The account that an app's processes run under.

use k8s_openapi::api::core::v1::ServiceAccount;
use slipway_core::AppName;

use super::{Object, RenderError};
use crate::index::Kind;

/// An account without token and rights: an app must not talk to the API server in the platform's name.
pub(super) fn service_account(name: &AppName) -> Result<Object, RenderError> {
    let account = ServiceAccount {
        metadata: super::metadata(name, name.to_string()),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    };
    Object::new(Kind::ServiceAccount, &account)
}
