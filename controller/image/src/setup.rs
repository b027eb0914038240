//! What an image says about how it is run.

use std::collections::BTreeMap;

use oci_client::config::ConfigFile;
use serde::{Deserialize, Serialize};

/// What an image says about how it is run. Source: OCI image specification, `config.md`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ImageSetup {
    /// The program and its first arguments; empty when the image names none.
    pub entrypoint: Vec<String>,
    /// Further arguments, or program and arguments when there is no entrypoint.
    pub cmd: Vec<String>,
    /// Variables.
    pub env: BTreeMap<String, String>,
    /// Working directory. Default `/`.
    pub working_dir: String,
    /// `USER`, `USER:GROUP`, names or numbers; empty for root.
    pub user: String,
    /// TCP ports it listens on, ascending.
    pub ports: Vec<u16>,
    /// Labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

impl ImageSetup {
    /// Reads an image's configuration.
    ///
    /// # Errors
    /// The reason, when it is no such thing or is for another system than Linux.
    pub fn parse(json: &str) -> Result<Self, String> {
        let file: ConfigFile = serde_json::from_str(json).map_err(|error| format!("its configuration: {error}"))?;
        let os = file.os.to_string();
        if os != "linux" {
            let os: String = os.chars().filter(char::is_ascii_alphanumeric).take(20).collect();
            return Err(format!("it is made for {os}, not for Linux"));
        }
        let config = file.config.unwrap_or_default();
        let mut ports: Vec<u16> = config
            .exposed_ports
            .unwrap_or_default()
            .iter()
            .filter_map(|port| {
                let (number, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
                (protocol == "tcp").then(|| number.parse().ok()).flatten()
            })
            .collect();
        ports.sort_unstable();
        let env = config.env.unwrap_or_default();
        let env = env.iter().filter_map(|entry| entry.split_once('='));
        let working_dir = config.working_dir.filter(|dir| dir.starts_with('/'));
        Ok(Self {
            entrypoint: config.entrypoint.unwrap_or_default(),
            cmd: config.cmd.unwrap_or_default(),
            env: env.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            working_dir: working_dir.unwrap_or_else(|| "/".to_owned()),
            user: config.user.unwrap_or_default(),
            ports,
            labels: config.labels.unwrap_or_default().into_iter().collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_read() {
        let setup = ImageSetup::parse(
            r#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]},"config":{
                "User":"app","ExposedPorts":{"8080/tcp":{},"53/udp":{},"80":{}},"Env":["A=b=c","BROKEN"],
                "Entrypoint":["/run"],"Cmd":["-x"],"WorkingDir":"/srv"}}"#,
        )
        .unwrap();
        assert_eq!(setup.ports, [80, 8080]);
        assert_eq!(setup.env, BTreeMap::from([("A".to_owned(), "b=c".to_owned())]));
        assert_eq!((setup.working_dir.as_str(), setup.user.as_str()), ("/srv", "app"));
        assert_eq!((setup.entrypoint, setup.cmd), (vec!["/run".to_owned()], vec!["-x".to_owned()]));
    }

    #[test]
    fn other_systems_and_nonsense_are_refused() {
        let windows = r#"{"architecture":"amd64","os":"windows","rootfs":{"type":"layers","diff_ids":[]}}"#;
        assert_eq!(ImageSetup::parse(windows).unwrap_err(), "it is made for windows, not for Linux");
        for bad in ["", "[]", "{}", "null"] {
            assert!(ImageSetup::parse(bad).is_err(), "{bad}");
        }
    }
}
