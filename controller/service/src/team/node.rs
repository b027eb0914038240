//! Nodes of teams. Source: `team-api.md` §3.9.

use serde_json::json;
use slipway_core::Paged;
use slipway_engine::EngineError;
use slipway_store as store;
use slipway_store::{Db, NodeEventQuery, StoreError, UniqueOn};
use slipway_team::node::{Access, Node, NodeEvent, NodeEventKind, NodeKeys, NodeKind, NodeLive, NodeStatus};
use slipway_team::notification::Happening;
use slipway_team::team::person_name;
use slipway_team::{Error, Member, NodeId, Result, Stamp, TeamId};

use super::happening::happening_record;
use super::node_script::InstallView;
use super::registry::about_check;
use crate::stored::{Fail, Stored, write};
use crate::{Cx, Service};

/// How the platform's own node is called in each team.
const PLATFORM_NAME: &str = "Platform";

/// A node as a request has it.
#[derive(Debug, Clone)]
pub struct NodeGiven {
    /// Its name.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// For people.
    pub icon: Option<String>,
}

/// A node, and what is known of it.
#[derive(Debug, Clone)]
pub struct NodeView {
    /// The node.
    pub node: Node,
    /// What is known of it at the moment.
    pub live: NodeLive,
}

/// A node with all that is told of it.
#[derive(Debug, Clone)]
pub struct NodeDetails {
    /// The node, and what is known of it.
    pub view: NodeView,
    /// Whether a deployment is on it.
    pub is_in_use: bool,
    /// The script by which it joins, while there is one.
    pub install: Option<InstallView>,
    /// What secrets for it are encrypted with, while it is connected.
    pub public_key: Option<String>,
}

pub(super) fn name_taken(error: StoreError) -> Fail {
    match error {
        StoreError::Conflict { what: UniqueOn::NodeName } => Error::taken("name").into(),
        other => other.into(),
    }
}

async fn name_free(db: &mut Db, node: &Node) -> std::result::Result<(), Fail> {
    let others = store::nodes_list(db, node.team).await?;
    if others.iter().any(|other| other.name == node.name && other.id != node.id) {
        return Err(Error::taken("name").into());
    }
    Ok(())
}

/// A new pair of keys.
fn keys(id: NodeId) -> Result<NodeKeys> {
    let pair = slipway_openpgp::generate(&format!("Slipway node {id}")).map_err(slipway_core::Error::internal)?;
    Ok(NodeKeys { public: pair.public, secret: pair.secret })
}

/// The platform's own node cannot be changed in what it is.
pub(super) fn own_check(node: &Node) -> Result<()> {
    if node.access.is_platform() {
        let refusal = Error::precondition("id", "The node is what the platform itself runs on.");
        return Err(refusal.value(node.id.to_string()).into());
    }
    Ok(())
}

