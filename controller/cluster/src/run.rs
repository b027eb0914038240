//! One-off processes, as Jobs.
//!
//! A Job lives as long as whoever waits for it: dropping the future deletes it. What a controller that was killed left
//! behind ends by its deadline, and is removed by [`Runner::sweep`].
//!
//! Source: `drycc-v2.md` §4.12.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::Utc;
use k8s_openapi::ByteString;
use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::api::{Api, DeleteParams, ListParams, LogParams, PostParams, Preconditions, PropagationPolicy};
use kube::{Client, ResourceExt};
use slipway_core::{AppName, ProcessType};
use slipway_engine::session::Output;
use slipway_engine::{Attach, EngineError, RUN_OUTPUT_MAX_BYTES, RunOutcome, RunSpec, Session};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_util::task::AbortOnDropHandle;

use crate::exec::{params, session, transfer, unavailable};
use crate::index::{Index, Kind};
use crate::kept::DEADLINE;
use crate::labels::{env_secret_name, pod_labels};
use crate::pod::{Container, Phase, Pod};
use crate::settings::FIELD_MANAGER;
use crate::status::failure;

/// Annotation of a Job: which controller waits for it.
pub const ANNOTATION_HOLDER: &str = "slipway.io/holder";

/// Added to output that was cut.
const CUT_NOTE: &str = "\n[output cut]\n";
/// How long the cluster itself keeps a Job that ended.
const TTL_SECS: i32 = 300;
/// Age beyond its deadline at which a Job is left over in any case.
const SWEEP_AFTER: Duration = Duration::from_mins(5);
/// Longest part of an app's name in a Job's: the name is a label of its pods, too.
const NAME_MAX: usize = 50;
/// Longest time without a look; changes of the index are told before.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);
/// Time without a pod after which the reason is looked for.
const POD_WAIT: Duration = Duration::from_secs(5);
/// Tries to delete a Job that nobody waits for any more.
const DELETE_TRIES: u32 = 5;
/// Pieces of output that wait for somebody to look.
const PIECES: usize = 64;

/// Runs one-off processes. Cheap to clone.
#[derive(Clone)]
pub struct Runner {
    client: Client,
    index: Index,
    holder: Arc<str>,
}

/// Deletes a Job when nobody waits for it any more.
struct Guard {
    client: Client,
    name: AppName,
    job: String,
    uid: Option<String>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let (client, name) = (self.client.clone(), self.name.clone());
        let (job, uid) = (std::mem::take(&mut self.job), self.uid.take());
        // Outside of a runtime the process ends, and the sweep of the next one finds the Job.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { delete(&client, &name, &job, uid).await });
        }
    }
}

async fn delete(client: &Client, name: &AppName, job: &str, uid: Option<String>) {
    let api: Api<Job> = Api::namespaced(client.clone(), name.as_str());
    let params = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Background),
        preconditions: uid.map(|uid| Preconditions { uid: Some(uid), resource_version: None }),
        ..DeleteParams::default()
    };
    for attempt in 0..DELETE_TRIES {
        match api.delete(job, &params).await {
            Ok(_) => return,
            // Gone, or another one of the same name.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => return,
            Err(error) => {
                tracing::warn!(app = name.as_str(), job, "a one-off process could not be removed: {error}");
                tokio::time::sleep(Duration::from_secs(1 << attempt)).await;
            }
        }
    }
}

impl Runner {
    /// A runner for the controller that is known as `holder`: the name of its pod, where it has one.
    #[must_use]
    pub fn new(client: Client, index: Index, holder: &str) -> Self {
        Self { client, index, holder: holder.into() }
    }

    /// Runs a process to its end. `pod` is what it runs as; its environment is added here.
    ///
    /// # Errors
    /// `Rejected` when the cluster will never run it, `TimedOut`, `Unavailable`.
    pub async fn run(&self, spec: &RunSpec, pod: core::PodSpec) -> Result<RunOutcome, EngineError> {
        let deadline = Instant::now() + spec.timeout;
        let guard = self.create(spec, pod).await?;
        let pod = self.wait(spec, &guard.job, deadline, |pod| ended(pod).is_some()).await?;
        let output = self.output(spec, &pod).await?;
        let exit_code = ended(&pod).unwrap_or(1);
        Ok(RunOutcome { exit_code, output })
    }

