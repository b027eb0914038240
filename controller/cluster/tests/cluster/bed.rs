//! An engine on the test cluster, and apps for it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Method, Request, Response};
use kube::client::{Body, ClientBuilder};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use slipway_cluster::log::MemoryKeep;
use slipway_cluster::settings::FetchSettings;
use slipway_cluster::{ClusterEngine, ClusterSettings};
use slipway_core::build::BuildKind;
use slipway_core::config::SecretText;
use slipway_core::{AppId, AppName, ProcessType, ReleaseVersion};
use slipway_engine::spec::RouteSpec;
use slipway_engine::{AppSpec, AppStatus, Artifact, Engine, ProcessSpec, ReleaseSpec};
use tokio_util::sync::CancellationToken;
use tower::{Layer, Service};

/// Longest that anything is waited for.
const WAIT_MAX: Duration = Duration::from_mins(2);
/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(200);

/// An engine whose writes are counted, and its cluster.
pub struct Bed {
    pub client: Client,
    pub engine: Arc<ClusterEngine>,
    writes: Writes,
    shutdown: CancellationToken,
}

/// `METHOD path` of every call that writes.
#[derive(Clone, Default)]
struct Writes(Arc<Mutex<Vec<String>>>);

#[derive(Clone)]
struct Counted<S> {
    inner: S,
    writes: Writes,
}

impl<S> Layer<S> for Writes {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted { inner, writes: self.clone() }
    }
}

impl<S, B> Service<Request<Body>> for Counted<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> S::Future {
        if request.method() != Method::GET {
            self.writes.0.lock().unwrap().push(format!("{} {}", request.method(), request.uri().path()));
        }
        self.inner.call(request)
    }
}

impl Bed {
    /// Starts an engine on the cluster of `SLIPWAY_TEST_KUBECONFIG`.
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// With other settings.
    pub async fn with(change: impl FnOnce(&mut ClusterSettings)) -> Self {
        let config = config().await;
        let client = Client::try_from(config.clone()).unwrap();
        let writes = Writes::default();
        let counted = ClientBuilder::try_from(config).unwrap().with_layer(&writes).build();
        let shutdown = CancellationToken::new();
        let mut settings = ClusterSettings {
            fetch: FetchSettings { insecure: vec!["127.0.0.1:5000".to_owned()], ..FetchSettings::default() },
            ..ClusterSettings::default()
        };
        change(&mut settings);
        let keep = Arc::new(MemoryKeep::default());
        let engine = ClusterEngine::start(counted, settings, keep, shutdown.clone()).await.unwrap();
        engine.index().synced().await;
        Self { client, engine, writes, shutdown }
    }

    /// What was written since the last call.
    pub fn writes(&self) -> Vec<String> {
        std::mem::take(&mut self.writes.0.lock().unwrap())
    }

    /// Waits until the app's status is as wanted.
    pub async fn until(&self, app: AppId, what: &str, is_wanted: impl Fn(&AppStatus) -> bool) -> AppStatus {
        let mut last = AppStatus::default();
        let wait = async {
            loop {
                last = self.engine.app_status(app).await.unwrap();
                if is_wanted(&last) {
                    return;
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        let waited = tokio::time::timeout(WAIT_MAX, wait).await;
        assert!(waited.is_ok(), "not in time: {what}: {last:#?}");
        last
    }

    /// Applies a wish and waits until it is settled.
    pub async fn settle(&self, spec: &AppSpec) -> AppStatus {
        self.engine.app_apply(spec.clone()).await.unwrap();
        let generation = Some(spec.generation);
        self.until(spec.app, "settled", |status| status.is_settled && status.applied_generation == generation).await
    }

    /// Removes an app, and stops the engine.
    pub async fn end(self, spec: &AppSpec) {
        self.engine.app_remove(spec.app, &spec.name).await.unwrap();
        self.shutdown.cancel();
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// A name that no other test has, in this run or in one before.
pub fn name(test: &str) -> AppName {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    AppName::new(format!("engine-test-{test}-{}-{count}", std::process::id())).unwrap()
}

/// A web server that answers with the release's number, and ends at once when it is told to.
pub const SERVE: &str = "mkdir -p /tmp/w; echo $VERSION >/tmp/w/index.html; \
    busybox httpd -f -p $PORT -h /tmp/w & trap 'kill $!; exit 0' TERM; wait $!";

/// The app's first release.
pub fn app(test: &str) -> AppSpec {
    AppSpec {
        app: AppId::generate(),
        name: name(test),
        generation: 1,
        release: Some(release(1, vec![process("web", 1, SERVE)])),
        route: RouteSpec { hosts: vec![format!("{test}.example.com")], is_routable: true, ..RouteSpec::default() },
        volumes: Vec::new(),
    }
}

/// How the test cluster is reached.
async fn config() -> Config {
    let path = std::env::var("SLIPWAY_TEST_KUBECONFIG").expect("SLIPWAY_TEST_KUBECONFIG names the test cluster");
    let kubeconfig = Kubeconfig::read_from(PathBuf::from(path)).unwrap();
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap()
}

/// The test cluster.
pub async fn client() -> Client {
    Client::try_from(config().await).unwrap()
}

/// The test's image.
pub fn image() -> String {
    std::env::var("SLIPWAY_TEST_IMAGE").unwrap_or_else(|_| "127.0.0.1:5000/base/busybox:1".to_owned())
}

/// A release of the test's image.
pub fn release(version: u32, processes: Vec<ProcessSpec>) -> ReleaseSpec {
    let env = [("PORT", "5000".to_owned()), ("VERSION", format!("v{version}"))];
    ReleaseSpec {
        version: ReleaseVersion(version),
        summary: format!("test deployed v{version}"),
        artifact: Artifact::Image { reference: image() },
        kind: BuildKind::Image,
        registry: None,
        placement: BTreeMap::new(),
        env: env.map(|(name, value)| (name.to_owned(), SecretText::new(value))).into(),
        processes,
    }
}

/// A process type that runs a line.
pub fn process(process_type: &str, replicas: u32, line: &str) -> ProcessSpec {
    ProcessSpec {
        process_type: ProcessType::new(process_type).unwrap(),
        command: Some(line.to_owned()),
        replicas,
        autoscale: None,
        is_routed: process_type == "web",
        restart_token: 0,
        memory: None,
        cpu: None,
        readiness: None,
        liveness: None,
        grace: Duration::from_secs(4),
        post_start: None,
        pre_stop: None,
        mounts: Vec::new(),
    }
}
