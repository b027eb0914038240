//! What the dployr API tells of processes: how they ended, where they are, what they use, what they write, and whether
//! they answer. Source: `dployr-v1.md` §5.1, §6 and §7.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};
use slipway_core::ProcessType;
use slipway_core::log::LogLine;
use slipway_engine::{Engine, HttpCheckOutcome, LastExit};
use slipway_service::testing::FakeClock;
use slipway_service::{Clock, RateLimits};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::dployr_v1::{get, post, seed_deployment, send, status, until};
use crate::serve::{Server, read_until};
use crate::world::{Database, World, both};

/// Makes an app that runs.
async fn blog(world: &World) {
    world.named_app("owner", "blog").await;
    let build = json!({"image": "example/app:1", "procfile": {"web": "run"}});
    assert_eq!(post(world, "/v2/apps/blog/builds/", build).await.status, 201);
}

async fn places(database: Database) {
    let world = World::new(database).await;
    blog(&world).await;
    let now = world.service.now();
    let ended = until(&world, "/v1/services/blog/status", |body| body["status"] == "running").await;
    assert_eq!((&ended["exit_code"], &ended["health"]), (&json!(null), &json!("healthy")));
    world.engine.script_exit(ProcessType::web(), LastExit { code: 137, time: Some(now) });
    let ended = get(&world, "/v1/services/blog/status").await.json();
    assert_eq!((&ended["exit_code"], &ended["health"]), (&json!(137), &json!("healthy")), "it runs again");

    let found = get(&world, "/v1/instances").await.json()["instances"][0].clone();
    assert_eq!(found, get(&world, &format!("/v1/instances/{}", found["tag"].as_str().unwrap())).await.json());
    let machine = send(&world, "admin", "GET", "/v1/instances?kind=node", None).await.json()["instances"][0].clone();
    for field in ["region", "os", "arch", "cpu_count", "memory_total_bytes"] {
        assert!(!machine[field].is_null() && found[field] == machine[field], "{field}: {found}");
    }
    assert_eq!((&found["address"], &found["version"]), (&json!("10.1.0.7"), &json!("1")), "{found}");

    let metrics = format!("/v1/instances/{}/metrics", machine["id"].as_str().unwrap());
    let metrics = send(&world, "admin", "GET", &metrics, None).await.json();
    let disk = json!({
        "filesystem": "/dev/sda1", "mount_point": "/", "total_bytes": 100, "used_bytes": 60, "available_bytes": 30,
    });
    assert_eq!((&metrics["disks"], &metrics["network"]), (&json!([disk]), &json!({"rx_bytes": 5, "tx_bytes": 7})));
    assert!(metrics["processes"]["summary"]["total"].is_null() && metrics["swap"]["total_bytes"].is_null());
}

both!(places, processes_tell_where_they_are_and_how_they_ended);

