//! Settings of the controller, from the environment. The only place of the controller that reads it.

mod engine;
mod registry;
mod teams;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use secrecy::SecretString;
use slipway_image::BuiltImages;
use slipway_local::FetchSettings;
use slipway_service::{DeployHooks, IMAGES_KEPT, RateLimits, Registration, RouterEndpoint};

pub use engine::EngineChoice;
pub use teams::{MailRoute, TeamsConfig};

use crate::secrets::{Secrets, SecretsError};
use crate::telemetry::Telemetry;

/// Settings of the controller.
#[derive(Debug, Clone)]
pub struct Config {
    /// `SLIPWAY_LISTEN`: where the API listens; port 0 picks a free one. Default `127.0.0.1:8000`.
    pub listen: SocketAddr,
    /// `DATABASE_URL`: `postgres://…` or `sqlite://PATH`. Default: `slipway.db` in the data directory. Secret, because
    /// it may hold a password.
    pub database_url: SecretString,
    /// `SLIPWAY_DATA`: where the controller and the local engine keep their files. Default `./data`.
    pub data_dir: PathBuf,
    /// `SLIPWAY_DOMAIN`: apps answer at `<app>.<domain>`. Default `localhost`.
    pub domain: String,
    /// `SLIPWAY_ROUTER_URL`: how users reach the router, `http://…:8080`; its scheme and port are used in the URLs of
    /// apps. Default `http` on port 80.
    pub router: RouterEndpoint,
    /// `SLIPWAY_SSH_ADDRESS`: where users reach the builder, `HOST:PORT`, or `:PORT` when it is the API's host; told to
    /// clients that ask. Default: not told.
    pub ssh: Option<String>,
    /// `SLIPWAY_REGISTRATION`: `open`, `first-user` or `off`; as old installations have it, `REGISTRATION_MODE`:
    /// `enabled`, `admin_only` or `disabled`. Default `first-user`; `open` for `slipway up`.
    pub registration: Registration,
    /// `SLIPWAY_RESERVED_NAMES`: names that no app may have, with commas between them. Default: the platform's own.
    pub reserved_names: Option<Vec<String>>,
    /// `SLIPWAY_DEPLOY_TIMEOUT`: seconds that a deploy may take. Default 120.
    pub deploy_timeout: Duration,
    /// `SLIPWAY_RATE_LIMIT_USER` and `SLIPWAY_RATE_LIMIT_ANONYMOUS`: requests of the dployr API that a user has in an hour,
    /// and an address from which nobody known asks. Default 1000 and 60.
    pub rate_limits: RateLimits,
    /// `SLIPWAY_RUN_TIMEOUT`: seconds that a one-off process may take. Default 1200.
    pub run_timeout: Duration,
    /// `SLIPWAY_DEPLOY_HOOK_URLS`: addresses that hear of each new release, with commas between them; default none.
    /// `SLIPWAY_DEPLOY_HOOK_SECRET_KEY`: what their calls are signed with. Both also with `DRYCC_` or `DEIS_` for
    /// `SLIPWAY_`, as the next three.
    pub deploy_hooks: DeployHooks,
    /// `SLIPWAY_DEFAULT_CONFIG_TAGS`: a JSON map of the labels of machines that apps without tags run on. Default none.
    pub default_tags: BTreeMap<String, String>,
    /// `SLIPWAY_DEPLOY_REJECT_IF_PROCFILE_MISSING`: whether a build without a Procfile is refused when the one before had
    /// one. Default false.
    pub is_missing_procfile_rejected: bool,
    /// `SLIPWAY_DEPLOY_PROCFILE_MISSING_REMOVE`: whether process types that a build's Procfile lacks are removed.
    /// Default true.
    pub is_missing_procfile_type_removed: bool,
    /// `SLIPWAY_AUTOSCALE_INTERVAL`: seconds between two looks at apps that are scaled by their use of the processor; at
    /// least 1. Default 15.
    pub autoscale_interval: Duration,
    /// `SLIPWAY_AUTOSCALE_DOWN_WINDOW`: seconds for which fewer processes must have been enough before some are taken
    /// away. Default 300.
    pub autoscale_down_window: Duration,
    /// How registries are asked. `SLIPWAY_ALLOW_PRIVATE_ADDRESSES`: with `1`, those that users name may be at private
    /// addresses. `SLIPWAY_TRUSTED_REGISTRIES`: those that may be there in any case (`HOST:PORT`, with commas between them).
    /// `SLIPWAY_INSECURE_REGISTRIES`: trusted ones that speak plain HTTP.
    pub fetch: FetchSettings,
    /// `SLIPWAY_IMAGES_KEPT`: how many releases of each app keep their slug or image, at least 1, so that one may go back
    /// to them. Default 10.
    pub images_kept: u32,
    /// `SLIPWAY_REGISTRY`, `SLIPWAY_REGISTRY_PUSH`, `SLIPWAY_REGISTRY_PREFIX`, `SLIPWAY_REGISTRY_INSECURE`,
    /// `SLIPWAY_REGISTRY_USERNAME` and `SLIPWAY_REGISTRY_PASSWORD`, as the builder has them: the registry of built
    /// images, from which those that no release needs are removed. Default: none is looked at.
    pub images: Option<BuiltImages>,
    /// `SLIPWAY_CLUSTER_ISSUER`: the `ClusterIssuer` of cert-manager that the router of the cluster gets certificates for
    /// apps' own domains from, as `slipway-router-sync` has it: apps may ask for them. Default none.
    pub cluster_issuer: Option<String>,
    /// What concerns teams; see [`TeamsConfig`].
    pub teams: TeamsConfig,
    /// `SLIPWAY_DRAIN_TIMEOUT`: seconds that requests in flight may still take when the controller stops. Default 10.
    pub drain_timeout: Duration,
    /// `SLIPWAY_SERVER_KEY`, `SLIPWAY_SEALING_KEY`, `SLIPWAY_BUILDER_KEY`: 64 hexadecimal digits each. Without any of
    /// them, all are kept in the data directory and made on first use.
    pub secrets: Secrets,
    /// `SLIPWAY_ENGINE`: `local` (default) or `cluster`. For a cluster: `SLIPWAY_NAMESPACE` (the platform's own; default
    /// `slipway`), `SLIPWAY_IMAGE_PULL_POLICY` (default `IfNotPresent`), `SLIPWAY_REVISION_HISTORY` (old `ReplicaSets`
    /// kept; default 3), `SLIPWAY_APP_QUOTA` and `SLIPWAY_APP_LIMIT_RANGES` (JSON, specs of a `ResourceQuota` and a
    /// `LimitRange` for every app), `SLIPWAY_INSECURE_REGISTRIES` (hosts that speak plain HTTP, commas between them), `HOSTNAME` (the pod's own name).
    pub engine: EngineChoice,
    /// `SLIPWAY_LOG` (default `info`) and `SLIPWAY_LOG_FORMAT` (`text`, the default, or `json`).
    pub telemetry: Telemetry,
}

