//! The one error that use cases return.
//!
//! Each API generation maps it to its own status and body with a total `match`. What a person may read
//! (`Display`) and what only the log may hold (`context`) are apart, so that the one cannot leak into the other.

use std::fmt;

/// `Result` with the domain's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of thing was looked for and not found. Old clients print the kind's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An app.
    App,
    /// A user.
    User,
    /// An SSH public key.
    Key,
    /// A domain.
    Domain,
    /// A certificate.
    Certificate,
    /// A release.
    Release,
    /// A build.
    Build,
    /// A configuration.
    Config,
    /// A running process (pod).
    Pod,
    /// A process type's paths.
    Service,
    /// A volume.
    Volume,
    /// An instance of something that a catalogue offers.
    Resource,
    /// A deployment of the dployr API.
    Deployment,
    /// A project.
    Project,
    /// A route of the dployr API.
    Route,
    /// A webhook.
    Webhook,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::App => "App",
            Self::User => "User",
            Self::Key => "Key",
            Self::Domain => "Domain",
            Self::Certificate => "Certificate",
            Self::Release => "Release",
            Self::Build => "Build",
            Self::Config => "Config",
            Self::Pod => "Pod",
            Self::Service => "Service",
            Self::Volume => "Volume",
            Self::Resource => "Resource",
            Self::Deployment => "Deployment",
            Self::Project => "Project",
            Self::Route => "Route",
            Self::Webhook => "Webhook",
        })
    }
}

/// Why a use case did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The thing named does not exist, or the caller may not know that it does.
    #[error("No {kind} matches the given query.")]
    NotFound {
        /// What was looked for.
        kind: Kind,
    },
    /// Something that the request names is missing from a thing that exists (an unknown process type, no keys).
    #[error("{0}")]
    Missing(String),
    /// The request clashes with the present state: nothing would change, a deploy is in progress, a name is taken.
    #[error("{0}")]
    Conflict(String),
    /// Fields of the request break rules. Never empty; one entry a field, one or more messages each.
    #[error("{}", join_fields(.0))]
    Invalid(Vec<FieldError>),
    /// The request breaks a rule that belongs to no one field.
    #[error("{0}")]
    Rejected(String),
    /// The request was taken, but the release that it made did not come to run.
    #[error("{0}")]
    DeployFailed(String),
    /// A key to be removed is not there.
    #[error("{0}")]
    Unprocessable(String),
    /// The credentials are missing or wrong.
    #[error("{0}")]
    Unauthenticated(String),
    /// The caller is known and may not do this.
    #[error("{0}")]
    Forbidden(String),
    /// Too many tries.
    #[error("Request was throttled. Expected available in {retry_after_secs} seconds.")]
    Throttled {
        /// Seconds until another try makes sense.
        retry_after_secs: u64,
    },
    /// Something that this depends on is away; a later try may work.
    #[error("{public}")]
    Unavailable {
        /// For the caller.
        public: String,
        /// For the log.
        context: String,
    },
    /// A bug or a broken invariant. Callers learn nothing but that it happened.
    #[error("Server Error")]
    Internal {
        /// For the log.
        context: String,
    },
}

/// The messages about one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// Name of the field as in the request, or `non_field_errors`.
    pub field: String,
    /// What is wrong with it; never empty.
    pub messages: Vec<String>,
}

fn join_fields(fields: &[FieldError]) -> String {
    let parts: Vec<String> =
        fields.iter().map(|field| format!("{}: {}", field.field, field.messages.join(" "))).collect();
    parts.join("; ")
}

/// The text for a caller who may not do something. Source: `drycc-v2.md` §1.6.
pub const FORBIDDEN: &str = "You do not have permission to perform this action.";

impl Error {
    /// One message about one field.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError { field: field.into(), messages: vec![message.into()] }])
    }

    /// The usual refusal.
    #[must_use]
    pub fn forbidden() -> Self {
        Self::Forbidden(FORBIDDEN.to_owned())
    }

    /// The thing of this kind is not there.
    #[must_use]
    pub const fn not_found(kind: Kind) -> Self {
        Self::NotFound { kind }
    }

    /// A bug; `context` goes to the log only.
    pub fn internal(context: impl fmt::Display) -> Self {
        Self::Internal { context: context.to_string() }
    }
}
