use std::fs;

use super::*;

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (header::HeaderName::from_static(name), value.parse().unwrap())).collect()
}

fn site() -> (tempfile::TempDir, Site) {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("index.html"), "<html>hello").unwrap();
    fs::write(root.path().join("404.html"), "<html>lost").unwrap();
    fs::write(root.path().join("data.bin"), "0123456789").unwrap();
    let site = Site::new(root.path(), SiteConfig::default()).unwrap();
    (root, site)
}

async fn get(site: &Site, path: &str, pairs: &[(&'static str, &str)]) -> (StatusCode, HeaderMap, String) {
    let response = answer(site, &Method::GET, path, &headers(pairs)).await;
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn files_are_sent_with_their_type() {
    let (_root, site) = site();
    let (status, headers, body) = get(&site, "/", &[]).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "<html>hello"));
    assert_eq!(headers[header::CONTENT_TYPE], "text/html; charset=utf-8");
    assert_eq!(headers[header::CONTENT_LENGTH], "11");
    let (status, headers, body) = get(&site, "/nope", &[]).await;
    assert_eq!((status, body.as_str()), (StatusCode::NOT_FOUND, "<html>lost"));
    assert!(!headers.contains_key(header::ETAG));
}

#[tokio::test]
async fn known_versions_are_not_sent_again() {
    let (_root, site) = site();
    let (_, first, _) = get(&site, "/data.bin", &[]).await;
    let etag = first[header::ETAG].to_str().unwrap().to_owned();
    let date = first[header::LAST_MODIFIED].to_str().unwrap().to_owned();
    for (name, value, status) in [
        ("if-none-match", etag.as_str(), 304),
        ("if-none-match", &format!("\"x\", W/{etag}"), 304),
        ("if-none-match", "*", 304),
        ("if-none-match", "\"x\"", 200),
        ("if-modified-since", &date, 304),
        ("if-modified-since", "Thu, 01 Jan 1970 00:00:00 GMT", 200),
        ("if-modified-since", "yesterday", 200),
    ] {
        let (got, _, body) = get(&site, "/data.bin", &[(name, value)]).await;
        assert_eq!(got.as_u16(), status, "{name}: {value}");
        assert_eq!(body.is_empty(), status == 304);
    }
}

#[tokio::test]
async fn parts_are_sent() {
    let (_root, site) = site();
    for (range, status, body) in [
        ("bytes=2-4", 206, "234"),
        ("bytes=7-", 206, "789"),
        ("bytes=-3", 206, "789"),
        ("bytes=8-99", 206, "89"),
        ("bytes=-99", 206, "0123456789"),
        ("bytes=10-", 416, ""),
        ("bytes=-0", 416, ""),
        ("bytes=4-2", 200, "0123456789"),
        ("bytes=1-2,4-5", 200, "0123456789"),
        ("lines=1-2", 200, "0123456789"),
        ("bytes=18446744073709551616-", 200, "0123456789"),
    ] {
        let (got, _, text) = get(&site, "/data.bin", &[("range", range)]).await;
        assert_eq!((got.as_u16(), text.as_str()), (status, body), "{range}");
    }
    let (status, ..) = get(&site, "/data.bin", &[("range", "bytes=0-1"), ("if-range", "\"old\"")]).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn other_methods_are_refused_and_head_has_no_body() {
    let (_root, site) = site();
    let response = answer(&site, &Method::POST, "/", &HeaderMap::new()).await;
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    let response = answer(&site, &Method::HEAD, "/", &HeaderMap::new()).await;
    assert_eq!(response.headers()[header::CONTENT_LENGTH], "11");
    assert!(response.into_body().collect().await.unwrap().to_bytes().is_empty());
}

#[tokio::test]
async fn it_serves_and_stops() {
    use tokio::io::AsyncWriteExt;
    let (_root, site) = site();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(serve(listener, site, async { stopped.await.unwrap_or(()) }));
    let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut text = String::new();
    client.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 200 OK") && text.ends_with("<html>hello"), "{text}");
    stop.send(()).unwrap();
    server.await.unwrap();
}
