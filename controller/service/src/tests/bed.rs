//! A service with everything around it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use serde_json::Value;
use slipway_core::authz::Actor;
use slipway_core::release::Release;
use slipway_core::webhook::Delivery;
use slipway_core::{AppId, Result};
use slipway_store::Store;
use slipway_store::testing::{Backend, TestStore};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::reconcile::Outcome;
use crate::testing::{FakeClock, FakeEngine};
use crate::{
    Clock, ConfigChange, Cx, Deployed, NewBuild, PageQuery, PasswordCost, Reconciler, Service, ServiceConfig,
    UserRegister, WebhookCreate,
};

/// A service over a database of its own, with an engine that obeys scripts.
pub(super) struct Bed {
    config: ServiceConfig,
    pub(super) service: Service,
    pub(super) engine: Arc<FakeEngine>,
    pub(super) clock: Arc<FakeClock>,
    pub(super) store: TestStore,
}

impl Bed {
    pub(super) async fn new() -> Self {
        Self::on(Backend::Sqlite).await
    }

    pub(super) async fn on(backend: Backend) -> Self {
        Self::with(backend, |_| {}).await
    }

    /// With other settings.
    pub(super) async fn with(backend: Backend, change: impl Fn(&mut ServiceConfig) + Send + 'static) -> Self {
        let store = TestStore::open(backend).await;
        let engine = FakeEngine::new();
        let clock = Arc::new(FakeClock::default());
        let mut config = config();
        change(&mut config);
        let service = service(config.clone(), &store.store, &engine, &clock);
        Self { config, service, engine, clock, store }
    }

    /// Another controller over the same database and engine, as after a restart.
    pub(super) fn restarted(&self) -> Service {
        service(self.config.clone(), &self.store.store, &self.engine, &self.clock)
    }

    /// Another controller over the same database, whose engine was given nothing.
    pub(super) fn beside(&self) -> Service {
        service(self.config.clone(), &self.store.store, &FakeEngine::new(), &self.clock)
    }

    pub(super) fn cx(&self, actor: Actor) -> Cx {
        Cx { actor, request_id: "r1".to_owned(), now: self.clock.now(), remote: Some([10, 0, 0, 1].into()) }
    }

    pub(super) async fn user(&self, name: &str) -> Cx {
        let user = self.service.user_register(&self.cx(Actor::Anonymous), register(name)).await.unwrap();
        self.cx(Actor::User { id: user.id, name: user.username, is_superuser: user.is_superuser })
    }

    /// An administrator, then a user who is none.
    pub(super) async fn user_after_admin(&self, name: &str) -> Cx {
        self.user("root").await;
        self.user(name).await
    }

    /// Starts the reconciler.
    pub(super) fn start(&self) -> Running {
        run(&self.service)
    }

    pub(super) async fn push(&self, cx: &Cx, app: &str, image: &str) -> Result<Deployed> {
        self.service.build_create(cx, app, build(image, &["web"])).await
    }

    pub(super) async fn app_id(&self, cx: &Cx, app: &str) -> AppId {
        self.service.app_get(cx, app).await.unwrap().id
    }

    /// Every release, oldest first, as `v1 succeeded`.
    pub(super) async fn states(&self, cx: &Cx, app: &str) -> Vec<String> {
        let releases = self.releases(cx, app).await;
        releases.iter().rev().map(|release| format!("{} {}", release.version, release.state.as_str())).collect()
    }

    pub(super) async fn releases(&self, cx: &Cx, app: &str) -> Vec<Release> {
        self.service.releases_list(cx, app, PageQuery::default()).await.unwrap().items
    }

    /// Makes a webhook that hears of these events; its identity.
    pub(super) async fn webhook(&self, cx: &Cx, events: &[&str]) -> String {
        let events = events.iter().map(|event| (*event).to_owned()).collect();
        let new = WebhookCreate { url: "https://1.1.1.1/".to_owned(), events, secret: None };
        self.service.webhook_create(cx, new).await.unwrap().webhook.id.to_string()
    }

    /// What a webhook was told or is to be told, oldest first.
    pub(super) async fn deliveries(&self, cx: &Cx, hook: &str) -> Vec<Delivery> {
        let page = PageQuery { limit: 100, offset: 0 };
        let mut found = self.service.webhook_deliveries(cx, hook, page).await.unwrap().items;
        found.reverse();
        found
    }

    /// Runs passes over an app until one leaves nothing to be done.
    pub(super) async fn settle(&self, app: AppId) {
        let reconciler = Reconciler::new(self.restarted());
        for _ in 0..50 {
            if reconciler.app_reconcile(app).await.unwrap() == Outcome::Done {
                return;
            }
        }
        panic!("app {app} does not settle");
    }
}

fn config() -> ServiceConfig {
    let mut config =
        ServiceConfig::new("example.com", SecretString::from("builder key"), SecretString::from("server key"));
    config.password_cost = PasswordCost::least();
    config.reconcile_interval = Duration::from_hours(1);
    config.deploy_timeout = Duration::from_mins(1);
    config
}

fn service(config: ServiceConfig, store: &Store, engine: &Arc<FakeEngine>, clock: &Arc<FakeClock>) -> Service {
    Service::new(
        config,
        store.clone(),
        Arc::clone(engine) as Arc<dyn slipway_engine::Engine>,
        Arc::clone(clock) as Arc<dyn Clock>,
    )
}

/// A reconciler that runs until dropped.
pub(super) struct Running {
    shutdown: CancellationToken,
    _task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

pub(super) fn run(service: &Service) -> Running {
    let shutdown = CancellationToken::new();
    let task = tokio::spawn(Reconciler::new(service.clone()).run(shutdown.clone()));
    Running { shutdown, _task: task }
}

pub(super) fn register(name: &str) -> UserRegister {
    UserRegister {
        username: name.to_owned(),
        password: SecretString::from(format!("password of {name}")),
        email: format!("{name}@example.com"),
        first_name: String::new(),
        last_name: String::new(),
    }
}

pub(super) fn build(image: &str, types: &[&str]) -> NewBuild {
    NewBuild {
        image: image.to_owned(),
        procfile: types.iter().map(|name| ((*name).to_owned(), Some(format!("run {name}")))).collect(),
        ..NewBuild::default()
    }
}

pub(super) fn values(value: Value) -> ConfigChange {
    ConfigChange { values: map(value), ..ConfigChange::default() }
}

pub(super) fn map(value: Value) -> BTreeMap<String, Value> {
    match value {
        Value::Object(map) => map.into_iter().collect(),
        other => panic!("not a map: {other}"),
    }
}

/// Waits until `look` is true.
pub(super) async fn until(what: &str, mut look: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_mins(3);
    while !look().await {
        assert!(tokio::time::Instant::now() < deadline, "{what} did not come about");
        tokio::task::yield_now().await;
    }
}