/// What `slipway up` decides itself; everything else comes from the environment.
#[derive(Debug, Clone)]
pub struct UpOptions {
    /// The data directory.
    pub data_dir: PathBuf,
    /// Where the API listens.
    pub listen: SocketAddr,
    /// The platform's domain.
    pub domain: String,
    /// How users reach the router.
    pub router: RouterEndpoint,
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A variable does not hold what it should.
    #[error("{name} must be {expected}")]
    Malformed {
        /// The variable.
        name: &'static str,
        /// What it should hold. Its present value is not shown: it may be a secret.
        expected: &'static str,
    },
    /// Some of the keys are given and some are not.
    #[error("{missing} is not set, but others of SLIPWAY_SERVER_KEY, SLIPWAY_SEALING_KEY and SLIPWAY_BUILDER_KEY are")]
    SomeKeys {
        /// One that is not.
        missing: &'static str,
    },
    /// The secrets of the data directory.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
}

impl Config {
    /// The settings of `slipway-controller serve`.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::read(&environment, None)
    }

    /// The settings of the controller within `slipway up`.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn for_up(options: UpOptions) -> Result<Self, ConfigError> {
        Self::read(&environment, Some(options))
    }

    fn read(var: &dyn Fn(&str) -> Option<String>, up: Option<UpOptions>) -> Result<Self, ConfigError> {
        let registration_default = if up.is_some() { Registration::Open } else { Registration::FirstUser };
        let up = match up {
            Some(up) => up,
            None => UpOptions {
                data_dir: var("SLIPWAY_DATA").map_or_else(|| PathBuf::from("data"), PathBuf::from),
                listen: parsed(var, "SLIPWAY_LISTEN", "an address and a port, such as 127.0.0.1:8000")?
                    .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8000))),
                domain: var("SLIPWAY_DOMAIN").unwrap_or_else(|| "localhost".to_owned()),
                router: router(var)?,
            },
        };
        let is_domain = |domain: &str| {
            !domain.is_empty()
                && domain.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b))
        };
        if !is_domain(&up.domain) {
            return Err(ConfigError::Malformed {
                name: "SLIPWAY_DOMAIN",
                expected: "a domain in lower case, such as example.com",
            });
        }
        let database_url =
            var("DATABASE_URL").unwrap_or_else(|| format!("sqlite://{}", up.data_dir.join("slipway.db").display()));
        let secs = |name, default| seconds(var, name, default);
        Ok(Self {
            listen: up.listen,
            database_url: SecretString::from(database_url),
            domain: up.domain,
            router: up.router,
            ssh: ssh(var)?,
            registration: registration(var)?.unwrap_or(registration_default),
            reserved_names: var("SLIPWAY_RESERVED_NAMES").map(|names| list(&names)),
            fetch: fetch(var),
            deploy_timeout: secs("SLIPWAY_DEPLOY_TIMEOUT", 120)?,
            rate_limits: rate_limits(var)?,
            run_timeout: secs("SLIPWAY_RUN_TIMEOUT", 20 * 60)?,
            deploy_hooks: deploy_hooks(var)?,
            default_tags: default_tags(var)?,
            is_missing_procfile_rejected: flag(var, "DEPLOY_REJECT_IF_PROCFILE_MISSING")?.unwrap_or(false),
            is_missing_procfile_type_removed: flag(var, "DEPLOY_PROCFILE_MISSING_REMOVE")?.unwrap_or(true),
            autoscale_interval: secs("SLIPWAY_AUTOSCALE_INTERVAL", 15)?.max(Duration::from_secs(1)),
            autoscale_down_window: secs("SLIPWAY_AUTOSCALE_DOWN_WINDOW", 300)?,
            images_kept: parsed::<u32>(var, "SLIPWAY_IMAGES_KEPT", "a number")?.unwrap_or(IMAGES_KEPT).max(1),
            images: registry::built_images(var)?,
            cluster_issuer: var("SLIPWAY_CLUSTER_ISSUER").map(|issuer| issuer.trim().to_owned()),
            teams: teams::teams(var, &up.data_dir, up.listen)?,
            drain_timeout: secs("SLIPWAY_DRAIN_TIMEOUT", 10)?,
            secrets: match secrets(var)? {
                Some(secrets) => secrets,
                None => Secrets::load_or_create(&up.data_dir)?,
            },
            engine: engine::engine(var)?,
            telemetry: telemetry(var)?,
            data_dir: up.data_dir,
        })
    }
}

