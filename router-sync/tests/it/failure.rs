//! Apps that are slow, dead or wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::rig::{Rig, config, named, nowhere, process, route, within};

#[tokio::test]
async fn a_slow_app_is_given_up() {
    let mut config = config();
    config.timeouts.first_byte = Duration::from_millis(100);
    let rig = Rig::start(config).await;
    let backend = process("web.1", |mut wire| async move {
        wire.head().await;
        // The router lets go of the connection.
        assert!(wire.is_at_end().await);
    })
    .await;
    rig.publish(route("app", vec![backend.clone()]), Vec::new());
    let answer = rig.ask("GET /", "").await;
    assert_eq!(answer.status, 504);
    assert!(rig.log.texts(1).await[0].ends_with(" error=first-byte-timeout"));
    within(backend.idle()).await;
}

#[tokio::test]
async fn an_app_that_closes_without_an_answer_is_a_502() {
    let backend = process("web.1", |mut wire| async move {
        wire.head().await;
    })
    .await;
    let rig = Rig::with(vec![backend]).await;
    let answer = rig.ask("GET /", "Accept: application/json\r\n").await;
    assert_eq!(answer.status, 502);
    assert!(answer.body.contains("\"error\":\"backend-closed\""), "{}", answer.body);
}

#[tokio::test]
async fn an_answer_that_is_not_http_is_a_502() {
    for reply in [
        "SSH-2.0-OpenSSH_9.2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ] {
        let backend = process("web.1", move |mut wire| async move {
            wire.head().await;
            wire.send(reply).await;
            wire.rest().await;
        })
        .await;
        let rig = Rig::with(vec![backend]).await;
        let answer = rig.ask("GET /", "").await;
        assert_eq!(answer.status, 502, "{reply}");
        assert!(!answer.body.contains("SSH"));
    }
}

#[tokio::test]
async fn an_app_that_dies_within_a_body_cuts_the_response() {
    let backend = process("web.1", |mut wire| async move {
        wire.head().await;
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart").await;
    })
    .await;
    let rig = Rig::with(vec![backend.clone()]).await;
    let mut wire = rig.connect().await;
    wire.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
    assert!(wire.head().await.contains("content-length: 100"));
    assert_eq!(wire.rest().await, b"part");
    assert!(rig.log.texts(1).await[0].contains(" status=200 bytes=4 protocol=http error=backend-closed"));
    within(backend.idle()).await;
}

#[tokio::test]
async fn a_process_that_refuses_is_passed_over() {
    let rig = Rig::with(vec![nowhere(), named("alive").await]).await;
    for _ in 0..4 {
        assert_eq!(rig.ask("POST /", "Content-Length: 2\r\n\r\nhi").await.body, "alive");
    }
    let rig = Rig::with(vec![nowhere(), nowhere()]).await;
    let answer = rig.ask("GET /", "").await;
    assert_eq!(answer.status, 503);
    assert!(rig.log.texts(1).await[0].ends_with(" error=connection-refused"));
}

/// A process that closes each connection when the second request on it has arrived; it counts requests.
async fn forgetful(count: Arc<AtomicUsize>) -> Arc<slipway_engine::route::Backend> {
    process("web.1", move |mut wire| {
        let count = Arc::clone(&count);
        async move {
            wire.head().await;
            count.fetch_add(1, Ordering::SeqCst);
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
            if wire.head_or_end().await.is_some() {
                count.fetch_add(1, Ordering::SeqCst);
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_kept_connection_that_dies_costs_another_try() {
    let count = Arc::new(AtomicUsize::new(0));
    let rig = Rig::with(vec![forgetful(Arc::clone(&count)).await]).await;
    assert_eq!(rig.ask("GET /", "").await.status, 200);
    // Meets a dead connection, and is repeated on a new one.
    assert_eq!(rig.ask("GET /", "").await.status, 200);
    assert_eq!(count.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn what_may_have_an_effect_is_not_repeated() {
    loop {
        let count = Arc::new(AtomicUsize::new(0));
        let rig = Rig::with(vec![forgetful(Arc::clone(&count)).await]).await;
        assert_eq!(rig.ask("GET /", "").await.status, 200);
        let status = rig.ask("POST /", "Content-Length: 0\r\n").await.status;
        assert_eq!(count.load(Ordering::SeqCst), 2);
        if status == 502 {
            return;
        }
        // So much later it does not go over the kept connection at all.
        assert_eq!(status, 200);
    }
}

#[tokio::test]
async fn a_stream_that_stands_still_is_cut() {
    let mut config = config();
    config.timeouts.stream_idle = Duration::from_millis(200);
    let rig = Rig::start(config).await;
    let backend = process("web.1", |mut wire| async move {
        wire.head().await;
        wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n").await;
        assert!(wire.is_at_end().await);
    })
    .await;
    rig.publish(route("app", vec![backend]), Vec::new());
    let mut wire = rig.connect().await;
    wire.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
    wire.head().await;
    assert_eq!(wire.rest().await, b"1\r\na\r\n");
    assert!(rig.log.texts(1).await[0].ends_with(" error=idle-timeout"));
}

#[tokio::test]
async fn an_upload_that_stands_still_is_given_up() {
    let mut config = config();
    config.timeouts.stream_idle = Duration::from_millis(200);
    let rig = Rig::start(config).await;
    let backend = process("web.1", |mut wire| async move {
        wire.rest().await;
    })
    .await;
    rig.publish(route("app", vec![backend]), Vec::new());
    let answer = rig.ask("POST /", "Content-Length: 100\r\n\r\npart").await;
    assert_eq!(answer.status, 408);
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_request_at_the_app() {
    let (told, mut hears) = tokio::sync::mpsc::channel(1);
    let backend = process("web.1", move |mut wire| {
        let told = told.clone();
        async move {
            wire.head().await;
            told.send("began").await.unwrap();
            assert!(wire.is_at_end().await);
            told.send("ended").await.unwrap();
        }
    })
    .await;
    let rig = Rig::with(vec![backend.clone()]).await;
    let mut wire = rig.connect().await;
    wire.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
    assert_eq!(within(hears.recv()).await, Some("began"));
    drop(wire);
    assert_eq!(within(hears.recv()).await, Some("ended"));
    within(backend.idle()).await;
    assert!(rig.log.texts(1).await[0].contains(" status=499 "));
    assert_eq!(rig.metrics.snapshot().aborted, 1);
}
