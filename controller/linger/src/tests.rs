//! Over real sockets: what matters is what a client on the other side gets to see.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// A server that refuses whatever comes without a look at its body.
async fn refusing() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service_fn(|request: Request<Incoming>| async {
                let (head, body) = request.into_parts();
                drop(Lingering::new(body, &head.headers));
                let mut response = Response::new(Full::new(Bytes::from_static(b"too large")));
                *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
                Ok::<_, Infallible>(response)
            });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    addr
}

/// Sends all of `body` and only then reads, as simple clients do; what came.
async fn exchange(addr: std::net::SocketAddr, head: &str, body: &[u8]) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(addr).await?;
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    stream.shutdown().await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_arrives_though_the_body_is_not_wanted() {
    let addr = refusing().await;
    let body = vec![b'x'; 16 << 20];
    for _ in 0..20 {
        let head = format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
        let answer = exchange(addr, &head, &body).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 413 ") && answer.ends_with("too large"), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_connection_serves_the_next_request() {
    let addr = refusing().await;
    let mut both = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n".to_vec();
    both.extend(vec![b'x'; 1_000_000]);
    let again = both.clone();
    both.extend(again);
    let answer = exchange(addr, "", &both).await.unwrap();
    assert_eq!(answer.matches("HTTP/1.1 413 ").count(), 2, "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_to_be_told_is_not_told_to_send() {
    let addr = refusing().await;
    let head = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\nexpect: 100-Continue\r\n\r\n";
    let answer = exchange(addr, head, b"").await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

/// 16 KiB at a time, endlessly or never.
struct Bad {
    is_endless: bool,
}

impl Body for Bad {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if !self.is_endless {
            return Poll::Pending;
        }
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[0; 1 << 14])))))
    }
}

#[tokio::test]
async fn nobody_is_waited_for_without_end() {
    assert!(!take_in(Bad { is_endless: true }, REST_IDLE).await);
    assert!(!take_in(Bad { is_endless: false }, Duration::from_millis(10)).await);
}
