//! Deployments, followed.

use serde_json::{Value, json};
use slipway_client::Socket;
use slipway_engine::workload::{ContainerState, WorkloadProgress};
use slipway_service::testing::Shop;
use slipway_team::version::VersionKind;

use super::super::deployment::{acme, deployment, log, secret, settled};
use super::super::expect;
use super::{deeds, ended, hear, is, open, refused, say, subscribe};
use crate::serve::Server;
use crate::world::{Database, World, both};

/// Something to deploy, and the deployment's path in requests and on the socket.
async fn shop(database: Database) -> (World, Shop, Server, String, String) {
    let (world, shop) = acme(database, VersionKind::Rolling).await;
    let server = Server::start(&world).await;
    let one = deployment(&world, shop.version, shop.node, "p").await;
    secret(&world, &one, 0, "PASSWORD", "hunter2").await;
    let path = one.trim_start_matches("/api").to_owned();
    (world, shop, server, one, path)
}

async fn begin(world: &World, one: &str) {
    expect(world, "owner", "POST", &format!("{one}/start"), Value::Null, 204).await;
}

/// The next event.
async fn event(socket: &mut Socket, path: &str) -> Value {
    let (kind, data) = hear(socket).await;
    assert_eq!(kind, format!("{path}/deployment-event"), "{data}");
    data
}

/// Events until one says that the deployment ended.
async fn events(socket: &mut Socket, path: &str) -> Vec<Value> {
    let mut all = Vec::new();
    loop {
        let one = event(socket, path).await;
        let is_last = ["successful", "failed"].iter().any(|status| one["deploymentStatus"] == *status);
        all.push(one);
        if is_last {
            return all;
        }
    }
}

async fn fetch(socket: &mut Socket, path: &str, data: Value) -> Value {
    say(socket, &format!("{path}/fetch-deployment-events"), data).await;
    let (kind, data) = hear(socket).await;
    assert_eq!(kind, format!("{path}/deployment-event-list"), "{data}");
    data
}