    /// Runs a process that somebody talks to.
    ///
    /// # Errors
    /// `Unavailable` or `Rejected` when it cannot be made at all; what happens later is told by the session.
    pub async fn session(&self, spec: RunSpec, mut pod: core::PodSpec, attach: Attach) -> Result<Session, EngineError> {
        let deadline = Instant::now() + spec.timeout;
        for container in &mut pod.containers {
            container.stdin = Some(attach.has_input);
            container.stdin_once = Some(attach.has_input);
            container.tty = Some(attach.terminal.is_some());
        }
        let guard = self.create(&spec, pod).await?;
        let (input, commands) = mpsc::channel(PIECES);
        let (sender, output) = mpsc::channel(PIECES);
        let this = self.clone();
        let task = tokio::spawn(async move {
            let end = match this.talk(&spec, &guard.job, deadline, attach, commands, &sender).await {
                Ok(exit_code) => Output::Exit(exit_code),
                Err(error) => Output::Lost(error.to_string()),
            };
            // Nobody may be looking any more.
            let _ = sender.send(end).await;
        });
        Ok(session(input, output, AbortOnDropHandle::new(task)))
    }

    async fn talk(
        &self,
        spec: &RunSpec,
        job: &str,
        deadline: Instant,
        attach: Attach,
        commands: mpsc::Receiver<slipway_engine::session::Input>,
        sender: &mpsc::Sender<Output>,
    ) -> Result<i32, EngineError> {
        let is_begun = |pod: &Pod| matches!(pod.state, Container::Running { .. }) || ended(pod).is_some();
        let pod = self.wait(spec, job, deadline, is_begun).await?;
        let api: Api<core::Pod> = Api::namespaced(self.client.clone(), spec.name.as_str());
        let attached = if ended(&pod).is_some() {
            None
        } else {
            api.attach(&pod.name, &params(attach, &pod.container)).await.ok()
        };
        let is_attached = attached.is_some();
        if let Some(attached) = attached {
            let transfer = transfer(attached, attach, commands, sender);
            if tokio::time::timeout_at(deadline, transfer).await.is_err() {
                return Err(EngineError::TimedOut(spec.timeout.as_secs()));
            }
        }
        let pod = self.wait(spec, job, deadline, |pod| ended(pod).is_some()).await?;
        if !is_attached {
            // It was faster than the connection to it.
            let _ = sender.send(Output::Stdout(self.output(spec, &pod).await?)).await;
        }
        Ok(ended(&pod).unwrap_or(1))
    }

    async fn create(&self, spec: &RunSpec, pod: core::PodSpec) -> Result<Guard, EngineError> {
        let secret = env_secret_name(&spec.name, spec.version);
        let has_secret = self.index.app(&spec.name).object(Kind::Secret, &secret).is_some();
        let name = job_name(spec);
        let own = format!("{name}-env");
        let job = job(spec, pod, &self.holder, if has_secret { &secret } else { &own });
        let api: Api<Job> = Api::namespaced(self.client.clone(), spec.name.as_str());
        // Made before the call: the answer may get lost, the Job not.
        let mut guard = Guard { client: self.client.clone(), name: spec.name.clone(), job: name, uid: None };
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let made = api.create(&params, &job).await;
        let made = made.map_err(|error| unavailable("the process cannot be started", &error))?;
        guard.uid = made.uid();
        if !has_secret {
            let secrets: Api<core::Secret> = Api::namespaced(self.client.clone(), spec.name.as_str());
            let made = secrets.create(&params, &env_secret(spec, &own, &made)).await;
            made.map_err(|error| unavailable("the process cannot be given its environment", &error))?;
        }
        Ok(guard)
    }

    /// Waits until the Job's pod is as `is_wanted` says, or will never be.
    async fn wait(
        &self,
        spec: &RunSpec,
        job: &str,
        deadline: Instant,
        is_wanted: impl Fn(&Pod) -> bool,
    ) -> Result<Arc<Pod>, EngineError> {
        let mut changes = self.index.changes();
        let begun = Instant::now();
        let mut has_been = false;
        loop {
            let objects = self.index.app(&spec.name);
            let pod = objects.pods.iter().find(|pod| pod.job.as_deref() == Some(job));
            match pod {
                Some(pod) if is_wanted(pod) => return Ok(Arc::clone(pod)),
                Some(pod) => {
                    has_been = true;
                    if pod.is_deleting || matches!(pod.phase, Phase::Failed | Phase::Succeeded) {
                        if Instant::now() >= deadline {
                            return Err(EngineError::TimedOut(spec.timeout.as_secs()));
                        }
                        return Err(lost("the process was ended by the cluster"));
                    }
                    if matches!(pod.phase, Phase::Pending)
                        && let Some((reason, _)) = failure(pod, Utc::now())
                    {
                        return Err(EngineError::Rejected(reason));
                    }
                }
                None if has_been => return Err(lost("the process was removed")),
                None if begun.elapsed() > POD_WAIT => {
                    if let Some(reason) = self.refusal(spec, job).await {
                        return Err(EngineError::Rejected(reason));
                    }
                }
                None => {}
            }
            if Instant::now() >= deadline {
                return Err(EngineError::TimedOut(spec.timeout.as_secs()));
            }
            let until = (Instant::now() + LOOK_INTERVAL).min(deadline);
            let change = async {
                loop {
                    match changes.recv().await {
                        Ok(name) if name != spec.name => {}
                        Ok(_) | Err(RecvError::Lagged(_)) => break,
                        Err(RecvError::Closed) => std::future::pending().await,
                    }
                }
            };
            // A change, or the time: look again.
            let _ = tokio::time::timeout_at(until, change).await;
        }
    }

