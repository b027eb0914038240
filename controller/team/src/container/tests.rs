use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::check::{Faults, config_check};
use super::config::MEMBERS;
use super::*;
use crate::{Error, Refusal};

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}

fn image(patch: Value) -> ImageConfig {
    ImageConfig::bare("web").patch(&map(patch)).unwrap()
}

fn refusal(error: Error) -> Refusal {
    match error {
        Error::Refused(refusal) => *refusal,
        Error::Core(error) => panic!("{error}"),
    }
}

/// Every member of the contract's table with a value that differs from its default.
fn full() -> Value {
    let pair = json!([{"id": "i1", "key": "k", "value": "v"}]);
    let key = json!([{"id": "i2", "key": "k"}]);
    let markers = json!({"service": pair, "deployment": pair, "ingress": pair});
    json!({
        "name": "shop", "environment": pair, "secrets": [{"id": "s", "key": "S", "required": true}],
        "routing": {"domain": "shop.example", "path": "/x", "stripPath": true, "uploadLimit": "8m"},
        "expose": "exposeWithTls", "user": 1000, "tty": true,
        "configContainer": {"image": "files:1", "volume": "data", "path": "/files", "keepFiles": true},
        "ports": [{"id": "p", "internal": 80, "external": 8080}],
        "portRanges": [{"id": "r", "internal": {"from": 9000, "to": 9002}, "external": {"from": 9000, "to": 9002}}],
        "volumes": [{"id": "v", "name": "data", "path": "/data", "size": "5Gi", "type": "rwx", "class": "fast"}],
        "commands": key, "args": key,
        "initContainers": [{"id": "n", "name": "first", "image": "init:1", "command": key, "args": key, "environment": pair,
            "useParentConfig": true, "volumes": [{"id": "l", "name": "data", "path": "/in"}]}],
        "capabilities": null,
        "storage": {"storageId": "st", "path": "data", "bucket": "b/sub"},
        "logConfig": {"driver": "json-file", "options": pair}, "restartPolicy": "unlessStopped", "networkMode": "host",
        "networks": key, "dockerLabels": pair, "deploymentStrategy": "rolling", "customHeaders": key, "proxyHeaders": true,
        "useLoadBalancer": true, "extraLBAnnotations": pair,
        "healthCheckConfig": {"port": 80, "livenessProbe": "/l", "readinessProbe": "/r", "startupProbe": "/s"},
        "resourceConfig": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "100m", "memory": "64Mi"}},
        "annotations": markers, "labels": markers,
    })
}

#[test]
fn what_goes_in_comes_out_with_every_member() {
    let config = image(full());
    assert_eq!(serde_json::to_value(&config).unwrap(), full());
    let again: ImageConfig = serde_json::from_value(full()).unwrap();
    assert_eq!(again, config);
    let bare = serde_json::to_value(ImageConfig::bare("web")).unwrap();
    let names: Vec<&str> = bare.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names.len(), MEMBERS.len());
    for member in MEMBERS {
        assert!(names.contains(member), "{member} is missing");
    }
    for (member, expected) in [
        ("name", json!("web")),
        ("expose", json!("none")),
        ("user", json!(-1)),
        ("tty", json!(false)),
        ("restartPolicy", json!("no")),
        ("networkMode", json!("bridge")),
        ("deploymentStrategy", json!("recreate")),
        ("environment", Value::Null),
        ("capabilities", Value::Null),
    ] {
        assert_eq!(bare[member], expected, "{member}");
    }
}

#[test]
fn an_item_without_an_id_gets_one_that_stays() {
    let config = image(json!({"environment": [{"key": "A", "value": "1"}, {"key": "B"}]}));
    let stored = serde_json::to_value(&config).unwrap();
    let id = stored["environment"][0]["id"].as_str().unwrap();
    assert_eq!(id.len(), 36);
    assert_ne!(stored["environment"][0]["id"], stored["environment"][1]["id"]);
    assert_eq!(stored["environment"][1]["value"], "");
    let read: ImageConfig = serde_json::from_value(stored.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), stored);
}

