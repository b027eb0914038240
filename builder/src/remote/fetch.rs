//! Fetches one branch of a repository elsewhere, as little of it as will do.
//!
//! Everything about it is hostile: the address leads through a proxy that reaches public addresses only, whatever it
//! redirects to; what is sent is counted; nothing of the repository's own settings or hooks is heeded, since it is
//! fetched into a bare repository of ours. No program is started.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use git2::{
    AutotagOption, Cred, Direction, FetchOptions, Oid, ProxyOptions, RemoteCallbacks, RemoteRedirect, Repository,
};
use slipway_core::config::SecretText;
use slipway_core::deployment::is_ref_name;
use slipway_egress::Proxy;
use url::Url;

use super::known_hosts::KnownHosts;
use super::ssh::Bridge;

/// What is fetched.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) url: String,
    /// `user:password`; for `ssh` the private key.
    pub(super) credentials: Option<SecretText>,
    /// Empty for the repository's own.
    pub(super) branch: String,
    /// Empty for the branch's newest.
    pub(super) commit: String,
    pub(super) bytes_max: u64,
    pub(super) is_private_allowed: bool,
    pub(super) known_hosts: KnownHosts,
}

/// Why there is nothing; for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FetchError(pub(super) String);

/// The commit that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fetched {
    /// Its hash.
    pub(super) commit: String,
    /// Whether it was fetched; else it was not wanted.
    pub(super) is_there: bool,
}

/// Finds the commit, and fetches it into a new repository at `to` if it is wanted.
///
/// # Errors
/// The reason, without any credentials.
pub(super) async fn fetch(
    source: &Source,
    to: &Path,
    stop: &Arc<AtomicBool>,
    is_wanted: &(impl Fn(&str) -> bool + Sync),
) -> Result<Fetched, FetchError> {
    let url = Url::parse(&source.url).map_err(|_| FetchError("The address of the repository is none.".to_owned()))?;
    let is_plain = match url.scheme() {
        "https" => false,
        // There is nothing between us and the address then; the operator wants it so.
        "http" if source.is_private_allowed => true,
        // The bridge is on this machine, and looks itself at where it connects to.
        "ssh" => true,
        _ => return Err(FetchError("Repositories are fetched by https and ssh only.".to_owned())),
    };
    if !source.branch.is_empty() && !is_ref_name(&source.branch) {
        return Err(FetchError("That is no name of a branch.".to_owned()));
    }
    let bridge = match (url.scheme(), &source.credentials) {
        ("ssh", Some(key)) => Some(Bridge::start(&url, key, &source.known_hosts, source.is_private_allowed).await?),
        ("ssh", None) => return Err(FetchError("There is no key for ssh: deploy once more to get one.".to_owned())),
        _ => None,
    };
    // Ends when this future is dropped, and with it every connection through it.
    let proxy = if is_plain {
        None
    } else {
        Some(Proxy::start(source.is_private_allowed).await.map_err(|error| {
            tracing::warn!("cannot open the proxy for repositories: {error}");
            FetchError("The builder has a problem of its own.".to_owned())
        })?)
    };
    let through = proxy.as_ref().map(Proxy::url);
    let source = match &bridge {
        Some(bridge) => Source { url: bridge.url().to_owned(), credentials: None, ..source.clone() },
        None => source.clone(),
    };
    // What the host said tells more than what became of it.
    let better = |error: FetchError| bridge.as_ref().and_then(Bridge::problem).map_or(error, FetchError);
    let (shared, path) = ((source, through, Arc::clone(stop)), to.to_owned());
    let found = blocking(shared.clone(), path.clone(), Fetch::find).await.map_err(better)?;
    if !is_wanted(&found.commit.to_string()) {
        return Ok(Fetched { commit: found.commit.to_string(), is_there: false });
    }
    let commit = found.commit.to_string();
    blocking(shared, path, move |fetch| fetch.take(&found)).await.map_err(better)?;
    Ok(Fetched { commit, is_there: true })
}

async fn blocking<T: Send + 'static>(
    (source, proxy, stop): (Source, Option<String>, Arc<AtomicBool>),
    to: PathBuf,
    work: impl FnOnce(&Fetch) -> Result<T, FetchError> + Send + 'static,
) -> Result<T, FetchError> {
    let fetch = Fetch { source, proxy, stop, to };
    let done = tokio::task::spawn_blocking(move || work(&fetch)).await;
    done.unwrap_or_else(|_| Err(FetchError("Fetching ended early.".to_owned())))
}

struct Fetch {
    source: Source,
    proxy: Option<String>,
    stop: Arc<AtomicBool>,
    to: PathBuf,
}

/// A commit and the ref it is the tip of.
struct Found {
    commit: Oid,
    name: String,
    is_tip: bool,
}

impl Fetch {
    fn repository(&self) -> Result<Repository, FetchError> {
        let opened = if self.to.exists() { Repository::open_bare(&self.to) } else { Repository::init_bare(&self.to) };
        opened.map_err(|error| self.told("making room for it", &error))
    }

