//! `domains`, `tls`, `maintenance`, `routing`, `whitelist`, `labels`, `autoscale`: where and how an app is reached.

use clap::{Args, Subcommand};

use super::Limit;

/// Commands about domains.
#[derive(Debug, Subcommand)]
pub enum DomainCommand {
    /// List the domains of an app
    List(Limit),
    /// Let an app answer under a domain
    Add {
        /// The domain; `*` may stand for its first label
        domain: String,
    },
    /// Take a domain from an app
    Remove {
        /// The domain
        domain: String,
    },
}

/// Commands about HTTPS.
#[derive(Debug, Subcommand)]
pub enum TlsCommand {
    /// Show whether plain requests are sent to HTTPS, and certificates come by themselves
    Info,
    /// Send plain requests to HTTPS
    Enable,
    /// Answer plain requests
    Disable,
    /// Whether plain requests are sent to HTTPS, under the names of Drycc 2021
    #[command(subcommand)]
    Force(ForceCommand),
    /// Certificates that the platform gets by itself
    #[command(subcommand)]
    Auto(AutoCommand),
}

/// Commands about HTTPS under other names.
#[derive(Debug, Subcommand)]
pub enum ForceCommand {
    /// Send plain requests to HTTPS, as `tls:enable` does
    Enable,
    /// Answer plain requests, as `tls:disable` does
    Disable,
}

/// Commands about certificates that the platform gets.
#[derive(Debug, Subcommand)]
pub enum AutoCommand {
    /// Let the platform get certificates for an app's domains, and renew them
    Enable,
    /// Use only certificates that were attached to an app's domains
    Disable,
}

/// Commands about maintenance mode.
#[derive(Debug, Subcommand)]
pub enum MaintenanceCommand {
    /// Show whether visitors get the maintenance page
    Info,
    /// Show visitors the maintenance page
    On,
    /// Let visitors in again
    Off,
}

/// Commands about routing.
#[derive(Debug, Subcommand)]
pub enum RoutingCommand {
    /// Show whether requests reach the app
    Info,
    /// Let requests reach the app
    Enable,
    /// Let no request reach the app
    Disable,
}

/// Commands about who may call.
#[derive(Debug, Subcommand)]
pub enum AllowlistCommand {
    /// List the addresses that may call; none means all
    List,
    /// Let addresses call, and nobody else
    Add {
        /// Addresses and networks with commas between, such as 192.0.2.1,10.0.0.0/8
        addresses: String,
    },
    /// Let addresses call no longer
    Remove {
        /// Addresses and networks with commas between
        addresses: String,
    },
}

/// Commands about labels.
#[derive(Debug, Subcommand)]
pub enum LabelCommand {
    /// List the labels of an app
    List,
    /// Set labels
    Set {
        /// KEY=VALUE, several at once
        #[arg(required = true, value_name = "KEY=VALUE")]
        labels: Vec<String>,
    },
    /// Remove labels
    Unset {
        /// The keys
        #[arg(required = true, value_name = "KEY")]
        keys: Vec<String>,
    },
}

/// A rule of automatic scaling.
#[derive(Debug, Args)]
pub struct AutoscaleRule {
    /// Fewest processes
    #[arg(long)]
    pub min: u32,
    /// Most processes
    #[arg(long)]
    pub max: u32,
    /// Use of the processor, in per cent, above which there shall be more
    #[arg(long, value_name = "PERCENT")]
    pub cpu_percent: u32,
}

/// Commands about automatic scaling.
#[derive(Debug, Subcommand)]
pub enum AutoscaleCommand {
    /// List the rules of automatic scaling
    List,
    /// Scale a process type by its use of the processor
    Set {
        /// The process type
        #[arg(add = crate::completions::types())]
        process_type: String,
        /// The rule
        #[command(flatten)]
        rule: AutoscaleRule,
    },
    /// Scale a process type by hand again
    Unset {
        /// The process type
        #[arg(add = crate::completions::types())]
        process_type: String,
    },
}
