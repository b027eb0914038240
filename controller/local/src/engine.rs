//! The port, for this machine.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use serde::{Deserialize, Serialize};
use slipway_core::log::{LogLine, LogQuery};
use slipway_core::volume::MountPath;
use slipway_core::{AppId, AppName, ReleaseVersion, VolumeId};
use slipway_engine::route::{Backend, RouteTable};
use slipway_engine::{
    AppSpec, AppStatus, Artifact, Attach, Engine, EngineError, ExecSpec, HttpCheck, HttpCheckOutcome, LogSink,
    MountSpec, NodeStatus, PodUsage, RegistryLogin, RunOutcome, RunSpec, Session,
};
use slipway_image::{ImageStore, remove_tree};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::member::Stop;
use crate::app::release::{digest_of, slug_error, unavailable};
use crate::app::supervisor::{Order, Supervisor};
use crate::app::{Shared, health};
use crate::cgroup;
use crate::config::LocalConfig;
use crate::disk;
use crate::image::Images;
use crate::journal::{Journals, Sink, wants};
use crate::machine;
use crate::node::record::{Record, Shelf};
use crate::port::Ports;
use crate::record::Records;
use crate::registry::Registry;
use crate::usage::{Usage, machine_usage};
use crate::volume::Volumes;
use crate::workdir::make_dir;

/// Changes that a slow listener may be behind.
const CHANGES: usize = 1024;
/// Slugs younger than this are never removed: a push may not have told of its own yet.
const SLUG_MIN_AGE: Duration = Duration::from_hours(1);

/// Why the engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// The data directory cannot be used, or processes of an earlier run cannot be ended.
    #[error("preparing the data directory of the engine")]
    Data {
        /// The cause.
        source: io::Error,
    },
    /// The client for health checks cannot be made.
    #[error("preparing health checks")]
    Http {
        /// The cause.
        source: reqwest::Error,
    },
}

/// What is kept on disk of an app besides its files.
#[derive(Debug, Serialize, Deserialize)]
struct AppFile {
    name: String,
}

/// Runs apps as processes of this machine.
#[derive(Debug)]
pub struct LocalEngine {
    shared: Arc<Shared>,
    apps: Mutex<Apps>,
    sink: Arc<Sink>,
    runs: TaskTracker,
    ending: CancellationToken,
    shelf: Shelf,
    /// The name of this machine.
    machine: String,
}

#[derive(Debug, Default)]
struct Apps {
    live: HashMap<AppId, Handle>,
    removing: HashSet<AppId>,
    is_shut: bool,
}

#[derive(Debug)]
struct Handle {
    name: AppName,
    orders: mpsc::UnboundedSender<Order>,
    status: Arc<Mutex<AppStatus>>,
    runs: CancellationToken,
}

/// Marks an app as being removed, also when the removal is given up half-way.
struct Removing<'a> {
    apps: &'a Mutex<Apps>,
    app: AppId,
}

impl Drop for Removing<'_> {
    fn drop(&mut self) {
        self.apps.lock().unwrap_or_else(PoisonError::into_inner).removing.remove(&self.app);
    }
}

impl LocalEngine {
    /// Starts the engine on `config.data`: ends processes that an earlier engine left there, and removes its copies of
    /// slugs. No app runs before it is applied.
    ///
    /// # Errors
    /// [`LocalError`] when the directory cannot be used.
    pub async fn start(mut config: LocalConfig) -> Result<Arc<Self>, LocalError> {
        let data = |source| LocalError::Data { source };
        let (config, records, images, volumes, shelf) = tokio::task::spawn_blocking(move || {
            make_dir(&config.data)?;
            config.data = fs::canonicalize(&config.data)?;
            if config.cgroup.is_none() {
                config.cgroup = cgroup::delegated();
            }
            let records = Records::open(&config.data)?;
            clear_copies(&config.data.join("apps"))?;
            make_dir(&config.data.join("logs"))?;
            let images = Images::open(&config.data, &config.path, config.fetch.clone())?;
            let volumes = Volumes::open(&config.data)?;
            let shelf = Shelf::open(&config.data)?;
            Ok((config, records, images, volumes, shelf))
        })
        .await
        .map_err(|error| data(io::Error::other(error)))?
        .map_err(data)?;
        if let Some(runtime) = images.runtime() {
            runtime.clear().await;
        }
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            // A process's own certificate is for its host names, not for the loopback address.
            .danger_accept_invalid_certs(true)
            .pool_max_idle_per_host(0)
            .build()
            .map_err(|source| LocalError::Http { source })?;
        let journals = Arc::new(Journals::new(config.data.join("logs"), config.log_bytes_max));
        let sink = journals.sink();
        let ports = Ports::new(config.listen);
        let (changes, _) = broadcast::channel(CHANGES);
        let usage = Arc::new(Usage::default());
        let ending = CancellationToken::new();
        tokio::spawn(Arc::clone(&usage).watch(config.usage_interval, ending.clone()));
        let shared = Arc::new(Shared {
            config,
            records,
            ports,
            journals,
            registry: Registry::new(),
            usage,
            images,
            volumes,
            http,
            changes,
        });
        let (apps, runs, machine) = (Mutex::default(), TaskTracker::new(), machine::name());
        Ok(Arc::new(Self { shared, apps, sink, runs, ending, shelf, machine }))
    }

