//! `keys`.

use clap::Subcommand;

use super::Limit;

/// Commands about SSH keys.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// List your keys
    List(#[command(flatten)] Limit),
    /// Add a public key; without a file, one of ~/.ssh
    Add {
        /// [NAME] FILE: the file of the public key, and what to call it
        #[arg(num_args = 0..=2, value_name = "NAME FILE")]
        words: Vec<String>,
    },
    /// Remove a key
    Remove {
        /// Its name
        name: String,
    },
}
