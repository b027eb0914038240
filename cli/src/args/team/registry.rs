//! `registries`.

use clap::{Args, Subcommand};

use crate::args::secret::SecretSource;

/// Where a registry is, and who logs in there.
#[derive(Debug, Default, Args)]
pub struct RegistryPlace {
    /// Its host, for the types v2, google, unchecked, and gitlab of one's own
    #[arg(long, value_name = "HOST")]
    pub url: Option<String>,
    /// What precedes the names of images: an organization, a group, a project
    #[arg(long, value_name = "PREFIX")]
    pub prefix: Option<String>,
    /// Whose images those are: group or project (gitlab), organization or user (github)
    #[arg(long, value_name = "KIND")]
    pub namespace: Option<String>,
    /// Where the API of a GitLab of one's own is
    #[arg(long, value_name = "HOST")]
    pub api_url: Option<String>,
    /// The name to log in with
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Where the password or token is read from: `-` (stdin), `env:NAME`, `file:PATH`, or `ask`
    #[arg(long, value_name = "SOURCE")]
    pub token_from: Option<SecretSource>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
}

/// Commands about a team's registries.
#[derive(Debug, Subcommand)]
pub enum RegistryCommand {
    /// List a team's registries
    List,
    /// Add a registry, which is asked whether it is one
    #[command(alias = "create")]
    Add {
        /// What it is called
        name: String,
        /// hub, v2, gitlab, github, google or unchecked
        #[arg(long = "type", value_name = "TYPE")]
        kind: String,
        /// Where it is
        #[command(flatten)]
        place: RegistryPlace,
    },
    /// Show a registry
    Info {
        /// Name or id
        registry: String,
    },
    /// Change a registry; what is not named stays
    #[command(group = super::change(&["name", "public", "url", "prefix", "namespace", "api_url", "user", "token_from", "description"]))]
    Update {
        /// Name or id
        registry: String,
        /// Its new name
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// Log in no longer
        #[arg(long, conflicts_with_all = ["user", "token_from"])]
        public: bool,
        /// Where it is
        #[command(flatten)]
        place: RegistryPlace,
    },
    /// Remove a registry that no image is from
    #[command(alias = "delete")]
    Remove {
        /// Name or id
        registry: String,
    },
}
