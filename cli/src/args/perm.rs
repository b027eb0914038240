//! `perms`.

use clap::Subcommand;

use super::Limit;

/// Commands about access.
#[derive(Debug, Subcommand)]
pub enum PermCommand {
    /// List who may work on an app
    List {
        /// List the administrators instead
        #[arg(long)]
        admin: bool,
        /// How many
        #[command(flatten)]
        limit: Limit,
    },
    /// Let somebody work on an app
    Create {
        /// Whom
        user: String,
        /// Make an administrator instead
        #[arg(long)]
        admin: bool,
    },
    /// Let somebody no longer work on an app
    Delete {
        /// Whom
        user: String,
        /// Take the administrator's rights instead
        #[arg(long)]
        admin: bool,
    },
}
