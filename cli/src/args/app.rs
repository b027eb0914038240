//! `apps`.

use clap::Subcommand;

use super::Limit;

/// Commands about apps.
#[derive(Debug, Subcommand)]
pub enum AppCommand {
    /// Create an app; in a git repository, add a remote for it
    Create {
        /// Its name; without one it is given one
        name: Option<String>,
        /// Do not add a git remote
        #[arg(long)]
        no_remote: bool,
        /// Name of the git remote
        #[arg(short, long, default_value = crate::git::remote_name(), value_name = "NAME")]
        remote: String,
        /// Build with this buildpack, the address of a git repository
        #[arg(short, long, value_name = "URL")]
        buildpack: Option<String>,
    },
    /// List your apps
    List(#[command(flatten)] Limit),
    /// Show an app, its processes and where it answers
    Info,
    /// Open the app in a browser
    Open,
    /// Show the app's log
    Logs {
        /// Show this many lines
        #[arg(short = 'n', long, value_name = "LINES", value_parser = clap::value_parser!(u32).range(1..))]
        lines: Option<u32>,
        /// Go on showing new lines until Ctrl-C
        #[arg(short, long)]
        follow: bool,
        /// Show lines later than this: how long ago (30s, 10m, 2h, 1d), or a time
        #[arg(long, value_name = "TIME", value_parser = crate::commands::log::since)]
        since: Option<chrono::DateTime<chrono::Utc>>,
        /// Show the lines of processes of this type only
        #[arg(long = "type", value_name = "TYPE", add = crate::completions::types())]
        process_type: Option<String>,
    },
    /// Show the app's rollout, processes and releases as they change, until Ctrl-C
    Watch {
        /// End when the newest release is rolled out, or failed, which is exit code 1
        #[arg(long)]
        wait: bool,
    },
    /// Run a command in a one-off process of the app
    Run {
        /// Pass on what is typed, as it is typed
        #[arg(short, long)]
        interactive: bool,
        /// Give it a terminal
        #[arg(short, long)]
        tty: bool,
        /// Mount a volume: VOLUME:PATH, once for each
        #[arg(long, value_name = "VOLUME:PATH", conflicts_with_all = ["interactive", "tty"])]
        mount: Vec<String>,
        /// Do not wait for its end; its output goes to the app's log
        #[arg(short, long, conflicts_with_all = ["interactive", "tty"])]
        detach: bool,
        /// The command; one word is taken as a line for the app's shell, several as a command with its arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        command: Vec<String>,
    },
    /// Destroy an app with all its releases
    Destroy {
        /// The app's name again, instead of being asked
        #[arg(long, value_name = "APP", add = crate::completions::apps())]
        confirm: Option<String>,
    },
    /// Give an app to another user
    Transfer {
        /// The new owner
        user: String,
    },
}
