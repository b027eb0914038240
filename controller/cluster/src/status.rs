//! From what is on the cluster to what the service layer asks for. Pure.
//!
//! Source: `drycc-v2.md` §4.9 (states of pods) and §4.10 (what makes a rollout fail).

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use slipway_core::{ProcessType, ReleaseVersion};
use slipway_engine::status::{PodState, PodStatus, Rollout, RolloutState};
use slipway_engine::{AppStatus, LastExit};

use crate::index::{AppObjects, Deployment};
use crate::outline::Outline;
use crate::pod::{Container, Ended, Phase, Pod};

/// How long a pod may find no node before that counts as a failure: nodes come and go, and old pods make room.
const UNSCHEDULABLE_MAX: TimeDelta = TimeDelta::seconds(10);
/// Ends by itself from which a container that is not ready counts as failing.
const FAILING_FROM: u32 = 2;
/// Ends longer ago than this say nothing about a rollout.
const ENDED_RECENTLY: TimeDelta = TimeDelta::minutes(10);
/// Reasons of a waiting container that do not go away by themselves. Source: §4.10.
pub(crate) const FAILING_REASONS: [&str; 9] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "RegistryUnavailable",
    "ErrImageInspect",
    "ImageInspectError",
    "ErrImageNeverPull",
    "CreateContainerError",
    "RunContainerError",
];

/// An event about an object of the app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Name of the object.
    pub object: Box<str>,
    /// In one word: `Unhealthy`, `Pulling`.
    pub reason: Box<str>,
    /// For people.
    pub message: Box<str>,
    /// When it was last seen.
    pub time: DateTime<Utc>,
}

/// What is wanted of the app, as far as this process knows.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wish<'a> {
    /// Generation of the wish that this process wrote last; `None` when another one does that.
    pub applied: Option<i64>,
    /// The newest wish.
    pub outline: Option<&'a Outline>,
}

/// A status, and whose output would explain it.
#[derive(Debug, Clone, Default)]
pub struct Assessment {
    /// The status; the reason of a failure is without output.
    pub status: AppStatus,
    /// The pod whose last end made the rollout fail.
    pub crashed: Option<Arc<Pod>>,
    /// The pod that the rollout waits for.
    pub awaited: Option<Arc<Pod>>,
}

/// What one process type of a release should be.
struct Wanted<'a> {
    process_type: &'a ProcessType,
    version: ReleaseVersion,
    /// `None` when the cluster decides.
    replicas: Option<u32>,
    deployment: Option<&'a Deployment>,
}

impl Wanted<'_> {
    fn is_complete(&self) -> bool {
        match self.deployment {
            Some(deployment) => {
                deployment.version == Some(self.version)
                    && self.replicas.is_none_or(|replicas| replicas == deployment.wanted)
                    && deployment.is_complete()
            }
            None => self.replicas == Some(0),
        }
    }
}

/// What is known of an app whose objects are `objects`.
#[must_use]
pub fn assess(objects: &AppObjects, wish: Wish<'_>, events: &[Event], now: DateTime<Utc>) -> Assessment {
    let wanted = wanted(objects, wish.outline);
    let version = wish.outline.map_or_else(
        || wanted.iter().map(|one| one.version).max(),
        |outline| outline.release.as_ref().map(|one| one.version),
    );
    let mut assessment = Assessment::default();
    let is_complete = wanted.iter().all(Wanted::is_complete);
    if let Some(version) = version {
        let state =
            if is_complete { RolloutState::Ready } else { progress(objects, &wanted, events, now, &mut assessment) };
        assessment.status.rollout = Some(Rollout { version, state });
    }
    let is_extra = |one: &Arc<Deployment>| !wanted.iter().any(|wanted| wanted.process_type.as_str() == type_of(one));
    let has_left_over = objects.deployments.iter().any(is_extra)
        || objects.pods.iter().any(|pod| {
            !pod.is_one_off()
                && !matches!(pod.phase, Phase::Succeeded | Phase::Failed)
                && (pod.is_deleting || pod.version != version)
        });
    assessment.status.is_settled = is_complete && !has_left_over;
    // What another controller applied is on the cluster; which wish it was is in the database.
    assessment.status.applied_generation = wish.applied.or((!objects.deployments.is_empty()).then_some(0));
    assessment.status.serving = serving(objects, wish.outline, version.filter(|_| is_complete));
    assessment.status.pods = objects.pods.iter().filter_map(|pod| pod_status(pod, events)).collect();
    assessment
}

fn type_of(deployment: &Deployment) -> &str {
    deployment.process_type.as_ref().map_or("", ProcessType::as_str)
}