impl Service {
    /// The nodes of the member's team, oldest first.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn nodes_list(&self, member: &Member) -> Result<Vec<NodeView>> {
        let nodes = store::nodes_list(&mut self.read().await?, member.team.id).await.stored()?;
        Ok(nodes.into_iter().map(|node| self.node_view(node)).collect())
    }

    fn node_view(&self, node: Node) -> NodeView {
        NodeView { live: self.node_live(&node), node }
    }

    /// A node of the member's team.
    ///
    /// # Errors
    /// 404 `node`.
    pub async fn node_find(&self, member: &Member, id: NodeId) -> Result<Node> {
        let found = store::node_by_id(&mut self.read().await?, member.team.id, id).await.stored()?;
        found.ok_or_else(|| Error::not_found("node"))
    }

    /// A node of the member's team with all that is told of it.
    ///
    /// # Errors
    /// 404 `node`.
    pub async fn node_get(&self, cx: &Cx, member: &Member, id: NodeId) -> Result<NodeDetails> {
        let node = self.node_find(member, id).await?;
        let mut db = self.read().await?;
        let is_in_use = store::node_is_used(&mut db, id).await.stored()?;
        let installer = store::node_installer_live(&mut db, id, cx.now).await.stored()?;
        let install = installer.map(|installer| self.install_view(member, &node, &installer)).transpose()?;
        let public_key = self.node_public_key(&node);
        Ok(NodeDetails { view: self.node_view(node), is_in_use, install, public_key })
    }

    /// Adds a node, which nothing reaches yet.
    ///
    /// # Errors
    /// 400 by member; 409 `name`.
    pub async fn node_create(&self, cx: &Cx, member: &Member, given: NodeGiven) -> Result<NodeView> {
        let NodeGiven { name, description, icon } = given;
        about_check(&name, description.as_deref(), icon.as_deref())?;
        let id = NodeId::generate();
        let node = Node {
            id,
            team: member.team.id,
            name,
            description,
            icon,
            kind: NodeKind::Docker,
            access: Access::None,
            keys: Some(keys(id)?),
            stamp: Stamp::new(member.user, cx.now),
        };
        let who = person_name(&self.caller(cx).await?);
        let happening = Happening::NodeAdded { who, node: node.name.clone() };
        write!(self, |db| {
            name_free(db, &node).await?;
            store::node_insert(db, &node).await.map_err(name_taken)?;
            happening_record(db, node.team, &happening, cx.now).await?;
            Ok::<_, Fail>(())
        })?;
        self.happening_told();
        Ok(self.node_view(node))
    }

    /// Gives a node another name and description.
    ///
    /// # Errors
    /// As [`Service::node_create`]; 404 `node`.
    pub async fn node_update(&self, cx: &Cx, member: &Member, id: NodeId, given: NodeGiven) -> Result<()> {
        let old = self.node_find(member, id).await?;
        let NodeGiven { name, description, icon } = given;
        about_check(&name, description.as_deref(), icon.as_deref())?;
        let stamp = Stamp { updated: cx.now, updated_by: member.user, ..old.stamp };
        self.node_change(Node { name, description, icon, stamp, ..old }, None).await
    }

    /// Writes a node that is there, with an event.
    pub(super) async fn node_change(&self, node: Node, event: Option<NodeEvent>) -> Result<()> {
        write!(self, |db| {
            name_free(db, &node).await?;
            if !store::node_update(db, &node).await.map_err(name_taken)? {
                return Err(Error::not_found("node").into());
            }
            if let Some(event) = event {
                store::node_event_insert(db, node.id, &event).await?;
            }
            Ok::<_, Fail>(())
        })?;
        Ok(())
    }

    /// Removes a node. What runs there goes on.
    ///
    /// # Errors
    /// 404 `node`; 412 `id` while a deployment is on it, and for the platform's own.
    pub async fn node_delete(&self, member: &Member, id: NodeId) -> Result<()> {
        let node = self.node_find(member, id).await?;
        own_check(&node)?;
        write!(self, |db| {
            match store::node_delete(db, node.team, id).await {
                Ok(true) => Ok::<_, Fail>(()),
                Ok(false) => Err(Error::not_found("node").into()),
                Err(StoreError::Reference) => {
                    Err(Error::precondition("id", "Deployments use the node.").value(id.to_string()).into())
                }
                Err(error) => Err(error.into()),
            }
        })?;
        self.nodes().forget(id);
        Ok(())
    }

    /// Makes the way to a node known, if it answers; it has joined then.
    ///
    /// # Errors
    /// 400 `property` with the reason when it cannot be used; 404 `node`; 412 `id` for the platform's own.
    pub async fn node_join(
        &self,
        cx: &Cx,
        member: &Member,
        id: NodeId,
        property: &'static str,
        (kind, access): (NodeKind, Access),
    ) -> Result<NodeLive> {
        let old = self.node_find(member, id).await?;
        own_check(&old)?;
        let stamp = Stamp { updated: cx.now, updated_by: member.user, ..old.stamp };
        self.node_joined(Node { kind, access, stamp, ..old }, property).await
    }

    /// Asks a node, and keeps how it is reached.
    pub(super) async fn node_joined(&self, node: Node, property: &'static str) -> Result<NodeLive> {
        let refused = |error: EngineError| match error {
            EngineError::Rejected(reason) => Error::invalid(property, reason),
            EngineError::Missing(what) => Error::invalid(property, format!("{what} does not exist")),
            EngineError::Unavailable { public, context } => {
                tracing::info!(node.id = %node.id, context, "a node cannot join: {public}");
                Error::invalid(property, public)
            }
            EngineError::TimedOut(secs) => Error::invalid(property, format!("it did not answer in {secs} s")),
        };
        let live = self.node_check(&node).await.map_err(refused)?;
        write!(self, |db| {
            store::node_installer_delete(db, node.id).await?;
            if !store::node_update(db, &node).await.map_err(name_taken)? {
                return Err(Error::not_found("node").into());
            }
            Ok::<_, Fail>(())
        })?;
        Ok(live)
    }

    /// Forgets how a node is reached.
    ///
    /// # Errors
    /// 404 `node`; 412 `id` for the platform's own.
    pub async fn node_token_delete(&self, cx: &Cx, member: &Member, id: NodeId) -> Result<()> {
        let old = self.node_find(member, id).await?;
        own_check(&old)?;
        let data = json!({"reason": "revoke-token", "user": member.user.to_string()});
        let had = old.access.is_some();
        let event = NodeEvent { created: cx.now, kind: NodeEventKind::Kicked, data: Some(data) };
        let stamp = Stamp { updated: cx.now, updated_by: member.user, ..old.stamp };
        self.node_change(Node { access: Access::None, stamp, ..old }, had.then_some(event)).await?;
        self.nodes().forget(id);
        Ok(())
    }

    /// Brings what runs at a node for the platform up to date: nothing does, so that the node is asked anew what it is.
    ///
    /// # Errors
    /// 404 `node`; 404 `agent` while it is not connected.
    pub async fn node_agent_update(&self, cx: &Cx, member: &Member, id: NodeId) -> Result<()> {
        let node = self.node_find(member, id).await?;
        let live = self.node_live(&node);
        if live.status == NodeStatus::Unreachable {
            return Err(Error::not_found("agent"));
        }
        let version = env!("CARGO_PKG_VERSION");
        let data = json!({"fromVersion": live.version, "tag": version});
        let event = NodeEvent { created: cx.now, kind: NodeEventKind::Update, data: Some(data) };
        write!(self, |db| {
            store::node_event_insert(db, id, &event).await?;
            Ok::<_, Fail>(())
        })?;
        self.nodes_wake();
        Ok(())
    }

    /// What happened at a node, newest first.
    ///
    /// # Errors
    /// 404 `node`.
    pub async fn node_events_list(
        &self,
        member: &Member,
        id: NodeId,
        query: &NodeEventQuery,
    ) -> Result<Paged<NodeEvent>> {
        self.node_find(member, id).await?;
        Ok(store::node_events_list(&mut self.read().await?, id, query).await.stored()?)
    }

    /// Gives every team the platform's own node, which those that were there before it lack.
    ///
    /// # Errors
    /// `Unavailable`.
    pub(super) async fn platform_nodes_ensure(&self) -> Result<()> {
        let Some(kind) = self.nodes().platform_kind() else { return Ok(()) };
        let lacking = store::teams_without_platform_node(&mut self.read().await?).await.stored()?;
        for (team, stamp) in lacking {
            let node = platform_node(team, kind, stamp)?;
            write!(self, |db| { platform_node_insert(db, node).await })?;
        }
        let kind = kind.as_str();
        write!(self, |db| {
            store::platform_nodes_kind_set(db, kind).await?;
            Ok::<_, Fail>(())
        })?;
        Ok(())
    }

    /// The platform's own node for a team that is about to be made, where the platform is one.
    pub(super) fn platform_node(&self, team: TeamId, stamp: Stamp) -> Result<Option<Node>> {
        self.nodes().platform_kind().map(|kind| platform_node(team, kind, stamp)).transpose()
    }
}

