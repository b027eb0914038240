//! Settings of what concerns teams.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;
use slipway_service::OidcSettings;

use super::{ConfigError, flag, list, seconds};

/// Settings of what concerns teams.
#[derive(Debug, Clone)]
pub struct TeamsConfig {
    /// `SLIPWAY_PUBLIC_URL`: where clients reach the API, `https://slipway.example.com`; links in mail begin with it, and
    /// users' tokens are good for it alone. Default: `http://` and the address that the API listens on.
    pub public_url: String,
    /// `SLIPWAY_SMTP_URL`: `smtps://USER:PASSWORD@HOST`, or `smtp://HOST:25?tls=required`. Default: mail is put into the
    /// folder `outbox` of the data directory, a file each.
    pub mail: MailRoute,
    /// `SLIPWAY_MAIL_FROM`: who mail is from. Default `Slipway <slipway@localhost>`.
    pub mail_from: String,
    /// `SLIPWAY_REGISTRY_PROBES`: whether registries of teams are asked before they are kept. Default true.
    pub are_registries_probed: bool,
    /// `SLIPWAY_TEMPLATES`: a folder of templates beside the platform's own: files `ID.json`, pictures `ID.jpg`. Default none.
    pub templates: Option<PathBuf>,
    /// Where browsers may log in beside the password; see [`oidc`]. Default nowhere.
    pub oidc: Option<OidcSettings>,
    /// `SLIPWAY_TEAM_NODE`: whether what the platform itself runs on is a node of every team. Default true.
    pub is_node: bool,
    /// `SLIPWAY_TEAM_ENGINE_SOCKETS`: paths of sockets of container engines of this machine that teams may name as nodes,
    /// with commas between them. Whoever does is root on the machine. Default none.
    pub engine_sockets: Vec<PathBuf>,
    /// `SLIPWAY_TEAM_INGRESS_CLASS`: the class of the Ingresses of teams' containers. Default `nginx`.
    pub ingress_class: Option<String>,
    /// `SLIPWAY_TEAM_CLUSTER_ISSUER`: who issues their certificates, a `ClusterIssuer` of cert-manager. Default
    /// `letsencrypt-prod`.
    pub cluster_issuer: Option<String>,
    /// `SLIPWAY_TEAM_ROLLOUT_TIMEOUT`: seconds in which each container of a team's deployment must have come up. Default 300;
    /// with 0 a deployment is successful once its node took everything, which is `None`.
    pub rollout_timeout: Option<Duration>,
}

/// The way that mail takes.
#[derive(Clone)]
pub enum MailRoute {
    /// A server, by its address with name and password.
    Smtp(SecretString),
    /// A folder.
    Folder(PathBuf),
}

impl fmt::Debug for MailRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Smtp(_) => f.write_str("Smtp([secret])"),
            Self::Folder(folder) => f.debug_tuple("Folder").field(folder).finish(),
        }
    }
}

pub(super) fn teams(
    var: &dyn Fn(&str) -> Option<String>,
    data_dir: &Path,
    listen: SocketAddr,
) -> Result<TeamsConfig, ConfigError> {
    let public_url = match var("SLIPWAY_PUBLIC_URL") {
        None => format!("http://{listen}"),
        Some(text) => {
            let text = text.trim().trim_end_matches('/').to_owned();
            let is_url = text.parse::<http::Uri>().is_ok_and(|uri| {
                matches!(uri.scheme_str(), Some("http" | "https")) && uri.authority().is_some() && uri.query().is_none()
            });
            if !is_url {
                let expected = "a URL such as https://slipway.example.com";
                return Err(ConfigError::Malformed { name: "SLIPWAY_PUBLIC_URL", expected });
            }
            text
        }
    };
    let mail = match var("SLIPWAY_SMTP_URL") {
        None => MailRoute::Folder(data_dir.join("outbox")),
        Some(url) if url.starts_with("smtp://") || url.starts_with("smtps://") => {
            MailRoute::Smtp(SecretString::from(url))
        }
        Some(_) => {
            let expected = "a URL such as smtps://USER:PASSWORD@mail.example.com";
            return Err(ConfigError::Malformed { name: "SLIPWAY_SMTP_URL", expected });
        }
    };
    Ok(TeamsConfig {
        oidc: oidc(var, &public_url)?,
        templates: var("SLIPWAY_TEMPLATES").map(PathBuf::from),
        public_url,
        mail,
        mail_from: var("SLIPWAY_MAIL_FROM").unwrap_or_else(|| "Slipway <slipway@localhost>".to_owned()),
        are_registries_probed: flag(var, "REGISTRY_PROBES")?.unwrap_or(true),
        is_node: flag(var, "TEAM_NODE")?.unwrap_or(true),
        engine_sockets: sockets(var)?,
        ingress_class: var("SLIPWAY_TEAM_INGRESS_CLASS").map(|class| class.trim().to_owned()),
        cluster_issuer: var("SLIPWAY_TEAM_CLUSTER_ISSUER").map(|issuer| issuer.trim().to_owned()),
        rollout_timeout: Some(seconds(var, "SLIPWAY_TEAM_ROLLOUT_TIMEOUT", 300)?).filter(|limit| !limit.is_zero()),
    })
}

