//! `builds`.

use clap::Subcommand;

use super::Limit;

/// Commands about builds.
#[derive(Debug, Subcommand)]
pub enum BuildCommand {
    /// List builds, newest first
    List(#[command(flatten)] Limit),
    /// Deploy an image that exists
    Create {
        /// The image
        image: String,
        /// Process types and their commands, in the form of a Procfile: 'web: ./serve'
        #[arg(short, long)]
        procfile: Option<String>,
    },
    /// Show the log of a push: its detection, build and outcome
    Log {
        /// Commit hash; without it, the newest push
        sha: Option<String>,
    },
    /// End a push that is building, whoever pushed
    Cancel {
        /// Commit hash; without it, the push that is building now
        sha: Option<String>,
    },
}
