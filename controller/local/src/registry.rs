//! The route table. A change of one app makes a new table, which shares with the one before what stayed as it was.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use slipway_core::AppId;
use slipway_engine::route::{AppRoute, Certificate, RouteTable};
use tokio::sync::watch;

/// One app's part of the table.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) hosts: Vec<String>,
    pub(crate) route: AppRoute,
    pub(crate) certificates: Vec<Certificate>,
}

#[derive(Debug)]
struct Kept {
    hosts: Vec<String>,
    route: Arc<AppRoute>,
}

/// What the table is made from.
#[derive(Debug, Default)]
struct Parts {
    apps: HashMap<AppId, Kept>,
    /// Who claims a host, in the order of creation of the apps: the oldest has it.
    claims: HashMap<String, Vec<AppId>>,
    /// Of apps that have any, in the order of their creation.
    certificates: BTreeMap<AppId, Vec<Arc<Certificate>>>,
}

/// Publishes the routes of all apps.
#[derive(Debug)]
pub(crate) struct Registry {
    parts: Mutex<Parts>,
    table: watch::Sender<Arc<RouteTable>>,
}

impl Registry {
    pub(crate) fn new() -> Self {
        Self { parts: Mutex::default(), table: watch::Sender::new(Arc::new(RouteTable::default())) }
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Arc<RouteTable>> {
        self.table.subscribe()
    }

    /// Sets or removes one app's part. Nothing is published when nothing changes. When this returns, the newest table
    /// has the change.
    pub(crate) fn set(&self, app: AppId, entry: Option<Entry>) {
        // Held until the table is published, so that a later change is in a later table.
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let (hosts, route, certificates) = match entry {
            Some(Entry { hosts, route, certificates }) => (hosts, Some(route), certificates),
            None => (Vec::new(), None, Vec::new()),
        };
        let has_certificates_changed = parts.certificates_set(app, certificates);
        let changed = parts.routes_set(app, hosts, route);
        if changed.is_empty() && !has_certificates_changed {
            return;
        }
        let mut table = self.table.borrow().with(changed.iter().map(|host| (host.as_str(), parts.winner(host))));
        if has_certificates_changed {
            table.certificates = parts.certificates_all();
        }
        self.table.send_replace(Arc::new(table));
    }
}

impl Registry {
    /// The route of an app, whoever has its hosts.
    pub(crate) fn route(&self, app: AppId) -> Option<Arc<AppRoute>> {
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.apps.get(&app).map(|kept| Arc::clone(&kept.route))
    }
}

impl Parts {
    /// Takes over an app's certificates; whether they are other ones than before.
    fn certificates_set(&mut self, app: AppId, certificates: Vec<Certificate>) -> bool {
        let known = self.certificates.get(&app).map(Vec::as_slice).unwrap_or_default();
        if known.len() == certificates.len() && known.iter().zip(&certificates).all(|(a, b)| **a == *b) {
            return false;
        }
        if certificates.is_empty() {
            self.certificates.remove(&app);
        } else {
            self.certificates.insert(app, certificates.into_iter().map(Arc::new).collect());
        }
        true
    }

    fn certificates_all(&self) -> Arc<[Arc<Certificate>]> {
        self.certificates.values().flatten().cloned().collect()
    }

    /// Takes over an app's route and the hosts that it claims; gives the hosts whose route may be another now.
    fn routes_set(&mut self, app: AppId, hosts: Vec<String>, route: Option<AppRoute>) -> Vec<String> {
        let known = self.apps.get(&app);
        let is_same = match (known, &route) {
            (Some(known), Some(route)) => known.hosts == hosts && is_same_route(&known.route, route),
            (None, None) => true,
            _ => false,
        };
        if is_same {
            return Vec::new();
        }
        let mut changed = self.apps.remove(&app).map(|known| known.hosts).unwrap_or_default();
        for host in &changed {
            if let Some(claimants) = self.claims.get_mut(host) {
                claimants.retain(|other| *other != app);
                if claimants.is_empty() {
                    self.claims.remove(host);
                }
            }
        }
        if let Some(route) = route {
            for host in &hosts {
                let claimants = self.claims.entry(host.clone()).or_default();
                if let Err(place) = claimants.binary_search(&app) {
                    claimants.insert(place, app);
                }
            }
            changed.extend(hosts.iter().cloned());
            self.apps.insert(app, Kept { hosts, route: Arc::new(route) });
        }
        changed.sort_unstable();
        changed.dedup();
        changed
    }

