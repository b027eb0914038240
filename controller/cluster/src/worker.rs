//! Brings one app to what is wanted of it.
//!
//! Level-triggered: a pass looks at the newest wish and at what the watches told, does what is to be done, and may be cut
//! off anywhere. It is woken by a new wish, by changes in the app's namespace, and by the end of a pause after a failure.
//!
//! Once everything is as it is wanted, the wish is let go and only its outline stays: thousands of apps are like that.
//! Whatever changes afterwards is announced, and whoever wants the app to stay as it is applies its wish again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt;
use slipway_core::{AppId, AppName, ReleaseVersion};
use slipway_engine::{AppSpec, Artifact, ReleaseSpec};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, broadcast};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::apply::{WriteError, Writer};
use crate::image::{BY_DIGEST, ImageFacts, Inspector, image_facts_written};
use crate::index::{AppObjects, Index, Kind};
use crate::labels::{ANNOTATION_HASH, LABEL_APP_ID, LABEL_HERITAGE, LABEL_PLATFORM};
use crate::objects::{Input, Object, RenderError, objects};
use crate::outline::Outline;
use crate::plan::{LAG_MAX, Recent, Step, is_rolled_out, plan};
use crate::settings::{ClusterSettings, HERITAGE};

/// Pause after the first failed pass; doubled by each further one.
const PAUSE_MIN: Duration = Duration::from_millis(500);
/// Longest pause after failed passes.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// How long it stands that a registry did not tell of an image.
const UNKNOWN_MAX: Duration = Duration::from_secs(30);

/// What all workers share.
pub(crate) struct Shared {
    pub(crate) index: Index,
    pub(crate) writer: Writer,
    pub(crate) settings: ClusterSettings,
    pub(crate) inspector: Inspector,
    /// Passes that may be under way at once: the API server has others to serve.
    pub(crate) passes: Semaphore,
    /// Wishes whose first pass is not over: each holds a whole environment.
    pub(crate) beginnings: Arc<Semaphore>,
    pub(crate) changes: broadcast::Sender<AppId>,
}

/// An app that is wanted, and how far that is. A task of its own runs only while something is left to be done.
pub(crate) struct Worker {
    pub(crate) name: AppName,
    app: AppId,
    shared: Arc<Shared>,
    nudge: Notify,
    state: Mutex<State>,
}

struct State {
    /// The newest wish, until it has come about.
    wish: Option<Arc<AppSpec>>,
    outline: Arc<Outline>,
    progress: Progress,
    task: Option<Task>,
}

struct Task {
    ending: CancellationToken,
    join: JoinHandle<()>,
}

/// Names and digests of Deployments.
type Identities = Box<[(Box<str>, Box<str>)]>;

/// How far the newest wish is.
#[derive(Debug, Default)]
struct Progress {
    /// Generation of the wish that was last written whole.
    applied: Option<i64>,
    /// Names and digests of that wish's Deployments.
    deployments: Identities,
    /// What is in the way of the newest wish.
    problem: Option<Problem>,
}

/// Why a wish is not written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Problem {
    /// It will not be as things are. For the user.
    Refused(String),
    /// It is tried again. For the user.
    Waiting(String),
}

/// How an app stands.
pub(crate) struct Standing {
    /// The newest wish.
    pub(crate) outline: Arc<Outline>,
    /// Generation of the wish that was last written whole.
    pub(crate) applied: Option<i64>,
    /// What is in the way of the newest wish.
    pub(crate) problem: Option<Problem>,
    /// Whether the newest wish was written and the watches have told of its Deployments.
    pub(crate) is_current: bool,
}

impl Worker {
    pub(crate) fn new(shared: Arc<Shared>, spec: &AppSpec) -> Self {
        let (wish, progress, task) = (None, Progress::default(), None);
        let state = Mutex::new(State { wish, outline: Arc::new(Outline::new(spec)), progress, task });
        Self { name: spec.name.clone(), app: spec.app, shared, nudge: Notify::new(), state }
    }

