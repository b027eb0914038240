//! The port, for a cluster.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::future;
use futures::stream::{self, BoxStream, StreamExt};
use k8s_openapi::api::core::v1::{Node, Pod, PodSpec};
use kube::api::{Api, DeleteParams, ListParams};
use kube::{Client, ResourceExt};
use slipway_core::log::{LogLine, LogQuery};
use slipway_core::{AppId, AppName};
use slipway_engine::status::Rollout;
use slipway_engine::{
    AppSpec, AppStatus, Artifact, Attach, Engine, EngineError, ExecSpec, HttpCheck, HttpCheckOutcome, LogKeep, LogSink,
    NodeStatus, PodUsage, RegistryLogin, RolloutState, RunOutcome, RunSpec, Session,
};
use slipway_image::{FetchError, Fetcher};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Semaphore, broadcast, watch};
use tokio_util::sync::CancellationToken;

use crate::apply::{WriteError, Writer};
use crate::capability::{Capabilities, has_metrics};
use crate::check;
use crate::collect::ImageKeeper;
use crate::exec::exec;
use crate::image::{Inspector, image_facts_written};
use crate::index::{Index, Kind};
use crate::lease;
use crate::log::Logs;
use crate::objects::oneoff::oneoff_pod;
use crate::observe::Observer;
use crate::remove::remove;
use crate::route;
use crate::run::Runner;
use crate::settings::ClusterSettings;
use crate::status::Wish;
use crate::usage;
use crate::worker::{Problem, SLUG_REFUSED, Shared, Standing, Worker, foreign, lock, namespace_owner};
use crate::workload::{ClusterNode, WorkloadSettings};

/// Changes that a slow listener may be behind.
const CHANGES: usize = 4096;
/// Passes over apps that may be under way at once.
const PASSES: usize = 8;
/// Wishes whose first pass is not over at once. Thousands come when a controller begins to lead, faster than they are written.
const BEGINNINGS: usize = 64;
/// Name of the Lease of the controller that leads.
const LEASE: &str = "slipway-controller";
/// Pause between two looks for one-off processes that nobody waits for.
const SWEEP_INTERVAL: Duration = Duration::from_mins(5);

/// Why the engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// There is no configuration of a cluster, or it cannot be used.
    #[error("reading how to reach the cluster")]
    Config {
        /// The cause.
        source: Box<kube::Error>,
    },
    /// The API server does not tell what it can do.
    #[error("asking the cluster what it can do")]
    Discovery {
        /// The cause.
        source: Box<kube::Error>,
    },
}

/// Runs apps on a cluster.
pub struct ClusterEngine {
    client: Client,
    shared: Arc<Shared>,
    observer: Observer,
    logs: Logs,
    runner: Runner,
    images: Option<ImageKeeper>,
    workers: Mutex<HashMap<AppId, Arc<Worker>>>,
    ending: CancellationToken,
}

impl ClusterEngine {
    /// Starts on the cluster that the environment tells of: the one that this runs in, else that of `KUBECONFIG` or
    /// `~/.kube/config`.
    ///
    /// # Errors
    /// [`ClusterError`].
    pub async fn connect(
        settings: ClusterSettings,
        keep: Arc<dyn LogKeep>,
        shutdown: CancellationToken,
    ) -> Result<Arc<Self>, ClusterError> {
        let client = Client::try_default().await.map_err(|source| ClusterError::Config { source: Box::new(source) })?;
        Self::start(client, settings, keep, shutdown).await
    }