    /// The route of whoever has a host.
    fn winner(&self, host: &str) -> Option<Arc<AppRoute>> {
        let owner = self.claims.get(host)?.first()?;
        self.apps.get(owner).map(|kept| Arc::clone(&kept.route))
    }
}

fn is_same_route(kept: &AppRoute, route: &AppRoute) -> bool {
    let AppRoute { app, name, is_in_maintenance, is_https_enforced, allow_list, backends, idle, paths } = route;
    kept.app == *app
        && kept.name == *name
        && kept.is_in_maintenance == *is_in_maintenance
        && kept.is_https_enforced == *is_https_enforced
        && kept.allow_list == *allow_list
        && kept.idle == *idle
        && kept.backends.len() == backends.len()
        && kept.backends.iter().zip(backends).all(|(a, b)| Arc::ptr_eq(a, b))
        && kept.paths.len() == paths.len()
        && kept.paths.iter().zip(paths).all(|(a, b)| a.0 == b.0 && is_same_route(&a.1, &b.1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use slipway_core::AppName;
    use slipway_core::config::SecretText;
    use slipway_engine::route::IdleReason;

    use super::*;

    fn entry(app: AppId, name: &str, hosts: &[&str], certificates: &[&str]) -> Entry {
        let certificate = |chain: &&str| Certificate {
            hosts: Vec::new(),
            chain_pem: (*chain).to_owned(),
            key_pem: SecretText::new(String::new()),
        };
        Entry {
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            route: AppRoute {
                app,
                name: AppName::new(name).unwrap(),
                is_in_maintenance: false,
                is_https_enforced: false,
                allow_list: Vec::new(),
                backends: Vec::new(),
                idle: IdleReason::NotDeployed,
                paths: Vec::new(),
            },
            certificates: certificates.iter().map(certificate).collect(),
        }
    }

    #[test]
    fn a_host_goes_to_the_next_oldest_when_its_app_goes() {
        let registry = Registry::new();
        let table = registry.subscribe();
        let (old, young) = (AppId::generate(), AppId::generate());
        let of = || table.borrow().find("shared.test").map(|route| route.name.to_string());
        registry.set(young, Some(entry(young, "young", &["shared.test"], &[])));
        assert_eq!(of().as_deref(), Some("young"));
        registry.set(old, Some(entry(old, "old", &["shared.test", "shared.test"], &[])));
        assert_eq!(of().as_deref(), Some("old"));
        registry.set(old, None);
        assert_eq!(of().as_deref(), Some("young"));
        registry.set(young, Some(entry(young, "young", &["other.test"], &[])));
        assert_eq!(of(), None);
        assert_eq!(table.borrow().len(), 1);
    }

    #[test]
    fn nothing_is_published_when_nothing_changes() {
        let registry = Registry::new();
        let mut table = registry.subscribe();
        let app = AppId::generate();
        let set = |chain: &str| registry.set(app, Some(entry(app, "blog", &["blog.test"], &[chain])));
        set("one");
        assert!(table.has_changed().unwrap());
        let first = Arc::clone(&table.borrow_and_update());
        set("one");
        registry.set(AppId::generate(), None);
        assert!(!table.has_changed().unwrap());
        set("two");
        assert_eq!(table.borrow_and_update().certificates[0].chain_pem, "two");
        assert_eq!(first.certificates[0].chain_pem, "one");
    }

    proptest! {
        /// Whatever the order of changes, the table is the one that would be made from all apps at once.
        #[test]
        fn changes_add_up_to_the_table_made_at_once(
            steps in prop::collection::vec((0..4_usize, prop::option::of(prop::collection::vec(0..5_usize, 0..4))), 0..24)
        ) {
            const HOSTS: [&str; 5] = ["a.test", "b.test", "*.c.test", "c.test", "x.c.test"];
            const NAMES: [&str; 4] = ["one", "two", "three", "four"];
            let apps = NAMES.map(|_| AppId::generate());
            let registry = Registry::new();
            let mut now: BTreeMap<AppId, (usize, Vec<&str>)> = BTreeMap::new();
            for (app, hosts) in steps {
                let hosts: Option<Vec<&str>> = hosts.map(|hosts| hosts.iter().map(|host| HOSTS[*host]).collect());
                let entry = hosts.as_ref().map(|hosts| entry(apps[app], NAMES[app], hosts, hosts));
                registry.set(apps[app], entry);
                match hosts {
                    Some(hosts) => drop(now.insert(apps[app], (app, hosts))),
                    None => drop(now.remove(&apps[app])),
                }
            }
            let entries = || now.iter().map(|(id, (app, hosts))| entry(*id, NAMES[*app], hosts, hosts));
            let routes = entries().map(|entry| (entry.hosts, Arc::new(entry.route))).collect();
            let expect = RouteTable::new(routes, entries().flat_map(|entry| entry.certificates).collect());
            let table = Arc::clone(&registry.subscribe().borrow());
            for host in HOSTS {
                prop_assert_eq!(
                    table.find(host).map(|route| route.name.to_string()),
                    expect.find(host).map(|route| route.name.to_string())
                );
            }
            prop_assert_eq!(table.len(), expect.len());
            prop_assert_eq!(&table.certificates, &expect.certificates);
        }
    }
}
