//! Routes as the built-in router sees them: which host leads to which processes.
//!
//! The engine that knows the processes publishes a new [`RouteTable`] on a `watch` channel whenever anything changes; the
//! router reads the newest for each request. A table is never changed once it is published: [`RouteTable::with`] makes
//! the next one, which shares with it whatever stayed as it was. A [`Backend`] is shared between successive tables, so
//! that requests in flight are counted across them and a process is stopped only when its last one is done.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use slipway_core::config::SecretText;
use slipway_core::{AppId, AppName};
use tokio::sync::Notify;

use crate::path::PathPattern;

/// What stands for any host in a [`Certificate`].
pub const ANY_HOST: &str = "*";

/// A certificate with its key, for hosts it is served to by SNI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Host names, lower case; `*.example.com` covers one label, and [`ANY_HOST`] is for clients whom no other
    /// certificate fits.
    pub hosts: Vec<String>,
    /// The chain in PEM, leaf first.
    pub chain_pem: String,
    /// The private key in PEM.
    pub key_pem: SecretText,
}

/// Parts that the host names of a table are dealt to. A change copies one part for each host name that it is about, and
/// the list of parts: with 10,000 apps, this many make both about as long.
const SHARDS: usize = 128;

type Shard = HashMap<Arc<str>, Arc<AppRoute>>;

/// All routes at one moment.
#[derive(Debug, Clone)]
pub struct RouteTable {
    /// By [`shard_of`] the host name; shared with the tables before and after this one.
    shards: Vec<Arc<Shard>>,
    /// Certificates of all apps. Two tables that share the list have the same ones.
    pub certificates: Arc<[Arc<Certificate>]>,
}

impl Default for RouteTable {
    fn default() -> Self {
        Self { shards: vec![Arc::default(); SHARDS], certificates: Arc::default() }
    }
}

/// Where a host name is kept. The same in every table, so that they can share.
fn shard_of(host: &str) -> usize {
    let mut hasher = DefaultHasher::new();
    host.hash(&mut hasher);
    usize::try_from(hasher.finish() % SHARDS as u64).unwrap_or(0)
}

/// How requests reach one app.
#[derive(Debug)]
pub struct AppRoute {
    /// The app.
    pub app: AppId,
    /// Its name.
    pub name: AppName,
    /// Whether every request gets the maintenance page.
    pub is_in_maintenance: bool,
    /// Whether plain HTTP is redirected to HTTPS.
    pub is_https_enforced: bool,
    /// Networks that may send requests; empty for all.
    pub allow_list: Vec<(IpAddr, u8)>,
    /// Where requests go; empty when nothing is ready.
    pub backends: Vec<Arc<Backend>>,
    /// Why there is no backend, when there is none.
    pub idle: IdleReason,
    /// Paths that lead elsewhere within the app; the first that fits counts. The routes there have no paths of their own.
    pub paths: Vec<(PathPattern, Arc<AppRoute>)>,
}

/// Why an app has nothing to answer with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IdleReason {
    /// Nothing was deployed yet.
    #[default]
    NotDeployed,
    /// Its routed process type is scaled to zero, or it has none.
    ScaledToZero,
    /// Processes are coming up.
    Starting,
    /// Processes end by themselves.
    Crashed,
}

impl RouteTable {
    /// Builds a table from routes with their host names. Of two routes that claim one host the first keeps it.
    #[must_use]
    pub fn new(routes: Vec<(Vec<String>, Arc<AppRoute>)>, certificates: Vec<Certificate>) -> Self {
        let mut shards = vec![Shard::new(); SHARDS];
        for (names, route) in routes {
            for name in names {
                if let Some(shard) = shards.get_mut(shard_of(&name)) {
                    shard.entry(name.into()).or_insert_with(|| Arc::clone(&route));
                }
            }
        }
        Self {
            shards: shards.into_iter().map(Arc::new).collect(),
            certificates: certificates.into_iter().map(Arc::new).collect(),
        }
    }

