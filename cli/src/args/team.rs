//! `teams`, and the flag of all commands about a team's things.

pub mod deployment;
pub mod image;
pub mod node;
pub mod notification;
pub mod project;
pub mod registry;
pub mod storage;

use clap::{ArgGroup, Args, Subcommand};

/// The flags of a command that changes something, of which it takes one at least.
fn change(flags: &'static [&'static str]) -> ArgGroup {
    ArgGroup::new("change").args(flags).required(true).multiple(true)
}

/// Commands about a team, and which team that is.
#[derive(Debug, Args)]
pub struct OfTeam<C: Subcommand> {
    /// The team: slug, name or id; without it, `SLIPWAY_TEAM`, else the one of `teams:switch`
    #[arg(long, global = true, value_name = "TEAM", add = crate::completions::teams())]
    pub team: Option<String>,
    /// What to do.
    #[command(subcommand)]
    pub command: C,
}

/// Commands about teams.
#[derive(Debug, Subcommand)]
pub enum TeamCommand {
    /// List your teams (*=the one that commands are about) and who invites you
    List,
    /// Make a team, of which you are the owner
    Create {
        /// Its name
        name: String,
        /// What stands for it in addresses: 3 to 16 small letters, digits and hyphens; without it, made of the name
        #[arg(long, value_name = "SLUG")]
        slug: Option<String>,
    },
    /// Show a team and how much it has
    Info,
    /// Change a team's name or slug; another slug changes every address of the team
    #[command(group = change(&["name", "slug"]))]
    Update {
        /// Its new name
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// Its new slug
        #[arg(long, value_name = "SLUG")]
        slug: Option<String>,
    },
    /// Destroy a team with all that it has
    Destroy {
        /// The team's slug again, instead of being asked
        #[arg(long, value_name = "SLUG")]
        confirm: Option<String>,
    },
    /// Leave a team
    Leave,
    /// Make a team the one that commands are about, here and at the controller
    Switch {
        /// Slug, name or id
        #[arg(add = crate::completions::teams())]
        name: String,
    },
    /// List who is in a team, and who is invited
    Members,
    /// Invite somebody
    Invite {
        /// E-mail address
        email: String,
        /// First name; without it, the first part of the address
        #[arg(long, value_name = "NAME")]
        first_name: Option<String>,
        /// Last name
        #[arg(long, value_name = "NAME")]
        last_name: Option<String>,
    },
    /// Invite somebody again whose invitation has ended
    Reinvite {
        /// E-mail address, name or id
        user: String,
    },
    /// Change what somebody is in a team
    Role {
        /// E-mail address, name or id
        user: String,
        /// owner, admin or user
        role: String,
    },
    /// Take somebody, or an invitation, from a team
    Remove {
        /// E-mail address, name or id
        user: String,
    },
    /// Accept an invitation
    Accept {
        /// The team: slug, name or id
        name: String,
    },
    /// Decline an invitation
    Decline {
        /// The team: slug, name or id
        name: String,
    },
}

/// The record of what was done in a team.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// The team: slug, name or id; without it, `SLIPWAY_TEAM`, else the one of `teams:switch`
    #[arg(long, value_name = "TEAM", add = crate::completions::teams())]
    pub team: Option<String>,
    /// Not before: how long ago (30s, 10m, 2h, 1d), or a time; without it, 30 days ago
    #[arg(long, value_name = "TIME", value_parser = crate::commands::log::since)]
    pub since: Option<chrono::DateTime<chrono::Utc>>,
    /// Not after
    #[arg(long, value_name = "TIME", value_parser = crate::commands::log::since)]
    pub until: Option<chrono::DateTime<chrono::Utc>>,
    /// Only what has this text in its address, or in who did it
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// How many
    #[command(flatten)]
    pub limit: super::Limit,
}
