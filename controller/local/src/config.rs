//! Settings of the engine.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use slipway_image::FetchSettings;
use slipway_slug::SlugStore;

/// Settings of a [`crate::LocalEngine`].
#[derive(Debug, Clone)]
pub struct LocalConfig {
    /// Where logs, copies of slugs and records are kept; made if missing. One engine a directory.
    pub data: PathBuf,
    /// Where slugs come from.
    pub slugs: SlugStore,
    /// How images are fetched. Default: from public registries only.
    pub fetch: FetchSettings,
    /// Address at which apps listen and are reached. Default 127.0.0.1.
    pub listen: IpAddr,
    /// `PATH` of apps that set none; the slug's own directories come in front. Default the usual system directories.
    pub path: String,
    /// Variables that every process gets, whatever the app sets. Default none.
    pub env: BTreeMap<String, String>,
    /// Pause before the first restart of a process that ended; doubles each time. Default 1 s.
    pub backoff_first: Duration,
    /// Longest such pause. Default 5 min.
    pub backoff_max: Duration,
    /// Time after which a process counts as well, and its earlier failures as forgotten. Default 60 s.
    pub backoff_reset: Duration,
    /// Time for which a process without port and probe must run to count as ready. Default 1 s.
    pub settle: Duration,
    /// Time between SIGTERM and SIGKILL when an app is removed. Default 3 s.
    pub remove_grace: Duration,
    /// Largest log file of an app, in bytes; one older file of that size is kept besides. Default 10 MiB.
    pub log_bytes_max: u64,
    /// Most output of one process that goes to its log, in bytes a second; a process that writes more is slowed down.
    /// Default 16 MiB.
    pub log_bytes_per_sec: u64,
    /// Most open files of a process, where the system permits. Default 65,536.
    pub open_files: u64,
    /// Time between two looks at how much of the processor apps use. Default 10 s.
    pub usage_interval: Duration,
    /// A cgroup v2 directory in which the engine may make groups for apps, with the controllers `memory` and `cpu`
    /// enabled for them. Default: the platform's own, when it was delegated to it; without one, limits are set for each
    /// process alone by rlimit, as far as that goes.
    pub cgroup: Option<PathBuf>,
}

impl LocalConfig {
    /// The defaults, with the two things that have none.
    #[must_use]
    pub fn new(data: impl Into<PathBuf>, slugs: SlugStore) -> Self {
        Self {
            data: data.into(),
            slugs,
            fetch: FetchSettings::default(),
            listen: IpAddr::V4(Ipv4Addr::LOCALHOST),
            path: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
            env: BTreeMap::new(),
            backoff_first: Duration::from_secs(1),
            backoff_max: Duration::from_mins(5),
            backoff_reset: Duration::from_mins(1),
            settle: Duration::from_secs(1),
            remove_grace: Duration::from_secs(3),
            log_bytes_max: 10 * 1024 * 1024,
            log_bytes_per_sec: 16 * 1024 * 1024,
            open_files: 65_536,
            usage_interval: Duration::from_secs(10),
            cgroup: None,
        }
    }
}
