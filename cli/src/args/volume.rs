//! `volumes`.

use clap::Subcommand;

use super::Limit;

/// Commands about volumes.
#[derive(Debug, Subcommand)]
pub enum VolumeCommand {
    /// List the volumes of an app and where they are mounted
    List(#[command(flatten)] Limit),
    /// Create a volume
    Create {
        /// Its name
        name: String,
        /// Its size: a number with M or G
        size: String,
    },
    /// Let more fit into a volume; none ever gets smaller
    Expand {
        /// Its name
        name: String,
        /// Its new size: a number with M or G
        size: String,
    },
    /// Delete a volume with all that is on it
    Delete {
        /// Its name
        name: String,
    },
    /// Mount a volume in processes, which makes a release
    Mount {
        /// Its name
        name: String,
        /// TYPE=PATH, several at once
        #[arg(required = true, value_name = "TYPE=PATH", add = crate::completions::types_to_set())]
        mounts: Vec<String>,
    },
    /// Take a volume from processes, which makes a release
    Unmount {
        /// Its name
        name: String,
        /// The process types
        #[arg(required = true, value_name = "TYPE", add = crate::completions::types())]
        types: Vec<String>,
    },
}
