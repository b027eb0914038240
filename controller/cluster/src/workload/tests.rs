//! What is written for containers of teams, and what is made of what the cluster tells.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};
use slipway_core::config::SecretText;
use slipway_engine::RegistryLogin;
use slipway_engine::testing::{self, key, pair};
use slipway_engine::workload::{ContainerState, StorageAccess, WorkloadSpec};

use super::objects::{Item, LABEL_MANAGED_BY, LABEL_SELECTOR, WorkloadSettings, leftovers, objects};
use super::progress::{Stand, container, stand};

fn spec(config: Value) -> WorkloadSpec {
    testing::container("shop", config)
}

fn everything() -> WorkloadSpec {
    let markers = |group: &str| {
        json!({
            "service": pair("example.com/service", group), "deployment": pair("app", group),
            "ingress": pair("example.com/ingress", group),
        })
    };
    let mut config = testing::everything(json!({
        "environment": pair("MODE", "shop"),
        "deploymentStrategy": "rolling", "customHeaders": key("X-Token"), "proxyHeaders": true,
        "extraLBAnnotations": pair("example.com/lb", "internal"),
        "healthCheckConfig": {"livenessProbe": "/l", "readinessProbe": "/r", "startupProbe": "/s"},
        "resourceConfig": {"limits": {"cpu": "0", "memory": "1Gi"}, "requests": {"cpu": "10m"}},
        "annotations": markers("a"), "labels": markers("l"),
    }));
    // What is in memory takes a usual size.
    config["volumes"][4]["size"] = Value::Null;
    WorkloadSpec {
        registry: Some(RegistryLogin {
            hostname: None,
            username: "ada".to_owned(),
            password: SecretText::new("hunter2"),
        }),
        environment: [("STAGE".to_owned(), "prod".to_owned())].into(),
        secrets: [("TOKEN".to_owned(), SecretText::new("hunter3"))].into(),
        storage: Some(StorageAccess {
            endpoint: "https://s3.example".to_owned(),
            credentials: Some(("key".to_owned(), SecretText::new("hunter4"))),
        }),
        ..spec(config)
    }
}

fn rendered(spec: &WorkloadSpec) -> Vec<Item> {
    objects(spec, &WorkloadSettings::default()).unwrap()
}

fn readable(items: &[Item]) -> BTreeMap<String, Value> {
    let entry =
        |(at, item): (usize, &Item)| (format!("{at:02} {} {}", item.resource.kind, item.name), item.body.clone());
    items.iter().enumerate().map(entry).collect()
}

fn of<'a>(items: &'a [Item], kind: &str) -> &'a Value {
    &items.iter().find(|item| item.resource.kind == kind).unwrap().body
}

#[test]
fn a_container_with_everything() {
    insta::assert_json_snapshot!(readable(&rendered(&everything())));
}

#[test]
fn a_bare_container() {
    insta::assert_json_snapshot!(readable(&rendered(&spec(json!({})))));
}

#[test]
fn the_selector_is_the_name_whatever_labels_say() {
    let items = rendered(&everything());
    let deployment = of(&items, "Deployment");
    for path in ["/spec/selector/matchLabels/app", "/spec/template/metadata/labels/app", "/metadata/labels/app"] {
        assert_eq!(deployment.pointer(path), Some(&json!("shop")), "{path}");
    }
    assert_eq!(of(&items, "Service").pointer("/spec/selector"), Some(&json!({LABEL_SELECTOR: "shop"})));
}

#[test]
fn everything_is_marked_as_ours() {
    for item in rendered(&everything()) {
        assert_eq!(item.body["metadata"]["labels"][LABEL_MANAGED_BY], "slipway", "{item:?}");
    }
}

#[test]
fn a_host_is_the_domain_or_made_of_names() {
    let host = |domain: Value, root: Option<&str>| {
        let exposed = spec(json!({"expose": "expose", "ports": [{"internal": 80}], "routing": {"domain": domain}}));
        let settings = WorkloadSettings { root_domain: root.map(str::to_owned), ..WorkloadSettings::default() };
        objects(&exposed, &settings).map(|items| of(&items, "Ingress")["spec"]["rules"][0]["host"].clone())
    };
    assert_eq!(host(json!("shop.example"), None), Ok(json!("shop.example")));
    assert_eq!(host(json!("localhost"), None), Ok(json!("shop.prod.localhost")));
    assert_eq!(host(Value::Null, Some("apps.example")), Ok(json!("shop.prod.apps.example")));
    let none = host(Value::Null, None).unwrap_err();
    assert!(none.to_string().contains("has a domain"), "{none}");
}

#[test]
fn what_is_not_wanted_any_more_is_left_over() {
    let bare = spec(json!({}));
    let gone: Vec<String> = leftovers(&bare, &rendered(&bare))
        .into_iter()
        .map(|(resource, name)| format!("{} {name}", resource.kind))
        .collect();
    let expected = ["ConfigMap shop", "Service shop", "Secret shop-reg", "Secret shop-import", "Ingress shop"];
    assert_eq!(gone, expected);
    let full = everything();
    assert_eq!(leftovers(&full, &rendered(&full)), []);
}

