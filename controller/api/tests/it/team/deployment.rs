//! Deployments, their instances, tokens and log.

use serde_json::{Value, json};
use slipway_engine::workload::{ContainerState, WorkloadProgress, WorkloadSpec};
use slipway_service::testing::{Shop, shop};
use slipway_team::version::VersionKind;
use slipway_team::{NodeId, VersionId};

use super::{expect, get, refusal, send, two_teams};
use crate::world::{Database, Reply, World, both};

const ALL: &str = "/api/acme/deployments";
const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

pub(super) async fn acme(database: Database, kind: VersionKind) -> (World, Shop) {
    let world = two_teams(database).await;
    let made = shop(&world.service, ("owner", "acme"), kind).await.unwrap();
    (world, made)
}

fn given(version: VersionId, node: NodeId, prefix: &str) -> Value {
    json!({"versionId": version.to_string(), "nodeId": node.to_string(), "prefix": prefix, "note": "a note"})
}

/// Makes a deployment and gives its path.
pub(super) async fn deployment(world: &World, version: VersionId, node: NodeId, prefix: &str) -> String {
    let made = expect(world, "owner", "POST", ALL, given(version, node, prefix), 201).await;
    made.header("location").unwrap().to_owned()
}

/// The whole of a refusal but its text.
fn refused(reply: &Reply) -> (u16, Value, Value, Value) {
    let body = reply.json();
    (reply.status, body["property"].clone(), body["value"].clone(), body["error"].clone())
}

pub(super) async fn details(world: &World, path: &str) -> Value {
    expect(world, "owner", "GET", path, Value::Null, 200).await.json()
}

async fn start(world: &World, path: &str) -> Reply {
    send(world, "owner", "POST", &format!("{path}/start"), Value::Null).await
}

/// Waits until a deployment is in a state.
pub(super) async fn settled(world: &World, path: &str, wanted: &str) {
    let until = tokio::time::Instant::now() + std::time::Duration::from_mins(3);
    loop {
        let status = details(world, path).await["status"].clone();
        if status == wanted {
            return;
        }
        assert!(
            tokio::time::Instant::now() < until,
            "{path} is {status}, not {wanted}: {}",
            log(world, path, "").await
        );
        tokio::task::yield_now().await;
    }
}

pub(super) async fn log(world: &World, path: &str, query: &str) -> Value {
    get(world, "owner", &format!("{path}/log?skip=0&take=100{query}")).await.json()
}

/// Encrypts a value for a deployment and gives it to one of its instances.
pub(super) async fn secret(world: &World, path: &str, instance: usize, key: &str, value: &str) {
    let details = details(world, path).await;
    let public = details["publicKey"].as_str().unwrap();
    let message = slipway_openpgp::encrypt(public, value).unwrap();
    let id = details["instances"][instance]["id"].as_str().unwrap();
    let of_image = &details["instances"][instance]["image"]["config"]["secrets"][0]["id"];
    let item = json!({
        "id": of_image, "key": key, "required": true, "value": message, "encrypted": true, "publicKey": public,
    });
    let body = json!({"config": {"secrets": [item]}});
    expect(world, "owner", "PATCH", &format!("{path}/instances/{id}"), body, 204).await;
}

