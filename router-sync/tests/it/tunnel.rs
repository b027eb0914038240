//! Upgrades: what stops being HTTP within a connection.

use std::time::Duration;

use crate::rig::{Rig, config, mirror, process, route, within};

const UPGRADE: &str = "GET /ws HTTP/1.1\r\nHost: app.localhost\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

async fn echo() -> std::sync::Arc<slipway_engine::route::Backend> {
    process("web.1", |mut wire| async move {
        let head = wire.head().await;
        assert!(head.contains("upgrade: websocket\r\n") && head.contains("connection: upgrade\r\n"), "{head}");
        assert!(head.contains("sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="), "{head}");
        wire.send(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nhello",
        )
        .await;
        loop {
            let message = wire.exactly(4).await;
            if message == b"quit" {
                return;
            }
            wire.send(std::str::from_utf8(&message).unwrap()).await;
        }
    })
    .await
}

#[tokio::test]
async fn a_websocket_carries_bytes_both_ways_until_it_closes() {
    let backend = echo().await;
    let rig = Rig::with(vec![backend.clone()]).await;
    let mut wire = rig.connect().await;
    wire.send(UPGRADE).await;
    let head = wire.head().await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    for line in ["upgrade: websocket", "connection: upgrade", "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="] {
        assert!(head.contains(line), "{head}");
    }
    assert_eq!(wire.exactly(5).await, b"hello");
    for message in ["one.", "two.", "\u{1}\u{2}\r\n"] {
        wire.send(message).await;
        assert_eq!(wire.exactly(4).await, message.as_bytes());
    }
    assert_eq!(backend.in_flight(), 1, "the process is in use while the socket is open");
    assert_eq!(rig.metrics.snapshot().tunnels, 1);
    wire.send("quit").await;
    assert!(wire.is_at_end().await);
    within(backend.idle()).await;
    let line = rig.log.texts(1).await.remove(0);
    assert!(line.contains(" status=101 bytes=17 "), "{line}");
}

#[tokio::test]
async fn a_refused_upgrade_is_an_ordinary_response() {
    let rig = Rig::with(vec![mirror("web.1").await]).await;
    let mut wire = rig.connect().await;
    wire.send(UPGRADE).await;
    assert_eq!(wire.answer().await.status, 200);
    // The connection goes on as HTTP.
    wire.send("GET /next HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
    assert!(wire.answer().await.body.starts_with("GET /next "));
}

#[tokio::test]
async fn a_silent_websocket_ends_after_a_while() {
    let mut config = config();
    config.timeouts.tunnel_idle = Duration::from_millis(200);
    let rig = Rig::start(config).await;
    let backend = echo().await;
    rig.publish(route("app", vec![backend.clone()]), Vec::new());
    let mut wire = rig.connect().await;
    wire.send(UPGRADE).await;
    wire.head().await;
    assert_eq!(wire.rest().await, b"hello");
    assert!(rig.log.texts(1).await[0].ends_with(" error=idle-timeout"));
    within(backend.idle()).await;
}
