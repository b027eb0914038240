//! Settings of what concerns teams.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::{ConfigError, flag};

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
        public_url,
        mail,
        mail_from: var("SLIPWAY_MAIL_FROM").unwrap_or_else(|| "Slipway <slipway@localhost>".to_owned()),
        are_registries_probed: flag(var, "REGISTRY_PROBES")?.unwrap_or(true),
    })
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
        let given = read(&[
            ("SLIPWAY_PUBLIC_URL", "https://slipway.example.com/"),
            ("SLIPWAY_SMTP_URL", "smtps://u:hunter2@mail.example.com"),
            ("SLIPWAY_MAIL_FROM", "Us <us@example.com>"),
            ("SLIPWAY_REGISTRY_PROBES", "off"),
        ])
        .unwrap();
        assert_eq!((given.public_url.as_str(), given.are_registries_probed), ("https://slipway.example.com", false));
        assert!(!format!("{given:?}").contains("hunter2"));
        for (name, value) in [
            ("SLIPWAY_PUBLIC_URL", "slipway"),
            ("SLIPWAY_PUBLIC_URL", "ftp://hunter2"),
            ("SLIPWAY_SMTP_URL", "https://hunter2"),
            ("SLIPWAY_REGISTRY_PROBES", "maybe"),
        ] {
            let error = read(&[(name, value)]).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