async fn crud(database: Database) {
    let (world, shop) = acme(database, VersionKind::Rolling).await;
    let reply = expect(&world, "owner", "POST", ALL, given(shop.version, shop.node, "shop-1"), 201).await;
    let made = reply.json();
    let one = format!("{ALL}/{}", made["id"].as_str().unwrap());
    assert_eq!(reply.header("location"), Some(one.as_str()));
    let user = made["audit"]["createdBy"].clone();
    let expected = json!({
        "id": made["id"], "prefix": "shop-1", "status": "preparing", "note": "a note",
        "audit": {
            "createdAt": made["audit"]["createdAt"], "createdBy": user, "updatedAt": made["audit"]["createdAt"],
            "updatedBy": user,
        },
        "project": {"id": shop.project.to_string(), "name": "shop rolling", "type": "versionless"},
        "version": {"id": shop.version.to_string(), "name": "rolling", "type": "rolling"},
        "node": {"id": shop.node.to_string(), "name": "here rolling", "type": "k8s"},
    });
    assert_eq!(made, expected);
    assert_eq!(get(&world, "owner", ALL).await.json(), json!([expected]));
    let whole = details(&world, &one).await;
    let mut lists = whole.clone();
    for member in ["environment", "publicKey", "instances", "lastTry", "token"] {
        lists.as_object_mut().unwrap().remove(member).unwrap_or_else(|| panic!("{member} is missing"));
    }
    assert_eq!(lists, expected);
    assert_eq!((&whole["environment"], &whole["lastTry"], &whole["token"]), (&json!([]), &json!(0), &Value::Null));
    assert_eq!(whole["publicKey"], json!(shop.public_key));
    let instances = whole["instances"].as_array().unwrap();
    assert_eq!(instances.len(), 2);
    assert_eq!(instances[0]["config"], Value::Null);
    assert_eq!(instances[0]["image"]["id"], json!(shop.images[0].to_string()));
    assert_eq!(instances[0]["image"]["name"], "acme/web");
    assert_eq!(instances[0]["image"]["registry"]["type"], "v2");
    assert_eq!(instances[0]["image"]["config"]["secrets"][0]["key"], "PASSWORD");
    assert_eq!(instances[1]["image"]["order"], 1);

    // A part of the list, which newer clients ask for.
    deployment(&world, shop.version, shop.node, "shop-2").await;
    let part = get(&world, "owner", &format!("{ALL}?skip=1&take=5")).await.json();
    assert_eq!(part, json!([expected]), "newest first");
    assert_eq!(refusal(&get(&world, "owner", &format!("{ALL}?skip=x")).await), (400, "skip".to_owned()));

    let variables = json!([{"id": "v1", "key": "A", "value": "1"}]);
    let change = json!({"note": null, "prefix": "shop-3", "environment": variables});
    expect(&world, "owner", "PATCH", &one, change, 204).await;
    let changed = details(&world, &one).await;
    assert_eq!((&changed["note"], &changed["prefix"]), (&json!("a note"), &json!("shop-3")));
    assert_eq!(changed["environment"], variables);
    expect(&world, "owner", "PATCH", &one, json!({"note": "other"}), 204).await;
    assert_eq!(details(&world, &one).await["environment"], variables);
    for (body, property) in [
        (json!({"prefix": "Not_One"}), "prefix"),
        (json!({"prefix": "kube-system"}), "prefix"),
        (json!({"prefix": "slipway"}), "prefix"),
        (json!({"environment": {}}), "environment"),
        (json!({"environment": [{"value": "x"}]}), "environment"),
        (json!({"note": 1}), "note"),
    ] {
        assert_eq!(
            refusal(&send(&world, "owner", "PATCH", &one, body.clone()).await),
            (400, property.to_owned()),
            "{body}"
        );
    }
    expect(&world, "owner", "DELETE", &one, Value::Null, 204).await;
    for method in ["GET", "PATCH", "DELETE"] {
        let body = if method == "PATCH" { json!({}) } else { Value::Null };
        assert_eq!(refusal(&send(&world, "owner", method, &one, body).await), (404, "deployment".to_owned()));
    }
}
both!(crud, deployments_are_made_shown_changed_and_removed);

