//! `resources`.

use clap::Subcommand;

use super::Limit;

/// Commands about services that the platform runs for an app.
#[derive(Debug, Subcommand)]
pub enum ResourceCommand {
    /// List the resources of an app
    List(#[command(flatten)] Limit),
    /// Create a resource
    Create {
        /// Its plan, CLASS:PLAN
        plan: String,
        /// Its name
        name: String,
        /// Options of the plan, KEY=VALUE, several at once
        #[arg(value_name = "KEY=VALUE")]
        options: Vec<String>,
    },
    /// Show a resource
    Describe {
        /// Its name
        name: String,
    },
    /// Change a resource's plan or options
    Update {
        /// Its plan, CLASS:PLAN
        plan: String,
        /// Its name
        name: String,
        /// Options of the plan, KEY=VALUE, several at once
        #[arg(value_name = "KEY=VALUE")]
        options: Vec<String>,
    },
    /// Destroy a resource with all that it holds
    Destroy {
        /// Its name
        name: String,
    },
    /// Give an app the address and credentials of a resource
    Bind {
        /// Its name
        name: String,
    },
    /// Take them from the app
    Unbind {
        /// Its name
        name: String,
    },
}
