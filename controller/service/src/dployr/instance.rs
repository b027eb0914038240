//! Instances: the processes of apps. Source: `dployr-v1.md` §6.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use openssl::sha::sha256;
use slipway_core::authz::AppAction;
use slipway_core::ulid::ulid;
use slipway_core::{AppId, Error, ProcessType, Result};
use slipway_engine::{EngineError, NodeStatus, PodState, PodStatus, PodUsage};

use super::DeploymentView;
use super::deployment::Wanted;
use crate::{Cx, Page, PageQuery, Service};

/// What is said of an instance that is not there.
const MISSING: &str = "There is no such instance.";

/// Which instances are wanted.
#[derive(Debug, Clone, Default)]
pub struct InstanceFilter {
    /// `pod` (default) or `node`; nodes are for administrators.
    pub kind: Option<String>,
    /// `instance` or `build`.
    pub role: Option<String>,
    /// Of this service only.
    pub service: Option<String>,
}

/// Something that runs, or a machine that things run on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InstanceView {
    /// A process.
    Pod(Box<Instance>),
    /// A machine.
    Node(NodeStatus),
}

impl InstanceView {
    /// The identity that it is shown with.
    #[must_use]
    pub fn id(&self) -> String {
        match self {
            Self::Pod(instance) => instance.id(),
            Self::Node(node) => node.uid.clone(),
        }
    }

    /// Since when it is there.
    #[must_use]
    pub fn started(&self) -> DateTime<Utc> {
        match self {
            Self::Pod(instance) => instance.pod.started,
            Self::Node(node) => node.created,
        }
    }
}

/// A process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// The app that it is of.
    pub view: DeploymentView,
    /// What the engine knows of it.
    pub pod: PodStatus,
    /// The machine that it runs on, where that is asked for and known.
    pub machine: Option<NodeStatus>,
}

impl Instance {
    /// The identity that it is shown with: the engine's, else one made of its name.
    #[must_use]
    pub fn id(&self) -> String {
        instance_id(self.view.app.id, &self.pod)
    }

    /// The tag of the image that it runs, or the digest where it has none; `None` when it runs another release than the
    /// one that is known.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        let release = self.view.release.as_ref().filter(|release| release.version == self.pod.version)?;
        let build = self.view.build.as_ref().filter(|build| release.build == Some(build.id))?;
        Some(image_version(&build.image))
    }
}

/// What comes behind the name of an image: the tag, else the digest.
fn image_version(image: &str) -> &str {
    let (name, digest) = image.split_once('@').map_or((image, None), |(name, digest)| (name, Some(digest)));
    // A colon in front of a slash is that of a port.
    let tag = name.rsplit_once(':').map(|(_, tag)| tag).filter(|tag| !tag.contains('/'));
    tag.or(digest).unwrap_or("latest")
}

/// The identity that a process is shown with.
pub(crate) fn instance_id(app: AppId, pod: &PodStatus) -> String {
    pod.uid.clone().unwrap_or_else(|| id_made(app, &pod.name))
}

/// The word for what a process does. Source: `dployr-v1.md` §6.
#[must_use]
pub fn instance_state(state: &PodState) -> &'static str {
    match state {
        PodState::Initializing | PodState::Creating => "provisioning",
        PodState::Up => "healthy",
        PodState::Starting | PodState::Crashed | PodState::Other(_) => "degraded",
        PodState::Terminating | PodState::Down | PodState::Destroyed => "offline",
        PodState::Error => "unreachable",
    }
}

/// What an instance uses.
#[derive(Debug, Clone, PartialEq)]
pub struct InstanceMetrics {
    /// The instance.
    pub instance: InstanceView,
    /// What it uses.
    pub usage: PodUsage,
}

fn id_made(app: AppId, name: &str) -> String {
    let digest = sha256(format!("{app}\0{name}").as_bytes());
    let bits = digest.iter().take(16).fold(0_u128, |bits, byte| (bits << 8) | u128::from(*byte));
    ulid(uuid::Uuid::from_u128(bits))
}

impl Service {
    /// The instances that the caller may see.
    ///
    /// # Errors
    /// `Invalid` for a filter that is none; `Forbidden` for nodes.
    pub async fn instances_list(
        &self,
        cx: &Cx,
        filter: &InstanceFilter,
        page: PageQuery,
    ) -> Result<Page<InstanceView>> {
        let is_for_builds = match filter.role.as_deref() {
            None => None,
            Some("instance") => Some(false),
            Some("build") => Some(true),
            Some(_) => return Err(Error::invalid("role", "It is either instance or build.")),
        };
        let all: Vec<InstanceView> = match filter.kind.as_deref() {
            // Builds have no processes of apps.
            None | Some("pod") if is_for_builds == Some(true) => Vec::new(),
            None | Some("pod") => {
                let all = self.instances_of(cx, filter.service.as_deref()).await?;
                all.into_iter().map(|instance| InstanceView::Pod(Box::new(instance))).collect()
            }
            Some("node") => {
                cx.admin()?;
                // A machine is of no service.
                let nodes = if filter.service.is_some() { Vec::new() } else { self.engine_nodes().await? };
                let is_wanted = |node: &NodeStatus| is_for_builds.is_none_or(|wanted| node.is_for_builds == wanted);
                nodes.into_iter().filter(is_wanted).map(InstanceView::Node).collect()
            }
            Some(_) => return Err(Error::invalid("kind", "It is either pod or node.")),
        };
        let count = all.len() as u64;
        let mut items: Vec<InstanceView> =
            all.into_iter().skip(page.offset as usize).take(page.limit as usize).collect();
        self.machines_add(&mut items).await;
        Ok(Page { count, items })
    }