async fn refusals(database: Database) {
    let (world, ours) = acme(database, VersionKind::Rolling).await;
    let theirs = shop(&world.service, ("other", "rival"), VersionKind::Rolling).await.unwrap();
    let first = deployment(&world, ours.version, ours.node, "p").await;
    let id = first.rsplit('/').next().unwrap().to_owned();
    for (body, expected) in [
        (given(theirs.version, ours.node, "q"), (404, "version")),
        (given(ours.version, theirs.node, "q"), (404, "node")),
        (json!({"versionId": NOBODY, "nodeId": NOBODY, "prefix": "q"}), (404, "version")),
        (json!({"versionId": "x", "nodeId": NOBODY, "prefix": "q"}), (400, "versionId")),
        (json!({"versionId": NOBODY, "nodeId": NOBODY}), (400, "prefix")),
        (given(ours.version, ours.node, ""), (400, "prefix")),
        (given(ours.version, ours.node, "default"), (400, "prefix")),
        (given(ours.version, ours.node, "a--"), (400, "prefix")),
    ] {
        let reply = send(&world, "owner", "POST", ALL, body.clone()).await;
        assert_eq!(refusal(&reply), (expected.0, expected.1.to_owned()), "{body}");
    }
    let again = send(&world, "owner", "POST", ALL, given(ours.version, ours.node, "p")).await;
    let taken = (409, json!("deploymentId"), json!(id), json!("rollingVersionDeployment"));
    assert_eq!(refused(&again), taken);
    let second = deployment(&world, ours.version, ours.node, "q").await;
    assert_eq!(refused(&send(&world, "owner", "PATCH", &second, json!({"prefix": "p"})).await), taken);
    expect(&world, "owner", "PATCH", &second, json!({"prefix": "q"}), 204).await;
    let copy = json!({"nodeId": ours.node.to_string(), "prefix": "p"});
    let reply = send(&world, "owner", "POST", &format!("{second}/copy"), copy).await;
    assert_eq!(refused(&reply), (409, json!("deploymentId"), json!(id), Value::Null));
    let copy = json!({"nodeId": theirs.node.to_string(), "prefix": "z"});
    let reply = send(&world, "owner", "POST", &format!("{second}/copy"), copy).await;
    assert_eq!(refusal(&reply), (404, "node".to_owned()));
    // A prefix on the platform is one team's.
    let reply = send(&world, "other", "POST", "/api/rival/deployments", given(theirs.version, theirs.node, "p")).await;
    assert_eq!(refusal(&reply), (409, "prefix".to_owned()));
    // What is another team's, or another deployment's, is not there.
    let foreign = first.replace("acme", "rival");
    let instance = details(&world, &first).await["instances"][0]["id"].as_str().unwrap().to_owned();
    for (user, path, property) in [
        ("other", foreign.clone(), "deployment"),
        ("other", format!("{foreign}/log?skip=0&take=1"), "deployment"),
        ("owner", format!("{first}/instances/{NOBODY}"), "instance"),
        ("owner", format!("{second}/instances/{instance}"), "instance"),
    ] {
        assert_eq!(refusal(&get(&world, user, &path).await), (404, property.to_owned()), "{path}");
    }
    let path = format!("{second}/instances/{instance}");
    assert_eq!(
        refusal(&send(&world, "owner", "PATCH", &path, json!({"config": 1})).await),
        (404, "instance".to_owned())
    );
    let path = format!("{first}/instances/nonsense");
    assert_eq!(
        refusal(&send(&world, "owner", "PATCH", &path, json!({"config": 1})).await),
        (400, "instanceId".to_owned())
    );
    let missing = get(&world, "owner", &format!("{first}/log?skip=0")).await;
    assert_eq!(refusal(&missing), (400, "take".to_owned()));
    // A version without images.
    for image in &ours.images {
        let (version, image) = (ours.version, *image);
        world.kept().write(async |db| slipway_store::image_delete(db, version, image).await).await.unwrap();
    }
    let reply = send(&world, "owner", "POST", ALL, given(ours.version, ours.node, "none")).await;
    assert_eq!(refused(&reply), (412, json!("versionId"), json!(ours.version.to_string()), Value::Null));
    let nothing = send(&world, "owner", "POST", &format!("{second}/start"), Value::Null).await;
    assert_eq!(refusal(&nothing), (412, "instances".to_owned()));
}
both!(refusals, deployments_keep_out_of_each_others_way);