    /// Starts on the cluster of `client`: asks what it can do, and begins to watch. Nothing is written before an app
    /// is applied. `keep` keeps the platform's own lines of apps' logs.
    ///
    /// # Errors
    /// [`ClusterError`].
    pub async fn start(
        client: Client,
        settings: ClusterSettings,
        keep: Arc<dyn LogKeep>,
        shutdown: CancellationToken,
    ) -> Result<Arc<Self>, ClusterError> {
        let capabilities = Capabilities::discover(&client)
            .await
            .map_err(|source| ClusterError::Discovery { source: Box::new(source) })?;
        let index = Index::start(client.clone(), shutdown.clone());
        let shared = Arc::new(Shared {
            index: index.clone(),
            writer: Writer::new(client.clone(), capabilities),
            inspector: Inspector::new(&settings),
            settings,
            passes: Semaphore::new(PASSES),
            beginnings: Arc::new(Semaphore::new(BEGINNINGS)),
            changes: broadcast::channel(CHANGES).0,
        });
        let logs = Logs::start(client.clone(), index.clone(), keep, shutdown.clone());
        let observer = Observer::new(client.clone(), index.clone());
        let runner = Runner::new(client.clone(), index, &shared.settings.holder);
        let images = shared.settings.images.clone().map(ImageKeeper::new);
        let workers = Mutex::default();
        let engine = Arc::new(Self { client, shared, observer, logs, runner, images, workers, ending: shutdown });
        tokio::spawn(engine.ending.clone().run_until_cancelled_owned(forward(Arc::downgrade(&engine))));
        tokio::spawn(engine.ending.clone().run_until_cancelled_owned(sweep(engine.runner.clone())));
        Ok(engine)
    }

    /// Takes part in the election of the controller that makes the engine follow the database, by a Lease in the
    /// platform's namespace, until `shutdown`.
    #[must_use]
    pub fn lease(&self, shutdown: CancellationToken) -> watch::Receiver<bool> {
        let ClusterSettings { namespace, holder, .. } = &self.shared.settings;
        lease::start(&self.client, namespace, LEASE, holder, shutdown)
    }

    /// The same cluster as a node of teams.
    #[must_use]
    pub fn workload_node(&self, settings: WorkloadSettings) -> ClusterNode {
        ClusterNode::new(self.client.clone(), settings, None)
    }

    /// What is on the cluster.
    #[must_use]
    pub fn index(&self) -> &Index {
        &self.shared.index
    }

    fn name_of(&self, app: AppId) -> Option<AppName> {
        let known = self.worker(app).map(|worker| worker.name.clone());
        known.or_else(|| self.shared.index.name_of(app))
    }

    /// The platform's own namespace, by which its apps are known among those of other platforms.
    fn platform(&self) -> &str {
        &self.shared.settings.namespace
    }

    fn synced(&self) -> Result<(), EngineError> {
        if self.shared.index.is_synced() {
            return Ok(());
        }
        let public = "the platform is still looking at the cluster".to_owned();
        Err(EngineError::Unavailable { context: public.clone(), public })
    }

    /// Refuses a name whose namespace is someone else's.
    async fn namespace_check(&self, app: AppId, name: &AppName) -> Result<(), EngineError> {
        let seen = self.shared.index.app(name);
        if seen.namespace.is_some() && seen.app == Some(app) {
            return Ok(());
        }
        self.namespace_ask(name).await
    }

    /// As `namespace_check`, of a name that no app of this platform has.
    async fn namespace_ask(&self, name: &AppName) -> Result<(), EngineError> {
        let labels = self.shared.writer.labels(name, Kind::Namespace, name.as_str()).await;
        match labels.map_err(|error| unavailable(&error))? {
            Some(labels) if namespace_owner(&labels, self.platform()).is_none() => {
                Err(EngineError::Rejected(foreign(name)))
            }
            Some(_) | None => Ok(()),
        }
    }

    async fn oneoff_pod(&self, spec: &RunSpec) -> Result<PodSpec, EngineError> {
        self.synced()?;
        let source = match &spec.artifact {
            Artifact::Image { reference } => reference,
            Artifact::Slug { .. } => return Err(EngineError::Rejected(SLUG_REFUSED.to_owned())),
        };
        let seen = self.shared.index.app(&spec.name);
        if seen.app != Some(spec.app) {
            return Err(EngineError::Missing("the app's namespace".to_owned()));
        }
        let settings = &self.shared.settings;
        let image = match image_facts_written(&seen, &spec.name, spec.version, source) {
            Some(image) => image,
            None => self.shared.inspector.facts(source, spec.registry.as_ref()).await,
        };
        Ok(oneoff_pod(spec, &image, settings))
    }

