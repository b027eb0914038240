//! Images of versions, and how their containers are set up.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use slipway_store as store;
use slipway_team::DeploymentId;
use slipway_team::deployment::Status;

use super::project::project;
use super::version::{deploy, rolling, version};
use super::{expect, get, refusal, send, two_teams};
use crate::world::{Database, World, both};

/// Adds a registry and gives its identity.
pub async fn registry(world: &World) -> String {
    let body = json!({"name": "ours", "type": "unchecked", "details": {"url": "registry.example:5000"}});
    let reply = expect(world, "owner", "POST", "/api/acme/registries", body, 201).await;
    reply.json()["id"].as_str().unwrap().to_owned()
}

/// Adds images to a version and gives what was answered.
pub async fn add_images(world: &World, version: &str, registry: &str, names: &[&str]) -> Value {
    let body = json!([{"registryId": registry, "images": names}]);
    let reply = expect(world, "owner", "POST", &format!("{version}/images"), body, 201).await;
    assert_eq!(reply.header("location"), Some(format!("{version}/images").as_str()));
    reply.json()
}

/// The configuration of an image that was just added.
fn bare(name: &str) -> Value {
    json!({
        "name": name, "expose": "none", "user": -1, "tty": false, "restartPolicy": "no", "networkMode": "bridge",
        "deploymentStrategy": "recreate", "proxyHeaders": false, "useLoadBalancer": false, "environment": null,
        "secrets": null, "routing": null, "configContainer": null, "ports": null, "portRanges": null, "volumes": null,
        "commands": null, "args": null, "initContainers": null, "capabilities": null, "storage": null,
        "logConfig": null, "networks": null, "dockerLabels": null, "customHeaders": null, "extraLBAnnotations": null,
        "healthCheckConfig": null, "resourceConfig": null, "annotations": null, "labels": null,
    })
}

/// The images that the instances of a deployment are of.
async fn instances(world: &World, deployment: DeploymentId) -> BTreeSet<String> {
    let work = async |db: &mut store::Db| store::instances_by_deployments(db, &[deployment]).await;
    let found = world.kept().write(work).await.unwrap().remove(&deployment).unwrap_or_default();
    found.iter().map(|instance| instance.image.to_string()).collect()
}

