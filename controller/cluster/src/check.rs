//! Asking an app how it is: one request to the Service that leads to it.

use std::pin::pin;

use bytes::Bytes;
use http::{Request, header};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use slipway_engine::{HttpCheck, HttpCheckOutcome};
use tokio::net::{TcpStream, ToSocketAddrs};
use tokio::time::timeout;

/// How the platform is named in what it asks of apps.
const AGENT: &str = concat!("slipway-health/", env!("CARGO_PKG_VERSION"));

/// Asks whatever listens at `place`.
///
/// That nothing can be reached says nothing about the app: whether its port is open the kubelet finds out, and there may
/// be no way from here to the cluster's Services at all.
pub(crate) async fn ask(place: impl ToSocketAddrs, check: &HttpCheck) -> HttpCheckOutcome {
    let Ok(Ok(stream)) = timeout(check.timeout, TcpStream::connect(place)).await else {
        return HttpCheckOutcome::Untold;
    };
    match timeout(check.timeout, answer(stream, check)).await {
        Ok(outcome) => outcome,
        Err(_) => HttpCheckOutcome::Silent(format!("no answer within {} s", check.timeout.as_secs_f32())),
    }
}

async fn answer(stream: TcpStream, check: &HttpCheck) -> HttpCheckOutcome {
    let silent = || HttpCheckOutcome::Silent("its port does not answer".to_owned());
    let host = check.host.as_deref().unwrap_or(check.name.as_str());
    let request = Request::get(&check.path).header(header::HOST, host).header(header::USER_AGENT, AGENT);
    let Ok(request) = request.body(Empty::<Bytes>::new()) else {
        // It is checked when it is set; nothing can be asked by it.
        return HttpCheckOutcome::Untold;
    };
    let Ok((mut sender, connection)) = http1::handshake(TokioIo::new(stream)).await else { return silent() };
    let mut answer = pin!(sender.send_request(request));
    let answer = tokio::select! {
        answer = &mut answer => answer,
        // The connection may end with the answer; without one that is known at once.
        _ = connection => answer.await,
    };
    answer.map_or_else(|_| silent(), |answer| HttpCheckOutcome::Answered(answer.status().as_u16()))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use slipway_core::{AppId, AppName};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    fn check(path: &str, timeout: Duration) -> HttpCheck {
        let (app, name) = (AppId::generate(), AppName::new("blog").unwrap());
        HttpCheck { app, name, path: path.to_owned(), host: Some("blog.example.com".to_owned()), timeout }
    }

    /// Asks a server that gives this answer; also what it was asked. Without an answer it keeps the connection.
    async fn asked(answer: Option<&'static str>, check: &HttpCheck) -> (HttpCheckOutcome, String) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let place = listener.local_addr().unwrap();
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut seen = String::new();
            while !seen.contains("\r\n\r\n") {
                let mut piece = [0_u8; 1024];
                let read = stream.read(&mut piece).await.unwrap();
                if read == 0 {
                    return (seen, None);
                }
                seen += std::str::from_utf8(&piece[..read]).unwrap();
            }
            if let Some(answer) = answer {
                stream.write_all(answer.as_bytes()).await.unwrap();
                drop(stream);
                return (seen, None);
            }
            (seen, Some(stream))
        };
        let (outcome, (seen, _open)) = tokio::join!(ask(place, check), serve);
        (outcome, seen)
    }

    #[tokio::test]
    async fn what_is_answered_is_told() {
        let patient = check("/health?a=b", Duration::from_mins(1));
        let (outcome, seen) = asked(Some("HTTP/1.1 204 No Content\r\n\r\n"), &patient).await;
        assert_eq!(outcome, HttpCheckOutcome::Answered(204));
        assert!(
            seen.starts_with("GET /health?a=b HTTP/1.1\r\n") && seen.contains("host: blog.example.com\r\n"),
            "{seen}"
        );
        let (outcome, _) = asked(Some("HTTP/1.1 500 Oh\r\ncontent-length: 9\r\n\r\nx"), &patient).await;
        assert_eq!(outcome, HttpCheckOutcome::Answered(500));
        for odd in ["", "no http\r\n\r\n"] {
            assert!(matches!(asked(Some(odd), &patient).await.0, HttpCheckOutcome::Silent(_)), "{odd}");
        }
    }

    #[tokio::test]
    async fn whoever_cannot_be_reached_is_not_blamed_and_whoever_says_nothing_is() {
        // Nobody listens there, and nobody else is given it.
        let reserved = tokio::net::TcpSocket::new_v4().unwrap();
        reserved.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let place = reserved.local_addr().unwrap();
        let hasty = check("/", Duration::from_millis(500));
        assert_eq!(ask(place, &hasty).await, HttpCheckOutcome::Untold);
        assert!(matches!(asked(None, &hasty).await.0, HttpCheckOutcome::Silent(_)));
        assert_eq!(
            asked(Some("HTTP/1.1 200 OK\r\n\r\n"), &check("/ x", Duration::from_mins(1))).await.0,
            HttpCheckOutcome::Untold
        );
    }
}
