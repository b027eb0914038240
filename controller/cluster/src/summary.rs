//! What the kubelet of a machine tells of it: file systems, network, swap. Read through the API server, which needs the
//! right to `get` `nodes/proxy`; without it nothing is known, and that is no error.
//!
//! Source: `k8s.io/kubelet/pkg/apis/stats/v1alpha1`, `Summary`.

use std::time::Duration;

use kube::Client;
use serde::Deserialize;
use slipway_engine::{DiskUsage, NetworkUsage, PodUsage, ProcessCounts};
use tokio::time::timeout;

/// Longest time for an answer: a kubelet may be away.
const ANSWER_MAX: Duration = Duration::from_secs(5);

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Summary {
    node: NodeStats,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct NodeStats {
    memory: Memory,
    swap: Swap,
    network: Network,
    fs: Disk,
    runtime: Runtime,
    rlimit: Limits,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "as the kubelet names them")]
struct Memory {
    available_bytes: Option<u64>,
    usage_bytes: Option<u64>,
    working_set_bytes: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Swap {
    swap_available_bytes: Option<u64>,
    swap_usage_bytes: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Network {
    rx_bytes: Option<u64>,
    tx_bytes: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Runtime {
    image_fs: Disk,
}

#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "as the kubelet names them")]
struct Disk {
    available_bytes: Option<u64>,
    capacity_bytes: Option<u64>,
    used_bytes: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Limits {
    curproc: Option<u32>,
}

/// What the kubelet of the machine `name`, which is one of the cluster's, tells; `None` when it cannot be asked.
pub(crate) async fn read(client: &Client, name: &str) -> Option<Summary> {
    let request = http::Request::get(format!("/api/v1/nodes/{name}/proxy/stats/summary")).body(Vec::new()).ok()?;
    match timeout(ANSWER_MAX, client.request::<Summary>(request)).await {
        Ok(Ok(summary)) => Some(summary),
        Ok(Err(error)) => {
            tracing::debug!(node.name = name, %error, "a kubelet tells nothing");
            None
        }
        Err(_) => {
            tracing::debug!(node.name = name, "a kubelet does not answer in time");
            None
        }
    }
}

impl Summary {
    /// Adds what it tells to what is known.
    pub(crate) fn add_to(self, usage: &mut PodUsage) {
        let NodeStats { memory, swap, network, fs, runtime, rlimit } = self.node;
        usage.memory_available_bytes = memory.available_bytes.or(usage.memory_available_bytes);
        // What is in use and not worked with is what was read from files.
        usage.memory_cache_bytes =
            memory.usage_bytes.zip(memory.working_set_bytes).map(|(used, worked)| used.saturating_sub(worked));
        usage.swap_free_bytes = swap.swap_available_bytes;
        usage.swap_total_bytes =
            swap.swap_available_bytes.zip(swap.swap_usage_bytes).map(|(free, used)| free.saturating_add(used));
        usage.network =
            network.rx_bytes.zip(network.tx_bytes).map(|(rx_bytes, tx_bytes)| NetworkUsage { rx_bytes, tx_bytes });
        usage.processes = rlimit.curproc.map(|total| ProcessCounts { total, states: None });
        // Images may be on the same file system as everything else.
        let is_apart = runtime.image_fs.capacity_bytes != fs.capacity_bytes
            || runtime.image_fs.available_bytes != fs.available_bytes;
        let images = Some(runtime.image_fs).filter(|_| is_apart);
        let named = [("nodefs", Some(fs)), ("imagefs", images)];
        usage.disks = named.into_iter().filter_map(|(name, disk)| disk?.usage(name)).collect();
    }
}

impl Disk {
    fn usage(&self, name: &str) -> Option<DiskUsage> {
        let total_bytes = self.capacity_bytes?;
        let available_bytes = self.available_bytes?;
        Some(DiskUsage {
            filesystem: name.to_owned(),
            // The kubelet keeps that to itself.
            mount_point: None,
            total_bytes,
            // Of images it tells what they take, not what is taken.
            used_bytes: match name {
                "nodefs" => self.used_bytes,
                _ => None,
            }
            .unwrap_or_else(|| total_bytes.saturating_sub(available_bytes)),
            available_bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn added(node: &serde_json::Value) -> PodUsage {
        let mut usage = PodUsage { memory_available_bytes: Some(1), ..PodUsage::default() };
        serde_json::from_value::<Summary>(json!({"node": node, "pods": [{}]})).unwrap().add_to(&mut usage);
        usage
    }

    #[test]
    fn what_a_kubelet_tells_is_taken_over() {
        let fs = json!({"time": "x", "availableBytes": 60, "capacityBytes": 100, "usedBytes": 30, "inodes": 5});
        let node = json!({
            "nodeName": "one", "memory": {"availableBytes": 7, "usageBytes": 9, "workingSetBytes": 4},
            "swap": {"swapAvailableBytes": 3, "swapUsageBytes": 2}, "fs": fs, "runtime": {"imageFs": fs},
            "network": {"name": "eth0", "rxBytes": 11, "txBytes": 12, "interfaces": []}, "rlimit": {"curproc": 99},
        });
        let usage = added(&node);
        assert_eq!((usage.memory_available_bytes, usage.memory_cache_bytes), (Some(7), Some(5)));
        assert_eq!((usage.swap_total_bytes, usage.swap_free_bytes), (Some(5), Some(3)));
        assert_eq!(usage.network, Some(NetworkUsage { rx_bytes: 11, tx_bytes: 12 }));
        assert_eq!(usage.processes, Some(ProcessCounts { total: 99, states: None }));
        let disks: Vec<(&str, u64)> = usage.disks.iter().map(|disk| (&*disk.filesystem, disk.used_bytes)).collect();
        assert_eq!(disks, [("nodefs", 30)], "images are on the same");
        let mut apart = node;
        apart["runtime"]["imageFs"] = json!({"availableBytes": 1, "capacityBytes": 10, "usedBytes": 2});
        let disks: Vec<u64> = added(&apart).disks.iter().map(|disk| disk.used_bytes).collect();
        assert_eq!(disks, [30, 9]);
    }

    #[test]
    fn what_it_leaves_out_is_not_known() {
        let usage = added(&json!({"fs": {"usedBytes": 3}}));
        assert_eq!(usage, PodUsage { memory_available_bytes: Some(1), ..PodUsage::default() });
    }
}
