//! What is kept in memory of a pod.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use slipway_core::{ProcessType, ReleaseVersion};

use crate::labels;

/// Longest reason or message that is kept, in bytes.
const TEXT_MAX: usize = 1024;

/// A pod, cut down to what statuses and logs need: 20,000 of them stay in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    /// Its name.
    pub name: Box<str>,
    /// Its UID.
    pub uid: Box<str>,
    /// Label `type`.
    pub process_type: Option<ProcessType>,
    /// Label `version`.
    pub version: Option<ReleaseVersion>,
    /// The ReplicaSet or Job that owns it.
    pub owner: Option<Box<str>>,
    /// The Job that made it, if one did.
    pub job: Option<Box<str>>,
    /// The container that is looked at: `<app>-<type>`, else the first.
    pub container: Box<str>,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When the kubelet took it.
    pub started: Option<DateTime<Utc>>,
    /// Whether it has a deletion stamp.
    pub is_deleting: bool,
    /// `status.phase`.
    pub phase: Phase,
    /// Condition `Ready`.
    pub is_ready: bool,
    /// Since when, and why, no node takes it.
    pub unschedulable: Option<(DateTime<Utc>, Box<str>)>,
    /// Whether the container counts as ready.
    pub is_container_ready: bool,
    /// How often the container was restarted.
    pub restarts: u32,
    /// What the container does.
    pub state: Container,
    /// How the container ended before the last restart.
    pub ended: Option<Ended>,
    /// Its address, once it has run. Not before, so that being given one is no change of its own.
    pub address: Option<IpAddr>,
    /// The node whose kubelet took it.
    pub node: Option<Box<str>>,
}

/// `status.phase` of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Not every container was started.
    Pending,
    /// At least one container runs or is being restarted.
    Running,
    /// Every container ended with 0.
    Succeeded,
    /// Every container ended, not all of them with 0.
    Failed,
    /// The node does not answer.
    Unknown,
}

/// What a container does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Container {
    /// Nothing is known of it yet.
    None,
    /// It is not running: `ContainerCreating`, `ImagePullBackOff`, `CrashLoopBackOff` …
    Waiting {
        /// In one word.
        reason: Box<str>,
        /// For people.
        message: Box<str>,
    },
    /// It runs.
    Running {
        /// Since then.
        since: Option<DateTime<Utc>>,
    },
    /// It ended.
    Ended(Ended),
}

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Its exit code; 128 + n when signal n ended it.
    pub exit_code: i32,
    /// `Completed`, `Error`, `OOMKilled` …
    pub reason: Box<str>,
    /// For people; mostly empty.
    pub message: Box<str>,
    /// When.
    pub finished: Option<DateTime<Utc>>,
}

/// A time of Kubernetes as ours. Times outside the range of both (there are none) become the epoch.
pub(crate) fn time(time: &Time) -> DateTime<Utc> {
    let nanos = u32::try_from(time.0.subsec_nanosecond()).unwrap_or(0);
    DateTime::from_timestamp(time.0.as_second(), nanos).unwrap_or_default()
}

/// A text without its end when it is too long to keep.
pub(crate) fn cut(text: &str) -> Box<str> {
    if text.len() <= TEXT_MAX {
        return text.into();
    }
    let end = (0..=TEXT_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}…", text.get(..end).unwrap_or_default()).into()
}

fn ended(ended: &core::ContainerStateTerminated) -> Ended {
    Ended {
        exit_code: ended.exit_code,
        reason: cut(ended.reason.as_deref().unwrap_or_default()),
        message: cut(ended.message.as_deref().unwrap_or_default()),
        finished: ended.finished_at.as_ref().map(time),
    }
}

fn container(state: Option<&core::ContainerState>) -> Container {
    let Some(state) = state else { return Container::None };
    if let Some(running) = &state.running {
        return Container::Running { since: running.started_at.as_ref().map(time) };
    }
    if let Some(terminated) = &state.terminated {
        return Container::Ended(ended(terminated));
    }
    match &state.waiting {
        Some(waiting) => Container::Waiting {
            reason: cut(waiting.reason.as_deref().unwrap_or_default()),
            message: cut(waiting.message.as_deref().unwrap_or_default()),
        },
        None => Container::None,
    }
}

/// The release that a label `version` names.
pub(crate) fn version(label: &str) -> Option<ReleaseVersion> {
    label.strip_prefix('v').and_then(|digits| digits.parse().ok()).map(ReleaseVersion)
}

