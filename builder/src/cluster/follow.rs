//! Follows a build's pod: its steps one after the other, their output, and how they end.

use std::str::FromStr;
use std::time::Duration;

use futures::stream::BoxStream;
use futures::{AsyncBufRead, AsyncBufReadExt, StreamExt};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ContainerState, Pod};
use kube::api::LogParams;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};
use uuid::Uuid;

use super::job::LABEL_BUILD;
use super::settings::JobLimits;
use super::task::Failure;
use crate::build::local::duration;
use crate::build::tree::human;
use crate::{BuildError, BuildOutput};

/// Longest line that is passed on whole, in bytes.
const LINE_MAX: usize = 16 * 1024;
/// How much longer than a build may take a step is waited for that ends it by itself.
const OWN_LIMIT: Duration = Duration::from_secs(5);
/// How often a log that broke off is asked for again.
const LOG_ATTEMPTS: u32 = 20;

/// A build's Job that was made.
pub(crate) struct Followed<'a> {
    pub(crate) client: &'a Client,
    pub(crate) namespace: &'a str,
    pub(crate) job: &'a str,
    pub(crate) build: Uuid,
    pub(crate) steps: &'a [&'a str],
    pub(crate) limits: &'a JobLimits,
}

/// The build's pod as it was last seen.
struct PodWatch {
    events: BoxStream<'static, Result<Event<Pod>, watcher::Error>>,
    latest: Option<Pod>,
    is_gone: bool,
}

impl PodWatch {
    fn is_being_removed(&self) -> bool {
        self.is_gone || self.latest.as_ref().is_some_and(|pod| pod.metadata.deletion_timestamp.is_some())
    }

    /// Waits until `look` sees something in the pod; `None` when the pod is gone.
    async fn until<T>(&mut self, mut look: impl FnMut(&Pod) -> Option<T>) -> Option<T> {
        loop {
            if let Some(found) = self.latest.as_ref().and_then(&mut look) {
                return Some(found);
            }
            if self.is_gone {
                return None;
            }
            match self.events.next().await? {
                Ok(Event::Apply(pod) | Event::InitApply(pod)) => self.latest = Some(pod),
                Ok(Event::Delete(pod)) => {
                    // Its last state may tell how it ended.
                    self.latest = Some(pod);
                    self.is_gone = true;
                }
                Ok(Event::Init | Event::InitDone) => {}
                Err(error) => tracing::debug!(%error, "watching a build's pod"),
            }
        }
    }
}

fn state<'p>(pod: &'p Pod, step: &str) -> Option<&'p ContainerState> {
    let status = pod.status.as_ref()?;
    let all = status.init_container_statuses.iter().flatten().chain(status.container_statuses.iter().flatten());
    all.into_iter().find(|container| container.name == step)?.state.as_ref()
}

/// How a step ended.
#[derive(Debug)]
struct Ended {
    code: i32,
    reason: String,
    message: String,
}

fn ended(pod: &Pod, step: &str) -> Option<Ended> {
    let terminated = state(pod, step)?.terminated.as_ref()?;
    Some(Ended {
        code: terminated.exit_code,
        reason: terminated.reason.clone().unwrap_or_default(),
        message: terminated.message.clone().unwrap_or_default(),
    })
}

fn pod_reason(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    (status.phase.as_deref() == Some("Failed")).then(|| status.reason.clone().unwrap_or_default())
}

/// Reasons for which a container waits that do not pass by themselves.
fn is_stuck(reason: &str) -> bool {
    matches!(reason, "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull" | "CreateContainerError")
}

