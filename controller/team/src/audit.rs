//! The record of what was done in a team. Source: `team-api.md` §1.13.

use chrono::{DateTime, Utc};
use serde_json::Value;

/// Who did something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditActor {
    /// A user, by identity, name and address of the time.
    User {
        /// Identity.
        id: String,
        /// What the person was called.
        name: String,
        /// E-mail address.
        email: String,
    },
    /// The token of a deployment.
    DeploymentToken {
        /// Identity.
        id: String,
        /// Its name.
        name: String,
    },
}

impl AuditActor {
    /// The word for the kind.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::User { .. } => "user",
            Self::DeploymentToken { .. } => "deployment-token",
        }
    }
}

/// By which way something was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuditContext {
    /// A request.
    Http,
    /// A message on a WebSocket.
    Ws,
}

impl AuditContext {
    /// Its name in answers and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Ws => "ws",
        }
    }
}

/// One entry.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// When.
    pub created: DateTime<Utc>,
    /// Who.
    pub actor: AuditActor,
    /// By which way.
    pub context: AuditContext,
    /// The request's method in lower case.
    pub method: Option<String>,
    /// The request's path with its query, or the message's type.
    pub event: String,
    /// The request's body, without secrets.
    pub data: Option<Value>,
}

/// What stands for a secret.
pub const MASK: &str = "***";

/// Members that are secrets wherever they stand.
const SECRET: [&str; 11] = [
    "token",
    "password",
    "accesskey",
    "secretkey",
    "secret",
    "privatekey",
    "kubeconfig",
    "captcha",
    "clientkey",
    "code",
    "credentials",
];

/// A request's body as it may be kept: secrets are replaced by [`MASK`].
///
/// Secrets are the members of [`SECRET`] and the values inside of `secrets`; with `is_url_secret`, for requests about
/// webhooks, also `url`.
#[must_use]
pub fn masked(data: Value, is_url_secret: bool) -> Value {
    mask(data, is_url_secret, false)
}

fn mask(value: Value, is_url_secret: bool, is_in_secrets: bool) -> Value {
    match value {
        Value::Array(items) => {
            items.into_iter().map(|item| mask(item, is_url_secret, is_in_secrets)).collect::<Vec<_>>().into()
        }
        Value::Object(map) => {
            let member = |(name, value): (String, Value)| {
                let lower = name.to_ascii_lowercase();
                let is_secret = SECRET.contains(&lower.as_str())
                    || (is_url_secret && lower == "url")
                    || (is_in_secrets && lower == "value");
                let value = match value {
                    Value::Null => Value::Null,
                    value if is_secret && !value.is_boolean() => Value::from(MASK),
                    value => mask(value, is_url_secret, is_in_secrets || lower == "secrets"),
                };
                (name, value)
            };
            Value::Object(map.into_iter().map(member).collect())
        }
        scalar => scalar,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_masked_wherever_they_stand() {
        let given = json!({
            "name": "x", "url": "https://x", "accessKey": "A", "secretKey": null,
            "details": {"user": "u", "token": "T", "list": [{"password": {"deep": "P"}}]},
            "config": {"secrets": [{"id": "1", "key": "K", "value": "V", "required": true}], "environment": [{"key": "A", "value": "B"}]},
        });
        let expect = json!({
            "name": "x", "url": "https://x", "accessKey": "***", "secretKey": null,
            "details": {"user": "u", "token": "***", "list": [{"password": "***"}]},
            "config": {"secrets": [{"id": "1", "key": "K", "value": "***", "required": true}], "environment": [{"key": "A", "value": "B"}]},
        });
        assert_eq!(masked(given.clone(), false), expect);
        assert_eq!(masked(given, true)["url"], "***");
        assert_eq!(masked(json!("text"), true), json!("text"));
    }
}