    /// The routes of all apps, for the built-in router: read the newest for each request.
    #[must_use]
    pub fn routes(&self) -> watch::Receiver<Arc<RouteTable>> {
        self.shared.registry.subscribe()
    }

    /// The store of images, where what is built on this machine is put.
    #[must_use]
    pub fn images(&self) -> ImageStore {
        self.shared.images.store()
    }

    /// Where containers of teams are recorded.
    pub(crate) fn shelf(&self) -> Shelf {
        self.shelf.clone()
    }

    /// Whether images can be run here.
    pub(crate) fn has_runtime(&self) -> bool {
        self.shared.images.runtime().is_some()
    }

    /// Stops all apps and one-off processes, each within its grace period, and takes no further wish.
    pub async fn shutdown(&self) {
        self.ending.cancel();
        let ended: Vec<_> = {
            let mut apps = self.lock();
            apps.is_shut = true;
            apps.live.values().map(|handle| end(&handle.orders, Stop::Term)).collect()
        };
        for done in ended {
            // An error means that the supervisor is gone already.
            let _ = done.await;
        }
        self.runs.close();
        self.runs.wait().await;
        let records = self.shared.records.clone();
        if let Err(error) = blocking("processes cannot be ended", move || records.end_all()).await {
            tracing::warn!(%error, "processes that left their group may go on; the next start ends them");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Apps> {
        self.apps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What ends one-off processes of an app: its removal, or the platform's end.
    fn canceled(&self, app: AppId) -> Result<CancellationToken, EngineError> {
        let apps = self.lock();
        if apps.is_shut || apps.removing.contains(&app) {
            return Err(busy("the app is being removed, or the platform stopped"));
        }
        Ok(apps.live.get(&app).map_or(&self.ending, |handle| &handle.runs).child_token())
    }

    fn orders(&self, app: AppId) -> Option<mpsc::UnboundedSender<Order>> {
        self.lock().live.get(&app).map(|handle| handle.orders.clone())
    }

    /// The supervisor of an app, started if need be.
    fn supervisor(
        &self,
        app: AppId,
        name: &AppName,
        trusted: Option<ReleaseVersion>,
    ) -> Result<mpsc::UnboundedSender<Order>, EngineError> {
        let mut apps = self.lock();
        if apps.is_shut {
            return Err(busy("the platform is being stopped"));
        }
        if apps.removing.contains(&app) {
            return Err(busy("the app is being removed"));
        }
        let handle = apps.live.entry(app).or_insert_with(|| {
            let status = Arc::new(Mutex::new(AppStatus::default()));
            self.shared.journals.revive(app);
            let orders = Supervisor::spawn(Arc::clone(&self.shared), app, name.clone(), trusted, Arc::clone(&status));
            Handle { name: name.clone(), orders, status, runs: self.ending.child_token() }
        });
        handle.name.clone_from(name);
        Ok(handle.orders.clone())
    }
}

fn busy(reason: &str) -> EngineError {
    EngineError::Unavailable { public: reason.to_owned(), context: reason.to_owned() }
}

fn end(orders: &mpsc::UnboundedSender<Order>, how: Stop) -> oneshot::Receiver<()> {
    let (sender, receiver) = oneshot::channel();
    // When the supervisor is gone the sender is dropped, which the receiver notices.
    let _ = orders.send(Order::End(how, sender));
    receiver
}

/// Removes the copies of slugs below `apps`, and keeps what is known of the apps. Blocks.
fn clear_copies(apps: &Path) -> io::Result<()> {
    make_dir(apps)?;
    for app in fs::read_dir(apps)? {
        let app = app?;
        if !app.file_type()?.is_dir() {
            continue;
        }
        for entry in fs::read_dir(app.path())? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                remove_tree(&entry.path())?;
            }
        }
    }
    Ok(())
}

/// Writes an app's file if it says something new, and returns the release that last served. Blocks.
fn note_app(dir: &Path, name: &AppName) -> io::Result<Option<ReleaseVersion>> {
    make_dir(dir)?;
    let path = dir.join("app.json");
    let json = serde_json::to_vec(&AppFile { name: name.to_string() })?;
    if fs::read(&path).ok().as_ref() != Some(&json) {
        let tmp = dir.join("app.json.new");
        fs::write(&tmp, &json)?;
        fs::rename(&tmp, &path)?;
    }
    Ok(fs::read_to_string(dir.join("served")).ok().and_then(|text| text.trim().parse().ok()))
}

/// Refuses volumes where processes of `artifact` cannot have them.
fn mounts_check<'a>(artifact: &Artifact, mounts: impl IntoIterator<Item = &'a MountSpec>) -> Result<(), EngineError> {
    match mounts.into_iter().find_map(|mount| crate::volume::refusal(artifact, &mount.path)) {
        Some(refusal) => Err(EngineError::Rejected(refusal)),
        None => Ok(()),
    }
}

