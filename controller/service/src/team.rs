//! Use cases about teams and what they own.
//!
//! Whoever wants something of a team first gets a [`slipway_team::Member`], which is refused to all others; use cases take it in
//! place of an actor. Their errors are those of `slipway-team`. Source: `team-api.md`.

mod app;
mod audit;
mod container;
mod dashboard;
mod deployment;
mod deployment_copy;
mod deployment_run;
mod deployment_start;
mod deployment_token;
mod deployment_view;
mod group;
mod happening;
mod image;
mod instance;
mod invitation;
mod jwt;
mod me;
mod member;
mod node;
mod node_event;
mod node_live;
mod node_port;
mod node_script;
mod notification;
mod oidc;
mod path_check;
mod port;
mod prefix;
mod project;
mod registry;
mod registry_probe;
mod registry_search;
mod session;
mod settings;
mod statistics;
mod storage;
mod template;
mod user_token;
mod version;
mod version_copy;

pub use audit::{AuditQuery, Deed};
pub use container::{CONTAINER_LOG_MAX, ContainerLogWanted, ContainerName};
pub use dashboard::Dashboard;
pub use deployment::{DeploymentChange, DeploymentGiven};
pub use deployment_copy::CopyGiven;
pub(crate) use deployment_run::INTERRUPTED;
pub use deployment_start::EventsSeen;
pub use deployment_token::DeploymentTokenMade;
pub use deployment_view::{DeployedInstance, DeploymentDetails};
pub use group::{TeamDetails, TeamView};
pub use image::{ImageChange, ImageView, ImagesGiven};
pub use instance::InstanceSecrets;
pub use invitation::Invite;
pub use me::Me;
pub use node::{NodeDetails, NodeGiven, NodeView};
pub use node_live::NodeChange;
pub use node_port::NodeConnector;
pub use node_script::{InstallView, Joining, ScriptGiven};
pub use notification::NotificationGiven;
pub use oidc::{Oidc, OidcBegun, OidcError, OidcReturn, OidcSettings};
pub use port::{Mail, Mailer, WebAnswer, WebCall, WebClient, WebError};
pub use project::{ProjectChange, ProjectGiven, ProjectItem, ProjectView, VersionItem};
pub use registry::{RegistryGiven, RegistryView};
pub use registry_search::ImageTags;
pub use session::{BrowserSession, SESSION_LIFETIME};
pub use settings::TeamSettings;
pub use storage::{StorageGiven, StorageView};
pub use template::TemplateUse;
pub use version::{VersionChange, VersionDeployment, VersionDetails, VersionGiven};

use crate::Service;
use jwt::Jwt;
pub(crate) use node_live::Nodes;

impl Service {
    /// Where clients reach the API, without a slash at its end.
    #[must_use]
    pub fn public_url(&self) -> &str {
        &self.config().teams.public_url
    }

    /// Signs and checks tokens.
    pub(crate) fn jwt(&self) -> Jwt {
        let config = self.config();
        Jwt::new(&config.server_key, config.teams.public_url.clone())
    }
}