    /// Makes `spec` the newest wish, which comes about until `ending`. One that is under way goes on as it does; a task that
    /// begins keeps `turn` until its first pass is over.
    pub(crate) fn wish(
        self: &Arc<Self>,
        spec: AppSpec,
        ending: &CancellationToken,
        turn: Option<OwnedSemaphorePermit>,
    ) {
        let mut state = lock(&self.state);
        if state.wish.as_deref() == Some(&spec) && state.is_running() {
            return;
        }
        let outline = Outline::new(&spec);
        if *state.outline != outline {
            state.outline = Arc::new(outline);
        }
        state.wish = Some(Arc::new(spec));
        if state.is_running() {
            self.nudge.notify_one();
            return;
        }
        let ending = ending.child_token();
        let work = Work { worker: Arc::clone(self), recent: Recent::default(), image: None, turn };
        let join = tokio::spawn(ending.clone().run_until_cancelled_owned(work.run()).map(drop));
        state.task = Some(Task { ending, join });
    }

    /// Whether `spec` is what is being brought about, and nothing is known that only its user can change.
    pub(crate) fn is_under_way(&self, spec: &AppSpec) -> bool {
        let state = lock(&self.state);
        let is_refused = matches!(state.progress.problem, Some(Problem::Refused(_)));
        state.wish.as_deref() == Some(spec) && !is_refused
    }

    /// Has another look at what is left to be done, if anything is.
    pub(crate) fn nudge(&self) {
        if lock(&self.state).task.is_some() {
            self.nudge.notify_one();
        }
    }

    /// How the app stands when `seen` is what the watches have told.
    pub(crate) fn standing(&self, seen: &AppObjects) -> Standing {
        let state = lock(&self.state);
        let Progress { applied, deployments, problem } = &state.progress;
        let is_seen = deployments.iter().all(|(name, hash)| {
            let kept = seen.object(Kind::Deployment, name);
            kept.and_then(|kept| kept.annotation(ANNOTATION_HASH)).as_deref() == Some(hash)
        });
        Standing {
            outline: Arc::clone(&state.outline),
            applied: *applied,
            problem: problem.clone(),
            is_current: Some(state.outline.generation) == *applied && is_seen,
        }
    }

    /// Ends what is under way, and returns when nothing more is done.
    pub(crate) async fn end(&self) {
        let task = lock(&self.state).task.take();
        if let Some(task) = task {
            task.ending.cancel();
            // Whether it ended by itself or was cut off is all the same.
            let _ = task.join.await;
        }
    }

    fn note(&self, spec: &AppSpec, problem: Option<Problem>, deployments: Option<Identities>) {
        let has_changed = {
            let progress = &mut lock(&self.state).progress;
            let mut has_changed = progress.problem != problem;
            progress.problem = problem;
            if let Some(deployments) = deployments {
                has_changed |= progress.applied != Some(spec.generation) || progress.deployments != deployments;
                progress.applied = Some(spec.generation);
                progress.deployments = deployments;
            }
            has_changed
        };
        if has_changed {
            // Nobody may be listening.
            let _ = self.shared.changes.send(self.app);
        }
    }

    fn newest(&self) -> Option<Arc<AppSpec>> {
        lock(&self.state).wish.clone()
    }

    fn is_newest(&self, spec: &Arc<AppSpec>) -> bool {
        lock(&self.state).wish.as_ref().is_some_and(|wish| Arc::ptr_eq(wish, spec))
    }

    /// Lets go of a wish that has come about, and of the task, unless there is a newer one.
    fn let_go(&self, spec: &Arc<AppSpec>) -> bool {
        let mut state = lock(&self.state);
        if !state.wish.as_ref().is_some_and(|wish| Arc::ptr_eq(wish, spec)) {
            return false;
        }
        (state.wish, state.task) = (None, None);
        true
    }
}

impl State {
    fn is_running(&self) -> bool {
        self.task.as_ref().is_some_and(|task| !task.join.is_finished())
    }
}

/// What a worker's task knows.
struct Work {
    worker: Arc<Worker>,
    recent: Recent,
    /// What is known of the image of a release.
    image: Option<(ReleaseVersion, ImageFacts, Instant)>,
    /// Its place among those that begin.
    turn: Option<OwnedSemaphorePermit>,
}

/// How a pass ended.
enum Outcome {
    /// Everything is written.
    Written {
        /// Names and digests of the Deployments.
        deployments: Identities,
        /// Whether everything has come about, too, and nothing is left to be removed.
        is_over: bool,
    },
    /// A newer wish came.
    Outdated,
}

