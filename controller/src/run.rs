//! Starting and stopping the controller.

use std::net::SocketAddr;
use std::sync::Arc;

use secrecy::ExposeSecret;
use slipway_api::dployr_v1::log::LogStreams;
use slipway_api::{Metrics, Platform, State};
use slipway_cluster::workload::WorkloadSettings;
use slipway_cluster::workload::kubeconfig::Reach;
use slipway_docker::DockerSettings;
use slipway_engine::workload::WorkloadNode;
use slipway_engine::{Engine, EngineError};
use slipway_local::{LocalEngine, LocalNode};
use slipway_service::{
    Leadership, Mailer, Oidc, OidcError, OidcSettings, Reconciler, Service, ServiceConfig, SystemClock, TeamSettings,
};
use slipway_store::{SealingKey, Store, StoreConfig, StoreError};
use slipway_team::node::NodeKind;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use url::Url;

use crate::config::{Config, MailRoute};
use crate::hook_sender::HttpSender;
use crate::mail::{FolderMailer, MailError, SmtpMailer};
use crate::nodes::Nodes;
use crate::outbound::OutboundClient;
use crate::templates::TemplatesError;

/// A controller that has its database and its address, and answers once [`Controller::run`] is called.
pub struct Controller {
    /// Where the API listens: the port is known even when a free one was asked for.
    pub api_addr: SocketAddr,
    /// The use cases, for what runs in the same process.
    pub service: Service,
    /// Where the platform's other parts are, for clients that ask. Default: as far as the settings tell.
    pub platform: Platform,
    /// Who leads of several controllers. Default: whoever holds a lock of the database.
    pub leadership: Option<Leadership>,
    config: Config,
    listener: TcpListener,
    hooks: Arc<HttpSender>,
}

