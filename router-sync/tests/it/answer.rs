//! What the router says by itself, and its lines in the log.

use http::StatusCode;
use slipway_core::AppId;
use slipway_engine::route::IdleReason;

use crate::rig::{Rig, config, mirror, named, route};

#[tokio::test]
async fn an_idle_app_says_why() {
    let rig = Rig::start(config()).await;
    for (idle, says) in [
        (IdleReason::NotDeployed, "Nothing deployed yet"),
        (IdleReason::ScaledToZero, "ps:scale web=1"),
        (IdleReason::Starting, "starting"),
        (IdleReason::Crashed, "slipway logs"),
    ] {
        let mut route = route("app", Vec::new());
        route.idle = idle;
        rig.publish(route, Vec::new());
        let answer = rig.ask("GET /", "").await;
        assert_eq!(answer.status, 503);
        assert!(answer.body.contains(says), "{}", answer.body);
        assert_eq!(answer.headers["cache-control"], "no-store");
        assert_eq!(answer.headers.contains_key("retry-after"), idle == IdleReason::Starting);
    }
    let lines = rig.log.texts(4).await;
    assert!(lines[3].contains(" process=- ") && lines[3].ends_with(" error=crashed"), "{}", lines[3]);
}

#[tokio::test]
async fn maintenance_and_the_allow_list_keep_requests_from_the_app() {
    let rig = Rig::start(config()).await;
    let backend = mirror("web.1").await;
    let mut shut = route("app", vec![backend.clone()]);
    shut.is_in_maintenance = true;
    rig.publish(shut, Vec::new());
    let answer = rig.ask("GET /", "Accept: text/html\r\n").await;
    assert_eq!(answer.status, 503);
    assert!(answer.body.contains("Under maintenance"));

    let mut listed = route("app", vec![backend.clone()]);
    listed.allow_list = vec![([10, 0, 0, 0].into(), 8)];
    rig.publish(listed, Vec::new());
    // Saying that one is somebody else does not help.
    assert_eq!(rig.ask("GET /", "X-Forwarded-For: 10.1.1.1\r\n").await.status, 403);

    let mut listed = route("app", vec![backend]);
    listed.allow_list = vec![([10, 0, 0, 0].into(), 8), ([127, 0, 0, 1].into(), 32)];
    rig.publish(listed, Vec::new());
    assert_eq!(rig.ask("GET /", "").await.status, 200);
}

#[tokio::test]
async fn https_is_enforced_by_a_redirect() {
    let mut config = config();
    config.https_public_port = Some(8443);
    let rig = Rig::start(config).await;
    let mut secure = route("app", vec![mirror("web.1").await]);
    secure.is_https_enforced = true;
    rig.publish(secure, Vec::new());
    let answer = rig.ask("GET /a%20b?c=d", "").await;
    assert_eq!(answer.status, StatusCode::MOVED_PERMANENTLY);
    assert_eq!(answer.headers["location"], "https://app.localhost:8443/a%20b?c=d");
    // A client is not believed to have come by HTTPS.
    let answer = rig.ask("POST //evil.example", "X-Forwarded-Proto: https\r\nContent-Length: 0\r\n").await;
    assert_eq!(answer.status, StatusCode::PERMANENT_REDIRECT);
    assert_eq!(answer.headers["location"], "https://app.localhost:8443//evil.example");
}

#[tokio::test]
async fn each_request_has_a_line_without_its_query() {
    let rig = Rig::start(config()).await;
    let app = route("blog", vec![named("web.1").await]);
    let id: AppId = app.app;
    rig.publish(app, Vec::new());
    let mut wire = rig.connect().await;
    wire.send("GET /posts/1?token=secret HTTP/1.1\r\nHost: Blog.localhost:80\r\nX-Request-Id: r1\r\n\r\n").await;
    wire.answer().await;
    let line = rig.log.texts(1).await.remove(0);
    let (before, after) = line.split_once(" connect=").unwrap();
    assert_eq!(
        before,
        "method=GET path=\"/posts/1\" host=blog.localhost request_id=r1 fwd=\"127.0.0.1\" process=web.1"
    );
    let (connect, after) = after.split_once("ms service=").unwrap();
    let (service, after) = after.split_once("ms ").unwrap();
    assert!(connect.parse::<u32>().is_ok() && service.parse::<u32>().is_ok(), "{line}");
    assert_eq!(after, "status=200 bytes=5 protocol=http");
    let entry = rig.log.entries().remove(0);
    assert_eq!((entry.0, entry.1.source.as_str()), (id, "slipway[router]"));
}

#[tokio::test]
async fn a_path_cannot_forge_a_line() {
    let rig = Rig::with(vec![named("web.1").await]).await;
    rig.ask("GET /a%0d%0amethod=GET", "").await;
    rig.ask("GET /a\"status=200", "").await;
    rig.ask("GET /\u{85}\u{2028}x", "").await;
    rig.ask(&format!("GET /{}", "a".repeat(5000)), "").await;
    for line in rig.log.texts(4).await {
        assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte) || line.contains('…')), "{line}");
        assert_eq!(line.matches(" status=").count(), 1, "{line}");
        assert!(line.len() < 2000, "{line}");
    }
    // A raw newline is no part of a request line at all.
    assert_eq!(rig.ask("GET /a\nmethod=GET", "").await.status, 400);
    assert_eq!(rig.log.entries().len(), 4);
}

#[tokio::test]
async fn requests_are_counted() {
    let rig = Rig::with(vec![mirror("web.1").await]).await;
    let answer = rig.ask("POST /", "Content-Length: 4\r\n\r\nbody").await;
    let unknown = {
        let mut wire = rig.connect().await;
        wire.send("GET / HTTP/1.1\r\nHost: none.localhost\r\n\r\n").await;
        wire.answer().await
    };
    rig.log.texts(1).await;
    let counted = rig.metrics.snapshot();
    assert_eq!(counted.by_class, [0, 1, 0, 1, 0]);
    assert_eq!(counted.bytes_in, 4);
    assert_eq!(counted.bytes_out, (answer.body.len() + unknown.body.len()) as u64);
    assert_eq!(counted.in_flight, 0);
}
