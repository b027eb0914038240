//! What happens at nodes. Source: `team-api.md` §4.6.

use serde_json::json;
use slipway_store as store;
use slipway_team::node::{Node, NodeEvent, NodeEventKind, NodeLive, NodeStatus};

use crate::Service;
use crate::stored::{Fail, write};

impl Service {
    /// Writes down that a node came or left, unless another controller, or this one before it was started, wrote so.
    pub(crate) async fn node_change_record(&self, node: &Node, before: &NodeLive, now: &NodeLive) {
        let is_up = |live: &NodeLive| live.status != NodeStatus::Unreachable;
        let (kind, data) = match (is_up(before), is_up(now)) {
            (false, true) => (NodeEventKind::Connected, Some(json!({"address": now.address, "version": now.version}))),
            (true, false) => (NodeEventKind::Left, None),
            (true, true) | (false, false) => return,
        };
        let event = NodeEvent { created: self.now(), kind, data };
        let written = write!(self, |db| {
            let ways = [NodeEventKind::Connected, NodeEventKind::Left, NodeEventKind::Kicked];
            let last = store::node_event_latest(db, node.id, &ways).await?;
            let is_new = last.is_none_or(|last| last.kind != kind);
            // The node may be gone by now.
            if is_new && store::node_by_id(db, node.team, node.id).await?.is_some() {
                store::node_event_insert(db, node.id, &event).await?;
            }
            Ok::<_, Fail>(())
        });
        if let Err(fail) = written {
            let error = slipway_team::Error::from(fail);
            tracing::warn!(node.id = %node.id, "a change of a node is not written down: {error}");
        }
    }
}
