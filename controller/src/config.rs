//! Settings of the controller, from the environment. The only place of the controller that reads it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use secrecy::SecretString;
use slipway_service::{Registration, RouterEndpoint};

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
    /// `SLIPWAY_REGISTRATION`: `open`, `first-user` or `off`. Default `first-user`; `open` for `slipway up`.
    pub registration: Registration,
    /// `SLIPWAY_RESERVED_NAMES`: names that no app may have, with commas between them. Default: the platform's own.
    pub reserved_names: Option<Vec<String>>,
    /// `SLIPWAY_DEPLOY_TIMEOUT`: seconds that a deploy may take. Default 120.
    pub deploy_timeout: Duration,
    /// `SLIPWAY_RUN_TIMEOUT`: seconds that a one-off process may take. Default 1200.
    pub run_timeout: Duration,
    /// `SLIPWAY_AUTOSCALE_INTERVAL`: seconds between two looks at apps that are scaled by their use of the processor; at
    /// least 1. Default 15.
    pub autoscale_interval: Duration,
    /// `SLIPWAY_AUTOSCALE_DOWN_WINDOW`: seconds for which fewer processes must have been enough before some are taken
    /// away. Default 300.
    pub autoscale_down_window: Duration,
    /// `SLIPWAY_DRAIN_TIMEOUT`: seconds that requests in flight may still take when the controller stops. Default 10.
    pub drain_timeout: Duration,
    /// `SLIPWAY_SERVER_KEY`, `SLIPWAY_SEALING_KEY`, `SLIPWAY_BUILDER_KEY`: 64 hexadecimal digits each. Without any of
    /// them, all are kept in the data directory and made on first use.
    pub secrets: Secrets,
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
            reserved_names: var("SLIPWAY_RESERVED_NAMES").map(|names| {
                names.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
            }),
            deploy_timeout: secs("SLIPWAY_DEPLOY_TIMEOUT", 120)?,
            run_timeout: secs("SLIPWAY_RUN_TIMEOUT", 20 * 60)?,
            autoscale_interval: secs("SLIPWAY_AUTOSCALE_INTERVAL", 15)?.max(Duration::from_secs(1)),
            autoscale_down_window: secs("SLIPWAY_AUTOSCALE_DOWN_WINDOW", 300)?,
            drain_timeout: secs("SLIPWAY_DRAIN_TIMEOUT", 10)?,
            secrets: match secrets(var)? {
                Some(secrets) => secrets,
                None => Secrets::load_or_create(&up.data_dir)?,
            },
            telemetry: telemetry(var)?,
            data_dir: up.data_dir,
        })
    }
}

/// A variable that is set and not empty: charts and compose files set empty ones where nothing is meant.
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
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

fn registration(var: &dyn Fn(&str) -> Option<String>) -> Result<Option<Registration>, ConfigError> {
    let name = "SLIPWAY_REGISTRATION";
    match var(name).as_deref().map(str::trim) {
        None => Ok(None),
        Some("open") => Ok(Some(Registration::Open)),
        Some("first-user") => Ok(Some(Registration::FirstUser)),
        Some("off") => Ok(Some(Registration::Off)),
        Some(_) => Err(ConfigError::Malformed { name, expected: "open, first-user or off" }),
    }
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
                ("SLIPWAY_DEPLOY_TIMEOUT", "7"),
                ("SLIPWAY_RUN_TIMEOUT", "8"),
                ("SLIPWAY_DRAIN_TIMEOUT", "9"),
                ("SLIPWAY_AUTOSCALE_INTERVAL", "0"),
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
        let timeouts = [config.deploy_timeout, config.run_timeout, config.drain_timeout];
        assert_eq!(timeouts.map(|timeout| timeout.as_secs()), [7, 8, 9]);
        let autoscale = [config.autoscale_interval, config.autoscale_down_window];
        assert_eq!(autoscale.map(|timeout| timeout.as_secs()), [1, 11]);
        assert_eq!(config.secrets.builder_key.expose_secret(), keys[2]);
        assert_eq!(config.telemetry, Telemetry { filter: "debug".to_owned(), is_json: true });
        assert!(!format!("{config:?}").contains("u:p"), "no secret is printed");
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
            ("SLIPWAY_SERVER_KEY", "hunter2"),
            ("SLIPWAY_LOG_FORMAT", "xml"),
        ] {
            let error = read(&[("SLIPWAY_DATA", data), (name, value)], None).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        let error = read(&[("SLIPWAY_DATA", data), ("SLIPWAY_SERVER_KEY", &"1".repeat(64))], None).unwrap_err();
        assert!(matches!(error, ConfigError::SomeKeys { missing: "SLIPWAY_SEALING_KEY" }));
    }
}