/// A variable that is set and not empty: charts and compose files set empty ones where nothing is meant.
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

fn fetch(var: &dyn Fn(&str) -> Option<String>) -> FetchSettings {
    FetchSettings {
        allow_private: var("SLIPWAY_ALLOW_PRIVATE_ADDRESSES").is_some_and(|value| value.trim() == "1"),
        trusted: list(&var("SLIPWAY_TRUSTED_REGISTRIES").unwrap_or_default()),
        insecure: list(&var("SLIPWAY_INSECURE_REGISTRIES").unwrap_or_default()),
        ..FetchSettings::default()
    }
}

/// The words of a list with commas between them.
fn list(text: &str) -> Vec<String> {
    text.split(',').map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect()
}

fn parsed<T: FromStr>(
    var: &dyn Fn(&str) -> Option<String>,
    name: &'static str,
    expected: &'static str,
) -> Result<Option<T>, ConfigError> {
    var(name).map(|text| text.trim().parse().map_err(|_| ConfigError::Malformed { name, expected })).transpose()
}

fn seconds(var: &dyn Fn(&str) -> Option<String>, name: &'static str, default: u32) -> Result<Duration, ConfigError> {
    let secs: u32 = parsed(var, name, "a number of seconds")?.unwrap_or(default);
    Ok(Duration::from_secs(u64::from(secs)))
}