    fn worker(&self, app: AppId) -> Option<Arc<Worker>> {
        lock(&self.workers).get(&app).cloned()
    }
}

/// Removes one-off processes that a controller left behind when it died.
async fn sweep(runner: Runner) {
    let mut timer = tokio::time::interval(SWEEP_INTERVAL);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        timer.tick().await;
        runner.sweep(None).await;
    }
}

/// Wakes workers and listeners when the watches tell something.
async fn forward(engine: std::sync::Weak<ClusterEngine>) {
    let Some(index) = engine.upgrade().map(|engine| engine.shared.index.clone()) else { return };
    // What the first lists tell is no change.
    index.synced().await;
    let mut changes = index.changes();
    drop(index);
    loop {
        let name = match changes.recv().await {
            Ok(name) => Some(name),
            Err(RecvError::Lagged(_)) => None,
            Err(RecvError::Closed) => return,
        };
        let Some(engine) = engine.upgrade() else { return };
        let apps: Vec<AppId> = {
            let workers = lock(&engine.workers);
            let is_meant = |worker: &Worker| name.as_ref().is_none_or(|name| *name == worker.name);
            let mut apps = Vec::new();
            match &name {
                Some(name) => apps.extend(engine.shared.index.app(name).app),
                None => apps.extend(workers.keys().copied()),
            }
            for app in &apps {
                if let Some(worker) = workers.get(app).filter(|worker| is_meant(worker)) {
                    worker.nudge();
                }
            }
            if apps.is_empty() {
                // The namespace itself went, or is another app's: whoever waits for it is woken.
                for (app, worker) in workers.iter().filter(|(_, worker)| is_meant(worker)) {
                    worker.nudge();
                    apps.push(*app);
                }
            }
            apps
        };
        for app in apps {
            // Nobody may be listening.
            let _ = engine.shared.changes.send(app);
        }
    }
}

/// What a failed write is to whoever asked for it.
pub(crate) fn unavailable(error: &WriteError) -> EngineError {
    match error {
        WriteError::Foreign { .. } | WriteError::Refused { .. } => EngineError::Rejected(error.to_string()),
        WriteError::Unavailable { source } => {
            EngineError::Unavailable { public: error.to_string(), context: source.to_string() }
        }
    }
}

#[async_trait]
impl Engine for ClusterEngine {
    async fn app_apply(&self, spec: AppSpec) -> Result<(), EngineError> {
        let app = spec.app;
        // What a user could change by hand is tried again: someone else's namespace may be gone.
        if self.worker(app).is_some_and(|worker| worker.is_under_way(&spec)) {
            return Ok(());
        }
        if let Some(release) = &spec.release {
            match &release.artifact {
                Artifact::Slug { .. } => return Err(EngineError::Rejected(SLUG_REFUSED.to_owned())),
                Artifact::Image { reference } => {
                    Fetcher::check(reference).map_err(|error| EngineError::Rejected(error.to_string()))?;
                }
            }
        }
        self.synced()?;
        self.namespace_check(app, &spec.name).await?;
        // Never closed.
        let turn = Arc::clone(&self.shared.beginnings).acquire_owned().await.ok();
        if self.ending.is_cancelled() {
            let public = "the platform is being stopped".to_owned();
            return Err(EngineError::Unavailable { context: public.clone(), public });
        }
        let mut workers = lock(&self.workers);
        let worker = workers.entry(app).or_insert_with(|| Arc::new(Worker::new(Arc::clone(&self.shared), &spec)));
        worker.wish(spec, &self.ending, turn);
        Ok(())
    }

    async fn app_remove(&self, app: AppId, name: &AppName) -> Result<(), EngineError> {
        let worker = lock(&self.workers).remove(&app);
        if let Some(worker) = worker {
            worker.end().await;
        }
        remove(&self.client, &self.shared, app, name).await?;
        self.logs.forget(name);
        // Nobody may be listening.
        let _ = self.shared.changes.send(app);
        Ok(())
    }

