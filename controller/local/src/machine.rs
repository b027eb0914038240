//! This machine, as one that processes run on.

use std::fs;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use slipway_engine::{NodeState, NodeStatus};

use crate::network;
use crate::usage::machine;

/// What is known of this machine.
pub(crate) fn this() -> NodeStatus {
    let name = name();
    let usage = machine();
    let identity = fs::read_to_string("/etc/machine-id").unwrap_or_default();
    let identity = identity.trim();
    NodeStatus {
        uid: if identity.is_empty() { name.clone() } else { identity.to_owned() },
        name,
        address: network::address().map(|address| address.to_string()),
        region: None,
        // Whoever tells this runs on it.
        state: NodeState::Healthy,
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        os: kernel("ostype").map(|name| name.to_lowercase()),
        arch: Some(std::env::consts::ARCH.to_owned()),
        cpu_count: usage.cpu_count,
        memory_total_bytes: usage.memory_total_bytes,
        is_for_builds: false,
        created: started().unwrap_or_default(),
    }
}

/// The name of this machine.
pub(crate) fn name() -> String {
    kernel("hostname").unwrap_or_else(|| "localhost".to_owned())
}

fn kernel(file: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/sys/kernel/{file}")).unwrap_or_default();
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// When the machine was started.
fn started() -> Option<DateTime<Utc>> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let seconds = stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some((SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_knows_itself() {
        let node = this();
        assert!(!node.name.is_empty() && !node.uid.is_empty());
        assert!(node.created > DateTime::UNIX_EPOCH && node.created < Utc::now());
        assert!(node.memory_total_bytes.is_some_and(|bytes| bytes > 1 << 20));
    }
}
