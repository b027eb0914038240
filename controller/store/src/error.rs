//! What can go wrong with the database.

use std::fmt;

/// Which rule of uniqueness was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UniqueOn {
    /// A user of this name is there already.
    Username,
    /// Two users would have the same token.
    TokenHash,
    /// A key with this label is there already.
    KeyId,
    /// This public key is there already.
    KeyFingerprint,
    /// An app of this name is there already, perhaps one that is being removed.
    AppName,
    /// This domain is taken.
    Domain,
    /// A certificate of this name is there already.
    CertificateName,
    /// This domain has a certificate already.
    CertificateDomain,
    /// Two releases of an app would have the same number.
    ReleaseVersion,
    /// A team of this name is there already.
    TeamName,
    /// A team of this slug is there already.
    TeamSlug,
    /// The user has a token of this name.
    UserTokenName,
    /// The team has a registry of this name.
    RegistryName,
    /// The team has a storage of this name.
    StorageName,
    /// The team has a notification of this name.
    NotificationName,
    /// A volume of this name is there already in the app.
    VolumeName,
    /// The team has a project of this name.
    ProjectName,
    /// The project has a version of this name.
    VersionName,
    /// The version that it would be made from has a child.
    VersionParent,
    /// The project has a default version.
    VersionDefault,
    /// The team has a node of this name.
    NodeName,
    /// The deployment has a token.
    DeploymentTokenDeployment,
    /// A deployment of the team has a token of this name.
    DeploymentTokenName,
    /// Two rows would have the same identity.
    Identity,
}

impl fmt::Display for UniqueOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Username => "user name",
            Self::TokenHash => "token",
            Self::KeyId => "key label",
            Self::KeyFingerprint => "key fingerprint",
            Self::AppName => "app name",
            Self::Domain => "domain",
            Self::CertificateName => "certificate name",
            Self::CertificateDomain => "domain's certificate",
            Self::ReleaseVersion => "release version",
            Self::TeamName => "team name",
            Self::TeamSlug => "team slug",
            Self::UserTokenName => "token name",
            Self::RegistryName => "registry name",
            Self::StorageName => "storage name",
            Self::NotificationName => "notification name",
            Self::VolumeName => "volume name",
            Self::ProjectName => "project name",
            Self::VersionName => "version name",
            Self::VersionParent => "parent version",
            Self::VersionDefault => "default version",
            Self::NodeName => "node name",
            Self::DeploymentTokenDeployment => "deployment's token",
            Self::DeploymentTokenName => "deployment token name",
            Self::Identity => "identity",
        })
    }
}

/// Why the store did not do what was asked. What is merely not there is an `Option`, never an error.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another row has this already.
    #[error("this {what} is taken")]
    Conflict {
        /// The rule that was broken.
        what: UniqueOn,
    },
    /// A row names another that is not there, or is still named by another.
    #[error("a row refers to another that is missing, or is still referred to")]
    Reference,
    /// The database is away, busy or full; a later try may work.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// A stored value does not mean anything: damage, or a newer version's data.
    #[error("row {row} of {table} is damaged: {reason}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The row's identity.
        row: String,
        /// What is wrong with it; never a secret.
        reason: String,
    },
    /// The settings (address, key) do not fit this database. The message is for the operator.
    #[error("{0}")]
    Setup(String),
    /// A bug.
    #[error("the database refused: {0}")]
    Internal(String),
}

