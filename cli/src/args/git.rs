//! `git`.

use clap::Subcommand;

/// Commands about git remotes.
#[derive(Debug, Subcommand)]
pub enum GitCommand {
    /// Add a git remote for the app
    Remote {
        /// Its name
        #[arg(short, long, default_value = crate::git::remote_name(), value_name = "NAME")]
        remote: String,
        /// Replace a remote of that name
        #[arg(short, long)]
        force: bool,
    },
    /// Remove the git remotes of the app
    Remove {
        /// Only the remote of this name
        #[arg(short, long, value_name = "NAME")]
        remote: Option<String>,
    },
}
