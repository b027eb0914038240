//! `projects`, `versions` and `templates`.

use clap::{Args, Subcommand};

/// Commands about a team's projects.
#[derive(Debug, Subcommand)]
pub enum ProjectCommand {
    /// List a team's projects
    List,
    /// Make a project
    Create {
        /// Its name
        name: String,
        /// With versions; without this there is one that rolls on
        #[arg(long)]
        versioned: bool,
        /// What it is for
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
    },
    /// Show a project and its versions
    Info {
        /// Name or id
        project: String,
    },
    /// Change a project
    #[command(group = super::change(&["name", "description", "changelog"]))]
    Update {
        /// Name or id
        project: String,
        /// Its new name
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// What it is for
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        /// What is new in it, where it has no versions
        #[arg(long, value_name = "TEXT")]
        changelog: Option<String>,
    },
    /// Give a project versions; there is no way back
    Convert {
        /// Name or id
        project: String,
    },
    /// Destroy a project with its versions and deployments; what runs goes on
    Destroy {
        /// Name or id
        project: String,
        /// The project's name again, instead of being asked
        #[arg(long, value_name = "NAME")]
        confirm: Option<String>,
    },
}

/// Commands about a project's versions.
#[derive(Debug, Subcommand)]
pub enum VersionCommand {
    /// List a project's versions (*=the default)
    List {
        /// The project: name or id
        project: String,
        /// Only those with this text in their name
        #[arg(long, value_name = "TEXT")]
        filter: Option<String>,
    },
    /// Make a version, with the images and deployments of the default one
    Create {
        /// The project: name or id
        project: String,
        /// Its name
        name: String,
        /// One that rolls on; without this it stays as it was deployed
        #[arg(long)]
        rolling: bool,
        /// What is new in it
        #[arg(long, value_name = "TEXT")]
        changelog: Option<String>,
    },
    /// Show a version with its images and deployments
    Info {
        /// The project: name or id
        project: String,
        /// Name or id; without it, the default version
        version: Option<String>,
    },
    /// Change a version's name or changelog
    #[command(group = super::change(&["name", "changelog"]))]
    Update {
        /// The project: name or id
        project: String,
        /// Name or id
        version: String,
        /// Its new name
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// What is new in it
        #[arg(long, value_name = "TEXT")]
        changelog: Option<String>,
    },
    /// Make a version the default one
    Default {
        /// The project: name or id
        project: String,
        /// Name or id
        version: String,
    },
    /// Make the next version of one, which then stays as it is
    Increase {
        /// The project: name or id
        project: String,
        /// Name or id of the version to go on from
        version: String,
        /// The name of the next one
        name: String,
        /// What is new in it
        #[arg(long, value_name = "TEXT")]
        changelog: Option<String>,
    },
    /// Destroy a version with its deployments; what runs goes on
    Destroy {
        /// The project: name or id
        project: String,
        /// Name or id
        version: String,
        /// The version's name again, instead of being asked
        #[arg(long, value_name = "NAME")]
        confirm: Option<String>,
    },
}

/// Commands about templates.
#[derive(Debug, Subcommand)]
pub enum TemplateCommand {
    /// List what projects can be made from
    List,
    /// Make a project from a template
    Use {
        /// The template's id
        template: String,
        /// The project's name
        name: String,
        /// With versions
        #[arg(long)]
        versioned: bool,
        /// What it is for
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
    },
}

/// A version of a project.
#[derive(Debug, Args)]
pub struct OfVersion {
    /// The project: name or id
    pub project: String,
    /// The version: name or id; without it, the default version
    #[arg(long, value_name = "VERSION")]
    pub version: Option<String>,
}
