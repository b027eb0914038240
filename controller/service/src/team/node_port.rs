//! What use cases need of whatever runs the containers of teams.

use std::sync::Arc;

use async_trait::async_trait;
use slipway_engine::EngineError;
use slipway_engine::workload::WorkloadNode;
use slipway_team::node::{Access, NodeKind};

/// Gives what drives a node.
#[async_trait]
pub trait NodeConnector: Send + Sync + 'static {
    /// What the platform itself runs on, as a node of every team; nothing where it runs no containers.
    fn platform(&self) -> Option<(NodeKind, Arc<dyn WorkloadNode>)>;

    /// What drives a node that is reached by `access`, which is a user's and not checked yet. It need not be reachable:
    /// that is asked of what is given.
    ///
    /// # Errors
    /// `Rejected` with the reason, for the user, when it cannot work or is not allowed.
    async fn connect(&self, access: &Access) -> Result<Arc<dyn WorkloadNode>, EngineError>;
}

/// Knows no nodes, where none was set up.
pub(crate) struct NoNodes;

#[async_trait]
impl NodeConnector for NoNodes {
    fn platform(&self) -> Option<(NodeKind, Arc<dyn WorkloadNode>)> {
        None
    }

    async fn connect(&self, _access: &Access) -> Result<Arc<dyn WorkloadNode>, EngineError> {
        Err(EngineError::Rejected("this platform takes no nodes".to_owned()))
    }
}
