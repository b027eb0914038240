//! Use cases and reconcilers.
//!
//! Each use case is one method of [`Service`], named `<resource>_<verb>`: it authorises, loads, decides with the
//! rules of `slipway-core`, and writes in one transaction. None of them carries a deploy: they record what is
//! desired, and the [`Reconciler`] makes the engine follow it. Use cases that answer after a rollout watch the
//! recorded state, so that dropping one changes nothing.

mod app;
mod app_settings;
mod audit;
mod build;
mod build_cancel;
mod certificate;
mod certificate_pem;
mod clock;
mod config;
mod cx;
mod deploy;
mod deploy_hook;
mod domain;
mod dployr;
mod engine_error;
mod hook;
mod jwt;
mod key;
mod leadership;
mod log;
mod log_keep;
mod login;
mod password;
mod path_service;
mod perm;
mod pod;
mod public_key;
mod rate;
mod readiness;
mod reconcile;
mod release;
mod resource;
mod run;
mod scale;
mod settings;
mod signal;
mod state;
mod stop;
mod stored;
mod team;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod throttle;
mod token;
mod user;
mod volume;
mod webhook;

use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, Utc};
use slipway_core::Result;
use slipway_engine::Engine;
use slipway_store::{Db, Store};

use jwt::Jwts;
use password::Passwords;
use rate::Spent;
use signal::Signals;
use stored::Stored;
use team::Nodes;
use throttle::Throttle;
use token::Tokens;

pub use app::{APP_NAME_RULE_OLD, APP_NAME_TAKEN};
pub use build::{BuildLog, BuildLogState, Deployed, NewBuild};
pub use certificate::certificate_name_check;
pub use certificate_pem::{FieldMessage, ParsedCertificate, certificate_parse};
pub use clock::{Clock, SystemClock};
pub use config::{Configured, EmptyChange};
pub use cx::{Cx, Page, PageQuery};
pub use deploy_hook::{DeployHooks, HookCall, HookReach, HookSender};
pub use dployr::{
    DeploymentInput, DeploymentView, EnvSet, Health, Instance, InstanceFilter, InstanceMetrics, InstanceView, Order,
    OrderOutcome, OrderResult, Patch, Route, ServiceStatus, ServiceView, instance_state, request_of, service_id,
};
pub use hook::{HookAppRef, HookBuildLog, HookKey, HookKeyUser, ReleaseProgress};
pub use leadership::Leadership;
pub use log::log_text;
pub use log_keep::StoredLog;
pub use login::{ACCESS_SECS, TokenPair};
pub use password::{DjangoHash, PasswordCost};
pub use pod::PodTarget;
pub use public_key::{PublicKey, public_key_parse};
pub use rate::{Rate, RateLimits};
pub use reconcile::Reconciler;
pub use run::NewRun;
pub use settings::{IMAGES_KEPT, Registration, RouterEndpoint, ServiceConfig};
pub use slipway_core::config::ConfigChange;
pub use slipway_core::release::rollback::RollbackFloor;
pub use slipway_openpgp::Unreadable;
pub use slipway_store::NodeEventQuery;
pub use team::{
    AuditQuery, BrowserSession, CONTAINER_LOG_MAX, ContainerLogWanted, ContainerName, CopyGiven, Dashboard, Deed,
    DeployedInstance, DeploymentChange, DeploymentDetails, DeploymentGiven, DeploymentTokenMade, EventsSeen,
    ImageChange, ImageTags, ImageView, ImagesGiven, InstallView, InstanceSecrets, Invite, Joining, Mail, Mailer, Me,
    NodeChange, NodeConnector, NodeDetails, NodeGiven, NodeView, NotificationGiven, Oidc, OidcBegun, OidcError,
    OidcReturn, OidcSettings, ProjectChange, ProjectGiven, ProjectItem, ProjectView, RegistryGiven, RegistryView,
    SESSION_LIFETIME, ScriptGiven, StorageGiven, StorageView, TeamDetails, TeamSettings, TeamView, TemplateUse,
    VersionChange, VersionDeployment, VersionDetails, VersionGiven, VersionItem, WebAnswer, WebCall, WebClient,
    WebError,
};
pub use token::TokenScope;
pub use user::{NeverGranted, PasswordChange, USERNAME_TAKEN, UserRegister, UserSwitched};
pub use volume::{MountChange, MountedVolume, NewVolume};
pub use webhook::{WebhookCreate, WebhookStatus};

/// The use cases. Cheap to clone.
#[derive(Clone)]
pub struct Service {
    inner: Arc<Inner>,
}

struct Inner {
    config: ServiceConfig,
    store: Store,
    engine: Arc<dyn Engine>,
    clock: Arc<dyn Clock>,
    passwords: Passwords,
    throttle: Throttle,
    tokens: Tokens,
    jwts: Jwts,
    rates_spent: Spent,
    signals: Signals,
    nodes: Nodes,
    router: RwLock<Option<RouterEndpoint>>,
}

impl Service {
    /// The use cases over a store and an engine.
    #[must_use]
    pub fn new(config: ServiceConfig, store: Store, engine: Arc<dyn Engine>, clock: Arc<dyn Clock>) -> Self {
        let passwords =
            Passwords::new(config.password_cost.clone(), config.password_hashes_max, config.password_queue_max);
        let tokens = Tokens::new(config.server_key.clone());
        let jwts = Jwts::new(&config.server_key);
        let nodes = Nodes::new(Arc::clone(&config.teams.nodes));
        Self {
            inner: Arc::new(Inner {
                config,
                store,
                engine,
                clock,
                passwords,
                throttle: Throttle::default(),
                tokens,
                jwts,
                rates_spent: Spent::default(),
                signals: Signals::default(),
                nodes,
                router: RwLock::new(None),
            }),
        }
    }

    /// The settings it was made with.
    #[must_use]
    pub fn config(&self) -> &ServiceConfig {
        &self.inner.config
    }

    /// The engine that runs the apps.
    #[must_use]
    pub fn engine(&self) -> &Arc<dyn Engine> {
        &self.inner.engine
    }

    /// The time now, by the service's clock, in whole microseconds.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.inner.clock.now()
    }

    /// Says how users reach the router, once that is known; from then on apps have URLs.
    pub fn router_set(&self, router: RouterEndpoint) {
        *self.inner.router.write().unwrap_or_else(PoisonError::into_inner) = Some(router);
    }

    /// How users reach the router.
    pub(crate) fn router(&self) -> Option<RouterEndpoint> {
        self.inner.router.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn platform_domain(&self) -> &str {
        &self.inner.config.platform_domain
    }

    /// Who leads of the controllers on this database; see [`Leadership::by_database`].
    #[must_use]
    pub fn leadership(&self, shutdown: &tokio_util::sync::CancellationToken) -> Leadership {
        Leadership::by_database(self.store(), shutdown)
    }

    pub(crate) fn store(&self) -> &Store {
        &self.inner.store
    }

    /// A connection for reading.
    pub(crate) async fn read(&self) -> Result<Db> {
        self.inner.store.read().await.stored()
    }

    pub(crate) fn passwords(&self) -> &Passwords {
        &self.inner.passwords
    }

    pub(crate) fn throttle(&self) -> &Throttle {
        &self.inner.throttle
    }

    pub(crate) fn tokens(&self) -> &Tokens {
        &self.inner.tokens
    }

    pub(crate) fn jwts(&self) -> &Jwts {
        &self.inner.jwts
    }

    pub(crate) fn rates_spent(&self) -> &Spent {
        &self.inner.rates_spent
    }

    pub(crate) fn signals(&self) -> &Signals {
        &self.inner.signals
    }
}
