//! `ps`.

use clap::Subcommand;

/// Commands about processes.
#[derive(Debug, Subcommand)]
pub enum PsCommand {
    /// List processes
    List,
    /// Set how many processes of each type run
    Scale {
        /// TYPE=N, several at once
        #[arg(required = true, value_name = "TYPE=N", add = crate::completions::types_to_set())]
        types: Vec<String>,
    },
    /// Stop all processes of some types, over restarts and releases, until they are started
    Stop {
        /// The process types
        #[arg(required = true, value_name = "TYPE", add = crate::completions::types())]
        types: Vec<String>,
    },
    /// Start as many processes of some types as there were when they were stopped
    Start {
        /// The process types
        #[arg(required = true, value_name = "TYPE", add = crate::completions::types())]
        types: Vec<String>,
    },
    /// Restart processes
    Restart {
        /// A process type or a process; without it, all
        #[arg(add = crate::completions::types())]
        target: Option<String>,
    },
    /// Run a command inside of a process that is there, with a terminal if there is one here
    Exec {
        /// The process, as `ps` lists it, or a process type for one of its processes
        #[arg(add = crate::completions::processes())]
        pod: String,
        /// Pass on what is typed, as it is typed; without -i and -t, always
        #[arg(short, long)]
        interactive: bool,
        /// Give it a terminal; without -i and -t, if there is one here
        #[arg(short, long)]
        tty: bool,
        /// The command with its arguments
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
}