async fn images(database: Database) {
    let world = two_teams(database).await;
    let one = rolling(&world, &project(&world, "shop", "versionless").await).await;
    let all = format!("{one}/images");
    let registry = registry(&world).await;
    assert_eq!(get(&world, "owner", &all).await.json(), json!([]));
    let digest = format!("tools/job@sha256:{}", "0a".repeat(32));
    let body = json!([
        {"registryId": registry, "images": ["web:1.2", "host.example:5000/team/My".to_lowercase()]},
        {"registryId": registry, "images": [digest], "more": true},
    ]);
    let made = expect(&world, "owner", "POST", &all, body, 201).await.json();
    let basic = json!({"id": registry, "name": "ours", "type": "unchecked"});
    let image = |number: usize, name: &str, tag: Value, container: &str| {
        json!({
            "id": made[number]["id"], "name": name, "tag": tag, "order": number, "config": bare(container),
            "createdAt": made[number]["createdAt"], "registry": basic,
        })
    };
    let expected = json!([
        image(0, "web", json!("1.2"), "web"),
        image(1, "host.example:5000/team/my", Value::Null, "my"),
        image(2, &digest, Value::Null, "job"),
    ]);
    assert_eq!(made, expected);
    assert_eq!(get(&world, "owner", &all).await.json(), made);
    assert_eq!(get(&world, "owner", &one).await.json()["images"], made);
    let id = |number: usize| made[number]["id"].as_str().unwrap().to_owned();
    assert_eq!(get(&world, "owner", &format!("{all}/{}", id(1))).await.json(), made[1]);
    let in_use = get(&world, "owner", &format!("/api/acme/registries/{registry}")).await.json();
    assert_eq!(in_use["inUse"], true);
    let path = format!("/api/acme/registries/{registry}");
    assert_eq!(refusal(&send(&world, "owner", "DELETE", &path, Value::Null).await), (412, "id".to_owned()));

    for (body, expected) in [
        (json!([{"registryId": registry, "images": ["A"]}]), (400, "images")),
        (json!([{"registryId": registry, "images": ["a:b:c"]}]), (400, "images")),
        (json!([{"registryId": registry, "images": [1]}]), (400, "images")),
        (json!([{"registryId": registry, "images": "web"}]), (400, "images")),
        (json!([{"registryId": registry}]), (400, "images")),
        (json!([{"images": ["web"]}]), (400, "registryId")),
        (json!([{"registryId": "x", "images": ["web"]}]), (400, "registryId")),
        (json!([{"registryId": 1, "images": ["web"]}]), (400, "registryId")),
        (json!(["web"]), (400, "body")),
        (json!({"registryId": registry, "images": ["web"]}), (400, "body")),
        (json!([{"registryId": one.rsplit('/').next().unwrap(), "images": ["web"]}]), (404, "registry")),
    ] {
        let reply = send(&world, "owner", "POST", &all, body.clone()).await;
        assert_eq!(refusal(&reply), (expected.0, expected.1.to_owned()), "{body}");
    }
    let theirs = get(&world, "other", "/api/rival/registries").await.json()[0]["id"].clone();
    let reply = send(&world, "owner", "POST", &all, json!([{"registryId": theirs, "images": ["web"]}])).await;
    assert_eq!(refusal(&reply), (404, "registry".to_owned()));
    let many = json!([{"registryId": registry, "images": vec!["web"; 998]}]);
    assert_eq!(refusal(&send(&world, "owner", "POST", &all, many).await), (400, "images".to_owned()));
    assert_eq!(get(&world, "owner", &all).await.json().as_array().unwrap().len(), 3, "all or nothing");

    // Order.
    let order = format!("{all}/order");
    let nobody = uuid::Uuid::from_u128(7).to_string();
    for (body, expected) in [
        (json!([id(0), id(1)]), (400, "body")),
        (json!([id(0), id(1), id(2), id(2)]), (400, "body")),
        (json!([id(0), id(1), id(1)]), (409, "body")),
        (json!([id(0), id(1), nobody]), (400, "imageIds")),
        (json!([id(0), id(1), "x"]), (400, "imageIds")),
        (json!({}), (400, "body")),
    ] {
        let reply = send(&world, "owner", "PUT", &order, body.clone()).await;
        assert_eq!(refusal(&reply), (expected.0, expected.1.to_owned()), "{body}");
        if body[2] == nobody.as_str() {
            assert_eq!(reply.json()["value"], json!([id(2)]));
        }
    }
    expect(&world, "owner", "PUT", &order, json!([id(2), id(0), id(1)]), 204).await;
    let list = get(&world, "owner", &all).await.json();
    let found: Vec<(Value, Value)> =
        list.as_array().unwrap().iter().map(|image| (image["id"].clone(), image["order"].clone())).collect();
    assert_eq!(found, [(json!(id(2)), json!(0)), (json!(id(0)), json!(1)), (json!(id(1)), json!(2))]);

    expect(&world, "owner", "DELETE", &format!("{all}/{}", id(2)), Value::Null, 204).await;
    let gone = format!("{all}/{}", id(2));
    for (method, body) in [("GET", Value::Null), ("DELETE", Value::Null), ("PATCH", json!({"tag": 1}))] {
        assert_eq!(refusal(&send(&world, "owner", method, &gone, body).await), (404, "image".to_owned()), "{method}");
    }
    let more = add_images(&world, &one, &registry, &["last"]).await;
    assert_eq!(more[0]["order"], 3, "after the last");
    let other = rolling(&world, &project(&world, "other", "versionless").await).await;
    let astray = format!("{other}/images/{}", id(0));
    assert_eq!(refusal(&get(&world, "owner", &astray).await), (404, "image".to_owned()));
    assert_eq!(refusal(&get(&world, "owner", &format!("{all}/x")).await), (400, "imageId".to_owned()));
}
both!(images, images_are_added_ordered_and_removed);