fn wanted<'a>(objects: &'a AppObjects, outline: Option<&'a Outline>) -> Vec<Wanted<'a>> {
    let Some(outline) = outline else {
        let all = objects.deployments.iter().filter(|one| !one.is_deleting);
        return all
            .filter_map(|one| {
                let (process_type, version) = (one.process_type.as_ref()?, one.version?);
                Some(Wanted { process_type, version, replicas: None, deployment: Some(one) })
            })
            .collect();
    };
    let Some(release) = &outline.release else { return Vec::new() };
    let of = |process_type: &ProcessType| {
        objects.deployments.iter().find(|one| one.process_type.as_ref() == Some(process_type)).map(AsRef::as_ref)
    };
    let each = release.processes.iter().map(|process| Wanted {
        process_type: &process.process_type,
        version: release.version,
        replicas: process.replicas,
        deployment: of(&process.process_type),
    });
    each.collect()
}

/// The pods that the newest template of a Deployment made.
fn pods_of<'a>(objects: &'a AppObjects, wanted: &'a Wanted<'a>) -> impl Iterator<Item = &'a Arc<Pod>> {
    let newest = objects
        .replica_sets
        .iter()
        .filter(|set| {
            set.version == Some(wanted.version)
                && wanted.deployment.is_some_and(|one| set.owner.as_deref() == Some(&one.name))
        })
        .max_by_key(|set| set.created);
    objects.pods.iter().filter(move |pod| {
        pod.process_type.as_ref() == Some(wanted.process_type)
            && pod.version == Some(wanted.version)
            && !pod.is_deleting
            && !pod.is_one_off()
            && newest.is_none_or(|set| pod.owner.is_none() || pod.owner == Some(set.name.clone()))
    })
}

/// How far a rollout is that is not complete.
fn progress(
    objects: &AppObjects,
    wanted: &[Wanted<'_>],
    events: &[Event],
    now: DateTime<Utc>,
    assessment: &mut Assessment,
) -> RolloutState {
    let incomplete = || wanted.iter().filter(|one| !one.is_complete());
    for one in incomplete() {
        for pod in pods_of(objects, one) {
            if let Some((reason, is_crash)) = failure(pod, now) {
                if is_crash {
                    assessment.crashed = Some(Arc::clone(pod));
                }
                assessment.awaited = Some(Arc::clone(pod));
                return RolloutState::Failing(format!("{} {reason}", pod.source()));
            }
        }
        let deployment = one.deployment.filter(|one| one.observed_generation >= one.generation);
        if let Some(deployment) = deployment.filter(|deployment| deployment.version == Some(one.version)) {
            if let Some(reason) = &deployment.replica_failure {
                return RolloutState::Failing(format!("{} cannot be started: {reason}", one.process_type));
            }
            if let Some(reason) = &deployment.stalled {
                let unhealthy = pods_of(objects, one).find_map(|pod| unhealthy(pod, events));
                let unhealthy = unhealthy.map(|message| format!("\n{message}")).unwrap_or_default();
                assessment.awaited = pods_of(objects, one).find(|pod| !pod.is_ready).cloned();
                return RolloutState::Failing(format!(
                    "{} does not become ready: {reason}{unhealthy}",
                    one.process_type
                ));
            }
        }
    }
    let total: u32 = wanted.iter().map(|one| one.replicas.or(one.deployment.map(|one| one.wanted)).unwrap_or(1)).sum();
    let ready: usize = wanted.iter().map(|one| pods_of(objects, one).filter(|pod| pod.is_ready).count()).sum();
    let mut text = format!("{ready} of {total} processes ready");
    let waiting = incomplete().find_map(|one| pods_of(objects, one).find(|pod| !pod.is_ready));
    if let Some(pod) = waiting {
        text = format!("{text}; {} {}", pod.source(), doing(pod, events));
        assessment.awaited = Some(Arc::clone(pod));
    } else if let Some(one) = incomplete().next() {
        let what = if one.deployment.is_none_or(|deployment| deployment.version != Some(one.version)) {
            "is not begun yet"
        } else {
            "is being replaced"
        };
        text = format!("{text}; {} {what}", one.process_type);
    }
    RolloutState::Progressing(text)
}

/// Why a pod will not become ready as things are, and whether its container ended by itself.
pub(crate) fn failure(pod: &Pod, now: DateTime<Utc>) -> Option<(String, bool)> {
    if let Some((since, message)) = &pod.unschedulable
        && now - since >= UNSCHEDULABLE_MAX
    {
        return Some((format!("finds no machine (Unschedulable): {message}"), false));
    }
    if pod.phase == Phase::Failed {
        let text = match &pod.state {
            Container::Ended(ended) => end_text(ended),
            _ => "was ended by the cluster".to_owned(),
        };
        return Some((text, false));
    }
    if pod.is_container_ready {
        return None;
    }
    if let Container::Waiting { reason, message } = &pod.state
        && FAILING_REASONS.contains(&&**reason)
    {
        return Some((format!("cannot be started ({reason}): {message}"), false));
    }
    let last = pod.last_end();
    let is_backing_off = matches!(&pod.state, Container::Waiting { reason, .. } if &**reason == "CrashLoopBackOff");
    let is_recent = last.and_then(|last| last.finished).is_some_and(|at| now - at < ENDED_RECENTLY);
    // Ends are one more than restarts while the container is not running.
    let ends = pod.restarts + u32::from(!matches!(pod.state, Container::Running { .. }));
    if ends >= FAILING_FROM && (is_backing_off || is_recent) {
        let text = last.map_or_else(|| "ended".to_owned(), end_text);
        let name = if is_backing_off { "CrashLoopBackOff, " } else { "" };
        return Some((format!("{text} ({name}{ends} times)"), true));
    }
    None
}

fn end_text(ended: &Ended) -> String {
    match &*ended.reason {
        "OOMKilled" => "was ended for using more memory than its limit (OOMKilled)".to_owned(),
        // The message repeats the end of the output, which is told as such.
        _ => format!("ended with exit code {}", ended.exit_code),
    }
}

fn unhealthy<'a>(pod: &Pod, events: &'a [Event]) -> Option<&'a str> {
    let about = events.iter().filter(|event| *event.object == *pod.name && &*event.reason == "Unhealthy");
    about.max_by_key(|event| event.time).map(|event| &*event.message)
}

