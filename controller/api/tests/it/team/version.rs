//! Versions of projects: what they begin with, and what may be done with them.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use slipway_core::Username;
use slipway_store as store;
use slipway_store::StoreError;
use slipway_team::container::InstanceConfig;
use slipway_team::deployment::{Deployment, Instance, Status};
use slipway_team::{DeploymentId, InstanceId, Stamp, TeamId, VersionId};

use super::image::{add_images, registry};
use super::project::project;
use super::{expect, get, refusal, send, two_teams};
use crate::world::{Database, World, both};

/// Makes a version and gives its path.
pub async fn version(world: &World, project: &str, name: &str, kind: &str) -> String {
    let body = json!({"name": name, "type": kind});
    let reply = expect(world, "owner", "POST", &format!("{project}/versions"), body, 201).await;
    reply.header("location").unwrap().to_owned()
}

/// The path of the one version of a versionless project.
pub async fn rolling(world: &World, project: &str) -> String {
    let details = get(world, "owner", project).await.json();
    format!("{project}/versions/{}", details["versions"][0]["id"].as_str().unwrap())
}

/// Puts a deployment of a version where it says, without anybody who would carry it out, and with an environment and a
/// secret in each instance.
pub async fn deploy(world: &World, version: &str, prefix: &str, status: Status) -> DeploymentId {
    let version: VersionId = version.rsplit('/').next().unwrap().parse().unwrap();
    let teams = get(world, "owner", "/api/teams").await.json();
    let team: TeamId = teams[0]["id"].as_str().unwrap().parse().unwrap();
    let now = world.service.now();
    let config: InstanceConfig = serde_json::from_value(json!({
        "environment": [{"id": "e", "key": "A", "value": "of the instance"}],
        "secrets": [{"id": "s", "key": "S", "required": true, "value": "sealed", "encrypted": true, "publicKey": "p"}],
    }))
    .unwrap();
    let work = async |db: &mut store::Db| -> Result<DeploymentId, StoreError> {
        let owner = store::user_by_name(db, &Username::new("owner").unwrap()).await?.expect("the owner").id;
        let stamp = Stamp::new(owner, now);
        let node = store::nodes_list(db, team).await?.into_iter().next().expect("the platform's own").id;
        let deployment = Deployment {
            id: DeploymentId::generate(),
            team,
            version,
            node,
            prefix: prefix.to_owned(),
            note: Some(format!("to {prefix}")),
            status,
            tries: 3,
            environment: serde_json::from_value(json!([{"id": "1", "key": "STAGE", "value": prefix}])).unwrap(),
            stamp,
        };
        store::deployment_insert(db, &deployment).await?;
        for image in store::images_by_versions(db, &[version]).await?.remove(&version).unwrap_or_default() {
            let (id, deployment) = (InstanceId::generate(), deployment.id);
            let config = Some(config.clone());
            store::instance_insert(db, &Instance { id, deployment, image: image.id, config, updated: now }).await?;
        }
        Ok(deployment.id)
    };
    world.kept().write(work).await.unwrap()
}

/// Moves a deployment.
async fn stand(world: &World, id: DeploymentId, from: Status, to: Status) {
    let now = world.service.now();
    let work = async |db: &mut store::Db| store::deployment_move(db, id, (from, 3), (to, 3), now).await;
    assert!(world.kept().write(work).await.unwrap());
}

/// The deployments of a version as they are kept, with their instances.
async fn kept(world: &World, version: &str) -> Vec<(Deployment, Vec<Instance>)> {
    let version: VersionId = version.rsplit('/').next().unwrap().parse().unwrap();
    let work = async |db: &mut store::Db| -> Result<_, StoreError> {
        let deployments = store::deployments_by_versions(db, &[version]).await?.remove(&version).unwrap_or_default();
        let ids: Vec<DeploymentId> = deployments.iter().map(|deployment| deployment.id).collect();
        let mut instances = store::instances_by_deployments(db, &ids).await?;
        let with = |deployment: Deployment| {
            let instances = instances.remove(&deployment.id).unwrap_or_default();
            (deployment, instances)
        };
        Ok(deployments.into_iter().map(with).collect())
    };
    world.kept().write(work).await.unwrap()
}

