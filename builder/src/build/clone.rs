//! Fetches a buildpack that a config value names.
//!
//! The address comes from a user, so the connection goes through a small proxy of our own, on loopback, that resolves
//! the name itself and connects to public addresses only. This holds for redirects and for names that resolve
//! differently the second time.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use super::BuildError;

/// Largest buildpack that is fetched, in bytes.
const BYTES_MAX: usize = 64 * 1024 * 1024;
/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// Longest request head that the proxy reads, in bytes.
const HEAD_MAX: usize = 8 * 1024;

/// Checks the address of a buildpack: `https`, a host, no user or password. A branch or tag may follow `#`.
///
/// # Errors
/// [`BuildError::Failed`] with the rule that is broken.
pub fn check_url(text: &str) -> Result<(Url, Option<String>), BuildError> {
    let failed = |reason: &str| BuildError::Failed(format!("BUILDPACK_URL: {reason}"));
    let mut url = Url::parse(text.trim()).map_err(|_| {
        failed("expected the https address of a git repository, or the name of a built-in buildpack: python, node, go, ruby, rust, static, procfile")
    })?;
    if url.scheme() != "https" {
        return Err(failed("only https addresses are fetched"));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(failed("the address has no host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(failed("the address must not hold a user name or password"));
    }
    let branch = url.fragment().filter(|branch| !branch.is_empty()).map(str::to_owned);
    if branch.as_deref().is_some_and(|branch| !git2::Reference::is_valid_name(&format!("refs/heads/{branch}"))) {
        return Err(failed("what follows # is no branch or tag name"));
    }
    url.set_fragment(None);
    Ok((url, branch))
}

/// Whether `address` is one that everybody may reach: neither loopback, link-local nor private.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => {
            if let Some(v4) = v6.to_ipv4_mapped().or_else(|| embedded_v4(v6)) {
                is_public_v4(v4)
            } else {
                let first = v6.segments()[0];
                let is_local = (first & 0xfe00) == 0xfc00 || (first & 0xffc0) == 0xfe80 || (first & 0xffc0) == 0xfec0;
                !(v6.is_loopback() || v6.is_unspecified() || v6.is_multicast() || is_local)
            }
        }
    }
}

/// The IPv4 address inside one of 6to4 or of the well-known translation prefix.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let s = address.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match s {
        [0x2002, high, low, ..] => Some(v4(high, low)),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0, 0, 0, 0, 0, 0, high, low] if (high, low) > (0, 1) => {
            Some(v4(high, low))
        }
        _ => None,
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_shared = a == 100 && (64..128).contains(&b);
    let is_benchmark = a == 198 && (b == 18 || b == 19);
    let is_protocol = a == 192 && b == 0 && c == 0;
    !(a == 0
        || a >= 240
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || is_shared
        || is_benchmark
        || is_protocol)
}

/// Fetches the tip of the repository at `url` into `to`, which must not exist.
///
/// # Errors
/// [`BuildError::Failed`] with the reason.
pub async fn clone(url: &Url, branch: Option<&str>, to: &Path, allow_private: bool) -> Result<(), BuildError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .map_err(|error| BuildError::Internal(format!("opening the proxy for buildpacks: {error}")))?;
    let proxy =
        listener.local_addr().map_err(|error| BuildError::Internal(format!("reading the proxy's port: {error}")))?;
    // Both end when this future is dropped: the proxy by the abort, the clone by the flag and the lost connection.
    let mut serving = tokio::task::JoinSet::new();
    serving.spawn(serve_proxy(listener, allow_private));
    let stop = Stop(Arc::new(AtomicBool::new(false)));
    let (url, branch, to, flag) = (url.to_string(), branch.map(str::to_owned), to.to_owned(), Arc::clone(&stop.0));
    let fetched = tokio::task::spawn_blocking(move || fetch(&url, branch.as_deref(), &to, proxy, &flag)).await;
    drop(stop);
    match fetched {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => {
            let reason: String = error.message().chars().filter(|c| !c.is_control()).take(200).collect();
            Err(BuildError::Failed(format!("BUILDPACK_URL: the buildpack cannot be fetched: {reason}")))
        }
        Err(error) => Err(BuildError::Internal(format!("fetching the buildpack: {error}"))),
    }
}

