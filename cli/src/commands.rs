//! One function per command: what is called, in which order, and what is shown of it.

pub mod app;
pub mod auth;
pub mod build;
pub mod cert;
pub mod cert_date;
pub mod config;
pub mod config_edit;
pub mod confirm;
pub mod deploy;
pub mod doctor;
pub mod domain;
pub mod git;
pub mod key;
pub mod log;
pub mod man;
pub mod perm;
pub mod ps;
pub mod reference;
pub mod release;
pub mod release_diff;
pub mod remote;
pub mod resource;
pub mod runtime;
pub mod service;
pub mod session;
pub mod setting;
pub mod team;
pub mod timeout;
pub mod token;
#[cfg(feature = "up")]
pub mod up;
pub mod user;
pub mod version;
pub mod volume;
pub mod watch;
pub mod webhook;

use crate::args::app::AppCommand;
use crate::args::auth::AuthCommand;
use crate::args::build::BuildCommand;
use crate::args::cert::CertCommand;
use crate::args::config::ConfigCommand;
use crate::args::git::GitCommand;
use crate::args::key::KeyCommand;
use crate::args::perm::PermCommand;
use crate::args::ps::PsCommand;
use crate::args::release::ReleaseCommand;
use crate::args::route::{
    AutoCommand, AutoscaleCommand, DomainCommand, ForceCommand, LabelCommand, MaintenanceCommand, RoutingCommand,
    TlsCommand,
};
use crate::args::runtime::{HealthcheckCommand, LimitCommand, RegistryCommand, TagCommand};
use crate::args::service::ServiceCommand;
use crate::args::team::OfTeam;
use crate::args::user::UserCommand;
use crate::args::{Cli, Command, ShortcutCommand};
use crate::completions;
use crate::context::Context;
use crate::error::Result;
use runtime::Part;
use session::Talk;
use setting::ListName;

/// Runs the command that was asked for.
pub async fn run(cli: Cli) -> Result {
    let cx = Context::new(&cli.global)?;
    match dispatch(&cx, cli.command).await {
        Err(error) => Err(cx.explain(error).await),
        done => done,
    }
}

