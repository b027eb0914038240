//! `users`.

use clap::Subcommand;

use super::Limit;

/// Commands about users.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// List users; administrators are marked with *
    List(#[command(flatten)] Limit),
}