async fn instances(database: Database) {
    let (world, shop) = acme(database, VersionKind::Rolling).await;
    let one = deployment(&world, shop.version, shop.node, "p").await;
    let whole = details(&world, &one).await;
    let path = format!("{one}/instances/{}", whole["instances"][0]["id"].as_str().unwrap());
    assert_eq!(get(&world, "owner", &path).await.json(), whole["instances"][0]);
    let patch = json!({"config": {
        "environment": [{"id": "e9", "key": "MODE", "value": "own"}], "tty": true,
        "labels": {"service": [{"id": "l1", "key": "a", "value": "b"}]},
        "secrets": [{"id": "s1", "key": "PASSWORD", "required": true, "value": "CLEARTEXT", "encrypted": false}],
    }});
    expect(&world, "owner", "PATCH", &path, patch, 204).await;
    let shown = get(&world, "owner", &path).await;
    assert!(!shown.body.contains("CLEARTEXT"), "{shown:?}");
    let config = shown.json()["config"].clone();
    assert_eq!((&config["tty"], &config["expose"]), (&json!(true), &Value::Null));
    // What the image wants beside it is there without a value; what came in clear was encrypted.
    let secrets = config["secrets"].as_array().unwrap();
    assert_eq!((&secrets[0]["key"], &secrets[0]["value"]), (&json!("EXTRA"), &json!("")));
    assert_eq!((&secrets[1]["key"], &secrets[1]["encrypted"]), (&json!("PASSWORD"), &json!(true)));
    assert_eq!(secrets[1]["publicKey"], json!(shop.public_key));
    assert!(secrets[1]["value"].as_str().unwrap().starts_with("-----BEGIN PGP MESSAGE-----"));
    expect(&world, "owner", "PATCH", &path, json!({"config": {"tty": null}}), 204).await;
    let config = get(&world, "owner", &path).await.json()["config"].clone();
    assert_eq!((&config["tty"], &config["environment"][0]["value"]), (&Value::Null, &json!("own")));
    for (body, property) in [
        (json!({}), "config"),
        (json!({"config": []}), "config"),
        (json!({"config": {"tty": "yes"}}), "config.tty"),
        (json!({"config": {"ports": [{"internal": 70000}]}}), "config.ports"),
        (json!({"config": {"storage": {"storageId": NOBODY}}}), "config.storage.storageId"),
    ] {
        assert_eq!(
            refusal(&send(&world, "owner", "PATCH", &path, body.clone()).await),
            (400, property.to_owned()),
            "{body}"
        );
    }
    let secrets = get(&world, "owner", &format!("{path}/secrets")).await.json();
    let container = json!({"prefix": "p", "name": "web"});
    assert_eq!(secrets, json!({"container": container, "publicKey": shop.public_key, "keys": null}));

    // Nothing can be encrypted for a node that is away, and it tells nothing.
    let away = deployment(&world, shop.version, shop.nowhere, "p").await;
    let whole = details(&world, &away).await;
    assert_eq!(whole["publicKey"], Value::Null);
    let path = format!("{away}/instances/{}", whole["instances"][0]["id"].as_str().unwrap());
    let clear = json!({"config": {"secrets": [{"id": "s1", "key": "PASSWORD", "value": "CLEARTEXT"}]}});
    assert_eq!(refusal(&send(&world, "owner", "PATCH", &path, clear).await), (412, "publicKey".to_owned()));
    assert_eq!(refusal(&get(&world, "owner", &format!("{path}/secrets")).await), (412, "nodeId".to_owned()));
    let written = get(&world, "owner", "/api/acme/audit-log?skip=0&take=100&from=2020-01-01&to=2120-01-01").await.body;
    assert!(!written.contains("CLEARTEXT") && written.contains("\"tty\""), "{written}");
}
both!(instances, instances_have_what_is_otherwise_and_never_a_secret_in_clear);

