//! `notifications`.

use clap::Subcommand;

use crate::args::secret::SecretSource;

/// Commands about a team's notifications.
#[derive(Debug, Subcommand)]
pub enum NotificationCommand {
    /// List a team's notifications
    List,
    /// Have a chat told of what happens in a team
    #[command(alias = "create")]
    Add {
        /// What it is called
        name: String,
        /// discord, slack or teams
        #[arg(long = "type", value_name = "TYPE")]
        kind: String,
        /// Where the chat's address is read from, which lets whoever has it write there: `-` (stdin), `env:NAME`, `file:PATH`, or `ask`
        #[arg(long, value_name = "SOURCE")]
        url_from: SecretSource,
        /// deployment-created, version-created, node-added, user-invited; several, or with commas; without it, all
        #[arg(short, long = "event", value_name = "EVENT", value_delimiter = ',')]
        events: Vec<String>,
        /// Tell nothing for now
        #[arg(long)]
        inactive: bool,
    },
    /// Show a notification
    Info {
        /// Name or id
        notification: String,
    },
    /// Change a notification; what is not named stays
    #[command(group = super::change(&["name", "url_from", "events", "active"]))]
    Update {
        /// Name or id
        notification: String,
        /// Its new name
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// Where the chat's new address is read from
        #[arg(long, value_name = "SOURCE")]
        url_from: Option<SecretSource>,
        /// What is told from now on
        #[arg(short, long = "event", value_name = "EVENT", value_delimiter = ',')]
        events: Vec<String>,
        /// Whether anything is told
        #[arg(long, value_name = "BOOL")]
        active: Option<bool>,
    },
    /// Send a message, to see whether it arrives
    Test {
        /// Name or id
        notification: String,
    },
    /// Remove a notification
    #[command(alias = "delete")]
    Remove {
        /// Name or id
        notification: String,
    },
}
