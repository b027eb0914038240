//! The WebSocket of teams, over a real connection.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use slipway_client::{Client, ClientError, Piece, Socket, StatusCode};
use slipway_service::{WebAnswer, WebError};
use tokio::time::timeout;

use super::{expect, get, two_teams};
use crate::serve::Server;
use crate::world::{Database, World};

mod deployment;
mod limit;
mod node;

/// Longest that anything here may take.
const PATIENCE: Duration = Duration::from_mins(3);
const HUB: &str = "https://hub.docker.com/v2";

async fn open(server: &Server, token: &str, path: &str) -> Result<Socket, ClientError> {
    let client = Client::builder(format!("http://{}", server.addr));
    let client = if token.is_empty() { client } else { client.token(token.to_owned().into()) };
    client.http1_only().build().unwrap().socket(path).await
}

async fn say(socket: &mut Socket, kind: &str, data: Value) {
    socket.send(Piece::Text(json!({ "type": kind, "data": data }).to_string())).await.unwrap();
}

/// The next message: its type and its data.
async fn hear(socket: &mut Socket) -> (String, Value) {
    match timeout(PATIENCE, socket.next()).await.expect("a message in time").unwrap() {
        Some(Piece::Text(text)) => {
            let message: Value = serde_json::from_str(&text).unwrap();
            (message["type"].as_str().unwrap().to_owned(), message["data"].clone())
        }
        other => panic!("{other:?}"),
    }
}

async fn subscribe(socket: &mut Socket, path: &str) {
    say(socket, "subscribe", json!({ "path": path })).await;
    assert_eq!(hear(socket).await, ("subbed".to_owned(), json!({ "path": path })));
}

/// Status and property of a refusal.
async fn refused(socket: &mut Socket) -> (u64, String) {
    let (kind, data) = hear(socket).await;
    assert_eq!(kind, "error", "{data}");
    assert!(!data["message"].as_str().unwrap().is_empty());
    (data["status"].as_u64().unwrap(), data["property"].as_str().unwrap_or_default().to_owned())
}

fn is(status: u64, property: &str) -> (u64, String) {
    (status, property.to_owned())
}

/// Reads until what was subscribed to is said to be gone; what was told before does not matter.
async fn ended(socket: &mut Socket, path: &str) {
    loop {
        let (kind, data) = hear(socket).await;
        if kind == "unsubbed" {
            assert_eq!(data, json!({ "path": path }));
            return;
        }
        assert!(kind.starts_with(path), "{kind}: {data}");
    }
}

/// What the record of the team says of messages on sockets, oldest first: their type and data.
async fn deeds(world: &World) -> Vec<(String, Value)> {
    let path = "/api/acme/audit-log?skip=0&take=100&from=2000-01-01&to=2100-01-01";
    let record = get(world, "owner", path).await.json();
    let items = record["items"].as_array().unwrap_or_else(|| panic!("{record}")).clone();
    let by_socket = items.into_iter().rev().filter(|item| item["context"] == "ws");
    by_socket
        .map(|item| {
            assert_eq!((&item["actorType"], &item["method"]), (&json!("user"), &Value::Null), "{item}");
            (item["event"].as_str().unwrap().to_owned(), item["data"].clone())
        })
        .collect()
}

async fn started() -> (World, Server) {
    let world = two_teams(Database::Sqlite).await;
    let server = Server::start(&world).await;
    (world, server)
}