impl StoreError {
    /// Whether the same call may work a little later.
    #[must_use]
    pub const fn retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

impl From<diesel::result::Error> for StoreError {
    fn from(error: diesel::result::Error) -> Self {
        use diesel::result::DatabaseErrorKind as Kind;
        use diesel::result::Error;
        match error {
            Error::DatabaseError(Kind::UniqueViolation, info) => {
                // PostgreSQL names the constraint; SQLite says `UNIQUE constraint failed: users.username`.
                let name = info.constraint_name().unwrap_or_else(|| info.message());
                match unique_on(name) {
                    Some(what) => Self::Conflict { what },
                    None => Self::Internal(format!("unknown constraint: {name}")),
                }
            }
            Error::DatabaseError(Kind::ForeignKeyViolation, _) => Self::Reference,
            Error::DatabaseError(
                Kind::SerializationFailure
                | Kind::UnableToSendCommand
                | Kind::ReadOnlyTransaction
                | Kind::ClosedConnection,
                info,
            ) => Self::Unavailable(info.message().to_owned()),
            Error::DatabaseError(_, info) if is_passing(info.message()) => Self::Unavailable(info.message().to_owned()),
            Error::BrokenTransactionManager => Self::Unavailable("the connection is broken".to_owned()),
            other => Self::Internal(other.to_string()),
        }
    }
}

/// Whether the message is about something that passes. Neither driver gives such errors a kind of their own.
fn is_passing(message: &str) -> bool {
    [
        "database is locked",
        "database table is locked",
        "database or disk is full",
        "disk I/O error",
        "unable to open database file",
        "connection closed",
        "lock timeout",
        "terminating connection",
        "too many clients",
        "the database system is",
    ]
    .iter()
    .any(|part| message.contains(part))
}

fn unique_on(name: &str) -> Option<UniqueOn> {
    let columns = name.rsplit("failed: ").next().unwrap_or(name);
    Some(match columns {
        "users.username" | "users_username_key" => UniqueOn::Username,
        "users.key_hash" | "users_key_hash_key" => UniqueOn::TokenHash,
        "keys.id" | "keys_id_key" => UniqueOn::KeyId,
        "keys.fingerprint" | "keys_fingerprint_key" => UniqueOn::KeyFingerprint,
        "apps.name" | "apps_name_key" => UniqueOn::AppName,
        "domains.domain" | "domains_pkey" => UniqueOn::Domain,
        "certs.name" | "certs_name_key" => UniqueOn::CertificateName,
        "certs_domains.domain" | "certs_domains_pkey" => UniqueOn::CertificateDomain,
        "releases.app, releases.version" | "releases_app_version_key" => UniqueOn::ReleaseVersion,
        "teams.name" | "teams_name_key" => UniqueOn::TeamName,
        "teams.slug" | "teams_slug_key" => UniqueOn::TeamSlug,
        "user_tokens.user_id, user_tokens.name" | "user_tokens_user_id_name_key" => UniqueOn::UserTokenName,
        "registries.team, registries.name" | "registries_team_name_key" => UniqueOn::RegistryName,
        "storages.team, storages.name" | "storages_team_name_key" => UniqueOn::StorageName,
        "notifications.team, notifications.name" | "notifications_team_name_key" => UniqueOn::NotificationName,
        "volumes.app, volumes.name" | "volumes_app_name_key" => UniqueOn::VolumeName,
        "dployr_projects.owner, dployr_projects.name"
        | "dployr_projects_owner_name_key"
        | "projects.team, projects.name"
        | "projects_team_name_key" => UniqueOn::ProjectName,
        "versions.project, versions.name" | "versions_project_name_key" => UniqueOn::VersionName,
        "versions.parent" | "versions_parent_key" => UniqueOn::VersionParent,
        "versions.project" | "versions_default" => UniqueOn::VersionDefault,
        "nodes.team, nodes.name" | "nodes_team_name_key" => UniqueOn::NodeName,
        "deployment_tokens.deployment" | "deployment_tokens_deployment_key" => UniqueOn::DeploymentTokenDeployment,
        "deployment_tokens.team, deployment_tokens.name" | "deployment_tokens_team_name_key" => {
            UniqueOn::DeploymentTokenName
        }
        "users.id"
        | "users_id_key"
        | "deliveries.id"
        | "deliveries_id_key"
        | "instances.deployment, instances.image"
        | "instances_deployment_image_key"
        | "team_invitations.team, team_invitations.user_id"
        | "team_members.team, team_members.user_id" => UniqueOn::Identity,
        _ if columns.ends_with("_pkey") => UniqueOn::Identity,
        _ if matches!(columns.split_once('.'), Some((_, "id" | "uuid" | "app"))) => UniqueOn::Identity,
        _ => return None,
    })
}