    /// Why the Job has no pod: a quota, mostly.
    async fn refusal(&self, spec: &RunSpec, job: &str) -> Option<String> {
        let api: Api<core::Event> = Api::namespaced(self.client.clone(), spec.name.as_str());
        let params = ListParams::default().fields(&format!("involvedObject.name={job},reason=FailedCreate"));
        let events = timeout(LOOK_INTERVAL, api.list(&params)).await.ok()?.ok()?;
        events.items.into_iter().find_map(|event| event.message)
    }

    async fn output(&self, spec: &RunSpec, pod: &Pod) -> Result<Bytes, EngineError> {
        let api: Api<core::Pod> = Api::namespaced(self.client.clone(), spec.name.as_str());
        let limit = RUN_OUTPUT_MAX_BYTES + 1;
        let params = LogParams {
            container: Some(pod.container.to_string()),
            limit_bytes: i64::try_from(limit).ok(),
            ..LogParams::default()
        };
        let text = api.logs(&pod.name, &params).await;
        Ok(cut(text.map_err(|error| unavailable("the output of the process cannot be read", &error))?))
    }

    /// Removes Jobs that nobody waits for: their controller is not among `holders` (when that is known), or they are
    /// past their deadline.
    pub async fn sweep(&self, holders: Option<&HashSet<String>>) {
        for (_, name) in self.index.namespaces() {
            let objects = self.index.app(&name);
            for job in objects.of_kind(Kind::Job).filter(|job| !job.is_deleting) {
                let Some(holder) = job.annotation(ANNOTATION_HOLDER) else { continue };
                let is_ours = *holder == *self.holder;
                let is_held = is_ours || holders.is_none_or(|holders| holders.contains(&holder));
                let deadline = job.value().pointer(DEADLINE).and_then(serde_json::Value::as_u64);
                let age_max = Duration::from_secs(deadline.unwrap_or(0)) + SWEEP_AFTER;
                let created = objects.pods.iter().find(|pod| pod.job.as_deref() == Some(&*job.name));
                let age = created.and_then(|pod| (Utc::now() - pod.created).to_std().ok());
                if !is_held || age.is_some_and(|age| age > age_max) {
                    tracing::info!(app = name.as_str(), job = &*job.name, "removing a one-off process left over");
                    delete(&self.client, &name, &job.name, Some(job.uid.to_string())).await;
                }
            }
        }
    }
}

fn lost(public: &str) -> EngineError {
    EngineError::Unavailable { public: public.to_owned(), context: public.to_owned() }
}

/// The exit code of a pod whose container ended.
fn ended(pod: &Pod) -> Option<i32> {
    match &pod.state {
        Container::Ended(ended) => Some(ended.exit_code),
        Container::None | Container::Waiting { .. } | Container::Running { .. } => None,
    }
}

fn cut(text: String) -> Bytes {
    let mut output = text.into_bytes();
    if output.len() > RUN_OUTPUT_MAX_BYTES {
        output.truncate(RUN_OUTPUT_MAX_BYTES - CUT_NOTE.len());
        output.extend_from_slice(CUT_NOTE.as_bytes());
    }
    Bytes::from(output)
}

fn job_name(spec: &RunSpec) -> String {
    let suffix = spec.process_name.rsplit('.').next().unwrap_or_default();
    let app = spec.name.as_str();
    let app = app.get(..NAME_MAX.min(app.len())).unwrap_or(app).trim_end_matches('-');
    format!("{app}-run-{suffix}")
}

