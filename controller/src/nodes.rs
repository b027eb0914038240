//! What runs containers of teams: the platform's own cluster, and clusters and engines that join.

use std::sync::Arc;

use async_trait::async_trait;
use secrecy::ExposeSecret;
use slipway_cluster::workload::WorkloadSettings;
use slipway_cluster::workload::kubeconfig::{Reach, node_of};
use slipway_engine::EngineError;
use slipway_engine::workload::WorkloadNode;
use slipway_service::NodeConnector;
use slipway_team::node::{Access, NodeKind};

/// Gives what drives nodes.
pub struct Nodes {
    /// What the platform itself runs on, if it runs containers of teams.
    pub own: Option<(NodeKind, Arc<dyn WorkloadNode>)>,
    /// Which addresses clusters of users may have.
    pub reach: Reach,
    /// What the operator decides about containers on clusters.
    pub workloads: WorkloadSettings,
}

#[async_trait]
impl NodeConnector for Nodes {
    fn platform(&self) -> Option<(NodeKind, Arc<dyn WorkloadNode>)> {
        self.own.as_ref().map(|(kind, node)| (*kind, Arc::clone(node)))
    }

    async fn connect(&self, access: &Access) -> Result<Arc<dyn WorkloadNode>, EngineError> {
        match access {
            Access::Kubeconfig(config) => {
                let node = node_of(config.expose_secret(), &self.reach, self.workloads.clone()).await?;
                Ok(Arc::new(node))
            }
            Access::Engine { .. } => {
                Err(EngineError::Rejected("container engines cannot join this platform yet".to_owned()))
            }
            Access::None | Access::Platform => Err(EngineError::Rejected("there is no way to the node".to_owned())),
        }
    }
}
