//! Bodies pass through as they come.

use crate::rig::{Rig, config, mirror, process, route, within};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

#[tokio::test]
async fn both_directions_flow_at_once() {
    // Answers each byte before it asks for the next.
    let backend = process("web.1", |mut wire| async move {
        wire.head().await;
        wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        loop {
            let chunk = wire.exactly(6).await;
            wire.send(std::str::from_utf8(&chunk).unwrap()).await;
        }
    })
    .await;
    let rig = Rig::with(vec![backend]).await;
    let mut wire = rig.connect().await;
    wire.send("POST / HTTP/1.1\r\nHost: app.localhost\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    assert!(wire.head().await.starts_with("HTTP/1.1 200 OK\r\n"));
    for letter in ["a", "b", "c"] {
        wire.send(&format!("1\r\n{letter}\r\n")).await;
        assert_eq!(wire.exactly(6).await, format!("1\r\n{letter}\r\n").into_bytes());
    }
}

#[tokio::test]
async fn trailers_pass_both_ways() {
    let backend = process("web.1", |mut wire| async move {
        let head = wire.head().await;
        let body = wire.body(&head).await;
        let body = String::from_utf8(body).unwrap();
        wire.send(&format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n{:x}\r\n{body}\r\n0\r\nX-Sum: 7\r\n\r\n",
            body.len()
        ))
        .await;
        wire.rest().await;
    })
    .await;
    let rig = Rig::with(vec![backend]).await;
    let lines = "TE: trailers\r\nTransfer-Encoding: chunked\r\nTrailer: X-Check\r\n\r\n2\r\nhi\r\n0\r\nX-Check: 1\r\n";
    let answer = rig.ask("POST /", lines).await;
    let body = answer.body.to_lowercase();
    assert_eq!(body, "hi\n[x-check: 1]\n[x-sum: 7]");
}

#[tokio::test]
async fn large_bodies_pass_and_a_slow_reader_holds_the_sender_back() {
    const MIB: usize = 1024 * 1024;
    let (told, mut hears) = tokio::sync::watch::channel(0);
    let backend = process("web.1", move |mut wire| {
        let told = told.clone();
        async move {
            wire.head().await;
            wire.send(&format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 64 * MIB)).await;
            let chunk = vec![b'x'; MIB];
            for _ in 0..64 {
                wire.stream.write_all(&chunk).await.unwrap();
                told.send_modify(|sent| *sent += MIB);
            }
        }
    })
    .await;
    let rig = Rig::with(vec![backend]).await;
    let mut wire = rig.connect().await;
    wire.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
    wire.head().await;
    // The sender comes to a stop long before the end, since nobody reads.
    while tokio::time::timeout(std::time::Duration::from_millis(300), hears.changed()).await.is_ok() {}
    let sent = *hears.borrow();
    assert!(sent < 48 * MIB, "{sent} bytes were taken in");
    assert_eq!(wire.exactly(64 * MIB).await.len(), 64 * MIB);
}

#[tokio::test]
async fn a_large_upload_arrives_whole() {
    let backend = process("web.1", |mut wire| async move {
        let head = wire.head().await;
        let body = wire.body(&head).await;
        let sum: u64 = body.iter().map(|byte| u64::from(*byte)).sum();
        let text = format!("{} {sum}", body.len());
        wire.send(&format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len())).await;
    })
    .await;
    let rig = Rig::with(vec![backend]).await;
    let body: Vec<u8> = (0..5_000_000u32).map(|number| number.to_le_bytes()[0]).collect();
    let sum: u64 = body.iter().map(|byte| u64::from(*byte)).sum();
    let mut wire = rig.connect().await;
    wire.send(&format!("PUT / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: {}\r\n\r\n", body.len())).await;
    wire.stream.write_all(&body).await.unwrap();
    assert_eq!(wire.answer().await.body, format!("{} {sum}", body.len()));
}

#[tokio::test]
async fn a_body_waits_until_the_app_asks_for_it() {
    let backend = process("web.1", |mut wire| async move {
        let head = wire.head().await;
        assert!(head.contains("expect: 100-continue"));
        if head.starts_with("PUT /refused") {
            wire.send("HTTP/1.1 413 Payload Too Large\r\nContent-Length: 0\r\n\r\n").await;
            wire.rest().await;
            return;
        }
        wire.send("HTTP/1.1 100 Continue\r\n\r\n").await;
        let body = wire.body(&head).await;
        assert_eq!(body, b"hello");
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    })
    .await;
    let rig = Rig::with(vec![backend]).await;
    let mut wire = rig.connect().await;
    let head = "Host: app.localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    wire.send(&format!("PUT / HTTP/1.1\r\n{head}")).await;
    assert_eq!(wire.head().await, "HTTP/1.1 100 Continue\r\n\r\n");
    wire.send("hello").await;
    assert_eq!(wire.answer().await.status, 200);

    let mut wire = rig.connect().await;
    wire.send(&format!("PUT /refused HTTP/1.1\r\n{head}")).await;
    assert_eq!(wire.answer().await.status, 413);
}

