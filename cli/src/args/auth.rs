//! `auth`.

use clap::{Args, Subcommand};
use secrecy::SecretString;

/// How a password is given.
#[derive(Debug, Args)]
pub struct Password {
    /// The password; other users of this machine may see it while the command runs
    #[arg(short, long, conflicts_with = "password_stdin")]
    pub password: Option<SecretString>,
    /// Read the password from stdin
    #[arg(long)]
    pub password_stdin: bool,
}

/// Commands about one's account.
#[derive(Debug, Subcommand)]
pub enum AuthCommand {
    /// Make an account and log in
    Register {
        /// Address of the controller
        controller: Option<String>,
        /// The name
        #[arg(short, long)]
        username: Option<String>,
        /// The password
        #[command(flatten)]
        password: Password,
        /// E-mail address
        #[arg(short, long)]
        email: Option<String>,
        /// Whether to log in as the new user
        #[arg(long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = !crate::program::current().is_upstream(), value_name = "BOOL")]
        login: bool,
        /// Whether to check the controller's certificate
        #[arg(long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = !crate::program::current().is_upstream(), value_name = "BOOL")]
        ssl_verify: bool,
    },
    /// Log in, with name and password or with a token
    Login {
        /// Address of the controller
        controller: Option<String>,
        /// The name
        #[arg(short, long)]
        username: Option<String>,
        /// The password
        #[command(flatten)]
        password: Password,
        /// A token instead; other users of this machine may see it while the command runs
        #[arg(long, conflicts_with_all = ["username", "password", "password_stdin"])]
        token: Option<SecretString>,
        /// Read a token from stdin instead
        #[arg(long, conflicts_with_all = ["username", "password", "password_stdin", "token"])]
        token_stdin: bool,
        /// Whether to check the controller's certificate
        #[arg(long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = !crate::program::current().is_upstream(), value_name = "BOOL")]
        ssl_verify: bool,
    },
    /// Log out
    Logout,
    /// Show who you are
    Whoami {
        /// Show all that the controller knows of you
        #[arg(long)]
        all: bool,
    },
    /// Change a password
    Passwd {
        /// The current password
        #[command(flatten)]
        password: Password,
        /// The new password; with --password-stdin the second line of stdin
        #[arg(long, value_name = "PASSWORD")]
        new_password: Option<SecretString>,
        /// Another user's, for administrators
        #[arg(short, long)]
        username: Option<String>,
    },
    /// Cancel an account
    Cancel {
        /// The account's name, for administrators or with its password; without it, yours
        #[arg(short, long)]
        username: Option<String>,
        /// Its password
        #[command(flatten)]
        password: Password,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
    /// Replace a token
    Regenerate {
        /// Another user's, for administrators
        #[arg(short, long, conflicts_with = "all")]
        username: Option<String>,
        /// Everybody's, for administrators
        #[arg(long)]
        all: bool,
    },
}