fn platform_node(team: TeamId, kind: NodeKind, stamp: Stamp) -> Result<Node> {
    let id = NodeId::generate();
    Ok(Node {
        id,
        team,
        name: PLATFORM_NAME.to_owned(),
        description: Some("What the platform itself runs on.".to_owned()),
        icon: None,
        kind,
        access: Access::Platform,
        keys: Some(keys(id)?),
        stamp,
    })
}

/// Adds the platform's own node to a team, under another name if the team has one of that name.
pub(super) async fn platform_node_insert(db: &mut Db, node: Node) -> std::result::Result<(), Fail> {
    let others = store::nodes_list(db, node.team).await?;
    if others.iter().any(|other| other.access.is_platform()) {
        return Ok(());
    }
    let names = (1..).map(|number| match number {
        1 => PLATFORM_NAME.to_owned(),
        number => format!("{PLATFORM_NAME} {number}"),
    });
    let name = names.take(others.len().saturating_add(1)).find(|name| others.iter().all(|other| other.name != *name));
    let node = Node { name: name.unwrap_or_else(|| node.id.to_string()), ..node };
    store::node_insert(db, &node).await.map_err(name_taken)?;
    let event = NodeEvent { created: node.stamp.created, kind: NodeEventKind::Connected, data: None };
    store::node_event_insert(db, node.id, &event).await?;
    Ok(())
}