#[test]
fn secrets_do_not_show() {
    let full = everything();
    let shown = format!("{full:?} {:?}", rendered(&full));
    for secret in ["hunter", "aHVudGVy"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    let deployment = of(&rendered(&full), "Deployment").to_string();
    assert!(!deployment.contains("hunter"), "{deployment}");
}

/// Against the schemas that are published for a current Kubernetes, and with unknown fields refused.
#[test]
#[ignore = "installs the schemas from PyPI; `make test-cluster` runs it"]
fn every_object_is_valid() {
    let mut all = rendered(&everything());
    all.extend(rendered(&spec(json!({"expose": "expose", "ports": [{"internal": 80}], "routing": {"domain": "a.b"}}))));
    let text: Vec<String> = all.iter().map(|item| item.body.to_string()).collect();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/support/kubernetes-validate");
    let mut child = Command::new(script).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.join("\n---\n").as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

fn deployment(status: &Value) -> Deployment {
    let annotations = json!({"slipway.io/restarted-at": "now"});
    serde_json::from_value(json!({
        "metadata": {"name": "shop", "namespace": "prod", "generation": 2, "creationTimestamp": "2026-01-02T03:04:05Z"},
        "spec": {
            "replicas": 1, "selector": {},
            "template": {
                "metadata": {"annotations": annotations},
                "spec": {"containers": [{"name": "shop", "image": "registry.example:5000/shop:1", "command": ["a", "b"]}]},
            },
        },
        "status": status,
    }))
    .unwrap()
}

fn pod(stamp: &str, state: &Value) -> Pod {
    serde_json::from_value(json!({
        "metadata": {"name": "shop-1", "namespace": "prod", "annotations": {"slipway.io/restarted-at": stamp}},
        "status": {"phase": "Pending", "containerStatuses": [
            {"name": "shop", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": state}]},
    }))
    .unwrap()
}

#[test]
fn a_container_is_up_when_nothing_older_is_left() {
    let up = json!({"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1});
    assert_eq!(stand(&deployment(&up), &[]), Stand::Up);
    for (member, value) in
        [("observedGeneration", 1), ("replicas", 2), ("updatedReplicas", 0), ("availableReplicas", 0)]
    {
        let mut status = up.clone();
        status[member] = json!(value);
        assert_eq!(stand(&deployment(&status), &[]), Stand::Coming(ContainerState::Waiting, String::new()), "{member}");
    }
}

#[test]
fn what_will_not_come_up_is_told_and_the_old_does_not_count() {
    let status = json!({"observedGeneration": 2, "replicas": 1});
    let stuck = json!({"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}});
    let expected =
        Stand::Stuck { reason: "ImagePullBackOff: no such image".to_owned(), pod: Some("shop-1".to_owned()) };
    assert_eq!(stand(&deployment(&status), &[pod("now", &stuck)]), expected);
    let old = stand(&deployment(&status), &[pod("before", &stuck)]);
    assert_eq!(old, Stand::Coming(ContainerState::Waiting, String::new()));
    let pulling = json!({"waiting": {"reason": "ContainerCreating"}});
    let coming = Stand::Coming(ContainerState::Waiting, "ContainerCreating".to_owned());
    assert_eq!(stand(&deployment(&status), &[pod("now", &pulling)]), coming);
    let late = json!({"observedGeneration": 2, "conditions": [
        {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "too late"}]});
    assert_eq!(stand(&deployment(&late), &[]), Stand::Stuck { reason: "too late".to_owned(), pod: None });
}

#[test]
fn a_deployment_is_listed_as_a_container() {
    let listed = container(&deployment(&json!({})), &[pod("now", &json!({"running": {}}))], None);
    assert_eq!((listed.prefix.as_str(), listed.name.as_str(), listed.command.as_str()), ("prod", "shop", "a b"));
    assert_eq!((listed.image_name.as_str(), listed.image_tag.as_str()), ("registry.example:5000/shop", "1"));
    assert_eq!((listed.state, listed.reason.as_str()), (ContainerState::Running, "Started"));
    assert_eq!(listed.created_at.to_rfc3339(), "2026-01-02T03:04:05+00:00");
    let none = container(&deployment(&json!({})), &[], None);
    assert_eq!(none.state, ContainerState::Exited);
    let mut stopped = deployment(&json!({}));
    stopped.spec.as_mut().unwrap().replicas = Some(0);
    let stopped = container(&stopped, &[pod("now", &json!({"running": {}}))], None);
    assert_eq!((stopped.state, stopped.reason.as_str()), (ContainerState::Exited, "Stopped"));
    let waiting =
        container(&deployment(&json!({})), &[pod("now", &json!({"waiting": {"reason": "CrashLoopBackOff"}}))], None);
    assert_eq!((waiting.state, waiting.reason.as_str()), (ContainerState::Waiting, "CrashLoopBackOff"));
}
