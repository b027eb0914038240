//! Over real sockets: what hyper adds, streams, and stopping.

use std::net::SocketAddr;
use std::time::Duration;

use slipway_api::serve::serve;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::world::{Database, World};

/// Longest that anything here may take.
const PATIENCE: Duration = Duration::from_mins(3);

pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(world: &World) -> Self {
        Self::start_api(world, world.api.clone()).await
    }

    /// Another API over the same world.
    pub(crate) async fn start_api(world: &World, api: slipway_api::Api) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let shutdown = world.shutdown.clone();
        let task = tokio::spawn(serve(listener, api, shutdown.clone(), Duration::from_secs(5)));
        Self { addr, shutdown, task }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.addr).await.unwrap()
    }

    /// Sends a whole request on a new connection and reads until the server closes it.
    async fn exchange(&self, request: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
        String::from_utf8(answer).unwrap()
    }
}

/// Reads until `text` has come.
pub(crate) async fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let mut got = String::new();
    let mut buffer = [0_u8; 4096];
    while !got.contains(text) {
        let count = timeout(PATIENCE, stream.read(&mut buffer)).await.expect("an answer in time").unwrap();
        assert!(count > 0, "the server closed the connection after {got:?}");
        got.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
    }
    got
}

#[tokio::test(flavor = "multi_thread")]
async fn head_has_a_length_and_no_body() {
    let world = World::new(Database::Sqlite).await;
    let server = Server::start(&world).await;
    let answer = server.exchange("HEAD /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("content-length: 2\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
    let answer = server.exchange("GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(answer.contains("drycc_api_version: 2.3\r\n") && answer.ends_with("\r\n\r\nOK"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_without_a_declared_length_are_limited_too() {
    let world = World::new(Database::Sqlite).await;
    let server = Server::start(&world).await;
    let mut stream = server.connect().await;
    let head = format!(
        "POST /v2/apps/ HTTP/1.1\r\nhost: x\r\nauthorization: token {}\r\ntransfer-encoding: chunked\r\n\r\n",
        world.token("owner")
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    for _ in 0..17 {
        stream.write_all(chunk.as_bytes()).await.unwrap();
    }
    let answer = read_until(&mut stream, "bytes.").await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_too_much_or_may_not_send_gets_to_read_why() {
    let world = World::new(Database::Sqlite).await;
    let server = Server::start(&world).await;
    let body = "x".repeat(8 << 20);
    let token = world.token("owner");
    for (path, token, status) in [
        ("/v2/apps/", token, 413),
        ("/v2/apps/", "nobody", 401),
        ("/v2/nothing/here", token, 404),
        ("/api/teams", token, 413),
    ] {
        let answer = server
            .exchange(&format!(
                "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: token {token}\r\ncontent-length: {}\r\n\
                 content-type: application/json\r\nconnection: close\r\n\r\n{body}",
                body.len()
            ))
            .await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn followed_logs_come_line_by_line_and_end_with_the_server() {
    let world = World::new(Database::Sqlite).await;
    world.named_app("owner", "blog").await;
    let server = Server::start(&world).await;
    let mut stream = server.connect().await;
    let head = format!(
        "GET /v2/apps/blog/logs?follow=true&log_lines=1 HTTP/1.1\r\nhost: x\r\nauthorization: token {}\r\n\r\n",
        world.token("owner")
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let head = read_until(&mut stream, "\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("text/plain"), "{head}");
    world.log("blog", "web.1", "the first line").await;
    let got = read_until(&mut stream, "the first line\n").await;
    assert!(got.contains("blog[web.1]: the first line\n"), "{got}");
    world.log("blog", "web.1", "the second line").await;
    read_until(&mut stream, "the second line\n").await;
    server.shutdown.cancel();
    timeout(PATIENCE, server.task).await.expect("the server stops although somebody follows").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_lets_idle_connections_go_and_takes_no_new_ones() {
    let world = World::new(Database::Sqlite).await;
    let server = Server::start(&world).await;
    let mut idle = server.connect().await;
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    read_until(&mut idle, "\r\n\r\nOK").await;
    server.shutdown.cancel();
    timeout(PATIENCE, server.task).await.unwrap().unwrap();
    let mut rest = Vec::new();
    timeout(PATIENCE, idle.read_to_end(&mut rest)).await.unwrap().unwrap();
    assert!(TcpStream::connect(server.addr).await.is_err());
}
