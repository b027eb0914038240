//! Settings of what concerns teams.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use slipway_team::template::Templates;

use super::node_port::{NoNodes, NodeConnector};
use super::oidc::Oidc;
use super::port::{Mailer, NoWeb, WebClient};

/// Settings of what concerns teams.
#[derive(Clone)]
pub struct TeamSettings {
    /// Where clients reach the API, without a slash at its end. Default `http://localhost`. Tokens that users made are
    /// worthless when it changes.
    pub public_url: String,
    /// Who sends mail. Default nobody: those who are invited find the invitation when they log in.
    pub mailer: Option<Arc<dyn Mailer>>,
    /// Who makes requests to addresses that users name. Default: all of them fail.
    pub web: Arc<dyn WebClient>,
    /// Whether registries are asked before they are kept. Default true.
    pub are_registries_probed: bool,
    /// Hosts of registries that speak plain HTTP. Default none.
    pub insecure_registries: Vec<String>,
    /// What projects can be made of. Default none.
    pub templates: Arc<Templates>,
    /// Where browsers may log in beside the password. Default nowhere.
    pub oidc: Option<Arc<Oidc>>,
    /// Time in which each container of a deployment must have come up; without one, a deployment is successful once
    /// its nodes took everything. Default 5 min.
    pub rollout_timeout: Option<Duration>,
    /// Who reaches the nodes that containers of teams run on. Default: there are none.
    pub nodes: Arc<dyn NodeConnector>,
    /// Time between two looks at whether nodes answer. Default 10 s.
    pub node_interval: Duration,
    /// Time that a node has for its answer to that. Default 5 s.
    pub node_timeout: Duration,
}

impl Default for TeamSettings {
    fn default() -> Self {
        Self {
            public_url: "http://localhost".to_owned(),
            mailer: None,
            web: Arc::new(NoWeb),
            are_registries_probed: true,
            insecure_registries: Vec::new(),
            templates: Arc::default(),
            oidc: None,
            rollout_timeout: Some(Duration::from_mins(5)),
            nodes: Arc::new(NoNodes),
            node_interval: Duration::from_secs(10),
            node_timeout: Duration::from_secs(5),
        }
    }
}

impl fmt::Debug for TeamSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TeamSettings")
            .field("public_url", &self.public_url)
            .field("mailer", &self.mailer.is_some())
            .field("are_registries_probed", &self.are_registries_probed)
            .field("oidc", &self.oidc)
            .finish_non_exhaustive()
    }
}