fn rate_limits(var: &dyn Fn(&str) -> Option<String>) -> Result<RateLimits, ConfigError> {
    let default = RateLimits::default();
    let expected = "a number of requests an hour, at least 1";
    let number = |name, default: u32| match parsed(var, name, expected)? {
        Some(0) => Err(ConfigError::Malformed { name, expected }),
        given => Ok(given.unwrap_or(default)),
    };
    Ok(RateLimits {
        user: number("SLIPWAY_RATE_LIMIT_USER", default.user)?,
        anonymous: number("SLIPWAY_RATE_LIMIT_ANONYMOUS", default.anonymous)?,
    })
}

/// Old names are understood under either variable. Source: `drycc-v2.md` §2.1.
fn registration(var: &dyn Fn(&str) -> Option<String>) -> Result<Option<Registration>, ConfigError> {
    let Some((name, text)) =
        ["SLIPWAY_REGISTRATION", "REGISTRATION_MODE"].into_iter().find_map(|name| Some((name, var(name)?)))
    else {
        return Ok(None);
    };
    match text.trim() {
        "open" | "enabled" => Ok(Some(Registration::Open)),
        "first-user" | "admin_only" => Ok(Some(Registration::FirstUser)),
        "off" | "disabled" => Ok(Some(Registration::Off)),
        _ => Err(ConfigError::Malformed { name, expected: "open, first-user or off" }),
    }
}

/// Prefixes under which settings of old installations are read too; the first that is set counts.
const PREFIXES: [&str; 3] = ["SLIPWAY_", "DRYCC_", "DEIS_"];

/// A variable under any of its prefixes.
fn prefixed(var: &dyn Fn(&str) -> Option<String>, name: &str) -> Option<String> {
    PREFIXES.into_iter().find_map(|prefix| var(&format!("{prefix}{name}")))
}

/// A setting that is on or off, in the spellings of old installations.
fn flag(var: &dyn Fn(&str) -> Option<String>, name: &'static str) -> Result<Option<bool>, ConfigError> {
    let Some(text) = prefixed(var, name) else { return Ok(None) };
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" | "t" | "y" => Ok(Some(true)),
        "false" | "0" | "no" | "off" | "f" | "n" => Ok(Some(false)),
        _ => Err(ConfigError::Malformed { name, expected: "true or false" }),
    }
}

fn deploy_hooks(var: &dyn Fn(&str) -> Option<String>) -> Result<DeployHooks, ConfigError> {
    let secret = prefixed(var, "DEPLOY_HOOK_SECRET_KEY").map(SecretString::from);
    let urls = prefixed(var, "DEPLOY_HOOK_URLS").unwrap_or_default();
    DeployHooks::parse(&urls, secret).map_err(|expected| ConfigError::Malformed { name: "DEPLOY_HOOK_URLS", expected })
}