/// `(increasable, mutable, deletable, default)` of a version.
async fn flags(world: &World, version: &str) -> (bool, bool, bool, bool) {
    let details = get(world, "owner", version).await.json();
    let flag = |name: &str| details[name].as_bool().unwrap();
    (flag("increasable"), flag("mutable"), flag("deletable"), flag("default"))
}

/// Point 5 of the contract's list.
async fn versionless(database: Database) {
    let world = two_teams(database).await;
    let shop = project(&world, "shop", "versionless").await;
    let details = get(&world, "owner", &shop).await.json();
    let versions = details["versions"].as_array().unwrap();
    assert_eq!(versions.len(), 1);
    let rolling = versions[0].clone();
    assert_eq!(
        (&rolling["name"], &rolling["type"], &rolling["default"]),
        (&json!("rolling"), &json!("rolling"), &json!(true))
    );
    let one = format!("{shop}/versions/{}", rolling["id"].as_str().unwrap());
    let body = json!({"name": "1.0", "type": "incremental"});
    for (method, path, body, expected) in [
        ("POST", format!("{shop}/versions"), body.clone(), (412, "projectId")),
        ("PUT", one.clone(), json!({"name": "other"}), (412, "id")),
        ("DELETE", one.clone(), Value::Null, (412, "versionId")),
        ("POST", format!("{one}/increase"), json!({"name": "2.0"}), (412, "id")),
    ] {
        let reply = send(&world, "owner", method, &path, body).await;
        assert_eq!(refusal(&reply), (expected.0, expected.1.to_owned()), "{method} {path}");
    }
    expect(&world, "owner", "PUT", &format!("{one}/default"), Value::Null, 204).await;
    let registry = registry(&world).await;
    let images = add_images(&world, &one, &registry, &["web:1", "worker"]).await;
    let patch = json!({"config": {"environment": [{"id": "i", "key": "A", "value": "of the image"}]}});
    let image = format!("{one}/images/{}", images[0]["id"].as_str().unwrap());
    expect(&world, "owner", "PATCH", &image, patch, 204).await;
    deploy(&world, &one, "prod", Status::Successful).await;
    deploy(&world, &one, "test", Status::Obsolete).await;

    expect(&world, "owner", "POST", &format!("{shop}/convert"), Value::Null, 204).await;
    let reply = expect(&world, "owner", "POST", &format!("{shop}/versions"), body.clone(), 201).await;
    let made = reply.json();
    let next = format!("{shop}/versions/{}", made["id"].as_str().unwrap());
    assert_eq!(reply.header("location"), Some(next.as_str()));
    let expected = json!({
        "id": made["id"], "name": "1.0", "type": "incremental", "changelog": null, "default": false, "increasable": true,
        "audit": made["audit"],
    });
    assert_eq!(made, expected);
    let reply = send(&world, "owner", "POST", &format!("{shop}/versions"), body).await;
    assert_eq!(refusal(&reply), (409, "name".to_owned()));

    // Images and deployments of the default are there, with all that they say.
    let (old, new) = (get(&world, "owner", &one).await.json(), get(&world, "owner", &next).await.json());
    let names = |version: &Value, member: &str| -> Vec<Value> {
        version["images"].as_array().unwrap().iter().map(|image| image[member].clone()).collect()
    };
    for member in ["name", "tag", "order", "config", "registry"] {
        assert_eq!(names(&new, member), names(&old, member), "{member}");
    }
    assert_eq!(new["images"][0]["config"]["environment"][0]["value"], "of the image");
    let ids: BTreeSet<String> = [names(&new, "id"), names(&old, "id")].concat().iter().map(Value::to_string).collect();
    assert_eq!(ids.len(), 4);
    let deployments = new["deployments"].as_array().unwrap();
    let prefixes: BTreeSet<&str> = deployments.iter().map(|one| one["prefix"].as_str().unwrap()).collect();
    assert_eq!(prefixes, BTreeSet::from(["prod", "test"]));
    for deployment in deployments {
        let prefix = deployment["prefix"].as_str().unwrap();
        let expected = json!({
            "id": deployment["id"], "prefix": prefix, "status": "preparing", "note": format!("to {prefix}"),
            "updatedAt": deployment["updatedAt"], "node": deployment["node"],
        });
        assert_eq!(*deployment, expected);
        let node = json!({"id": deployment["node"]["id"], "name": "Platform", "type": "k8s", "status": "connected"});
        assert_eq!(deployment["node"], node);
    }
    let of_new: BTreeSet<String> = names(&new, "id").iter().map(|id| id.as_str().unwrap().to_owned()).collect();
    let before = kept(&world, &one).await;
    for (deployment, instances) in kept(&world, &next).await {
        let (source, configs) = before.iter().find(|(old, _)| old.prefix == deployment.prefix).unwrap();
        assert_eq!((deployment.tries, &deployment.environment), (0, &source.environment));
        assert_eq!(instances.len(), 2);
        for (instance, source) in instances.iter().zip(configs) {
            assert_eq!(instance.config, source.config, "with its secrets");
            assert!(of_new.contains(&instance.image.to_string()));
        }
    }
}
both!(versionless, a_converted_project_hands_its_version_on);

