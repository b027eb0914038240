//! A controller in this process: its API, its service layer, its database, and an engine in memory.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use poem::{Body, Endpoint, Request};
use secrecy::SecretString;
use serde_json::{Value, json};
use slipway_api::dployr_v1::log::LogStreams;
use slipway_api::route::{Generation, Route};
use slipway_api::{Api, Metrics, Platform, State};
use slipway_core::Username;
use slipway_core::log::LogLine;
use slipway_engine::Engine;
use slipway_service::testing::{FakeEngine, FakeMailer, FakeNodes, FakeWeb, TestCertificate};
use slipway_service::{
    Clock, Mailer, NodeConnector, PasswordCost, RateLimits, Reconciler, Service, ServiceConfig, SystemClock,
    TeamSettings, WebClient,
};
use slipway_store::testing::{Backend, TestStore};
use tokio_util::sync::CancellationToken;

/// Which database a test runs on.
pub type Database = Backend;

/// One test on both databases.
macro_rules! both {
    ($test:ident, $name:ident) => {
        mod $name {
            #[tokio::test(flavor = "multi_thread")]
            async fn sqlite() {
                super::$test(crate::world::Database::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn postgres() {
                super::$test(crate::world::Database::Postgres).await;
            }
        }
    };
}
pub(crate) use both;

/// Users there are from the beginning; the first is the administrator. All have the password `pw`.
const USERS: [&str; 5] = ["admin", "owner", "collaborator", "stranger", "other"];

fn platform(domain: &str) -> Platform {
    Platform { ssh: Some(":2222".to_owned()), domain: domain.to_owned(), router: None }
}

/// A controller in this process.
pub struct World {
    pub api: Api,
    pub service: Service,
    pub engine: Arc<FakeEngine>,
    pub shutdown: CancellationToken,
    pub mailer: Arc<FakeMailer>,
    pub web: Arc<FakeWeb>,
    pub nodes: Arc<FakeNodes>,
    tokens: HashMap<&'static str, String>,
    apps_made: AtomicUsize,
    certificate: TestCertificate,
    store: TestStore,
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl World {
    pub const BUILDER_KEY: &str = "the-builders-key";

    /// With the usual users, and `example.com` as the platform's domain.
    pub async fn new(database: Database) -> Self {
        Self::with(database, |_| {}).await
    }

    /// The same, with other settings.
    pub async fn with(database: Database, change: impl FnOnce(&mut ServiceConfig)) -> Self {
        let mut world = Self::bare_with(database, "example.com", change).await;
        for name in USERS {
            world.login(name).await;
        }
        world
    }

    /// Registers a user who then can call.
    pub async fn login(&mut self, name: &'static str) {
        self.user(name).await;
        let body = json!({"username": name, "password": "pw"});
        let reply = self.request("POST", "/v2/auth/login/").json_body(&body).send().await;
        let token = reply.json()["token"].as_str().expect("a token").to_owned();
        self.tokens.insert(name, token);
    }

    /// Makes a user a member of a team behind the API's back.
    pub async fn join(&self, team: &str, user: &str, role: slipway_team::Role) {
        let (team, user) = (team.parse().unwrap(), Username::new(user).unwrap());
        let now = self.service.now();
        self.store
            .store
            .write(async |db| {
                let user = slipway_store::user_by_name(db, &user).await?.expect("the user is there");
                slipway_store::member_insert(db, team, user.id, role, now).await
            })
            .await
            .unwrap();
    }

    /// The store, for what is done behind the API's back.
    pub fn kept(&self) -> &slipway_store::Store {
        &self.store.store
    }

    /// Takes a prefix on the platform's own node for a team behind the API's back; whether the team has it then.
    pub async fn prefix_try(&self, team: &str, prefix: &str) -> bool {
        let owner = slipway_store::NameOwner::Team(team.parse().unwrap());
        let now = self.service.now();
        let take = async |db: &mut slipway_store::Db| slipway_store::platform_name_take(db, prefix, owner, now).await;
        self.store.store.write(take).await.unwrap()
    }

    /// The same, when nobody has it.
    pub async fn prefix(&self, team: &str, prefix: &str) {
        assert!(self.prefix_try(team, prefix).await, "{prefix} is taken");
    }

    /// With no users.
    pub async fn bare(database: Database, domain: &str) -> Self {
        Self::bare_with(database, domain, |_| {}).await
    }

    /// The same, with other settings.
    pub async fn bare_with(database: Database, domain: &str, change: impl FnOnce(&mut ServiceConfig)) -> Self {
        // Tests ask more often than anybody may without a name.
        let change = |config: &mut ServiceConfig| {
            config.rate_limits = RateLimits { user: 1_000_000, anonymous: 1_000_000 };
            change(config);
        };
        Self::at_clock(database, domain, Arc::new(SystemClock), change).await
    }

    /// With no users, another clock and other settings.
    pub async fn at_clock(
        database: Database,
        domain: &str,
        clock: Arc<dyn Clock>,
        change: impl FnOnce(&mut ServiceConfig),
    ) -> Self {
        let store = TestStore::open(database).await;
        let mut config = ServiceConfig::new(
            domain,
            SecretString::from(Self::BUILDER_KEY),
            SecretString::from("0123456789abcdef".repeat(4)),
        );
        config.password_cost = PasswordCost::least();
        let (mailer, web) = (Arc::new(FakeMailer::default()), Arc::new(FakeWeb::default()));
        let nodes = Arc::new(FakeNodes::default());
        config.teams = TeamSettings {
            public_url: "https://slipway.example.com".to_owned(),
            mailer: Some(Arc::clone(&mailer) as Arc<dyn Mailer>),
            web: Arc::clone(&web) as Arc<dyn WebClient>,
            templates: Arc::new(slipway_team::template::Templates::built_in().unwrap()),
            nodes: Arc::clone(&nodes) as Arc<dyn NodeConnector>,
            ..TeamSettings::default()
        };
        change(&mut config);
        let engine = FakeEngine::new();
        let service = Service::new(config, store.store.clone(), Arc::clone(&engine) as Arc<dyn Engine>, clock);
        let shutdown = CancellationToken::new();
        tokio::spawn(Reconciler::new(service.clone()).run(shutdown.clone()));
        // Once is enough: tests say themselves when nodes are to be asked again.
        service.nodes_check().await.unwrap();

        let state = State {
            service: service.clone(),
            metrics: Metrics::default(),
            platform: platform(domain),
            shutdown: shutdown.clone(),
            log_streams: LogStreams::default(),
        };
        Self {
            api: slipway_api::api(state),
            service,
            engine,
            shutdown,
            tokens: HashMap::new(),
            apps_made: AtomicUsize::new(0),
            mailer,
            web,
            nodes,
            certificate: TestCertificate::new(&["www.example.com"]).unwrap(),
            store,
        }
    }

    /// Makes an invitation older than it is.
    pub async fn invitation_age(&self, team: &str, user: &str, by: chrono::TimeDelta) {
        let (team, user) = (team.parse().unwrap(), Username::new(user).unwrap());
        self.store
            .store
            .write(async |db| {
                let user = slipway_store::user_by_name(db, &user).await?.expect("the user is there");
                let mut invitation = slipway_store::invitation_by_user(db, team, user.id).await?.expect("invited");
                slipway_store::invitation_delete(db, team, user.id).await?;
                invitation.created -= by;
                slipway_store::invitation_insert(db, &invitation).await
            })
            .await
            .unwrap();
    }

    /// The routes of all APIs but that of teams, which have their own tests in `team`.
    pub fn routes(&self) -> Vec<Route> {
        self.api.table().iter().filter(|route| route.generation != Generation::Team).cloned().collect()
    }

    /// What another [`Api`] over the same service needs.
    pub fn state(&self) -> State {
        State {
            service: self.service.clone(),
            metrics: Metrics::default(),
            platform: platform("example.com"),
            shutdown: self.shutdown.clone(),
            log_streams: LogStreams::new(2),
        }
    }

    pub fn token(&self, user: &str) -> &str {
        &self.tokens[user]
    }

    /// Registers a user and gives the name back.
    pub async fn user(&self, name: &str) -> String {
        let body = json!({"username": name, "password": "pw", "email": format!("{name}@example.com")});
        let reply = self.request("POST", "/v2/auth/register/").json_body(&body).send().await;
        assert_eq!(reply.status, 201, "{reply:?}");
        name.to_owned()
    }

    /// A certificate that belongs to nobody yet.
    pub fn certificate(&self) -> &TestCertificate {
        &self.certificate
    }

    /// Adds that certificate under a name, and gives the name back.
    pub async fn cert(&self, owner: &str, name: &str) -> String {
        let TestCertificate { certificate, key } = &self.certificate;
        let body = json!({"name": name, "certificate": certificate, "key": key});
        let reply = self.request("POST", "/v2/certs/").user(owner).json_body(&body).send().await;
        assert_eq!(reply.status, 201, "{reply:?}");
        name.to_owned()
    }

    /// Makes an app with this name.
    pub async fn named_app(&self, owner: &str, name: &str) {
        let reply = self.request("POST", "/v2/apps/").user(owner).json_body(&json!({ "id": name })).send().await;
        assert_eq!(reply.status, 201, "{reply:?}");
    }

    /// Makes an app with a build, and gives its name.
    pub async fn app(&self, owner: &str, collaborators: &[&str]) -> String {
        let name = format!("app-{}", self.apps_made.fetch_add(1, Ordering::Relaxed));
        self.named_app(owner, &name).await;
        let build = json!({"image": "example/app:1", "procfile": {"web": "run"}});
        let reply =
            self.request("POST", &format!("/v2/apps/{name}/builds/")).user(owner).json_body(&build).send().await;
        assert_eq!(reply.status, 201, "{reply:?}");
        for collaborator in collaborators {
            let body = json!({ "username": collaborator });
            let reply =
                self.request("POST", &format!("/v2/apps/{name}/perms/")).user(owner).json_body(&body).send().await;
            assert_eq!(reply.status, 201, "{reply:?}");
        }
        name
    }

    /// Adds a key of a user and gives its label.
    pub async fn key(&self, user: &str, id: &str) -> String {
        let number = 1_000_000 + self.apps_made.fetch_add(1, Ordering::Relaxed);
        let body = json!({"id": id, "public": Self::public_key(number)});
        let reply = self.request("POST", "/v2/keys/").user(user).json_body(&body).send().await;
        assert_eq!(reply.status, 201, "{reply:?}");
        id.to_owned()
    }

    /// The fingerprint of a user's first key.
    pub async fn fingerprint(&self, user: &str) -> String {
        let reply = self.request("GET", "/v2/keys/").user(user).send().await;
        reply.json()["results"][0]["fingerprint"].as_str().expect("a fingerprint").to_owned()
    }

    /// A well-formed Ed25519 public key, another one for each number.
    pub fn public_key(number: usize) -> String {
        let mut blob = Vec::new();
        let mut point = [7_u8; 32];
        point[..8].copy_from_slice(&(number as u64).to_be_bytes());
        for part in [&b"ssh-ed25519"[..], &point[..]] {
            blob.extend_from_slice(&u32::try_from(part.len()).unwrap().to_be_bytes());
            blob.extend_from_slice(part);
        }
        format!("ssh-ed25519 {}", STANDARD.encode(blob))
    }

    /// Writes a line to an app's log, as its process would.
    pub async fn log(&self, app: &str, source: &str, text: &str) {
        let reply = self.request("GET", &format!("/v2/apps/{app}/")).user("owner").send().await;
        let id = reply.json()["uuid"].as_str().unwrap().parse().unwrap();
        let line = LogLine { time: self.service.now(), source: source.to_owned(), text: text.to_owned() };
        self.engine.log_sink().append(id, line);
    }

    /// Takes the database away, under way or not. PostgreSQL only: a file stays while it is open.
    pub async fn database_drop(&self) {
        slipway_store::testing::postgres_drop(&self.store.url).await;
    }

    /// How many statements the database has been given.
    pub fn statements(&self) -> u64 {
        self.store.store.statements()
    }

    pub fn request(&self, method: &str, path: &str) -> Call<'_> {
        let request = Request::builder().method(method.parse().unwrap()).uri_str(path).finish();
        Call { world: self, request }
    }

    /// What differs from run to run, and what stands for it in snapshots.
    pub fn redactions() -> Vec<(&'static str, &'static str)> {
        vec![
            (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "[uuid]"),
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "[milliseconds]"),
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dUTC", "[time in UTC]"),
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "[time]"),
            (r"[0-7][0-9A-HJKMNP-TV-Z]{25}", "[ulid]"),
            (r"eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", "[jwt]"),
            (r#""token": "[0-9a-f]{40}""#, r#""token": "[token]""#),
            (r#""seen": "[^"]*""#, r#""seen": "[seen]""#),
            (r"blog-[0-9a-f]{7}\b", "blog-[short uuid]"),
            (r"run\.[a-z0-9]{5}", "run.[random]"),
            (r"-run-[a-z0-9]{5}", "-run-[random]"),
        ]
    }
}

/// A request to be sent.
pub struct Call<'a> {
    world: &'a World,
    request: Request,
}

impl Call<'_> {
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let value = http::HeaderValue::from_bytes(value.as_bytes()).unwrap();
        self.request.headers_mut().insert(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value);
        self
    }

    pub fn user(self, user: &str) -> Self {
        let value = format!("token {}", self.world.token(user));
        self.header("authorization", &value)
    }

    pub fn builder(self) -> Self {
        self.header("x-slipway-builder-auth", World::BUILDER_KEY)
    }

    pub fn body(mut self, body: impl Into<Body>) -> Self {
        self.request.set_body(body);
        self
    }

    pub fn text_body(self, body: impl Into<String>) -> Self {
        let body: String = body.into();
        self.header("content-type", "application/json").body(body)
    }

    pub fn json_body(self, body: &Value) -> Self {
        self.text_body(body.to_string())
    }

    pub async fn send(self) -> Reply {
        let api = self.world.api.clone();
        let (method, path) = (self.request.method().clone(), self.request.uri().path().to_owned());
        let reply = self.send_to(&api).await;
        crate::openapi::check(api.table(), &method, &path, &reply);
        reply
    }

    pub async fn send_to(self, api: &Api) -> Reply {
        let response = api.get_response(self.request).await;
        let (parts, body) = response.into_parts();
        Reply {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: String::from_utf8_lossy(&body.into_vec().await.expect("a body")).into_owned(),
        }
    }
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: String,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The answer as it is kept in snapshots: status, the headers that matter, the body.
    pub fn render(&self) -> String {
        let mut text = self.status.to_string();
        for name in [
            "content-type",
            "www-authenticate",
            "retry-after",
            "allow",
            "x-drycc-release",
            "x-deis-release",
            "deis-release",
        ] {
            if let Some(value) = self.header(name) {
                text = format!("{text}\n{name}: {value}");
            }
        }
        let body = serde_json::from_str::<Value>(&self.body)
            .and_then(|body| serde_json::to_string_pretty(&body))
            .unwrap_or_else(|_| self.body.clone());
        format!("{text}\n\n{body}")
    }
}
