//! Containers at nodes. Source: `team-api.md` §3.10.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};
use futures::StreamExt;
use futures::stream::BoxStream;
use serde_json::{Value, json};
use slipway_core::log::LogLine;
use slipway_engine::EngineError;
use slipway_engine::workload::{Container, ContainerCommand, WorkloadNode};
use slipway_store as store;
use slipway_team::node::{Node, NodeEvent, NodeEventKind, NodeStatus};
use slipway_team::{Error, Member, NodeId, Result};
use tokio::time::timeout;

use crate::engine_error::engine_error;
use crate::stored::{Fail, Stored, write};
use crate::{Cx, Service};

/// Time that a node has for what a request wants of it.
const ANSWER_TIME: Duration = Duration::from_secs(15);
/// Most lines of a log that one request reads.
pub const CONTAINER_LOG_MAX: u32 = 1000;
/// Most of a log that one request reads, in bytes: of longer ones it is the end.
const LOG_BYTES_MAX: usize = 1024 * 1024;

/// A container by its name, and its prefix where it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerName {
    /// The prefix of its deployment; empty in calls without one.
    pub prefix: String,
    /// Its name.
    pub name: String,
}

/// Which lines of a container's log are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContainerLogWanted {
    /// At most this many of those that are there, the newest.
    pub tail: u32,
    /// Of those only what is later.
    pub since: Option<DateTime<Utc>>,
}

impl ContainerLogWanted {
    fn takes(&self, line: &LogLine) -> bool {
        // As clients are told it.
        self.since.is_none_or(|since| line.time.trunc_subsecs(6) > since)
    }
}

fn node_error(error: EngineError) -> Error {
    match error {
        EngineError::Missing(_) => Error::not_found("container"),
        EngineError::Rejected(reason) => Error::precondition("node", reason).into(),
        other => engine_error(other).into(),
    }
}

impl Service {
    /// A node of the team that can be used, and what drives it.
    async fn node_used(&self, member: &Member, id: NodeId) -> Result<(Node, Arc<dyn WorkloadNode>)> {
        let node = self.node_find(member, id).await?;
        if self.node_live(&node).status == NodeStatus::Outdated {
            return Err(Error::precondition("id", "The node is too old.").value(id.to_string()).into());
        }
        let driver = self.node_driver(&node).ok_or_else(|| Error::not_found("agent"))?;
        Ok((node, driver))
    }

    /// Whether a prefix at a node is the member's team's. On what the platform itself runs on, others have theirs.
    pub(crate) async fn prefix_is_own(&self, member: &Member, node: &Node, prefix: &str) -> Result<bool> {
        if !node.access.is_platform() {
            return Ok(true);
        }
        let owner = store::platform_name_owner(&mut self.read().await?, prefix).await.stored()?;
        Ok(owner == Some(store::NameOwner::Team(member.team.id)))
    }

    /// The containers at a node: those with a prefix, or all. On what the platform itself runs on, the team's alone.
    ///
    /// # Errors
    /// 404 `node`; 404 `agent` while it is not connected; 412 `id` when it is too old.
    pub async fn containers_list(&self, member: &Member, id: NodeId, prefix: Option<&str>) -> Result<Vec<Container>> {
        let (node, driver) = self.node_used(member, id).await?;
        if let Some(prefix) = prefix
            && !self.prefix_is_own(member, &node, prefix).await?
        {
            return Ok(Vec::new());
        }
        let mut all = timely(driver.containers(prefix)).await?;
        if node.access.is_platform() && prefix.is_none() {
            let own = store::platform_names_by_team(&mut self.read().await?, member.team.id).await.stored()?;
            let own: HashSet<String> = own.into_iter().collect();
            all.retain(|container| own.contains(&container.prefix));
        }
        Ok(all)
    }

    /// Waits until something may have changed about the containers with a prefix at a node, or about all; no longer than
    /// `limit`. Changes while nobody waits are not told, and none without a prefix: look now and then all the same.
    ///
    /// # Errors
    /// As [`Service::containers_list`], at once.
    pub async fn containers_changed(
        &self,
        member: &Member,
        id: NodeId,
        prefix: Option<&str>,
        limit: Duration,
    ) -> Result<()> {
        let (node, driver) = self.node_used(member, id).await?;
        match prefix {
            Some(prefix) if self.prefix_is_own(member, &node, prefix).await? => driver.changed(prefix, limit).await,
            // What others do is not to be noticed.
            Some(_) | None => tokio::time::sleep(limit).await,
        }
        Ok(())
    }

    /// What a container wrote last, oldest first.
    ///
    /// # Errors
    /// As [`Service::container_find`].
    pub async fn container_log(
        &self,
        member: &Member,
        id: NodeId,
        given: ContainerName,
        wanted: ContainerLogWanted,
    ) -> Result<Vec<LogLine>> {
        let (driver, name) = self.container_find(member, id, given).await?;
        let tail = wanted.tail.min(CONTAINER_LOG_MAX);
        let read = async {
            let lines = driver.log(&name.prefix, &name.name, tail, false).await?;
            // A node that tells more than it was asked for is not listened to.
            let mut lines = lines.take(usize::try_from(tail).unwrap_or(usize::MAX));
            let (mut kept, mut bytes) = (VecDeque::new(), 0);
            while let Some(line) = lines.next().await {
                if !wanted.takes(&line) {
                    continue;
                }
                bytes += line.text.len();
                kept.push_back(line);
                while bytes > LOG_BYTES_MAX
                    && let Some(oldest) = kept.pop_front()
                {
                    bytes -= oldest.text.len();
                }
            }
            Ok(Vec::from(kept))
        };
        timely(read).await
    }

