//! Which app, which process.

use std::collections::HashSet;
use std::sync::Arc;

use crate::rig::{Rig, config, mirror, named, process, route};

#[tokio::test]
async fn the_host_decides_in_any_case_and_with_any_port() {
    let rig = Rig::start(config()).await;
    let (one, two) = (named("one").await, named("two").await);
    rig.publish_all(
        vec![
            (vec!["one.localhost".to_owned()], Arc::new(route("one", vec![one]))),
            (vec!["*.example.com".to_owned()], Arc::new(route("two", vec![two]))),
        ],
        Vec::new(),
    );
    for (host, name) in [
        ("one.localhost", "one"),
        ("ONE.LocalHost:8080", "one"),
        ("one.localhost.", "one"),
        ("a.example.com", "two"),
        ("B.Example.com:1", "two"),
    ] {
        let mut wire = rig.connect().await;
        wire.send(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        assert_eq!(wire.answer().await.body, name, "{host}");
    }
    // A target in absolute form wins over the header, and the app is told the host that won.
    let mut wire = rig.connect().await;
    wire.send("GET http://one.localhost/x HTTP/1.1\r\nHost: a.example.com\r\n\r\n").await;
    assert_eq!(wire.answer().await.body, "one");
}

#[tokio::test]
async fn an_unknown_host_gets_a_page_that_names_it() {
    let rig = Rig::with(vec![mirror("web.1").await]).await;
    let mut wire = rig.connect().await;
    wire.send("GET / HTTP/1.1\r\nHost: typo.localhost:80\r\nAccept: text/html,*/*\r\n\r\n").await;
    let answer = wire.answer().await;
    assert_eq!(answer.status, 404);
    assert_eq!(answer.headers["content-type"], "text/html; charset=utf-8");
    assert!(answer.body.contains("There is no app at typo.localhost."), "{}", answer.body);
    assert!(answer.body.contains(&answer.headers["x-request-id"]));

    wire.send("GET / HTTP/1.1\r\nHost: typo.localhost\r\nAccept: application/json\r\n\r\n").await;
    let answer = wire.answer().await;
    assert_eq!(answer.headers["content-type"], "application/json");
    assert!(answer.body.contains("\"error\":\"no-app\""), "{}", answer.body);
    assert!(rig.log.entries().is_empty(), "there is no app to tell");
}

#[tokio::test]
async fn replicas_share_the_requests() {
    let rig = Rig::with(vec![named("a").await, named("b").await, named("c").await]).await;
    let mut seen = HashSet::new();
    let mut wire = rig.connect().await;
    for _ in 0..6 {
        wire.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
        seen.insert(wire.answer().await.body);
    }
    assert_eq!(seen.len(), 3);
}

#[tokio::test]
async fn a_busy_replica_is_spared() {
    let busy = named("busy").await;
    let free = named("free").await;
    let held: Vec<_> = (0..3).map(|_| busy.acquire().unwrap()).collect();
    let rig = Rig::with(vec![busy, free]).await;
    for _ in 0..4 {
        assert_eq!(rig.ask("GET /", "").await.body, "free");
    }
    drop(held);
}

#[tokio::test]
async fn connections_to_processes_are_kept() {
    let backend = process("web.1", |mut wire| async move {
        let mut count = 0;
        while wire.head_or_end().await.is_some() {
            count += 1;
            wire.send(&format!("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{count}")).await;
        }
    })
    .await;
    let rig = Rig::with(vec![backend]).await;
    for count in 1..=5 {
        assert_eq!(rig.ask("GET /", "").await.body, count.to_string());
    }
}
