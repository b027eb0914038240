//! `config`.

use std::path::PathBuf;

use clap::Subcommand;

/// Commands about environment variables.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// List environment variables
    List {
        /// In one line, as `config:set` takes them
        #[arg(long)]
        oneline: bool,
        /// In the form of a .env file
        #[arg(long)]
        diff: bool,
    },
    /// Set environment variables, which makes a release
    Set {
        /// NAME=value, several at once
        #[arg(required = true, value_name = "NAME=VALUE")]
        values: Vec<String>,
    },
    /// Remove environment variables, which makes a release
    Unset {
        /// The names
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Change environment variables in your editor ($VISUAL, $EDITOR), which makes one release
    Edit,
    /// Write the environment variables to a .env file
    Pull {
        /// Ask about each variable that the file has with another value
        #[arg(short, long)]
        interactive: bool,
        /// Overwrite what the file has
        #[arg(short, long)]
        overwrite: bool,
        /// The file
        #[arg(short, long, default_value = ".env")]
        path: PathBuf,
    },
    /// Set the environment variables of a .env file
    Push {
        /// The file; without it, .env
        #[arg(short, long)]
        path: Option<PathBuf>,
    },
}