/// What a pod that is not ready does.
fn doing(pod: &Pod, events: &[Event]) -> String {
    if let Some((_, message)) = &pod.unschedulable {
        return format!("finds no machine yet: {message}");
    }
    match &pod.state {
        Container::Running { .. } => match unhealthy(pod, events) {
            Some(message) => format!("does not pass its health check yet: {message}"),
            None => "is starting".to_owned(),
        },
        Container::Waiting { reason, .. } if &**reason != "ContainerCreating" => format!("waits: {reason}"),
        Container::Ended(_) => "ended and will be started again".to_owned(),
        Container::None | Container::Waiting { .. } => "is being made ready".to_owned(),
    }
}

/// The release that requests go to: while a rollout is under way the one that was there before, if it still is.
fn serving(
    objects: &AppObjects,
    outline: Option<&Outline>,
    complete: Option<ReleaseVersion>,
) -> Option<ReleaseVersion> {
    let routed = outline
        .and_then(|outline| outline.release.as_ref())
        .and_then(|release| release.processes.iter().find(|process| process.is_routed))
        .map(|process| &process.process_type);
    let is_serving = |pod: &&Arc<Pod>| {
        pod.is_ready
            && pod.is_alive()
            && !pod.is_one_off()
            && routed.is_none_or(|routed| pod.process_type.as_ref() == Some(routed))
    };
    complete.or_else(|| objects.pods.iter().filter(is_serving).filter_map(|pod| pod.version).min())
}

fn pod_status(pod: &Pod, events: &[Event]) -> Option<PodStatus> {
    Some(PodStatus {
        name: pod.name.to_string(),
        process_type: pod.process_type.clone()?,
        version: pod.version?,
        state: pod_state(pod, events),
        started: pod.started.unwrap_or(pod.created),
        restarts: pod.restarts,
        uid: Some(pod.uid.to_string()),
        cpu_millis: None,
        pid: None,
        // What ends since it is to end does not end by itself.
        last_exit: if pod.is_deleting { pod.ended.as_ref() } else { pod.last_end() }
            .map(|ended| LastExit { code: ended.exit_code, time: ended.finished }),
        address: pod.address,
        node: pod.node.as_deref().map(str::to_owned),
    })
}

/// The state of a pod as users see it. Source: `drycc-v2.md` §4.9.
#[must_use]
pub fn pod_state(pod: &Pod, events: &[Event]) -> PodState {
    match pod.phase {
        Phase::Pending | Phase::Running if pod.is_deleting => PodState::Terminating,
        Phase::Pending => match &pod.state {
            Container::Waiting { reason, .. } if &**reason == "ContainerCreating" => {
                let about = events.iter().filter(|event| *event.object == *pod.name);
                about
                    .max_by_key(|event| event.time)
                    .map_or(PodState::Creating, |event| PodState::Other(event.reason.to_string()))
            }
            Container::Waiting { reason, .. } if !reason.is_empty() => PodState::Other(reason.to_string()),
            _ => PodState::Initializing,
        },
        Phase::Running => match &pod.state {
            Container::Waiting { reason, .. } if reason.is_empty() => PodState::Error,
            Container::Waiting { reason, .. } => PodState::Other(reason.to_string()),
            Container::Ended(_) => PodState::Terminating,
            Container::Running { .. } | Container::None if pod.is_container_ready => PodState::Up,
            Container::Running { .. } | Container::None => PodState::Starting,
        },
        Phase::Succeeded => PodState::Down,
        Phase::Failed => PodState::Crashed,
        Phase::Unknown => PodState::Error,
    }
}

#[cfg(test)]
mod tests;