    /// This table with other routes for these host names, `None` for none any more. What it costs depends on how many
    /// names are given, and hardly on how many the table has.
    #[must_use]
    pub fn with<'a>(&self, changes: impl IntoIterator<Item = (&'a str, Option<Arc<AppRoute>>)>) -> Self {
        let mut table = self.clone();
        for (host, route) in changes {
            let Some(shard) = table.shards.get_mut(shard_of(host)) else { continue };
            // Copies the part unless an earlier change in this call has done so.
            let shard = Arc::make_mut(shard);
            match route {
                Some(route) => drop(shard.insert(host.into(), route)),
                None => drop(shard.remove(host)),
            }
        }
        table
    }

    /// The route for a host name without port, in any case. An exact name wins over a wildcard.
    #[must_use]
    pub fn find(&self, host: &str) -> Option<&Arc<AppRoute>> {
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        if let Some(route) = self.exact(&host) {
            return Some(route);
        }
        let (_, parent) = host.split_once('.')?;
        self.exact(&format!("*.{parent}"))
    }

    fn exact(&self, host: &str) -> Option<&Arc<AppRoute>> {
        self.shards.get(shard_of(host))?.get(host)
    }

    /// The route for a path of a host, both as in [`Self::find`] and [`AppRoute::paths`].
    #[must_use]
    pub fn find_path(&self, host: &str, path: &str) -> Option<&Arc<AppRoute>> {
        let route = self.find(host)?;
        let other = route.paths.iter().find(|(pattern, _)| pattern.is_match(path));
        Some(other.map_or(route, |(_, route)| route))
    }

    /// Every route, once per host name and path that leads to it.
    pub fn routes(&self) -> impl Iterator<Item = &Arc<AppRoute>> {
        let by_host = self.shards.iter().flat_map(|shard| shard.values());
        by_host.flat_map(|route| std::iter::once(route).chain(route.paths.iter().map(|(_, route)| route)))
    }

    /// Number of host names.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.len()).sum()
    }

    /// Whether there is no route at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shards.iter().all(|shard| shard.is_empty())
    }
}

/// Set in [`Backend::state`] when no further request may begin.
const DRAINING: usize = 1 << (usize::BITS - 1);

/// One process that answers requests.
#[derive(Debug)]
pub struct Backend {
    /// Where it listens.
    pub addr: SocketAddr,
    /// The process's name, for access lines: `web.1`.
    pub name: String,
    /// Requests in flight, with [`DRAINING`] in the highest bit: one atomic, so that no request can slip in between
    /// the look at the bit and the count.
    state: AtomicUsize,
    idle: Notify,
}

impl Backend {
    /// A backend without requests.
    #[must_use]
    pub fn new(addr: SocketAddr, name: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { addr, name: name.into(), state: AtomicUsize::new(0), idle: Notify::new() })
    }

    /// Begins a request; hold the guard until its response has been sent whole, or its WebSocket is closed.
    /// `None` when the backend drains: look at the newest table for another.
    #[must_use]
    pub fn acquire(self: &Arc<Self>) -> Option<InFlight> {
        let before = self.state.fetch_add(1, Ordering::SeqCst);
        let guard = InFlight { backend: Arc::clone(self) };
        (before & DRAINING == 0).then_some(guard)
    }

    /// Requests in flight.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.state.load(Ordering::SeqCst) & !DRAINING
    }

    /// Whether it takes no further request.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.state.load(Ordering::SeqCst) & DRAINING != 0
    }

    /// Lets no further request begin.
    pub fn drain(&self) {
        self.state.fetch_or(DRAINING, Ordering::SeqCst);
    }

    /// Waits until no request is in flight.
    pub async fn idle(&self) {
        loop {
            let notified = self.idle.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            if self.in_flight() == 0 {
                return;
            }
            notified.await;
        }
    }
}