fn job(spec: &RunSpec, mut pod: core::PodSpec, holder: &str, secret: &str) -> Job {
    for container in &mut pod.containers {
        container.env_from = Some(vec![core::EnvFromSource {
            secret_ref: Some(core::SecretEnvSource { name: secret.to_owned(), optional: None }),
            ..core::EnvFromSource::default()
        }]);
    }
    pod.restart_policy = Some("Never".to_owned());
    let labels = pod_labels(&spec.name, &ProcessType::run(), spec.version);
    Job {
        metadata: ObjectMeta {
            name: Some(job_name(spec)),
            namespace: Some(spec.name.to_string()),
            labels: Some(labels.clone()),
            annotations: Some([(ANNOTATION_HOLDER.to_owned(), holder.to_owned())].into()),
            ..ObjectMeta::default()
        },
        spec: Some(JobSpec {
            backoff_limit: Some(0),
            active_deadline_seconds: i64::try_from(spec.timeout.as_secs().max(1)).ok(),
            ttl_seconds_after_finished: Some(TTL_SECS),
            template: core::PodTemplateSpec {
                metadata: Some(ObjectMeta { labels: Some(labels), ..ObjectMeta::default() }),
                spec: Some(pod),
            },
            ..JobSpec::default()
        }),
        ..Job::default()
    }
}

/// The environment of a process whose release has no Secret any more; it goes with the Job.
fn env_secret(spec: &RunSpec, name: &str, job: &Job) -> core::Secret {
    let data: BTreeMap<String, ByteString> =
        spec.env.iter().map(|(name, value)| (name.clone(), ByteString(value.expose().as_bytes().to_vec()))).collect();
    core::Secret {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(spec.name.to_string()),
            labels: Some(pod_labels(&spec.name, &ProcessType::run(), spec.version)),
            owner_references: Some(vec![OwnerReference {
                api_version: "batch/v1".to_owned(),
                kind: "Job".to_owned(),
                name: job.name_any(),
                uid: job.uid().unwrap_or_default(),
                ..OwnerReference::default()
            }]),
            ..ObjectMeta::default()
        },
        data: Some(data),
        immutable: Some(true),
        ..core::Secret::default()
    }
}

#[cfg(test)]
mod tests {
    use slipway_core::build::BuildKind;
    use slipway_core::config::SecretText;
    use slipway_core::{AppId, ReleaseVersion};
    use slipway_engine::Artifact;

    use super::*;

    fn spec(app: &str) -> RunSpec {
        RunSpec {
            app: AppId::generate(),
            name: AppName::new(app).unwrap(),
            version: ReleaseVersion(3),
            artifact: Artifact::Image { reference: "x:1".to_owned() },
            kind: BuildKind::Image,
            registry: None,
            placement: BTreeMap::new(),
            env: [("KEY".to_owned(), SecretText::new("secret"))].into(),
            command: "true".to_owned(),
            process_name: "run.x7k2q".to_owned(),
            memory: None,
            cpu: None,
            timeout: Duration::from_secs(90),
            mounts: Vec::new(),
        }
    }

    #[test]
    fn jobs_run_once_with_a_deadline_and_the_secret_of_their_release() {
        let pod = core::PodSpec { containers: vec![core::Container::default()], ..core::PodSpec::default() };
        let job = serde_json::to_value(job(&spec("blog"), pod, "pod-1", "blog-v3-env")).unwrap();
        assert_eq!(job["metadata"]["name"], "blog-run-x7k2q");
        assert_eq!(job["metadata"]["annotations"][ANNOTATION_HOLDER], "pod-1");
        assert_eq!(job["spec"]["backoffLimit"], 0);
        assert_eq!(job["spec"]["activeDeadlineSeconds"], 90);
        let template = &job["spec"]["template"];
        assert_eq!(template["metadata"]["labels"]["type"], "run");
        assert_eq!(template["metadata"]["labels"]["version"], "v3");
        assert_eq!(template["spec"]["restartPolicy"], "Never");
        assert_eq!(template["spec"]["containers"][0]["envFrom"][0]["secretRef"]["name"], "blog-v3-env");
        assert!(!job.to_string().contains("secret\""), "values are in a Secret only");
    }

    #[test]
    fn names_of_jobs_fit_into_labels() {
        for app in ["a", &"a".repeat(63), &format!("{}-b", "a".repeat(49))] {
            let name = job_name(&spec(app));
            assert!(name.len() <= 63 && !name.contains("--") && name.ends_with("-run-x7k2q"), "{name}");
        }
    }

    #[test]
    fn long_output_is_cut_with_a_note() {
        assert_eq!(cut("short".to_owned()), "short");
        let cut = cut("x".repeat(RUN_OUTPUT_MAX_BYTES + 1));
        assert_eq!(cut.len(), RUN_OUTPUT_MAX_BYTES);
        assert!(cut.ends_with(CUT_NOTE.as_bytes()));
    }
}
