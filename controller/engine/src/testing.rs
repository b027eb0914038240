//! Containers of teams, for the tests of what runs them.

#![expect(clippy::unwrap_used, reason = "only tests use this, and what they give is good")]

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use slipway_team::container::{Effective, ImageConfig, InstanceConfig};
use slipway_team::{DeploymentId, InstanceId, ProjectId, TeamId, VersionId};

use crate::workload::{Ownership, WorkloadSpec};

/// An owner that nothing else has.
pub fn ownership() -> Ownership {
    Ownership {
        team: TeamId::generate(),
        project: ProjectId::generate(),
        version: VersionId::generate(),
        deployment: DeploymentId::generate(),
        instance: InstanceId::generate(),
    }
}

/// The container `name` with a configuration, as patches of one are written. Everything else is the same whenever this is
/// called: identities that end in 1 to 5, the prefix `prod`, the image `registry.example/shop:1`, no variables.
///
/// # Panics
/// When it is no configuration.
pub fn container(name: &str, config: Value) -> WorkloadSpec {
    let id = |last: u8| format!("00000000-0000-4000-8000-0000000000{last:02}");
    let patch: Map<String, Value> = serde_json::from_value(config).unwrap();
    let image = ImageConfig::bare(name).patch(&patch).unwrap();
    WorkloadSpec {
        ownership: Ownership {
            team: id(1).parse().unwrap(),
            project: id(2).parse().unwrap(),
            version: id(3).parse().unwrap(),
            deployment: id(4).parse().unwrap(),
            instance: id(5).parse().unwrap(),
        },
        prefix: "prod".to_owned(),
        config: Effective::of(&image, &InstanceConfig::default()),
        image: "registry.example/shop:1".to_owned(),
        registry: None,
        environment: BTreeMap::new(),
        secrets: BTreeMap::new(),
        storage: None,
        started_at: "2026-01-02T03:04:05.678Z".parse().unwrap(),
    }
}

/// A list with one key.
pub fn key(key: &str) -> Value {
    json!([{"id": "i", "key": key}])
}

/// A list with one pair.
pub fn pair(key: &str, value: &str) -> Value {
    json!([{"id": "i", "key": key, "value": value}])
}

/// A configuration in which everything is set that clusters and container engines alike know, and then what `more` sets.
///
/// # Panics
/// When `more` is no object.
pub fn everything(more: Value) -> Value {
    let mut config = json!({
        "user": 1000, "tty": true, "expose": "exposeWithTls",
        "routing": {"domain": "shop.example", "path": "/x", "stripPath": true, "uploadLimit": "8m"},
        "configContainer": {"image": "files:1", "volume": "data", "path": "/files", "keepFiles": false},
        "ports": [{"id": "p", "internal": 80, "external": 8080}, {"id": "q", "internal": 9000}],
        "portRanges": [{"id": "r", "internal": {"from": 100, "to": 102}, "external": {"from": 200, "to": 202}}],
        "volumes": [
            {"id": "1", "name": "data", "path": "/data", "size": "5Gi", "type": "rwx", "class": "fast"},
            {"id": "2", "name": "pics", "path": "/pics", "type": "ro"}, {"id": "3", "name": "one", "path": "/one"},
            {"id": "4", "name": "tmp", "path": "/tmp", "type": "tmp", "size": "1Gi"},
            {"id": "5", "name": "mem", "path": "/mem", "type": "mem", "size": "64Mi"},
        ],
        "commands": key("run"), "args": key("--fast"),
        "initContainers": [{"id": "n", "name": "first", "image": "init:1", "command": key("go"), "args": key("on"),
            "environment": pair("A", "1"), "useParentConfig": true,
            "volumes": [{"id": "l", "name": "data", "path": "/in"}]}],
        "storage": {"storageId": "st", "path": "data", "bucket": "b/sub"},
        "useLoadBalancer": true,
    });
    let more: Map<String, Value> = serde_json::from_value(more).unwrap();
    config.as_object_mut().unwrap().extend(more);
    config
}