/// Point 6 of the contract's list.
async fn increase(database: Database) {
    let world = two_teams(database).await;
    let shop = project(&world, "shop", "versioned").await;
    let first = version(&world, &shop, "1.0", "incremental").await;
    assert_eq!(flags(&world, &first).await, (true, true, true, true), "the first is the default");
    let registry = registry(&world).await;
    let image = add_images(&world, &first, &registry, &["web"]).await[0]["id"].as_str().unwrap().to_owned();
    deploy(&world, &first, "gone", Status::Obsolete).await;
    deploy(&world, &first, "going", Status::InProgress).await;
    deploy(&world, &first, "bad", Status::Failed).await;
    deploy(&world, &first, "prod", Status::Failed).await;
    deploy(&world, &first, "prod", Status::Successful).await;

    let all = format!("{first}/increase");
    let body = json!({"name": "1.0"});
    assert_eq!(refusal(&send(&world, "owner", "POST", &all, body).await), (409, "name".to_owned()));
    let body = json!({"name": "2.0", "changelog": "more"});
    let reply = expect(&world, "owner", "POST", &all, body, 201).await;
    let made = reply.json();
    let second = format!("{shop}/versions/{}", made["id"].as_str().unwrap());
    assert_eq!(reply.header("location"), Some(second.as_str()));
    let expected = json!({
        "id": made["id"], "name": "2.0", "type": "incremental", "changelog": "more", "default": false,
        "increasable": true, "audit": made["audit"],
    });
    assert_eq!(made, expected);
    let copied = kept(&world, &second).await;
    let prefixes: Vec<&str> = copied.iter().map(|(deployment, _)| deployment.prefix.as_str()).collect();
    assert_eq!(prefixes.iter().copied().collect::<BTreeSet<_>>(), BTreeSet::from(["bad", "prod"]));
    assert_eq!(prefixes.len(), 2, "of each node and prefix one");
    assert!(copied.iter().all(|(deployment, _)| deployment.status == Status::Preparing));

    let reply = send(&world, "owner", "POST", &all, json!({"name": "3.0"})).await;
    assert_eq!(refusal(&reply), (409, "id".to_owned()));
    assert_eq!(flags(&world, &first).await, (false, false, false, true));
    let list = get(&world, "owner", &format!("{shop}/versions")).await.json();
    assert_eq!((&list[0]["increasable"], &list[1]["increasable"]), (&json!(false), &json!(true)));
    for (method, path, body) in [
        ("POST", format!("{first}/images"), json!([{"registryId": registry, "images": ["more"]}])),
        ("PATCH", format!("{first}/images/{image}"), json!({"tag": "2"})),
        ("DELETE", format!("{first}/images/{image}"), Value::Null),
        ("PUT", format!("{first}/images/order"), json!([image])),
        ("PUT", first.clone(), json!({"name": "1.1"})),
        ("DELETE", first.clone(), Value::Null),
    ] {
        let reply = send(&world, "owner", method, &path, body).await;
        assert_eq!(refusal(&reply), (412, "versionId".to_owned()), "{method} {path}");
    }
    // Without its child it can be increased again.
    expect(&world, "owner", "DELETE", &second, Value::Null, 204).await;
    assert!(flags(&world, &first).await.0);

    let rolling = version(&world, &shop, "edge", "rolling").await;
    let reply = send(&world, "owner", "POST", &format!("{rolling}/increase"), json!({"name": "x"})).await;
    assert_eq!(refusal(&reply), (412, "id".to_owned()));
}
both!(increase, a_version_is_increased_once);

