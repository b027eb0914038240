//! Requests that are broken, too large, or meant to be read differently by two servers.

use std::time::Duration;

use tokio::io::AsyncWriteExt;

use crate::rig::{Rig, config, mirror, process, route};

async fn status(rig: &Rig, request: &str) -> u16 {
    let mut wire = rig.connect().await;
    wire.send(request).await;
    wire.answer().await.status
}

#[tokio::test]
async fn broken_hosts_are_refused() {
    let rig = Rig::with(vec![mirror("web.1").await]).await;
    for head in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost:\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: app.localhost\r\nHost: other.localhost\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: app.localhost/x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: user@app.localhost\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: app.localhost:99x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: <script>\r\n\r\n",
    ] {
        assert_eq!(status(&rig, head).await, 400, "{head}");
    }
}

#[tokio::test]
async fn requests_that_two_servers_read_differently_do_not_pass() {
    let rig = Rig::with(vec![mirror("web.1").await]).await;
    for lines in [
        "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        "Content-Length: +5\r\n\r\nhello",
        "Content-Length: 5, 6\r\n\r\nhello",
        "Content-Length: 0x5\r\n\r\nhello",
        "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "Bad Header: x\r\n\r\n",
        "X: a\0b\r\n\r\n",
        " Folded: x\r\n\r\n",
    ] {
        let request = format!("POST / HTTP/1.1\r\nHost: app.localhost\r\n{lines}");
        assert_eq!(status(&rig, &request).await, 400, "{lines:?}");
    }
    for request in [
        "CONNECT app.localhost:80 HTTP/1.1\r\nHost: app.localhost\r\n\r\n",
        "TRACE / HTTP/1.1\r\nHost: app.localhost\r\n\r\n",
    ] {
        assert_eq!(status(&rig, request).await, 405, "{request}");
    }
}

#[tokio::test]
async fn with_both_lengths_chunked_wins_and_the_connection_ends() {
    let rig = Rig::with(vec![mirror("web.1").await]).await;
    let mut wire = rig.connect().await;
    // Read by its length, the body would hold the start of a second request.
    wire.send(
        "POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n\
         0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: app.localhost\r\n\r\n",
    )
    .await;
    let answer = wire.answer().await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.mirrored("content-length"), None);
    assert_eq!(answer.mirrored("transfer-encoding").as_deref(), Some("chunked"));
    assert!(wire.is_at_end().await);
    assert_eq!(rig.log.texts(1).await.len(), 1);
}

#[tokio::test]
async fn sizes_have_limits() {
    let mut config = config();
    config.limits.uri_bytes = 1000;
    config.limits.header_bytes = 10_000;
    let rig = Rig::start(config).await;
    rig.publish(route("app", vec![mirror("web.1").await]), Vec::new());
    assert_eq!(rig.ask(&format!("GET /{}", "a".repeat(999)), "").await.status, 200);
    assert_eq!(rig.ask(&format!("GET /{}", "a".repeat(1000)), "").await.status, 414);
    assert_eq!(rig.ask("GET /", &format!("X-Large: {}\r\n", "a".repeat(11_000))).await.status, 431);
    assert_eq!(rig.ask("GET /", &"X-Many: 1\r\n".repeat(120)).await.status, 431);
}

#[tokio::test]
async fn a_client_that_sends_its_head_too_slowly_is_cut() {
    let mut config = config();
    config.timeouts.header_read = Duration::from_millis(100);
    let rig = Rig::start(config).await;
    let mut silent = rig.connect().await;
    assert!(silent.is_at_end().await);
    let mut slow = rig.connect().await;
    slow.send("GET / HTTP/1.1\r\nHost: app.lo").await;
    assert!(slow.is_at_end().await);
    assert_eq!(rig.metrics.snapshot().by_class, [0; 5]);
}

#[tokio::test]
async fn connections_over_the_limit_wait() {
    let mut config = config();
    config.limits.connections = 1;
    let rig = Rig::start(config).await;
    rig.publish(route("app", vec![mirror("web.1").await]), Vec::new());
    let mut first = rig.connect().await;
    first.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
    assert_eq!(first.answer().await.status, 200);
    let mut second = rig.connect().await;
    second.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
    // Time enough to take the second, if it were taken.
    for _ in 0..5 {
        first.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
        assert_eq!(first.answer().await.status, 200);
    }
    assert_eq!(rig.metrics.snapshot().connections, 1);
    assert_eq!(rig.log.texts(6).await.len(), 6);
    drop(first);
    assert_eq!(second.answer().await.status, 200);
}

#[tokio::test]
async fn a_process_with_too_many_requests_is_not_given_more() {
    let mut config = config();
    config.limits.in_flight_per_backend = 2;
    let rig = Rig::start(config).await;
    let backend = process("web.1", |mut wire| async move {
        wire.head_or_end().await;
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    })
    .await;
    let held = [backend.acquire().unwrap(), backend.acquire().unwrap()];
    rig.publish(route("app", vec![backend]), Vec::new());
    let answer = rig.ask("GET /", "").await;
    assert_eq!((answer.status, answer.headers["retry-after"].as_str()), (503, "1"));
    drop(held);
    assert_eq!(rig.ask("GET /", "").await.status, 200);
}

#[tokio::test]
async fn who_still_sends_when_the_answer_is_known_gets_to_read_it() {
    let rig = Rig::start(config()).await;
    let mut shut = route("app", vec![mirror("web.1").await]);
    shut.is_in_maintenance = true;
    rig.publish(shut, Vec::new());
    let body = "x".repeat(8 << 20);
    let request = |host: &str| {
        format!("POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
    };
    assert_eq!(status(&rig, &request("app.localhost")).await, 503);
    assert_eq!(status(&rig, &request("none.localhost")).await, 404);

    // An app that answers and closes without a look at what it was sent.
    let hasty = process("web.1", |mut wire| async move {
        wire.head().await;
        wire.send("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
        wire.stream.shutdown().await.unwrap();
        wire.rest().await;
    })
    .await;
    rig.publish(route("app", vec![hasty]), Vec::new());
    assert_eq!(status(&rig, &request("app.localhost")).await, 413);
}