async fn blocking<T: Send + 'static>(
    public: &'static str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, EngineError> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|error| unavailable(public, &error))?;
    done.map_err(|error| unavailable(public, &error))
}

#[async_trait]
impl Engine for LocalEngine {
    async fn app_apply(&self, spec: AppSpec) -> Result<(), EngineError> {
        let (app, name) = (spec.app, spec.name.clone());
        if let Some(release) = &spec.release {
            let mounts = release.processes.iter().flat_map(|process| &process.mounts);
            mounts_check(&release.artifact, mounts)?;
        }
        let volumes: Vec<VolumeId> = spec.volumes.iter().map(|volume| volume.id).collect();
        let orders = {
            let known = self.lock().live.get(&app).filter(|handle| handle.name == name).map(|h| h.orders.clone());
            if let Some(orders) = known {
                orders
            } else {
                let (dir, file_name) = (self.shared.app_dir(app), name.clone());
                let noted = blocking("the app's directory cannot be made", move || note_app(&dir, &file_name));
                let trusted = noted.await?;
                self.supervisor(app, &name, trusted)?
            }
        };
        let (taken, was_taken) = oneshot::channel();
        let gone = || busy("the app is being removed, or the platform stopped");
        orders.send(Order::Apply(Box::new(spec), taken)).map_err(|_| gone())?;
        was_taken.await.map_err(|_| gone())?;
        // After the wish: what is not wanted any more is not mounted by it.
        let all = self.shared.volumes.clone();
        if let Err(error) = blocking("volumes cannot be removed", move || all.retain(app, &volumes)).await {
            tracing::warn!(app.id = %app, %error, "a deleted volume stays until the next look at its app");
        }
        Ok(())
    }

    async fn app_remove(&self, app: AppId, _name: &AppName) -> Result<(), EngineError> {
        if !self.lock().removing.insert(app) {
            return Err(busy("the app is being removed already"));
        }
        let _removing = Removing { apps: &self.apps, app };
        let ended = {
            let mut apps = self.lock();
            apps.live.remove(&app).map(|handle| {
                handle.runs.cancel();
                end(&handle.orders, Stop::Remove)
            })
        };
        if let Some(ended) = ended {
            let _ = ended.await;
        }
        let shared = Arc::clone(&self.shared);
        let removed = blocking("the app's files cannot be removed", move || {
            shared.records.end_app(app)?;
            shared.journals.remove(app)?;
            shared.volumes.remove_app(app)?;
            remove_tree(&shared.app_dir(app))
        })
        .await;
        // Nobody may be listening.
        let _ = self.shared.changes.send(app);
        removed
    }

    fn is_routing_paths(&self) -> bool {
        true
    }

    fn is_keeping_volumes(&self) -> bool {
        true
    }

    fn mount_refusal(&self, artifact: &Artifact, path: &MountPath) -> Option<String> {
        crate::volume::refusal(artifact, path)
    }

    fn is_choosing_ports(&self) -> bool {
        true
    }

    async fn app_status(&self, app: AppId) -> Result<AppStatus, EngineError> {
        let status = self.lock().live.get(&app).map(|handle| Arc::clone(&handle.status));
        let Some(status) = status else { return Ok(AppStatus::default()) };
        let mut status = status.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for pod in &mut status.pods {
            pod.cpu_millis = pod.pid.and_then(|pid| self.shared.usage.of(pid));
            pod.address = pod.pid.map(|_| self.shared.config.listen);
            pod.node = Some(self.machine.clone());
        }
        Ok(status)
    }

