//! Connections that are not what they should be.

use std::time::Duration;

use slipway_builder::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Platform, limits};

/// Waits for the server to hang up.
async fn hung_up(mut stream: TcpStream) {
    let mut sink = Vec::new();
    let reading = stream.read_to_end(&mut sink);
    // A reset is as good as an end.
    let _ = tokio::time::timeout(Duration::from_mins(2), reading).await.expect("the connection stays open");
}

async fn idle(platform: &Platform, count: usize) -> Vec<TcpStream> {
    let mut streams = Vec::new();
    for _ in 0..count {
        streams.push(TcpStream::connect(platform.address()).await.unwrap());
    }
    streams
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_shut_nobody_out() {
    let limits = Limits { unproven_max_per_address: 4, login_grace: Duration::from_hours(1), ..limits() };
    let platform = Platform::start_with(limits, None, |_| {}).await;
    let repo = platform.repo("bob");
    let mut held = idle(&platform, 10).await;
    let out = repo.ssh(&["ping"], b"").await;
    assert!(out.is_good, "{}", out.text);
    // The oldest had to go, long before their grace was over.
    for stream in held.drain(..6) {
        hung_up(stream).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_of_all_connections_spares_the_proven() {
    let limits = Limits { connections_max: 4, login_grace: Duration::from_hours(1), ..limits() };
    let platform = Platform::start_with(limits, None, |_| {}).await;
    let repo = platform.repo("bob");
    repo.commit("HANG", "");
    let mut push = repo.spawn(&["push", "slipway", "main"]);
    platform.wait(|state| state.running == 1).await;
    let _held = idle(&platform, 20).await;
    for _ in 0..3 {
        let out = repo.ssh(&["ping"], b"").await;
        assert!(out.is_good, "{}", out.text);
    }
    platform.wait(|state| state.running == 1).await;
    push.kill_group().await;
    platform.wait(|state| state.running == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_open_connections_end_with_the_grace_and_garbage_at_once() {
    let platform =
        Platform::start_with(Limits { login_grace: Duration::from_millis(300), ..limits() }, None, |_| {}).await;
    let silent = TcpStream::connect(platform.address()).await.unwrap();
    let mut greeted = TcpStream::connect(platform.address()).await.unwrap();
    greeted.write_all(b"SSH-2.0-x\r\n").await.unwrap();
    hung_up(silent).await;
    hung_up(greeted).await;

    let platform =
        Platform::start_with(Limits { login_grace: Duration::from_hours(1), ..limits() }, None, |_| {}).await;
    let binary = [b"SSH-2.0-x\r\n".to_vec(), vec![0xff; 70_000]].concat();
    for garbage in [vec![0xff; 70_000], b"GET / HTTP/1.1\r\n\r\n".repeat(5000), binary] {
        let mut stream = TcpStream::connect(platform.address()).await.unwrap();
        // The server may hang up before it has read everything.
        let _ = stream.write_all(&garbage).await;
        hung_up(stream).await;
    }
    assert!(platform.repo("bob").ssh(&["ping"], b"").await.is_good);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_commands_is_offered() {
    let platform = Platform::start().await;
    let repo = platform.repo("bob");
    for (options, words) in [
        (&["-tt"][..], "PTY allocation request failed"),
        (&["-W127.0.0.1:1"], "open failed"),
        (&["-N", "-oExitOnForwardFailure=yes", "-R0:127.0.0.1:1"], "remote port forwarding failed"),
        (&["-s", "sftp"], "subsystem request failed"),
        (&["-s", "nosuch"], "subsystem request failed"),
    ] {
        let out = repo.ssh(options, b"").await;
        assert!(!out.is_good && out.text.contains(words), "{options:?}: {}", out.text);
    }
    // A tunnel device needs rights of the client that tests do not have; a forwarded socket is as foreign to us.
    let out = repo.ssh(&["-W/run/nothing.sock:0"], b"").await;
    assert!(!out.is_good, "{}", out.text);
    // Requests that a channel may carry besides are harmless.
    let out = repo.ssh(&["-oSetEnv=LD_PRELOAD=/x", "-A", "ping"], b"").await;
    assert!(out.is_good && out.text.contains("pong"), "{}", out.text);
}
