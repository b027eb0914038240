//! Builds as processes on this machine.
//!
//! A build is detect → compile → release, in the style of classic buildpacks, with what is built in
//! ([`super::buildpack`]) or with others ([`super::buildpack::classic`]), or a Dockerfile ([`super::dockerfile`]);
//! [`super::plan`] says which. The finished tree goes to a [`super::sink`]: a slug on one machine, an image on a cluster.
//!
//! On disk, below the data directory: `cache/<app id>/` with a lock file beside it, and `tmp/` for what lives as long
//! as one build.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use slipway_core::{AppId, ProcessType};
use slipway_image::ImageStore;
use slipway_slug::{SlugManifest, SlugStore};
use tempfile::TempDir;
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::buildpack::{Compile, Compiled, classic};
use super::cache::{self, Cache, CacheLock};
use super::plan::{self, Pack, Plan};
use super::process::{ProcessLimits, Runner, kill_marked};
use super::sink::{FinishedSlug, SlugSink, StoreSink};
use super::source::Source;
use super::tools::ToolEnv;
use super::{
    BuildError, BuildOutput, BuildRequest, Built, SourceBuilder, build_command, clone, dockerfile, ignore,
    read_procfile, tree,
};

/// What one build may use.
#[derive(Debug, Clone)]
pub struct BuildLimits {
    /// From the start of the build, waiting not counted. Default 15 minutes.
    pub time: Duration,
    /// Resident memory of all processes of the build together. Looked at twice a second, so a build can be above it
    /// for a moment; each process alone is held by `RLIMIT_DATA` to twice this. Default 4 GiB.
    pub memory_bytes: u64,
    /// Disk space of source, temporary files and cache together. Default 4 GiB.
    pub disk_bytes: u64,
    /// Size at which a cache is cleared after a build, as it was last measured during the build. Default 2 GiB.
    pub cache_bytes: u64,
    /// Size of the slug. Default 1 GiB.
    pub slug_bytes: u64,
    /// Output that is passed on; the rest is left out with a note. Default 16 MiB.
    pub output_bytes: u64,
    /// How much builds give way to running apps: the priority number of their processes. Default 10.
    pub nice: i32,
}

impl Default for BuildLimits {
    fn default() -> Self {
        Self {
            time: Duration::from_mins(15),
            memory_bytes: 4 << 30,
            disk_bytes: 4 << 30,
            cache_bytes: 2 << 30,
            slug_bytes: 1 << 30,
            output_bytes: 16 << 20,
            nice: 10,
        }
    }
}

/// Settings of a [`LocalBuilder`].
#[derive(Debug, Clone)]
pub struct LocalBuilderConfig {
    /// The data directory; `cache/` and `tmp/` are made in it.
    pub data: PathBuf,
    /// What one build may use.
    pub limits: BuildLimits,
    /// How many builds run at once; others wait. Default: half of the processors, at least 1.
    pub concurrency: usize,
    /// The beginning of a shell command that serves a directory on `$PORT`, to which the directory is added: what runs
    /// apps of static files. It becomes part of releases, which outlive this program and its place on disk; so it
    /// names a variable of the app's environment rather than a file, for example `exec "$SLIPWAY_BIN" static-server`.
    /// `None`: there is none.
    pub static_server: Option<String>,
    /// What of this machine's environment builds see.
    pub tools: ToolEnv,
    /// Classic buildpacks on this machine, by the name that `BUILDPACK_URL` may have. Default: none.
    pub buildpacks: BTreeMap<String, PathBuf>,
    /// Whether buildpacks may be fetched from private addresses. Default: no.
    pub allow_private_addresses: bool,
    /// Where images from Dockerfiles are put, for the engine to run. Default: nowhere; they stay with the engine that built
    /// them.
    pub images: Option<ImageStore>,
}