async fn starts(database: Database) {
    let (world, shop) = acme(database, VersionKind::Rolling).await;
    let node = world.nodes.own();
    let nowhere = deployment(&world, shop.version, shop.nowhere, "p").await;
    assert_eq!(
        refused(&start(&world, &nowhere).await),
        (412, json!("nodeId"), json!(shop.nowhere.to_string()), Value::Null)
    );
    // A node that is deployed to stays.
    let used = send(&world, "owner", "DELETE", &format!("/api/acme/nodes/{}", shop.nowhere), Value::Null).await;
    assert_eq!(refusal(&used), (412, "id".to_owned()));
    let one = deployment(&world, shop.version, shop.node, "p").await;
    let whole = details(&world, &one).await;
    let (web, db) = (&whole["instances"][0]["id"], &whole["instances"][1]["id"]);
    let lacking = json!([{"id": web, "name": "web"}]);
    assert_eq!(refused(&start(&world, &one).await), (412, json!("instanceIds"), lacking, Value::Null));
    // Only what is selected is looked at.
    let only = |ids: Value| json!({ "instances": ids });
    let path = format!("{one}/start");
    for none in [only(json!([])), only(json!([NOBODY]))] {
        assert_eq!(refusal(&send(&world, "owner", "POST", &path, none).await), (412, "instances".to_owned()));
    }
    let bad = send(&world, "owner", "POST", &path, only(json!(["x"]))).await;
    assert_eq!(refusal(&bad), (400, "instances".to_owned()));
    expect(&world, "owner", "POST", &path, only(json!([db])), 204).await;
    settled(&world, &one, "successful").await;
    assert_eq!(node.running(), [("p".to_owned(), "db".to_owned(), ContainerState::Running)]);

    // A value for another key is taken away, and the right key told.
    let other = slipway_openpgp::generate("other").unwrap().public;
    let message = slipway_openpgp::encrypt(&other, "hunter2").unwrap();
    let item = json!({"id": "s1", "key": "PASSWORD", "required": true, "value": message, "encrypted": true, "publicKey": other});
    let instance = format!("{one}/instances/{}", web.as_str().unwrap());
    expect(&world, "owner", "PATCH", &instance, json!({"config": {"secrets": [item]}}), 204).await;
    let invalid = json!([{"instanceId": web, "invalid": ["s1"]}]);
    assert_eq!(refused(&start(&world, &one).await), (412, json!("secrets"), invalid, Value::Null));
    let secrets = get(&world, "owner", &instance).await.json()["config"]["secrets"].clone();
    let cleared = secrets.as_array().unwrap().iter().find(|secret| secret["id"] == "s1").unwrap().clone();
    assert_eq!((&cleared["value"], &cleared["publicKey"]), (&json!(""), &json!(shop.public_key)));
    assert_eq!(details(&world, &one).await["lastTry"], 1, "what was refused is no try");

    secret(&world, &one, 0, "PASSWORD", "hunter2").await;
    let faulty = json!({"environment": [{"key": "A B", "value": ""}]});
    expect(&world, "owner", "PATCH", &one, faulty, 204).await;
    assert_eq!(refusal(&start(&world, &one).await), (400, "environment".to_owned()));
    expect(&world, "owner", "PATCH", &one, json!({"environment": [{"key": "STAGE", "value": "test"}]}), 204).await;
    let name = json!({"config": {"name": "db"}});
    expect(&world, "owner", "PATCH", &instance, name, 204).await;
    assert_eq!(refusal(&start(&world, &one).await), (400, "instances[1].config.name".to_owned()));
    expect(&world, "owner", "PATCH", &instance, json!({"config": {"name": null}}), 204).await;

    // Of two who start it at once, one is told so.
    node.progress_set("web", WorkloadProgress::Coming(ContainerState::Waiting, "Pulling".to_owned()));
    let (a, b) = tokio::join!(start(&world, &one), start(&world, &one));
    let mut statuses = [a.status, b.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 409], "{a:?} {b:?}");
    for (method, path, body) in [
        ("DELETE", one.clone(), Value::Null),
        ("PATCH", one.clone(), json!({"note": "x"})),
        ("PATCH", instance.clone(), json!({"config": {}})),
        ("POST", format!("{one}/copy"), json!({"nodeId": shop.node.to_string(), "prefix": "q"})),
    ] {
        let reply = send(&world, "owner", method, &path, body).await;
        assert_eq!(refused(&reply), (412, json!("status"), json!("in-progress"), Value::Null), "{method} {path}");
    }
    node.progress_set("web", WorkloadProgress::Up);
    settled(&world, &one, "successful").await;
    let applied: Vec<_> = node.applied();
    let names: Vec<&str> = applied.iter().map(WorkloadSpec::name).collect();
    assert_eq!(names, ["db", "web", "db"], "in the order of the images");
    let spec = &applied[1];
    assert_eq!(spec.image, "registry.example:5000/acme/web:1");
    assert_eq!(spec.registry.as_ref().unwrap().password.expose(), "PULLTOKEN");
    assert_eq!(spec.secrets["PASSWORD"].expose(), "hunter2");
    assert_eq!(spec.environment["STAGE"], "test");
    let secrets = get(&world, "owner", &format!("{instance}/secrets")).await.json();
    assert!(secrets["keys"].as_array().unwrap().contains(&json!("PASSWORD")), "{secrets}");
    for path in [
        one.clone(),
        format!("{one}/log?skip=0&take=100"),
        "/api/acme/audit-log?skip=0&take=100&from=2020-01-01&to=2120-01-01".to_owned(),
    ] {
        let shown = get(&world, "owner", &path).await.body;
        assert!(!shown.contains("hunter2") && !shown.contains("PULLTOKEN"), "{shown}");
    }
    // The node is lost.
    node.away(true);
    world.service.nodes_check().await.unwrap();
    assert_eq!(refusal(&start(&world, &one).await), (412, "nodeId".to_owned()));
}
both!(starts, a_deployment_starts_only_when_everything_is_there);