/// Point 7 of the contract's list.
async fn deployed(database: Database) {
    let world = two_teams(database).await;
    let one = rolling(&world, &project(&world, "shop", "versionless").await).await;
    let registry = registry(&world).await;
    let first = add_images(&world, &one, &registry, &["web"]).await[0]["id"].as_str().unwrap().to_owned();
    let deployments =
        [deploy(&world, &one, "prod", Status::Successful).await, deploy(&world, &one, "test", Status::Preparing).await];
    let made = add_images(&world, &one, &registry, &["worker", "cron"]).await;
    let all: BTreeSet<String> =
        [first.clone()].into_iter().chain((0..2).map(|n| made[n]["id"].as_str().unwrap().to_owned())).collect();
    for deployment in deployments {
        assert_eq!(instances(&world, deployment).await, all);
    }
    expect(&world, "owner", "DELETE", &format!("{one}/images/{first}"), Value::Null, 204).await;
    for deployment in deployments {
        let left: BTreeSet<String> = all.iter().filter(|id| **id != first).cloned().collect();
        assert_eq!(instances(&world, deployment).await, left);
    }
}
both!(deployed, instances_come_and_go_with_their_images);

/// Point 8 of the contract's list.
async fn configs(database: Database) {
    let world = two_teams(database).await;
    let one = rolling(&world, &project(&world, "shop", "versionless").await).await;
    let registry = registry(&world).await;
    let image = add_images(&world, &one, &registry, &["web:1"]).await[0]["id"].as_str().unwrap().to_owned();
    let image = format!("{one}/images/{image}");
    let body = json!({"name": "s3", "url": "s3.example.com"});
    let storage = expect(&world, "owner", "POST", "/api/acme/storages", body.clone(), 201).await.json()["id"].clone();
    let theirs = expect(&world, "other", "POST", "/api/rival/storages", body, 201).await.json()["id"].clone();
    let pair = |key: &str| json!([{"id": "i", "key": key, "value": "v"}]);
    let mut expected = bare("web");
    let change = json!({
        "name": "shop", "expose": "expose", "user": 1000, "tty": true, "environment": pair("A"),
        "secrets": [{"id": "s", "key": "PASSWORD", "required": true}],
        "routing": {"domain": "shop.example.com", "path": "/x", "stripPath": true, "uploadLimit": "8m"},
        "ports": [{"id": "p", "internal": 80, "external": null}],
        "volumes": [{"id": "v", "name": "data", "path": "/data", "size": "1G", "type": "rwo", "class": null}],
        "storage": {"storageId": storage, "path": "data", "bucket": "b/sub"},
        "labels": {"service": pair("s"), "deployment": pair("d"), "ingress": null},
    });
    expect(&world, "owner", "PATCH", &image, json!({"tag": "2", "config": change}), 204).await;
    for (member, value) in change.as_object().unwrap() {
        expected[member] = value.clone();
    }
    let kept = async || get(&world, "owner", &image).await.json();
    assert_eq!((&kept().await["tag"], &kept().await["config"]), (&json!("2"), &expected));
    let path = format!("/api/acme/storages/{}", storage.as_str().unwrap());
    assert_eq!(refusal(&send(&world, "owner", "DELETE", &path, Value::Null).await), (412, "id".to_owned()));

    // What is not named stays; groups of labels one by one; a storage without identity is none; null as it may be.
    for (patch, changed) in [
        (json!({"tag": null}), vec![]),
        (json!({"config": null}), vec![]),
        (json!({"config": {}}), vec![]),
        (json!({"config": {"capabilities": [{"id": "c", "key": "k", "value": "v"}], "unknown": 1}}), vec![]),
        (
            json!({"config": {"labels": {"service": pair("new")}}}),
            vec![("labels", json!({"service": pair("new"), "deployment": pair("d"), "ingress": null}))],
        ),
        (json!({"config": {"storage": {}}}), vec![("storage", Value::Null)]),
        (
            json!({"config": {"ports": [], "environment": null}}),
            vec![("ports", json!([])), ("environment", Value::Null)],
        ),
        (
            json!({"config": {"user": null, "tty": null, "proxyHeaders": null, "useLoadBalancer": null}}),
            vec![("user", json!(-1)), ("tty", json!(false))],
        ),
    ] {
        expect(&world, "owner", "PATCH", &image, patch.clone(), 204).await;
        for (member, value) in changed {
            expected[member] = value;
        }
        let found = kept().await;
        assert_eq!((&found["tag"], &found["config"]), (&json!("2"), &expected), "{patch}");
    }
    for (patch, property) in [
        (json!({"tag": ""}), "tag"),
        (json!({"tag": "a b"}), "tag"),
        (json!({"tag": 1}), "tag"),
        (json!({"config": "x"}), "config"),
        (json!({"config": {"name": null}}), "config.name"),
        (json!({"config": {"expose": null}}), "config.expose"),
        (json!({"config": {"restartPolicy": null}}), "config.restartPolicy"),
        (json!({"config": {"networkMode": "overlay"}}), "config.networkMode"),
        (json!({"config": {"deploymentStrategy": null}}), "config.deploymentStrategy"),
        (json!({"config": {"user": -2}}), "config.user"),
        (json!({"config": {"ports": [{"internal": 70000}]}}), "config.ports"),
        (json!({"config": {"environment": {"A": "1"}}}), "config.environment"),
        (json!({"config": {"storage": {"storageId": theirs}}}), "config.storage.storageId"),
        (json!({"config": {"storage": {"storageId": "../x"}}}), "config.storage.storageId"),
        (json!({"tag": "3", "config": {"tty": "yes"}}), "config.tty"),
    ] {
        let reply = send(&world, "owner", "PATCH", &image, patch.clone()).await;
        assert_eq!(refusal(&reply), (400, property.to_owned()), "{patch}: {reply:?}");
    }
    let found = kept().await;
    assert_eq!((&found["tag"], &found["config"]), (&json!("2"), &expected), "a refused patch changes nothing");

    let digest =
        add_images(&world, &one, &registry, &[&format!("job@sha256:{}", "0".repeat(64))]).await[0]["id"].clone();
    let digest = format!("{one}/images/{}", digest.as_str().unwrap());
    assert_eq!(refusal(&send(&world, "owner", "PATCH", &digest, json!({"tag": "1"})).await), (400, "tag".to_owned()));
}
both!(configs, configurations_merge_as_they_are_changed);

