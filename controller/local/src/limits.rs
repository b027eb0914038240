//! Memory and CPU limits of processes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Once;

use slipway_engine::spec::Limit;
use uuid::Uuid;

static WARNED: Once = Once::new();

/// What holds one process to its limits.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    /// The cgroup that the process puts itself into.
    pub(crate) cgroup: Option<Cgroup>,
    /// Most private writable memory of each single process, in KiB, where there is no cgroup. (Address space would be
    /// the older measure, but several runtimes reserve far more of it than they use.)
    pub(crate) data_kib: Option<u64>,
}

/// A cgroup of our own, removed when dropped.
#[derive(Debug)]
pub(crate) struct Cgroup(PathBuf);

impl Limits {
    /// Prepares what `memory` and `cpu` ask for.
    pub(crate) fn prepare(parent: Option<&Path>, memory: Option<Limit>, cpu: Option<Limit>) -> io::Result<Self> {
        let set = |limit: Option<Limit>| limit.map(|limit| limit.limit).filter(|limit| *limit > 0);
        let (memory, cpu) = (set(memory), set(cpu));
        if let Some(parent) = parent {
            let cgroup = Cgroup(parent.join(format!("app-{}", Uuid::new_v4().simple())));
            fs::create_dir(&cgroup.0)?;
            if let Some(bytes) = memory {
                fs::write(cgroup.0.join("memory.max"), bytes.to_string())?;
            }
            if let Some(millis) = cpu {
                // Microseconds of each period of 100 ms.
                fs::write(cgroup.0.join("cpu.max"), format!("{} 100000", millis.saturating_mul(100).max(1000)))?;
            }
            return Ok(Self { cgroup: Some(cgroup), data_kib: None });
        }
        if cpu.is_some() {
            WARNED.call_once(|| {
                tracing::warn!("CPU limits are not kept: no cgroup was delegated to the platform; memory limits hold for each process alone");
            });
        }
        Ok(Self { cgroup: None, data_kib: memory.map(|bytes| (bytes / 1024).max(1)) })
    }

    /// The file to which the process writes its id to join; empty for none.
    pub(crate) fn cgroup_procs(&self) -> String {
        self.cgroup
            .as_ref()
            .map(|cgroup| cgroup.0.join("cgroup.procs").to_string_lossy().into_owned())
            .unwrap_or_default()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // Whatever left its process group is still in here.
        let _ = fs::write(self.0.join("cgroup.kill"), "1");
        let path = std::mem::take(&mut self.0);
        let remove = move || {
            for _ in 0..100 {
                if fs::remove_dir(&path).is_ok() || !path.exists() {
                    return;
                }
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(remove)),
            Err(_) => remove(),
        }
    }
}