fn default_tags(var: &dyn Fn(&str) -> Option<String>) -> Result<BTreeMap<String, String>, ConfigError> {
    let Some(text) = prefixed(var, "DEFAULT_CONFIG_TAGS") else { return Ok(BTreeMap::new()) };
    let expected = "a JSON map of texts";
    serde_json::from_str(&text).map_err(|_| ConfigError::Malformed { name: "DEFAULT_CONFIG_TAGS", expected })
}

fn router(var: &dyn Fn(&str) -> Option<String>) -> Result<RouterEndpoint, ConfigError> {
    let name = "SLIPWAY_ROUTER_URL";
    let expected = "a URL such as http://example.com:8080";
    let Some(text) = var(name) else { return Ok(RouterEndpoint { scheme: "http".to_owned(), port: 80 }) };
    let uri: http::Uri = text.trim().parse().map_err(|_| ConfigError::Malformed { name, expected })?;
    let usual = match uri.scheme_str() {
        Some("http") => 80,
        Some("https") => 443,
        _ => return Err(ConfigError::Malformed { name, expected }),
    };
    let scheme = uri.scheme_str().unwrap_or("http").to_owned();
    Ok(RouterEndpoint { scheme, port: uri.port_u16().unwrap_or(usual) })
}

fn ssh(var: &dyn Fn(&str) -> Option<String>) -> Result<Option<String>, ConfigError> {
    let Some(text) = var("SLIPWAY_SSH_ADDRESS") else { return Ok(None) };
    let text = text.trim();
    let is_host = |host: &str| host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.:[]".contains(&b));
    match text.rsplit_once(':') {
        Some((host, port)) if is_host(host) && port.parse::<u16>().is_ok_and(|port| port > 0) => {
            Ok(Some(text.to_owned()))
        }
        _ => Err(ConfigError::Malformed {
            name: "SLIPWAY_SSH_ADDRESS",
            expected: "a host and a port, such as git.example.com:2222, or a port alone, such as :2222",
        }),
    }
}

fn secrets(var: &dyn Fn(&str) -> Option<String>) -> Result<Option<Secrets>, ConfigError> {
    const NAMES: [&str; 3] = ["SLIPWAY_SERVER_KEY", "SLIPWAY_SEALING_KEY", "SLIPWAY_BUILDER_KEY"];
    let keys = NAMES.map(|name| var(name).map(|key| key.trim().to_owned()));
    if keys.iter().all(Option::is_none) {
        return Ok(None);
    }
    for (name, key) in NAMES.into_iter().zip(&keys) {
        match key {
            None => return Err(ConfigError::SomeKeys { missing: name }),
            Some(key) if key.len() == 64 && key.bytes().all(|byte| byte.is_ascii_hexdigit()) => {}
            Some(_) => return Err(ConfigError::Malformed { name, expected: "64 hexadecimal digits" }),
        }
    }
    let [server_key, sealing_key, builder_key] = keys.map(|key| SecretString::from(key.unwrap_or_default()));
    Ok(Some(Secrets { server_key, sealing_key, builder_key }))
}

