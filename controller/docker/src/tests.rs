//! What engines are asked to make, and what is made of what they tell.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use slipway_core::config::SecretText;
use slipway_engine::testing::{self, key};
use slipway_engine::workload::{ContainerState, StorageAccess, WorkloadSpec};

use crate::answer::{Inspected, Listed};
use crate::plan::plan;
use crate::progress::{Stand, container, stand};
use crate::settings::DockerSettings;

fn spec(config: Value) -> WorkloadSpec {
    testing::container("shop", config)
}

fn everything() -> WorkloadSpec {
    let pair = |key: &str, value: &str| json!({"id": "i", "key": key, "value": value});
    let config = testing::everything(json!({
        "environment": [pair("BOTH", "container"), pair("ALL", "container")],
        "logConfig": {"driver": "json-file", "options": [pair("max-size", "1m")]}, "restartPolicy": "onFailure",
        "networks": key("backend"),
        "dockerLabels": [pair("org.dyrectorio.secret.keys", "theirs"), pair("slipway.io/team", "not theirs")],
        "healthCheckConfig": {"livenessProbe": "/l"},
    }));
    WorkloadSpec {
        environment: BTreeMap::from(["ONE", "BOTH", "ALL"].map(|name| (name.to_owned(), "deployment".to_owned()))),
        secrets: BTreeMap::from([("ALL".to_owned(), SecretText::new("geheim"))]),
        storage: Some(StorageAccess {
            endpoint: "https://s3.example".to_owned(),
            credentials: Some(("id".to_owned(), SecretText::new("geheim"))),
        }),
        ..spec(config)
    }
}

#[test]
fn a_container_with_everything() {
    let plan = plan(&everything(), &DockerSettings::default()).unwrap();
    let named = |creation: &crate::plan::Creation| json!({"name": creation.name, "body": creation.body});
    let volumes: Vec<(&str, bool)> =
        plan.volumes.iter().map(|volume| (volume.name.as_str(), volume.is_temporary)).collect();
    // Maps of the engine's documents have no order; those of JSON do.
    let all = json!({
        "main": named(&plan.main), "init": plan.init.iter().map(named).collect::<Vec<_>>(), "volumes": volumes,
        "networks": plan.networks.named,
    });
    insta::assert_json_snapshot!(all);
    assert!(!format!("{plan:?}").contains("geheim"));
}

#[test]
fn a_bare_container() {
    let plan = plan(&spec(json!({})), &DockerSettings::default()).unwrap();
    insta::assert_json_snapshot!(serde_json::to_value(&plan.main.body).unwrap());
    assert!(plan.init.is_empty() && plan.volumes.is_empty() && plan.networks.named.is_empty());
}

#[test]
fn secrets_are_in_variables_only() {
    let plan = plan(&everything(), &DockerSettings::default()).unwrap();
    for creation in plan.init.iter().chain([&plan.main]) {
        let mut body = creation.body.clone();
        body.env = None;
        assert!(!serde_json::to_string(&body).unwrap().contains("geheim"), "{}", creation.name);
    }
    assert_eq!(plan.main.body.env.unwrap(), ["ALL=geheim", "BOTH=container", "ONE=deployment"]);
}

#[test]
fn networks_follow_the_mode() {
    for (config, mode, has_ports) in [
        (json!({}), "bridge", true),
        (json!({"networkMode": "host", "networks": key("a")}), "host", false),
        (json!({"networkMode": "none"}), "none", false),
        (json!({"networks": key("a")}), "a", true),
    ] {
        let mut config = config;
        config["ports"] = json!([{"internal": 80, "external": 8080}]);
        let plan = plan(&spec(config.clone()), &DockerSettings::default()).unwrap();
        let host = plan.main.body.host_config.unwrap();
        assert_eq!(host.network_mode.as_deref(), Some(mode), "{config}");
        assert_eq!(host.port_bindings.is_some(), has_ports, "{config}");
    }
}

#[test]
fn what_cannot_be_had_is_refused_with_the_reason() {
    let port = json!([{"internal": 80}]);
    for (config, reason) in [
        (json!({"expose": "expose", "ports": port}), "neither it nor the node has a domain"),
        (json!({"expose": "expose", "routing": {"domain": "a.example"}}), "has no port"),
        (json!({"expose": "expose", "ports": port, "routing": {"domain": "*.example"}}), "is not one host"),
        (json!({"expose": "expose", "ports": port, "routing": {"domain": "a`) || Host(`b"}}), "is not one host"),
        (
            json!({"expose": "expose", "ports": port, "routing": {"domain": "a.example", "path": "/`"}}),
            "is not the path",
        ),
        (json!({"volumes": [{"name": "/etc", "path": "/etc"}]}), "directories of the node itself cannot be mounted"),
        (json!({"networks": key("container:x")}), "is not the name of a network"),
        (json!({"networks": key("host")}), "is not the name of a network"),
        (json!({"environment": [{"key": "A=B", "value": ""}]}), "is not the name of a variable"),
        (json!({"environment": [{"key": "A", "value": "\u{0}"}]}), "has a NUL"),
        (json!({"name": "x".repeat(60)}), "is not a host name"),
        (json!({"name": "../x"}), "is not a host name"),
        (
            json!({"volumes": [{"name": "m", "path": "/m", "type": "mem"}],
                "configContainer": {"image": "a", "volume": "m", "path": "/a"}}),
            "it is in memory",
        ),
    ] {
        let refusal = plan(&spec(config.clone()), &DockerSettings::default()).unwrap_err();
        assert!(refusal.0.contains(reason), "{config}: {refusal}");
    }
}

