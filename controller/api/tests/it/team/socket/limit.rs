//! Clients that ask for too much, read too little, or send what nobody meant.

use serde_json::{Value, json};
use slipway_client::Piece;

use super::super::get;
use super::super::node::{platform, run};
use super::{hear, is, open, refused, say, started, subscribe};
use crate::world::World;

/// The platform's own node of `acme` with a container, as its path on the socket.
async fn node(world: &World) -> String {
    let teams = get(world, "owner", "/api/teams").await.json();
    let team = teams[0]["id"].as_str().unwrap();
    world.prefix(team, "shop").await;
    run(&world.nodes.own(), team, "shop", "web").await;
    platform(world, "owner", "acme").await.trim_start_matches("/api").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_holds_up_nobody_but_oneself() {
    let (world, server) = started().await;
    let path = node(&world).await;
    world.nodes.own().chatter();
    let web = json!({"prefix": "shop", "name": "web"});
    let mut slow = open(&server, world.token("owner"), "/api").await.unwrap();
    subscribe(&mut slow, &path).await;
    say(&mut slow, &format!("{path}/watch-container-log"), json!({ "container": web })).await;
    // Somebody else is served meanwhile, and nothing is dropped for the slow one.
    let mut quick = open(&server, world.token("owner"), "/api").await.unwrap();
    subscribe(&mut quick, &path).await;
    say(&mut quick, &format!("{path}/watch-container-log"), json!({ "container": web })).await;
    // More than fits between here and there.
    for (socket, lines) in [(&mut quick, 300), (&mut slow, 2000)] {
        for number in 0..lines {
            assert_eq!(hear(socket).await.1["log"].as_str().unwrap().trim(), number.to_string());
        }
    }
    // Who has too much can look away: nothing comes after that was told.
    say(&mut slow, "unsubscribe", json!({ "path": path })).await;
    loop {
        if hear(&mut slow).await.0 == "unsubbed" {
            break;
        }
    }
    subscribe(&mut slow, "/acme/registries").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_messages_is_answered_one_by_one() {
    let (world, server) = started().await;
    let path = node(&world).await;
    let mut socket = open(&server, world.token("owner"), "/api").await.unwrap();
    subscribe(&mut socket, &path).await;
    for number in 0..200 {
        say(&mut socket, "unsubscribe", json!({ "path": number.to_string() })).await;
    }
    for number in 0..200 {
        let answer = json!({ "path": number.to_string() });
        assert_eq!(hear(&mut socket).await, ("unsubbed".to_owned(), answer));
    }
    // Commands wait for each other, and not too many of them: all are done or refused.
    let command = json!({"container": {"prefix": "shop", "name": "web"}, "operation": "restart"});
    for _ in 0..100 {
        say(&mut socket, &format!("{path}/container-command"), command.clone()).await;
    }
    say(&mut socket, &format!("{path}/delete-container"), json!({})).await;
    say(&mut socket, "unsubscribe", json!({"path": "/the/end"})).await;
    let mut refusals = 0;
    loop {
        let (kind, data) = hear(&mut socket).await;
        if kind == "unsubbed" {
            break;
        }
        assert_eq!((kind.as_str(), &data["status"]), ("error", &json!(400)), "{data}");
        refusals += 1;
    }
    // The last one was refused, too, or is yet to be; what was taken is done.
    while world.nodes.own().commands().len() + refusals < 100 {
        tokio::task::yield_now().await;
    }
    assert!(!world.nodes.own().commands().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_and_watches_have_limits() {
    let (world, server) = started().await;
    let path = node(&world).await;
    let mut socket = open(&server, world.token("owner"), "/api").await.unwrap();
    subscribe(&mut socket, &path).await;
    for number in 0..16 {
        let prefix = format!("p{number}");
        say(&mut socket, &format!("{path}/watch-containers-state"), json!({ "prefix": prefix })).await;
        let (_, data) = hear(&mut socket).await;
        assert_eq!(data, json!({"prefix": prefix, "containers": []}));
    }
    say(&mut socket, &format!("{path}/watch-containers-state"), json!({"prefix": "more"})).await;
    assert_eq!(refused(&mut socket).await, is(400, "type"));
    // Looking away makes room.
    say(&mut socket, "unsubscribe", json!({ "path": path })).await;
    assert_eq!(hear(&mut socket).await.0, "unsubbed");
    subscribe(&mut socket, &path).await;
    say(&mut socket, &format!("{path}/watch-containers-state"), json!({"prefix": "more"})).await;
    assert_eq!(hear(&mut socket).await.1["prefix"], "more");
    say(&mut socket, "unsubscribe", json!({ "path": path })).await;
    assert_eq!(hear(&mut socket).await.0, "unsubbed");

    let mut nodes = Vec::new();
    for number in 0..33 {
        let body = json!({ "name": format!("n{number}") });
        let made = super::expect(&world, "owner", "POST", "/api/acme/nodes", body, 201).await.json();
        nodes.push(format!("/acme/nodes/{}", made["id"].as_str().unwrap()));
    }
    for path in &nodes[..32] {
        subscribe(&mut socket, path).await;
    }
    say(&mut socket, "subscribe", json!({ "path": nodes[32] })).await;
    assert_eq!(refused(&mut socket).await, is(400, "path"));
    subscribe(&mut socket, &nodes[0]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_messages_are_refused_and_end_nothing() {
    let (world, server) = started().await;
    let path = node(&world).await;
    let mut socket = open(&server, world.token("owner"), "/api").await.unwrap();
    subscribe(&mut socket, &path).await;
    let named = |word: &str, data: &str| format!(r#"{{"type": "{path}/{word}", "data": {data}}}"#);
    let long = "x".repeat(60_000);
    for (text, status) in [
        ("[".repeat(60_000), 400),
        (r#"{"a":"#.repeat(10_000), 400),
        (String::new(), 400),
        ("\u{0}".to_owned(), 400),
        ("1e999999".to_owned(), 400),
        ("null".to_owned(), 400),
        (r#"{"type": null}"#.to_owned(), 400),
        (r#"{"type": "subscribe", "data": {"path": {"path": "/acme/nodes"}}}"#.to_owned(), 400),
        (format!(r#"{{"type": "subscribe", "data": {{"path": "/acme/nodes/{long}"}}}}"#), 404),
        (r#"{"type": "subscribe", "data": {"path": "/acme/nodes/../registries"}}"#.to_owned(), 404),
        (r#"{"type": "subscribe", "data": {"path": "/%61cme/nodes"}}"#.to_owned(), 403),
        (r#"{"type": "subscribe", "data": {"path": "/ac\u0000me/nodes"}}"#.to_owned(), 403),
        (format!(r#"{{"type": "{long}/x"}}"#), 400),
        (named("container-command", r#"{"container": {"name": "w\u0000eb"}, "operation": "stop"}"#), 400),
        (named("container-command", r#"{"container": {"name": "../web"}, "operation": "stop"}"#), 404),
        (named("container-command", &format!(r#"{{"container": {{"name": "{long}"}}, "operation": "stop"}}"#)), 400),
        (named("delete-container", r#"{"container": [[[]]]}"#), 400),
        (named("watch-container-log", r#"{"container": {"prefix": "-f", "name": "--help"}}"#), 404),
        (named("watch-containers-state", r#"{"prefix": 18446744073709551616}"#), 400),
        (named("", "{}"), 400),
        (format!(r#"{{"type": "{path}", "data": {{}}}}"#), 400),
    ] {
        socket.send(Piece::Text(text.clone())).await.unwrap();
        assert_eq!(refused(&mut socket).await.0, status, "{}", text.chars().take(200).collect::<String>());
    }
    say(&mut socket, &format!("{path}/watch-containers-state"), Value::Null).await;
    assert_eq!(hear(&mut socket).await.1["containers"].as_array().unwrap().len(), 1);
    assert_eq!(world.nodes.own().commands(), []);
}
