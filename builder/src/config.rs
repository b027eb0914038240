//! What the builder is told at its start.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

/// Settings of a [`crate::Builder`].
#[derive(Debug, Clone)]
pub struct BuilderConfig {
    /// Where the SSH server listens; port 0 picks a free one.
    pub ssh: SocketAddr,
    /// Data directory: `repos/`, `builds/`, `work/` and the host key are made below it.
    pub data: PathBuf,
    /// File with the host key, as OpenSSH or as PKCS #8 PEM. Default: `ssh_host_ed25519_key` in the data directory, which
    /// is made at the first start.
    pub host_key: Option<PathBuf>,
    /// Base URL of the controller.
    pub controller: Url,
    /// The key that the controller knows the builder by.
    pub builder_key: SecretString,
    /// Limits.
    pub limits: Limits,
}

/// What one pusher may use.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Largest pack that is taken in one push, in bytes. Default 2 GiB.
    pub pack_max_bytes: u64,
    /// Largest checkout, in bytes. Default 1 GiB.
    pub source_max_bytes: u64,
    /// Most files, links and directories in a checkout. Default 200,000.
    pub source_max_files: u64,
    /// Connections at once; beyond, an unproven one makes room. Default 512.
    pub connections_max: usize,
    /// Connections at once from one address that have not proven a key yet; beyond, the oldest makes room. Default 16.
    pub unproven_max_per_address: usize,
    /// Packs that are made for fetches at once; further fetches wait. Default 8.
    pub packs_max: usize,
    /// How long a connection may take to prove a key. Default 30 s, after OpenSSH's `LoginGraceTime`.
    pub login_grace: Duration,
    /// How long a client may neither send nor take anything that is awaited. Default 10 min.
    pub idle: Duration,
    /// How often `...` is written while nothing else is. Default 10 s. Source: `drycc-v2.md` §5.5.
    pub quiet: Duration,
    /// How often what apps that are gone left behind is looked for. Default 1 h.
    pub sweep: Duration,
    /// How old something must be before a sweep removes it. Default 1 h.
    pub sweep_grace: Duration,
    /// Whether repositories that users name may be at private addresses. Default false.
    pub is_private_allowed: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            pack_max_bytes: 2 << 30,
            source_max_bytes: 1 << 30,
            source_max_files: 200_000,
            connections_max: 512,
            unproven_max_per_address: 16,
            packs_max: 8,
            login_grace: Duration::from_secs(30),
            idle: Duration::from_mins(10),
            quiet: Duration::from_secs(10),
            sweep: Duration::from_hours(1),
            sweep_grace: Duration::from_hours(1),
            is_private_allowed: false,
        }
    }
}