/// Why the controller did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database.
    #[error("cannot use the database")]
    Store(#[from] StoreError),
    /// The address.
    #[error("cannot listen on {addr} for the API")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The client for deploy hooks.
    #[error("cannot prepare calls of deploy hooks")]
    Hooks(#[from] reqwest::Error),
    /// The way that mail takes.
    #[error("cannot prepare sending mail")]
    Mail(#[from] MailError),
    /// What projects can be made of.
    #[error("cannot use the templates")]
    Templates(#[from] TemplatesError),
    /// Where browsers may log in.
    #[error("cannot use the settings of the log-in provider")]
    Oidc(#[from] OidcError),
    /// What this machine ran for teams.
    #[error("cannot use the containers of teams on this machine")]
    Node(#[from] EngineError),
    /// The key under which secrets are sealed.
    #[error("the sealing key must be 64 hexadecimal digits")]
    SealingKey,
}

impl Controller {
    /// Opens the database and brings its tables up to date.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn store_open(config: &Config) -> Result<Store, StartError> {
        let key = sealing_key(config.secrets.sealing_key.expose_secret()).ok_or(StartError::SealingKey)?;
        Ok(Store::connect(StoreConfig::new(config.database_url.clone(), key)).await?)
    }

    /// Opens the database, brings its tables up to date, and takes the API's address.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(config: Config, engine: Arc<dyn Engine>) -> Result<Self, StartError> {
        let store = Self::store_open(&config).await?;
        Self::start_on(config, store, engine).await
    }

    /// As [`Controller::start`], on a database that is open.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start_on(config: Config, store: Store, engine: Arc<dyn Engine>) -> Result<Self, StartError> {
        Self::start_as(config, store, engine, None).await
    }

    /// As [`Controller::start`], on this machine, which is a node of every team too unless the settings say otherwise.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start_local(mut config: Config, engine: Arc<LocalEngine>) -> Result<Self, StartError> {
        // This machine's router gets no certificates, whatever is set.
        config.cluster_issuer = None;
        let store = Self::store_open(&config).await?;
        let mut own = None;
        if config.teams.is_node {
            let node = LocalNode::start(Arc::clone(&engine), Some(config.domain.clone())).await?;
            own = Some((NodeKind::Docker, node as Arc<dyn WorkloadNode>));
        }
        Self::start_as(config, store, engine, own).await
    }

    /// As [`Controller::start_on`], with what the platform itself runs on as a node of every team.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start_as(
        config: Config,
        store: Store,
        engine: Arc<dyn Engine>,
        own: Option<(NodeKind, Arc<dyn WorkloadNode>)>,
    ) -> Result<Self, StartError> {
        let hooks = Arc::new(HttpSender::new(config.fetch.allow_private)?);
        let mut settings = service_config(&config);
        settings.teams = TeamSettings { nodes: Arc::new(nodes(&config, own)), ..teams_settings(&config)? };
        let service = Service::new(settings, store, engine, Arc::new(SystemClock));
        service.router_set(config.router.clone());
        let fail = |source| StartError::Listen { addr: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(fail)?;
        let api_addr = listener.local_addr().map_err(fail)?;
        let platform = Platform {
            ssh: config.ssh.clone(),
            domain: config.domain.clone(),
            router: Some(format!(":{}", config.router.port)),
        };
        Ok(Self { api_addr, service, platform, leadership: None, config, listener, hooks })
    }

    /// Answers requests and reconciles until `shutdown`; then requests in flight get the drain time, and whatever a
    /// reconciler was about is taken up by the next start.
    pub async fn run(self, shutdown: CancellationToken) {
        let leadership = self.leadership.unwrap_or_else(|| self.service.leadership(&shutdown));
        let reconciler = Reconciler::new(self.service.clone()).with_hooks(self.hooks).led_by(leadership);
        let reconciler = tokio::spawn(reconciler.run(shutdown.clone()));
        // Each controller asks for itself: requests of all of them look at it.
        let nodes = AbortOnDropHandle::new(tokio::spawn(self.service.clone().nodes_watch(shutdown.clone())));
        let state = State {
            service: self.service,
            metrics: Metrics::default(),
            platform: self.platform,
            shutdown: shutdown.clone(),
            log_streams: LogStreams::default(),
        };
        tracing::info!(addr = %self.api_addr, "the API listens on {}", self.api_addr);
        slipway_api::serve::serve(self.listener, slipway_api::api(state), shutdown, self.config.drain_timeout).await;
        if let Err(error) = reconciler.await {
            tracing::error!("the reconciler ended badly: {error}");
        }
        drop(nodes);
        tracing::info!("the controller has stopped");
    }
}

/// What use cases about teams need of the world.
fn teams_settings(config: &Config) -> Result<TeamSettings, StartError> {
    let teams = &config.teams;
    let mailer: Arc<dyn Mailer> = match &teams.mail {
        MailRoute::Smtp(url) => Arc::new(SmtpMailer::new(url, &teams.mail_from)?),
        MailRoute::Folder(folder) => Arc::new(FolderMailer::new(folder.clone(), &teams.mail_from)?),
    };
    Ok(TeamSettings {
        public_url: teams.public_url.clone(),
        mailer: Some(mailer),
        web: Arc::new(OutboundClient::new(config.fetch.allow_private, &config.fetch.trusted)?),
        are_registries_probed: teams.are_registries_probed,
        insecure_registries: config.fetch.insecure.clone(),
        templates: Arc::new(crate::templates::load(teams.templates.as_deref())?),
        oidc: teams.oidc.clone().map(|settings| oidc(config, settings)).transpose()?.map(Arc::new),
        rollout_timeout: teams.rollout_timeout,
        ..TeamSettings::default()
    })
}

/// The operator names the issuer, so that its host may be at a private address; what it refers to elsewhere may not.
fn oidc(config: &Config, settings: OidcSettings) -> Result<Oidc, StartError> {
    let mut trusted = config.fetch.trusted.clone();
    let issuer: Url = settings.issuer.parse().map_err(|_| OidcError::Issuer)?;
    if let (Some(host), Some(port)) = (issuer.host_str(), issuer.port_or_known_default()) {
        trusted.push(format!("{host}:{port}"));
    }
    let web = OutboundClient::new(config.fetch.allow_private, &trusted)?;
    Ok(Oidc::new(settings, Arc::new(web))?)
}

/// What runs containers of teams.
fn nodes(config: &Config, own: Option<(NodeKind, Arc<dyn WorkloadNode>)>) -> Nodes {
    let reach = Reach { is_private_allowed: config.fetch.allow_private, trusted: config.fetch.trusted.clone() };
    let engines = DockerSettings { root_domain: Some(config.domain.clone()), ..DockerSettings::default() };
    Nodes {
        own: own.filter(|_| config.teams.is_node),
        reach,
        workloads: workload_settings(config),
        engines,
        engine_sockets: config.teams.engine_sockets.clone(),
    }
}

/// What the operator decides about containers of teams on clusters.
pub(crate) fn workload_settings(config: &Config) -> WorkloadSettings {
    let usual = WorkloadSettings::default();
    WorkloadSettings {
        root_domain: Some(config.domain.clone()),
        ingress_class: config.teams.ingress_class.clone().unwrap_or(usual.ingress_class.clone()),
        cluster_issuer: config.teams.cluster_issuer.clone().unwrap_or(usual.cluster_issuer.clone()),
        ..usual
    }
}

pub(crate) fn service_config(config: &Config) -> ServiceConfig {
    let secrets = &config.secrets;
    let usual = ServiceConfig::new(config.domain.clone(), secrets.builder_key.clone(), secrets.server_key.clone());
    ServiceConfig {
        registration: config.registration,
        reserved_names: config.reserved_names.clone().unwrap_or_else(|| usual.reserved_names.clone()),
        deploy_timeout: config.deploy_timeout,
        rate_limits: config.rate_limits,
        run_timeout: config.run_timeout,
        deploy_hooks: config.deploy_hooks.clone(),
        is_private_allowed: config.fetch.allow_private,
        default_tags: config.default_tags.clone(),
        is_missing_procfile_rejected: config.is_missing_procfile_rejected,
        is_missing_procfile_type_removed: config.is_missing_procfile_type_removed,
        images_kept: config.images_kept,
        has_certificate_issuer: config.cluster_issuer.is_some(),
        autoscale_interval: config.autoscale_interval,
        autoscale_down_window: config.autoscale_down_window,
        ..usual
    }
}

pub(crate) fn sealing_key(text: &str) -> Option<SealingKey> {
    let mut bytes = [0_u8; 32];
    if text.len() != bytes.len() * 2 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(SealingKey::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use slipway_service::RouterEndpoint;
    use slipway_service::testing::FakeEngine;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;
    use crate::config::UpOptions;

    fn config(dir: &std::path::Path) -> Config {
        Config::for_up(UpOptions {
            data_dir: dir.to_owned(),
            listen: ([127, 0, 0, 1], 0).into(),
            domain: "localhost".to_owned(),
            router: RouterEndpoint { scheme: "http".to_owned(), port: 8080 },
        })
        .unwrap()
    }

    async fn get(addr: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_starts_answers_stops_and_starts_again_on_the_same_data() {
        let dir = tempfile::tempdir().unwrap();
        for _ in 0..2 {
            let controller = Controller::start(config(dir.path()), FakeEngine::new()).await.unwrap();
            let (addr, shutdown) = (controller.api_addr, CancellationToken::new());
            let running = tokio::spawn(controller.run(shutdown.clone()));
            for path in ["/healthz", "/readiness"] {
                let answer = get(addr, path).await;
                assert!(
                    answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nOK"),
                    "{path}: {answer}"
                );
            }
            assert!(get(addr, "/v2/").await.starts_with("HTTP/1.1 401 "));
            shutdown.cancel();
            tokio::time::timeout(Duration::from_secs(20), running).await.unwrap().unwrap();
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn another_sealing_key_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = config(dir.path());
        drop(Controller::start(config.clone(), FakeEngine::new()).await.unwrap());
        config.secrets.sealing_key = "0".repeat(64).into();
        assert!(matches!(Controller::start(config, FakeEngine::new()).await, Err(StartError::Store(_))));
    }

    #[test]
    fn sealing_keys_are_sixty_four_digits() {
        assert!(sealing_key(&"0aF9".repeat(16)).is_some());
        for bad in ["", "0", &"0g".repeat(32), &"+1".repeat(32), &"ä".repeat(32), &"0".repeat(66)] {
            assert!(sealing_key(bad).is_none(), "{bad}");
        }
    }
}
