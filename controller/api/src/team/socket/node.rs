//! Nodes, and the containers there.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use futures::StreamExt;
use serde_json::{Value, json};
use slipway_engine::workload::{Container, ContainerCommand};
use slipway_service::{CONTAINER_LOG_MAX, ContainerLogWanted, ContainerName, Deed, NodeChange, NodeView};
use slipway_team::audit::AuditContext;
use slipway_team::node::NodeLive;
use slipway_team::{Error, NodeId};
use slipway_wire::team as wire;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};

use super::super::body::Body;
use super::super::to_wire_node;
use super::connection::Message;
use super::follower::{Follower, Over};
use super::topic::Topic;
use crate::call::Failure;

/// Pause between two looks at containers, unless their node tells of a change.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);
/// Shortest pause between two looks, however much changes.
const LOOK_PAUSE: Duration = Duration::from_millis(200);
/// Lines of a log that are told of what was written before. Source: `team-api.md` §7.8.
const LOG_TAIL: u32 = 40;
/// What a container does that is gone. Source: `team-api.md` §1.11.
const REMOVED: &str = "removed";

/// Tells how each node is, and then whenever that changes.
pub(super) async fn follow(mut follower: Follower, mut changes: broadcast::Receiver<NodeChange>) -> Over {
    let mut told: BTreeMap<NodeId, NodeLive> = BTreeMap::new();
    loop {
        if let Err(over) = tell(&mut follower, &mut told).await {
            return over;
        }
        tokio::select! {
            change = changes.recv() => if matches!(change, Err(RecvError::Closed)) {
                return Over::Done;
            },
            () = follower.due() => if let Err(over) = follower.check().await {
                return over;
            },
        }
    }
}

/// Tells of the nodes that changed since.
async fn tell(follower: &mut Follower, told: &mut BTreeMap<NodeId, NodeLive>) -> Result<(), Over> {
    // When the database is away for a moment, it is looked again soon.
    let Ok(all) = follower.state.service.nodes_list(&follower.member).await else { return Ok(()) };
    let known: HashSet<NodeId> = all.iter().map(|view| view.node.id).collect();
    told.retain(|id, _| known.contains(id));
    for view in all {
        if told.get(&view.node.id) != Some(&view.live) {
            let event = event(&view);
            follower.say("event", &event).await?;
            told.insert(view.node.id, view.live);
        }
    }
    Ok(())
}

fn event(view: &NodeView) -> Value {
    let wire::Node { id, status, address, connected_at, version, updating, .. } = to_wire_node::node(view);
    json!({
        "id": id, "status": status, "address": address, "version": version, "connectedAt": connected_at,
        "updating": updating,
    })
}

/// Something about a node that is followed beside it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Watched {
    /// Its containers: those with a prefix, or all.
    States(Option<String>),
    /// What a container writes, by its prefix and name.
    Log(String, String),
}

/// How something about a node is followed.
pub(super) struct Watch {
    /// What.
    pub(super) of: Watched,
    /// Which lines, of a log.
    lines: ContainerLogWanted,
    /// Whether each line of a log begins with its time.
    is_timed: bool,
}

/// What of a node is to be followed; nothing when the message asks for something else.
pub(super) fn watch(message: &Message) -> Result<Option<Watch>, Failure> {
    let mut body = Body::new(message.data.clone());
    let mut lines = ContainerLogWanted { tail: LOG_TAIL, since: None };
    let mut is_timed = false;
    let of = match message.word.as_str() {
        "watch-containers-state" => Watched::States(body.text_or_null("prefix").filter(|prefix| !prefix.is_empty())),
        "watch-container-log" => {
            let ContainerName { prefix, name } = container(&mut body);
            if body.has("take") {
                lines.tail = take(&mut body);
            }
            lines.since = body.word_or_null("since");
            is_timed = body.flag_or_null("timestamps").unwrap_or_default();
            Watched::Log(prefix, name)
        }
        _ => return Ok(None),
    };
    body.finish(Some(Watch { of, lines, is_timed }))
}

/// How many lines of those that are there.
fn take(body: &mut Body) -> u32 {
    let take = u32::try_from(body.number("take", 0)).unwrap_or(u32::MAX);
    if take > CONTAINER_LOG_MAX {
        body.fail("take", &format!("must not be above {CONTAINER_LOG_MAX}"));
    }
    take
}

/// The container that a message is about.
fn container(body: &mut Body) -> ContainerName {
    let mut inner = body.open("container");
    let (prefix, name) = (inner.text_or_null("prefix").unwrap_or_default(), inner.text("name"));
    if name.is_empty() && !inner.is_wrong("name") {
        inner.fail("name", "must not be empty");
    }
    body.close(inner);
    ContainerName { prefix, name }
}

impl Watch {
    /// Follows it. Only what fails at once is refused: later on it may come back.
    pub(super) async fn follow(self, follower: Follower, id: NodeId) -> Over {
        let over = match self.of {
            Watched::States(prefix) => states(follower, id, prefix.as_deref()).await,
            Watched::Log(prefix, name) => {
                log(follower, id, ContainerName { prefix, name }, self.lines, self.is_timed).await
            }
        };
        over.err().unwrap_or(Over::Done)
    }
}