/// A world whose clock is turned by hand, and whose users are the usual ones.
async fn world(clock: &Arc<FakeClock>) -> World {
    let shared = Arc::clone(clock) as Arc<dyn Clock>;
    let limits = RateLimits { user: 1_000_000, anonymous: 1_000_000 };
    let mut world =
        World::at_clock(Database::Sqlite, "example.com", shared, |config| config.rate_limits = limits).await;
    for name in ["admin", "owner"] {
        world.login(name).await;
    }
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_does_not_answer_is_degraded() {
    let clock = Arc::new(FakeClock::default());
    let world = world(&clock).await;
    let image = json!({"name": "shop", "source": "image", "image": "example/shop:1", "health_check": "health/"});
    assert_eq!(post(&world, "/v1/deployments", image).await.status, 201);
    status(&world, "/v1/deployments/shop", "completed").await;
    world.engine.script_answer("shop", HttpCheckOutcome::Answered(500));
    // Whoever leads looks at the clock by itself.
    let turned = async |health: &str| {
        let is_so = |body: &Value| {
            clock.advance(Duration::from_secs(10));
            body["health"] == json!(health)
        };
        until(&world, "/v1/services/shop/status", is_so).await
    };
    assert_eq!(turned("degraded").await["status"], json!("running"));
    assert_eq!(get(&world, "/v1/services").await.json()["services"][0]["health"], json!("degraded"));
    assert!(world.engine.checks().iter().all(|check| check.path == "/health" && check.name.as_str() == "shop"));
    world.engine.script_answer("shop", HttpCheckOutcome::Answered(404));
    turned("healthy").await;
}

/// The messages of an answer.
fn messages(lines: &Value) -> Vec<&str> {
    lines.as_array().unwrap().iter().map(|line| line["message"].as_str().unwrap()).collect()
}

/// Asks to follow a log.
async fn follow(server: &Server, token: &str, query: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    let head = format!(
        "GET /v1/services/blog/logs?follow=true{query} HTTP/1.1\r\nhost: x\r\nauthorization: token {token}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_go_back_a_day_or_when_followed_a_quarter_of_an_hour() {
    let clock = Arc::new(FakeClock::default());
    let world = world(&clock).await;
    blog(&world).await;
    let app = get(&world, "/v2/apps/blog/").await.json()["uuid"].as_str().unwrap().parse().unwrap();
    let now = clock.now();
    let line = |age: TimeDelta, text: &str| {
        let line = LogLine { time: now - age, source: "web.1".to_owned(), text: text.to_owned() };
        world.engine.log_sink().append(app, line);
    };
    line(TimeDelta::hours(24) + TimeDelta::seconds(1), "yesterday");
    line(TimeDelta::hours(24), "a day ago");
    line(TimeDelta::minutes(15) + TimeDelta::seconds(1), "this morning");
    line(TimeDelta::minutes(15), "just now");
    let logs = async |query: &str| get(&world, &format!("/v1/services/blog/logs{query}")).await.json();
    assert_eq!(messages(&logs("").await), ["a day ago", "this morning", "just now"]);
    assert_eq!(messages(&logs("?since=0").await), ["yesterday", "a day ago", "this morning", "just now"]);
    let since = (now - TimeDelta::minutes(16)).to_rfc3339();
    assert_eq!(messages(&logs(&format!("?since={since}&tail=1")).await), ["just now"]);

    let server = Server::start_api(&world, slipway_api::api(world.state())).await;
    let token = world.token("owner");
    let mut first = follow(&server, token, "").await;
    let told = read_until(&mut first, "just now").await;
    assert!(told.starts_with("HTTP/1.1 200 OK\r\n") && told.contains("application/x-ndjson"), "{told}");
    assert!(told.contains("x-content-type-options: nosniff\r\n") && !told.contains("this morning"), "{told}");
    let mut second = follow(&server, token, "&since=0").await;
    assert!(read_until(&mut second, "just now").await.contains("yesterday"));

    // It stays open, and its place is another's when the reader is gone.
    line(TimeDelta::zero(), "a new one");
    read_until(&mut first, "a new one").await;
    let refused = read_until(&mut follow(&server, token, "").await, "}}").await;
    assert!(refused.starts_with("HTTP/1.1 429 ") && refused.contains(r#""code":"rate_limited""#), "{refused}");
    drop(first);
    let deadline = tokio::time::Instant::now() + Duration::from_mins(3);
    loop {
        // A reader that is gone is found out when there is something to be sent.
        line(TimeDelta::zero(), "another");
        let mut third = follow(&server, token, "").await;
        if read_until(&mut third, "\r\n\r\n").await.starts_with("HTTP/1.1 200 ") {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "the place is not given back");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_in_the_envelope() {
    let world = World::new(Database::Postgres).await;
    world.named_app("owner", "blog").await;
    let grant = json!({"username": "collaborator"});
    assert_eq!(post(&world, "/v2/apps/blog/perms/", grant).await.status, 201);
    let taken = json!({"name": "site"});
    assert_eq!(post(&world, "/v1/projects", taken.clone()).await.status, 201);
    let mut refusals = vec![
        post(&world, "/v1/deployments", json!({})).await,
        world.request("POST", "/v1/deployments").user("owner").text_body("{").send().await,
        world.request("GET", "/v1/deployments").send().await,
        send(&world, "collaborator", "DELETE", "/v1/deployments/blog", None).await,
        get(&world, "/v1/services/none").await,
        world.request("PATCH", "/v1/projects").user("owner").send().await,
        post(&world, "/v1/projects", taken).await,
        post(&world, "/v1/deployments", json!({"name": "x".repeat(3 << 20)})).await,
    ];
    world.database_drop().await;
    refusals.push(get(&world, "/v1/projects").await);
    let expect = [
        (400, "invalid_request"),
        (400, "invalid_request"),
        (401, "unauthorized"),
        (403, "forbidden"),
        (404, "not_found"),
        (405, "method_not_allowed"),
        (409, "conflict"),
        (413, "payload_too_large"),
        (503, "unavailable"),
    ];
    for (reply, (code, word)) in refusals.iter().zip(expect) {
        let body = reply.json();
        assert_eq!((reply.status, &body["error"]["code"]), (code, &json!(word)), "{reply:?}");
        assert!(body["error"]["message"].as_str().is_some_and(|text| !text.is_empty()), "{reply:?}");
        let headers = ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"];
        assert!(headers.iter().all(|name| reply.header(name).is_some()), "{reply:?}");
    }
}

/// Every request of the published page, as (method, path).
const PAGE: [(&str, &str); 23] = [
    ("POST", "/v1/auth/login"),
    ("POST", "/v1/deployments"),
    ("GET", "/v1/deployments"),
    ("GET", "/v1/deployments/blog"),
    ("PUT", "/v1/deployments/blog"),
    ("DELETE", "/v1/deployments/blog"),
    ("GET", "/v1/services"),
    ("GET", "/v1/services/blog/status"),
    ("POST", "/v1/services/blog/start"),
    ("POST", "/v1/services/blog/stop"),
    ("POST", "/v1/services/blog/restart"),
    ("GET", "/v1/services/blog/logs?tail=100&follow=false"),
    ("GET", "/v1/instances"),
    ("GET", "/v1/proxy/routes"),
    ("POST", "/v1/proxy/routes"),
    ("GET", "/v1/projects"),
    ("POST", "/v1/projects"),
    ("DELETE", "/v1/projects/site"),
    ("GET", "/v1/services/blog/env"),
    ("POST", "/v1/services/blog/env"),
    ("DELETE", "/v1/services/blog/env/A"),
    ("POST", "/v1/webhooks"),
    ("GET", "/v1/webhooks"),
];

#[tokio::test(flavor = "multi_thread")]
async fn no_request_of_the_page_is_unknown_with_a_slash_or_without() {
    let world = World::new(Database::Sqlite).await;
    for (method, path) in PAGE {
        let (path, query) =
            path.split_once('?').map_or((path, String::new()), |(path, rest)| (path, format!("?{rest}")));
        for path in [format!("{path}{query}"), format!("{path}/{query}")] {
            // Nobody's word is taken for what is there, so that only routes decide.
            let reply = world.request(method, &path).send().await;
            assert!(matches!(reply.status, 400 | 401), "{method} {path}: {reply:?}");
        }
    }
    let unknown = world.request("GET", "/v1/nothing").send().await;
    assert_eq!(unknown.status, 404, "{unknown:?}");
    assert_eq!(post(&world, "/v1/deployments", seed_deployment()).await.status, 201);
}
