//! Which nodes can be used at the moment, and what drives them.
//!
//! Nodes are asked what they are in the background, each within a time; a request looks at what is known, and waits for
//! nobody. Every controller asks for itself. Source: `team-api.md` §4.6.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, Utc};
use futures::StreamExt;
use futures::future::BoxFuture;
use openssl::sha::Sha256;
use secrecy::{ExposeSecret, SecretString};
use slipway_core::config::SecretText;
use slipway_engine::EngineError;
use slipway_engine::workload::{NodeFacts, WorkloadNode};
use slipway_openpgp::Unreadable;
use slipway_store as store;
use slipway_team::node::{Access, Node, NodeKind, NodeLive, NodeStatus};
use slipway_team::{NodeId, Result};
use tokio::sync::{Notify, broadcast};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::node_port::NodeConnector;
use crate::Service;
use crate::stored::Stored;

/// Nodes that are asked at once.
const ASKED_AT_ONCE: usize = 32;
/// The oldest Kubernetes whose interfaces are enough: its Ingresses are `v1`.
const KUBERNETES_MIN: (u32, u32) = (1, 19);

/// What is known of nodes, and who makes what drives them.
pub(crate) struct Nodes {
    connector: Arc<dyn NodeConnector>,
    platform: Option<(NodeKind, Arc<dyn WorkloadNode>)>,
    platform_live: RwLock<NodeLive>,
    links: RwLock<HashMap<NodeId, Link>>,
    changes: broadcast::Sender<NodeChange>,
    wake: Notify,
}

/// A node whose status changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeChange {
    /// The platform's own, which is every team's.
    Platform(NodeLive),
    /// One that joined.
    Joined(NodeId, NodeLive),
}

/// A node that joined.
#[derive(Clone)]
struct Link {
    /// Of how it is reached, so that what drove it before is not used for another.
    digest: [u8; 32],
    driver: Arc<dyn WorkloadNode>,
    live: NodeLive,
}

impl Nodes {
    pub(crate) fn new(connector: Arc<dyn NodeConnector>) -> Self {
        Self {
            platform: connector.platform(),
            connector,
            platform_live: RwLock::default(),
            links: RwLock::default(),
            changes: broadcast::channel(256).0,
            wake: Notify::new(),
        }
    }

    /// What kind of node the platform is, if it is one.
    pub(crate) fn platform_kind(&self) -> Option<NodeKind> {
        self.platform.as_ref().map(|(kind, _)| *kind)
    }

    fn link(&self, id: NodeId) -> Option<Link> {
        self.links.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    fn live(&self, node: &Node) -> NodeLive {
        match &node.access {
            Access::None => NodeLive::default(),
            Access::Platform => self.platform_live.read().unwrap_or_else(PoisonError::into_inner).clone(),
            access @ (Access::Kubeconfig(_) | Access::Engine { .. }) => {
                let link = self.link(node.id).filter(|link| link.digest == digest(access));
                link.map(|link| link.live).unwrap_or_default()
            }
        }
    }

    fn driver(&self, node: &Node) -> Option<Arc<dyn WorkloadNode>> {
        match &node.access {
            Access::None => None,
            Access::Platform => self.platform.as_ref().map(|(_, driver)| Arc::clone(driver)),
            access @ (Access::Kubeconfig(_) | Access::Engine { .. }) => {
                self.link(node.id).filter(|link| link.digest == digest(access)).map(|link| link.driver)
            }
        }
    }

    /// Forgets a node.
    pub(crate) fn forget(&self, id: NodeId) {
        let forgotten = self.links.write().unwrap_or_else(PoisonError::into_inner).remove(&id);
        if forgotten.is_some() {
            drop(self.changes.send(NodeChange::Joined(id, NodeLive::default())));
        }
    }
}

/// What tells one way of reaching a node from another.
fn digest(access: &Access) -> [u8; 32] {
    let mut sha = Sha256::new();
    let mut part = |text: &str| {
        sha.update(&text.len().to_be_bytes());
        sha.update(text.as_bytes());
    };
    match access {
        Access::None => part("none"),
        Access::Platform => part("platform"),
        Access::Kubeconfig(config) => {
            part("kubeconfig");
            part(config.expose_secret());
        }
        Access::Engine { address, tls } => {
            part("engine");
            part(address);
            if let Some(tls) = tls {
                part(&tls.authority);
                part(&tls.certificate);
                part(tls.key.expose_secret());
            }
        }
    }
    sha.finish()
}

/// Whether a version, as [`NodeFacts`] has it, is too old.
fn is_outdated(version: &str) -> bool {
    let Some(kubernetes) = version.strip_prefix("Kubernetes v") else { return false };
    let mut numbers = kubernetes.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) < KUBERNETES_MIN,
        _ => false,
    }
}

