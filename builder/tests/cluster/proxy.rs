//! Ways out of the cluster: to the registry, which listens on this machine alone, and to package indexes.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OnceCell;

/// Passes connections to `host` on to `target`; tells the port.
pub async fn forward(host: &str, target: String) -> u16 {
    let listener = TcpListener::bind((host, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut from, _)) = listener.accept().await {
            let target = target.clone();
            tokio::spawn(async move {
                if let Ok(mut to) = TcpStream::connect(&target).await {
                    let _ = copy_bidirectional(&mut from, &mut to).await;
                }
            });
        }
    });
    port
}

/// Addresses of the hosts that were asked for. A package manager opens dozens of connections to one host at once, and
/// resolvers that lose some of as many questions cost it five seconds each: it gives up before it has an answer.
type Known = Arc<Mutex<HashMap<String, Arc<OnceCell<Vec<SocketAddr>>>>>>;

async fn open(known: &Known, target: &str) -> std::io::Result<TcpStream> {
    let cell = Arc::clone(known.lock().unwrap().entry(target.to_owned()).or_default());
    let look_up = async || tokio::net::lookup_host(target).await.map(Iterator::collect);
    let addresses: &Vec<SocketAddr> = cell.get_or_try_init(look_up).await?;
    TcpStream::connect(addresses.as_slice()).await
}

/// A proxy for `CONNECT` on `host`; tells the port.
pub async fn connect(host: &str) -> u16 {
    let listener = TcpListener::bind((host, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let known = Known::default();
    tokio::spawn(async move {
        while let Ok((from, _)) = listener.accept().await {
            let known = Arc::clone(&known);
            tokio::spawn(async move {
                let mut from = BufReader::new(from);
                let mut target = String::new();
                loop {
                    let mut line = String::new();
                    if from.read_line(&mut line).await.unwrap_or(0) == 0 {
                        return;
                    }
                    if let Some(rest) = line.strip_prefix("CONNECT ") {
                        target = rest.split(' ').next().unwrap_or_default().to_owned();
                    }
                    if line.trim().is_empty() {
                        break;
                    }
                }
                let Ok(mut to) = open(&known, &target).await else { return };
                if from.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.is_ok() {
                    let _ = copy_bidirectional(&mut from, &mut to).await;
                }
            });
        }
    });
    port
}