impl Work {
    async fn run(mut self) {
        let worker = Arc::clone(&self.worker);
        let shared = Arc::clone(&worker.shared);
        let mut failures = 0_u32;
        let mut last: Option<Arc<AppSpec>> = None;
        shared.index.synced().await;
        while let Some(spec) = worker.newest() {
            if last.as_ref().is_none_or(|last| !Arc::ptr_eq(last, &spec)) {
                failures = 0;
                last = Some(Arc::clone(&spec));
            }
            let outcome = {
                // Never closed.
                let _permit = shared.passes.acquire().await;
                // Thousands may wait for their turn: only those who have it take the room of a pass.
                Box::pin(self.pass(&spec)).await
            };
            // Whether it went well or not: an app that never does must not keep others from beginning.
            self.turn = None;
            let pause = match outcome {
                Ok(Outcome::Written { deployments, is_over }) => {
                    failures = 0;
                    worker.note(&spec, None, Some(deployments));
                    if is_over && worker.let_go(&spec) {
                        return;
                    }
                    // What the watches should have told by then is looked at anew.
                    (!self.recent.is_empty()).then_some(LAG_MAX)
                }
                Ok(Outcome::Outdated) => continue,
                Err(problem) => {
                    worker.note(&spec, Some(problem), None);
                    let pause = PAUSE_MIN.saturating_mul(1 << failures.min(10)).min(PAUSE_MAX);
                    failures = failures.saturating_add(1);
                    Some(pause)
                }
            };
            let again = async {
                match pause {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = worker.nudge.notified() => {}
                () = again => {}
            }
        }
    }

    async fn pass(&mut self, spec: &Arc<AppSpec>) -> Result<Outcome, Problem> {
        let worker = Arc::clone(&self.worker);
        let (shared, name) = (&worker.shared, &worker.name);
        let seen = shared.index.app(name);
        let is_new = self.namespace_check(&seen).await?;
        let image = match &spec.release {
            Some(release) => Some(self.image(release, &seen).await?),
            None => None,
        };
        // What happened meanwhile counts.
        let seen = shared.index.app(name);
        let desired = {
            let replicas = |name: &str| {
                let deployment = seen.deployments.iter().find(|deployment| &*deployment.name == name)?;
                Some(deployment.wanted)
            };
            let input = Input {
                spec,
                image: image.as_ref(),
                settings: &shared.settings,
                capabilities: shared.writer.capabilities(),
                replicas: &replicas,
            };
            objects(&input).map_err(render_problem)?
        };
        self.recent.forget(&seen, Instant::now());
        let steps = plan(&desired, &seen, &self.recent);
        let is_over = steps.is_empty()
            && self.recent.is_empty()
            && is_rolled_out(&desired, &seen)
            && !seen.objects.iter().chain(&seen.namespace).any(|kept| kept.is_deleting);
        for step in steps {
            if !worker.is_newest(spec) {
                return Ok(Outcome::Outdated);
            }
            match step {
                Step::Apply { object, is_known } => {
                    // In a namespace that was not there a moment ago nothing can be in the way.
                    let is_known = is_known || is_new;
                    match shared.writer.apply(name, &object, is_known).await {
                        // A class that gives no more to a volume must not keep its app from being deployed.
                        Err(error @ WriteError::Refused { .. })
                            if is_known && object.kind == Kind::PersistentVolumeClaim =>
                        {
                            tracing::warn!(app = name.as_str(), "a volume stays as it is: {error}");
                        }
                        other => other.map_err(|error| self.problem(&error))?,
                    }
                    self.recent.note(&object, Instant::now());
                }
                Step::Delete { kind, name: object, uid } => {
                    let deleted = shared.writer.delete(name, kind, &object, &uid).await;
                    deleted.map_err(|error| self.problem(&error))?;
                    self.recent.note_removed(uid, Instant::now());
                }
            }
        }
        // What came about meanwhile is looked at first.
        let is_over = is_over && Arc::ptr_eq(&seen, &shared.index.app(name));
        Ok(Outcome::Written { deployments: deployments(&desired), is_over })
    }

    /// Checks that the namespace is this app's or free, and gives whether it is new.
    async fn namespace_check(&self, seen: &AppObjects) -> Result<bool, Problem> {
        if let Some(kept) = &seen.namespace {
            let is_platform = kept.label(LABEL_PLATFORM).as_deref() == Some(&self.worker.shared.settings.namespace);
            return match seen.app {
                Some(app) if is_platform && app == self.worker.app && !kept.is_deleting => Ok(false),
                Some(_) if is_platform => Err(self.going()),
                Some(_) | None => Err(Problem::Refused(foreign(&self.worker.name))),
            };
        }
        let labels =
            self.worker.shared.writer.labels(&self.worker.name, Kind::Namespace, self.worker.name.as_str()).await;
        match labels.map_err(|error| self.problem(&error))? {
            None => Ok(true),
            Some(labels) => match namespace_owner(&labels, &self.worker.shared.settings.namespace) {
                None => Err(Problem::Refused(foreign(&self.worker.name))),
                Some(owner) if owner == self.worker.app.to_string() => Ok(false),
                Some(_) => Err(self.going()),
            },
        }
    }

    fn going(&self) -> Problem {
        Problem::Waiting(format!("the namespace of an earlier app {} is being removed", self.worker.name))
    }

    fn problem(&self, error: &WriteError) -> Problem {
        match error {
            WriteError::Foreign { .. } | WriteError::Refused { .. } => Problem::Refused(error.to_string()),
            WriteError::Unavailable { source } => {
                tracing::warn!(app = self.worker.name.as_str(), "the cluster did not take a change: {source}");
                Problem::Waiting(error.to_string())
            }
        }
    }

    /// What is known of the image of a release: what was found out when it was first written, else what the registry
    /// tells now.
    async fn image(&mut self, release: &ReleaseSpec, seen: &AppObjects) -> Result<ImageFacts, Problem> {
        let source = match &release.artifact {
            Artifact::Image { reference } => reference.clone(),
            Artifact::Slug { .. } => return Err(Problem::Refused(SLUG_REFUSED.to_owned())),
        };
        if let Some(facts) = image_facts_written(seen, &self.worker.name, release.version, &source) {
            return Ok(facts);
        }
        if let Some((version, facts, at)) = &self.image {
            let is_usable = match &facts.unknown {
                None => *version == release.version || source.contains(BY_DIGEST),
                // Every change waits for a registry that cannot be reached otherwise.
                Some(_) => at.elapsed() < UNKNOWN_MAX,
            };
            if facts.source == source && is_usable {
                return Ok(facts.clone());
            }
        }
        let facts = self.worker.shared.inspector.facts(&source, release.registry.as_ref()).await;
        self.image = Some((release.version, facts.clone(), Instant::now()));
        Ok(facts)
    }
}

/// Why a slug is not run.
pub(crate) const SLUG_REFUSED: &str = "this platform runs images on a cluster; a slug runs on one machine only";

/// Why an app cannot have its namespace.
pub(crate) fn foreign(name: &AppName) -> String {
    format!(
        "the cluster has a Namespace {:?} that is not this platform's; the app cannot have this name",
        name.as_str()
    )
}

/// The app's id on the namespace of an app of this platform; `None` on any other namespace.
pub(crate) fn namespace_owner(labels: &BTreeMap<String, String>, platform: &str) -> Option<String> {
    let has = |key: &str, value: &str| labels.get(key).is_some_and(|found| found == value);
    let is_ours = has(LABEL_HERITAGE, HERITAGE) && has(LABEL_PLATFORM, platform);
    is_ours.then(|| labels.get(LABEL_APP_ID).cloned()).flatten()
}

fn render_problem(error: RenderError) -> Problem {
    match error {
        RenderError::Refused(reason) => Problem::Refused(reason),
        RenderError::Json { source } => Problem::Refused(format!("the app's objects cannot be written: {source}")),
    }
}

fn deployments(desired: &[Object]) -> Identities {
    let is_deployment = |object: &&Object| object.kind == Kind::Deployment;
    let identity = |object: &Object| (object.name.as_str().into(), object.hash.as_str().into());
    desired.iter().filter(is_deployment).map(identity).collect()
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