impl Pod {
    /// Keeps what is needed of `pod`. A pod without name is none.
    #[must_use]
    pub fn new(pod: &core::Pod) -> Option<Self> {
        let meta = &pod.metadata;
        let name = meta.name.as_deref()?;
        let empty = std::collections::BTreeMap::new();
        let own = meta.labels.as_ref().unwrap_or(&empty);
        let status = pod.status.as_ref();
        let statuses = status.and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
        let containers = pod.spec.as_ref().map(|spec| spec.containers.as_slice()).unwrap_or_default();
        let wanted = format!(
            "{}-{}",
            own.get(labels::LABEL_APP).map(String::as_str).unwrap_or_default(),
            own.get(labels::LABEL_TYPE).map(String::as_str).unwrap_or_default()
        );
        let first = containers.iter().find(|container| container.name == wanted).or_else(|| containers.first());
        let container_name = first.map(|container| container.name.as_str()).unwrap_or_default();
        let container_status = statuses.iter().find(|status| status.name == container_name);
        let conditions = status.and_then(|status| status.conditions.as_deref()).unwrap_or_default();
        let condition = |wanted: &str| conditions.iter().find(|condition| condition.type_ == wanted);
        let unschedulable = condition("PodScheduled")
            .filter(|condition| condition.status == "False" && condition.reason.as_deref() == Some("Unschedulable"))
            .map(|condition| {
                let since = condition.last_transition_time.as_ref().map(time).unwrap_or_default();
                (since, cut(condition.message.as_deref().unwrap_or_default()))
            });
        let phase = match status.and_then(|status| status.phase.as_deref()) {
            Some("Running") => Phase::Running,
            Some("Succeeded") => Phase::Succeeded,
            Some("Failed") => Phase::Failed,
            Some("Unknown") => Phase::Unknown,
            Some(_) | None => Phase::Pending,
        };
        Some(Self {
            name: name.into(),
            uid: meta.uid.as_deref().unwrap_or_default().into(),
            process_type: own.get(labels::LABEL_TYPE).and_then(|text| ProcessType::new(text.as_str()).ok()),
            version: own.get(labels::LABEL_VERSION).and_then(|text| version(text)),
            owner: meta
                .owner_references
                .iter()
                .flatten()
                .find(|owner| owner.controller == Some(true))
                .map(|owner| owner.name.as_str().into()),
            job: own.get("job-name").map(|name| name.as_str().into()),
            container: container_name.into(),
            created: meta.creation_timestamp.as_ref().map(time).unwrap_or_default(),
            started: status.and_then(|status| status.start_time.as_ref()).map(time),
            is_deleting: meta.deletion_timestamp.is_some(),
            phase,
            is_ready: condition("Ready").is_some_and(|condition| condition.status == "True"),
            unschedulable,
            is_container_ready: container_status.is_some_and(|status| status.ready),
            restarts: container_status.and_then(|status| u32::try_from(status.restart_count).ok()).unwrap_or(0),
            state: container(container_status.and_then(|status| status.state.as_ref())),
            ended: container_status
                .and_then(|status| status.last_state.as_ref())
                .and_then(|state| state.terminated.as_ref())
                .map(ended),
            address: status
                .filter(|_| phase != Phase::Pending)
                .and_then(|status| status.pod_ip.as_deref()?.parse().ok()),
            node: status
                .and_then(|status| status.start_time.as_ref())
                .and(pod.spec.as_ref())
                .and_then(|spec| spec.node_name.as_deref())
                .map(Into::into),
        })
    }

    /// How its container ended last.
    #[must_use]
    pub fn last_end(&self) -> Option<&Ended> {
        match &self.state {
            Container::Ended(ended) => Some(ended),
            Container::None | Container::Waiting { .. } | Container::Running { .. } => self.ended.as_ref(),
        }
    }

    /// Who wrote its log lines: `web.x7k2q`, the type and the end of its name.
    #[must_use]
    pub fn source(&self) -> String {
        // A Job's pods add letters of their own to the name that the user was told.
        let end = self.job.as_deref().unwrap_or(&self.name).rsplit('-').next().unwrap_or_default();
        format!("{}.{end}", self.process_type.as_ref().map_or("app", ProcessType::as_str))
    }

    /// Whether it is of a one-off process.
    #[must_use]
    pub fn is_one_off(&self) -> bool {
        self.job.is_some() || self.process_type.as_ref().is_some_and(|one| *one == ProcessType::run())
    }

    /// Whether it can still do something.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        !self.is_deleting && !matches!(self.phase, Phase::Succeeded | Phase::Failed)
    }
}