/// What is known after a node was asked.
fn after(before: &NodeLive, facts: Option<NodeFacts>, now: DateTime<Utc>) -> NodeLive {
    let Some(NodeFacts { version, address }) = facts else { return NodeLive::default() };
    NodeLive {
        status: if is_outdated(&version) { NodeStatus::Outdated } else { NodeStatus::Connected },
        address,
        version: Some(version),
        connected_at: Some(before.connected_at.unwrap_or(now)),
    }
}

impl Service {
    pub(crate) fn nodes(&self) -> &Nodes {
        &self.inner.nodes
    }

    /// What is known of a node at the moment.
    #[must_use]
    pub fn node_live(&self, node: &Node) -> NodeLive {
        self.nodes().live(node)
    }

    /// What drives a node, while it is connected; nothing otherwise. Callers refuse with what their call has for it: 404
    /// `agent`, or 412 `nodeId`.
    #[must_use]
    pub fn node_driver(&self, node: &Node) -> Option<Arc<dyn WorkloadNode>> {
        (self.node_live(node).status == NodeStatus::Connected).then(|| self.nodes().driver(node)).flatten()
    }

    /// The armored public key that secrets for a node are encrypted with, while it is connected.
    #[must_use]
    pub fn node_public_key(&self, node: &Node) -> Option<String> {
        let is_up = self.node_live(node).status != NodeStatus::Unreachable;
        node.keys.as_ref().filter(|_| is_up).map(|keys| keys.public.clone())
    }

    /// Reads a secret that was encrypted for a node. For the executor of deployments only: nobody is ever told.
    ///
    /// # Errors
    /// [`Unreadable`], whose text is for the user.
    pub fn node_decrypt(&self, node: &Node, message: &str) -> std::result::Result<SecretText, Unreadable> {
        let keys = node.keys.as_ref().ok_or(Unreadable::Key)?;
        let text: SecretString = slipway_openpgp::decrypt(&keys.secret, message)?;
        Ok(SecretText::new(text.expose_secret()))
    }

    /// Tells of every change of a node's status that this controller notices.
    #[must_use]
    pub fn node_changes(&self) -> broadcast::Receiver<NodeChange> {
        self.nodes().changes.subscribe()
    }

    /// Asks all nodes again and again, until `shutdown`.
    pub async fn nodes_watch(self, shutdown: CancellationToken) {
        let period = self.config().teams.node_interval;
        let mut is_ensured = false;
        loop {
            if !is_ensured {
                let ensured = self.platform_nodes_ensure().await;
                is_ensured = ensured.is_ok();
                if let Err(error) = ensured {
                    tracing::warn!("could not give teams the platform's own node: {error}");
                }
            }
            if let Err(error) = self.nodes_check().await {
                tracing::warn!("could not list nodes: {error}");
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.nodes().wake.notified() => {}
                () = tokio::time::sleep(period) => {}
            }
        }
    }

    /// Has nodes asked at once.
    pub(crate) fn nodes_wake(&self) {
        self.nodes().wake.notify_one();
    }