impl LocalBuilderConfig {
    /// The defaults, with `data` as data directory, the tools of `tools`, and `static_server` as
    /// [`LocalBuilderConfig::static_server`].
    #[must_use]
    pub fn new(data: PathBuf, tools: ToolEnv, static_server: Option<String>) -> Self {
        let processors = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Self {
            data,
            limits: BuildLimits::default(),
            concurrency: (processors / 2).max(1),
            static_server,
            tools,
            buildpacks: BTreeMap::new(),
            allow_private_addresses: false,
            images: None,
        }
    }
}

/// Builds source on this machine.
pub struct LocalBuilder {
    config: LocalBuilderConfig,
    sink: Arc<dyn SlugSink>,
    slots: Semaphore,
    /// The first part of the mark on every process of this data directory's builds.
    marker: String,
}

/// What lives until the last process of a build has ended.
struct Workspace {
    _dir: TempDir,
    _lock: CacheLock,
}

impl LocalBuilder {
    /// A builder over the data directory of `config`, which puts slugs into `slugs`. Ends what builds of an earlier
    /// run, killed in the middle, left running. Only one may be open on a data directory.
    ///
    /// # Errors
    /// When the data directory cannot be made or written to.
    pub fn open(config: LocalBuilderConfig, slugs: SlugStore) -> io::Result<Self> {
        let sink = StoreSink::new(slugs, config.data.clone());
        Self::with_sink(config, Arc::new(sink))
    }

    /// As [`LocalBuilder::open`], with another place for what is built.
    ///
    /// # Errors
    /// As [`LocalBuilder::open`].
    pub fn with_sink(config: LocalBuilderConfig, sink: Arc<dyn SlugSink>) -> io::Result<Self> {
        fs::create_dir_all(&config.data)?;
        let data = fs::canonicalize(&config.data)?;
        let config = LocalBuilderConfig { data, ..config };
        let marker =
            cache::key([config.data.as_os_str().as_encoded_bytes()]).chars().take(16).collect::<String>() + "/";
        kill_marked(&marker);
        fs::create_dir_all(config.data.join("cache"))?;
        let tmp = config.data.join("tmp");
        fs::create_dir_all(&tmp)?;
        for entry in fs::read_dir(&tmp)?.flatten() {
            if entry.file_name().to_string_lossy().starts_with("build-") {
                tree::remove(&entry.path())?;
            }
        }
        let slots = Semaphore::new(config.concurrency.max(1));
        Ok(Self { config, sink, slots, marker })
    }

    fn cache_dir(&self, app: AppId) -> PathBuf {
        self.config.data.join("cache").join(app.to_string())
    }

    async fn lock_cache(&self, app: AppId, output: Option<&BuildOutput>) -> Result<CacheLock, BuildError> {
        let path = self.cache_dir(app).with_extension("lock");
        let waiting = async || {
            if let Some(output) = output {
                output.step("Waiting for an earlier build of this app to end").await;
            }
        };
        cache::lock(&path, waiting).await.map_err(|error| internal("locking the cache", &error))
    }

    async fn build_with_slot(&self, request: BuildRequest, output: &BuildOutput) -> Result<Built, BuildError> {
        let limits = &self.config.limits;
        let lock = self.lock_cache(request.app, Some(output)).await?;
        let dir = tempfile::Builder::new().prefix("build-").tempdir_in(self.config.data.join("tmp"));
        let dir = dir.map_err(|error| internal("making a directory for the build", &error))?;
        let scratch = dir.path().to_owned();
        let cache = self.open_cache(&request)?;
        let runner = self.runner(&scratch, output, Box::new(Workspace { _dir: dir, _lock: lock }))?;
        let watched = [request.source.clone(), scratch.clone()];
        let cache_bytes = AtomicU64::new(0);
        let source = Source::new(request.source.clone());
        let cx = Compile {
            source: &source,
            cache: &cache,
            runner: &runner,
            output,
            env: &request.env,
            static_server: self.config.static_server.as_deref(),
            scratch: &scratch,
            sha: &request.sha,
        };
        let result = tokio::select! {
            result = self.compile(&cx, &request) => result,
            reason = self.watch(&runner, &watched, cache.dir(), &cache_bytes) => Err(BuildError::Limit(reason)),
            () = tokio::time::sleep(limits.time) => {
                Err(BuildError::Limit(format!("the build took longer than {}", duration(limits.time))))
            }
        };
        runner.settled().await;
        let cache_bytes = cache_bytes.into_inner();
        if cache_bytes > limits.cache_bytes {
            let (have, limit) = (tree::human(cache_bytes), tree::human(limits.cache_bytes));
            output.line(&format!("       The cache is cleared: it has {have}, and {limit} are allowed")).await;
            let _ = tree::remove(cache.dir());
        }
        result
    }

