//! `users`.

use clap::Subcommand;

use super::Limit;

/// Commands about users.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// List users; administrators are marked with *
    List(#[command(flatten)] Limit),
    /// Let a user in again
    Enable {
        /// Whom
        username: String,
    },
    /// Let a user in no longer
    Disable {
        /// Whom
        username: String,
    },
}