    async fn ready(&self) {
        self.shared.index.synced().await;
    }

    async fn wishes_forget(&self) {
        let workers: Vec<Arc<Worker>> = lock(&self.workers).drain().map(|(_, worker)| worker).collect();
        future::join_all(workers.iter().map(|worker| worker.end())).await;
    }

    async fn app_status(&self, app: AppId) -> Result<AppStatus, EngineError> {
        self.synced()?;
        let Some(name) = self.name_of(app) else { return Ok(AppStatus::default()) };
        let Some(worker) = self.worker(app) else {
            return Ok(self.observer.app_status(&name, Wish::default()).await);
        };
        let Standing { outline, applied, problem, is_current } = worker.standing(&self.shared.index.app(&name));
        let mut status = self.observer.app_status(&name, Wish { applied, outline: Some(&outline) }).await;
        if is_current && problem.is_none() {
            return Ok(status);
        }
        status.is_settled = false;
        status.rollout = outline.release.as_ref().map(|release| {
            let version = release.version;
            let state = match problem {
                Some(Problem::Refused(reason)) => RolloutState::Failing(reason),
                Some(Problem::Waiting(reason)) => RolloutState::Progressing(reason),
                None => RolloutState::Progressing("the cluster is being told".to_owned()),
            };
            Rollout { version, state }
        });
        Ok(status)
    }

    async fn rollout_output(&self, app: AppId) -> Result<Vec<String>, EngineError> {
        let Some(name) = self.name_of(app) else { return Ok(Vec::new()) };
        let Some(worker) = self.worker(app) else {
            return Ok(self.observer.rollout_output(&name, Wish::default()).await);
        };
        let outline = worker.standing(&self.shared.index.app(&name)).outline;
        Ok(self.observer.rollout_output(&name, Wish { applied: None, outline: Some(&outline) }).await)
    }

    async fn apps_known(&self) -> Result<Vec<(AppId, AppName)>, EngineError> {
        self.synced()?;
        Ok(self.shared.index.namespaces_of(&self.shared.settings.namespace))
    }

    fn changes(&self) -> broadcast::Receiver<AppId> {
        self.shared.changes.subscribe()
    }

    async fn pod_usage(&self, app: AppId, pod: &str) -> Result<PodUsage, EngineError> {
        let missing = || EngineError::Missing(format!("process {pod}"));
        let name = self.name_of(app).ok_or_else(missing)?;
        // Names are asked about only when they are known: what a caller says goes into no path.
        let seen = self.shared.index.app(&name);
        let found = seen.pods.iter().find(|one| &*one.name == pod).ok_or_else(missing)?;
        usage::pod_usage(&self.client, name.as_str(), &found.name).await
    }

    async fn nodes(&self) -> Result<Vec<NodeStatus>, EngineError> {
        usage::nodes(&self.client).await
    }

    async fn node_usage(&self, node: &str) -> Result<PodUsage, EngineError> {
        usage::node_usage(&self.client, node).await
    }

    async fn http_check(&self, check: &HttpCheck) -> HttpCheckOutcome {
        let seen = self.shared.index.app(&check.name);
        if !seen.pods.iter().any(|pod| pod.is_ready && !pod.is_one_off()) {
            return HttpCheckOutcome::Untold;
        }
        check::ask((format!("{0}.{0}.svc", check.name), route::PORT), check).await
    }