    async fn pod_usage(&self, app: AppId, pod: &str) -> Result<PodUsage, EngineError> {
        let missing = || EngineError::Missing(format!("process {pod}"));
        let status = self.lock().live.get(&app).map(|handle| Arc::clone(&handle.status)).ok_or_else(missing)?;
        let found = {
            let status = status.lock().unwrap_or_else(PoisonError::into_inner);
            status.pods.iter().find(|one| one.name == pod).map(|one| one.pid).ok_or_else(missing)?
        };
        let not_running = || EngineError::Unavailable {
            public: "the process does not run at the moment, so that there is nothing to measure".to_owned(),
            context: format!("no process behind {pod}"),
        };
        let pid = found.ok_or_else(not_running)?;
        let cgroup = self.shared.config.cgroup.as_deref();
        let mut usage = self.shared.usage.pod(pid, cgroup).await.ok_or_else(not_running)?;
        let files = self.shared.config.data.clone();
        // Its files are there, those that stay and those that do not.
        usage.disks = tokio::task::spawn_blocking(move || disk::of(&files)).await.ok().flatten().into_iter().collect();
        Ok(usage)
    }

    async fn http_check(&self, check: &HttpCheck) -> HttpCheckOutcome {
        let Some(route) = self.shared.registry.route(check.app) else { return HttpCheckOutcome::Untold };
        // Any of them; one that drains has had its last request.
        let start = usize::from(uuid::Uuid::new_v4().as_bytes()[0]);
        let backends = route.backends.iter().cycle().skip(start % route.backends.len().max(1));
        match backends.take(route.backends.len()).find_map(Backend::acquire) {
            Some(asked) => health::ask(&self.shared.http, asked.backend().addr, check).await,
            None => HttpCheckOutcome::Untold,
        }
    }

    async fn nodes(&self) -> Result<Vec<NodeStatus>, EngineError> {
        Ok(vec![machine::this()])
    }

    async fn node_usage(&self, node: &str) -> Result<PodUsage, EngineError> {
        if self.machine != node {
            return Err(EngineError::Missing(format!("machine {node}")));
        }
        Ok(machine_usage().await)
    }

    async fn apps_known(&self) -> Result<Vec<(AppId, AppName)>, EngineError> {
        let dir = self.shared.config.data.join("apps");
        let shelf = self.shelf.clone();
        blocking("the directory of apps cannot be read", move || {
            // Those are nobody's who asks.
            let of_teams: HashSet<AppId> = shelf.all()?.iter().filter_map(Record::app).collect();
            let mut known = Vec::new();
            for entry in fs::read_dir(&dir)? {
                let entry = entry?;
                let app = entry.file_name().to_str().and_then(|name| name.parse::<AppId>().ok());
                let file = fs::read(entry.path().join("app.json")).ok();
                let file = file.and_then(|json| serde_json::from_slice::<AppFile>(&json).ok());
                // A directory without its file is of an app whose name got lost; any name serves to remove it.
                let name = file.and_then(|file| AppName::new(file.name).ok()).or_else(|| AppName::new("unknown").ok());
                known.extend(app.filter(|app| !of_teams.contains(app)).zip(name));
            }
            Ok(known)
        })
        .await
    }

    fn changes(&self) -> broadcast::Receiver<AppId> {
        self.shared.changes.subscribe()
    }

    async fn pod_restart(&self, app: AppId, pod: &str) -> Result<(), EngineError> {
        let missing = || EngineError::Missing(format!("process {pod}"));
        let (found, was_found) = oneshot::channel();
        let orders = self.orders(app).ok_or_else(missing)?;
        orders.send(Order::Restart(pod.to_owned(), found)).map_err(|_| missing())?;
        if was_found.await.unwrap_or(false) { Ok(()) } else { Err(missing()) }
    }

    async fn rollout_output(&self, app: AppId) -> Result<Vec<String>, EngineError> {
        let Some(orders) = self.orders(app) else { return Ok(Vec::new()) };
        let (told, output) = oneshot::channel();
        // A supervisor that has ended has nothing to roll out.
        let _ = orders.send(Order::Output(told));
        Ok(output.await.unwrap_or_default())
    }

    async fn run(&self, spec: RunSpec) -> Result<RunOutcome, EngineError> {
        mounts_check(&spec.artifact, &spec.mounts)?;
        let canceled = self.canceled(spec.app)?;
        // Cancels when this future is dropped; the task goes on until the process is gone.
        let _guard = canceled.clone().drop_guard();
        let task = self.runs.spawn(crate::oneoff::run(Arc::clone(&self.shared), spec, canceled));
        task.await.map_err(|error| unavailable("the process was lost", &error))?
    }

