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
        /// What to call it (optional), and the file of the public key
        #[arg(num_args = 0..=2, value_name = "NAME FILE")]
        words: Vec<String>,
    },
    /// Remove a key
    Remove {
        /// Its name
        name: String,
    },
}
