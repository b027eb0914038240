//! Settings of the service layer.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use secrecy::SecretString;

use crate::deploy_hook::DeployHooks;
use crate::password::PasswordCost;
use crate::rate::RateLimits;
use crate::team::TeamSettings;

/// Who may register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registration {
    /// Everybody.
    Open,
    /// The first user, and after that whom an administrator registers.
    FirstUser,
    /// Nobody.
    Off,
}

/// How users reach the router, for URLs of apps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouterEndpoint {
    /// `http` or `https`.
    pub scheme: String,
    /// The port; left out of URLs when it is the scheme's own.
    pub port: u16,
}

/// Releases of each app whose slugs and images are kept unless the operator says otherwise.
pub const IMAGES_KEPT: u32 = 10;

/// Settings of the service layer.
#[derive(Clone)]
#[expect(clippy::struct_excessive_bools, reason = "switches of the operator's, each for itself")]
pub struct ServiceConfig {
    /// Domain under which apps answer: `blog` at `blog.<platform domain>`.
    pub platform_domain: String,
    /// Who may register. Default open.
    pub registration: Registration,
    /// Names that no app may have.
    pub reserved_names: Vec<String>,
    /// The key that the builder shares with the controller.
    pub builder_key: SecretString,
    /// The key under which users' tokens are derived. Changing it makes every token worthless.
    pub server_key: SecretString,
    /// Time a deploy may take unless the app's `SLIPWAY_DEPLOY_TIMEOUT` says otherwise. Default 120 s.
    pub deploy_timeout: Duration,
    /// Time a one-off process may take. Default 20 minutes.
    pub run_timeout: Duration,
    /// Time that destroying an app is waited for. Default 30 s.
    pub destroy_timeout: Duration,
    /// How many requests of the dployr API a caller has in an hour.
    pub rate_limits: RateLimits,
    /// What the hash of a new password costs. Default [`PasswordCost::default`].
    pub password_cost: PasswordCost,
    /// Most password hashes computed at once. Default 2.
    pub password_hashes_max: usize,
    /// Most log-ins that wait for a hash; more are turned away. Default 256.
    pub password_queue_max: usize,
    /// Apps reconciled at once. Default 16.
    pub reconcile_concurrency: usize,
    /// Time between two looks at apps of which nothing was heard: all of them, or the next 500. Default 30 s.
    pub reconcile_interval: Duration,
    /// Time between two looks at apps that are scaled by use. Default 15 s.
    pub autoscale_interval: Duration,
    /// Time for which fewer processes must have been enough before some are taken away. Default 5 min.
    pub autoscale_down_window: Duration,
    /// Who hears of each new release. Default nobody.
    pub deploy_hooks: DeployHooks,
    /// Whether addresses that users name may be private ones. Default false.
    pub is_private_allowed: bool,
    /// Labels of the machines that an app may run on when it names none itself. Default none.
    pub default_tags: BTreeMap<String, String>,
    /// Whether a build without a Procfile is refused when the one before had one. Default false.
    pub is_missing_procfile_rejected: bool,
    /// Whether a process type that a build's Procfile lacks is removed. Default true.
    pub is_missing_procfile_type_removed: bool,
    /// Releases of each app whose slugs and images are kept, that one may go back to them. Default [`IMAGES_KEPT`].
    pub images_kept: u32,
    /// Whether the router gets certificates for domains that have none. Default false.
    pub has_certificate_issuer: bool,
    /// What concerns teams.
    pub teams: TeamSettings,
}

impl ServiceConfig {
    /// The defaults, with what has none.
    #[must_use]
    pub fn new(platform_domain: impl Into<String>, builder_key: SecretString, server_key: SecretString) -> Self {
        Self {
            platform_domain: platform_domain.into(),
            registration: Registration::Open,
            reserved_names: ["deis", "deis-builder", "deis-workflow-manager", "grafana", "slipway", "slipway-builder"]
                .map(str::to_owned)
                .to_vec(),
            builder_key,
            server_key,
            deploy_timeout: Duration::from_mins(2),
            run_timeout: Duration::from_mins(20),
            destroy_timeout: Duration::from_secs(30),
            rate_limits: RateLimits::default(),
            password_cost: PasswordCost::default(),
            password_hashes_max: 2,
            password_queue_max: 256,
            reconcile_concurrency: 16,
            reconcile_interval: Duration::from_secs(30),
            autoscale_interval: Duration::from_secs(15),
            autoscale_down_window: Duration::from_mins(5),
            deploy_hooks: DeployHooks::default(),
            is_private_allowed: false,
            default_tags: BTreeMap::new(),
            is_missing_procfile_rejected: false,
            is_missing_procfile_type_removed: true,
            images_kept: IMAGES_KEPT,
            has_certificate_issuer: false,
            teams: TeamSettings::default(),
        }
    }
}

impl fmt::Debug for ServiceConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceConfig")
            .field("platform_domain", &self.platform_domain)
            .field("registration", &self.registration)
            .finish_non_exhaustive()
    }
}
