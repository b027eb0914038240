//! A small HTTP server for static files: what runs as the `web` process of an app that is nothing but files.
//!
//! It follows `static.json` in the working directory (see [`site::SiteConfig`]), answers `GET` and `HEAD`, knows
//! conditional requests and single ranges, and never leaves the root or shows hidden files.

pub mod site;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures::TryStreamExt;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::net::TcpListener;
use tokio_util::io::ReaderStream;

pub use site::{Found, Site, SiteConfig};

type Body = BoxBody<Bytes, std::io::Error>;

/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long requests may go on after SIGTERM.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);

/// Serves the files below `root` on `address` until SIGTERM or Ctrl-C, then finishes the requests that are going on.
///
/// # Errors
/// When the root or `static.json` is not there or wrong, or the address is taken.
pub async fn serve_static(root: &Path, address: SocketAddr) -> std::io::Result<()> {
    let config = match std::fs::read_to_string("static.json") {
        Ok(text) => SiteConfig::parse(&text).map_err(std::io::Error::other)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => SiteConfig::default(),
        Err(error) => return Err(error),
    };
    let site = Site::new(root, config)?;
    let listener = TcpListener::bind(address).await?;
    let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    serve(listener, site, async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    })
    .await;
    Ok(())
}

/// Serves `site` on `listener` until `stop` is done, then finishes the requests that are going on.
pub async fn serve(listener: TcpListener, site: Site, stop: impl Future<Output = ()>) {
    let site = Arc::new(site);
    let graceful = GracefulShutdown::new();
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            // Out of descriptors: what is open will end.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let site = Arc::clone(&site);
        let service = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
            let site = Arc::clone(&site);
            async move {
                Ok::<_, Infallible>(answer(&site, request.method(), request.uri().path(), request.headers()).await)
            }
        });
        let connection = graceful.watch(builder.serve_connection(TokioIo::new(stream), service).into_owned());
        tokio::spawn(async move {
            let _ = connection.await;
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(DRAIN_TIMEOUT, graceful.shutdown()).await;
}

/// Answers one request.
async fn answer(site: &Site, method: &Method, path: &str, headers: &HeaderMap) -> Response<Body> {
    if method != Method::GET && method != Method::HEAD {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "405: only GET and HEAD are answered\n");
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let (found, site, path) = (site.clone(), site, path.to_owned());
    // Looking for files blocks.
    let found = tokio::task::spawn_blocking(move || found.find(&path)).await;
    let response = match found {
        Ok(Found::File(file)) => send(&file, StatusCode::OK, headers).await,
        Ok(Found::Missing(Some(page))) => send(&page, StatusCode::NOT_FOUND, headers).await,
        Ok(Found::Missing(None)) => Ok(text(StatusCode::NOT_FOUND, "404: there is nothing at this address\n")),
        Ok(Found::Redirect(to)) => {
            let mut response = text(StatusCode::MOVED_PERMANENTLY, "");
            match HeaderValue::from_str(&to) {
                Ok(to) => {
                    response.headers_mut().insert(header::LOCATION, to);
                    Ok(response)
                }
                Err(_) => Ok(text(StatusCode::NOT_FOUND, "404: there is nothing at this address\n")),
            }
        }
        Err(error) => Err(std::io::Error::other(error)),
    };
    let mut response = response.unwrap_or_else(|error| {
        tracing::warn!(%error, ?site, "a file could not be sent");
        text(StatusCode::NOT_FOUND, "404: there is nothing at this address\n")
    });
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if method == Method::HEAD {
        *response.body_mut() = empty();
    }
    response
}

fn empty() -> Body {
    Full::default().map_err(|never: Infallible| match never {}).boxed()
}

fn text(status: StatusCode, body: &'static str) -> Response<Body> {
    let mut response = Response::new(Full::from(body).map_err(|never: Infallible| match never {}).boxed());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    response
}

async fn send(path: &Path, status: StatusCode, request: &HeaderMap) -> std::io::Result<Response<Body>> {
    let mut file = tokio::fs::File::open(path).await?;
    let meta = file.metadata().await?;
    let size = meta.len();
    let modified = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    let nanos = modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    let etag = format!("\"{nanos:x}-{size:x}\"");
    let mut response = Response::new(empty());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(path)));
    if status != StatusCode::OK {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(size));
        *response.body_mut() = stream(file);
        return Ok(response);
    }
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        headers.insert(header::ETAG, etag);
    }
    if let Ok(date) = HeaderValue::from_str(&httpdate::fmt_http_date(modified)) {
        headers.insert(header::LAST_MODIFIED, date);
    }
    if is_unchanged(request, &etag, modified) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(response);
    }
    match range(request, &etag, size) {
        Range::Whole => {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(size));
            *response.body_mut() = stream(file);
        }
        Range::Part(first, last) => {
            let length = last - first + 1;
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
            if let Ok(value) = HeaderValue::from_str(&format!("bytes {first}-{last}/{size}")) {
                headers.insert(header::CONTENT_RANGE, value);
            }
            file.seek(std::io::SeekFrom::Start(first)).await?;
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            *response.body_mut() = stream(file.take(length));
        }
        Range::Outside => {
            if let Ok(value) = HeaderValue::from_str(&format!("bytes */{size}")) {
                headers.insert(header::CONTENT_RANGE, value);
            }
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(0));
            *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
        }
    }
    Ok(response)
}