    fn open_cache(&self, request: &BuildRequest) -> Result<Cache, BuildError> {
        let dir = self.cache_dir(request.app);
        // Any value counts, as upstream. Source: `drycc-v2.md` §5.6.
        if cache::is_disabled(&request.env) {
            tree::remove(&dir).map_err(|error| internal("clearing the cache", &error))?;
        }
        Cache::open(dir).map_err(|error| internal("opening the cache", &error))
    }

    fn runner(&self, scratch: &Path, output: &BuildOutput, keep: Box<dyn Send + Sync>) -> Result<Runner, BuildError> {
        let limits = &self.config.limits;
        let mut env: BTreeMap<OsString, OsString> = self.config.tools.vars().clone();
        for (name, dir) in [("HOME", "home"), ("TMPDIR", "tmp")] {
            let dir = scratch.join(dir);
            fs::create_dir(&dir).map_err(|error| internal("making a directory for the build", &error))?;
            env.insert(name.into(), dir.into());
        }
        env.insert("LANG".into(), "C.UTF-8".into());
        let limits = ProcessLimits {
            data_bytes: limits.memory_bytes.saturating_mul(2),
            file_bytes: limits.disk_bytes,
            nice: limits.nice,
            output_bytes: limits.output_bytes,
        };
        Ok(Runner::new(env, format!("{}{}", self.marker, Uuid::new_v4()), limits, output.clone(), keep))
    }

