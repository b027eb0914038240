//! The command line's grammar. Help texts are the documentation of each command.

pub mod app;
pub mod auth;
pub mod build;
pub mod cert;
pub mod config;
pub mod deploy;
pub mod git;
pub mod key;
pub mod perm;
pub mod ps;
pub mod release;
pub mod resource;
pub mod route;
pub mod runtime;
pub mod secret;
pub mod service;
pub mod team;
pub mod token;
#[cfg(feature = "up")]
pub mod up;
pub mod user;
pub mod volume;
pub mod webhook;

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;

use crate::{examples, program};

const SHORTCUTS: &str = "\
Commands are spelled with a space or a colon: `slipway config set A=1` is `slipway config:set A=1`.

Shortcuts:
  create destroy info open logs run transfer        of apps
  register login logout passwd whoami cancel        of auth
  scale restart                                     of ps
  pull                                              builds create
  rollback                                          releases rollback
  sharing sharing:add sharing:remove                perms list, create, delete

An unknown command X is the program `slipway-X`, if there is one.

Environment:
";

/// The grammar under the name that this program was called by.
pub fn grammar() -> clap::Command {
    let program = program::current();
    let mut help = program.spoken(SHORTCUTS).into_owned();
    let own = [
        ("SLIPWAY_CONTROLLER", "address of the controller, instead of the profile's"),
        ("SLIPWAY_TOKEN", "token, instead of the profile's"),
        ("SLIPWAY_TEAM", "team that commands are about, instead of the profile's"),
    ];
    let variables = [(program.profile_variable(), "name or path of the profile, as --config")]
        .into_iter()
        .chain(own.into_iter().filter(|_| !program.is_upstream()))
        .chain([
            (program.drink_variable(), "what there is first when processes start; coffee"),
            ("SSL_CERT_FILE", "certificates of authorities to trust as well, PEM"),
            ("HTTPS_PROXY", "proxy for https:// controllers; HTTP_PROXY for http://, NO_PROXY for none"),
            ("NO_COLOR", "no colours"),
        ]);
    for (name, meaning) in variables {
        // Writing to a String cannot fail.
        let _ = writeln!(help, "  {name:23}  {meaning}");
    }
    let command = Cli::command()
        .name(program.name())
        .about("Deploys and runs apps: push with git, scale, configure, roll back")
        .after_help(help)
        .mut_arg("app", |arg| {
            let name = program.name();
            arg.help(format!("The app; without it, that of the git remote `{name}`, else one named like this folder"))
        });
    // Upstream's client takes options by any beginning that only one has.
    let command = command.infer_long_args(program.is_upstream());
    examples::add(if program.is_upstream() { command.override_usage(usage(program)) } else { command })
}

/// How commands of upstream's client look. Source: what its acceptance suite asserts of `help`.
pub fn usage(program: program::Program) -> String {
    format!("{} <command> [<args>...]", program.name())
}

/// Deploys and runs apps: push with git, scale, configure, roll back.
#[derive(Debug, Parser)]
#[command(name = "slipway", version, disable_version_flag = true)]
#[command(propagate_version = false, subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    /// Print the version
    #[arg(short = 'v', short_alias = 'V', long, action = clap::ArgAction::Version)]
    pub version: Option<bool>,
    /// Flags of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags of every command.
#[derive(Debug, Args)]
pub struct Global {
    /// The app; without it, that of the git remote `slipway`, else one named like this folder
    #[arg(short, long, global = true, value_name = "APP", add = crate::completions::apps())]
    pub app: Option<String>,
    /// The profile: a name, or the path of a file
    #[arg(short, long, global = true, value_name = "PROFILE")]
    pub config: Option<PathBuf>,
    /// Print data as JSON, as the API gives it
    #[arg(long, global = true)]
    pub json: bool,
}

/// How many items a list shows.
#[derive(Debug, Args)]
pub struct Limit {
    /// Show at most this many
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(limit_least()..))]
    pub limit: Option<u32>,
}

/// Commands about short names.
#[derive(Debug, Subcommand)]
pub enum ShortcutCommand {
    /// List the shortcuts
    List,
}

/// The least that may be shown. Scripts of upstream's write 0 for as many as the controller gives by itself.
fn limit_least() -> i64 {
    i64::from(!program::current().is_upstream())
}

