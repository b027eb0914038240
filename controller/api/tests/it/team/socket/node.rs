//! Nodes and their containers, followed.

use serde_json::{Value, json};
use slipway_client::Socket;
use slipway_engine::workload::{ContainerCommand, ContainerState};
use slipway_team::Role;

use super::super::node::{platform, run};
use super::super::{expect, get};
use super::{deeds, ended, hear, is, open, refused, say, started, subscribe};
use crate::serve::Server;
use crate::world::World;

/// The platform's own node of a team, as its path on the socket.
async fn own(world: &World, user: &str, slug: &str) -> String {
    platform(world, user, slug).await.trim_start_matches("/api").to_owned()
}

/// A container of the team at the platform's own node.
async fn container(world: &World, slug: &str, prefix: &str, name: &str) {
    let owner = if slug == "acme" { "owner" } else { "other" };
    let teams = get(world, owner, "/api/teams").await.json();
    let team = teams[0]["id"].as_str().unwrap();
    // It may have the prefix already.
    world.prefix_try(team, prefix).await;
    run(&world.nodes.own(), team, prefix, name).await;
}

/// The next list of containers: names and states.
async fn list(socket: &mut Socket, path: &str) -> Vec<(String, String)> {
    let (kind, data) = hear(socket).await;
    assert_eq!(kind, format!("{path}/containers-state-list"), "{data}");
    let all = data["containers"].as_array().unwrap();
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    all.iter().map(|one| (word(&one["id"]["name"]), word(&one["state"]))).collect()
}

