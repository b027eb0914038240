//! `webhooks`.

use clap::Subcommand;

use super::Limit;
use super::secret::SecretSource;

/// Commands about webhooks.
#[derive(Debug, Subcommand)]
pub enum WebhookCommand {
    /// List your webhooks
    List(#[command(flatten)] Limit),
    /// Have an address told of what happens to your apps
    Create {
        /// The address
        url: String,
        /// What it is told of, for example deployment.failed; several, or with commas; without it, everything
        #[arg(short, long = "event", value_name = "EVENT", value_delimiter = ',')]
        events: Vec<String>,
        /// Sign what is sent; where the secret is read from: `-` (stdin), `env:NAME`, `file:PATH`, or `ask`
        #[arg(long, value_name = "SOURCE")]
        secret_from: Option<SecretSource>,
    },
    /// Show a webhook
    Info {
        /// Its id, or its address
        webhook: String,
    },
    /// Send something that means nothing, and see whether it arrives; a webhook that was given up is called again
    Test {
        /// Its id, or its address
        webhook: String,
        /// Do not wait until it was tried
        #[arg(long)]
        no_wait: bool,
    },
    /// List what a webhook was told, and is to be told
    Deliveries {
        /// Its id, or its address
        webhook: String,
        /// How many
        #[command(flatten)]
        limit: Limit,
    },
    /// Send something once more, as it was
    Replay {
        /// The webhook's id, or its address
        webhook: String,
        /// The delivery's id
        delivery: String,
        /// Do not wait until it was tried
        #[arg(long)]
        no_wait: bool,
    },
    /// Remove a webhook, with what it was still to be told
    #[command(alias = "delete")]
    Remove {
        /// Its id, or its address
        webhook: String,
    },
}
