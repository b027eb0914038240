//! `images`.

use std::path::PathBuf;

use clap::Subcommand;

use super::project::OfVersion;

/// Commands about the images of a version.
#[derive(Debug, Subcommand)]
pub enum ImageCommand {
    /// List the images of a version, in the order in which they are deployed
    List {
        /// Whose
        #[command(flatten)]
        of: OfVersion,
    },
    /// Add images of a registry
    Add {
        /// Whose
        #[command(flatten)]
        of: OfVersion,
        /// NAME or NAME:TAG, several at once
        #[arg(required = true, value_name = "IMAGE")]
        images: Vec<String>,
        /// The registry: name or id
        #[arg(long, value_name = "REGISTRY")]
        registry: String,
    },
    /// Choose the tag of an image
    Tag {
        /// Whose
        #[command(flatten)]
        of: OfVersion,
        /// The image: name or id
        image: String,
        /// The tag
        tag: String,
    },
    /// Choose the order in which images are deployed: those named come first
    Order {
        /// Whose
        #[command(flatten)]
        of: OfVersion,
        /// Names or ids
        #[arg(required = true, value_name = "IMAGE")]
        images: Vec<String>,
    },
    /// How containers of an image run
    #[command(subcommand)]
    Config(ImageConfigCommand),
    /// Remove an image, also from the deployments of its version
    #[command(alias = "delete")]
    Remove {
        /// Whose
        #[command(flatten)]
        of: OfVersion,
        /// The image: name or id
        image: String,
    },
}

/// Commands about how containers of an image run.
#[derive(Debug, Subcommand)]
pub enum ImageConfigCommand {
    /// Print it as JSON, or as YAML
    Get {
        /// Whose
        #[command(flatten)]
        of: OfVersion,
        /// The image: name or id
        image: String,
        /// As YAML
        #[arg(long, conflicts_with = "json")]
        yaml: bool,
    },
    /// Change what a file of JSON or YAML names; the rest stays
    #[command(alias = "apply")]
    Set {
        /// Whose
        #[command(flatten)]
        of: OfVersion,
        /// The image: name or id
        image: String,
        /// The file; - is stdin
        file: PathBuf,
        /// It is YAML; without this, files named `*.yaml` and `*.yml` are
        #[arg(long)]
        yaml: bool,
    },
    /// Change it in your editor, as JSON or YAML
    Edit {
        /// Whose
        #[command(flatten)]
        of: OfVersion,
        /// The image: name or id
        image: String,
        /// As YAML
        #[arg(long)]
        yaml: bool,
    },
}