    /// Ends when a limit is passed, with the reason. Leaves in `cache_bytes` what the cache took last.
    async fn watch(&self, runner: &Runner, dirs: &[PathBuf], cache: &Path, cache_bytes: &AtomicU64) -> String {
        let limits = &self.config.limits;
        let mut disk_due = tokio::time::Instant::now();
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let probe = runner.clone();
            let memory = blocking(move || probe.memory_bytes()).await.unwrap_or(0);
            if memory > limits.memory_bytes {
                return format!("the build used more than {} of memory", tree::human(limits.memory_bytes));
            }
            if tokio::time::Instant::now() >= disk_due {
                let started = tokio::time::Instant::now();
                let (dirs, cache) = (dirs.to_vec(), cache.to_owned());
                let measure =
                    move || (dirs.iter().map(|dir| tree::disk_bytes(dir)).sum::<u64>(), tree::disk_bytes(&cache));
                let (own, kept) = blocking(measure).await.unwrap_or_default();
                cache_bytes.store(kept, Ordering::Relaxed);
                let used = own + kept;
                if used > limits.disk_bytes {
                    return format!("the build used more than {} of disk space", tree::human(limits.disk_bytes));
                }
                // Large trees are measured less often, so that measuring never costs much.
                disk_due = tokio::time::Instant::now() + Duration::from_secs(1) + started.elapsed() * 10;
            }
        }
    }

    async fn compile(&self, cx: &Compile<'_>, request: &BuildRequest) -> Result<Built, BuildError> {
        self.prepare(cx).await?;
        let plan = plan::choose(cx.source, cx.env, &self.config.buildpacks)?;
        let Plan::Buildpacks(packs) = plan else {
            cx.step("Dockerfile detected (stack container)").await;
            return dockerfile::build(cx, request.name.as_str(), self.config.images.as_ref()).await;
        };
        // A mistake in it is told before the long work begins.
        let procfile = read_procfile(cx.source)?;
        let mut compiled = Compiled::default();
        let mut names = Vec::new();
        for (number, pack) in packs.iter().enumerate() {
            let (name, part) = self.run_pack(cx, pack, number).await?;
            names.push(name);
            compiled.env.extend(part.env);
            compiled.path.splice(0..0, part.path);
            compiled.system_roots.extend(part.system_roots);
            compiled.processes = part.processes;
            compiled.procfile_hint = part.procfile_hint;
        }
        build_command::run(cx).await?;
        // A buildpack may have written one.
        let procfile = match procfile {
            Some(procfile) => procfile,
            None => read_procfile(cx.source)?.unwrap_or_default(),
        };
        let processes = self.processes(cx, procfile, &compiled).await?;
        let manifest = SlugManifest {
            stack: "buildpack".to_owned(),
            buildpack: names.join(", "),
            processes: processes.clone(),
            env: compiled.env,
            path: compiled.path,
        };
        let image = self.store(cx, manifest, compiled.system_roots).await?;
        Ok(Built { image, procfile: processes, dockerfile: String::new(), stack: "buildpack".to_owned() })
    }

    /// Takes out of the source what must never be in a slug, and what the app does not want in it.
    async fn prepare(&self, cx: &Compile<'_>) -> Result<(), BuildError> {
        cx.source.remove(".git")?;
        let scratch = cx.scratch.join("ignore");
        let source = cx.source.clone();
        let ignored = blocking(move || {
            fs::create_dir(&scratch).map_err(|error| internal("making a directory for the build", &error))?;
            ignore::apply(&source, &scratch)
        })
        .await??;
        if ignored > 0 {
            let plural = if ignored == 1 { "file or directory" } else { "files and directories" };
            cx.step(&format!("Left out {ignored} {plural} named in .slugignore")).await;
        }
        Ok(())
    }

    async fn run_pack(&self, cx: &Compile<'_>, pack: &Pack, number: usize) -> Result<(String, Compiled), BuildError> {
        match pack {
            Pack::BuiltIn { pack, evidence } => {
                if evidence.is_none() && pack.detect(cx.source).is_none() {
                    return Err(BuildError::Failed(format!(
                        "the {} buildpack does not recognise the source: it looks for {}",
                        pack.name(),
                        pack.looks_for()
                    )));
                }
                cx.step(&format!("{} app detected", pack.name())).await;
                if evidence.is_some() {
                    for (other, file) in plan::also_present(cx.source, pack.id()) {
                        cx.detail(&format!("{file} is there too: config:set BUILDPACK_URL={other} to build with it"))
                            .await;
                    }
                }
                Ok((pack.name().to_owned(), pack.compile(cx).await?))
            }
            Pack::Installed { name, dir } => classic::compile(cx, name, dir).await,
            Pack::Remote { url, branch } => {
                cx.step(&format!("Fetching the buildpack {url}")).await;
                let dir = cx.scratch.join(format!("buildpack-{number}"));
                clone::clone(url, branch.as_deref(), &dir, self.config.allow_private_addresses).await?;
                classic::compile(cx, url.as_str(), &dir).await
            }
        }
    }

    /// The process types: the Procfile's over the buildpack's. At least one.
    async fn processes(
        &self,
        cx: &Compile<'_>,
        procfile: BTreeMap<String, String>,
        compiled: &Compiled,
    ) -> Result<BTreeMap<String, String>, BuildError> {
        let mut defaults = compiled.processes.clone();
        for (name, command) in &defaults {
            ProcessType::new(name.as_str())
                .map_err(|error| BuildError::Failed(format!("the buildpack's process type '{name}': {error}")))?;
            if command.trim().is_empty() || command.contains(['\0', '\n']) {
                return Err(BuildError::Failed(format!("the buildpack's command for '{name}' must be one line")));
            }
        }
        cx.step("Discovering process types").await;
        let list = |map: &BTreeMap<String, String>| map.keys().cloned().collect::<Vec<_>>().join(", ");
        if !procfile.is_empty() {
            cx.detail(&format!("Procfile declares types     -> {}", list(&procfile))).await;
        }
        defaults.retain(|name, _| !procfile.contains_key(name));
        if !defaults.is_empty() {
            cx.detail(&format!("Default types for buildpack -> {}", list(&defaults))).await;
        }
        defaults.extend(procfile);
        if defaults.is_empty() {
            return Err(BuildError::Failed(format!(
                "there is nothing to run: no Procfile says how the app starts, and it is not obvious.\n\
                 Add a file named Procfile to the root of the repository, with a line such as\n\
                 {:9}{}",
                "", compiled.procfile_hint
            )));
        }
        Ok(defaults)
    }

    /// Hands the finished tree on.
    async fn store(&self, cx: &Compile<'_>, manifest: SlugManifest, roots: Vec<PathBuf>) -> Result<String, BuildError> {
        let limit = self.config.limits.slug_bytes;
        let dir = cx.source.dir().to_owned();
        let size = blocking(move || tree::content_bytes(&dir)).await?;
        if size > limit {
            return Err(BuildError::Limit(format!(
                "the slug has {}, and {} are allowed; name what the app does not need to run in .slugignore",
                tree::human(size),
                tree::human(limit)
            )));
        }
        let slug = FinishedSlug {
            dir: cx.source.dir().to_owned(),
            scratch: cx.scratch.to_owned(),
            manifest,
            system_roots: roots,
            bytes_max: limit,
        };
        let image = self.sink.take(slug).await?;
        cx.detail(&format!("Slug size: {}", tree::human(size))).await;
        Ok(image)
    }
}