async fn defaults(database: Database) {
    let world = two_teams(database).await;
    let shop = project(&world, "shop", "versioned").await;
    let all = format!("{shop}/versions");
    let first = version(&world, &shop, "1.0-Beta", "incremental").await;
    let second = version(&world, &shop, "2.0", "rolling").await;
    let third = version(&world, &shop, "3.0-beta", "incremental").await;
    let names = |list: &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&get(&world, "owner", &all).await.json()), ["1.0-Beta", "2.0", "3.0-beta"]);
    let found = get(&world, "owner", &format!("{all}?nameContains=beta")).await.json();
    assert_eq!(names(&found), ["3.0-beta"]);
    let empty = get(&world, "owner", &format!("{all}?nameContains=")).await;
    assert_eq!(refusal(&empty), (400, "nameContains".to_owned()));

    let defaults = async || {
        let list = get(&world, "owner", &all).await.json();
        let defaults: Vec<Value> = list
            .as_array()
            .unwrap()
            .iter()
            .filter(|one| one["default"] == true)
            .map(|one| one["name"].clone())
            .collect();
        defaults
    };
    for _ in 0..2 {
        expect(&world, "owner", "PUT", &format!("{second}/default"), Value::Null, 204).await;
        assert_eq!(defaults().await, ["2.0"]);
    }
    let missing = format!("{all}/00000000-0000-4000-8000-000000000000/default");
    assert_eq!(refusal(&send(&world, "owner", "PUT", &missing, Value::Null).await), (404, "version".to_owned()));
    assert_eq!(defaults().await, ["2.0"]);
    // A project that has versions has a default.
    expect(&world, "owner", "DELETE", &second, Value::Null, 204).await;
    assert_eq!(defaults().await, ["1.0-Beta"]);
    expect(&world, "owner", "DELETE", &first, Value::Null, 204).await;
    assert_eq!(defaults().await, ["3.0-beta"]);
    expect(&world, "owner", "DELETE", &third, Value::Null, 204).await;
    assert_eq!(get(&world, "owner", &all).await.json(), json!([]));
    assert!(flags(&world, &version(&world, &shop, "4.0", "rolling").await).await.3);
}
both!(defaults, one_version_is_the_default);