/// Sets its flag when dropped.
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn fetch(url: &str, branch: Option<&str>, to: &Path, proxy: SocketAddr, stop: &AtomicBool) -> Result<(), git2::Error> {
    let mut callbacks = git2::RemoteCallbacks::new();
    callbacks.transfer_progress(|progress| progress.received_bytes() <= BYTES_MAX && !stop.load(Ordering::Relaxed));
    let mut through = git2::ProxyOptions::new();
    let proxy = format!("http://{proxy}");
    through.url(&proxy);
    let mut options = git2::FetchOptions::new();
    options.depth(1).remote_callbacks(callbacks).proxy_options(through).download_tags(git2::AutotagOption::None);
    options.follow_redirects(git2::RemoteRedirect::Initial);
    let mut builder = git2::build::RepoBuilder::new();
    builder.fetch_options(options);
    if let Some(branch) = branch {
        builder.branch(branch);
    }
    builder.clone(url, to).map(drop)
}

/// Serves `CONNECT` for the clone; ends with its task.
async fn serve_proxy(listener: TcpListener, allow_private: bool) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => { connections.spawn(tunnel(client, allow_private)); }
                Err(_) => return,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn tunnel(mut client: TcpStream, allow_private: bool) {
    let Some(target) = read_connect(&mut client).await else {
        let _ = client.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
        return;
    };
    match connect(&target, allow_private).await {
        Ok(mut server) => {
            if client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.is_ok() {
                let _ = copy_bidirectional(&mut client, &mut server).await;
            }
        }
        Err(reason) => {
            let answer = format!("HTTP/1.1 403 {reason}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            let _ = client.write_all(answer.as_bytes()).await;
        }
    }
}

/// The target of a `CONNECT` request.
async fn read_connect(client: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() > HEAD_MAX || client.read_buf(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    let head = String::from_utf8(head).ok()?;
    let mut words = head.lines().next()?.split(' ');
    (words.next() == Some("CONNECT")).then(|| words.next().map(str::to_owned)).flatten()
}

async fn connect(target: &str, allow_private: bool) -> Result<TcpStream, &'static str> {
    let addresses = tokio::time::timeout(CONNECT_TIMEOUT, tokio::net::lookup_host(target)).await;
    let Ok(Ok(addresses)) = addresses else { return Err("The host is not known") };
    let allowed: Vec<SocketAddr> = addresses.filter(|address| allow_private || is_public(address.ip())).collect();
    if allowed.is_empty() {
        return Err("Private addresses are not allowed");
    }
    let connecting = TcpStream::connect(allowed.as_slice());
    match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
        Ok(Ok(stream)) => Ok(stream),
        _ => Err("The host does not answer"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_buildpacks_are_checked() {
        let (url, branch) = check_url(" https://example.org/a.git#v2 ").unwrap();
        assert_eq!((url.as_str(), branch.as_deref()), ("https://example.org/a.git", Some("v2")));
        for bad in [
            "",
            "cobol",
            "http://example.org/a",
            "file:///etc",
            "ssh://example.org/a",
            "https://",
            "https://u:p@example.org/a",
            "https://example.org/a#-x..y",
            "--upload-pack=x",
        ] {
            assert!(matches!(check_url(bad), Err(BuildError::Failed(_))), "{bad}");
        }
    }

    #[test]
    fn private_addresses_are_known() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
            "::127.0.0.1",
            "198.18.0.1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in ["8.8.8.8", "172.32.0.1", "2606:4700::1111", "64:ff9b::808:808"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[tokio::test]
    async fn private_hosts_are_not_fetched_from() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = server.local_addr().unwrap();
        let root = tempfile::tempdir().unwrap();
        let url = Url::parse(&format!("https://{address}/a.git")).unwrap();
        let error = clone(&url, None, &root.path().join("to"), false).await.unwrap_err();
        assert!(matches!(error, BuildError::Failed(text) if text.contains("403") || text.contains("rivate")));
        let untouched = tokio::time::timeout(Duration::from_millis(1), server.accept()).await;
        assert!(untouched.is_err(), "the server was never asked");
    }

    #[tokio::test]
    async fn private_hosts_are_reached_when_allowed() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = server.local_addr().unwrap();
        let root = tempfile::tempdir().unwrap();
        let url = Url::parse(&format!("https://{address}/a.git")).unwrap();
        let to = root.path().join("to");
        let (result, asked) = tokio::join!(clone(&url, None, &to, true), async { server.accept().await.map(drop) });
        assert!(asked.is_ok());
        assert!(result.is_err(), "it speaks no TLS");
    }
}
