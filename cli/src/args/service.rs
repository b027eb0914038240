//! `services`: paths that lead to other process types.

use clap::Subcommand;

/// Commands about the paths of process types.
#[derive(Debug, Subcommand)]
pub enum ServiceCommand {
    /// List the paths of an app's process types
    List,
    /// Send requests for some paths to processes of a type
    Add {
        /// The process type
        #[arg(short, long = "type", value_name = "TYPE", add = crate::completions::types())]
        process_type: String,
        /// Regular expressions that paths begin with, with commas between
        #[arg(short, long, value_name = "PATTERNS")]
        route: String,
    },
    /// Send them to the usual processes again
    Remove {
        /// The process type
        #[arg(add = crate::completions::types())]
        process_type: String,
    },
}
