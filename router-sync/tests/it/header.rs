//! What the app is told, and what it is not.

use crate::rig::{Rig, config, mirror, process, route, within};

#[tokio::test]
async fn the_app_learns_of_the_client() {
    let rig = Rig::with(vec![mirror("web.1").await]).await;
    let answer = rig
        .ask(
            "GET /path?q=1",
            "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: 1\r\nX-Forwarded-Host: evil\r\n\
             X_Forwarded_For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nProxy: http://evil\r\nX-Custom: kept\r\n",
        )
        .await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.starts_with("GET /path?q=1 HTTP/1.1\r\n"), "{}", answer.body);
    let told = |name| answer.mirrored(name);
    assert_eq!(told("x-forwarded-for").as_deref(), Some("127.0.0.1"));
    assert_eq!(told("x-forwarded-proto").as_deref(), Some("http"));
    assert_eq!(told("x-forwarded-port"), Some(rig.addr.port().to_string()));
    assert_eq!(told("x-forwarded-host").as_deref(), Some("app.localhost"));
    assert_eq!(told("host").as_deref(), Some("app.localhost"));
    assert_eq!(told("x-custom").as_deref(), Some("kept"));
    for name in ["x_forwarded_for", "forwarded", "proxy"] {
        assert_eq!(told(name), None, "{name}");
    }
    assert_eq!(told("x-request-id").as_ref(), answer.headers.get("x-request-id"));
}

#[tokio::test]
async fn a_trusted_proxy_is_believed() {
    let mut config = config();
    config.trusted_proxies = vec![([127, 0, 0, 0].into(), 8)];
    let rig = Rig::start(config).await;
    rig.publish(route("app", vec![mirror("web.1").await]), Vec::new());
    let answer = rig.ask("GET /", "X-Forwarded-For: 6.6.6.6, 1.2.3.4\r\nX-Forwarded-Proto: https\r\n").await;
    assert_eq!(answer.mirrored("x-forwarded-for").as_deref(), Some("6.6.6.6, 1.2.3.4, 127.0.0.1"));
    assert_eq!(answer.mirrored("x-forwarded-proto").as_deref(), Some("https"));
    assert!(rig.log.texts(1).await[0].contains(" fwd=\"1.2.3.4\" "));
}

#[tokio::test]
async fn a_trusted_proxy_says_by_the_proxy_protocol_whom_it_speaks_for() {
    let mut config = config();
    config.trusted_proxies = vec![([127, 0, 0, 0].into(), 8)];
    config.has_proxy_protocol = true;
    config.http_public_port = Some(80);
    let rig = Rig::start(config).await;
    rig.publish(route("app", vec![mirror("web.1").await]), Vec::new());
    // What the client says of itself is not believed: it is no proxy.
    let head = "GET / HTTP/1.1\r\nHost: app.localhost\r\nX-Forwarded-For: 6.6.6.6\r\nConnection: close\r\n\r\n";
    let mut wire = rig.connect().await;
    wire.send(&format!("PROXY TCP4 1.2.3.4 5.6.7.8 1111 80\r\n{head}")).await;
    let answer = wire.answer().await;
    assert_eq!(answer.mirrored("x-forwarded-for").as_deref(), Some("1.2.3.4"));
    assert_eq!(answer.mirrored("x-forwarded-port").as_deref(), Some("80"));
    assert!(rig.log.texts(1).await[0].contains(" fwd=\"1.2.3.4\" "));

    // Without a header there is no answer.
    let mut wire = rig.connect().await;
    wire.send(head).await;
    assert!(within(wire.is_at_end()).await);
}

#[tokio::test]
async fn who_is_no_trusted_proxy_cannot_use_the_proxy_protocol() {
    let mut config = config();
    config.trusted_proxies = vec![([10, 0, 0, 0].into(), 8)];
    config.has_proxy_protocol = true;
    let rig = Rig::start(config).await;
    rig.publish(route("app", vec![mirror("web.1").await]), Vec::new());
    let mut wire = rig.connect().await;
    wire.send("PROXY TCP4 10.0.0.1 5.6.7.8 1111 80\r\nGET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
    assert!(within(wire.head()).await.starts_with("HTTP/1.1 400"));
    assert_eq!(rig.ask("GET /", "").await.mirrored("x-forwarded-for").as_deref(), Some("127.0.0.1"));
}

#[tokio::test]
async fn request_ids_are_kept_when_they_are_plain() {
    let rig = Rig::with(vec![mirror("web.1").await]).await;
    let answer = rig.ask("GET /", "X-Request-Id: my-id_1.2\r\n").await;
    assert_eq!(answer.headers["x-request-id"], "my-id_1.2");
    assert_eq!(answer.mirrored("x-request-id").as_deref(), Some("my-id_1.2"));
    let answer = rig.ask("GET /", "X-Request-Id: forged id=1\r\n").await;
    assert_eq!(answer.headers["x-request-id"].len(), 36);
}

#[tokio::test]
async fn hop_by_hop_headers_stay_on_their_hop() {
    let backend = process("web.1", |mut wire| async move {
        while let Some(head) = wire.head_or_end().await {
            let reply = format!(
                "HTTP/1.1 200 OK\r\nConnection: X-Inner\r\nX-Inner: 1\r\nKeep-Alive: timeout=5\r\nX-Outer: 1\r\n\
                 Content-Length: {}\r\n\r\n{head}",
                head.len()
            );
            wire.send(&reply).await;
        }
    })
    .await;
    let rig = Rig::with(vec![backend]).await;
    let lines = "Connection: close, X-Mine\r\nX-Mine: 1\r\nKeep-Alive: 1\r\nTE: gzip\r\nProxy-Authorization: x\r\n\
                 Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n";
    let answer = rig.ask("GET /", lines).await;
    for name in ["connection", "x-mine", "keep-alive", "te", "proxy-authorization", "upgrade"] {
        assert_eq!(answer.mirrored(name), None, "{name}");
    }
    assert!(!answer.headers.contains_key("x-inner"));
    assert!(!answer.headers.contains_key("keep-alive"));
    assert_eq!(answer.headers["x-outer"], "1");
}