async fn registry(world: &World, user: &str, slug: &str, body: Value) -> String {
    let reply = expect(world, user, "POST", &format!("/api/{slug}/registries"), body, 201).await;
    reply.json()["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_is_known_opens_it() {
    let (world, server) = started().await;
    let body = json!({"name": "ws", "expirationInDays": 1});
    let made = expect(&world, "owner", "POST", "/api/tokens", body, 201).await.json();
    let (id, token) = (made["id"].as_str().unwrap(), made["token"].as_str().unwrap());
    for (token, path) in [("", "/api"), ("none", "/api"), ("", "/api?token=none")] {
        let error = open(&server, token, path).await.unwrap_err();
        assert_eq!(error.status(), Some(StatusCode::FORBIDDEN), "{path}");
    }
    assert_eq!(get(&world, "", "/api").await.status, 403);
    assert_eq!(get(&world, "owner", "/api").await.status, 400, "it is for WebSockets");
    for (header, path) in [(world.token("owner"), "/api".to_owned()), ("", format!("/api?token={token}"))] {
        let mut socket = open(&server, header, &path).await.unwrap();
        subscribe(&mut socket, "/acme/registries").await;
    }
    // A token that is revoked is good for nothing more, also where it is in use.
    let mut socket = open(&server, token, "/api").await.unwrap();
    subscribe(&mut socket, "/acme/registries").await;
    expect(&world, "owner", "DELETE", &format!("/api/tokens/{id}"), Value::Null, 204).await;
    // The other end may have hung up already.
    let again = json!({"type": "subscribe", "data": {"path": "/acme/registries"}});
    let _ = socket.send(Piece::Text(again.to_string())).await;
    assert!(!matches!(timeout(PATIENCE, socket.next()).await.unwrap(), Ok(Some(Piece::Text(_)))));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_hosts_cannot_use_the_cookie() {
    let (world, _server) = started().await;
    let login = world.request("POST", "/api/auth/login").json_body(&json!({"username": "owner", "password": "pw"}));
    let login = login.send().await;
    let cookie = login.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    for (origin, expect) in [
        ("https://evil.example", 403),
        ("null", 403),
        ("https://slipway.example.com.evil.example", 403),
        ("https://slipway.example.com", 400),
        ("http://controller.test", 400),
    ] {
        let request = world.request("GET", "/api").header("cookie", &cookie).header("origin", origin);
        let reply = request.header("host", "controller.test").send().await;
        assert_eq!(reply.status, expect, "{origin}: {reply:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn teams_are_followed_by_their_members_alone() {
    let (world, server) = started().await;
    let mut socket = open(&server, world.token("owner"), "/api").await.unwrap();
    for path in ["/rival/registries", "/nobody/registries"] {
        say(&mut socket, "subscribe", json!({ "path": path })).await;
        assert_eq!(refused(&mut socket).await, is(403, ""), "{path}");
    }
    for path in ["", "/acme", "/acme/none", "acme/registries", "/acme/registries/x"] {
        say(&mut socket, "subscribe", json!({ "path": path })).await;
        assert_eq!(refused(&mut socket).await, is(404, "path"), "{path}");
    }
    for (message, property) in [
        ("[]".to_owned(), "type"),
        (json!({"type": 1}).to_string(), "type"),
        (json!({"type": "subscribe", "data": []}).to_string(), "data"),
        (json!({"type": "subscribe"}).to_string(), "path"),
        (json!({"type": "nonsense"}).to_string(), "type"),
        (json!({"type": "/acme/registries/find-image"}).to_string(), "type"),
        ("nonsense".to_owned(), ""),
    ] {
        socket.send(Piece::Text(message.clone())).await.unwrap();
        assert_eq!(refused(&mut socket).await, is(400, property), "{message}");
    }
    socket.send(Piece::Binary(b"{}".to_vec())).await.unwrap();
    assert_eq!(refused(&mut socket).await, is(400, "type"));
    // The active team needs no slug, as the older generation has it.
    subscribe(&mut socket, "/registries").await;
    subscribe(&mut socket, "/acme/registries").await;
    say(&mut socket, "/acme/registries/nonsense", json!({"registryId": uuid::Uuid::nil().to_string()})).await;
    assert_eq!(refused(&mut socket).await, is(400, "type"));
    say(&mut socket, "unsubscribe", json!({"path": "/acme/registries"})).await;
    assert_eq!(hear(&mut socket).await.0, "unsubbed");
    say(&mut socket, "/acme/registries/find-image", json!({})).await;
    assert_eq!(refused(&mut socket).await, is(400, "type"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_a_team_follows_it_no_more() {
    let (world, server) = started().await;
    let teams = get(&world, "owner", "/api/teams").await.json();
    let id = teams[0]["id"].as_str().unwrap();
    world.join(id, "collaborator", slipway_team::Role::User).await;
    let mut socket = open(&server, world.token("collaborator"), "/api").await.unwrap();
    subscribe(&mut socket, "/acme/registries").await;
    expect(&world, "collaborator", "DELETE", &format!("/api/teams/{id}/users/leave"), Value::Null, 204).await;
    for status in [is(403, ""), is(400, "type")] {
        say(&mut socket, "/acme/registries/find-image", json!({"registryId": id, "filter": ""})).await;
        assert_eq!(refused(&mut socket).await, status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn images_and_tags_are_found_in_registries() {
    let (world, server) = started().await;
    let hub = get(&world, "owner", "/api/acme/registries").await.json()[0]["id"].as_str().unwrap().to_owned();
    let own = json!({"name": "own", "type": "unchecked", "details": {"url": "https://r.example.com/inner"}});
    let own = registry(&world, "owner", "acme", own).await;
    let local = json!({"name": "local", "type": "unchecked", "details": {"url": ""}});
    let local = registry(&world, "owner", "acme", local).await;
    let theirs = json!({"name": "own", "type": "unchecked", "details": {"url": "https://r.example.com"}});
    let theirs = registry(&world, "other", "rival", theirs).await;
    world.web.answer(
        &format!("{HUB}/repositories/library/"),
        200,
        r#"{"results": [{"name": "nginx"}, {"name": "node"}, {"name": "nginx-unit"}]}"#,
    );
    let tags = r#"{"results": [{"name": "1.29"}, {"name": "latest"}]}"#;
    world.web.answer(&format!("{HUB}/repositories/library/nginx/tags"), 200, tags);
    // This one wants a token first.
    let challenge = r#"Bearer realm="https://auth.example.com/token",service="r""#.to_owned();
    let closed = WebAnswer { status: 401, authenticate: Some(challenge), body: Bytes::new() };
    world.web.answer_with("https://r.example.com/v2/_catalog", Ok(closed.clone()));
    let catalog = r#"{"repositories": ["inner/web", "inner/db", "outer/web"]}"#;
    world.web.answer("https://r.example.com/v2/_catalog", 200, catalog);
    world.web.answer("https://auth.example.com/token", 200, r#"{"token": "REALM-TOKEN"}"#);
    world.web.answer("https://r.example.com/v2/inner/web/tags/list", 200, r#"{"name": "web", "tags": ["2", "1"]}"#);

    let mut socket = open(&server, world.token("owner"), "/api").await.unwrap();
    subscribe(&mut socket, "/acme/registries").await;
    let (find, fetch) = ("/acme/registries/find-image", "/acme/registries/fetch-image-tags");
    for (id, filter, expect) in [
        (&hub, "nginx", json!([{"name": "nginx"}, {"name": "nginx-unit"}])),
        (&own, "w", json!([{"name": "web"}])),
        (&local, "", json!([])),
    ] {
        say(&mut socket, find, json!({ "registryId": id, "filter": filter })).await;
        let expect = json!({ "registryId": id, "images": expect });
        assert_eq!(hear(&mut socket).await, (format!("{find}-result"), expect));
    }
    for (id, image, tags) in [(&hub, "nginx", json!(["1.29", "latest"])), (&own, "web", json!(["2", "1"]))] {
        say(&mut socket, fetch, json!({ "registryId": id, "images": [image] })).await;
        let expect = json!({ "registryId": id, "images": [{ "name": image, "tags": tags }] });
        assert_eq!(hear(&mut socket).await, ("/acme/registries/registry-image-tags".to_owned(), expect));
    }
    let calls = world.web.calls();
    assert!(calls.iter().any(|(_, url, _, _)| url.contains("scope=registry%3Acatalog%3A*")), "{calls:?}");
    assert!(calls.iter().any(|(_, url, bearer, _)| {
        url.contains("/v2/_catalog") && bearer.as_deref() == Some("Bearer REALM-TOKEN")
    }));

    // What is another team's is not there, and what is no name is not asked for.
    let before = world.web.calls().len();
    for (word, data, status) in [
        ("find-image", json!({"registryId": theirs, "filter": ""}), is(404, "registry")),
        ("find-image", json!({"registryId": "x", "filter": ""}), is(400, "registryId")),
        ("find-image", json!({"registryId": hub}), is(400, "filter")),
        ("find-image", json!({"registryId": hub, "filter": "x".repeat(200)}), is(400, "filter")),
        ("fetch-image-tags", json!({"registryId": hub, "images": ["../../users"]}), is(400, "images")),
        ("fetch-image-tags", json!({"registryId": hub, "images": "nginx"}), is(400, "images")),
        ("fetch-image-tags", json!({"registryId": hub, "images": vec!["a"; 21]}), is(400, "images")),
    ] {
        say(&mut socket, &format!("/acme/registries/{word}"), data.clone()).await;
        assert_eq!(refused(&mut socket).await, status, "{data}");
    }
    assert_eq!(world.web.calls().len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_registries_refuse_is_told_by_a_code() {
    let (world, server) = started().await;
    let mut socket = open(&server, world.token("owner"), "/api").await.unwrap();
    subscribe(&mut socket, "/acme/registries").await;
    for (number, (answer, status, code)) in [
        (Ok(429), 400, json!("registryRateLimit")),
        (Ok(403), 401, json!("registryUnauthorized")),
        (Ok(500), 400, Value::Null),
        (Err(WebError::Private), 400, Value::Null),
    ]
    .into_iter()
    .enumerate()
    {
        let host = format!("r{number}.example.com");
        let body = json!({"name": host, "type": "unchecked", "details": {"url": host}});
        let id = registry(&world, "owner", "acme", body).await;
        let answer = answer.map(|status| WebAnswer { status, authenticate: None, body: Bytes::from("SECRET") });
        world.web.answer_with(&format!("https://{host}/v2/_catalog"), answer);
        say(&mut socket, "/acme/registries/find-image", json!({"registryId": id, "filter": ""})).await;
        let (kind, data) = hear(&mut socket).await;
        assert_eq!((kind.as_str(), &data["status"], &data["error"]), ("error", &json!(status), &code), "{data}");
        assert!(!data.to_string().contains("SECRET"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_and_subscriptions_have_limits() {
    let (world, server) = started().await;
    let mut socket = open(&server, world.token("owner"), "/api").await.unwrap();
    for path in ["/acme/registries", "/acme/registries"] {
        subscribe(&mut socket, path).await;
    }
    // The other end may hang up before all of it was sent.
    let _ = socket.send(Piece::Text("x".repeat(70 * 1024))).await;
    let end = timeout(PATIENCE, socket.next()).await.expect("an end in time");
    assert!(!matches!(end, Ok(Some(Piece::Text(_)))), "{end:?}");
}