    /// Asks all nodes once.
    ///
    /// # Errors
    /// `Unavailable` when the nodes are not known.
    pub async fn nodes_check(&self) -> Result<()> {
        let platform = self.platform_check();
        let joined = async {
            let all = store::nodes_joined(&mut self.read().await?).await.stored()?;
            let ids: Vec<NodeId> = all.iter().map(|node| node.id).collect();
            // Boxed, since a spawned task must know that they may move between threads.
            let mut checks: Vec<BoxFuture<'_, ()>> = Vec::with_capacity(all.len());
            for node in &all {
                checks.push(Box::pin(async move { drop(self.node_check(node).await) }));
            }
            futures::stream::iter(checks).buffer_unordered(ASKED_AT_ONCE).collect::<()>().await;
            let links = &self.nodes().links;
            links.write().unwrap_or_else(PoisonError::into_inner).retain(|id, _| ids.contains(id));
            Ok(())
        };
        futures::join!(platform, joined).1
    }

    /// Asks a driver what it is, within the time that nodes have.
    async fn facts(&self, driver: &dyn WorkloadNode) -> std::result::Result<NodeFacts, EngineError> {
        let limit = self.config().teams.node_timeout;
        let late = |_| EngineError::Unavailable {
            public: "the node does not answer in time".to_owned(),
            context: String::new(),
        };
        timeout(limit, driver.facts()).await.unwrap_or_else(|elapsed| Err(late(elapsed)))
    }

    async fn platform_check(&self) {
        let nodes = self.nodes();
        let Some((_, driver)) = &nodes.platform else { return };
        let facts = self.facts(driver.as_ref()).await;
        if let Err(error) = &facts {
            tracing::warn!("the platform's own node does not answer: {error}");
        }
        let mut live = nodes.platform_live.write().unwrap_or_else(PoisonError::into_inner);
        let new = after(&live, facts.ok(), self.now());
        if *live != new {
            live.clone_from(&new);
            drop(live);
            drop(nodes.changes.send(NodeChange::Platform(new)));
        }
    }

    /// Asks a node that joined, and keeps what it says.
    ///
    /// # Errors
    /// Why it cannot be used; for the user.
    pub(crate) async fn node_check(&self, node: &Node) -> std::result::Result<NodeLive, EngineError> {
        let nodes = self.nodes();
        let digest = digest(&node.access);
        let known = nodes.link(node.id).filter(|link| link.digest == digest);
        let before = known.as_ref().map(|link| link.live.clone()).unwrap_or_default();
        let driver = match known.filter(|link| link.live.status != NodeStatus::Unreachable) {
            Some(link) => link.driver,
            // A node that does not answer may be somewhere else by now.
            None => nodes.connector.connect(&node.access).await?,
        };
        let facts = self.facts(driver.as_ref()).await;
        let (facts, result) = match facts {
            Ok(facts) => (Some(facts), Ok(())),
            Err(error) => (None, Err(error)),
        };
        let live = after(&before, facts, self.now());
        let link = Link { digest, driver, live: live.clone() };
        nodes.links.write().unwrap_or_else(PoisonError::into_inner).insert(node.id, link);
        if live != before {
            drop(nodes.changes.send(NodeChange::Joined(node.id, live.clone())));
            self.node_change_record(node, &before, &live).await;
        }
        result.map(|()| live)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_clusters_are_outdated() {
        for old in ["Kubernetes v1.18.20", "Kubernetes v1.9", "Kubernetes v0.99"] {
            assert!(is_outdated(old), "{old}");
        }
        for new in ["Kubernetes v1.19.0", "Kubernetes v1.33.2+k3s1", "Kubernetes v2.0", "Docker 20.10", "Kubernetes v"]
        {
            assert!(!is_outdated(new), "{new}");
        }
    }

    #[test]
    fn ways_to_reach_a_node_are_told_apart() {
        let engine = |address: &str| Access::Engine { address: address.to_owned(), tls: None };
        let all = [
            Access::None,
            Access::Platform,
            Access::Kubeconfig("a".into()),
            Access::Kubeconfig("b".into()),
            engine("a"),
            engine("b"),
        ];
        for (place, one) in all.iter().enumerate() {
            for (other_place, other) in all.iter().enumerate() {
                assert_eq!(digest(one) == digest(other), place == other_place);
            }
        }
    }
}
