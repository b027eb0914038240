//! The router of `slipway up` on a cluster: route tables from Services, EndpointSlices and TLS Secrets.
//!
//! Requests go to the app's pods themselves, to those that its Service would send them to: a connection to the Service's
//! address goes wherever each node's kube-proxy believes it should at that moment, and a kept one stays there. A pod that
//! leaves the set of ready ones gets no new request from the next table on; requests in flight, WebSockets among them,
//! end where they began.
//!
//! It only reads. What stands in the way of a route is told in the log.

mod access_log;
mod endpoint;
mod table;

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Secret, Service};
use kube::api::{Api, DynamicObject};
use kube::runtime::reflector::Store;
use kube::runtime::watcher;
use kube::{Client, ResourceExt};
use slipway_engine::route::RouteTable;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use access_log::AccessLog;

use self::endpoint::endpoints;
use self::table::Tables;
use crate::controller::service_selector;
use crate::health::Health;
use crate::observe::{HERITAGE, Watches, endpoint_kind, reason};
use crate::router::config::RouterConfig;
use crate::router::{BindError, Router};
use crate::settings::Settings;

/// Shortest time between two tables: changes come in groups, and requests wait for them during a rollout.
const DEBOUNCE: Duration = Duration::from_millis(20);

/// Pause between questions to an API server that does not answer.
const RETRY: Duration = Duration::from_secs(2);

/// A router that listens, and what feeds it.
#[derive(Debug)]
pub struct Builtin {
    /// The router, with the addresses that it got.
    pub router: Router,
    publish: watch::Sender<Arc<RouteTable>>,
    log: Arc<AccessLog>,
}

impl Builtin {
    /// Opens the listeners. Until the cluster's routes were read, every request is answered with 404 and `/readiness`
    /// keeps requests away.
    ///
    /// # Errors
    /// When an address cannot be listened on.
    pub async fn bind(settings: &Settings, log: AccessLog, health: &Health) -> Result<Self, BindError> {
        let (publish, routes) = watch::channel(Arc::new(RouteTable::default()));
        let log = Arc::new(log);
        let router = Router::bind(config(settings), routes, Arc::<AccessLog>::clone(&log)).await?;
        health.router(router.metrics());
        Ok(Self { router, publish, log })
    }

    /// Serves until `shutdown`, and then ends what is in flight.
    pub async fn run(self, client: Client, settings: &Settings, health: Arc<Health>, shutdown: CancellationToken) {
        let Self { router, publish, log } = self;
        let feeding = feed(client, settings, &health, &publish, &log);
        let serving = router.run(shutdown.clone());
        tokio::pin!(serving);
        tokio::select! {
            () = &mut serving => return,
            () = feeding => {}
            () = shutdown.cancelled() => {
                // Load balancers look elsewhere while requests in flight come to their end.
                health.obstacle("shutdown", Some("The router is stopping.".to_owned()));
            }
        }
        serving.await;
    }
}

fn config(settings: &Settings) -> RouterConfig {
    let mut config = RouterConfig::new(settings.listen, Some(settings.listen_tls), settings.domain.clone());
    config.http_public_port = Some(settings.http_port);
    config.https_public_port = Some(settings.https_port);
    config.trusted_proxies.clone_from(&settings.trusted_proxies);
    config.has_proxy_protocol = settings.proxy_protocol;
    config.timeouts.drain = Duration::from_secs(u64::from(settings.drain_timeout));
    config
}

/// What is watched.
struct Stores {
    services: Store<Service>,
    secrets: Store<Secret>,
    default_certificate: Option<Store<Secret>>,
    /// EndpointSlices, or Endpoints.
    pods: Store<DynamicObject>,
}

async fn feed(
    client: Client,
    settings: &Settings,
    health: &Arc<Health>,
    publish: &watch::Sender<Arc<RouteTable>>,
    log: &AccessLog,
) {
    let pods = loop {
        match endpoint_kind(&client).await {
            Ok(resource) => break resource,
            Err(error) => {
                let obstacle = format!("The API server cannot be asked: {}", reason(&error));
                if health.obstacle("api", Some(obstacle.clone())) {
                    tracing::error!("{obstacle}");
                }
                tokio::time::sleep(RETRY).await;
            }
        }
    };
    health.obstacle("api", None);
    let mut watches = Watches::new(Arc::clone(health));
    let labelled = |labels: &str| watcher::Config::default().labels(labels);
    let stores = Stores {
        services: watches.start(Api::all(client.clone()), labelled(&service_selector(settings)), &()),
        secrets: watches.start(Api::all(client.clone()), labelled(HERITAGE).fields("type=kubernetes.io/tls"), &()),
        default_certificate: settings.default_certificate.as_ref().map(|path| {
            let config = watcher::Config::default().fields(&format!("metadata.name={}", path.name));
            watches.start(Api::namespaced(client.clone(), &path.namespace), config, &())
        }),
        // They carry the labels of their Service.
        pods: watches.start(Api::all_with(client.clone(), &pods), labelled(HERITAGE), &pods),
    };
    // An error means that the watch's task is gone, with the whole program.
    let _ = stores.services.wait_until_ready().await;
    let _ = stores.secrets.wait_until_ready().await;
    let _ = stores.pods.wait_until_ready().await;
    if let Some(store) = &stores.default_certificate {
        let _ = store.wait_until_ready().await;
    }
    let mut tables = Tables::default();
    let mut told: Vec<String> = Vec::new();
    loop {
        let made = tables.make(&stores.inputs());
        log.names(made.names);
        publish.send_replace(Arc::new(made.table));
        // Only now: whoever finds an old connection closing finds the new table.
        for backend in made.drained {
            backend.drain();
        }
        health.counted(made.routes, made.problems.len());
        health.synced();
        for problem in made.problems.iter().filter(|problem| !told.contains(problem)) {
            tracing::warn!("{problem}");
        }
        told = made.problems;
        tokio::time::sleep(DEBOUNCE).await;
        watches.changed().await;
    }
}

impl Stores {
    fn inputs(&self) -> table::Inputs {
        let key = |secret: &Secret| (secret.namespace().unwrap_or_default(), secret.name_any());
        table::Inputs {
            services: self.services.state(),
            secrets: self.secrets.state().into_iter().map(|secret| (key(&secret), secret)).collect(),
            default_certificate: match &self.default_certificate {
                Some(store) => store
                    .state()
                    .into_iter()
                    .next()
                    .map_or(table::DefaultCertificate::Missing, table::DefaultCertificate::Given),
                None => table::DefaultCertificate::SelfSigned,
            },
            endpoints: endpoints(&self.pods.state()),
        }
    }
}
