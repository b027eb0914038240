//! Ways out of the cluster: to the registry, which listens on this machine alone, and to package indexes.

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

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

/// Serves what `upstream` has over plain HTTP on `host`, for a package manager that has trouble with proxies; tells the
/// port.
pub async fn mirror(host: &str, upstream: &'static str) -> u16 {
    let listener = TcpListener::bind((host, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let client = reqwest::Client::new();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let client = client.clone();
            let service = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                let url = format!("{upstream}{}", request.uri());
                let asked = client.get(url).send();
                async move {
                    let answer = asked.await.map_err(std::io::Error::other)?;
                    let (status, body) = (answer.status(), answer.bytes().await.map_err(std::io::Error::other)?);
                    let response = hyper::Response::builder().status(status).body(http_body_util::Full::new(body));
                    Ok::<_, std::io::Error>(response.unwrap())
                }
            });
            tokio::spawn(async move {
                let builder = hyper_util::server::conn::auto::Builder::new(hyper_util::rt::TokioExecutor::new());
                let _ = builder.serve_connection(hyper_util::rt::TokioIo::new(stream), service).await;
            });
        }
    });
    port
}

/// A proxy for `CONNECT` on `host`; tells the port.
pub async fn connect(host: &str) -> u16 {
    let listener = TcpListener::bind((host, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((from, _)) = listener.accept().await {
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
                let Ok(mut to) = TcpStream::connect(&target).await else { return };
                if from.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.is_ok() {
                    let _ = copy_bidirectional(&mut from, &mut to).await;
                }
            });
        }
    });
    port
}
