//! The client against a scripted server.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

use futures::SinkExt as _;
use tokio_tungstenite::tungstenite::protocol::{Message, Role};
use tokio_tungstenite::{WebSocketStream, tungstenite::handshake::derive_accept_key};

use super::*;

type Seen = Arc<Mutex<Vec<(http::request::Parts, Bytes)>>>;

async fn serve(
    status: u16,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
) -> (SocketAddr, Seen) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let seen = Seen::default();
    let log = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                    let log = Arc::clone(&log);
                    async move {
                        let (parts, sent) = request.into_parts();
                        let bytes = sent.collect().await.unwrap().to_bytes();
                        log.lock().unwrap().push((parts, bytes));
                        let mut response = http::Response::builder().status(status);
                        for (name, value) in headers {
                            response = response.header(*name, *value);
                        }
                        Ok::<_, Infallible>(response.body(Full::new(Bytes::from_static(body.as_bytes()))).unwrap())
                    }
                });
                let _ =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    (addr, seen)
}

fn client(addr: SocketAddr) -> Client {
    Client::builder(format!("http://{addr}"))
        .token("0123".into())
        .header("X-Slipway-Builder-Auth", "key".into())
        .build()
        .unwrap()
}

#[tokio::test]
async fn requests_carry_token_headers_and_json() {
    let (addr, seen) = serve(201, &[("DRYCC_API_VERSION", "2.3")], r#"{"version":4}"#).await;
    let body = serde_json::json!({"version": 2});
    let answer = client(addr).send(Method::POST, "/v2/apps/foo/releases/rollback/?a=b", Some(&body)).await.unwrap();
    assert_eq!(answer.header("DRYCC_API_VERSION"), Some("2.3"));
    assert_eq!(answer.json::<serde_json::Value>().unwrap(), serde_json::json!({"version": 4}));
    let seen = seen.lock().unwrap();
    let (parts, sent) = &seen[0];
    assert_eq!(parts.uri.to_string(), "/v2/apps/foo/releases/rollback/?a=b");
    assert_eq!(parts.headers["authorization"], "token 0123");
    assert_eq!(parts.headers["x-slipway-builder-auth"], "key");
    assert_eq!(parts.headers["content-type"], "application/json");
    assert_eq!(&sent[..], br#"{"version":2}"#);
}

#[tokio::test]
async fn an_empty_answer_reads_as_nothing() {
    let (addr, seen) = serve(204, &[], "").await;
    client(addr).request::<()>(Method::POST, "/v2/apps/foo/scale/", NO_BODY).await.unwrap();
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0].0.headers["content-type"], "application/json");
    assert!(seen[0].1.is_empty());
}

#[tokio::test]
async fn refusals_keep_status_and_messages() {
    let (addr, _seen) = serve(400, &[], r#"{"id":["Application with this id already exists."]}"#).await;
    let error = client(addr).request::<()>(Method::POST, "/v2/apps/", NO_BODY).await.unwrap_err();
    let api = error.api().unwrap();
    assert_eq!(api.status, StatusCode::BAD_REQUEST);
    assert_eq!(api.field("id"), ["Application with this id already exists."]);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (addr, seen) = serve(302, &[("Location", "/elsewhere")], "").await;
    let error = client(addr).request::<()>(Method::GET, "/v2/", NO_BODY).await.unwrap_err();
    assert_eq!(error.status(), Some(StatusCode::FOUND));
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn answers_that_are_not_json_and_servers_that_are_not_there_are_told_apart() {
    let (addr, _seen) = serve(200, &[], "<html>").await;
    let error = client(addr).request::<serde_json::Value>(Method::GET, "/v2/", NO_BODY).await.unwrap_err();
    assert!(matches!(error, ClientError::Decode { .. }), "{error:?}");

    // Nobody listens there, and nobody else is given it.
    let reserved = tokio::net::TcpSocket::new_v4().unwrap();
    reserved.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let addr = reserved.local_addr().unwrap();
    let error = client(addr).request::<()>(Method::GET, "/v2/", NO_BODY).await.unwrap_err();
    assert!(matches!(error, ClientError::Connect { .. }), "{error:?}");
}

/// Who is not heard of is gone, and who gives signs of life is not.
#[tokio::test]
async fn a_socket_that_falls_silent_is_given_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let service = service_fn(|mut request: http::Request<hyper::body::Incoming>| async move {
            let accept = derive_accept_key(request.headers()["sec-websocket-key"].as_bytes());
            tokio::spawn(async move {
                let upgraded = TokioIo::new(hyper::upgrade::on(&mut request).await.unwrap());
                let mut stream = WebSocketStream::from_raw_socket(upgraded, Role::Server, None).await;
                for _ in 0..60 {
                    stream.send(Message::Ping(Bytes::new())).await.unwrap();
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                stream.send(Message::text("still here")).await.unwrap();
                std::future::pending::<()>().await;
            });
            let response = http::Response::builder().status(101).header("connection", "upgrade");
            let response = response.header("upgrade", "websocket").header("sec-websocket-accept", accept);
            Ok::<_, Infallible>(response.body(Full::new(Bytes::new())).unwrap())
        });
        let server = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        server.with_upgrades().await.unwrap();
    });
    let client = Client::builder(format!("http://{addr}")).http1_only().build().unwrap();
    let mut socket = client.socket("/").await.unwrap();
    socket.silence_max = Duration::from_secs(2);
    assert_eq!(socket.next().await.unwrap(), Some(Piece::Text("still here".to_owned())));
    let error = socket.next().await.unwrap_err();
    assert_eq!(error.to_string(), "the connection was closed: nothing was heard of the controller for 2 s");
}

#[test]
fn secrets_are_not_shown() {
    let builder = Client::builder("http://localhost").token("hunter2".into()).header("X-Key", "hunter3".into());
    let shown = format!("{builder:?}");
    let text = format!("{shown} {:?}", builder.build().unwrap());
    assert!(!text.contains("hunter"), "{text}");
}

/// A 404 of the controller means that there is no such key; one of anything else means nothing.
#[tokio::test]
async fn only_a_controller_can_refuse_a_hook() {
    async fn asked(headers: &'static [(&'static str, &'static str)]) -> hooks::HookError {
        let (addr, _) = serve(404, headers, r#"{"detail":"Not found."}"#).await;
        let client =
            hooks::HookClient::new(format!("http://{addr}/").parse().unwrap(), "key".to_owned().into()).unwrap();
        client.key("00").await.unwrap_err()
    }
    assert_eq!(asked(&[("DRYCC_API_VERSION", "2.3")]).await.status(), Some(404));
    assert_eq!(asked(&[("DEIS_API_VERSION", "2.3")]).await.status(), Some(404));
    let foreign = asked(&[("server", "somebody"), ("x-request-id", "1")]).await;
    assert_eq!(foreign.status(), None);
    assert_eq!(foreign.to_string(), "what answers at the controller's address is not a controller (404)");
}