#[test]
fn a_patch_keeps_what_it_does_not_name() {
    let before = image(full());
    let pair = json!([{"id": "x", "key": "new", "value": "v"}]);
    let after = before.patch(&map(json!({"labels": {"service": pair}, "tty": false, "later": 1}))).unwrap();
    let mut expected = full();
    expected["labels"]["service"] = pair;
    expected["tty"] = json!(false);
    assert_eq!(serde_json::to_value(&after).unwrap(), expected);
}

#[test]
fn lists_are_replaced_whole_and_storage_without_an_id_is_cleared() {
    let config = image(full());
    let after = config.patch(&map(json!({"ports": [], "storage": {}, "environment": null}))).unwrap();
    assert_eq!(after.ports, Some(vec![]));
    assert_eq!(after.storage, None);
    assert_eq!(after.environment, None);
    assert_eq!(after.volumes, config.volumes);
}

#[test]
fn null_is_refused_where_an_image_always_has_a_value() {
    let config = image(full());
    for member in ["name", "expose", "restartPolicy", "networkMode", "deploymentStrategy"] {
        let error = refusal(config.patch(&map(json!({member: null}))).unwrap_err());
        assert_eq!(error.property, Some(format!("config.{member}")));
    }
    let after =
        config.patch(&map(json!({"user": null, "tty": null, "proxyHeaders": null, "useLoadBalancer": null}))).unwrap();
    assert_eq!(
        (after.user.uid(), after.tty, after.proxy_headers, after.use_load_balancer),
        (None, false, false, false)
    );
}

#[test]
fn a_member_of_another_form_is_named() {
    for (patch, member) in [
        (json!({"tty": "yes"}), "config.tty"),
        (json!({"user": -2}), "config.user"),
        (json!({"user": 2_147_483_648_u64}), "config.user"),
        (json!({"ports": [{"internal": 65_536}]}), "config.ports"),
        (json!({"ports": {}}), "config.ports"),
        (json!({"expose": "maybe"}), "config.expose"),
        (json!({"labels": {"service": 1}}), "config.labels.service"),
        (json!({"volumes": [{"name": "a", "path": "/a", "type": "secret"}]}), "config.volumes"),
    ] {
        let error = refusal(ImageConfig::bare("web").patch(&map(patch)).unwrap_err());
        assert_eq!(error.property.as_deref(), Some(member));
    }
}

#[test]
fn an_instance_overrides_and_goes_back() {
    let image = image(full());
    let instance = InstanceConfig::default()
        .patch(
            &image,
            &map(json!({"expose": "none", "user": 5, "environment": [{"id": "e", "key": "A", "value": "1"}]})),
        )
        .unwrap();
    let effective = Effective::of(&image, &instance);
    assert_eq!((effective.expose, effective.user.uid()), (Expose::None, Some(5)));
    assert_eq!(effective.environment.unwrap()[0].key, "A");
    assert_eq!(effective.ports, image.ports);
    let back = instance.patch(&image, &map(json!({"expose": null, "environment": null}))).unwrap();
    let effective = Effective::of(&image, &back);
    assert_eq!(effective.expose, Expose::Https);
    assert_eq!(effective.environment, image.environment);
}

#[test]
fn markers_of_an_instance_begin_as_the_images() {
    let image = image(full());
    let pair = json!([{"id": "x", "key": "new", "value": "v"}]);
    let instance = InstanceConfig::default().patch(&image, &map(json!({"labels": {"service": pair}}))).unwrap();
    let labels = instance.labels.unwrap();
    assert_eq!(labels.service.unwrap()[0].key, "new");
    assert_eq!(labels.deployment, image.labels.as_ref().unwrap().deployment);
}

