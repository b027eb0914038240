//! What should be.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use slipway_core::build::BuildKind;
use slipway_core::config::SecretText;
pub use slipway_core::limit::Limit;
pub use slipway_core::probe::{Check, Probe};
pub use slipway_core::settings::Autoscale;
pub use slipway_core::volume::MountPath;
use slipway_core::{AppId, AppName, ProcessType, ReleaseVersion, VolumeId, VolumeName};

use crate::path::PathPattern;
use crate::route::Certificate;

/// The whole desired state of one app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppSpec {
    /// The app.
    pub app: AppId,
    /// Its name.
    pub name: AppName,
    /// The database's generation of this wish; comes back in the status.
    pub generation: i64,
    /// What should run; nothing runs without it.
    pub release: Option<ReleaseSpec>,
    /// How it is reached.
    pub route: RouteSpec,
    /// All its volumes: what is in one stays until it is not here any more, or the app is removed.
    pub volumes: Vec<VolumeSpec>,
}

/// A directory that outlives processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeSpec {
    /// Its identity, never used again.
    pub id: VolumeId,
    /// Its name, used by no other volume of the app at the same time.
    pub name: VolumeName,
    /// Bytes that fit into it at least. Never less than before.
    pub bytes: u64,
}

/// Where a process finds a volume.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MountSpec {
    /// The volume, one of the app's.
    pub volume: VolumeId,
    /// Its name.
    pub name: VolumeName,
    /// The directory. No mount of a process is within another's.
    pub path: MountPath,
}

impl AppSpec {
    /// Whether requests go to processes of this type: it is the routed one, or paths lead to it.
    #[must_use]
    pub fn takes_requests(&self, process: &ProcessSpec) -> bool {
        process.is_routed || self.route.paths.iter().any(|rule| rule.process_type == process.process_type)
    }
}

/// What should run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseSpec {
    /// The release's number.
    pub version: ReleaseVersion,
    /// What made it, for people: `bob deployed abcdef1`.
    pub summary: String,
    /// What is run.
    pub artifact: Artifact,
    /// Where the artifact came from; decides what a command is handed to.
    pub kind: BuildKind,
    /// What the artifact is fetched with, when its registry is private.
    pub registry: Option<RegistryLogin>,
    /// Labels that a machine must have to run processes of this release; empty for any machine.
    pub placement: BTreeMap<String, String>,
    /// The whole environment: the platform's variables with the user's over them. An engine that chooses the port
    /// itself sets `PORT` over all.
    pub env: BTreeMap<String, SecretText>,
    /// One entry a process type with at least the type's name; zero replicas are listed too.
    pub processes: Vec<ProcessSpec>,
}

/// The processes of one type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessSpec {
    /// The type.
    pub process_type: ProcessType,
    /// A line for the app's shell; `None` for the artifact's own command.
    pub command: Option<String>,
    /// How many are wanted.
    pub replicas: u32,
    /// How far the engine may scale by itself; `None`: `replicas` holds.
    pub autoscale: Option<Autoscale>,
    /// Whether requests go to processes of this type. At most one type of a release.
    pub is_routed: bool,
    /// Changes when processes of this type shall be replaced by new ones without a new release.
    pub restart_token: i64,
    /// Memory.
    pub memory: Option<Limit>,
    /// CPU.
    pub cpu: Option<Limit>,
    /// Decides when a process is ready for requests. `None`: a process that requests go to is ready when its port
    /// accepts connections, any other when it has run for a moment.
    pub readiness: Option<Probe>,
    /// Decides when a process must be restarted. `None`: only when it ends.
    pub liveness: Option<Probe>,
    /// Time between SIGTERM and SIGKILL. Default 30 s.
    pub grace: Duration,
    /// A line for the app's shell that runs beside each process once that was started. A process whose command fails is
    /// restarted.
    pub post_start: Option<String>,
    /// A line for the app's shell that runs beside a process before it is told to stop, within its grace period.
    pub pre_stop: Option<String>,
    /// The volumes that each of them has, by name.
    pub mounts: Vec<MountSpec>,
}