/// A request in flight to a [`Backend`].
#[derive(Debug)]
pub struct InFlight {
    backend: Arc<Backend>,
}

impl InFlight {
    /// The backend it goes to.
    #[must_use]
    pub fn backend(&self) -> &Arc<Backend> {
        &self.backend
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let before = self.backend.state.fetch_sub(1, Ordering::SeqCst);
        if before & !DRAINING == 1 {
            self.backend.idle.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(name: &str) -> Arc<AppRoute> {
        Arc::new(AppRoute {
            app: AppId::generate(),
            name: AppName::new(name).unwrap(),
            is_in_maintenance: false,
            is_https_enforced: false,
            allow_list: Vec::new(),
            backends: Vec::new(),
            idle: IdleReason::NotDeployed,
            paths: Vec::new(),
        })
    }

    #[test]
    fn exact_names_win_over_wildcards() {
        let table = RouteTable::new(
            vec![(vec!["*.example.com".to_owned()], route("wild")), (vec!["a.example.com".to_owned()], route("exact"))],
            Vec::new(),
        );
        let find = |host: &str| table.find(host).map(|route| route.name.to_string());
        assert_eq!(find("A.example.com."), Some("exact".to_owned()));
        assert_eq!(find("b.example.com"), Some("wild".to_owned()));
        assert_eq!(find("b.c.example.com"), None);
        assert_eq!(find("example.com"), None);
    }

    #[test]
    fn a_change_leaves_the_table_before_it_alone_and_shares_the_rest() {
        let hosts = |number: usize| vec![format!("app-{number}.example.com")];
        let routes = (0..1000).map(|number| (hosts(number), route(&format!("app-{number}")))).collect();
        let before = RouteTable::new(routes, Vec::new());
        let after = before.with([
            ("app-1.example.com", None),
            ("app-2.example.com", Some(route("other"))),
            ("new.example.com", Some(route("new"))),
        ]);
        let find = |table: &RouteTable, host: &str| table.find(host).map(|route| route.name.to_string());
        let of = |table: &RouteTable| ["app-1", "app-2", "new"].map(|name| find(table, &format!("{name}.example.com")));
        assert_eq!(of(&before), [Some("app-1".to_owned()), Some("app-2".to_owned()), None]);
        assert_eq!(of(&after), [None, Some("other".to_owned()), Some("new".to_owned())]);
        assert_eq!((before.len(), after.len()), (1000, 1000));
        let copied = before.shards.iter().zip(&after.shards).filter(|(a, b)| !Arc::ptr_eq(a, b)).count();
        assert!((1..=3).contains(&copied), "{copied} parts were copied");
        assert!(Arc::ptr_eq(&before.certificates, &after.certificates));
    }

    #[test]
    fn the_first_path_that_fits_leads_elsewhere() {
        let path = |text: &str, name: &str| (PathPattern::new(text).unwrap(), route(name));
        let mut main = Arc::into_inner(route("main")).unwrap();
        main.paths = vec![path("/api/v2", "new"), path("/api", "old")];
        let table = RouteTable::new(vec![(vec!["a.example.com".to_owned()], Arc::new(main))], Vec::new());
        let find = |path: &str| table.find_path("a.example.com", path).unwrap().name.to_string();
        assert_eq!(["/", "/api", "/api/v2/x", "/x/api"].map(find), ["main", "old", "new", "main"]);
        assert_eq!(table.routes().count(), 3);
    }

    #[tokio::test]
    async fn draining_waits_for_the_last_request_and_lets_none_begin() {
        let backend = Backend::new(([127, 0, 0, 1], 1).into(), "web.1");
        let first = backend.acquire().unwrap();
        backend.drain();
        assert!(backend.acquire().is_none());
        assert_eq!(backend.in_flight(), 1);
        let waiting = tokio::spawn({
            let backend = Arc::clone(&backend);
            async move { backend.idle().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(first);
        waiting.await.unwrap();
    }
}