#[test]
fn secrets_of_the_image_are_there_without_values() {
    let image = image(json!({"secrets": [{"id": "1", "key": "A", "required": true}, {"id": "2", "key": "B"}]}));
    let given = json!({"secrets": [{"id": "1", "key": "A", "required": true, "value": "x", "encrypted": true}]});
    let instance = InstanceConfig::default().patch(&image, &map(given)).unwrap();
    let keys = |secrets: &[part::SecretKeyValue]| -> Vec<(String, bool)> {
        secrets.iter().map(|secret| (secret.key.clone(), secret.is_set())).collect()
    };
    let expected = vec![("B".to_owned(), false), ("A".to_owned(), true)];
    assert_eq!(keys(instance.secrets.as_deref().unwrap()), expected);
    // From then on the list is replaced as it is given.
    let later = instance.patch(&image, &map(json!({"secrets": []}))).unwrap();
    assert_eq!(later.secrets, Some(vec![]));
    assert_eq!(keys(&Effective::of(&image, &later).secrets), [("A".to_owned(), false), ("B".to_owned(), false)]);
}

#[test]
fn a_value_in_clear_is_no_value_and_is_not_shown() {
    let secret: part::SecretKeyValue =
        serde_json::from_value(json!({"key": "A", "value": "hunter2", "encrypted": false})).unwrap();
    assert!(!secret.is_set());
    assert!(!format!("{secret:?}").contains("hunter2"));
}

#[test]
fn what_was_frozen_no_longer_follows_its_image() {
    let before = image(full());
    let instance = InstanceConfig::default().patch(&before, &map(json!({"tty": false}))).unwrap();
    let effective = Effective::of(&before, &instance);
    let frozen: InstanceConfig = serde_json::from_value(serde_json::to_value(effective.freeze()).unwrap()).unwrap();
    assert_eq!(Effective::of_frozen(&frozen, "other"), effective);
}

fn faults(patch: Value) -> Result<(), Error> {
    let config = Effective::of(&image(patch), &InstanceConfig::default());
    let mut faults = Faults::default();
    config_check("images.0.config", &config, &mut faults);
    faults.into_result()
}

#[test]
fn a_right_configuration_has_no_faults() {
    let mut config = full();
    config["customHeaders"] = json!([{"key": "X-Token"}]);
    config["capabilities"] = json!([{"key": "NET_ADMIN", "value": "x"}]);
    faults(config).unwrap();
    faults(json!({})).unwrap();
}

