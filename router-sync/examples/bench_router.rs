//! The two ends of the router's benchmark (`tests/bench/router` runs both beside nginx).
//!
//! `bench_router backend` is an app that answers as fast as it can; `bench_router router BACKEND LOG` is the router in
//! front of it, with access lines written to the file LOG. Each prints its address and runs until it is killed.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use slipway_core::log::LogLine;
use slipway_core::{AppId, AppName};
use slipway_engine::LogSink;
use slipway_engine::route::{AppRoute, Backend, IdleReason, RouteTable};
use slipway_router_sync::{Router, RouterConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

type Error = Box<dyn std::error::Error + Send + Sync>;

struct FileSink(Mutex<BufWriter<File>>);

impl LogSink for FileSink {
    fn append(&self, _app: AppId, line: LogLine) {
        if let Ok(mut file) = self.0.lock() {
            // A full disk must not stop the measurement.
            let _ = writeln!(file, "{} {}: {}", line.time, line.source, line.text);
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["backend"] => backend().await,
        ["router", backend, log] => router(backend.parse()?, log).await,
        _ => Err("usage: bench_router backend | bench_router router BACKEND LOG".into()),
    }
}

fn announce(addr: SocketAddr) -> Result<(), Error> {
    let mut out = std::io::stdout();
    writeln!(out, "{addr}")?;
    Ok(out.flush()?)
}

async fn router(backend: SocketAddr, log: &str) -> Result<(), Error> {
    let route = Arc::new(AppRoute {
        app: AppId::generate(),
        name: AppName::new("bench")?,
        is_in_maintenance: false,
        is_https_enforced: false,
        allow_list: Vec::new(),
        backends: vec![Backend::new(backend, "web.1")],
        idle: IdleReason::Starting,
        paths: Vec::new(),
    });
    let table = RouteTable::new(vec![(vec!["bench.localhost".to_owned()], route)], Vec::new());
    let (_publish, routes) = watch::channel(Arc::new(table));
    let sink = Arc::new(FileSink(Mutex::new(BufWriter::with_capacity(64 * 1024, File::create(log)?))));
    let config = RouterConfig::new(([127, 0, 0, 1], 0).into(), None, "localhost");
    let router = Router::bind(config, routes, sink).await?;
    announce(router.local_addr())?;
    router.run(CancellationToken::new()).await;
    Ok(())
}

async fn backend() -> Result<(), Error> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    announce(listener.local_addr()?)?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(answer(stream));
    }
}

/// Answers requests without a body. `/large` is 64 KiB, everything else 12 bytes.
async fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let body = |length: usize| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n");
        let mut response = head.into_bytes();
        response.resize(response.len() + length, b'x');
        response
    };
    let (small, large) = (body(12), body(64 * 1024));
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 16 * 1024];
    let mut filled = 0;
    loop {
        let length = stream.read(&mut buffer[filled..]).await?;
        if length == 0 {
            return Ok(());
        }
        filled += length;
        if !buffer[..filled].ends_with(b"\r\n\r\n") {
            continue;
        }
        let is_large = buffer.starts_with(b"GET /large");
        filled = 0;
        stream.write_all(if is_large { &large } else { &small }).await?;
    }
}