/// Reads lists until this one comes.
async fn list_until(socket: &mut Socket, path: &str, wanted: &[(&str, &str)]) {
    loop {
        let found = list(socket, path).await;
        if found.iter().map(|(name, state)| (name.as_str(), state.as_str())).eq(wanted.iter().copied()) {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_team_hears_how_its_nodes_are() {
    let (world, server) = started().await;
    let made = expect(&world, "owner", "POST", "/api/acme/nodes", json!({"name": "edge"}), 201).await.json();
    let edge = made["id"].as_str().unwrap().to_owned();
    let own = get(&world, "owner", "/api/acme/nodes").await.json()[0].clone();
    let mut socket = open(&server, world.token("owner"), "/api").await.unwrap();
    subscribe(&mut socket, "/acme/nodes").await;
    let event = "/acme/nodes/event";
    let (kind, data) = hear(&mut socket).await;
    let expected = json!({
        "id": own["id"], "status": "connected", "address": "https://node.example:6443",
        "version": "Kubernetes v1.33.2", "connectedAt": own["connectedAt"], "updating": false,
    });
    assert_eq!((kind.as_str(), data), (event, expected));
    let status = async |socket: &mut Socket| {
        let (kind, data) = hear(socket).await;
        assert_eq!(kind, event, "{data}");
        (data["id"].as_str().unwrap().to_owned(), data["status"].as_str().unwrap().to_owned())
    };
    assert_eq!(status(&mut socket).await, (edge.clone(), "unreachable".to_owned()));
    let body = json!({"kubeconfig": "edge-config"});
    expect(&world, "owner", "PUT", &format!("/api/acme/nodes/{edge}/kubeconfig"), body, 204).await;
    assert_eq!(status(&mut socket).await, (edge.clone(), "connected".to_owned()));
    for (is_away, told) in [(true, "unreachable"), (false, "connected")] {
        world.nodes.joined("edge-config").away(is_away);
        world.service.nodes_check().await.unwrap();
        assert_eq!(status(&mut socket).await, (edge.clone(), told.to_owned()));
    }
    // What it is asked to do is written down; what it refuses is not.
    let update = "/acme/nodes/update-agent";
    say(&mut socket, update, json!({ "id": edge })).await;
    let theirs = platform(&world, "other", "rival").await.rsplit('/').next().unwrap().to_owned();
    for (data, status) in
        [(json!({ "id": theirs }), is(404, "node")), (json!({"id": "x"}), is(400, "id")), (json!({}), is(400, "id"))]
    {
        say(&mut socket, update, data).await;
        assert_eq!(refused(&mut socket).await, status);
    }
    assert_eq!(deeds(&world).await, [(update.to_owned(), json!({ "id": edge }))]);
    expect(&world, "owner", "DELETE", &format!("/api/acme/nodes/{edge}/token"), Value::Null, 204).await;
    assert_eq!(status(&mut socket).await, (edge, "unreachable".to_owned()));
    // The older generation follows the active team's, and others' not at all.
    let mut other = open(&server, world.token("other"), "/api").await.unwrap();
    subscribe(&mut other, "/nodes").await;
    let (kind, data) = hear(&mut other).await;
    assert_eq!((kind.as_str(), &data["id"]), ("/nodes/event", &json!(theirs)));
    say(&mut other, "/nodes/nonsense", json!({})).await;
    assert_eq!(refused(&mut other).await, is(400, "type"), "nothing else was told");
}

#[tokio::test(flavor = "multi_thread")]
async fn containers_are_watched_and_commanded() {
    let (world, server) = started().await;
    let path = own(&world, "owner", "acme").await;
    container(&world, "acme", "shop", "web").await;
    container(&world, "rival", "evil", "web").await;
    let mut socket = open(&server, world.token("owner"), "/api").await.unwrap();
    subscribe(&mut socket, &path).await;
    let to = |word: &str| format!("{path}/{word}");
    let web = json!({"prefix": "shop", "name": "web"});
    say(&mut socket, &to("watch-containers-state"), json!({"prefix": "shop"})).await;
    let (kind, data) = hear(&mut socket).await;
    assert_eq!(kind, to("containers-state-list"));
    let expected = json!({
        "id": web, "command": "", "createdAt": data["containers"][0]["createdAt"], "state": "running",
        "reason": "Started", "imageName": "registry.example/app", "imageTag": "1",
        "ports": [{"internal": 80, "external": null}],
    });
    assert_eq!(data, json!({"prefix": "shop", "containers": [expected]}));
    container(&world, "acme", "shop", "db").await;
    list_until(&mut socket, &path, &[("db", "running"), ("web", "running")]).await;
    // One after the other, as they were sent.
    for operation in ["stop", "start", "restart", "stop"] {
        say(&mut socket, &to("container-command"), json!({"container": web, "operation": operation})).await;
    }
    let commands = loop {
        let commands = world.nodes.own().commands();
        if commands.len() == 4 {
            break commands;
        }
        tokio::task::yield_now().await;
    };
    list_until(&mut socket, &path, &[("db", "running"), ("web", "exited")]).await;
    let words: Vec<ContainerCommand> = commands.into_iter().map(|(_, _, command)| command).collect();
    let wanted = [ContainerCommand::Stop, ContainerCommand::Start, ContainerCommand::Restart, ContainerCommand::Stop];
    assert_eq!(words, wanted);
    say(&mut socket, &to("delete-container"), json!({ "container": web })).await;
    list_until(&mut socket, &path, &[("db", "running"), ("web", "removed")]).await;
    // Once is enough.
    say(&mut socket, &to("container-command"), json!({"container": {"name": "db"}, "operation": "stop"})).await;
    list_until(&mut socket, &path, &[("db", "exited")]).await;

    say(&mut socket, "unsubscribe", json!({ "path": path })).await;
    ended(&mut socket, &path).await;
    subscribe(&mut socket, &path).await;
    let evil = json!({"prefix": "evil", "name": "web"});
    for (word, data, status) in [
        ("container-command", json!({"container": evil, "operation": "stop"}), is(404, "container")),
        ("delete-container", json!({ "container": evil }), is(404, "container")),
        ("container-command", json!({"container": web, "operation": "stop"}), is(404, "container")),
        ("container-command", json!({"container": web, "operation": "burn"}), is(400, "operation")),
        ("container-command", json!({ "container": web }), is(400, "operation")),
        ("container-command", json!({"operation": "stop"}), is(400, "container")),
        ("delete-container", json!({"container": {"prefix": "shop", "name": ""}}), is(400, "container.name")),
        ("delete-container", json!({"container": {"prefix": 1, "name": "web"}}), is(400, "container.prefix")),
        ("watch-container-log", json!({ "container": evil }), is(404, "container")),
        ("watch-container-log", json!({"container": "web"}), is(400, "container")),
        ("watch-container-log", json!({"container": web, "take": 1001}), is(400, "take")),
        ("watch-container-log", json!({"container": web, "take": "1"}), is(400, "take")),
        ("watch-container-log", json!({"container": web, "since": "yesterday"}), is(400, "since")),
        ("watch-container-log", json!({"container": web, "timestamps": 1}), is(400, "timestamps")),
        ("watch-containers-state", json!({"prefix": []}), is(400, "prefix")),
        ("find-image", json!({}), is(400, "type")),
    ] {
        say(&mut socket, &to(word), data.clone()).await;
        assert_eq!(refused(&mut socket).await, status, "{word} {data}");
    }
    // Others' containers are not shown, and are as they were.
    say(&mut socket, &to("watch-containers-state"), json!({"prefix": "evil"})).await;
    assert_eq!(list(&mut socket, &path).await, []);
    say(&mut socket, &to("watch-containers-state"), Value::Null).await;
    assert_eq!(list(&mut socket, &path).await, [("db".to_owned(), "exited".to_owned())]);
    let running = world.nodes.own().running();
    assert!(running.contains(&("evil".to_owned(), "web".to_owned(), ContainerState::Running)), "{running:?}");

    // What was done is in the record, what was looked at or refused is not; nor is it at the node.
    let events: Vec<String> = deeds(&world).await.into_iter().map(|(event, _)| event).collect();
    let (command, delete) = (to("container-command"), to("delete-container"));
    let done = [command.clone(), command.clone(), command.clone(), command.clone(), delete, command];
    assert_eq!(events, done);
    let query = "audit?skip=0&take=100&from=2000-01-01&to=2100-01-01&filterEventType=containerCommand";
    let at_node = get(&world, "owner", &format!("/api{path}/{query}")).await.json();
    assert_eq!(at_node["total"], 6);
    assert_eq!(at_node["items"][5]["data"], json!({"operation": "stopContainer", "container": web}));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_older_generation_watches_the_active_teams_containers() {
    let (world, server) = started().await;
    let path = own(&world, "owner", "acme").await.trim_start_matches("/acme").to_owned();
    container(&world, "acme", "shop", "web").await;
    let mut socket = open(&server, world.token("owner"), "/api").await.unwrap();
    subscribe(&mut socket, &path).await;
    say(&mut socket, &format!("{path}/watch-containers-state"), json!({"prefix": ""})).await;
    let (kind, data) = hear(&mut socket).await;
    assert_eq!((kind, &data["prefix"]), (format!("{path}/containers-state-list"), &Value::Null));
    let one = &data["containers"][0];
    assert_eq!((&one["status"], one.get("reason")), (&json!("Started"), None));
    say(&mut socket, &format!("{path}/container-command"), json!({"container": one["id"], "operation": "stop"})).await;
    list_until(&mut socket, &path, &[("web", "exited")]).await;
}

/// A socket on which the log of a container is followed.
async fn following(world: &World, server: &Server, user: &str, path: &str) -> Socket {
    let mut socket = open(server, world.token(user), "/api").await.unwrap();
    subscribe(&mut socket, path).await;
    let web = json!({"prefix": "shop", "name": "web"});
    say(&mut socket, &format!("{path}/watch-container-log"), json!({ "container": web })).await;
    let line = json!({"container": web, "log": "web says hello"});
    assert_eq!(hear(&mut socket).await, (format!("{path}/container-log"), line));
    socket
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_of_containers_are_followed() {
    let (world, server) = started().await;
    let path = own(&world, "owner", "acme").await;
    container(&world, "acme", "shop", "web").await;
    let node = world.nodes.own();
    let mut socket = following(&world, &server, "owner", &path).await;
    let web = json!({"prefix": "shop", "name": "web"});
    for text in ["one", "ünïcödé \u{1b}[1m \"quoted\"", ""] {
        node.write("web", text);
        node.write("db", "not this");
        let line = json!({"container": web, "log": text});
        assert_eq!(hear(&mut socket).await, (format!("{path}/container-log"), line));
    }
    node.write("web", &"ü".repeat(20 * 1024));
    assert_eq!(hear(&mut socket).await.1["log"].as_str().unwrap().chars().count(), 16 * 1024);
    // Followed anew, it is told from its last lines on, and each line once.
    say(&mut socket, &format!("{path}/watch-container-log"), json!({ "container": web })).await;
    assert_eq!(hear(&mut socket).await.1["log"], "web says hello");
    while node.followers() != 1 {
        tokio::task::yield_now().await;
    }
    node.write("web", "two");
    assert_eq!(hear(&mut socket).await.1["log"], "two");
    // Whoever looks away hears no more, and nobody reads for them.
    say(&mut socket, "unsubscribe", json!({ "path": path })).await;
    ended(&mut socket, &path).await;
    node.write("web", "three");
    say(&mut socket, &format!("{path}/watch-container-log"), json!({ "container": web })).await;
    assert_eq!(refused(&mut socket).await, is(400, "type"));
    while node.followers() != 0 {
        tokio::task::yield_now().await;
    }
    // So does whoever hangs up.
    let socket = following(&world, &server, "owner", &path).await;
    drop(socket);
    while node.followers() != 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(deeds(&world).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_log_is_told_and_lines_have_their_time_when_that_is_wanted() {
    let (world, server) = started().await;
    let path = own(&world, "owner", "acme").await;
    container(&world, "acme", "shop", "web").await;
    let node = world.nodes.own();
    let web = json!({"prefix": "shop", "name": "web"});
    let mut socket = following(&world, &server, "owner", &path).await;
    let watch = json!({"container": web, "take": 1, "timestamps": true, "since": null});
    say(&mut socket, &format!("{path}/watch-container-log"), watch).await;
    let (kind, data) = hear(&mut socket).await;
    let (time, text) = data["log"].as_str().unwrap().split_once(' ').unwrap();
    assert_eq!((kind, text), (format!("{path}/container-log"), "web says hello"));
    let time = chrono::DateTime::parse_from_rfc3339(time).unwrap();
    // What is known is not told again, what is new is.
    let watch = json!({"container": web, "since": time + chrono::TimeDelta::days(1)});
    say(&mut socket, &format!("{path}/watch-container-log"), watch).await;
    let watch = json!({"container": web, "since": time - chrono::TimeDelta::days(1)});
    say(&mut socket, &format!("{path}/watch-container-log"), watch).await;
    assert_eq!(hear(&mut socket).await.1, json!({"container": web, "log": "web says hello"}));
    say(&mut socket, &format!("{path}/container-command"), json!({"container": web, "operation": "stop"})).await;
    let end = (format!("{path}/container-log-end"), json!({ "container": web }));
    assert_eq!(hear(&mut socket).await, end);
    // What does not run writes no more.
    say(&mut socket, &format!("{path}/watch-container-log"), json!({ "container": web })).await;
    assert_eq!(hear(&mut socket).await.1["log"], "web says hello");
    assert_eq!(hear(&mut socket).await, end);
    assert_eq!(node.followers(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_are_followed_by_members_of_their_team_alone() {
    let (world, server) = started().await;
    let (ours, theirs) = (own(&world, "owner", "acme").await, own(&world, "other", "rival").await);
    let nobody = "00000000-0000-4000-8000-000000000000";
    let mut socket = open(&server, world.token("owner"), "/api").await.unwrap();
    for (path, status) in [
        ("/rival/nodes".to_owned(), is(403, "")),
        ("/rival/nodes/nonsense".to_owned(), is(403, "")),
        (theirs.clone(), is(403, "")),
        (theirs.replace("rival", "acme"), is(404, "node")),
        (theirs.replace("/rival", ""), is(404, "node")),
        (format!("/acme/nodes/{nobody}"), is(404, "node")),
        ("/acme/nodes/nonsense".to_owned(), is(400, "nodeId")),
        ("/nodes/nonsense".to_owned(), is(400, "nodeId")),
        (format!("{ours}/x"), is(404, "path")),
    ] {
        say(&mut socket, "subscribe", json!({ "path": path })).await;
        assert_eq!(refused(&mut socket).await, status, "{path}");
    }
    // Nobody who is in no team has an active one.
    let mut stranger = open(&server, world.token("stranger"), "/api").await.unwrap();
    say(&mut stranger, "subscribe", json!({"path": "/nodes"})).await;
    assert_eq!(refused(&mut stranger).await, is(404, "team"));
    // What is not connected has no agent.
    let made = expect(&world, "owner", "POST", "/api/acme/nodes", json!({"name": "edge"}), 201).await.json();
    let edge = format!("/acme/nodes/{}", made["id"].as_str().unwrap());
    subscribe(&mut socket, &edge).await;
    let web = json!({"prefix": "shop", "name": "web"});
    for (word, data) in [
        ("watch-containers-state", Value::Null),
        ("watch-container-log", json!({ "container": web })),
        ("container-command", json!({"container": web, "operation": "stop"})),
        ("delete-container", json!({ "container": web })),
        ("update-agent", Value::Null),
    ] {
        say(&mut socket, &format!("{edge}/{word}"), data).await;
        assert_eq!(refused(&mut socket).await, is(404, "agent"), "{word}");
    }
    // A node that is removed is followed no more.
    expect(&world, "owner", "DELETE", &format!("/api{edge}"), Value::Null, 204).await;
    ended(&mut socket, &edge).await;
    say(&mut socket, &format!("{edge}/update-agent"), Value::Null).await;
    assert_eq!(refused(&mut socket).await, is(400, "type"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_away_is_told_of_once_and_waited_for() {
    let (world, server) = started().await;
    let path = own(&world, "owner", "acme").await;
    container(&world, "acme", "shop", "web").await;
    let node = world.nodes.own();
    let mut socket = open(&server, world.token("owner"), "/api").await.unwrap();
    subscribe(&mut socket, &path).await;
    say(&mut socket, &format!("{path}/watch-containers-state"), json!({"prefix": "shop"})).await;
    assert_eq!(list(&mut socket, &path).await, [("web".to_owned(), "running".to_owned())]);
    node.away(true);
    world.service.nodes_check().await.unwrap();
    // It may be found out by looking there, before it is known that the node is away.
    let (status, _) = refused(&mut socket).await;
    assert!(status == 404 || status == 503, "{status}");
    node.away(false);
    container(&world, "acme", "shop", "db").await;
    world.service.nodes_check().await.unwrap();
    list_until(&mut socket, &path, &[("db", "running"), ("web", "running")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_any_more_hears_no_more_while_listening() {
    let (world, server) = started().await;
    let path = own(&world, "owner", "acme").await;
    container(&world, "acme", "shop", "web").await;
    let teams = get(&world, "owner", "/api/teams").await.json();
    let id = teams[0]["id"].as_str().unwrap().to_owned();
    for user in ["collaborator", "stranger"] {
        world.join(&id, user, Role::User).await;
    }
    // One leaves, another's token is revoked, and in the end the team is no more: none of them asks for anything.
    let mut leaver = following(&world, &server, "collaborator", &path).await;
    let body = json!({"name": "ws", "expirationInDays": 1});
    let made = expect(&world, "stranger", "POST", "/api/tokens", body, 201).await.json();
    let by_token = format!("/api?token={}", made["token"].as_str().unwrap());
    let mut revoked = open(&server, "", &by_token).await.unwrap();
    subscribe(&mut revoked, &path).await;
    let mut owner = following(&world, &server, "owner", &path).await;
    expect(&world, "collaborator", "DELETE", &format!("/api/teams/{id}/users/leave"), Value::Null, 204).await;
    ended(&mut leaver, &path).await;
    let token = format!("/api/tokens/{}", made["id"].as_str().unwrap());
    expect(&world, "stranger", "DELETE", &token, Value::Null, 204).await;
    assert!(matches!(revoked.next().await, Ok(None) | Err(_)), "the socket ends");
    world.nodes.own().write("web", "for the owner");
    assert_eq!(hear(&mut owner).await.1["log"], "for the owner");
    expect(&world, "owner", "DELETE", &format!("/api/teams/{id}"), Value::Null, 204).await;
    ended(&mut owner, &path).await;
}