async fn logs(database: Database) {
    let (world, shop) = acme(database, VersionKind::Rolling).await;
    let node = world.nodes.own();
    let one = deployment(&world, shop.version, shop.node, "p").await;
    secret(&world, &one, 0, "PASSWORD", "x").await;
    node.refuse("db", "no room");
    expect(&world, "owner", "POST", &format!("{one}/start"), Value::Null, 204).await;
    settled(&world, &one, "failed").await;
    let failed = log(&world, &one, "&try=1").await;
    let items = failed["items"].as_array().unwrap();
    assert_eq!(items[0]["log"], json!(["Deployment started by owner@example.com."]));
    assert_eq!(
        (&items[1]["type"], &items[1]["deploymentStatus"]),
        (&json!("deployment-status"), &json!("in-progress"))
    );
    assert_eq!(items[2]["log"], json!(["Deploying web (registry.example:5000/acme/web:1)."]));
    let last = items.len() - 1;
    assert_eq!(items[last - 1]["log"], json!(["db: no room"]));
    assert_eq!(items[last]["deploymentStatus"], "failed");
    assert!(items.iter().all(|item| item.as_object().unwrap().len() == 3), "one member beside type and time: {failed}");
    assert_eq!(failed["total"], items.len());

    node.accept("db");
    // One that does not come up ends it, whatever the others do; the output of it is told.
    let output = vec!["no database".to_owned()];
    node.progress_set("web", WorkloadProgress::Stuck { reason: "CrashLoopBackOff".to_owned(), output });
    expect(&world, "owner", "POST", &format!("{one}/start"), Value::Null, 204).await;
    settled(&world, &one, "failed").await;
    let second = log(&world, &one, "&try=2").await.to_string();
    assert!(second.contains("web: no database") && second.contains("CrashLoopBackOff"), "{second}");
    assert_eq!(details(&world, &one).await["lastTry"], 2);

    node.progress_set("web", WorkloadProgress::Up);
    expect(&world, "owner", "POST", &format!("{one}/start"), Value::Null, 204).await;
    settled(&world, &one, "successful").await;
    let third = log(&world, &one, "&try=3").await;
    for instance in details(&world, &one).await["instances"].as_array().unwrap() {
        let state = json!({"instanceId": instance["id"], "state": "running"});
        let is_told = |item: &Value| item["type"] == "container-state" && item["containerState"] == state;
        assert!(third["items"].as_array().unwrap().iter().any(is_told), "{instance}: {third}");
    }
    assert_eq!(log(&world, &one, "&try=4").await, json!({"items": [], "total": 0}));

    let whole = log(&world, &one, "").await;
    let all = whole["items"].as_array().unwrap();
    let page = get(&world, "owner", &format!("{one}/log?skip=0&take=2")).await.json();
    assert_eq!(page["items"], json!(all[all.len() - 2..]), "the two newest, oldest first");
    assert_eq!(page["total"], all.len());
    let next = get(&world, "owner", &format!("{one}/log?skip=2&take=2")).await.json();
    assert_eq!(next["items"], json!(all[all.len() - 4..all.len() - 2]));
}
both!(logs, the_log_tells_each_try_and_is_read_from_its_end);

async fn places(database: Database) {
    let (world, shop) = acme(database, VersionKind::Incremental).await;
    let child = shop.child.unwrap();
    let older = deployment(&world, shop.version, shop.node, "p").await;
    let taken = send(&world, "owner", "POST", ALL, given(shop.version, shop.node, "p")).await;
    assert_eq!(refused(&taken).3, json!("alreadyHavePreparing"));
    secret(&world, &older, 0, "PASSWORD", "one").await;
    expect(&world, "owner", "POST", &format!("{older}/start"), Value::Null, 204).await;
    settled(&world, &older, "successful").await;
    let frozen = details(&world, &older).await["instances"][0]["config"].clone();
    assert_eq!((&frozen["name"], &frozen["environment"][0]["value"]), (&json!("web"), &json!("shop")));
    assert_eq!(refused(&start(&world, &older).await), (412, json!("status"), json!("successful"), Value::Null));
    let change = send(&world, "owner", "PATCH", &older, json!({"note": "x"})).await;
    assert_eq!(refusal(&change), (412, "status".to_owned()));
    let token = send(&world, "owner", "PUT", &format!("{older}/token"), json!({"name": "robot"})).await;
    assert_eq!(refused(&token), (412, json!("versionType"), json!("incremental"), Value::Null));

    // Once the first has left preparation there may be another, which has its secrets.
    let again = deployment(&world, shop.version, shop.node, "p").await;
    let carried = details(&world, &again).await["instances"][0]["config"]["secrets"].clone();
    assert!(carried.to_string().contains("BEGIN PGP MESSAGE"), "{carried}");
    expect(&world, "owner", "POST", &format!("{again}/start"), Value::Null, 204).await;
    settled(&world, &again, "successful").await;
    assert_eq!(details(&world, &older).await["status"], "obsolete");

    // The child takes the place of its ancestor's.
    let newer = deployment(&world, child, shop.node, "p").await;
    secret(&world, &newer, 0, "PASSWORD", "two").await;
    expect(&world, "owner", "POST", &format!("{newer}/start"), Value::Null, 204).await;
    settled(&world, &newer, "successful").await;
    assert_eq!(details(&world, &again).await["status"], "obsolete");

    // Going back brings back what was, whatever became of the image meanwhile.
    let (version, image) = (shop.version, shop.images[0]);
    world
        .kept()
        .write(async |db| {
            let mut web = slipway_store::image_by_id(db, version, image).await?.unwrap();
            web.config.environment = None;
            "other".clone_into(&mut web.config.name);
            slipway_store::image_update(db, &web).await
        })
        .await
        .unwrap();
    expect(&world, "owner", "POST", &format!("{older}/start"), Value::Null, 204).await;
    settled(&world, &older, "successful").await;
    let applied = world.nodes.own().applied();
    let web = &applied[applied.len() - 2];
    assert_eq!((web.name(), web.secrets["PASSWORD"].expose()), ("web", "one"));
    assert_eq!(web.config.environment.as_ref().unwrap()[0].value, "shop");
    assert_eq!(details(&world, &newer).await["status"], "obsolete", "descendants give way, too");

    // A copy begins anew; for another node it leaves the values behind.
    let copy = json!({"nodeId": shop.node.to_string(), "prefix": "q", "note": "copy"});
    let made = expect(&world, "owner", "POST", &format!("{older}/copy"), copy, 201).await;
    assert_eq!((&made.json()["status"], &made.json()["note"]), (&json!("preparing"), &json!("copy")));
    let same = details(&world, made.header("location").unwrap()).await;
    assert_eq!(same["lastTry"], 0);
    assert!(same["instances"][0]["config"].to_string().contains("BEGIN PGP MESSAGE"));
    let copy = json!({"nodeId": shop.nowhere.to_string(), "prefix": "q"});
    let made = expect(&world, "owner", "POST", &format!("{older}/copy"), copy, 201).await;
    let moved = details(&world, made.header("location").unwrap()).await["instances"][0]["config"].clone();
    assert!(!moved.to_string().contains("BEGIN PGP MESSAGE"), "{moved}");
    assert!(moved["secrets"].to_string().contains("PASSWORD"), "{moved}");
}
both!(places, what_succeeds_takes_the_place_of_its_kin_and_one_can_go_back);

