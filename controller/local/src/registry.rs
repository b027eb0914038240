//! The route table, made anew from the routes of all apps whenever one changes.

use std::collections::BTreeMap;
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
    certificates: Vec<Certificate>,
}

/// Publishes the routes of all apps.
#[derive(Debug)]
pub(crate) struct Registry {
    /// In the order of creation of the apps: of two that claim a host the older one has it.
    apps: Mutex<BTreeMap<AppId, Kept>>,
    table: watch::Sender<Arc<RouteTable>>,
}

impl Registry {
    pub(crate) fn new() -> Self {
        Self { apps: Mutex::default(), table: watch::Sender::new(Arc::new(RouteTable::default())) }
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Arc<RouteTable>> {
        self.table.subscribe()
    }

    /// Sets or removes one app's part. Nothing is published when nothing changes. When this returns, the newest table
    /// has the change.
    pub(crate) fn set(&self, app: AppId, entry: Option<Entry>) {
        let mut apps = self.apps.lock().unwrap_or_else(PoisonError::into_inner);
        match entry {
            Some(entry) => {
                if apps.get(&app).is_some_and(|kept| is_same(kept, &entry)) {
                    return;
                }
                let Entry { hosts, route, certificates } = entry;
                apps.insert(app, Kept { hosts, route: Arc::new(route), certificates });
            }
            None => {
                if apps.remove(&app).is_none() {
                    return;
                }
            }
        }
        let routes = apps.values().map(|kept| (kept.hosts.clone(), Arc::clone(&kept.route))).collect();
        let certificates = apps.values().flat_map(|kept| kept.certificates.iter().cloned()).collect();
        self.table.send_replace(Arc::new(RouteTable::new(routes, certificates)));
    }
}

fn is_same(kept: &Kept, entry: &Entry) -> bool {
    kept.hosts == entry.hosts && kept.certificates == entry.certificates && is_same_route(&kept.route, &entry.route)
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
