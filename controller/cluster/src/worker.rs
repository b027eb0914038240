//! Brings one app to what is wanted of it, and keeps it there.
//!
//! Level-triggered: a pass looks at the newest wish and at what the watches told, does what is to be done, and may be cut
//! off anywhere. It is woken by a new wish, by changes in the app's namespace, and by the end of a pause after a failure.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use slipway_core::{AppId, AppName, ReleaseVersion};
use slipway_engine::{AppSpec, Artifact, ReleaseSpec};
use tokio::sync::{Notify, Semaphore, broadcast, watch};
use tokio_util::sync::CancellationToken;

use crate::apply::{WriteError, Writer};
use crate::image::{BY_DIGEST, ImageFacts, image_facts, image_facts_written};
use crate::index::{AppObjects, Index, Kind};
use crate::labels::{ANNOTATION_HASH, LABEL_APP_ID, LABEL_HERITAGE, LABEL_PLATFORM};
use crate::objects::{Input, Object, RenderError, objects};
use crate::plan::{Recent, Step, plan};
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
    /// Passes that may be under way at once: the API server has others to serve.
    pub(crate) passes: Semaphore,
    pub(crate) changes: broadcast::Sender<AppId>,
}

/// How far the newest wish is.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Generation of the wish that was last written whole.
    pub(crate) applied: Option<i64>,
    /// Names and digests of that wish's Deployments.
    deployments: Vec<(String, String)>,
    /// What is in the way of the newest wish.
    pub(crate) problem: Option<Problem>,
    /// Generation of the wish that the problem is of.
    pub(crate) problem_generation: i64,
}

/// Why a wish is not written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Problem {
    /// It will not be as things are. For the user.
    Refused(String),
    /// It is tried again. For the user.
    Waiting(String),
}

impl Progress {
    /// Whether the cluster has the Deployments of the wish that was written last.
    pub(crate) fn is_seen(&self, seen: &AppObjects) -> bool {
        self.deployments.iter().all(|(name, hash)| {
            let kept = seen.object(Kind::Deployment, name);
            kept.and_then(|kept| kept.annotation(ANNOTATION_HASH)).as_ref() == Some(hash)
        })
    }
}

/// A worker as others see it. Ends when dropped or ended.
pub(crate) struct Handle {
    pub(crate) name: AppName,
    pub(crate) wish: watch::Sender<Option<Arc<AppSpec>>>,
    pub(crate) progress: Arc<Mutex<Progress>>,
    pub(crate) nudge: Arc<Notify>,
    pub(crate) ending: CancellationToken,
    pub(crate) task: tokio::task::JoinHandle<()>,
}

struct Worker {
    shared: Arc<Shared>,
    app: AppId,
    name: AppName,
    wish: watch::Receiver<Option<Arc<AppSpec>>>,
    progress: Arc<Mutex<Progress>>,
    recent: Recent,
    /// What is known of the image of a release.
    image: Option<(ReleaseVersion, ImageFacts, Instant)>,
}

/// How a pass ended.
enum Outcome {
    /// Everything is written.
    Done(Vec<(String, String)>),
    /// A newer wish came.
    Outdated,
}

impl Handle {
    /// Starts a worker for an app.
    pub(crate) fn start(shared: Arc<Shared>, app: AppId, name: AppName, parent: &CancellationToken) -> Self {
        let (wish, receiver) = watch::channel(None);
        let progress = Arc::new(Mutex::new(Progress::default()));
        let nudge = Arc::new(Notify::new());
        let ending = parent.child_token();
        let worker = Worker {
            shared,
            app,
            name: name.clone(),
            wish: receiver,
            progress: Arc::clone(&progress),
            recent: Recent::default(),
            image: None,
        };
        let run = worker.run(Arc::clone(&nudge));
        let task = tokio::spawn(ending.clone().run_until_cancelled_owned(run));
        // Whether it ended by itself or was cut off is all the same.
        let task = tokio::spawn(async move {
            let _ = task.await;
        });
        Self { name, wish, progress, nudge, ending, task }
    }
}