impl Followed<'_> {
    /// Passes the output of all steps on; returns when the last one ended well.
    pub(crate) async fn run(&self, output: &BuildOutput) -> Result<(), BuildError> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), self.namespace);
        let selector = watcher::Config::default().labels(&format!("{LABEL_BUILD}={}", self.build));
        let events = watcher::watcher(pods.clone(), selector).default_backoff().boxed();
        let mut watch = PodWatch { events, latest: None, is_gone: false };
        let mut log = LogReader { pods, output, left: self.limits.output_bytes };
        for step in self.steps {
            let started = watch.until(|pod| {
                let state = state(pod, step);
                let waiting = state.and_then(|state| state.waiting.as_ref());
                let reason = waiting.and_then(|waiting| waiting.reason.as_deref()).unwrap_or_default();
                if let Some(waiting) = waiting.filter(|_| is_stuck(reason)) {
                    let message = waiting.message.as_deref().unwrap_or_default();
                    return Some(Err(BuildError::Unavailable(format!(
                        "the build's container cannot start: {reason}: {message}"
                    ))));
                }
                let is_there = state.is_some_and(|state| state.running.is_some() || state.terminated.is_some());
                let name = pod.metadata.name.clone().unwrap_or_default();
                match pod_reason(pod) {
                    Some(reason) if !is_there => Some(Err(self.pod_failure(&reason))),
                    _ => is_there.then_some(Ok(name)),
                }
            });
            let started = match tokio::time::timeout(self.limits.start, started).await {
                Ok(Some(started)) => started,
                Ok(None) => Err(self.gone().await),
                Err(_) => Err(self.not_started(watch.latest.as_ref())),
            };
            let pod = started?;
            let run = async {
                log.follow(&pod, step, &mut watch).await;
                watch.until(|pod| ended(pod, step).map(Ok).or_else(|| pod_reason(pod).map(Err))).await
            };
            // Buildpacks are ended by their own step, which tells; other programs know of no limit.
            let Ok(end) = tokio::time::timeout(self.limits.time + OWN_LIMIT, run).await else {
                return Err(self.too_long());
            };
            let Some(end) = end else { return Err(self.gone().await) };
            match end {
                Ok(end) if end.code == 0 => {}
                // Killed since somebody removed it.
                Ok(end) if watch.is_being_removed() && Failure::from_message(&end.message).is_none() => {
                    return Err(self.gone().await);
                }
                Ok(end) => return Err(self.step_failure(step, &end)),
                Err(reason) => return Err(self.pod_failure(&reason)),
            }
        }
        Ok(())
    }

    fn step_failure(&self, step: &str, end: &Ended) -> BuildError {
        if let Some(failure) = Failure::from_message(&end.message) {
            return failure.into();
        }
        if end.reason == "OOMKilled" {
            return BuildError::Limit(format!(
                "the build used more than {} of memory",
                human(self.limits.memory_bytes)
            ));
        }
        if [super::job::LAST, "fetch", "pack"].contains(&step) {
            tracing::error!(job = self.job, step, code = end.code, message = end.message, "a step of a build died");
            return BuildError::Internal(format!("the step '{step}' of the build died; the platform's log says more"));
        }
        BuildError::Failed(format!("Build pod exited with code {}, stopping build.", end.code))
    }

    fn pod_failure(&self, reason: &str) -> BuildError {
        match reason {
            "Evicted" => BuildError::Limit(format!(
                "the build was evicted: it used more than {} of disk space, or its node ran out",
                human(self.limits.disk_bytes)
            )),
            "DeadlineExceeded" => self.too_long(),
            reason => BuildError::Unavailable(format!("the build's pod failed: {reason}")),
        }
    }

    fn too_long(&self) -> BuildError {
        BuildError::Limit(format!("the build took longer than {}", duration(self.limits.time)))
    }

    fn not_started(&self, pod: Option<&Pod>) -> BuildError {
        let conditions = pod.and_then(|pod| pod.status.as_ref()).and_then(|status| status.conditions.as_ref());
        let why = conditions
            .into_iter()
            .flatten()
            .find(|condition| condition.status != "True" && condition.message.is_some())
            .and_then(|condition| condition.message.clone())
            .unwrap_or_else(|| "the cluster made no pod for it; it may have a quota".to_owned());
        BuildError::Unavailable(format!("the build did not start within {}: {why}", duration(self.limits.start)))
    }

    /// Why the pod is gone.
    async fn gone(&self) -> BuildError {
        let jobs: Api<Job> = Api::namespaced(self.client.clone(), self.namespace);
        let job = jobs.get_opt(self.job).await.ok().flatten();
        let conditions = job.and_then(|job| job.status).and_then(|status| status.conditions);
        let is_late =
            conditions.into_iter().flatten().any(|condition| condition.reason.as_deref() == Some("DeadlineExceeded"));
        if is_late {
            return self.too_long();
        }
        BuildError::Unavailable("the build's pod was removed by somebody else; push again".to_owned())
    }
}

/// Reads logs, and what is left of the allowance.
struct LogReader<'a> {
    pods: Api<Pod>,
    output: &'a BuildOutput,
    left: u64,
}

impl LogReader<'_> {
    /// Passes the log of `step` on until the step has ended.
    async fn follow(&mut self, pod: &str, step: &str, watch: &mut PodWatch) {
        // Time of the last line, as written before it: where to go on when the connection breaks.
        let mut seen = None;
        for _ in 0..LOG_ATTEMPTS {
            let parameters = LogParams {
                container: Some(step.to_owned()),
                follow: true,
                timestamps: true,
                // Servers look at whole seconds, so that lines may come twice; they are told by their time.
                since_time: seen,
                ..LogParams::default()
            };
            match self.pods.log_stream(pod, &parameters).await {
                Ok(mut stream) => self.pass_on(&mut stream, &mut seen).await,
                Err(error) => tracing::debug!(%error, pod, step, "a build's log cannot be read"),
            }
            let is_over = |pod: &Pod| (ended(pod, step).is_some() || pod_reason(pod).is_some()).then_some(());
            let over = tokio::time::timeout(Duration::from_secs(1), watch.until(is_over)).await;
            if over.is_ok() {
                return;
            }
        }
    }

    async fn pass_on<T: FromStr + PartialOrd + Copy>(
        &mut self,
        stream: &mut (impl AsyncBufRead + Unpin),
        seen: &mut Option<T>,
    ) {
        let known = *seen;
        let mut line = Vec::new();
        loop {
            line.clear();
            match stream.read_until(b'\n', &mut line).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            let Some(space) = line.iter().position(|byte| *byte == b' ') else { continue };
            let time = std::str::from_utf8(&line[..space]).ok().and_then(|time| time.parse::<T>().ok());
            if let (Some(known), Some(time)) = (known, time)
                && time <= known
            {
                continue;
            }
            *seen = time.or(*seen);
            let text = &line[space + 1..];
            let text = &text[..text.len().min(LINE_MAX)];
            if self.left == 0 {
                continue;
            }
            self.left = self.left.saturating_sub(text.len() as u64);
            self.output.raw(text).await;
            if self.left == 0 {
                self.output.line("\n       [the rest of the output is left out]").await;
            }
        }
    }
}