async fn tokens(database: Database) {
    let (world, shop) = acme(database, VersionKind::Rolling).await;
    let one = deployment(&world, shop.version, shop.node, "p").await;
    let other = deployment(&world, shop.version, shop.node, "q").await;
    for path in [&one, &other] {
        secret(&world, path, 0, "PASSWORD", "x").await;
    }
    let path = format!("{one}/token");
    let reply = expect(&world, "owner", "PUT", &path, json!({"name": "robot", "expirationInDays": 2}), 201).await;
    let made = reply.json();
    assert_eq!(reply.header("location"), Some(path.as_str()));
    let token = made["token"].as_str().unwrap().to_owned();
    let kept = json!({
        "id": made["id"], "name": "robot", "createdAt": made["createdAt"], "expiresAt": made["expiresAt"],
    });
    assert!(made["expiresAt"].is_string());
    assert_eq!(
        made["curl"],
        format!("curl -X POST -H 'Authorization: Bearer {token}' 'https://slipway.example.com{one}/start'")
    );
    assert_eq!(details(&world, &one).await["token"], kept, "what is signed is told once");
    let again = send(&world, "owner", "PUT", &path, json!({"name": "other"})).await;
    assert_eq!(refusal(&again), (409, "deploymentId".to_owned()));
    let name = send(&world, "owner", "PUT", &format!("{other}/token"), json!({"name": "robot"})).await;
    assert_eq!(refusal(&name), (409, "name".to_owned()));
    for (body, property) in [
        (json!({"name": "ab"}), "name"),
        (json!({}), "name"),
        (json!({"name": "abc", "expirationInDays": 0}), "expirationInDays"),
    ] {
        let reply = send(&world, "owner", "PUT", &format!("{other}/token"), body.clone()).await;
        assert_eq!(refusal(&reply), (400, property.to_owned()), "{body}");
    }

    let with = async |method: &str, path: &str, token: &str| {
        let request = world.request(method, path);
        let request =
            if token.is_empty() { request } else { request.header("authorization", &format!("Bearer {token}")) };
        request.send().await.status
    };
    assert_eq!(with("POST", &format!("{one}/start"), &token).await, 204);
    settled(&world, &one, "successful").await;
    for (path, bearer) in [
        (format!("{other}/start"), token.as_str()),
        (format!("{one}/start").replace("acme", "rival"), token.as_str()),
        (format!("{one}/start"), ""),
        (format!("{one}/start"), "a.b.c"),
        (format!("{ALL}/nonsense/start"), token.as_str()),
    ] {
        assert_eq!(with("POST", &path, bearer).await, 401, "{path}");
    }
    for (method, path) in
        [("GET", one.clone()), ("DELETE", one.clone()), ("GET", "/api/teams".to_owned()), ("GET", ALL.to_owned())]
    {
        assert_eq!(with(method, &path, &token).await, 403, "{method} {path}");
    }
    let older = one.replace("/api/acme", "/api");
    assert_eq!(with("POST", &format!("{older}/start"), &token).await, 403, "the older generation has no such tokens");
    let stranger = send(&world, "stranger", "POST", &format!("{one}/start"), Value::Null).await;
    assert_eq!(stranger.status, 403);
    let written = get(&world, "owner", "/api/acme/audit-log?skip=0&take=1&from=2020-01-01&to=2120-01-01").await.json();
    let entry = &written["items"][0];
    assert_eq!(
        (&entry["actorType"], &entry["name"], &entry["method"]),
        (&json!("deployment-token"), &json!("robot"), &json!("post"))
    );
    assert!(entry.get("user").is_none(), "{entry}");
    let first = log(&world, &one, "").await["items"][0]["log"][0].clone();
    assert_eq!(first, "Deployment started by robot.");

    expect(&world, "owner", "DELETE", &path, Value::Null, 204).await;
    assert_eq!(with("POST", &format!("{one}/start"), &token).await, 401, "it was taken away");
    assert_eq!(
        refusal(&send(&world, "owner", "DELETE", &path, Value::Null).await),
        (404, "deploymentToken".to_owned())
    );
    expect(&world, "owner", "PUT", &path, json!({"name": "robot"}), 201).await;
}
both!(tokens, a_token_starts_its_own_deployment_and_opens_nothing_else);

