//! A controller in this process: its API, its service layer, its database, and an engine in memory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use secrecy::SecretString;
use slipway_api::dployr_v1::log::LogStreams;
use slipway_api::serve::serve;
use slipway_api::{Metrics, State};
use slipway_client::hooks::HookClient;
use slipway_engine::Engine;
use slipway_service::testing::{FakeEngine, FakeHooks, FakeMailer, FakeNodes, FakeWeb};
use slipway_service::{
    HookSender, Mailer, NodeConnector, PasswordCost, Reconciler, Service, ServiceConfig, SystemClock, TeamSettings,
    WebClient,
};
use slipway_store::testing::{Backend, TestStore};
use slipway_team::template::Templates;
use slipway_wire::drycc_v2::hook::{BuildLog, OrderFinish};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

const BUILDER_KEY: &str = "the-builders-key";

/// A controller; it stops when dropped.
pub struct Platform {
    /// Where it answers.
    pub url: String,
    /// Where its apps would run.
    pub engine: Arc<FakeEngine>,
    /// Whoever webhooks call.
    pub hooks: Arc<FakeHooks>,
    /// The hosts of registries and notifications.
    pub web: Arc<FakeWeb>,
    /// What containers of teams would run on.
    pub nodes: Arc<FakeNodes>,
    shutdown: CancellationToken,
    _store: TestStore,
    runtime: Runtime,
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl Platform {
    /// Keeps the log of a push, as the builder does at its end.
    pub fn push_logged(&self, app: &str, user: &str, sha: &str, log: &str) {
        let hooks = HookClient::new(self.url.parse().unwrap(), SecretString::from(BUILDER_KEY)).unwrap();
        let body = BuildLog {
            receive_user: user.to_owned(),
            receive_repo: app.to_owned(),
            sha: sha.to_owned(),
            state: "succeeded".to_owned(),
            log: log.to_owned(),
            build: String::new(),
        };
        self.runtime.block_on(hooks.build_log(&body)).unwrap();
    }

    /// Does what the builder does with the next deployment that is asked for: hands in a log, and `image` or why there
    /// is none.
    pub fn build_next(&self, log: &str, image: Result<&str, &str>) {
        const SHA: &str = "1b34f2c0000000000000000000000000000000aa";
        let hooks = HookClient::new(self.url.parse().unwrap(), SecretString::from(BUILDER_KEY)).unwrap();
        let deadline = Instant::now() + Duration::from_mins(3);
        let order = loop {
            // Answered after a while, whether there is one or not.
            if let Some(order) = self.runtime.block_on(hooks.order_claim(Duration::from_secs(20))).unwrap() {
                break order;
            }
            assert!(Instant::now() < deadline, "nobody asks for a deployment");
        };
        self.push_logged(&order.name, &order.user, SHA, log);
        let finish = OrderFinish {
            app: order.app,
            claim: order.claim,
            outcome: if image.is_ok() { "built" } else { "failed" }.to_owned(),
            error: image.err().unwrap_or_default().to_owned(),
            commit_hash: SHA.to_owned(),
            fingerprint: "f".to_owned(),
            image: image.unwrap_or_default().to_owned(),
            procfile: std::iter::once(("web".to_owned(), order.run_cmd)).collect(),
            dockerfile: String::new(),
            stack: "container".to_owned(),
        };
        self.runtime.block_on(hooks.order_finish(&finish)).unwrap();
    }

    /// With nobody and nothing.
    pub fn start() -> Self {
        Self::start_with(|_| {})
    }

    /// The same, with other settings.
    pub fn start_with(change: impl FnOnce(&mut ServiceConfig)) -> Self {
        let runtime = Runtime::new().unwrap();
        let (hooks, web) = (Arc::new(FakeHooks::default()), Arc::new(FakeWeb::default()));
        let nodes = Arc::new(FakeNodes::default());
        let (url, engine, shutdown, store) = runtime.block_on(async {
            let store = TestStore::open(Backend::Sqlite).await;
            let mut config = ServiceConfig::new(
                "example.com",
                SecretString::from(BUILDER_KEY),
                SecretString::from("0123456789abcdef".repeat(4)),
            );
            config.password_cost = PasswordCost::least();
            config.teams = TeamSettings {
                public_url: "https://slipway.example.com".to_owned(),
                mailer: Some(Arc::new(FakeMailer::default()) as Arc<dyn Mailer>),
                web: Arc::clone(&web) as Arc<dyn WebClient>,
                templates: Arc::new(Templates::built_in().unwrap()),
                nodes: Arc::clone(&nodes) as Arc<dyn NodeConnector>,
                ..TeamSettings::default()
            };
            change(&mut config);
            let engine = FakeEngine::new();
            let service = Service::new(
                config,
                store.store.clone(),
                Arc::clone(&engine) as Arc<dyn Engine>,
                Arc::new(SystemClock),
            );
            service.nodes_check().await.unwrap();
            let shutdown = CancellationToken::new();
            let reconciler = Reconciler::new(service.clone()).with_hooks(Arc::clone(&hooks) as Arc<dyn HookSender>);
            tokio::spawn(reconciler.run(shutdown.clone()));
            let platform = slipway_api::Platform {
                ssh: Some("builder.example.com:2222".to_owned()),
                domain: "example.com".to_owned(),
                router: None,
            };
            let state = State {
                service,
                metrics: Metrics::default(),
                platform,
                shutdown: shutdown.clone(),
                log_streams: LogStreams::default(),
            };
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            tokio::spawn(serve(listener, slipway_api::api(state), shutdown.clone(), Duration::from_secs(1)));
            (url, engine, shutdown, store)
        });
        Self { url, engine, hooks, web, nodes, shutdown, _store: store, runtime }
    }
}
