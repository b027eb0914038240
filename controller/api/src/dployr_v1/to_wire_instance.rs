//! Instances and what they use → bodies. Source: `dployr-v1.md` §6.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use slipway_engine::{DiskUsage, NodeState, NodeStatus, PodUsage};
use slipway_service::{Instance, InstanceMetrics, InstanceView, instance_state};
use slipway_wire::dployr_v1 as wire;

use super::to_wire::time;

pub(super) fn instance(instance: &InstanceView) -> wire::Instance {
    match instance {
        InstanceView::Pod(instance) => pod(instance),
        InstanceView::Node(found) => node(found),
    }
}

fn pod(instance: &Instance) -> wire::Instance {
    let Instance { view, pod, machine } = instance;
    let machine = machine.as_ref();
    wire::Instance {
        id: instance.id(),
        tag: pod.name.clone(),
        kind: "pod".to_owned(),
        role: "instance".to_owned(),
        service_id: Some(slipway_service::service_id(view.app.id, &pod.process_type)),
        deployment_id: Some(view.id()),
        release: Some(pod.version.0),
        process_type: Some(pod.process_type.to_string()),
        address: pod.address.map(|address| address.to_string()),
        region: machine.and_then(|machine| machine.region.clone()),
        status: instance_state(&pod.state).to_owned(),
        version: instance.version().map(str::to_owned),
        os: machine.and_then(|machine| machine.os.clone()),
        arch: machine.and_then(|machine| machine.arch.clone()),
        cpu_count: machine.and_then(|machine| machine.cpu_count),
        memory_total_bytes: machine.and_then(|machine| machine.memory_total_bytes),
        started_at: time(pod.started),
        created_at: time(pod.started),
        updated_at: time(pod.started),
    }
}

fn node(node: &NodeStatus) -> wire::Instance {
    let status = match node.state {
        NodeState::Provisioning => "provisioning",
        NodeState::Healthy => "healthy",
        NodeState::Degraded => "degraded",
        NodeState::Offline => "offline",
        NodeState::Unreachable => "unreachable",
        NodeState::Maintenance => "maintenance",
    };
    wire::Instance {
        id: node.uid.clone(),
        tag: node.name.clone(),
        kind: "node".to_owned(),
        role: if node.is_for_builds { "build" } else { "instance" }.to_owned(),
        service_id: None,
        deployment_id: None,
        release: None,
        process_type: None,
        address: node.address.clone(),
        region: node.region.clone(),
        status: status.to_owned(),
        version: node.version.clone(),
        os: node.os.clone(),
        arch: node.arch.clone(),
        cpu_count: node.cpu_count,
        memory_total_bytes: node.memory_total_bytes,
        started_at: time(node.created),
        created_at: time(node.created),
        updated_at: time(node.created),
    }
}

/// What an instance uses; what is not known is null. Source: `dployr-v1.md` §6.1.
pub(super) fn metrics(metrics: &InstanceMetrics, now: DateTime<Utc>) -> Value {
    let InstanceMetrics { instance, usage } = metrics;
    json!({
        "instance_id": instance.id(),
        "timestamp": time(now),
        "uptime_seconds": (now - instance.started()).num_seconds().max(0),
        "source": usage.source,
        "cpu": cpu(usage),
        "memory": memory(usage),
        "swap": swap(usage),
        "disks": usage.disks.iter().map(disk).collect::<Vec<_>>(),
        "processes": {"summary": processes(usage)},
        "network": {
            "rx_bytes": usage.network.map(|network| network.rx_bytes),
            "tx_bytes": usage.network.map(|network| network.tx_bytes),
        },
    })
}

fn cpu(usage: &PodUsage) -> Value {
    let idle = usage.cpu_user_percent.zip(usage.cpu_system_percent).zip(usage.cpu_count);
    let waiting = usage.cpu_iowait_percent.unwrap_or(0.0);
    let idle = idle.map(|((user, system), count)| (f64::from(count) * 100.0 - user - system - waiting).max(0.0));
    let load = usage
        .load_average
        .map(|[one, five, fifteen]| json!({"one_minute": one, "five_minute": five, "fifteen_minute": fifteen}));
    json!({
        "count": usage.cpu_count,
        "user_percent": usage.cpu_user_percent,
        "system_percent": usage.cpu_system_percent,
        "idle_percent": idle,
        "iowait_percent": usage.cpu_iowait_percent,
        "load_average": load,
        "usage_millicores": usage.cpu_millis,
        "limit_millicores": usage.cpu_limit_millis,
    })
}

fn memory(usage: &PodUsage) -> Value {
    let total = usage.memory_limit_bytes.or(usage.memory_total_bytes);
    let free = total.zip(usage.memory_bytes).map(|(total, used)| total.saturating_sub(used));
    json!({
        "total_bytes": total,
        "used_bytes": usage.memory_bytes,
        "free_bytes": free,
        "available_bytes": usage.memory_available_bytes,
        "buffer_cache_bytes": usage.memory_cache_bytes,
        "limit_bytes": usage.memory_limit_bytes,
    })
}

fn swap(usage: &PodUsage) -> Value {
    let used = usage.swap_total_bytes.zip(usage.swap_free_bytes).map(|(total, free)| total.saturating_sub(free));
    json!({
        "total_bytes": usage.swap_total_bytes,
        "used_bytes": used,
        "free_bytes": usage.swap_free_bytes,
        "available_bytes": usage.swap_free_bytes,
    })
}

fn processes(usage: &PodUsage) -> Value {
    let states = usage.processes.and_then(|counts| counts.states);
    json!({
        "total": usage.processes.map(|counts| counts.total),
        "running": states.map(|states| states.running),
        "sleeping": states.map(|states| states.sleeping),
        "stopped": states.map(|states| states.stopped),
        "zombie": states.map(|states| states.zombie),
    })
}

fn disk(disk: &DiskUsage) -> Value {
    let DiskUsage { filesystem, mount_point, total_bytes, used_bytes, available_bytes } = disk;
    json!({
        "filesystem": filesystem, "mount_point": mount_point, "total_bytes": total_bytes, "used_bytes": used_bytes,
        "available_bytes": available_bytes,
    })
}