/// Point 18 of the contract's list, of versions and images.
async fn older(database: Database) {
    let world = two_teams(database).await;
    let registry = registry(&world).await;
    let body = json!({"name": "shop", "type": "complex"});
    let product = expect(&world, "owner", "POST", "/api/products", body, 201).await;
    let product = product.header("location").unwrap().to_owned();
    let reply = expect(
        &world,
        "owner",
        "POST",
        &format!("{product}/versions"),
        json!({"name": "1.0", "type": "incremental"}),
        201,
    )
    .await;
    let old = reply.header("location").unwrap().to_owned();
    assert!(old.starts_with(&format!("{product}/versions/")), "{old}");
    let new = old.replace("/api/products", "/api/acme/projects");
    let images = add_images(&world, &old, &registry, &["web"]).await;
    let image = format!("{old}/images/{}", images[0]["id"].as_str().unwrap());
    assert_eq!((&images[0]["config"]["ingress"], images[0]["config"].get("routing")), (&Value::Null, None));

    let newer = image.replace("/api/products", "/api/acme/projects");
    let patch = json!({"config": {"routing": {"path": "/x", "stripPath": true}}});
    expect(&world, "owner", "PATCH", &newer, patch, 204).await;
    let patch = json!({"config": {
        "ingress": {"name": "shop", "host": "example.com", "uploadLimit": "8m"}, "networkMode": "overlay",
    }});
    expect(&world, "owner", "PATCH", &image, patch, 204).await;
    let config = get(&world, "owner", &newer).await.json()["config"].clone();
    let routing = json!({"domain": "shop.example.com", "path": "/x", "stripPath": true, "uploadLimit": "8m"});
    assert_eq!((&config["routing"], &config["networkMode"]), (&routing, &json!("bridge")));
    let ingress = json!({"name": "shop", "host": "example.com", "uploadLimit": "8m"});
    for (path, at) in [(image.clone(), ""), (old.clone(), "/images/0"), (format!("{old}/images"), "/0")] {
        let answer = get(&world, "owner", &path).await.json();
        let image = answer.pointer(at).unwrap();
        assert_eq!((&image["config"]["ingress"], image["config"].get("routing")), (&ingress, None), "{path}");
    }
    expect(&world, "owner", "PATCH", &image, json!({"tag": "2", "config": {"tty": true}}), 204).await;
    let found = get(&world, "owner", &newer).await.json();
    assert_eq!(
        (&found["tag"], &found["config"]["tty"], &found["config"]["routing"]),
        (&json!("2"), &json!(true), &routing)
    );
    let bad = json!({"config": {"ingress": "x"}});
    assert_eq!(refusal(&send(&world, "owner", "PATCH", &image, bad).await), (400, "config.routing".to_owned()));
    expect(&world, "owner", "PATCH", &image, json!({"config": {"ingress": null}}), 204).await;
    assert_eq!(get(&world, "owner", &newer).await.json()["config"]["routing"], Value::Null);

    // The rest is the same call at another place.
    expect(&world, "owner", "PUT", &format!("{old}/images/order"), json!([images[0]["id"]]), 204).await;
    expect(&world, "owner", "PUT", &old, json!({"name": "1.1"}), 204).await;
    expect(&world, "owner", "PUT", &format!("{old}/default"), Value::Null, 204).await;
    let reply = expect(&world, "owner", "POST", &format!("{old}/increase"), json!({"name": "2.0"}), 201).await;
    let next = reply.header("location").unwrap().to_owned();
    let list = get(&world, "owner", &format!("{product}/versions?nameContains=2")).await.json();
    assert_eq!(list[0]["id"], reply.json()["id"]);
    assert_eq!(get(&world, "owner", &new).await.json()["increasable"], false);
    expect(&world, "owner", "DELETE", &next, Value::Null, 204).await;
    expect(&world, "owner", "DELETE", &image, Value::Null, 204).await;
    expect(&world, "owner", "DELETE", &old, Value::Null, 204).await;
    assert_eq!(get(&world, "owner", &product).await.json()["versions"], json!([]));
}
both!(older, the_older_generation_has_versions_and_images);

