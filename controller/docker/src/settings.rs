//! What an operator decides about container engines.

use std::time::Duration;

/// What an operator decides about container engines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DockerSettings {
    /// The domain that exposed containers without one of their own get a name under. Default: none.
    pub root_domain: Option<String>,
    /// The network that the engine's Traefik is in; exposed containers join it. Default: `traefik`.
    pub proxy_network: String,
    /// Traefik's entry points for HTTP and for HTTPS. Default: `web`, `websecure`.
    pub entry_points: (String, String),
    /// Traefik's resolver of certificates. Default: `le`.
    pub certificate_resolver: String,
    /// The image with `rclone` that fetches files from object stores. Default: `docker.io/rclone/rclone:1.57.0`.
    pub import_image: String,
    /// Whether engines may have private addresses. Default: no, since teams name them.
    pub allow_private: bool,
    /// How long an engine may take to answer what it need not work for. Default: 30 s.
    pub call_limit: Duration,
    /// How long fetching one image may take. Default: 20 minutes.
    pub pull_limit: Duration,
    /// How long a container that runs before another may run. Default: 15 minutes.
    pub init_limit: Duration,
}

impl Default for DockerSettings {
    fn default() -> Self {
        Self {
            root_domain: None,
            proxy_network: "traefik".to_owned(),
            entry_points: ("web".to_owned(), "websecure".to_owned()),
            certificate_resolver: "le".to_owned(),
            import_image: "docker.io/rclone/rclone:1.57.0".to_owned(),
            allow_private: false,
            call_limit: Duration::from_secs(30),
            pull_limit: Duration::from_mins(20),
            init_limit: Duration::from_mins(15),
        }
    }
}
