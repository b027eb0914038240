//! Fetches a buildpack that a config value names.
//!
//! The address comes from a user, so the connection goes through a proxy that lets it reach public addresses only.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use slipway_egress::Proxy;
use url::Url;

use super::BuildError;

/// Largest buildpack that is fetched, in bytes.
const BYTES_MAX: usize = 64 * 1024 * 1024;

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

/// Fetches the tip of the repository at `url` into `to`, which must not exist.
///
/// # Errors
/// [`BuildError::Failed`] with the reason.
pub async fn clone(url: &Url, branch: Option<&str>, to: &Path, allow_private: bool) -> Result<(), BuildError> {
    // Both end when this future is dropped: the proxy by itself, the clone by the flag and the lost connection.
    let proxy = Proxy::start(allow_private)
        .await
        .map_err(|error| BuildError::Internal(format!("opening the proxy for buildpacks: {error}")))?;
    let through = proxy.url();
    let stop = Stop(Arc::new(AtomicBool::new(false)));
    let (url, branch, to, flag) = (url.to_string(), branch.map(str::to_owned), to.to_owned(), Arc::clone(&stop.0));
    let fetched = tokio::task::spawn_blocking(move || fetch(&url, branch.as_deref(), &to, &through, &flag)).await;
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

fn fetch(url: &str, branch: Option<&str>, to: &Path, proxy: &str, stop: &AtomicBool) -> Result<(), git2::Error> {
    let mut callbacks = git2::RemoteCallbacks::new();
    callbacks.transfer_progress(|progress| progress.received_bytes() <= BYTES_MAX && !stop.load(Ordering::Relaxed));
    let mut through = git2::ProxyOptions::new();
    through.url(proxy);
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::net::TcpListener;

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
