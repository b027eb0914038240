//! `tokens`.

use clap::Subcommand;

/// Commands about your tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// List your tokens
    List,
    /// Make a token, which is shown once
    Create {
        /// What it is called
        name: String,
        /// It ends after so many days; without this, never
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..))]
        days: Option<u32>,
    },
    /// Make a token worthless
    #[command(alias = "delete")]
    Remove {
        /// Name or id
        #[arg(add = crate::completions::tokens())]
        token: String,
    },
}