async fn changes(database: Database) {
    let world = two_teams(database).await;
    let shop = project(&world, "shop", "versioned").await;
    let one = version(&world, &shop, "1.0", "incremental").await;
    let two = version(&world, &shop, "2.0", "incremental").await;
    expect(&world, "owner", "PUT", &one, json!({"name": "1.1", "changelog": "c"}), 204).await;
    let details = get(&world, "owner", &one).await.json();
    let expected = json!({
        "id": details["id"], "name": "1.1", "type": "incremental", "changelog": "c", "default": true, "increasable": true,
        "audit": details["audit"], "mutable": true, "deletable": true, "images": [], "deployments": [],
    });
    assert_eq!(details, expected);
    expect(&world, "owner", "PUT", &one, json!({"name": "1.1"}), 204).await;
    assert_eq!(get(&world, "owner", &one).await.json()["changelog"], Value::Null);
    assert_eq!(refusal(&send(&world, "owner", "PUT", &one, json!({"name": "2.0"})).await), (409, "name".to_owned()));
    for (method, path, body, property) in [
        ("PUT", one.clone(), json!({"name": ""}), "name"),
        ("PUT", one.clone(), json!({"changelog": "x"}), "name"),
        ("PUT", one.clone(), json!({"name": "x", "changelog": 1}), "changelog"),
        ("POST", format!("{shop}/versions"), json!({"name": "3.0"}), "type"),
        ("POST", format!("{shop}/versions"), json!({"name": "3.0", "type": "versioned"}), "type"),
        ("POST", format!("{one}/increase"), json!({"name": " "}), "name"),
        ("GET", format!("{shop}/versions/nonsense"), Value::Null, "versionId"),
    ] {
        let reply = send(&world, "owner", method, &path, body).await;
        assert_eq!(refusal(&reply), (400, property.to_owned()), "{method} {path}");
    }
    // A version is of its project, and the project of its team, whatever the body says.
    let other = project(&world, "other", "versioned").await;
    let astray = two.replace(&shop, &other);
    let images = format!("{astray}/images");
    for (method, path, body, kind) in [
        ("GET", astray.clone(), Value::Null, "version"),
        ("PUT", astray.clone(), json!({"name": 1}), "version"),
        ("DELETE", astray.clone(), Value::Null, "version"),
        ("PUT", format!("{astray}/default"), Value::Null, "version"),
        ("POST", format!("{astray}/increase"), json!({}), "version"),
        ("GET", images.clone(), Value::Null, "version"),
        ("POST", images.clone(), json!({}), "version"),
        ("PUT", format!("{images}/order"), json!([1]), "version"),
    ] {
        let reply = send(&world, "owner", method, &path, body.clone()).await;
        assert_eq!(refusal(&reply), (404, kind.to_owned()), "{method} {path}");
        let reply = send(&world, "other", method, &path.replace("acme", "rival"), body).await;
        assert_eq!(refusal(&reply), (404, "project".to_owned()), "{method} {path}");
    }

    // What is on its way keeps version and project.
    let deployment = deploy(&world, &two, "prod", Status::InProgress).await;
    assert_eq!(flags(&world, &two).await, (true, false, false, false));
    assert_eq!(refusal(&send(&world, "owner", "DELETE", &two, Value::Null).await), (412, "versionId".to_owned()));
    assert_eq!(refusal(&send(&world, "owner", "DELETE", &shop, Value::Null).await), (412, "projectId".to_owned()));
    assert_eq!(get(&world, "owner", &shop).await.json()["deletable"], false);
    stand(&world, deployment, Status::InProgress, Status::Successful).await;
    assert_eq!(flags(&world, &two).await, (true, false, false, false));
    expect(&world, "owner", "DELETE", &shop, Value::Null, 204).await;
    assert_eq!(refusal(&get(&world, "owner", &two).await), (404, "project".to_owned()));
    assert!(kept(&world, &two).await.is_empty(), "its deployments are gone too");
}
both!(changes, versions_are_changed_within_their_bounds);

async fn told(database: Database) {
    let world = two_teams(database).await;
    let shop = project(&world, "shop", "versioned").await;
    let url = "https://hooks.example.com/versions";
    let body = json!({
        "name": "chat", "url": url, "type": "slack", "active": true, "enabledEvents": ["version-created"],
    });
    expect(&world, "owner", "POST", "/api/acme/notifications", body, 201).await;
    // What is told next; the next but one waits for it, so that it is taken out.
    let told = async || {
        let work = async |db: &mut store::Db| {
            let next = store::deliveries_due(db, world.service.now(), 10).await?.into_iter().next();
            if let Some(next) = &next {
                store::delivery_delete(db, next.number).await?;
            }
            Ok::<_, StoreError>(next.map(|delivery| delivery.content))
        };
        world.kept().write(work).await.unwrap()
    };
    let one = version(&world, &shop, "1.0", "incremental").await;
    expect(&world, "owner", "POST", &format!("{one}/increase"), json!({"name": "2.0"}), 201).await;
    for name in ["1.0", "2.0"] {
        let told = told().await.unwrap();
        assert!(told.contains(name) && told.contains("shop") && told.contains("owner@example.com"), "{told}");
    }
    // What was refused is not told.
    send(&world, "owner", "POST", &format!("{shop}/versions"), json!({"name": "1.0", "type": "rolling"})).await;
    assert_eq!(told().await, None);
    // All of it is in the record.
    let path = "/api/acme/audit-log?skip=0&take=100&from=2020-01-01&to=2120-01-01&filter=increase";
    let record = get(&world, "owner", path).await.json();
    assert_eq!((&record["total"], &record["items"][0]["data"]), (&json!(1), &json!({"name": "2.0"})));
}
both!(told, a_new_version_is_told_and_written_down);
