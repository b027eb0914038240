//! What the cluster holds, kept in memory by watches.
//!
//! A watch survives whatever happens to it: after a disconnect it goes on where it was, after 410 Gone it lists anew,
//! and while the API server is away what was known stays. Each change gives a signal; whoever waits for it reads the
//! stores anew.

use std::fmt::Debug;
use std::future::ready;
use std::hash::Hash;
use std::sync::Arc;

use futures::StreamExt;
use kube::api::{Api, ApiResource, DynamicObject};
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::Store;
use kube::runtime::reflector::store::Writer;
use kube::runtime::watcher::{self, watcher};
use kube::{Client, Resource};
use slipway_cause::chain;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::health::Health;
use crate::render::Kind;

/// Label of everything that belongs to an app.
pub const HERITAGE: &str = "heritage=slipway";

/// The API that tells which pods stand behind a Service.
const ENDPOINT_SLICES: &str = "discovery.k8s.io";

/// Running watches; dropping it ends them.
#[derive(Debug)]
pub struct Watches {
    changed: Arc<Notify>,
    health: Arc<Health>,
    tasks: JoinSet<()>,
}

impl Watches {
    /// None yet.
    #[must_use]
    pub fn new(health: Arc<Health>) -> Self {
        Self { changed: Arc::default(), health, tasks: JoinSet::new() }
    }

    /// Waits for the next change of anything that is watched; one that came since the last call counts.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Starts to watch. The store is empty until [`ready`](Store::wait_until_ready).
    pub fn start<K>(&mut self, api: Api<K>, config: watcher::Config, resource: &K::DynamicType) -> Store<K>
    where
        K: Resource + Clone + Debug + Send + Sync + serde::de::DeserializeOwned + 'static,
        K::DynamicType: Eq + Hash + Clone + Send + Sync,
    {
        let writer = Writer::new(resource.clone());
        let store = writer.as_reader();
        let (changed, health) = (Arc::clone(&self.changed), Arc::clone(&self.health));
        let what = K::plural(resource).into_owned();
        let events = watcher(api, config)
            .default_backoff()
            // Large, and of no use here.
            .modify(|object| object.meta_mut().managed_fields = None)
            .reflect(writer);
        self.tasks.spawn(events.for_each(move |event| {
            match event {
                Ok(watcher::Event::Apply(_) | watcher::Event::Delete(_) | watcher::Event::InitDone) => {
                    changed.notify_one();
                }
                Ok(watcher::Event::Init | watcher::Event::InitApply(_)) => {}
                Err(error) => {
                    health.watch_failed();
                    tracing::warn!(error = %chain(&error), "the watch of {what} was interrupted");
                }
            }
            ready(())
        }));
        store
    }

    /// Watches objects of a kind everywhere, by labels.
    pub fn start_kind(&mut self, client: &Client, kind: Kind, labels: &str) -> Store<DynamicObject> {
        let resource = kind.resource();
        self.start(Api::all_with(client.clone(), &resource), watcher::Config::default().labels(labels), &resource)
    }
}

/// Whether the API server knows a kind.
///
/// # Errors
/// When it does not answer.
pub async fn knows(client: &Client, kind: Kind) -> Result<bool, kube::Error> {
    let resource = kind.resource();
    knows_resource(client, &resource.api_version, &resource.plural).await
}

async fn knows_resource(client: &Client, api_version: &str, plural: &str) -> Result<bool, kube::Error> {
    match client.list_api_group_resources(api_version).await {
        Ok(list) => Ok(list.resources.iter().any(|resource| resource.name == plural)),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
        Err(error) => Err(error),
    }
}

/// What tells which pods stand behind a Service: the newest version of `EndpointSlice` that the API server knows, else
/// `Endpoints`.
///
/// # Errors
/// When it does not answer.
pub async fn endpoint_kind(client: &Client) -> Result<ApiResource, kube::Error> {
    let kind = |group: &str, version: &str, kind: &str, plural: &str| ApiResource {
        group: group.to_owned(),
        version: version.to_owned(),
        api_version: if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") },
        kind: kind.to_owned(),
        plural: plural.to_owned(),
    };
    // Kubernetes before 1.21 has v1beta1.
    for version in ["v1", "v1beta1"] {
        if knows_resource(client, &format!("{ENDPOINT_SLICES}/{version}"), "endpointslices").await? {
            return Ok(kind(ENDPOINT_SLICES, version, "EndpointSlice", "endpointslices"));
        }
    }
    Ok(kind("", "v1", "Endpoints", "endpoints"))
}

/// What the API server says, else the error with its causes.
pub(crate) fn reason(error: &kube::Error) -> String {
    match error {
        // The error's own text has the whole answer, twice.
        kube::Error::Api(status) if !status.message.is_empty() => status.message.clone(),
        _ => chain(error),
    }
}