fn telemetry(var: &dyn Fn(&str) -> Option<String>) -> Result<Telemetry, ConfigError> {
    let usual = Telemetry::default();
    let name = "SLIPWAY_LOG_FORMAT";
    let is_json = match var(name).as_deref().map(str::trim) {
        None | Some("text") => false,
        Some("json") => true,
        Some(_) => return Err(ConfigError::Malformed { name, expected: "text or json" }),
    };
    Ok(Telemetry { filter: var("SLIPWAY_LOG").unwrap_or(usual.filter), is_json })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn read(vars: &[(&str, &str)], up: Option<UpOptions>) -> Result<Config, ConfigError> {
        let vars: Vec<(String, String)> = vars.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Config::read(&move |name| vars.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone()), up)
    }

    #[test]
    fn every_variable_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().to_str().unwrap();
        let keys = ["1".repeat(64), "2".repeat(64), "3".repeat(64)];
        let config = read(
            &[
                ("SLIPWAY_LISTEN", "0.0.0.0:1"),
                ("DATABASE_URL", "postgres://u:p@h/d"),
                ("SLIPWAY_DATA", data),
                ("SLIPWAY_DOMAIN", "apps.example.com"),
                ("SLIPWAY_ROUTER_URL", "https://example.com:8443"),
                ("SLIPWAY_SSH_ADDRESS", "git.example.com:2222"),
                ("SLIPWAY_REGISTRATION", "off"),
                ("SLIPWAY_RESERVED_NAMES", "a, b,"),
                ("SLIPWAY_ALLOW_PRIVATE_ADDRESSES", "1"),
                ("SLIPWAY_TRUSTED_REGISTRIES", "a:1"),
                ("SLIPWAY_INSECURE_REGISTRIES", "b:2,"),
                ("SLIPWAY_DEPLOY_TIMEOUT", "7"),
                ("SLIPWAY_RUN_TIMEOUT", "8"),
                ("SLIPWAY_RATE_LIMIT_USER", "12"),
                ("SLIPWAY_DRAIN_TIMEOUT", "9"),
                ("DRYCC_DEPLOY_HOOK_URLS", "https://user:hunter2@example.com/a?b=c"),
                ("DEIS_DEPLOY_HOOK_SECRET_KEY", "hunter3"),
                ("DEIS_DEFAULT_CONFIG_TAGS", r#"{"disk": "ssd"}"#),
                ("SLIPWAY_DEPLOY_REJECT_IF_PROCFILE_MISSING", "True"),
                ("DEIS_DEPLOY_PROCFILE_MISSING_REMOVE", "false"),
                ("SLIPWAY_AUTOSCALE_INTERVAL", "0"),
                ("SLIPWAY_CLUSTER_ISSUER", " letsencrypt "),
                ("SLIPWAY_AUTOSCALE_DOWN_WINDOW", "11"),
                ("SLIPWAY_SERVER_KEY", &keys[0]),
                ("SLIPWAY_SEALING_KEY", &keys[1]),
                ("SLIPWAY_BUILDER_KEY", &keys[2]),
                ("SLIPWAY_LOG", "debug"),
                ("SLIPWAY_LOG_FORMAT", "json"),
            ],
            None,
        )
        .unwrap();
        assert_eq!(config.listen.to_string(), "0.0.0.0:1");
        assert_eq!(config.database_url.expose_secret(), "postgres://u:p@h/d");
        assert_eq!(config.domain, "apps.example.com");
        assert_eq!(config.router, RouterEndpoint { scheme: "https".to_owned(), port: 8443 });
        assert_eq!(config.ssh.as_deref(), Some("git.example.com:2222"));
        assert_eq!(config.registration, Registration::Off);
        assert_eq!(config.reserved_names, Some(vec!["a".to_owned(), "b".to_owned()]));
        assert!(config.fetch.allow_private);
        assert_eq!(
            (&config.fetch.trusted[..], &config.fetch.insecure[..]),
            (&["a:1".to_owned()][..], &["b:2".to_owned()][..])
        );
        let timeouts = [config.deploy_timeout, config.run_timeout, config.drain_timeout];
        assert_eq!(timeouts.map(|timeout| timeout.as_secs()), [7, 8, 9]);
        let autoscale = [config.autoscale_interval, config.autoscale_down_window];
        assert_eq!(autoscale.map(|timeout| timeout.as_secs()), [1, 11]);
        assert_eq!(config.rate_limits, RateLimits { user: 12, anonymous: 60 });
        assert_eq!(config.secrets.builder_key.expose_secret(), keys[2]);
        assert_eq!(config.telemetry, Telemetry { filter: "debug".to_owned(), is_json: true });
        assert_eq!(config.default_tags["disk"], "ssd");
        assert_eq!(config.cluster_issuer.as_deref(), Some("letsencrypt"));
        assert!(config.is_missing_procfile_rejected && !config.is_missing_procfile_type_removed);
        assert_eq!(format!("{:?}", config.deploy_hooks), r#"["https://example.com/a"]"#);
        let shown = format!("{config:?}");
        assert!(!shown.contains("u:p") && !shown.contains("hunter"), "no secret is printed");
        assert!(!dir.path().join("secrets").exists(), "keys that are given are not made");
    }

    #[test]
    fn up_is_open_and_keeps_its_secrets_in_its_data_directory() {
        let dir = tempfile::tempdir().unwrap();
        let up = UpOptions {
            data_dir: dir.path().to_owned(),
            listen: ([127, 0, 0, 1], 0).into(),
            domain: "localhost".to_owned(),
            router: RouterEndpoint { scheme: "http".to_owned(), port: 8080 },
        };
        let config = read(&[], Some(up.clone())).unwrap();
        assert_eq!(config.registration, Registration::Open);
        let database = format!("sqlite://{}", dir.path().join("slipway.db").display());
        assert_eq!(config.database_url.expose_secret(), database);
        assert!(dir.path().join("secrets/server.key").exists());
        assert_eq!(read(&[("SLIPWAY_REGISTRATION", "off")], Some(up)).unwrap().registration, Registration::Off);
    }

    #[test]
    fn old_installations_are_understood() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().to_str().unwrap();
        for (text, expect) in
            [("enabled", Registration::Open), ("admin_only", Registration::FirstUser), ("disabled", Registration::Off)]
        {
            for name in ["REGISTRATION_MODE", "SLIPWAY_REGISTRATION"] {
                let config = read(&[("SLIPWAY_DATA", data), (name, text)], None).unwrap();
                assert_eq!(config.registration, expect, "{name}={text}");
            }
        }
        let both = [("SLIPWAY_DATA", data), ("REGISTRATION_MODE", "enabled"), ("SLIPWAY_REGISTRATION", "off")];
        assert_eq!(read(&both, None).unwrap().registration, Registration::Off);
    }

    #[test]
    fn bad_variables_are_named_and_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().to_str().unwrap();
        for (name, value) in [
            ("SLIPWAY_LISTEN", "here"),
            ("SLIPWAY_DOMAIN", "EXAMPLE.com"),
            ("SLIPWAY_ROUTER_URL", "ftp://x"),
            ("SLIPWAY_SSH_ADDRESS", "git.example.com"),
            ("SLIPWAY_SSH_ADDRESS", "ssh://git.example.com:2222"),
            ("SLIPWAY_SSH_ADDRESS", ":0"),
            ("SLIPWAY_REGISTRATION", "yes"),
            ("SLIPWAY_DEPLOY_TIMEOUT", "-1"),
            ("SLIPWAY_RATE_LIMIT_ANONYMOUS", "0"),
            ("SLIPWAY_SERVER_KEY", "hunter2"),
            ("SLIPWAY_LOG_FORMAT", "xml"),
            ("REGISTRATION_MODE", "maybe"),
            ("DEPLOY_HOOK_URLS", "hunter2"),
            ("DEPLOY_PROCFILE_MISSING_REMOVE", "perhaps"),
            ("DEFAULT_CONFIG_TAGS", r#"{"a": 1}"#),
        ] {
            let spelled = if name.starts_with("DE") { format!("DEIS_{name}") } else { name.to_owned() };
            let error = read(&[("SLIPWAY_DATA", data), (&spelled, value)], None).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        let error = read(&[("SLIPWAY_DATA", data), ("SLIPWAY_SERVER_KEY", &"1".repeat(64))], None).unwrap_err();
        assert!(matches!(error, ConfigError::SomeKeys { missing: "SLIPWAY_SEALING_KEY" }));
    }
}
