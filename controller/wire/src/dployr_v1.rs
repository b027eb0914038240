//! Bodies of the dployr API (`/v1`). Source: `dployr-v1.md` §1.1.

use serde::{Deserialize, Serialize};

/// What every refusal looks like.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ErrorEnvelope {
    /// What is wrong.
    pub error: ErrorBody,
}

/// What is wrong with a request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ErrorBody {
    /// A word for programs, for example `not_found`.
    pub code: String,
    /// A sentence for people.
    pub message: String,
    /// Which field it is about; left out when it is about none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<ErrorDetails>,
}

/// The fields that are wrong: one in `field` and `issue`, several in `errors`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ErrorDetails {
    /// The only wrong field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What is wrong with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issue: Option<String>,
    /// Several wrong fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldIssue>,
}

/// One of several wrong fields.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FieldIssue {
    /// The field.
    pub field: String,
    /// What is wrong with it.
    pub issue: String,
}