    async fn run_session(&self, spec: RunSpec, attach: Attach) -> Result<Session, EngineError> {
        mounts_check(&spec.artifact, &spec.mounts)?;
        let canceled = self.canceled(spec.app)?;
        let begun = crate::session::run(&self.shared, &spec, attach).await?;
        let (session, carry) = crate::session::session(begun, canceled);
        self.runs.spawn(carry);
        Ok(session)
    }

    async fn exec_session(&self, spec: ExecSpec) -> Result<Session, EngineError> {
        let missing = || EngineError::Missing(format!("process {}", spec.pod));
        let canceled = self.canceled(spec.app)?;
        let orders = self.orders(spec.app).ok_or_else(missing)?;
        let (told, room) = oneshot::channel();
        orders.send(Order::Find(spec.pod.clone(), told)).map_err(|_| missing())?;
        let member = room.await.ok().flatten().ok_or_else(missing)?;
        let stopped = || EngineError::Rejected(format!("process {} does not run", spec.pod));
        let begun = crate::session::exec(&self.shared, &spec, &member.room().ok_or_else(stopped)?).await?;
        let (session, carry) = crate::session::session(begun, canceled);
        self.runs.spawn(carry);
        Ok(session)
    }

    async fn log_read(&self, app: AppId, query: LogQuery) -> Result<Vec<LogLine>, EngineError> {
        let Some(journal) = self.shared.journals.of(app) else { return Ok(Vec::new()) };
        blocking("the log cannot be read", move || journal.read(&query).map(|(lines, _)| lines)).await
    }

    async fn log_follow(&self, app: AppId, query: LogQuery) -> Result<BoxStream<'static, LogLine>, EngineError> {
        let Some(journal) = self.shared.journals.of(app) else { return Ok(stream::empty().boxed()) };
        let filter = query.clone();
        let (lines, receiver) = blocking("the log cannot be read", move || journal.read(&query)).await?;
        let later = stream::unfold(receiver, |mut receiver| async {
            let line = match receiver.recv().await {
                Ok(line) => line,
                Err(broadcast::error::RecvError::Lagged(count)) => LogLine {
                    time: chrono::Utc::now(),
                    source: "slipway[log]".to_owned(),
                    text: format!("{count} lines were passed over: the reader is too slow"),
                },
                Err(broadcast::error::RecvError::Closed) => return None,
            };
            Some((line, receiver))
        });
        let later = later.filter(move |line| {
            let is_wanted = wants(&filter, line) || line.source == "slipway[log]";
            async move { is_wanted }
        });
        Ok(stream::iter(lines).chain(later).boxed())
    }

    fn log_sink(&self) -> Arc<dyn LogSink> {
        Arc::clone(&self.sink) as Arc<dyn LogSink>
    }

    async fn artifact_check(&self, artifact: &Artifact) -> Result<(), EngineError> {
        if let Artifact::Image { reference } = artifact {
            return self.shared.images.check(reference);
        }
        let digest = digest_of(artifact)?;
        let slugs = self.shared.config.slugs.clone();
        let checked = tokio::task::spawn_blocking(move || {
            slugs.path(&digest)?;
            slugs.manifest(&digest)
        });
        checked.await.map_err(|error| unavailable("the slug cannot be read", &error))?.map(drop).map_err(slug_error)
    }

    async fn artifact_pin(
        &self,
        artifact: &Artifact,
        registry: Option<&RegistryLogin>,
    ) -> Result<Artifact, EngineError> {
        match artifact {
            Artifact::Slug { .. } => Ok(artifact.clone()),
            Artifact::Image { reference } => {
                let reference = self.shared.images.pin(reference, registry).await?;
                Ok(Artifact::Image { reference })
            }
        }
    }

    async fn artifacts_retain(&self, keep: &[Artifact]) -> Result<(), EngineError> {
        let shelf = self.shelf.clone();
        let of_teams = blocking("the node's records cannot be read", move || shelf.all()).await?;
        let of_teams = of_teams.into_iter().map(|record| Artifact::Image { reference: record.pinned });
        let images: Vec<Artifact> = keep.iter().cloned().chain(of_teams).collect();
        self.shared.images.retain(&images, SLUG_MIN_AGE).await?;
        let keep: HashSet<_> = keep.iter().filter_map(|artifact| digest_of(artifact).ok()).collect();
        let slugs = self.shared.config.slugs.clone();
        let retained = tokio::task::spawn_blocking(move || slugs.retain(&keep, SLUG_MIN_AGE));
        retained.await.map_err(|error| unavailable("slugs cannot be removed", &error))?.map(drop).map_err(slug_error)
    }
}