async fn followed(database: Database) {
    let (world, shop, server, one, path) = shop(database).await;
    // Another deployment tells nobody here anything.
    let other = deployment(&world, shop.version, shop.node, "q").await;
    secret(&world, &other, 0, "PASSWORD", "x").await;
    let mut socket = open(&server, world.token("owner"), "/api").await.unwrap();
    let mut older = open(&server, world.token("owner"), "/api").await.unwrap();
    let old_path = path.trim_start_matches("/acme").to_owned();
    subscribe(&mut socket, &path).await;
    subscribe(&mut older, &old_path).await;
    assert_eq!(fetch(&mut socket, &path, Value::Null).await, json!([]));
    begin(&world, &other).await;
    begin(&world, &one).await;
    let told = events(&mut socket, &path).await;
    settled(&world, &one, "successful").await;
    let written = log(&world, &one, "").await;
    assert_eq!(json!(told), written["items"], "each once, in order, as the log has them");
    let state = |event: &Value| (event["type"].clone(), event["containerState"]["state"].clone());
    assert!(told.iter().any(|event| state(event) == (json!("container-state"), json!("running"))), "{told:?}");
    assert!(!json!(told).to_string().contains("hunter2"));
    // The older generation has its own words.
    let old = events(&mut older, &old_path).await;
    assert_eq!(old.len(), told.len());
    assert!(old.iter().any(|event| event["type"] == "container-status"), "{old:?}");
    assert!(old.iter().all(|event| event["type"] != "container-state"), "{old:?}");

    // The whole is there for whoever comes later, or only what was told from a time on.
    let mut late = open(&server, world.token("owner"), "/api").await.unwrap();
    subscribe(&mut late, &path).await;
    assert_eq!(fetch(&mut late, &path, json!({})).await, written["items"]);
    let last = told.last().unwrap()["createdAt"].as_str().unwrap().to_owned();
    let since = fetch(&mut late, &path, json!({ "from": last })).await;
    assert_eq!(since.as_array().unwrap().last(), told.last());
    assert!(since.as_array().unwrap().iter().all(|event| event["createdAt"].as_str().unwrap() >= last.as_str()));
    assert_eq!(fetch(&mut late, &path, json!({"from": "2100-01-01T00:00:00Z"})).await, json!([]));
    // What was fetched is not told again; what comes behind it is.
    world.nodes.own().refuse("db", "no room");
    begin(&world, &one).await;
    let second = events(&mut late, &path).await;
    assert_eq!(second, events(&mut socket, &path).await);
    assert_eq!(second.last().unwrap()["deploymentStatus"], "failed");
    settled(&world, &one, "failed").await;
    let both: Vec<Value> = told.into_iter().chain(second).collect();
    assert_eq!(json!(both), log(&world, &one, "").await["items"]);
    assert_eq!(deeds(&world).await, [], "following is no deed");
}
both!(followed, a_deployment_is_followed_event_by_event);

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_in_the_middle_misses_nothing() {
    let (world, _, server, one, path) = shop(Database::Sqlite).await;
    let node = world.nodes.own();
    node.progress_set("web", WorkloadProgress::Coming(ContainerState::Waiting, "Pulling".to_owned()));
    let mut first = open(&server, world.token("owner"), "/api").await.unwrap();
    subscribe(&mut first, &path).await;
    begin(&world, &one).await;
    loop {
        if event(&mut first, &path).await["containerState"]["state"] == "waiting" {
            break;
        }
    }
    drop(first);
    let mut second = open(&server, world.token("owner"), "/api").await.unwrap();
    subscribe(&mut second, &path).await;
    // What is told by itself before the list comes is in the list, too.
    say(&mut second, &format!("{path}/fetch-deployment-events"), Value::Null).await;
    let mut all = loop {
        let (kind, data) = hear(&mut second).await;
        if kind == format!("{path}/deployment-event-list") {
            break data.as_array().unwrap().clone();
        }
        assert_eq!(kind, format!("{path}/deployment-event"));
    };
    node.progress_set("web", WorkloadProgress::Up);
    all.extend(events(&mut second, &path).await);
    settled(&world, &one, "successful").await;
    assert_eq!(json!(all), log(&world, &one, "").await["items"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_controller_writes_down_is_told_too() {
    let (world, _, server, one, path) = shop(Database::Sqlite).await;
    let mut socket = open(&server, world.token("owner"), "/api").await.unwrap();
    subscribe(&mut socket, &path).await;
    let event_written = slipway_team::deployment::DeploymentEvent {
        deployment: one.rsplit('/').next().unwrap().parse().unwrap(),
        attempt: 1,
        created: world.service.now(),
        news: slipway_team::deployment::News::Log(vec!["from elsewhere".to_owned()]),
    };
    let write = async |db: &mut slipway_store::Db| slipway_store::deployment_event_insert(db, &event_written).await;
    world.kept().write(write).await.unwrap();
    assert_eq!(event(&mut socket, &path).await["log"], json!(["from elsewhere"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn deployments_are_followed_by_members_of_their_team_alone() {
    let (world, _, server, one, path) = shop(Database::Sqlite).await;
    let mut other = open(&server, world.token("other"), "/api").await.unwrap();
    let nobody = "00000000-0000-4000-8000-000000000000";
    for (path, status) in [
        (path.clone(), is(403, "")),
        (path.replace("acme", "rival"), is(404, "deployment")),
        (path.replace("/acme", ""), is(404, "deployment")),
        (format!("/rival/deployments/{nobody}"), is(404, "deployment")),
        ("/rival/deployments/nonsense".to_owned(), is(400, "deploymentId")),
        ("/acme/deployments/nonsense".to_owned(), is(403, "")),
        ("/rival/deployments".to_owned(), is(404, "path")),
    ] {
        say(&mut other, "subscribe", json!({ "path": path })).await;
        assert_eq!(refused(&mut other).await, status, "{path}");
    }
    // The token of a deployment opens no socket.
    let body = json!({"name": "hook", "expirationInDays": 1});
    let made = expect(&world, "owner", "PUT", &format!("{one}/token"), body, 201).await.json();
    let error = open(&server, made["token"].as_str().unwrap(), "/api").await.unwrap_err();
    assert_eq!(error.status(), Some(slipway_client::StatusCode::FORBIDDEN));
    let mut socket = open(&server, world.token("owner"), "/api").await.unwrap();
    subscribe(&mut socket, &path).await;
    for (word, data, status) in [
        ("patch-everything", json!({}), is(400, "type")),
        ("fetch-deployment-events", json!({"from": "yesterday"}), is(400, "from")),
        ("fetch-deployment-events", json!({"from": 5}), is(400, "from")),
    ] {
        say(&mut socket, &format!("{path}/{word}"), data).await;
        assert_eq!(refused(&mut socket).await, status, "{word}");
    }
    // A deployment that is removed is followed no more.
    expect(&world, "owner", "DELETE", &one, Value::Null, 204).await;
    ended(&mut socket, &path).await;
    say(&mut socket, "subscribe", json!({ "path": path })).await;
    assert_eq!(refused(&mut socket).await, is(404, "deployment"));
}
