//! `storages`.

use clap::{Args, Subcommand};

use crate::args::secret::SecretSource;

/// What a storage has beside name and address.
#[derive(Debug, Args)]
pub struct StorageRest {
    /// The public half of the key
    #[arg(long, value_name = "KEY")]
    pub access_key: Option<String>,
    /// Where the secret half is read from: `-` (stdin), `env:NAME`, `file:PATH`, or `ask`
    #[arg(long, value_name = "SOURCE")]
    pub secret_key_from: Option<SecretSource>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
}

/// Commands about a team's storages.
#[derive(Debug, Subcommand)]
pub enum StorageCommand {
    /// List a team's storages
    List,
    /// Add a storage that speaks S3, whose files containers can begin with
    #[command(alias = "create")]
    Add {
        /// What it is called
        name: String,
        /// Where it is
        url: String,
        /// Its key
        #[command(flatten)]
        rest: StorageRest,
    },
    /// Show a storage
    Info {
        /// Name or id
        storage: String,
    },
    /// Change a storage; what is not named stays
    #[command(group = super::change(&["name", "url", "access_key", "secret_key_from", "description"]))]
    Update {
        /// Name or id
        storage: String,
        /// Its new name
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// Its new address
        #[arg(long, value_name = "URL")]
        url: Option<String>,
        /// Its key
        #[command(flatten)]
        rest: StorageRest,
    },
    /// Remove a storage that nothing names
    #[command(alias = "delete")]
    Remove {
        /// Name or id
        storage: String,
    },
}