#[tokio::test]
async fn responses_without_a_body_keep_their_headers() {
    let backend = process("web.1", |mut wire| async move {
        while let Some(head) = wire.head_or_end().await {
            let reply = match head.split(' ').nth(1) {
                Some("/chunked") => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                Some("/unchanged") => "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n",
                Some("/empty") => "HTTP/1.1 204 No Content\r\n\r\n",
                _ => "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n",
            };
            wire.send(reply).await;
        }
    })
    .await;
    let rig = Rig::with(vec![backend]).await;
    let mut wire = rig.connect().await;
    // All on one connection: a body that should not be there would be read as the next response.
    for (start, status, length) in [
        ("HEAD /", 200, Some("1234")),
        ("HEAD /chunked", 200, None),
        ("GET /unchanged", 304, None),
        ("GET /empty", 204, None),
    ] {
        wire.send(&format!("{start} HTTP/1.1\r\nHost: app.localhost\r\n\r\n")).await;
        let head = wire.head().await.to_lowercase();
        assert!(head.starts_with(&format!("http/1.1 {status} ")), "{start}: {head}");
        let sent = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        assert_eq!(sent, length, "{start}");
    }
}

#[tokio::test]
async fn a_get_keeps_its_body() {
    let rig = Rig::with(vec![mirror("web.1").await]).await;
    let answer = rig.ask("GET /", "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n").await;
    assert!(answer.body.ends_with("\r\n\r\nhi"), "{}", answer.body);
    let answer = rig.ask("GET /", "Content-Length: 2\r\n\r\nhi").await;
    assert!(answer.body.ends_with("\r\n\r\nhi"), "{}", answer.body);
}

#[tokio::test]
async fn http_1_0_clients_and_pipelining_work() {
    let rig = Rig::with(vec![mirror("web.1").await]).await;
    let mut wire = rig.connect().await;
    wire.send("GET /old HTTP/1.0\r\nHost: app.localhost\r\n\r\n").await;
    assert!(wire.answer().await.body.starts_with("GET /old HTTP/1.1\r\n"));
    assert!(wire.is_at_end().await);

    let mut wire = rig.connect().await;
    wire.send("GET /1 HTTP/1.1\r\nHost: app.localhost\r\n\r\nGET /2 HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
    assert!(wire.answer().await.body.starts_with("GET /1 "));
    assert!(wire.answer().await.body.starts_with("GET /2 "));
}

#[tokio::test]
async fn http_2_with_prior_knowledge_works() {
    use http_body_util::{BodyExt, Full};
    use hyper_util::rt::{TokioExecutor, TokioIo};

    let rig = Rig::with(vec![mirror("web.1").await]).await;
    let stream = TcpStream::connect(rig.addr).await.unwrap();
    let (mut sender, conn) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(conn);
    let uri = format!("http://app.localhost:{}/h2?x=1", rig.addr.port());
    let request = http::Request::post(uri)
        .header("cookie", "a=1")
        .header("cookie", "b=2")
        .body(Full::new(bytes::Bytes::from_static(b"hello")))
        .unwrap();
    let response = within(sender.send_request(request)).await.unwrap();
    assert_eq!(response.status(), 200);
    let body = within(response.into_body().collect()).await.unwrap().to_bytes();
    let body = String::from_utf8(body.to_vec()).unwrap();
    assert!(body.starts_with("POST /h2?x=1 HTTP/1.1\r\n") && body.ends_with("hello"), "{body}");
    assert!(body.contains("\r\ncookie: a=1; b=2\r\n"), "{body}");
    assert!(body.contains(&format!("host: app.localhost:{}\r\n", rig.addr.port())), "{body}");
}

/// A process that sends until nobody takes it any more.
async fn endless() -> std::sync::Arc<slipway_engine::route::Backend> {
    process("web.1", |mut wire| async move {
        wire.head().await;
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n").await;
        let chunk = vec![b'x'; 64 * 1024];
        while wire.stream.write_all(&chunk).await.is_ok() {}
    })
    .await
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut() {
    let mut config = config();
    config.timeouts.stream_idle = std::time::Duration::from_millis(200);
    let rig = Rig::start(config).await;
    let backend = endless().await;
    rig.publish(route("app", vec![backend.clone()]), Vec::new());
    let mut wire = rig.connect().await;
    wire.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
    wire.head().await;
    assert!(rig.log.texts(1).await[0].ends_with(" error=client-closed"));
    within(backend.idle()).await;
}

#[tokio::test]
async fn a_client_that_does_not_read_one_stream_keeps_the_others() {
    use http_body_util::{BodyExt, Empty};
    use hyper_util::rt::{TokioExecutor, TokioIo};

    let mut config = config();
    config.timeouts.stream_idle = std::time::Duration::from_millis(200);
    let rig = Rig::start(config).await;
    let (stuck, quick) = (endless().await, mirror("web.1").await);
    rig.publish_all(
        vec![
            (vec!["stuck.localhost".to_owned()], std::sync::Arc::new(route("stuck", vec![stuck.clone()]))),
            (vec!["quick.localhost".to_owned()], std::sync::Arc::new(route("quick", vec![quick]))),
        ],
        Vec::new(),
    );
    let stream = TcpStream::connect(rig.addr).await.unwrap();
    let (mut sender, conn) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(conn);
    let mut ask = |uri: &str| sender.send_request(http::Request::get(uri).body(Empty::<bytes::Bytes>::new()).unwrap());
    let unread = within(ask("http://stuck.localhost/")).await.unwrap();
    assert_eq!(unread.status(), 200);
    within(async {
        while stuck.in_flight() > 0 {
            let answer = ask("http://quick.localhost/").await.unwrap();
            assert!(answer.into_body().collect().await.unwrap().to_bytes().starts_with(b"GET / "));
        }
    })
    .await;
    within(stuck.idle()).await;
}