    /// Follows what a container writes, from its last lines on. It ends when the container does, or the node.
    ///
    /// # Errors
    /// As [`Service::container_find`].
    pub async fn container_log_follow(
        &self,
        member: &Member,
        id: NodeId,
        given: ContainerName,
        wanted: ContainerLogWanted,
    ) -> Result<(ContainerName, BoxStream<'static, LogLine>)> {
        let (driver, name) = self.container_find(member, id, given).await?;
        let lines = timely(driver.log(&name.prefix, &name.name, wanted.tail, true)).await?;
        Ok((name, lines.filter(move |line| std::future::ready(wanted.takes(line))).boxed()))
    }

    /// A node that can be used, what drives it, and the whole name of a container there.
    ///
    /// # Errors
    /// As [`Service::containers_list`]; 404 `container`; 412 `name` when a call without a prefix means several.
    pub async fn container_find(
        &self,
        member: &Member,
        id: NodeId,
        given: ContainerName,
    ) -> Result<(Arc<dyn WorkloadNode>, ContainerName)> {
        let (node, driver) = self.node_used(member, id).await?;
        if !given.prefix.is_empty() {
            if !self.prefix_is_own(member, &node, &given.prefix).await? {
                return Err(Error::not_found("container"));
            }
            return Ok((driver, given));
        }
        let all = self.containers_list(member, id, None).await?;
        let whole = |container: &Container| match container.prefix.as_str() {
            "" => container.name.clone(),
            prefix => format!("{prefix}-{}", container.name),
        };
        let mut found = all.into_iter().filter(|one| one.name == given.name || whole(one) == given.name);
        match (found.next(), found.next()) {
            (Some(Container { prefix, name, .. }), None) => Ok((driver, ContainerName { prefix, name })),
            (None, _) => Err(Error::not_found("container")),
            (Some(_), Some(_)) => {
                let refusal = Error::precondition("name", "Containers of several prefixes have this name.");
                Err(refusal.value(given.name).into())
            }
        }
    }

    /// Starts, stops or restarts a container.
    ///
    /// # Errors
    /// As [`Service::container_find`].
    pub async fn container_command(
        &self,
        cx: &Cx,
        member: &Member,
        id: NodeId,
        given: ContainerName,
        command: ContainerCommand,
    ) -> Result<()> {
        let (driver, ContainerName { prefix, name }) = self.container_find(member, id, given).await?;
        timely(driver.command(&prefix, &name, command)).await?;
        let operation = match command {
            ContainerCommand::Start => "startContainer",
            ContainerCommand::Stop => "stopContainer",
            ContainerCommand::Restart => "restartContainer",
        };
        let data = json!({"operation": operation, "container": {"prefix": prefix, "name": name}});
        self.container_event(cx, id, data).await
    }

    /// Removes a container, and what was made for it; volumes stay.
    ///
    /// # Errors
    /// As [`Service::container_find`].
    pub async fn container_delete(&self, cx: &Cx, member: &Member, id: NodeId, given: ContainerName) -> Result<()> {
        let (driver, ContainerName { prefix, name }) = self.container_find(member, id, given).await?;
        timely(driver.delete(&prefix, &name)).await?;
        let data = json!({"operation": "deleteContainer", "container": {"prefix": prefix, "name": name}});
        self.container_event(cx, id, data).await
    }

    /// Removes everything with a prefix, volumes too.
    ///
    /// # Errors
    /// As [`Service::containers_list`]; 404 `container` when there is nothing.
    pub async fn containers_delete(&self, cx: &Cx, member: &Member, id: NodeId, prefix: &str) -> Result<()> {
        let (node, driver) = self.node_used(member, id).await?;
        if !self.prefix_is_own(member, &node, prefix).await? {
            return Err(Error::not_found("container"));
        }
        timely(driver.delete_all(prefix)).await?;
        if node.access.is_platform() {
            let team = member.team.id;
            write!(self, |db| {
                store::platform_name_release(db, prefix, team).await?;
                Ok::<_, Fail>(())
            })?;
        }
        self.container_event(cx, id, json!({"operation": "deleteContainers", "prefix": prefix})).await
    }

    async fn container_event(&self, cx: &Cx, node: NodeId, data: Value) -> Result<()> {
        let event = NodeEvent { created: cx.now, kind: NodeEventKind::ContainerCommand, data: Some(data) };
        write!(self, |db| {
            store::node_event_insert(db, node, &event).await?;
            Ok::<_, Fail>(())
        })?;
        Ok(())
    }
}

/// What a node does within its time.
async fn timely<T>(work: impl Future<Output = std::result::Result<T, EngineError>>) -> Result<T> {
    let late = || EngineError::Unavailable {
        public: "the node does not answer in time".to_owned(),
        context: format!("no answer in {} s", ANSWER_TIME.as_secs()),
    };
    timeout(ANSWER_TIME, work).await.unwrap_or_else(|_| Err(late())).map_err(node_error)
}