    fn told(&self, doing: &str, error: &git2::Error) -> FetchError {
        let reason: String = error.message().chars().filter(|c| !c.is_control()).take(200).collect();
        let hint = if reason.contains("403") && self.proxy.is_some() {
            " (private addresses may not be fetched from here)"
        } else {
            ""
        };
        FetchError(format!("The repository cannot be fetched ({doing}): {reason}{hint}"))
    }

    fn callbacks<'a>(&'a self, over: &'a AtomicU64, tries: &'a AtomicU64) -> RemoteCallbacks<'a> {
        let mut callbacks = RemoteCallbacks::new();
        callbacks.transfer_progress(move |progress| {
            let received = progress.received_bytes() as u64;
            over.store(received, Ordering::Relaxed);
            received <= self.source.bytes_max && !self.stop.load(Ordering::Relaxed)
        });
        callbacks.sideband_progress(move |_| !self.stop.load(Ordering::Relaxed));
        callbacks.credentials(move |asked, _, _| {
            let is_host = Url::parse(asked).ok().map(|url| url.origin())
                == Url::parse(&self.source.url).ok().map(|url| url.origin());
            // Asked again means that they are wrong.
            let is_first = tries.fetch_add(1, Ordering::Relaxed) == 0;
            match &self.source.credentials {
                // A redirect to another host gets none of it.
                Some(credentials) if is_host && is_first => {
                    let (user, password) = credentials.expose().split_once(':').unwrap_or((credentials.expose(), ""));
                    Cred::userpass_plaintext(user, password)
                }
                _ => Err(git2::Error::from_str("it wants a user and a password, and none fit")),
            }
        });
        callbacks
    }

    fn proxy_options(&self) -> ProxyOptions<'static> {
        let mut options = ProxyOptions::new();
        if let Some(proxy) = &self.proxy {
            options.url(proxy);
        }
        options
    }

    /// Asks which commit the branch stands for.
    fn find(&self) -> Result<Found, FetchError> {
        let repository = self.repository()?;
        let told = |error| self.told("asking for its branches", &error);
        let mut remote = repository.remote_anonymous(&self.source.url).map_err(told)?;
        let (over, tries) = (AtomicU64::new(0), AtomicU64::new(0));
        let callbacks = self.callbacks(&over, &tries);
        let connection = remote.connect_auth(Direction::Fetch, Some(callbacks), Some(self.proxy_options()));
        let connection = connection.map_err(told)?;
        let branch = &self.source.branch;
        let names = if branch.is_empty() {
            let own = connection.default_branch().ok().and_then(|name| name.as_str().map(str::to_owned).ok());
            vec![own.unwrap_or_else(|| "HEAD".to_owned())]
        } else {
            vec![format!("refs/heads/{branch}"), format!("refs/tags/{branch}")]
        };
        let heads = connection.list().map_err(told)?;
        let found = names.iter().find_map(|name| heads.iter().find(|head| head.name() == name.as_str()));
        let Some(found) = found else {
            let text = match branch.as_str() {
                "" => "The repository is empty.".to_owned(),
                branch => format!("The repository has no branch '{branch}'."),
            };
            return Err(FetchError(text));
        };
        let name = found.name().to_owned();
        let tip = found.oid();
        let commit = match self.source.commit.as_str() {
            "" => tip,
            hash => Oid::from_str(hash).map_err(|_| FetchError("That is no hash of a commit.".to_owned()))?,
        };
        Ok(Found { commit, is_tip: commit == tip, name })
    }

    /// Fetches it: the tip alone, or the branch with its history when an older commit is wanted, or where the server
    /// sends nothing less.
    fn take(&self, found: &Found) -> Result<(), FetchError> {
        match self.take_depth(found, found.is_tip) {
            Err(FetchError(reason)) if found.is_tip && reason.contains("shallow") => self.take_depth(found, false),
            done => done,
        }
    }

    fn take_depth(&self, found: &Found, is_shallow: bool) -> Result<(), FetchError> {
        let repository = self.repository()?;
        let told = |error| self.told("fetching", &error);
        let mut remote = repository.remote_anonymous(&self.source.url).map_err(told)?;
        let (over, tries) = (AtomicU64::new(0), AtomicU64::new(0));
        let mut options = FetchOptions::new();
        options
            .remote_callbacks(self.callbacks(&over, &tries))
            .proxy_options(self.proxy_options())
            .download_tags(AutotagOption::None)
            .follow_redirects(RemoteRedirect::Initial);
        if is_shallow {
            options.depth(1);
        }
        let refspec = format!("+{}:refs/heads/slipway-source", found.name);
        let done = remote.fetch(&[refspec.as_str()], Some(&mut options), None);
        if over.load(Ordering::Relaxed) > self.source.bytes_max {
            return Err(FetchError(format!(
                "The repository is larger than the limit of {} MiB.",
                self.source.bytes_max / (1024 * 1024)
            )));
        }
        done.map_err(told)?;
        let object = repository.find_object(found.commit, None);
        let is_there = object.and_then(|object| object.peel_to_commit()).is_ok();
        if is_there { Ok(()) } else { Err(FetchError(format!("The branch has no commit {}.", found.commit))) }
    }
}