    /// One instance, by identity or name: a process, or for administrators a machine.
    ///
    /// # Errors
    /// `Missing`, also for those that the caller may not see.
    pub async fn instance_get(&self, cx: &Cx, text: &str) -> Result<InstanceView> {
        let mut found = [self.instance_find(cx, text).await?];
        self.machines_add(&mut found).await;
        let [found] = found;
        Ok(found)
    }

    /// Adds the machines that processes run on. Where they cannot be told, there are none.
    async fn machines_add(&self, instances: &mut [InstanceView]) {
        let is_placed = |view: &InstanceView| match view {
            InstanceView::Pod(instance) => instance.pod.node.is_some(),
            InstanceView::Node(_) => false,
        };
        if !instances.iter().any(is_placed) {
            return;
        }
        let nodes = match self.engine_nodes().await {
            Ok(nodes) => nodes,
            Err(error) => {
                tracing::debug!("the machines of processes are not known: {error}");
                return;
            }
        };
        let nodes: HashMap<&str, &NodeStatus> = nodes.iter().map(|node| (node.name.as_str(), node)).collect();
        for view in instances {
            if let InstanceView::Pod(instance) = view {
                let name = instance.pod.node.as_deref();
                instance.machine = name.and_then(|name| nodes.get(name).copied().cloned());
            }
        }
    }

    async fn instance_find(&self, cx: &Cx, text: &str) -> Result<InstanceView> {
        let all = self.instances_of(cx, None).await?;
        let is_it = |instance: &Instance| instance.pod.name == text || instance.id().eq_ignore_ascii_case(text);
        if let Some(found) = all.into_iter().find(is_it) {
            return Ok(InstanceView::Pod(Box::new(found)));
        }
        let missing = || Error::Missing(MISSING.to_owned());
        cx.admin().map_err(|_| missing())?;
        let is_it = |node: &NodeStatus| node.name == text || node.uid.eq_ignore_ascii_case(text);
        let node = self.engine_nodes().await?.into_iter().find(is_it).ok_or_else(missing)?;
        Ok(InstanceView::Node(node))
    }

    /// What an instance uses.
    ///
    /// # Errors
    /// `Missing`; `Unavailable`, with the reason, when nobody measures it.
    pub async fn instance_metrics(&self, cx: &Cx, text: &str) -> Result<InstanceMetrics> {
        let instance = self.instance_find(cx, text).await?;
        let found = match &instance {
            InstanceView::Pod(found) => self.engine().pod_usage(found.view.app.id, &found.pod.name).await,
            InstanceView::Node(node) => self.engine().node_usage(&node.name).await,
        };
        match found {
            Ok(usage) => Ok(InstanceMetrics { instance, usage }),
            Err(EngineError::Missing(_)) => Err(Error::Missing(MISSING.to_owned())),
            Err(EngineError::Rejected(reason)) => Err(Error::Unavailable { context: reason.clone(), public: reason }),
            Err(EngineError::Unavailable { public, context }) => Err(Error::Unavailable { public, context }),
            Err(error @ EngineError::TimedOut(_)) => {
                Err(Error::Unavailable { public: "Metrics took too long.".to_owned(), context: error.to_string() })
            }
        }
    }

    /// The machines; none where the engine tells of none.
    async fn engine_nodes(&self) -> Result<Vec<NodeStatus>> {
        match self.engine().nodes().await {
            Ok(nodes) => Ok(nodes),
            Err(EngineError::Rejected(_)) => Ok(Vec::new()),
            Err(error) => Err(crate::engine_error::engine_error(error)),
        }
    }

    /// The instances of every app that the caller may see, or of one service: newest first.
    async fn instances_of(&self, cx: &Cx, service: Option<&str>) -> Result<Vec<Instance>> {
        let (views, only): (Vec<DeploymentView>, Option<ProcessType>) = match service {
            Some(service) => match self.service_for(cx, service, AppAction::Use).await {
                Ok((view, process_type)) => (vec![view], Some(process_type)),
                Err(Error::NotFound { .. }) => return Ok(Vec::new()),
                Err(error) => return Err(error),
            },
            None => {
                (self.views_list(cx, Wanted::default(), PageQuery { limit: u32::MAX, offset: 0 }).await?.items, None)
            }
        };
        let mut instances = Vec::new();
        for view in views {
            let status = match self.engine().app_status(view.app.id).await {
                Ok(status) => status,
                Err(EngineError::Missing(_)) => continue,
                Err(error) => return Err(crate::engine_error::engine_error(error)),
            };
            let pods = status.pods.into_iter().filter(|pod| {
                pod.process_type.as_str() != "run" && only.as_ref().is_none_or(|only| pod.process_type == *only)
            });
            instances.extend(pods.map(|pod| Instance { view: view.clone(), pod, machine: None }));
        }
        // One process may be told of twice while it is replaced.
        let mut seen: HashSet<String> = HashSet::new();
        instances.retain(|instance| seen.insert(instance.id()));
        instances.sort_by(|a, b| b.pod.started.cmp(&a.pod.started).then_with(|| a.pod.name.cmp(&b.pod.name)));
        Ok(instances)
    }
}