fn sockets(var: &dyn Fn(&str) -> Option<String>) -> Result<Vec<PathBuf>, ConfigError> {
    let name = "SLIPWAY_TEAM_ENGINE_SOCKETS";
    let paths: Vec<PathBuf> = list(&var(name).unwrap_or_default()).iter().map(PathBuf::from).collect();
    if paths.iter().any(|path| !path.is_absolute()) {
        return Err(ConfigError::Malformed { name, expected: "paths that begin with /, with commas between them" });
    }
    Ok(paths)
}

/// `SLIPWAY_OIDC_ISSUER` and `SLIPWAY_OIDC_CLIENT_ID`: an OpenID Connect provider and who we are there; the address to come
/// back to is `SLIPWAY_PUBLIC_URL` and `/api/auth/oidc/callback`. `SLIPWAY_OIDC_CLIENT_SECRET`, or the file that
/// `SLIPWAY_OIDC_CLIENT_SECRET_FILE` names: default none. `SLIPWAY_OIDC_SCOPES`: what is asked for beside `openid`, with blanks
/// between; default `email profile`. `SLIPWAY_OIDC_EMAIL_DOMAINS`: whose addresses may log in, with commas between; default
/// all. `SLIPWAY_OIDC_REGISTER`: whether those whom nobody knows get an account; default false.
fn oidc(var: &dyn Fn(&str) -> Option<String>, public_url: &str) -> Result<Option<OidcSettings>, ConfigError> {
    let Some(issuer) = var("SLIPWAY_OIDC_ISSUER") else { return Ok(None) };
    let missing = |name, expected| ConfigError::Malformed { name, expected };
    let client_id = var("SLIPWAY_OIDC_CLIENT_ID")
        .ok_or_else(|| missing("SLIPWAY_OIDC_CLIENT_ID", "set where SLIPWAY_OIDC_ISSUER is"))?;
    let client_secret = match (var("SLIPWAY_OIDC_CLIENT_SECRET"), var("SLIPWAY_OIDC_CLIENT_SECRET_FILE")) {
        (Some(secret), _) => Some(secret),
        (None, Some(file)) => Some(
            std::fs::read_to_string(file)
                .map_err(|_| missing("SLIPWAY_OIDC_CLIENT_SECRET_FILE", "the path of a file that can be read"))?,
        ),
        (None, None) => None,
    };
    let scopes = var("SLIPWAY_OIDC_SCOPES").unwrap_or_else(|| "email profile".to_owned());
    let domains = list(&var("SLIPWAY_OIDC_EMAIL_DOMAINS").unwrap_or_default());
    let settings = OidcSettings {
        issuer: issuer.trim().to_owned(),
        client_id: client_id.trim().to_owned(),
        client_secret: client_secret.map(|secret| SecretString::from(secret.trim())),
        scopes: scopes.split_whitespace().filter(|scope| *scope != "openid").map(str::to_owned).collect(),
        email_domains: domains.iter().map(|domain| domain.to_ascii_lowercase()).collect(),
        is_registering: flag(var, "OIDC_REGISTER")?.unwrap_or(false),
        redirect_url: format!("{public_url}/api/auth/oidc/callback"),
    };
    Ok(Some(settings))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(vars: &[(&str, &str)]) -> Result<TeamsConfig, ConfigError> {
        let vars: Vec<(String, String)> = vars.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let var = move |name: &str| vars.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone());
        teams(&var, Path::new("/data"), SocketAddr::from(([127, 0, 0, 1], 8000)))
    }

    #[test]
    fn variables_are_read_and_secrets_are_not_shown() {
        let usual = read(&[]).unwrap();
        assert_eq!((usual.public_url.as_str(), usual.are_registries_probed), ("http://127.0.0.1:8000", true));
        assert_eq!(format!("{:?}", usual.mail), "Folder(\"/data/outbox\")");
        assert_eq!(usual.rollout_timeout, Some(Duration::from_mins(5)));
        let given = read(&[
            ("SLIPWAY_PUBLIC_URL", "https://slipway.example.com/"),
            ("SLIPWAY_SMTP_URL", "smtps://u:hunter2@mail.example.com"),
            ("SLIPWAY_MAIL_FROM", "Us <us@example.com>"),
            ("SLIPWAY_REGISTRY_PROBES", "off"),
            ("SLIPWAY_TEAM_ROLLOUT_TIMEOUT", "0"),
            ("SLIPWAY_TEAM_ENGINE_SOCKETS", "/run/docker.sock, /run/podman/podman.sock"),
        ])
        .unwrap();
        assert_eq!((given.public_url.as_str(), given.are_registries_probed), ("https://slipway.example.com", false));
        assert_eq!(given.rollout_timeout, None);
        assert!(usual.engine_sockets.is_empty());
        assert_eq!(given.engine_sockets, ["/run/docker.sock", "/run/podman/podman.sock"].map(PathBuf::from));
        assert!(!format!("{given:?}").contains("hunter2"));
        for (name, value) in [
            ("SLIPWAY_PUBLIC_URL", "slipway"),
            ("SLIPWAY_PUBLIC_URL", "ftp://hunter2"),
            ("SLIPWAY_SMTP_URL", "https://hunter2"),
            ("SLIPWAY_REGISTRY_PROBES", "maybe"),
            ("SLIPWAY_OIDC_ISSUER", "https://hunter2"),
            ("SLIPWAY_TEAM_ROLLOUT_TIMEOUT", "soon"),
            ("SLIPWAY_TEAM_ENGINE_SOCKETS", "hunter2"),
        ] {
            let error = read(&[(name, value)]).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_provider_takes_an_issuer_and_a_client() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secret");
        std::fs::write(&file, "hunter2\n").unwrap();
        let mut vars = vec![
            ("SLIPWAY_PUBLIC_URL", "https://slipway.example.com"),
            ("SLIPWAY_OIDC_ISSUER", "https://id.example.com/realm"),
            ("SLIPWAY_OIDC_CLIENT_ID", "slipway"),
            ("SLIPWAY_OIDC_CLIENT_SECRET_FILE", file.to_str().unwrap()),
            ("SLIPWAY_OIDC_EMAIL_DOMAINS", "Example.com, example.org"),
        ];
        let oidc = read(&vars).unwrap().oidc.unwrap();
        assert_eq!(oidc.redirect_url, "https://slipway.example.com/api/auth/oidc/callback");
        assert_eq!(oidc.scopes, ["email", "profile"]);
        assert_eq!(oidc.email_domains, ["example.com", "example.org"]);
        assert!(!oidc.is_registering && !format!("{oidc:?}").contains("hunter2"));
        assert_eq!(secrecy::ExposeSecret::expose_secret(&oidc.client_secret.unwrap()), "hunter2");
        vars.extend([("SLIPWAY_OIDC_REGISTER", "on"), ("SLIPWAY_OIDC_SCOPES", "openid email groups")]);
        let oidc = read(&vars).unwrap().oidc.unwrap();
        assert!(oidc.is_registering);
        assert_eq!(oidc.scopes, ["email", "groups"]);
        assert!(
            read(&[
                ("SLIPWAY_OIDC_ISSUER", "https://x"),
                ("SLIPWAY_OIDC_CLIENT_ID", "a"),
                ("SLIPWAY_OIDC_CLIENT_SECRET_FILE", "/nonexistent")
            ])
            .is_err()
        );
    }
}