async fn older_generation(database: Database) {
    let (world, shop) = acme(database, VersionKind::Rolling).await;
    let all = "/api/deployments";
    let made = expect(&world, "owner", "POST", all, given(shop.version, shop.node, "p"), 201).await;
    let one = made.header("location").unwrap().to_owned();
    assert!(one.starts_with("/api/deployments/"), "{one}");
    let made = made.json();
    assert_eq!(made["product"], json!({"id": shop.project.to_string(), "name": "shop rolling", "type": "simple"}));
    assert!(made.get("project").is_none());
    assert_eq!(get(&world, "owner", all).await.json()[0], made);
    assert_eq!(get(&world, "stranger", all).await.json(), json!([]), "without an active team there are none");
    let newer = one.replace("/api/", "/api/acme/");
    secret(&world, &newer, 0, "PASSWORD", "x").await;
    let whole = get(&world, "owner", &one).await.json();
    assert!(whole["instances"][0].get("state").is_none());
    let instance = format!("{one}/instances/{}", whole["instances"][0]["id"].as_str().unwrap());
    let ingress = json!({"name": "www", "host": "shop.example", "uploadLimit": "8m"});
    expect(&world, "owner", "PATCH", &instance, json!({"config": {"ingress": ingress}}), 204).await;
    let shown = get(&world, "owner", &instance).await.json();
    assert_eq!((&shown["config"]["ingress"], shown["config"].get("routing")), (&ingress, None));
    let routing = details(&world, &newer).await["instances"][0]["config"]["routing"].clone();
    assert_eq!((&routing["domain"], &routing["uploadLimit"]), (&json!("www.shop.example"), &json!("8m")));
    expect(&world, "owner", "POST", &format!("{one}/start"), Value::Null, 204).await;
    settled(&world, &newer, "successful").await;
    let whole = get(&world, "owner", &one).await.json();
    assert_eq!(whole["instances"][0]["state"], "running");
    let log = get(&world, "owner", &format!("{one}/log?skip=0&take=100")).await.json();
    let kinds: Vec<&str> = log["items"].as_array().unwrap().iter().map(|item| item["type"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"container-status") && !kinds.contains(&"container-state"), "{kinds:?}");
    for (method, path, body, status) in [
        ("GET", format!("{instance}/secrets"), Value::Null, 200),
        ("POST", format!("{one}/copy"), json!({"nodeId": shop.node.to_string(), "prefix": "q"}), 201),
        ("PATCH", one.clone(), json!({"note": "n"}), 204),
        ("PUT", format!("{one}/token"), json!({"name": "robot"}), 404),
        ("DELETE", one.clone(), Value::Null, 204),
    ] {
        expect(&world, "owner", method, &path, body, status).await;
    }
}
both!(older_generation, the_older_generation_deploys_for_the_active_team);