impl Worker {
    async fn run(mut self, nudge: Arc<Notify>) {
        let mut failures = 0_u32;
        let mut pause: Option<Duration> = None;
        self.shared.index.synced().await;
        loop {
            let again = async {
                match pause {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = self.wish.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    failures = 0;
                }
                () = nudge.notified() => {}
                () = again => {}
            }
            let Some(spec) = self.wish.borrow_and_update().clone() else { continue };
            let shared = Arc::clone(&self.shared);
            // Never closed.
            let _permit = shared.passes.acquire().await;
            // On the heap, and only while it lasts: thousands of idle workers wait here.
            pause = match Box::pin(self.pass(&spec)).await {
                Ok(Outcome::Done(deployments)) => {
                    failures = 0;
                    self.note(&spec, None, Some(deployments));
                    None
                }
                Ok(Outcome::Outdated) => None,
                Err(problem) => {
                    self.note(&spec, Some(problem), None);
                    let pause = PAUSE_MIN.saturating_mul(1 << failures.min(10)).min(PAUSE_MAX);
                    failures = failures.saturating_add(1);
                    Some(pause)
                }
            };
        }
    }

    fn note(&self, spec: &AppSpec, problem: Option<Problem>, deployments: Option<Vec<(String, String)>>) {
        let has_changed = {
            let mut progress = lock(&self.progress);
            let mut has_changed = progress.problem != problem;
            progress.problem = problem;
            progress.problem_generation = spec.generation;
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

    async fn pass(&mut self, spec: &Arc<AppSpec>) -> Result<Outcome, Problem> {
        let shared = Arc::clone(&self.shared);
        let seen = shared.index.app(&self.name);
        let is_new = self.namespace_check(&seen).await?;
        let image = match &spec.release {
            Some(release) => Some(self.image(release, &seen).await?),
            None => None,
        };
        // What happened meanwhile counts.
        let seen = shared.index.app(&self.name);
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
        for step in plan(&desired, &seen, &self.recent) {
            if self.wish.has_changed().unwrap_or(true) {
                return Ok(Outcome::Outdated);
            }
            match step {
                Step::Apply { object, is_known } => {
                    // In a namespace that was not there a moment ago nothing can be in the way.
                    let is_known = is_known || is_new;
                    shared.writer.apply(&self.name, &object, is_known).await.map_err(|error| self.problem(&error))?;
                    self.recent.note(&object, Instant::now());
                }
                Step::Delete { kind, name, uid } => {
                    let deleted = shared.writer.delete(&self.name, kind, &name, &uid).await;
                    deleted.map_err(|error| self.problem(&error))?;
                    self.recent.note_removed(uid, Instant::now());
                }
            }
        }
        Ok(Outcome::Done(deployments(&desired)))
    }

    /// Checks that the namespace is this app's or free, and gives whether it is new.
    async fn namespace_check(&self, seen: &AppObjects) -> Result<bool, Problem> {
        if let Some(kept) = &seen.namespace {
            let is_platform = kept.label(LABEL_PLATFORM).as_deref() == Some(&self.shared.settings.namespace);
            return match seen.app {
                Some(app) if is_platform && app == self.app && !kept.is_deleting => Ok(false),
                Some(_) if is_platform => Err(self.going()),
                Some(_) | None => Err(Problem::Refused(foreign(&self.name))),
            };
        }
        let labels = self.shared.writer.labels(&self.name, Kind::Namespace, self.name.as_str()).await;
        match labels.map_err(|error| self.problem(&error))? {
            None => Ok(true),
            Some(labels) => match namespace_owner(&labels, &self.shared.settings.namespace) {
                None => Err(Problem::Refused(foreign(&self.name))),
                Some(owner) if owner == self.app.to_string() => Ok(false),
                Some(_) => Err(self.going()),
            },
        }
    }

    fn going(&self) -> Problem {
        Problem::Waiting(format!("the namespace of an earlier app {} is being removed", self.name))
    }

    fn problem(&self, error: &WriteError) -> Problem {
        match error {
            WriteError::Foreign { .. } | WriteError::Refused { .. } => Problem::Refused(error.to_string()),
            WriteError::Unavailable { source } => {
                tracing::warn!(app = self.name.as_str(), "the cluster did not take a change: {source}");
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
        if let Some(facts) = image_facts_written(seen, &self.name, release.version, &source) {
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
        let facts = image_facts(&source, release.registry.as_ref(), &self.shared.settings).await;
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

fn deployments(desired: &[Object]) -> Vec<(String, String)> {
    let is_deployment = |object: &&Object| object.kind == Kind::Deployment;
    desired.iter().filter(is_deployment).map(|object| (object.name.clone(), object.hash.clone())).collect()
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
