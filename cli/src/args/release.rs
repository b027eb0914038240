//! `releases`.

use clap::Subcommand;

use super::Limit;

/// Commands about releases.
#[derive(Debug, Subcommand)]
pub enum ReleaseCommand {
    /// List releases, newest first
    List(#[command(flatten)] Limit),
    /// Show a release
    Info {
        /// Its number, `v2`
        version: String,
    },
    /// Show what differs between two releases: build, and names of environment variables
    Diff {
        /// The number of one, `v2`
        from: String,
        /// The number of the other; without it, the newest
        to: Option<String>,
        /// Show the values of variables, too
        #[arg(long)]
        values: bool,
    },
    /// Run an earlier release's build and configuration, as a new release
    Rollback {
        /// Its number, `v2`; without it, the one before the current
        version: Option<String>,
    },
}