async fn states(mut follower: Follower, id: NodeId, prefix: Option<&str>) -> Result<(), Over> {
    let mut told: Option<Vec<Container>> = None;
    let (mut is_first, mut is_away) = (true, false);
    loop {
        let service = follower.state.service.clone();
        match service.containers_list(&follower.member, id, prefix).await {
            Ok(found) => {
                is_away = false;
                if told.as_ref() != Some(&found) {
                    let list = states_list(&follower, prefix, &told.unwrap_or_default(), &found);
                    follower.say("containers-state-list", &list).await?;
                    told = Some(found);
                }
            }
            Err(error) => {
                // The node itself may be gone.
                follower.check().await?;
                if !is_away {
                    follower.line.refuse(&error.into()).await?;
                }
                if is_first {
                    return Ok(());
                }
                is_away = true;
            }
        }
        is_first = false;
        tokio::time::sleep(LOOK_PAUSE).await;
        let changed = service.containers_changed(&follower.member, id, prefix, LOOK_INTERVAL);
        if changed.await.is_err() {
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }
}

/// All containers that there are, and those that are there no more.
fn states_list(follower: &Follower, prefix: Option<&str>, old: &[Container], new: &[Container]) -> Value {
    let dialect = follower.place.whose.dialect();
    let names: HashSet<(&str, &str)> = new.iter().map(|one| (one.prefix.as_str(), one.name.as_str())).collect();
    let gone = old.iter().filter(|one| !names.contains(&(one.prefix.as_str(), one.name.as_str())));
    let gone = gone.map(|one| wire::Container { state: REMOVED.to_owned(), ..to_wire_node::container(one, dialect) });
    let all: Vec<wire::Container> = new.iter().map(|one| to_wire_node::container(one, dialect)).chain(gone).collect();
    json!({ "prefix": prefix, "containers": all })
}

async fn log(
    mut follower: Follower,
    id: NodeId,
    given: ContainerName,
    wanted: ContainerLogWanted,
    is_timed: bool,
) -> Result<(), Over> {
    let opened = follower.state.service.container_log_follow(&follower.member, id, given, wanted).await;
    let (name, mut lines) = match opened {
        Ok(opened) => opened,
        Err(error) => return follower.line.refuse(&error.into()).await,
    };
    let container = wire::ContainerId { prefix: name.prefix, name: name.name };
    loop {
        tokio::select! {
            line = lines.next() => {
                // Clients of the documents pass over what they do not know.
                let Some(line) = line else {
                    return follower.say("container-log-end", &json!({ "container": container })).await;
                };
                let text = to_wire_node::log_line(&line, is_timed);
                follower.say("container-log", &json!({ "container": container, "log": text })).await?;
            }
            () = follower.due() => follower.check().await?,
        }
    }
}

/// Does what a client wants to be done, one after the other, and writes it down. It does so to the end, even if the
/// client leaves.
pub(super) async fn work(mut follower: Follower, mut orders: mpsc::Receiver<Message>) -> Over {
    while let Some(order) = orders.recv().await {
        // It may have waited for long.
        if let Err(over) = follower.check().await {
            return over;
        }
        let event = format!("{}/{}", follower.path, order.word);
        let data = Value::Object(order.data.clone());
        match carry_out(&follower, order).await {
            Ok(()) => {
                let deed =
                    Deed { context: AuditContext::Ws, method: None, event, data: Some(data), is_url_secret: false };
                let team = follower.member.team.id;
                if let Err(error) = follower.state.service.team_audit_write(&follower.cx, team, deed).await {
                    tracing::error!(team.id = %team, "a deed is not in the team's record: {error}");
                }
            }
            // The client may be gone: what is still to be done is done all the same.
            Err(failure) => drop(follower.line.refuse(&failure).await),
        }
    }
    Over::Done
}

async fn carry_out(follower: &Follower, order: Message) -> Result<(), Failure> {
    let Follower { state, cx, member, .. } = follower;
    let service = &state.service;
    let mut body = Body::new(order.data);
    match (follower.place.topic, order.word.as_str()) {
        (Topic::Nodes, "update-agent") => {
            let id: Option<NodeId> = body.word("id");
            let id = body.finish(id)?.ok_or_else(|| Error::invalid("id", "id is no UUID"))?;
            Ok(service.node_agent_update(cx, member, id).await?)
        }
        (Topic::Node(id), "update-agent") => Ok(service.node_agent_update(cx, member, id).await?),
        (Topic::Node(id), "container-command") => {
            let name = container(&mut body);
            let command = body.choice("operation", |word| match word {
                "start" => Some(ContainerCommand::Start),
                "stop" => Some(ContainerCommand::Stop),
                "restart" => Some(ContainerCommand::Restart),
                _ => None,
            });
            let command = body.finish(command)?;
            let command = command.ok_or_else(|| Error::invalid("operation", "operation is missing"))?;
            Ok(service.container_command(cx, member, id, name, command).await?)
        }
        (Topic::Node(id), "delete-container") => {
            let name = container(&mut body);
            let name = body.finish(name)?;
            Ok(service.container_delete(cx, member, id, name).await?)
        }
        _ => Err(super::no_such_message()),
    }
}