/// How an app is reached.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RouteSpec {
    /// Full host names, lower case, in ASCII; `*.example.com` covers one label. Empty: not reachable.
    pub hosts: Vec<String>,
    /// Which paths lead to processes of another type than the routed one; the first that fits counts.
    pub paths: Vec<PathRule>,
    /// Hosts of which every path leads to the routed processes, at a port of their choice instead of the one that they
    /// are told to listen on. Engines without [`Engine::is_routing_ports`](crate::Engine::is_routing_ports) route
    /// none of these hosts. No port is 0.
    pub ports: BTreeMap<String, u16>,
    /// Whether requests are routed at all.
    pub is_routable: bool,
    /// Whether every request gets the maintenance page.
    pub is_in_maintenance: bool,
    /// Whether plain HTTP is redirected to HTTPS.
    pub is_https_enforced: bool,
    /// Networks (address, prefix length) that may send requests; empty for all.
    pub allow_list: Vec<(std::net::IpAddr, u8)>,
    /// Certificates for its hosts.
    pub certificates: Vec<Certificate>,
    /// Whether hosts outside of the platform's domain that have none get one by themselves; `None` for what the router is
    /// set up for.
    pub automatic_certificates: Option<bool>,
}

/// Paths that lead to processes of one type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathRule {
    /// What the paths begin with.
    pub pattern: PathPattern,
    /// The type.
    pub process_type: ProcessType,
}

/// Credentials of a private registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryLogin {
    /// The registry's host, with port; `None` for the one that the image names.
    pub hostname: Option<String>,
    /// The user.
    pub username: String,
    /// That user's password or token.
    pub password: SecretText,
}

/// What a process is started from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Artifact {
    /// A slug in the local store.
    Slug {
        /// SHA-256 in lower-case hex (64 digits).
        digest: String,
    },
    /// A container image.
    Image {
        /// The reference.
        reference: String,
    },
}

/// Written before a slug's digest in a build's `image`.
const SLUG_PREFIX: &str = "slug@sha256:";

impl fmt::Display for Artifact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slug { digest } => write!(f, "{SLUG_PREFIX}{digest}"),
            Self::Image { reference } => f.write_str(reference),
        }
    }
}

impl FromStr for Artifact {
    type Err = String;

    /// Reads a build's `image`. The error is for the user.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix(SLUG_PREFIX) {
            Some(digest) => {
                let is_hex = digest.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
                if digest.len() == 64 && is_hex {
                    Ok(Self::Slug { digest: digest.to_owned() })
                } else {
                    Err("a slug is named slug@sha256: and 64 hexadecimal digits".to_owned())
                }
            }
            None if text.is_empty() => Err("an image must be named".to_owned()),
            None => Ok(Self::Image { reference: text.to_owned() }),
        }
    }
}

/// A request by which it is found out whether an app answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpCheck {
    /// The app.
    pub app: AppId,
    /// Its name.
    pub name: AppName,
    /// The path, with a slash before it.
    pub path: String,
    /// The name that it is asked for, as in the requests of its users.
    pub host: Option<String>,
    /// Time that it may take.
    pub timeout: Duration,
}

/// A one-off process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSpec {
    /// The app.
    pub app: AppId,
    /// Its name.
    pub name: AppName,
    /// The release whose artifact and environment it gets.
    pub version: ReleaseVersion,
    /// What it is started from.
    pub artifact: Artifact,
    /// Where the artifact came from; decides what the command is handed to.
    pub kind: BuildKind,
    /// What the artifact is fetched with, when its registry is private.
    pub registry: Option<RegistryLogin>,
    /// Labels that a machine must have to run it; empty for any machine.
    pub placement: BTreeMap<String, String>,
    /// The whole environment.
    pub env: BTreeMap<String, SecretText>,
    /// A line for the app's shell.
    pub command: String,
    /// Name of the process, `run.x7k2q`; also the source of its log lines.
    pub process_name: String,
    /// Memory.
    pub memory: Option<Limit>,
    /// CPU.
    pub cpu: Option<Limit>,
    /// Time it may take. Default 20 minutes.
    pub timeout: Duration,
    /// The volumes that it has, by name.
    pub mounts: Vec<MountSpec>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn artifacts_read_what_they_print() {
        for text in [format!("slug@sha256:{}", "0a".repeat(32)), "registry/app:v1".to_owned()] {
            assert_eq!(text.parse::<Artifact>().unwrap().to_string(), text);
        }
        for bad in ["", "slug@sha256:", "slug@sha256:../../etc", &format!("slug@sha256:{}", "0A".repeat(32))] {
            assert!(bad.parse::<Artifact>().is_err(), "{bad}");
        }
    }
}