    async fn pod_restart(&self, app: AppId, pod: &str) -> Result<(), EngineError> {
        let missing = || EngineError::Missing(format!("process {pod}"));
        let name = self.name_of(app).ok_or_else(missing)?;
        let seen = self.shared.index.app(&name);
        let found = seen.pods.iter().find(|one| &*one.name == pod && !one.is_one_off()).ok_or_else(missing)?;
        let api: Api<Pod> = Api::namespaced(self.client.clone(), name.as_str());
        match api.delete(&found.name, &DeleteParams::default()).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => Err(missing()),
            Err(error) => Err(EngineError::Unavailable {
                public: "the process could not be restarted".to_owned(),
                context: error.to_string(),
            }),
        }
    }

    async fn run(&self, spec: RunSpec) -> Result<RunOutcome, EngineError> {
        let pod = self.oneoff_pod(&spec).await?;
        self.runner.run(&spec, pod).await
    }

    async fn run_session(&self, spec: RunSpec, attach: Attach) -> Result<Session, EngineError> {
        let pod = self.oneoff_pod(&spec).await?;
        self.runner.session(spec, pod, attach).await
    }

    async fn exec_session(&self, spec: ExecSpec) -> Result<Session, EngineError> {
        self.synced()?;
        exec(&self.client, &self.shared.index, &spec).await
    }

    async fn log_read(&self, app: AppId, query: LogQuery) -> Result<Vec<LogLine>, EngineError> {
        let Some(name) = self.name_of(app) else { return Ok(Vec::new()) };
        self.logs.read(app, &name, &query).await
    }

    async fn log_follow(&self, app: AppId, query: LogQuery) -> Result<BoxStream<'static, LogLine>, EngineError> {
        let Some(name) = self.name_of(app) else { return Ok(stream::empty().boxed()) };
        self.logs.follow(app, &name, query).await
    }

    fn log_sink(&self) -> Arc<dyn LogSink> {
        self.logs.sink()
    }

    async fn artifact_check(&self, artifact: &Artifact) -> Result<(), EngineError> {
        match artifact {
            Artifact::Slug { .. } => Err(EngineError::Rejected(SLUG_REFUSED.to_owned())),
            // Whether it can be pulled is known to the nodes only: they may have credentials and mirrors of their own.
            Artifact::Image { reference } => {
                Fetcher::check(reference).map_err(|error| EngineError::Rejected(error.to_string()))
            }
        }
    }

    async fn artifact_pin(
        &self,
        artifact: &Artifact,
        registry: Option<&RegistryLogin>,
    ) -> Result<Artifact, EngineError> {
        let Artifact::Image { reference } = artifact else { return Ok(artifact.clone()) };
        match self.shared.inspector.inspect(reference, registry).await {
            Ok((digest, _)) => Ok(Artifact::Image { reference: slipway_image::pinned(reference, &digest) }),
            Err(FetchError::Rejected(reason)) => Err(EngineError::Rejected(reason)),
            Err(FetchError::Unavailable { public, context }) => Err(EngineError::Unavailable { public, context }),
        }
    }

    async fn node_labels(&self) -> Result<Vec<BTreeMap<String, String>>, EngineError> {
        let api: Api<Node> = Api::all(self.client.clone());
        let nodes = api.list_metadata(&ListParams::default()).await.map_err(|error| EngineError::Unavailable {
            public: "the cluster's nodes could not be read".to_owned(),
            context: error.to_string(),
        })?;
        Ok(nodes.items.iter().map(|node| node.labels().clone()).collect())
    }

    async fn name_check(&self, name: &AppName) -> Result<(), EngineError> {
        self.namespace_ask(name).await
    }

    fn is_routing_paths(&self) -> bool {
        true
    }

    fn is_routing_ports(&self) -> bool {
        true
    }

    fn is_keeping_volumes(&self) -> bool {
        true
    }

    fn is_autoscaling(&self) -> bool {
        self.shared.writer.capabilities().autoscaling.is_some()
    }

    async fn autoscale_obstacle(&self) -> Option<String> {
        // Metrics may come and go with whatever an operator installs: asked each time.
        match has_metrics(&self.client).await {
            Ok(true) => None,
            Ok(false) => Some(
                "the cluster serves no metrics (the API metrics.k8s.io, which metrics-server brings), so it starts the \
                 least number of processes and no more"
                    .to_owned(),
            ),
            Err(error) => {
                tracing::debug!(%error, "whether the cluster serves metrics cannot be told");
                None
            }
        }
    }

    async fn artifacts_retain(&self, keep: &[Artifact]) -> Result<(), EngineError> {
        match &self.images {
            Some(images) => images.retain(keep).await,
            None => Ok(()),
        }
    }
}