/// All groups of commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the whole platform on this machine
    #[cfg(feature = "up")]
    Up(up::UpArgs),
    /// Apps: create, list, look at, open, read logs, run commands, destroy, transfer
    #[command(subcommand)]
    Apps(app::AppCommand),
    /// Your account: register, log in and out, change the password
    #[command(subcommand)]
    Auth(auth::AuthCommand),
    /// Builds: what was pushed, and the logs of pushes
    #[command(subcommand)]
    Builds(build::BuildCommand),
    /// Certificates: add, look at, attach to domains
    #[command(subcommand)]
    Certs(cert::CertCommand),
    /// Environment variables of an app
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Build and run a repository elsewhere, and follow it to its end
    Deploy(deploy::DeployArgs),
    /// The git remote of an app
    #[command(subcommand)]
    Git(git::GitCommand),
    /// Your SSH keys, for pushing
    #[command(subcommand)]
    Keys(key::KeyCommand),
    /// Who else may work on an app, and who administers the platform
    #[command(subcommand)]
    Perms(perm::PermCommand),
    /// Processes of an app: list, scale, restart
    #[command(subcommand)]
    Ps(ps::PsCommand),
    /// Releases of an app: list, look at, roll back
    #[command(subcommand)]
    Releases(release::ReleaseCommand),
    /// Domains under which an app answers
    #[command(subcommand)]
    Domains(route::DomainCommand),
    /// Whether plain requests are sent to HTTPS
    #[command(subcommand)]
    Tls(route::TlsCommand),
    /// Whether visitors get the maintenance page
    #[command(subcommand)]
    Maintenance(route::MaintenanceCommand),
    /// Whether requests reach an app
    #[command(subcommand)]
    Routing(route::RoutingCommand),
    /// Addresses that may call an app
    #[command(subcommand)]
    Whitelist(route::AllowlistCommand),
    /// Addresses that may call an app
    #[command(subcommand, hide = true)]
    Allowlist(route::AllowlistCommand),
    /// Labels of an app
    #[command(subcommand)]
    Labels(route::LabelCommand),
    /// Paths that lead to processes of other types
    #[command(subcommand)]
    Services(service::ServiceCommand),
    /// Automatic scaling
    #[command(subcommand)]
    Autoscale(route::AutoscaleCommand),
    /// Limits of memory and processor
    #[command(subcommand)]
    Limits(runtime::LimitCommand),
    /// Tags of the machines that an app may run on
    #[command(subcommand)]
    Tags(runtime::TagCommand),
    /// Credentials of a private registry
    #[command(subcommand)]
    Registry(runtime::RegistryCommand),
    /// Health checks of processes
    #[command(subcommand)]
    Healthchecks(runtime::HealthcheckCommand),
    /// How long processes may take to stop, in seconds by process type
    #[command(subcommand)]
    Timeouts(runtime::TimeoutCommand),
    /// Volumes: disks that outlive the processes that write them
    #[command(subcommand)]
    Volumes(volume::VolumeCommand),
    /// Resources: databases and the like that the platform runs
    #[command(subcommand)]
    Resources(resource::ResourceCommand),
    /// Teams: who is in them, and which one commands are about
    Teams(team::OfTeam<team::TeamCommand>),
    /// Registries that a team's images are from
    Registries(team::OfTeam<team::registry::RegistryCommand>),
    /// Projects of a team
    Projects(team::OfTeam<team::project::ProjectCommand>),
    /// Versions of a team's projects
    Versions(team::OfTeam<team::project::VersionCommand>),
    /// Images of versions, and how their containers run
    Images(team::OfTeam<team::image::ImageCommand>),
    /// Deployments of versions: prepare, start, follow, go back, give secrets
    Deployments(team::OfTeam<team::deployment::DeploymentCommand>),
    /// Nodes: what a team's containers run on, and what runs there
    Nodes(team::OfTeam<team::node::NodeCommand>),
    /// Templates that projects are made from
    Templates(team::OfTeam<team::project::TemplateCommand>),
    /// Storages whose files a team's containers begin with
    Storages(team::OfTeam<team::storage::StorageCommand>),
    /// Chats that are told of what happens in a team
    Notifications(team::OfTeam<team::notification::NotificationCommand>),
    /// List what was done in a team
    Audit(team::AuditArgs),
    /// Webhooks: addresses that are told of what happens to your apps
    #[command(subcommand)]
    Webhooks(webhook::WebhookCommand),
    /// Your tokens: what programs use your teams with
    #[command(subcommand)]
    Tokens(token::TokenCommand),
    /// All users, for administrators
    #[command(subcommand)]
    Users(user::UserCommand),
    /// Check address, token, key, git remote, clock and versions, and say how to mend what is wrong
    Doctor,
    /// Write manual pages
    #[command(hide = true)]
    Man {
        /// The folder
        folder: PathBuf,
    },
    /// Write the reference, a page for each command
    #[command(hide = true)]
    Reference {
        /// The folder
        folder: PathBuf,
    },
    /// Print a script that completes commands in a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Short names of commands
    #[command(subcommand)]
    Shortcuts(ShortcutCommand),
    /// Print versions
    Version {
        /// Ask the controller for its version too; `-a` here means this
        #[arg(long)]
        all: bool,
    },
    /// Serve files; what apps of static files run
    #[cfg(feature = "up")]
    #[command(hide = true)]
    StaticServer {
        /// The folder
        root: PathBuf,
    },
}