fn stream(reader: impl tokio::io::AsyncRead + Send + Sync + 'static) -> Body {
    StreamBody::new(ReaderStream::with_capacity(reader, 64 * 1024).map_ok(Frame::data)).boxed()
}

/// Whether the client has this version already (RFC 9110 §13.2.2).
fn is_unchanged(request: &HeaderMap, etag: &str, modified: SystemTime) -> bool {
    if let Some(known) = request.get(header::IF_NONE_MATCH) {
        let known = known.to_str().unwrap_or_default();
        return known.split(',').map(str::trim).any(|known| known == "*" || known.trim_start_matches("W/") == etag);
    }
    let since = request.get(header::IF_MODIFIED_SINCE).and_then(|date| date.to_str().ok());
    let seconds = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    since.and_then(|date| httpdate::parse_http_date(date).ok()).is_some_and(|date| seconds(modified) <= seconds(date))
}

#[derive(Debug, PartialEq, Eq)]
enum Range {
    Whole,
    Part(u64, u64),
    Outside,
}

/// The part that the client asks for; several parts at once are answered with the whole.
fn range(request: &HeaderMap, etag: &str, size: u64) -> Range {
    let text = |name| request.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if text(header::IF_RANGE).is_some_and(|known| known != etag) {
        return Range::Whole;
    }
    let Some((first, last)) = text(header::RANGE)
        .and_then(|range| range.strip_prefix("bytes="))
        .and_then(|range| range.trim().split_once('-'))
    else {
        return Range::Whole;
    };
    match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first > last => Range::Whole,
        (Ok(first), _) if first >= size => {
            if last.is_empty() || last.parse::<u64>().is_ok() {
                Range::Outside
            } else {
                Range::Whole
            }
        }
        (Ok(first), Ok(last)) => Range::Part(first, last.min(size - 1)),
        (Ok(first), Err(_)) if last.is_empty() => Range::Part(first, size - 1),
        (Err(_), Ok(0)) if first.is_empty() => Range::Outside,
        (Err(_), Ok(_)) if first.is_empty() && size == 0 => Range::Outside,
        (Err(_), Ok(count)) if first.is_empty() => Range::Part(size.saturating_sub(count), size - 1),
        _ => Range::Whole,
    }
}

/// The media type that a file's ending stands for.
fn content_type(path: &Path) -> &'static str {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
    match ending.as_str() {
        "html" | "htm" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" | "cjs" => "text/javascript; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "txt" | "text" | "log" => "text/plain; charset=utf-8",
        "md" => "text/markdown; charset=utf-8",
        "csv" => "text/csv; charset=utf-8",
        "xml" => "application/xml",
        "rss" => "application/rss+xml",
        "atom" => "application/atom+xml",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "ico" => "image/x-icon",
        "bmp" => "image/bmp",
        "woff" => "font/woff",
        "woff2" => "font/woff2",
        "ttf" => "font/ttf",
        "otf" => "font/otf",
        "mp4" | "m4v" => "video/mp4",
        "webm" => "video/webm",
        "mp3" => "audio/mpeg",
        "ogg" | "oga" => "audio/ogg",
        "wav" => "audio/wav",
        "flac" => "audio/flac",
        "pdf" => "application/pdf",
        "wasm" => "application/wasm",
        "zip" => "application/zip",
        "gz" | "tgz" => "application/gzip",
        "ics" => "text/calendar; charset=utf-8",
        "vtt" => "text/vtt; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests;