#[test]
fn a_root_domain_makes_a_name() {
    let settings = DockerSettings { root_domain: Some("apps.example".to_owned()), ..DockerSettings::default() };
    let config = json!({"expose": "expose", "ports": [{"internal": 80}]});
    let labels = plan(&spec(config), &settings).unwrap().main.body.labels.unwrap();
    assert_eq!(labels["traefik.http.routers.prod-shop.rule"], "Host(`shop.prod.apps.example`) && PathPrefix(`/`)");
    assert!(!labels.contains_key("traefik.http.routers.prod-shop-secure.rule"));
}

#[test]
fn a_container_stands_where_the_engine_says() {
    let now = "2026-01-01T00:01:00Z".parse().unwrap();
    let inspected = |state: Value, restarts: i64, policy: &str| -> Inspected {
        let host = json!({"RestartPolicy": {"Name": policy}});
        serde_json::from_value(json!({"State": state, "RestartCount": restarts, "HostConfig": host})).unwrap()
    };
    let coming = |state: ContainerState, reason: &str| Stand::Coming(state, reason.to_owned());
    let stuck = |reason: &str| Stand::Stuck(reason.to_owned());
    let at = |time: &str| json!({"Status": "running", "StartedAt": time});
    let ended = |code: i64| json!({"Status": "exited", "ExitCode": code});
    for (state, restarts, policy, expect) in [
        (at("2026-01-01T00:00:50Z"), 0, "no", Stand::Up),
        (at("2026-01-01T00:00:59Z"), 0, "no", coming(ContainerState::Running, "Started")),
        // The engine's clock is ahead of ours.
        (at("2026-01-01T01:00:00Z"), 0, "no", Stand::Up),
        (at("2026-01-01T00:00:59Z"), 3, "always", stuck("the container keeps ending with exit code 0")),
        (ended(0), 0, "no", Stand::Up),
        (ended(0), 0, "always", coming(ContainerState::Waiting, "the container ended with exit code 0")),
        (ended(3), 0, "no", stuck("the container ended with exit code 3")),
        (
            json!({"Status": "exited", "ExitCode": 137, "OOMKilled": true}),
            0,
            "no",
            stuck("the container ended with exit code 137, out of memory"),
        ),
        (json!({"Status": "restarting", "ExitCode": 1}), 1, "always", coming(ContainerState::Waiting, "restarting")),
        (
            json!({"Status": "restarting", "ExitCode": 1}),
            5,
            "always",
            stuck("the container keeps ending with exit code 1"),
        ),
        (json!({"Status": "created"}), 0, "no", coming(ContainerState::Waiting, "created")),
        (json!({"Status": "created", "Error": "no such\nfile"}), 0, "no", stuck("no such file")),
        (json!(null), 0, "no", coming(ContainerState::Waiting, "")),
    ] {
        assert_eq!(stand(&inspected(state.clone(), restarts, policy), now), expect, "{state}");
    }
}

#[test]
fn a_container_is_listed_as_its_labels_say_and_only_in_its_place() {
    let listed = |change: Value| -> Option<_> {
        let mut one = json!({
            "Id": "1", "Names": ["/prod-shop"], "Image": "registry.example:5000/shop:1", "Command": "run --fast",
            "Created": 1_767_225_600, "State": "running", "Status": "Up 2 minutes",
            "Ports": [{"PrivatePort": 80, "PublicPort": 8080, "IP": "::"}, {"PrivatePort": 80, "PublicPort": 8080},
                {"PrivatePort": 9000}],
            "Labels": {"slipway.io/prefix": "prod", "slipway.io/container": "shop", "slipway.io/role": "main"},
        });
        for (name, value) in change.as_object().unwrap() {
            one[name] = value.clone();
        }
        container(&serde_json::from_value::<Listed>(one).unwrap())
    };
    let one = listed(json!({})).unwrap();
    assert_eq!((one.prefix.as_str(), one.name.as_str(), one.state), ("prod", "shop", ContainerState::Running));
    assert_eq!((one.image_name.as_str(), one.image_tag.as_str()), ("registry.example:5000/shop", "1"));
    assert_eq!(one.ports, [(80, Some(8080)), (9000, None)]);
    assert_eq!(one.created_at.to_rfc3339(), "2026-01-01T00:00:00+00:00");
    let words =
        listed(json!({"Command": ["run", "--fast"], "Created": "2026-01-01T00:00:00Z", "Ports": null})).unwrap();
    assert_eq!((words.command, words.created_at, words.ports.len()), (one.command, one.created_at, 0));
    assert_eq!(listed(json!({"State": "paused"})).unwrap().state, ContainerState::Waiting);
    assert_eq!(listed(json!({"Names": ["/prod-shop.next"]})), None);
    assert_eq!(listed(json!({"Labels": null})), None);
    assert!(listed(json!({"Command": null, "Created": null, "Image": null})).is_some());
}