async fn dispatch(cx: &Context, command: Command) -> Result {
    match command {
        #[cfg(feature = "up")]
        Command::Up(args) => up::up(args).await,
        #[cfg(feature = "up")]
        Command::StaticServer { root } => up::static_server(&root).await,
        Command::Apps(command) => match command {
            AppCommand::Create { name, no_remote, remote, buildpack } => {
                let remote = (!no_remote).then_some(remote.as_str());
                app::create(cx, name.as_deref(), remote, buildpack.as_deref()).await
            }
            AppCommand::List(limit) => app::list(cx, limit.limit).await,
            AppCommand::Info => app::info(cx).await,
            AppCommand::Open => app::open(cx).await,
            AppCommand::Logs { lines, follow, since, process_type } => {
                log::show(cx, log::Wanted { lines, since, process_type }, follow).await
            }
            AppCommand::Watch { wait } => watch::watch(cx, wait).await,
            AppCommand::Run { detach: true, mount, command, .. } => app::run_detached(cx, &command, &mount).await,
            AppCommand::Run { interactive, tty, detach: _, mount, command } => {
                app::run(cx, &command, interactive, tty, &mount).await
            }
            AppCommand::Destroy { confirm } => app::destroy(cx, confirm.as_deref()).await,
            AppCommand::Transfer { user } => app::transfer(cx, &user).await,
        },
        Command::Auth(command) => match command {
            AuthCommand::Register { controller, username, password, email, login, ssl_verify } => {
                let account = auth::Account { controller, username, password, ssl_verify };
                auth::register(cx, account, email, login).await
            }
            AuthCommand::Login { controller, username, password, token, token_stdin, ssl_verify } => {
                let account = auth::Account { controller, username, password, ssl_verify };
                auth::login(cx, account, token, token_stdin).await
            }
            AuthCommand::Logout => auth::logout(cx),
            AuthCommand::Whoami { all } => auth::whoami(cx, all).await,
            AuthCommand::Passwd { password, new_password, username } => {
                auth::passwd(cx, password, new_password, username).await
            }
            AuthCommand::Cancel { username, password, yes } => auth::cancel(cx, username, password, yes).await,
            AuthCommand::Regenerate { username, all } => auth::regenerate(cx, username.as_deref(), all).await,
        },
        Command::Builds(command) => match command {
            BuildCommand::List(limit) => build::list(cx, limit.limit).await,
            BuildCommand::Create { image, procfile } => build::create(cx, &image, procfile.as_deref()).await,
            BuildCommand::Log { sha } => build::log(cx, sha.as_deref()).await,
            BuildCommand::Cancel { sha } => build::cancel(cx, sha.as_deref()).await,
        },
        Command::Certs(command) => match command {
            CertCommand::List(limit) => cert::list(cx, limit.limit).await,
            CertCommand::Add { name, certificate, key } => cert::add(cx, &name, &certificate, &key).await,
            CertCommand::Info { name } => cert::info(cx, &name).await,
            CertCommand::Remove { name } => cert::remove(cx, &name).await,
            CertCommand::Attach { name, domain } => cert::attach(cx, &name, &domain).await,
            CertCommand::Detach { name, domain } => cert::detach(cx, &name, &domain).await,
        },
        Command::Config(command) => match command {
            ConfigCommand::List { oneline, diff } => config::list(cx, oneline, diff).await,
            ConfigCommand::Set { values } => config::set(cx, &values).await,
            ConfigCommand::Unset { names } => config::unset(cx, &names).await,
            ConfigCommand::Edit => config_edit::edit(cx).await,
            ConfigCommand::Pull { interactive, overwrite, path } => {
                config::pull(cx, &path, interactive, overwrite).await
            }
            ConfigCommand::Push { path } => config::push(cx, path.as_deref()).await,
        },
        Command::Deploy(args) => deploy::deploy(cx, args).await,
        Command::Git(command) => match command {
            GitCommand::Remote { remote, force } => git::remote(cx, &remote, force).await,
            GitCommand::Remove { remote } => git::remove(cx, remote.as_deref()).await,
        },
        Command::Keys(command) => match command {
            KeyCommand::List(limit) => key::list(cx, limit.limit).await,
            KeyCommand::Add { words } => key::add(cx, &words).await,
            KeyCommand::Remove { name } => key::remove(cx, &name).await,
        },
        Command::Perms(command) => match command {
            PermCommand::List { admin, limit } => perm::list(cx, admin, limit.limit).await,
            PermCommand::Create { user, admin } => perm::create(cx, &user, admin).await,
            PermCommand::Delete { user, admin } => perm::delete(cx, &user, admin).await,
        },
        Command::Ps(command) => match command {
            PsCommand::List => ps::list(cx).await,
            PsCommand::Scale { types } => ps::scale(cx, &types).await,
            PsCommand::Exec { pod, interactive, tty, command } => {
                let talk = if interactive || tty { Talk::asked(interactive, tty) } else { Talk::usual() };
                ps::exec(cx, &pod, &command, talk).await
            }
            PsCommand::Stop { types } => ps::switch(cx, &types, "stop").await,
            PsCommand::Start { types } => ps::switch(cx, &types, "start").await,
            PsCommand::Restart { target } => ps::restart(cx, target.as_deref()).await,
        },
        Command::Releases(command) => match command {
            ReleaseCommand::List(limit) => release::list(cx, limit.limit).await,
            ReleaseCommand::Info { version } => release::info(cx, &version).await,
            ReleaseCommand::Diff { from, to, values } => release_diff::diff(cx, &from, to.as_deref(), values).await,
            ReleaseCommand::Rollback { version } => release::rollback(cx, version.as_deref()).await,
        },
        Command::Domains(command) => match command {
            DomainCommand::List(limit) => domain::list(cx, limit.limit).await,
            DomainCommand::Add { domain } => domain::add(cx, &domain).await,
            DomainCommand::Remove { domain } => domain::remove(cx, &domain).await,
        },
        Command::Tls(command) => match command {
            TlsCommand::Info => setting::tls_info(cx).await,
            TlsCommand::Enable | TlsCommand::Force(ForceCommand::Enable) => setting::tls_set(cx, true).await,
            TlsCommand::Disable | TlsCommand::Force(ForceCommand::Disable) => setting::tls_set(cx, false).await,
            TlsCommand::Auto(AutoCommand::Enable) => setting::tls_auto(cx, true).await,
            TlsCommand::Auto(AutoCommand::Disable) => setting::tls_auto(cx, false).await,
        },
        Command::Maintenance(command) => match command {
            MaintenanceCommand::Info => setting::maintenance_info(cx).await,
            MaintenanceCommand::On => setting::maintenance_set(cx, true).await,
            MaintenanceCommand::Off => setting::maintenance_set(cx, false).await,
        },
        Command::Routing(command) => match command {
            RoutingCommand::Info => setting::routing_info(cx).await,
            RoutingCommand::Enable => setting::routing_set(cx, true).await,
            RoutingCommand::Disable => setting::routing_set(cx, false).await,
        },
        Command::Whitelist(command) => setting::allowlist(cx, ListName::Whitelist, command).await,
        Command::Allowlist(command) => setting::allowlist(cx, ListName::Allowlist, command).await,
        Command::Labels(command) => match command {
            LabelCommand::List => setting::label_list(cx).await,
            LabelCommand::Set { labels } => setting::label_set(cx, &labels).await,
            LabelCommand::Unset { keys } => setting::label_unset(cx, &keys).await,
        },
        Command::Services(command) => match command {
            ServiceCommand::List => service::list(cx).await,
            ServiceCommand::Add { process_type, route } => service::add(cx, &process_type, &route).await,
            ServiceCommand::Remove { process_type } => service::remove(cx, &process_type).await,
        },
        Command::Autoscale(command) => match command {
            AutoscaleCommand::List => setting::autoscale_list(cx).await,
            AutoscaleCommand::Set { process_type, rule } => setting::autoscale_set(cx, &process_type, &rule).await,
            AutoscaleCommand::Unset { process_type } => setting::autoscale_unset(cx, &process_type).await,
        },
        Command::Limits(command) => limits(cx, command).await,
        Command::Tags(command) => match command {
            TagCommand::List => runtime::list(cx, Part::Tags).await,
            TagCommand::Set { tags } => runtime::set(cx, Part::Tags, &tags).await,
            TagCommand::Unset { keys } => runtime::unset(cx, Part::Tags, &keys).await,
        },
        Command::Registry(command) => match command {
            RegistryCommand::List => runtime::list(cx, Part::Registry).await,
            RegistryCommand::Set { credentials } => runtime::set(cx, Part::Registry, &credentials).await,
            RegistryCommand::Unset { keys } => runtime::unset(cx, Part::Registry, &keys).await,
        },
        Command::Healthchecks(command) => match command {
            HealthcheckCommand::List { process_type } => runtime::healthchecks_list(cx, process_type.as_deref()).await,
            HealthcheckCommand::Set(args) => runtime::healthcheck_set(cx, &args).await,
            HealthcheckCommand::Unset { probes, process_type } => {
                runtime::healthcheck_unset(cx, &probes, &process_type).await
            }
        },
        Command::Timeouts(command) => timeout::timeout(cx, command).await,
        Command::Volumes(command) => volume::volume(cx, command).await,
        Command::Resources(command) => resource::resource(cx, command).await,
        Command::Teams(OfTeam { team, command }) => team::team(cx, team.as_deref(), command).await,
        Command::Registries(OfTeam { team, command }) => team::registry::registry(cx, team.as_deref(), command).await,
        Command::Projects(OfTeam { team, command }) => team::project::project(cx, team.as_deref(), command).await,
        Command::Versions(OfTeam { team, command }) => team::project::version(cx, team.as_deref(), command).await,
        Command::Images(OfTeam { team, command }) => team::image::image(cx, team.as_deref(), command).await,
        Command::Deployments(OfTeam { team, command }) => {
            team::deployment::deployment(cx, team.as_deref(), command).await
        }
        Command::Nodes(OfTeam { team, command }) => team::node::node(cx, team.as_deref(), command).await,
        Command::Templates(OfTeam { team, command }) => team::project::template(cx, team.as_deref(), command).await,
        Command::Storages(OfTeam { team, command }) => team::storage::storage(cx, team.as_deref(), command).await,
        Command::Notifications(OfTeam { team, command }) => {
            team::notification::notification(cx, team.as_deref(), command).await
        }
        Command::Audit(args) => team::audit::audit(cx, args).await,
        Command::Webhooks(command) => webhook::webhook(cx, command).await,
        Command::Tokens(command) => token::token(cx, command).await,
        Command::Users(command) => match command {
            UserCommand::List(limit) => user::list(cx, limit.limit).await,
            UserCommand::Enable { username } => user::switch(cx, &username, "enable").await,
            UserCommand::Disable { username } => user::switch(cx, &username, "disable").await,
        },
        Command::Doctor => doctor::doctor(cx).await,
        Command::Man { folder } => man::write(&folder),
        Command::Reference { folder } => reference::write(&folder),
        Command::Completions { shell } => completions::print(shell),
        Command::Shortcuts(ShortcutCommand::List) => version::shortcuts(cx),
        Command::Version { all } => version::version(cx, all).await,
    }
}

async fn limits(cx: &Context, command: LimitCommand) -> Result {
    let kind = |cpu: bool| if cpu { Part::Cpu } else { Part::Memory };
    match command {
        LimitCommand::List => runtime::list(cx, Part::Memory).await,
        LimitCommand::Set { limits, cpu, memory: _ } => runtime::set(cx, kind(cpu), &limits).await,
        LimitCommand::Unset { types, cpu, memory: _ } => runtime::unset(cx, kind(cpu), &types).await,
    }
}

/// `=== Apps`, or `=== Apps (1 of 5)` when there are more than are shown. Source: drycc-v2.md §6.2.
fn heading(title: &str, shown: usize, count: u64) -> String {
    if count > shown as u64 { format!("=== {title} ({shown} of {count})") } else { format!("=== {title}") }
}

fn yes_no(is_so: bool) -> String {
    if is_so { "yes" } else { "no" }.to_owned()
}