#[test]
fn each_fault_is_named_by_its_member() {
    let volume = json!([{"name": "data", "path": "/data"}]);
    for (patch, member) in [
        (json!({"name": "Web"}), "name"),
        (json!({"name": ""}), "name"),
        (json!({"name": "1a", "ports": [{"internal": 80}]}), "name"),
        (json!({"environment": [{"key": "A B", "value": ""}]}), "environment"),
        (json!({"environment": [{"key": "A", "value": ""}, {"key": "A", "value": "1"}]}), "environment"),
        (json!({"environment": [{"key": "", "value": ""}]}), "environment"),
        (json!({"environment": [{"key": "A", "value": "\u{0}"}]}), "environment"),
        (json!({"secrets": [{"key": "A"}, {"key": "A"}]}), "secrets"),
        (json!({"ports": [{"internal": 0}]}), "ports"),
        (json!({"ports": [{"internal": 80}, {"internal": 80}]}), "ports"),
        (
            json!({"ports": [{"internal": 80}],
                "portRanges": [{"internal": {"from": 70, "to": 90}, "external": {"from": 70, "to": 90}}]}),
            "ports",
        ),
        (json!({"portRanges": [{"internal": {"from": 9, "to": 5}, "external": {"from": 9, "to": 5}}]}), "portRanges"),
        (
            json!({"portRanges": [{"internal": {"from": 1, "to": 600}, "external": {"from": 1, "to": 600}}]}),
            "portRanges",
        ),
        (json!({"portRanges": [{"internal": {"from": 1, "to": 6}, "external": {"from": 1, "to": 7}}]}), "portRanges"),
        (json!({"expose": "expose"}), "ports"),
        (json!({"routing": {"domain": "a b"}}), "routing.domain"),
        (json!({"routing": {"path": "x"}}), "routing.path"),
        (json!({"routing": {"path": "/a;} evil {"}}), "routing.path"),
        (json!({"routing": {"uploadLimit": "8m; evil"}}), "routing.uploadLimit"),
        (json!({"volumes": [{"name": "a", "path": "a"}]}), "volumes"),
        (json!({"volumes": [{"name": "a", "path": "/"}]}), "volumes"),
        (json!({"volumes": [{"name": "a", "path": "/a/../b"}]}), "volumes"),
        (json!({"volumes": [{"name": "a", "path": "/a"}, {"name": "a", "path": "/b"}]}), "volumes"),
        (json!({"volumes": [{"name": "a", "path": "/a"}, {"name": "b", "path": "/a/"}]}), "volumes"),
        (json!({"volumes": [{"name": "a", "path": "/a", "size": "big"}]}), "volumes"),
        (json!({"configContainer": {"image": "a", "volume": "none", "path": "/a"}}), "configContainer.volume"),
        (
            json!({"volumes": volume, "configContainer": {"image": "A A", "volume": "data", "path": "/a"}}),
            "configContainer.image",
        ),
        (json!({"storage": {"storageId": "x"}}), "storage.bucket"),
        (json!({"storage": {"storageId": "x", "path": "none", "bucket": "b"}}), "storage.path"),
        (
            json!({"volumes": volume, "storage": {"storageId": "x", "path": "data", "bucket": "--config=/x"}}),
            "storage.bucket",
        ),
        (json!({"initContainers": [{"name": "import", "image": "a"}]}), "initContainers"),
        (
            json!({"initContainers": [{"name": "a", "image": "a", "volumes": [{"name": "no", "path": "/a"}]}]}),
            "initContainers",
        ),
        (json!({"healthCheckConfig": {"livenessProbe": "x", "port": 1}}), "healthCheckConfig.livenessProbe"),
        (json!({"healthCheckConfig": {"livenessProbe": "/x"}}), "healthCheckConfig.port"),
        (json!({"resourceConfig": {"limits": {"cpu": "lots"}}}), "resourceConfig.limits.cpu"),
        (json!({"resourceConfig": {"requests": {"memory": "-1"}}}), "resourceConfig.requests.memory"),
        (json!({"labels": {"deployment": [{"key": "a b", "value": ""}]}}), "labels.deployment"),
        (json!({"labels": {"service": [{"key": "a", "value": "a b"}]}}), "labels.service"),
        (json!({"annotations": {"ingress": [{"key": "/a", "value": ""}]}}), "annotations.ingress"),
        (json!({"customHeaders": [{"key": "a b"}]}), "customHeaders"),
    ] {
        let error = refusal(faults(patch.clone()).expect_err(&patch.to_string()));
        assert_eq!(error.property, Some(format!("images.0.config.{member}")), "{patch}: {}", error.message);
        assert!(error.value.is_some_and(|value| value.is_array()));
    }
}

proptest! {
    /// A patch of any members in any order is the same as one after the other, and reading what was written changes
    /// nothing.
    #[test]
    fn patches_of_different_members_do_not_disturb_each_other(picks in prop::collection::btree_set(0..MEMBERS.len(), 0..8)) {
        let full = map(full());
        let chosen: Map<String, Value> =
            picks.iter().map(|pick| (MEMBERS[*pick].to_owned(), full[MEMBERS[*pick]].clone())).collect();
        let at_once = ImageConfig::bare("web").patch(&chosen).unwrap();
        let mut one_by_one = ImageConfig::bare("web");
        for (member, value) in chosen.into_iter().rev() {
            one_by_one = one_by_one.patch(&Map::from_iter([(member, value)])).unwrap();
        }
        prop_assert_eq!(&at_once, &one_by_one);
        let read: ImageConfig = serde_json::from_value(serde_json::to_value(&at_once).unwrap()).unwrap();
        prop_assert_eq!(read, at_once);
    }
}