async fn statements(database: Database) {
    let world = two_teams(database).await;
    let registry = registry(&world).await;
    let shop = project(&world, "shop", "versioned").await;
    let one = version(&world, &shop, "0", "rolling").await;
    let paths = [
        "/api/acme/projects".to_owned(),
        shop.clone(),
        format!("{shop}/versions"),
        one.clone(),
        format!("{one}/images"),
    ];
    let cost = async |path: &str| {
        // The reconciler works now and then beside a request; of a few tries one is alone.
        let mut least = u64::MAX;
        for _ in 0..6 {
            let before = world.statements();
            expect(&world, "owner", "GET", path, Value::Null, 200).await;
            least = least.min(world.statements() - before);
        }
        least
    };
    let mut costs = Vec::new();
    for round in 0..2 {
        for number in 0..3 {
            let number = round * 3 + number;
            project(&world, &format!("p{number}"), "versionless").await;
            version(&world, &shop, &format!("v{number}"), "incremental").await;
            add_images(&world, &one, &registry, &["web"]).await;
            deploy(&world, &one, &format!("d{number}"), Status::Preparing).await;
        }
        let mut row = Vec::new();
        for path in &paths {
            row.push(cost(path).await);
        }
        costs.push(row);
    }
    assert_eq!(costs[0], costs[1], "{paths:?}");
    assert!(costs[0].iter().all(|cost| *cost <= 12), "{paths:?}: {costs:?}");
}
both!(statements, reading_costs_the_same_however_much_there_is);