#[async_trait]
impl SourceBuilder for LocalBuilder {
    async fn build(&self, request: BuildRequest, output: BuildOutput) -> Result<Built, BuildError> {
        let slot = if let Ok(slot) = self.slots.try_acquire() {
            slot
        } else {
            let count = self.config.concurrency.max(1);
            let builds = if count == 1 { "1 build is".to_owned() } else { format!("{count} builds are") };
            output.step(&format!("Waiting: {builds} running already, which is as many as this machine takes")).await;
            let waited = self.slots.acquire().await;
            waited.map_err(|_| BuildError::Unavailable("the platform is shutting down".to_owned()))?
        };
        let result = self.build_with_slot(request, &output).await;
        drop(slot);
        result
    }

    async fn forget(&self, app: AppId) {
        let Ok(lock) = self.lock_cache(app, None).await else { return };
        let dir = self.cache_dir(app);
        let removed = blocking(move || tree::remove(&dir)).await;
        if let Ok(Err(error)) = removed {
            tracing::warn!(app.id = %app, %error, "the build cache of a destroyed app could not be removed");
        }
        let _ = fs::remove_file(self.cache_dir(app).with_extension("lock"));
        drop(lock);
    }
}

/// Runs what blocks on the file system where it may.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, BuildError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| internal("working on files", &error))
}

/// Logs the cause and keeps it from the pusher.
pub(crate) fn internal(doing: &str, error: &dyn std::error::Error) -> BuildError {
    let cause = error.source().map(ToString::to_string).unwrap_or_default();
    tracing::error!(%error, cause, "{doing} failed");
    BuildError::Internal(format!("{doing} failed; the platform's log says why"))
}

/// A time as people say it.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        1 => "1 second".to_owned(),
        0..60 => format!("{seconds} seconds"),
        60 => "1 minute".to_owned(),
        _ if seconds.is_multiple_of(60) => format!("{} minutes", seconds / 60),
        _ => format!("{} minutes and {} seconds", seconds / 60, seconds % 60),
    }
}
